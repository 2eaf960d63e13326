//! Upgrade: an older binary makes a data directory and works on it under load, is killed, and this one takes the directory over.
//! Part of what the old one accepted is sent again to the new one, which must know it. Afterwards a
//! plain reader and the database must agree that nothing was lost, doubled or in conflict, and the log is whole.
//!
//! `e2e/upgrade.sh` builds the older commit and calls it.

use anyhow::{Context, Result, bail};
use audit_sink::verify;
use clap::Parser;
use defaultx::place::{self, Keys};
use defaultx::settings::Settings;
use domain::Digest;
use e2e::oracle::Findings;
use e2e::stage::{root, runtime};
use e2e::supervisor::{AS_DEFAULTX, become_defaultx_if_asked};
use e2e::traffic::{Sender, Traffic};
use e2e::truth::{Deployment, Truth};
use local::Stack;
use runtime::kafka::KafkaConfig;
use runtime::{clock, task};
use schemas::Topic;
use schemas::rights::Principal;
use serde_json::json;
use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Longer than this, and something hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// Who sends here; the older binary may keep no count of its new entries.
const TENANT: &str = "demo";

/// Let an older binary work under load, and take over from it.
#[derive(Parser)]
struct Args {
    /// The older binary
    #[arg(long)]
    old: PathBuf,
    /// The sources it was built of: models, routes and policies as they were
    #[arg(long)]
    old_root: PathBuf,
    /// How long each of the two works, in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Applications a second
    #[arg(long, default_value_t = 250)]
    rate: usize,
    /// The data directory, which must not be there yet
    #[arg(long, default_value = "target/upgrade/stack")]
    stack: PathBuf,
    /// Where the result goes
    #[arg(long, default_value = "target/upgrade.json")]
    out: PathBuf,
}

/// A version of the product: what to call, and where it finds its models, routes and policies.
struct Version {
    name: &'static str,
    program: PathBuf,
    first: Option<&'static str>,
    root: PathBuf,
    stack: PathBuf,
}

impl Version {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        let first = self.first.into_iter().chain(arguments.iter().copied()).map(OsString::from);
        command.args(first).arg("--house").arg(&self.stack).current_dir(&self.root).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    fn run(&self, arguments: &[&str]) -> Result<()> {
        let status = self.command(arguments).status().with_context(|| format!("starting the {} binary", self.name))?;
        if !status.success() {
            bail!("{} of the {} binary ended with {status}", arguments.join(" "), self.name);
        }
        Ok(())
    }

    /// Puts the policy and the route in force that it ships.
    fn activate(&self) -> Result<()> {
        let route = scorer::Config::default().route;
        let (name, version) = route.split_once('@').context("name@version")?;
        let file = format!("policies/{name}/{version}.yaml");
        self.run(&["policy", "activate", &file, "--by", "upgrade"])?;
        self.run(&["route", "activate", &route, "--by", "upgrade"])
    }

    /// Starts every worker in one process; its log stands beside the data.
    fn workers(&self) -> Result<Workers> {
        let log = File::create(self.stack.with_extension(format!("{}.log", self.name)))?;
        let mut command = self.command(&["run", "all", "--ops", "127.0.0.1:0"]);
        // A real deployment keeps its own ports; here nobody asks.
        command.args(["--set", "read-api.listen=127.0.0.1:0"]);
        let child = command.stdout(log.try_clone()?).stderr(log).spawn().context("starting the workers")?;
        Ok(Workers(child))
    }
}

/// Workers that end with this value.
struct Workers(Child);

impl Workers {
    fn kill(mut self) -> Result<()> {
        if let Some(status) = self.0.try_wait()? {
            bail!("the workers had ended by themselves: {status}");
        }
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if self.0.kill().is_ok() && self.0.wait().is_err() {
            eprintln!("the workers could not be waited for");
        }
    }
}

/// Servers that stop with this value, whoever started them.
struct Servers(PathBuf);

impl Drop for Servers {
    fn drop(&mut self) {
        if let Err(error) = Stack::stop_left_running(&self.0) {
            eprintln!("stopping the servers: {error}");
        }
    }
}

