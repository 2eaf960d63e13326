//! What the audit log costs by itself: the topics of one deployment are filled first, then audit-sink runs alone over them, into an
//! empty database each time. Processor time of it and of every process of PostgreSQL, for each application; another binary takes
//! turns with this one where one is named.

use crate::bench::Bench;
use crate::load::{self, WARM};
use crate::processor::of_tree;
use crate::session::ask;
use crate::workers::{self, DECIDING, Models, Workers};
use anyhow::{Context, Result, bail, ensure};
use audit_sink::Sources;
use defaultx::reader;
use e2e::stage::Stage;
use e2e::supervisor::AS_DEFAULTX;
use schemas::Topic;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// The worker that is measured.
const AUDITING: &str = "audit-sink";
/// How often it is asked how far it is.
const LOOK: Duration = Duration::from_millis(100);
/// Longer than this, and something hangs.
const PATIENCE: Duration = Duration::from_secs(600);
/// Entries that are looked up one by one.
const LOOKED_UP: i64 = 500;

/// What one run over the backlog took.
#[derive(Debug, Clone, Copy, Serialize)]
struct Drained {
    worker_us: f64,
    database_us: f64,
    entries_per_s: f64,
}

impl Drained {
    fn cpu_ms(&self) -> f64 {
        (self.worker_us + self.database_us) / 1e3
    }
}

