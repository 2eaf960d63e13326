//! What the demonstration stands on: servers, topics, tables, workers in this process, a webhook receiver. Its own servers are
//! fresh for each run; on servers of the user's it makes a prefix of its own and leaves everything else alone.

use super::progress::{phase, wait};
use super::receiver::Receiver;
use crate::cli::token::Server;
use crate::commands::token::realm;
use crate::place::{self, Keys, keep_notes, point, start_stack};
use crate::run::{self, Addresses, Running};
use crate::settings::Settings;
use crate::workers::Worker;
use crate::{database, topics};
use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use local::{LocalError, Stack};
use notifier::Subscription;
use runtime::auth;
use runtime::kafka::KafkaConfig;
use runtime::{pg, shutdown};
use schemas::Topic;
use schemas::rights::Principal;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

/// How long workers may take to be ready.
const READY: Duration = Duration::from_secs(60);

/// Everything that runs.
pub struct Stage {
    /// As in force, addresses included.
    pub settings: Settings,
    /// Counts webhooks.
    pub receiver: Receiver,
    running: Running,
    stack: Option<Stack>,
    keys: Keys,
    /// Where servers and keys are.
    dir: PathBuf,
}

impl Stage {
    /// Brings everything up.
    ///
    /// # Errors
    /// What does not start.
    pub async fn set(mut settings: Settings, dir: &Path, now: DateTime<Utc>, install: bool) -> Result<Self> {
        let (asked, place) = (settings.clone(), dir.to_owned());
        let starting = tokio::task::spawn_blocking(move || fresh_stack(&asked, &place, install));
        let logs = || format!("the logs of Kafka and PostgreSQL below {}", dir.display());
        let stack =
            wait("the servers: those that you named, or a Kafka and a PostgreSQL of this machine", logs, starting)
                .await??;
        let keys = Keys::of(dir)?;
        let has_database = settings.database.url.is_empty();
        if let Some(stack) = &stack {
            point(&mut settings, stack);
        }
        // The newest that ships; a deployment stays with what it has until somebody activates another.
        if settings.decision.default_policy == decision::Config::default().default_policy {
            settings.decision.default_policy = "standard@1.1.0".to_owned();
        }
        // Public data, and the same pseudonyms in every run.
        settings.ingest.allow_demonstration_key = true;
        keys.fill(&mut settings);
        if stack.is_some() {
            keep_notes(&mut settings, dir);
        }
        if settings.kafka.topic_prefix.is_empty() {
            settings.kafka.topic_prefix = format!("demo-{:x}.", now.timestamp());
        }
        let servers = format!(
            "the servers: Kafka at {}, PostgreSQL at {}",
            settings.kafka.bootstrap,
            pg::shown(settings.database.url.expose())
        );
        let making = async {
            database::migrate(&settings.database).await?;
            if has_database {
                database::give_logins(&mut settings.database, dir).await?;
            }
            without_a_past(&settings).await?;
            topics::apply(&settings.kafka, &settings.ingest.sender_topics()).await?;
            if let Some(stack) = &stack {
                place::give_rights(&settings, stack).await?;
            }
            anyhow::Ok(())
        };
        wait("topics, tables, logins and rights to be made", || servers.clone(), making).await?;
        let stop = shutdown::on_signal()?;
        let receiver = Receiver::start(&keys.webhook_secret, stop.clone()).await?;
        by_itself(&mut settings);
        tell(&mut settings, &receiver, &keys);
        listen(&mut settings);
        let mut running = run::start(&settings, &Worker::ALL, stop).await?;
        let states = running.service.health.clone();
        let ops = running.ops;
        let unready = || {
            let waiting = states.states().into_iter().filter(|(_, state)| !state.ready);
            let waiting: Vec<String> = waiting.map(|(name, state)| format!("{name} ({})", state.reason)).collect();
            format!("http://{ops}/readyz; not ready: {}", waiting.join(", "))
        };
        wait("the workers to be ready", unready, running.ready(READY)).await?;
        let addresses = tokio::time::timeout(READY, running.addresses(&settings, &Worker::ALL)).await;
        let Addresses { ops, read_api, door, .. } =
            addresses.context("the workers are ready, and one does not listen")?;
        settings.process.ops_listen = ops.to_string();
        for (knob, bound) in [(&mut settings.read_api.listen, read_api), (&mut settings.ingest.door_address, door)] {
            *knob = bound.map_or_else(|| std::mem::take(knob), |bound| bound.to_string());
        }
        Ok(Self { settings, receiver, running, stack, keys, dir: dir.to_owned() })
    }