fn main() -> Result<()> {
    become_defaultx_if_asked();
    let args = Args::parse();
    if args.stack.exists() {
        bail!("{} is there already", args.stack.display());
    }
    std::fs::create_dir_all(&args.stack)?;
    let stack = args.stack.canonicalize()?;
    let old_root = args.old_root.canonicalize()?;
    let old = args.old.canonicalize()?;
    let old = Version { name: "old", program: old, first: None, root: old_root, stack: stack.clone() };
    let program = std::env::current_exe()?;
    let new = Version { name: "new", program, first: Some(AS_DEFAULTX), root: root().to_owned(), stack: stack.clone() };
    let result = upgrade(&args, &old, &new)?;
    std::fs::write(&args.out, serde_json::to_vec_pretty(&result.figures)?).context("writing the result")?;
    println!("{:#}", result.figures);
    if !result.is_good {
        bail!("the new binary did not keep the word of the old one");
    }
    Ok(())
}

struct Outcome {
    figures: serde_json::Value,
    is_good: bool,
}

fn upgrade(args: &Args, old: &Version, new: &Version) -> Result<Outcome> {
    old.run(&["up"])?;
    let _servers = Servers(old.stack.clone());
    let from = deployment(old)?;
    let workers = old.workers()?;
    // What is sent again is the same to the last byte, whoever took it first.
    let now = clock::rfc3339(clock::now());
    let load = Load::start(&from.kafka, args.rate, (0, now.clone()))?;
    std::thread::sleep(Duration::from_secs(args.seconds));
    // What an older command puts in force carries no document, and stays in force; the newer one's does.
    old.activate()?;
    std::thread::sleep(Duration::from_secs(1));
    // In the middle of its work, and with the load going on.
    workers.kill()?;
    let accepted_by_old = Truth::read(&from)?.accepted();
    if accepted_by_old == 0 {
        bail!("the old binary accepted nothing: there is no directory to take over");
    }
    // An older broker asks nobody who he is, and this one does: whoever sends gets a login with the upgrade.
    let before = load.stop()?;
    old.run(&["down"])?;
    new.run(&["up"])?;
    let from = deployment(new)?;
    let load = Load::start(&from.kafka.of(Principal::Sender.name()), args.rate, (before.next, now))?;
    let workers = new.workers()?;
    std::thread::sleep(Duration::from_secs(args.seconds));
    new.activate()?;
    std::thread::sleep(Duration::from_secs(1));
    let after = load.stop()?;
    let (submitted, repeated) = (before.sent + after.sent, before.again + after.again);

    let started = Instant::now();
    let mut truth = loop {
        let truth = Truth::read(&from)?;
        let stored = runtime()?.block_on(stored(&from.database_url))?;
        let is_answered = truth.published >= submitted as u64 && truth.is_answered();
        if (is_answered && stored >= truth.decided() as i64) || started.elapsed() > PATIENCE {
            break truth;
        }
        std::thread::sleep(Duration::from_secs(1));
    };
    workers.kill()?;
    let report = runtime()?.block_on(async {
        truth.complete(&from).await?;
        anyhow::Ok(verify::run(&from.database_url, &verify::Options::default()).await?)
    })?;
    let mut findings = Findings::default();
    truth.judge(&mut findings);
    let status = |word: &str| truth.statuses.get(word).copied().unwrap_or_default();
    // Every one that was sent twice has one answer that says so.
    let is_good = findings.is_clean()
        && report.is_whole()
        && status("conflict") == 0
        && status("duplicate") == repeated as u64
        && truth.published == submitted as u64;
    let figures = json!({
        "submitted": submitted,
        "sent_again": repeated,
        "published": truth.published,
        "accepted_by_old": accepted_by_old,
        "accepted": truth.accepted(),
        "decided_distinct": truth.decided(),
        "decided_in_database": truth.stored(),
        "lost": findings.lost,
        "doubled": findings.doubled,
        "skipped": findings.skipped,
        "wrong": findings.wrong,
        "told": findings.told,
        "conflicts": status("conflict"),
        "replies": truth.statuses,
        "audit_entries": report.entries(),
        "audit_verified": report.is_whole(),
    });
    Ok(Outcome { figures, is_good })
}

