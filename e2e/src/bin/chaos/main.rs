//! Chaos: under load by topic, HTTP and file, workers are killed, one is frozen and wakes as a zombie beside its replacement, the
//! broker is frozen and killed, the database is killed; versions are activated, dead letters redriven, hostile records sprinkled
//! in, and a second tenant misbehaves throughout. Afterwards the judges hold what plain readers and the database say: replies,
//! applications, versions, state, the log and the notes over it.

mod args;
mod faults;
mod judge;
mod senders;

use anyhow::{Context, Result};
use args::Args;
use clap::Parser;
use e2e::stage::Stage;
use e2e::supervisor::{Doors, Supervisor, become_defaultx_if_asked};
use e2e::traffic::Traffic;
use faults::Striker;
use senders::{ROWDY, ROWDY_PARTITIONS, ROWDY_TOPIC, Senders};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const WORKERS: &[&str] = &["ingest", "scorer", "decision", "notifier", "audit-sink", "audit-signer"];
/// Longest end of a thawed zombie, and longest drain.
const LAST: Duration = Duration::from_secs(60);

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
    stage.add_topic(ROWDY_TOPIC, ROWDY_PARTITIONS)?;
    let versions = stage.next_versions()?;
    let notes = format!("[audit-signer]\nnotes_dir = {:?}\n\n", judge::notes_dir(stage).display().to_string());
    let config = stage.config_versions("chaos", &versions, &(notes + &tenants()))?;
    let traffic = Arc::new(Traffic::load(args.seed)?);
    let doors = Doors::default();
    let mut stack = Supervisor::start(&config, logs, WORKERS, 2, doors.clone())?;

    let senders = Senders::start(stage, args, &traffic, &doors)?;
    let struck = Striker::new(stage, &mut stack, args, &traffic, &versions)?.strike()?;
    let sent = senders.stop()?;
    let from = judge::deployment(stage, ROWDY_TOPIC, &versions)?;
    let seen = judge::drained(stage, &from, &mut stack)?;
    stack.zombies_end(LAST)?;
    let restarts = stack.restarts;
    stack.stop(LAST)?;
    judge::judge(args, (stage, &from), seen, &sent, &struck, restarts)
}

/// Two tenants, each with a topic of its own.
fn tenants() -> String {
    let honest = schemas::Topic::LoanApplications.base_name();
    let (honest_key, rowdy_key) = (ingest::config::DEMO_KEY, format!("r-1:{}", "0f".repeat(32)));
    format!(
        "[ingest.tenant_of_topic]\n{honest:?} = \"demo\"\n{ROWDY_TOPIC:?} = {ROWDY:?}\n\n\
         [ingest.subject_keys]\ndemo = {honest_key:?}\n{ROWDY:?} = {rowdy_key:?}\n"
    )
}