    /// Cancelled by Ctrl-C.
    pub fn stop(&self) -> &CancellationToken {
        &self.running.service.shutdown
    }

    /// Asks the database until the number that it gives will do; false when that takes too long.
    ///
    /// # Errors
    /// The database's.
    pub async fn until(&self, query: &str, patience: Duration, will_do: impl Fn(i64) -> bool) -> Result<bool> {
        let client = self.unhurried().await?;
        let (mut last, mut moved) = (i64::MIN, Instant::now());
        loop {
            let number: i64 = client.query_one(query, &[]).await?.get(0);
            if will_do(number) {
                return Ok(true);
            }
            if number != last {
                (last, moved) = (number, Instant::now());
            } else if moved.elapsed() > patience {
                return Ok(false);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Waits until the audit log has not grown for a second and no webhook is pending; goes on when that takes too long.
    ///
    /// # Errors
    /// The database's.
    pub async fn quiet(&self, patience: Duration) -> Result<()> {
        let client = self.unhurried().await?;
        let busy = "SELECT COALESCE((SELECT sum(size) FROM defaultx.audit_logs), 0)::bigint,
                           (SELECT count(*) FROM defaultx.deliveries WHERE status = 'pending' OR receipt_due)";
        let (started, mut last, mut since) = (Instant::now(), -1, Instant::now());
        while started.elapsed() < patience {
            let row = client.query_one(busy, &[]).await?;
            let (size, pending): (i64, i64) = (row.get(0), row.get(1));
            if size != last || pending > 0 {
                (last, since) = (size, Instant::now());
            } else if since.elapsed() > Duration::from_secs(1) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// A session whose statements may take their time.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn unhurried(&self) -> Result<Client> {
        let config = pg::DatabaseConfig { statement_timeout_ms: 0, ..self.settings.database.clone() };
        Ok(pg::connect(&config).await?)
    }

    /// Prints where everything is, and waits for Ctrl-C.
    ///
    /// # Errors
    /// When no token can be minted.
    pub async fn keep(&self) -> Result<()> {
        let token = |server: Server, who: (&str, &str, &[&str])| {
            let (realm, max_minutes, _) = realm(&self.settings, server);
            auth::mint(&self.keys.token_private, &realm, who, i64::from(max_minutes) * 60)
        };
        let reading = token(Server::ReadApi, ("demo-user", auth::EVERY_TENANT, &["Admin", "Officer", "Reviewer"]))?;
        let sending = token(Server::Door, ("demo-sender", "demo", &["Originator"]))?;
        println!("Kafka        {}  (prefix {})", self.settings.kafka.bootstrap, self.settings.kafka.topic_prefix);
        self.sending().iter().for_each(|line| println!("             {line}"));
        if let Some(stack) = &self.stack {
            println!("PostgreSQL   {}", pg::shown(stack.database_url()));
        }
        let addresses = self.running.addresses(&self.settings, &Worker::ALL).await;
        addresses.lines(&self.settings).iter().for_each(|line| println!("{line}"));
        println!("\nFor a shell, as README.md has them:");
        let (door, api) = (&self.settings.ingest.door_address, &self.settings.read_api.listen);
        println!("DOOR={door}\nAPI={api}\nBROKER={}", self.settings.kafka.bootstrap);
        println!("TO_SEND={sending}\nTO_READ={reading}\n");
        println!("to send a file  {}", self.command("batch FILE --mapping MAPPING"));
        println!("to see          {}", self.command("in-force"));
        println!("to route        {}", self.command("route activate NAME@VERSION --by YOU"));
        println!("to change       {}", self.command("policy activate FILE --by YOU"));
        println!("\nCtrl-C stops everything.");
        self.stop().cancelled().await;
        Ok(())
    }

    /// What a sender without HTTP must know; no password.
    fn sending(&self) -> Vec<String> {
        let sender = Principal::Sender.name();
        let topic = |topic: Topic| self.settings.kafka.topic(topic.base_name());
        let topics = self.settings.ingest.sender_topics();
        let topics: Vec<_> = topics.iter().map(|name| self.settings.kafka.topic(name)).collect();
        let mut lines = vec![
            format!("a sender writes {}", topics.join(", ")),
            format!("and reads {} and {}", topic(Topic::LoanReplies), topic(Topic::Decisions)),
            format!("with groups and transactional ids that begin with {}{sender}-", self.settings.kafka.topic_prefix),
        ];
        if let Some(stack) = &self.stack {
            let client = stack.client(sender).into_iter().filter(|(name, _)| *name != "sasl.password");
            lines.extend(client.map(|(name, value)| format!("{name}={value}")));
            let file = self.dir.join("kafka/logins.json");
            lines.push(format!("sasl.password: jq -r .users.{sender} {}", file.display()));
        }
        lines
    }

    /// A command on what runs here.
    fn command(&self, words: &str) -> String {
        let KafkaConfig { bootstrap, topic_prefix, .. } = &self.settings.kafka;
        let place = match &self.stack {
            Some(_) => format!("--stack {}", self.dir.display()),
            None => format!("--kafka {bootstrap}"),
        };
        format!("defaultx {place} --prefix {topic_prefix} {words}")
    }

    /// Takes everything down.
    ///
    /// # Errors
    /// What did not end well.
    pub async fn strike(self) -> Result<()> {
        let ops = self.running.ops;
        let stopped =
            wait("the workers to end what they have in hand", || format!("http://{ops}/readyz"), self.running.stop())
                .await;
        if let Some(stack) = self.stack {
            let logs = || format!("the logs of Kafka and PostgreSQL below {}", self.dir.display());
            wait("the servers to stop", logs, tokio::task::spawn_blocking(|| stack.stop())).await??;
        }
        stopped.context("stopping the workers")
    }
}

/// Servers without anything in them, where the user names none.
fn fresh_stack(settings: &Settings, dir: &Path, install: bool) -> Result<Option<Stack>> {
    match Stack::stop_left_running(dir) {
        Ok(()) | Err(LocalError::NotRunning(_)) => {}
        Err(error) => return Err(error.into()),
    }
    // Only what an earlier demonstration left: a stack says what it is.
    if dir.join("house.json").is_file() {
        std::fs::remove_dir_all(dir).with_context(|| format!("clearing {}", dir.display()))?;
    }
    start_stack(settings, dir, install)
}

/// A log holds one prefix: what another one wrote at the same coordinates would contradict it.
async fn without_a_past(settings: &Settings) -> Result<()> {
    let client = pg::connect(&settings.database).await?;
    let has_entries = "SELECT EXISTS (SELECT FROM defaultx.audit_logs WHERE size > 0)";
    if client.query_one(has_entries, &[]).await?.get(0) {
        bail!(
            "this database holds an audit log already; the demonstration wants one of its own: createdb defaultx_demo"
        );
    }
    Ok(())
}

/// A demonstration talks to nobody but itself: whom else the configuration names hears nothing of it.
fn by_itself(settings: &mut Settings) {
    let signer = &mut settings.audit_signer;
    let left_out = [
        ("[[notifier.subscriptions]]", settings.notifier.subscriptions.len()),
        ("[[audit-signer.witnesses]]", signer.witnesses.len()),
        ("[audit-signer] timestamp_url", usize::from(!signer.timestamp_url.is_empty())),
        ("[audit-signer.cluster]", usize::from(!signer.cluster.bootstrap.is_empty())),
    ];
    for (knob, count) in left_out.into_iter().filter(|(_, count)| *count > 0) {
        phase(&format!("left out, {count} of {knob}: nobody else is told of a demonstration"));
    }
    settings.notifier.subscriptions.clear();
    signer.witnesses.clear();
    signer.timestamp_url.clear();
    signer.cluster = KafkaConfig::default();
}

/// Somebody wants to hear of what people must look at.
fn tell(settings: &mut Settings, receiver: &Receiver, keys: &Keys) {
    settings.notifier.allow_private_addresses = true;
    settings.notifier.subscriptions.push(Subscription {
        id: "demo-referrals".to_owned(),
        url: receiver.url().into(),
        secrets: vec![keys.webhook_secret.as_str().into()],
        event_types: vec![schemas::decision::MADE.to_owned()],
        tenants: vec![auth::EVERY_TENANT.to_owned()],
        products: Vec::new(),
        outcomes: vec![domain::Outcome::Refer.into()],
        enabled: true,
    });
}

/// The usual ports where they are free, else others.
fn listen(settings: &mut Settings) {
    if settings.ingest.door_address.is_empty() {
        settings.ingest.door_address = "127.0.0.1:8080".to_owned();
    }
    for address in [&mut settings.ingest.door_address, &mut settings.read_api.listen, &mut settings.process.ops_listen]
    {
        if TcpListener::bind(address.as_str()).is_err() {
            "127.0.0.1:0".clone_into(address);
        }
    }
}
