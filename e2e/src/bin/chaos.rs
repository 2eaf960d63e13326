//! Chaos: under load, rooms are killed, one is frozen and wakes as a zombie beside its replacement, the broker is killed once.
//! Afterwards the judges hold what plain readers and the database say: replies, applications, versions, state and the log.

use anyhow::{Context, Result, bail};
use audit_sink::seal::DigestKey;
use audit_sink::verify;
use clap::Parser;
use e2e::oracle::Findings;
use e2e::oracle::log::Log;
use e2e::stage::{Stage, root, runtime};
use e2e::supervisor::{Supervisor, become_defaultx_if_asked};
use e2e::traffic::{Sender, Traffic};
use e2e::truth::{Deployment, Truth, log};
use indicatif::{ProgressBar, ProgressStyle};
use local::Ending;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use runtime::{clock, task};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const ROOMS: &[&str] = &["ingest", "scorer", "decision", "notifier", "audit-sink"];
/// The rooms that may freeze: those whose zombie would double a decision.
const FREEZABLE: usize = 6;
/// Longer than this, and something hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// Kill rooms under load and count what became of every application.
#[derive(Parser)]
struct Args {
    /// How long rooms are killed
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Applications a second
    #[arg(long, default_value_t = 250)]
    rate: usize,
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
    // Whoever looks for a cause wants the broker's word beside the rooms'.
    std::fs::copy(dir.path().join("kafka/broker.log"), logs.join("broker.log")).context("keeping the broker's log")?;
    outcome
}

fn run(args: &Args, stage: &mut Stage, logs: &Path) -> Result<()> {
    let config = stage.config("chaos", "")?;
    let mut house = Supervisor::start(&config, logs, ROOMS, 2)?;

    let traffic = Traffic::load(args.seed)?;
    let sender = Sender::connect(&stage.kafka, "consistent_random")?;
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let publisher = {
        let (stop, sent, rate) = (stop.clone(), sent.clone(), args.rate);
        task::thread("publisher", move || publish(&traffic, &sender, rate, &stop, &sent))?
    };
    let kills = strike(stage, &mut house, args, &sent)?;
    stop.store(true, Ordering::Relaxed);
    publisher.join().map_err(|_| anyhow::anyhow!("the publisher panicked"))??;
    let submitted = sent.load(Ordering::Relaxed);

    let from = deployment(stage)?;
    let (mut truth, mut log) = drained(&from, &mut house)?;
    house.zombies_end(Duration::from_secs(60))?;
    let restarts = house.restarts;
    house.stop(Duration::from_secs(60))?;
    let report = runtime()?.block_on(async {
        truth.complete(&from).await?;
        log::entries(&from, &mut log).await?;
        anyhow::Ok(verify::run(&from.database_url, &verify::Options::default()).await?)
    })?;

    let mut findings = Findings::default();
    truth.judge(&mut findings);
    log.judge(&mut findings);
    let result = json!({
        "submitted": submitted,
        "published": truth.published,
        "accepted": truth.accepted(),
        "decided_distinct": truth.decided(),
        "decided_in_database": truth.stored(),
        "lost": findings.lost,
        "doubled": findings.doubled,
        "skipped": findings.skipped,
        "wrong": findings.wrong,
        "told": findings.told,
        "replies": truth.statuses,
        "policies_used": truth.policy.uses(),
        "routes_used": truth.route.uses(),
        "state_entries": truth.state.entries(),
        "kills": kills,
        "ended_by_themselves": restarts,
        "audited_records": log.records(),
        "audit_entries": report.entries(),
        "audit_verified": report.is_whole(),
    });
    std::fs::write(&args.out, serde_json::to_vec_pretty(&result)?).context("writing the result")?;
    println!("{result:#}");
    if !findings.is_clean() || !report.is_whole() || truth.published != submitted as u64 {
        bail!("the house did not keep its word: {report}");
    }
    Ok(())
}

