//! Documents travel with the stream: under load, with two instances of each worker, a policy, a route and a package come that no
//! worker had at its start. None is started again but those that are killed. What cannot be served is refused; what stands in the stream
//! all the same is passed by; an instance with an empty folder joins and decides. Afterwards the judges hold every decision against
//! its position, and positions handled once more give the same versions.

mod change;
mod folder;
mod judge;
mod load;

use anyhow::Result;
use change::Changes;
use clap::Parser;
use e2e::stage::{Stage, root};
use e2e::supervisor::{Doors, Supervisor, become_defaultx_if_asked};
use folder::copy;
use load::Load;
use std::path::{Path, PathBuf};
use std::time::Duration;

const WORKERS: &[&str] = &["ingest", "scorer", "decision", "audit-sink"];
/// Longest drain.
const LAST: Duration = Duration::from_secs(60);

/// Change what is in force while the stack runs, and judge every decision by its position.
#[derive(Parser)]
struct Args {
    /// Applications a second
    #[arg(long, default_value_t = 100)]
    rate: usize,
    /// Where the result goes
    #[arg(long, default_value = "target/documents.json")]
    out: PathBuf,
}

fn main() -> Result<()> {
    become_defaultx_if_asked();
    let args = Args::parse();
    let dir = tempfile::tempdir()?;
    let stage = Stage::start(dir.path(), true)?;
    let models = dir.path().join("models");
    copy(&root().join("models"), &models)?;
    let config = with_models(&stage.config("workers", "")?, &models)?;
    let logs = args.out.with_extension("logs");
    let mut stack = Supervisor::start(&config, &logs, WORKERS, 2, Doors::default())?;
    let load = Load::start(&stage.kafka, args.rate)?;
    let told = Changes { stage: &stage, stack: &mut stack, load: &load, config: &config, models: &models }.make()?;
    let sent = load.stop()?;
    let from = judge::deployment(&stage)?;
    let truth = judge::drained(&from, &mut stack)?;
    stack.stop(LAST)?;
    judge::judge(&args.out, &from, truth, sent, told)
}

/// The same configuration with another folder of packages for the scorers.
fn with_models(config: &Path, models: &Path) -> Result<PathBuf> {
    let text = std::fs::read_to_string(config)?;
    let shipped = format!("[scorer]\nmodels_dir = {:?}", root().join("models"));
    anyhow::ensure!(text.contains(&shipped), "the configuration names another folder of packages");
    let own = config.with_extension("own.toml");
    std::fs::write(&own, text.replacen(&shipped, &format!("[scorer]\nmodels_dir = {models:?}"), 1))?;
    Ok(own)
}
