//! Fresh servers for one hop, with the topics and tables that the binary under test makes itself. The topics that a hop reads keep the
//! times that its records are published with, and all of them.

use crate::hops::Hop;
use crate::inputs::PARTITIONS;
use crate::program::Program;
use anyhow::{Context, Result, bail};
use e2e::stage::{CHECKPOINT_KEY, DIGEST_KEY, hex, runtime};
use local::{Options, Stack};
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use runtime::kafka::KafkaConfig;
use schemas::Topic;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// In front of every topic, the same in every run: dead letters say where their originals stood.
const PREFIX: &str = "recorded.";
/// Settings of a topic that a hop reads.
const AS_PUBLISHED: [(&str, &str); 5] = [
    (TIMES, "CreateTime"),
    ("message.timestamp.before.max.ms", "9223372036854775807"),
    ("retention.ms", "-1"),
    ("retention.bytes", "-1"),
    ("max.message.bytes", "16777216"),
];
const TIMES: &str = "message.timestamp.type";
/// By then the broker knows its new settings.
const KNOWN_WITHIN: Duration = Duration::from_secs(30);

/// Servers that stop with this value.
pub struct Deployment {
    stack: Stack,
    /// How to reach the broker, under the prefix.
    pub kafka: KafkaConfig,
    /// The configuration of commands and workers.
    pub config: PathBuf,
    /// Behind the servers, which write in here until they stop.
    _dir: TempDir,
}

impl Deployment {
    /// Starts what a hop needs; `more` is appended to the configuration.
    ///
    /// # Errors
    /// When a server does not start, or the binary cannot make its topics or tables.
    pub fn start(program: &Program, hop: &Hop, more: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        // Everybody may do everything: what rights cost and forbid is no part of what is recorded.
        let stack = Stack::start(&Options {
            open: true,
            postgres: hop.needs_database(),
            ..Options::new(dir.path().join("stack"))
        })?;
        let kafka = KafkaConfig {
            bootstrap: stack.bootstrap().to_owned(),
            topic_prefix: PREFIX.to_owned(),
            partitions: PARTITIONS,
            replication_factor: 1,
            ..KafkaConfig::default()
        };
        let config = dir.path().join("recording.toml");
        let deployment = Self { stack, kafka, config, _dir: dir };
        std::fs::write(&deployment.config, deployment.configuration(program, more))?;
        program.run(&["topics", "apply"], &deployment.config)?;
        if hop.needs_database() {
            program.run(&["migrate"], &deployment.config)?;
        }
        runtime()?.block_on(deployment.keep_times(hop.inputs))?;
        Ok(deployment)
    }

    /// The superuser's way into the database; empty where there is none.
    pub fn database_url(&self) -> &str {
        self.stack.database_url()
    }

    /// A topic's name under the prefix.
    pub fn name(&self, topic: Topic) -> String {
        topic.name(PREFIX)
    }

    /// Keys are the same in every run, so that pseudonyms, digests and signatures are.
    fn configuration(&self, program: &Program, more: &str) -> String {
        let folder = |name: &str| program.documents().join(name);
        format!(
            "[process]\nops_listen = \"127.0.0.1:0\"\nlog_filter = \"info,librdkafka=off,tract=warn\"\n\n\
             [kafka]\nbootstrap = {:?}\ntopic_prefix = {PREFIX:?}\npartitions = {PARTITIONS}\nreplication_factor = 1\n\n\
             [database]\nurl = {:?}\n\n[scorer]\nmodels_dir = {:?}\nroutes_dir = {:?}\n\n[decision]\npolicy_dir = {:?}\n\n\
             [audit-sink]\nmodels_dir = {:?}\ndigest_key = \"{}\"\nlinger_ms = 20\n\n\
             [audit-signer]\nkey = \"{}\"\ninterval_s = 1\nverify_interval_s = 0\n\n{more}",
            self.kafka.bootstrap,
            self.stack.database_url(),
            folder("models"),
            folder("routes"),
            folder("policies"),
            folder("models").display().to_string(),
            hex(&DIGEST_KEY),
            hex(&CHECKPOINT_KEY),
        )
    }

    async fn keep_times(&self, topics: &[Topic]) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.kafka.client().create()?;
        for topic in topics {
            let name = self.name(*topic);
            let settings = AlterConfig::new(ResourceSpecifier::Topic(&name));
            let settings = AS_PUBLISHED.iter().fold(settings, |all, (name, value)| all.set(name, value));
            for altered in admin.alter_configs([&settings], &AdminOptions::new()).await? {
                if let Err((_, code)) = altered {
                    bail!("settings of topic {name}: {code}");
                }
            }
            let started = Instant::now();
            while !keeps_times(&admin, &name).await? {
                if started.elapsed() > KNOWN_WITHIN {
                    bail!("the broker does not take the times of {name}");
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }
}

async fn keeps_times(admin: &AdminClient<DefaultClientContext>, topic: &str) -> Result<bool> {
    let described = admin.describe_configs([&ResourceSpecifier::Topic(topic)], &AdminOptions::new()).await?;
    let described = described.into_iter().next().context("no settings")?;
    let settings = described.map_err(|code| anyhow::anyhow!("settings of topic {topic}: {code}"))?;
    let times = settings.entries.iter().find(|entry| entry.name == TIMES);
    Ok(times.and_then(|entry| entry.value.as_deref()) == Some("CreateTime"))
}