impl Bench {
    /// Fills a deployment, and drains it in pairs of this binary and another one, or by itself.
    pub fn audit(&mut self, other: Option<&Path>, rounds: usize) -> Result<Map<String, Value>> {
        self.deploy("backlog", 0)?;
        let mut workers = workers::product(&self.stage, Models::Shipped, DECIDING)?;
        load::throughput(&self.stage, &self.traffic, self.args.applications, &workers)?;
        workers.stop()?;
        let backlog = Backlog::count(&self.stage, self.args.applications + WARM)?;
        let (mut ours, mut theirs, mut lookup) = (Vec::new(), Vec::new(), None);
        for round in 0..rounds {
            for is_ours in if round % 2 == 0 { [true, false] } else { [false, true] } {
                let (name, found, program) = match (is_ours, other) {
                    (true, _) => ("ours", &mut ours, None),
                    (false, Some(other)) => ("theirs", &mut theirs, Some(other)),
                    (false, None) => continue,
                };
                let database = Database::create(&self.stage, &format!("audit_{name}_{round}"))?;
                let drained = backlog.drain(&self.stage, &database, program)?;
                eprintln!("round {round}, {name}: {drained:?}");
                found.push(drained);
                if is_ours && round + 1 == rounds {
                    lookup = Some(database.look_up()?);
                }
                database.drop_it()?;
            }
        }
        let median = |found: &[Drained], of: fn(&Drained) -> f64| {
            let mut sorted: Vec<f64> = found.iter().map(of).collect();
            sorted.sort_by(f64::total_cmp);
            sorted.get(sorted.len() / 2).copied()
        };
        let figures = [
            ("audit_cpu_ms_per_application", json!(median(&ours, Drained::cpu_ms))),
            ("audit_worker_us_per_application", json!(median(&ours, |drained| drained.worker_us))),
            ("audit_database_us_per_application", json!(median(&ours, |drained| drained.database_us))),
            ("audit_entries_per_s", json!(median(&ours, |drained| drained.entries_per_s))),
            ("audit_cpu_ms_per_application_other", json!(median(&theirs, Drained::cpu_ms))),
            ("audit_entries_per_s_other", json!(median(&theirs, |drained| drained.entries_per_s))),
            ("audit_entries", json!(backlog.entries)),
            ("audit_find_entry_ms", json!(lookup)),
            ("audit_rounds", json!({ "ours": ours, "theirs": theirs })),
        ];
        Ok(figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

/// What there is to drain.
struct Backlog {
    applications: usize,
    entries: i64,
    identities: i64,
}

impl Backlog {
    fn count(stage: &Stage, applications: usize) -> Result<Self> {
        let sources = Sources::new(&stage.kafka.topic_prefix, &[]);
        let names: Vec<_> = sources.names().collect();
        let entries = reader::read_to_end(&stage.kafka, names.iter().map(AsRef::as_ref), |_| Ok(()))?;
        let topic = Topic::Identities.name(&stage.kafka.topic_prefix);
        let identities = reader::read_to_end(&stage.kafka, [topic.as_str()], |_| Ok(()))?;
        Ok(Self { applications, entries: entries as i64, identities: identities as i64 })
    }

    /// Runs audit-sink until the database holds everything.
    fn drain(&self, stage: &Stage, database: &Database, program: Option<&Path>) -> Result<Drained> {
        let migrated = command(stage, database, program, "migrate")?.status()?;
        ensure!(migrated.success(), "the migration ended with {migrated}");
        let before = servers(stage)?;
        let mut command = command(stage, database, program, "run")?;
        command.arg(AUDITING);
        let started = Instant::now();
        let mut workers = Workers::start(command, &stage.dir().join("audit.log"))?;
        // One session for all looks: a new one each time would cost the server more than many batches.
        ask(&database.url, async |client| {
            while !self.is_held(client).await? {
                if started.elapsed() > PATIENCE {
                    bail!("the log does not drain");
                }
                tokio::time::sleep(LOOK).await;
            }
            Ok(())
        })?;
        let took = started.elapsed();
        let worker = workers.processor()?;
        let servers = servers(stage)?.saturating_sub(before);
        workers.stop()?;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / self.applications as f64;
        let entries_per_s = self.entries as f64 / took.as_secs_f64();
        Ok(Drained { worker_us: each(worker), database_us: each(servers), entries_per_s })
    }
}

impl Backlog {
    /// Whether the database holds everything.
    async fn is_held(&self, client: &Client) -> Result<bool> {
        let query = "SELECT coalesce((SELECT sum(size) FROM defaultx.audit_logs), 0)::bigint,
                            (SELECT coalesce(sum(next_offset), 0) FROM defaultx.stream_offsets
                             WHERE consumer LIKE '%identity-store')::bigint";
        let row = client.query_one(query, &[]).await?;
        Ok(row.get::<_, i64>(0) >= self.entries && row.get::<_, i64>(1) >= self.identities)
    }
}

/// A command of this binary or another one, on a database of its own.
fn command(stage: &Stage, database: &Database, program: Option<&Path>, word: &str) -> Result<Command> {
    let mut command = match program {
        Some(program) => Command::new(program),
        None => Command::new(std::env::current_exe()?),
    };
    if program.is_none() {
        command.arg(AS_DEFAULTX);
    }
    command.arg(word).arg("--config").arg(stage.config("audit", "")?);
    command.env("DEFAULTX__DATABASE__URL", &database.url); // it holds a password
    Ok(command)
}

/// A database of one run.
struct Database {
    name: String,
    url: String,
    /// A session of the product's own database.
    main: String,
}

impl Database {
    fn create(stage: &Stage, name: &str) -> Result<Self> {
        let url = stage.stack.create_database(name)?;
        Ok(Self { name: name.to_owned(), url, main: stage.stack.database_url().to_owned() })
    }

    /// Milliseconds to find one entry by the coordinates of its record, and to read it: the median, the slowest of a hundred, and the
    /// slowest.
    fn look_up(&self) -> Result<Value> {
        ask(&self.url, async |client| {
            let places = "SELECT topic, partition, first_offset FROM defaultx.audit_runs
                          ORDER BY hashint8(first_seq) LIMIT $1";
            let places = client.query(places, &[&LOOKED_UP]).await?;
            let mut took_ms = Vec::new();
            for place in &places {
                let (topic, partition, offset): (&str, i32, i64) = (place.get(0), place.get(1), place.get(2));
                let started = Instant::now();
                let found =
                    audit_sink::find(client, topic, partition, offset).await?.context("an entry is not found")?;
                took_ms.push(started.elapsed().as_secs_f64() * 1e3);
                ensure!((found.topic.as_str(), found.offset) == (topic, offset), "another entry was found");
            }
            took_ms.sort_by(f64::total_cmp);
            let at = |share: f64| took_ms.get(((took_ms.len() - 1) as f64 * share) as usize).copied();
            Ok(json!({ "median": at(0.5), "p99": at(0.99), "slowest": at(1.0) }))
        })
    }

    fn drop_it(self) -> Result<()> {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        ask(&self.main, async |client| Ok(client.batch_execute(&drop).await?))?;
        // What the next run finds is not this one's unwritten pages.
        ask(&self.main, async |client| Ok(client.batch_execute("CHECKPOINT").await?))
    }
}

/// Processor time of PostgreSQL.
fn servers(stage: &Stage) -> Result<Duration> {
    of_tree(*stage.stack.pids().last().context("no database")?)
}