/// Where a version runs, and with what in force: the documents that it ships, which nobody has replaced.
fn deployment(version: &Version) -> Result<Deployment> {
    let stack = Stack::attach(&version.stack)?;
    let mut settings = Settings::default();
    Keys::of(&version.stack)?.fill(&mut settings);
    let digest = |kind: &str, label: &str, extension: &str| {
        let (name, number) = label.split_once('@').context("name@version")?;
        let file = version.root.join(format!("{kind}/{name}/{number}.{extension}"));
        anyhow::Ok(Digest::of(&std::fs::read(file)?).to_string())
    };
    let mut kafka =
        KafkaConfig { bootstrap: stack.bootstrap().to_owned(), replication_factor: 1, ..KafkaConfig::default() };
    place::log_in(&mut kafka, &stack);
    Ok(Deployment {
        kafka,
        database_url: stack.database_url().to_owned(),
        senders: vec![Topic::LoanApplications.base_name().to_owned()],
        policy: digest("policies", &decision::Config::default().default_policy, "yaml")?,
        route: digest("routes", &scorer::Config::default().route, "toml")?,
        uncounted: vec![TENANT.to_owned()],
        ingest: settings.ingest,
    })
}

/// A steady load. Every tenth application is sent again, thousands of others later.
struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    again: Arc<AtomicUsize>,
    thread: std::thread::JoinHandle<Result<usize>>,
}

/// What a load sent.
struct Sent {
    sent: usize,
    /// For the second time.
    again: usize,
    /// The number that it would send next.
    next: usize,
}

/// How many applications lie between a sending and its repetition.
const BETWEEN: usize = 5_000;

impl Load {
    /// Begins with the application of that number; all are as of one time.
    fn start(kafka: &KafkaConfig, rate: usize, (first, now): (usize, String)) -> Result<Self> {
        let (traffic, sender) = (Traffic::load(1)?, Sender::connect(kafka, "consistent_random")?);
        let (stop, sent, again) = (Arc::default(), Arc::default(), Arc::default());
        let told: (Arc<AtomicBool>, Arc<AtomicUsize>, Arc<AtomicUsize>) =
            (Arc::clone(&stop), Arc::clone(&sent), Arc::clone(&again));
        let body = move || {
            let (stop, sent, again) = told;
            let (started, mut number) = (Instant::now(), first);
            let send = |number: usize| -> Result<()> {
                let event = traffic.event("upgrade", number, &now)?;
                sender.send(&event, (!number.is_multiple_of(3)).then_some(event.application_id.as_str()))?;
                sent.fetch_add(1, Ordering::Relaxed);
                Ok(())
            };
            while !stop.load(Ordering::Relaxed) {
                let due = first + (started.elapsed().as_secs_f64() * rate as f64) as usize;
                while number < due {
                    send(number)?;
                    if number % 10 == 0 && number >= BETWEEN {
                        send(number - BETWEEN)?;
                        again.fetch_add(1, Ordering::Relaxed);
                    }
                    number += 1;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            sender.flush()?;
            Ok(number)
        };
        Ok(Self { stop, sent, again, thread: task::thread("load", body)? })
    }

    /// Ends it once everything is acknowledged.
    fn stop(self) -> Result<Sent> {
        self.stop.store(true, Ordering::Relaxed);
        let next = self.thread.join().map_err(|_| anyhow::anyhow!("the load panicked"))??;
        Ok(Sent { sent: self.sent.load(Ordering::Relaxed), again: self.again.load(Ordering::Relaxed), next })
    }
}

async fn stored(url: &str) -> Result<i64> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    let connection = task::spawn("count", connection);
    let row = client.query_one("SELECT count(*) FROM defaultx.decisions WHERE decision_number = 1", &[]).await?;
    drop(client);
    connection.await??;
    Ok(row.get(0))
}