fn deployment(stage: &Stage) -> Result<Deployment> {
    let digest = |file: &str| anyhow::Ok(domain::Digest::of(&std::fs::read(root().join(file))?).to_string());
    Ok(Deployment {
        kafka: stage.kafka.clone(),
        database_url: stage.house.database_url().to_owned(),
        senders: vec![schemas::Topic::LoanApplications.base_name().to_owned()],
        policy: digest("policies/standard/1.0.0.yaml")?,
        route: digest("routes/standard/1.0.0.toml")?,
    })
}

/// Sends at a steady rate; every hundredth application twice.
fn publish(traffic: &Traffic, sender: &Sender, rate: usize, stop: &AtomicBool, sent: &AtomicUsize) -> Result<()> {
    let started = Instant::now();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let due = (started.elapsed().as_secs_f64() * rate as f64) as usize;
        while number < due {
            let event = traffic.event("chaos", number, &clock::rfc3339(clock::now()))?;
            let copies = if number % 100 == 99 { 2 } else { 1 };
            for _ in 0..copies {
                sender.send(&event, (number % 3 != 0).then_some(event.application_id.as_str()))?;
                sent.fetch_add(1, Ordering::Relaxed);
            }
            number += 1;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    sender.flush()
}

/// Kills until the time is over; gives the number of kills.
fn strike(stage: &mut Stage, house: &mut Supervisor, args: &Args, sent: &AtomicUsize) -> Result<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
    let bar = ProgressBar::new(args.seconds);
    bar.set_style(ProgressStyle::with_template("{elapsed} [{bar:40}] {msg}")?);
    let started = Instant::now();
    let mut kills = 0;
    let mut frozen_at: Option<Instant> = None;
    let (mut has_thawed, mut broker_killed) = (false, false);
    let at = |share: f64| Duration::from_secs_f64(args.seconds as f64 * share);
    while started.elapsed() < at(1.0) {
        std::thread::sleep(Duration::from_millis(rng.random_range(2_000..5_000)));
        house.tend()?;
        let victim = rng.random_range(0..house.len());
        let name = house.kill(victim)?;
        kills += 1;
        bar.set_position(started.elapsed().as_secs());
        bar.set_message(format!("{kills} kills, last {name}, {} sent", sent.load(Ordering::Relaxed)));
        if frozen_at.is_none() && started.elapsed() > at(0.2) {
            bar.println(format!("frozen: {}", house.freeze(rng.random_range(0..FREEZABLE))?));
            frozen_at = Some(Instant::now());
        }
        if !has_thawed && frozen_at.is_some_and(|since| since.elapsed() > Duration::from_secs(15)) {
            house.thaw()?;
            has_thawed = true;
            bar.println("the zombie wakes beside its replacement");
        }
        if !broker_killed && started.elapsed() > at(0.6) {
            bar.println("the broker is killed and started again");
            stage.house.restart_broker(Ending::Kill)?;
            broker_killed = true;
        }
    }
    if frozen_at.is_some() && !has_thawed {
        house.thaw()?;
    }
    bar.finish();
    Ok(kills)
}

/// Waits until every record has its reply, every accepted application its decision, and the log an entry of every record.
fn drained(from: &Deployment, house: &mut Supervisor) -> Result<(Truth, Log)> {
    let started = Instant::now();
    let is_late = || started.elapsed() > PATIENCE;
    let truth = loop {
        house.tend()?;
        let truth = Truth::read(from)?;
        if truth.is_answered() || is_late() {
            break truth;
        }
        std::thread::sleep(Duration::from_secs(1));
    };
    let config = audit_sink::Config::default();
    let log = log::records(from, &DigestKey::new(&config.digest_key_id, &e2e::stage::DIGEST_KEY)?)?;
    let runtime = runtime()?;
    while runtime.block_on(log::size(from))? < log.records() && !is_late() {
        house.tend()?;
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok((truth, log))
}
