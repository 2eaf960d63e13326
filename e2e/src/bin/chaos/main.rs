//! Chaos: under load by topic, HTTP and file, workers are killed, one is frozen and wakes as a zombie beside its replacement, the
//! broker is frozen and killed, the database is killed; versions are activated, dead letters redriven, hostile records sprinkled
//! in, and a second tenant misbehaves throughout. Afterwards the judges hold what plain readers and the database say: replies,
//! applications, versions, state, the log and the notes over it.

mod faults;
mod judge;
mod senders;

use anyhow::{Context, Result};
use clap::Parser;
use e2e::stage::Stage;
use e2e::supervisor::{Doors, Supervisor, become_defaultx_if_asked};
use e2e::traffic::Traffic;
use faults::Striker;
use senders::Senders;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const WORKERS: &[&str] = &["ingest", "scorer", "decision", "notifier", "audit-sink", "audit-signer"];
/// Topic of the tenant that misbehaves, and its partitions: more than the deployment has.
const ROWDY: (&str, i32) = ("loan.rowdy.v1", 8);
/// Longest end of a thawed zombie, and longest drain.
const LAST: Duration = Duration::from_secs(60);

/// Break what can be broken under load, and count what became of every application.
#[derive(Parser)]
struct Args {
    /// How long things break
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Every fault once, one kill before each, whatever time that takes
    #[arg(long)]
    brief: bool,
    /// Applications a second of the honest tenant
    #[arg(long, default_value_t = 250)]
    rate: usize,
    /// Records a second of the tenant that misbehaves; almost half of them are refused
    #[arg(long, default_value_t = 40)]
    rowdy_rate: usize,
    /// Requests a second at the HTTP doors
    #[arg(long, default_value_t = 10)]
    door_rate: usize,
    /// Seconds before anything breaks over which the honest tenant's latency is taken, alone and then beside the other. 0 takes none
    #[arg(long, default_value_t = 15)]
    phase_seconds: u64,
    /// Seconds for which the broker is frozen
    #[arg(long, default_value_t = 12)]
    frozen_seconds: u64,
    /// Seconds for which the broker is gone
    #[arg(long, default_value_t = 15)]
    outage_seconds: u64,
    /// Seed of the choice of victims
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the result goes
    #[arg(long, default_value = "target/chaos.json")]
    out: PathBuf,
}

fn main() -> Result<()> {
    become_defaultx_if_asked();
    let args = Args::parse();
    let dir = tempfile::tempdir()?;
    let mut stage = Stage::start(dir.path(), true)?;
    let logs = args.out.with_extension("logs");
    let outcome = run(&args, &mut stage, &logs);
    // Whoever looks for a cause wants the broker's word beside the workers'.
    std::fs::copy(dir.path().join("kafka/broker.log"), logs.join("broker.log")).context("keeping the broker's log")?;
    outcome
}

fn run(args: &Args, stage: &mut Stage, logs: &Path) -> Result<()> {
    stage.add_topic(ROWDY.0, ROWDY.1)?;
    let versions = stage.next_versions()?;
    let notes = format!("[audit-signer]\nnotes_dir = {:?}\n\n", judge::notes_dir(stage).display().to_string());
    let config = stage.config_versions("chaos", &versions, &(notes + &tenants()))?;
    let traffic = Arc::new(Traffic::load(args.seed)?);
    let doors = Doors::default();
    let mut stack = Supervisor::start(&config, logs, WORKERS, 2, doors.clone())?;

    let senders = Senders::start(stage, args, &traffic, &doors)?;
    let struck = Striker::new(stage, &mut stack, args, &traffic, &versions)?.strike()?;
    let sent = senders.stop()?;
    let from = judge::deployment(stage, ROWDY.0, &versions)?;
    let seen = judge::drained(stage, &from, &mut stack)?;
    stack.zombies_end(LAST)?;
    let restarts = stack.restarts;
    stack.stop(LAST)?;
    judge::judge(args, (stage, &from), seen, &sent, &struck, restarts)
}

/// Two tenants, each with a topic of its own.
fn tenants() -> String {
    let honest = schemas::Topic::LoanApplications.base_name();
    format!(
        "[ingest.tenant_of_topic]\n{honest:?} = \"demo\"\n{:?} = {:?}\n\n[ingest.subject_keys]\ndemo = {:?}\n{:?} = \"r-1:{}\"\n",
        ROWDY.0,
        senders::ROWDY,
        ingest::config::DEMO_KEY,
        senders::ROWDY,
        "0f".repeat(32),
    )
}
