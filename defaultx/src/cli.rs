//! The command line: what can be asked for, with examples. Does nothing.

mod audit;
mod batch;
mod deliveries;
mod model;
mod product;
mod route;
pub mod token;

pub use audit::{AuditCommand, CheckpointCommand, EpochCommand, RebuildArgs, VerifyArgs, WitnessArgs};
pub use batch::{BatchArgs, BatchCommand, InspectArgs};
pub use deliveries::{DeliveriesCommand, ListArgs, ResendArgs, WhoArgs};
pub use model::{ImportArgs, ModelCommand, PackageArgs, RowsArgs, RunGraphArgs};
pub use product::{AddArgs, ProductCommand, SchemasCommand};
pub use route::RouteCommand;
pub use token::{TokenArgs, TokenCommand};

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  defaultx demo                              Kafka, PostgreSQL, every worker, 53,308 applications, a summary
  defaultx up && defaultx run all            a stack that stays: servers first, then all workers in one process
  defaultx run scorer --instance 1 --kafka broker:9092 --prefix prod.
  defaultx batch portfolio.csv --mapping training/data/taiwan/mapping.toml
  defaultx dead-letters list --reason unknown_product
  defaultx deliveries list --state failed --since 24h
  defaultx audit verify --database postgres://auditor@db/defaultx?sslmode=require --key KEY --checkpoint kept.notes
  defaultx model run graph.onnx --input rows.csv --output scores.csv

Configuration: --config FILE < DEFAULTX__SECTION__KEY in the environment < --set section.key=value.
`defaultx config show --explain` prints what is in force, and where it comes from; docs/configuration.md has every knob.";

/// Loan applications in, explained and audited decisions out.
#[derive(Debug, Parser)]
#[command(name = "defaultx", version, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Cli {
    /// Where the world is.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
pub struct PlaceArgs {
    /// TOML file with the sections [process] [tls] [kafka] [database] and one for each worker
    #[arg(long, global = true, value_name = "FILE", env = "DEFAULTX_CONFIG")]
    pub config: Option<PathBuf>,
    /// Your own Kafka; without it the one that `defaultx up` started
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub kafka: Option<String>,
    /// Your own PostgreSQL; without it the one that `defaultx up` started. With a password it goes into DEFAULTX__DATABASE__URL or the file
    #[arg(long, global = true, value_name = "URL")]
    pub database: Option<String>,
    /// In front of every topic, group and transactional id
    #[arg(long, global = true, value_name = "TEXT")]
    pub prefix: Option<String>,
    /// Any knob but a secret, as often as needed; wins over file and environment
    #[arg(long = "set", global = true, value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
    /// Where `defaultx up` keeps its servers and their data
    #[arg(long, global = true, alias = "house", value_name = "DIR", default_value = "target/stack")]
    pub stack: PathBuf,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run workers until SIGTERM: ingest, scorer, decision, notifier, audit-sink, audit-signer, read-api, or all
    #[command(
        after_help = "A worker is a Kafka consumer group: start more instances, each with its own --instance, to take more \
                            partitions.\nSIGTERM drains; any other end has a code other than 0, so that a supervisor starts it \
                            again under the same id."
    )]
    Run(RunArgs),
    /// Bring everything up, stream 53,308 public applications through it and count what became of them
    Demo(DemoArgs),
    /// Start a Kafka broker and a PostgreSQL on this machine and leave them running
    Up(UpArgs),
    /// Stop what `up` started; its data stays
    Down,
    /// The Kafka topics of a prefix
    #[command(subcommand)]
    Topics(TopicsCommand),
    /// Bring the database up to the newest migration
    #[command(
        after_help = "--database names a superuser, or who made what is there and may make roles. Workers need neither: each has a login of its \
                      own (docs/OPERATIONS.md)."
    )]
    Migrate {
        /// Also make the logins whose passwords stand in [database.logins], or give those that are there these passwords
        #[arg(long)]
        logins: bool,
    },
    /// Send a file of applications, CSV by a mapping or NDJSON, and say what became of each row. Safe to run twice
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = batch::EXAMPLES)]
    Batch(BatchArgs),
    /// What could not be handled: look at it, send it again
    #[command(name = "dead-letters", subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Webhooks: list them, send again what did not arrive, enable an endpoint, see how each subscription stands
    #[command(subcommand)]
    Deliveries(DeliveriesCommand),
    /// Partitions that a worker cannot read on where it left off
    #[command(
        subcommand,
        after_help = "A worker never reads on at another place than where it left off: it holds the partition, says so on /readyz and \
                      reads the others.\nFind out what became of the records between; then accept the gap, which puts it on record \
                      in the audit log."
    )]
    Gaps(GapsCommand),
    /// The audit log: verify it, rebuild what is shown of it, keep its checkpoints, witness it
    #[command(subcommand)]
    Audit(AuditCommand),
    /// What is in force: policy, route and models, with digest, since when and by whom
    #[command(name = "in-force", after_help = IN_FORCE)]
    InForce,
    /// Pass an activation by that no instance can serve, so that the workers that stand before it go on
    #[command(after_help = PASS)]
    Pass(PassArgs),
    /// Policy versions
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Models: run a bare graph, check, explain and time a package, put one in force
    #[command(subcommand)]
    Model(ModelCommand),
    /// Routes: which model scores which application, and which of them decides
    #[command(subcommand)]
    Route(RouteCommand),
    /// Products: what one has and lacks, and the skeleton of a new one
    #[command(subcommand)]
    Product(ProductCommand),
    /// JSON Schemas that are made of what this deployment holds
    #[command(subcommand)]
    Schemas(SchemasCommand),
    /// The configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Mint a token, call one back, or write the keys that tokens are checked with
    #[command(args_conflicts_with_subcommands = true, after_help = token::EXAMPLES)]
    Token(TokenArgs),
}

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Workers, or `all`
    #[arg(required = true, value_name = "WORKER")]
    pub workers: Vec<String>,
    /// Stable id of this instance, 0 by default: its replacement takes the same, two at once never do. Of two that run under one id the
    /// earlier is fenced: it ends with an error
    #[arg(long, value_name = "ID")]
    pub instance: Option<String>,
    /// Address of /livez, /readyz and /metrics, such as 127.0.0.1:9464; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT")]
    pub ops: Option<String>,
}

/// Options of `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Leave everything running until Ctrl-C, and print URLs, tokens and how to change policy and route meanwhile
    #[arg(long)]
    pub keep: bool,
    /// Share of the data to send, above 0 and at most 1: 0.02 is about a thousand applications and takes under a minute once the servers run
    #[arg(long, default_value_t = 1.0)]
    pub scale: f64,
    /// Seed of shuffling, duplicates, broken events and conflicts
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where the summary goes
    #[arg(long, default_value = "target/demo/summary.json", value_name = "FILE")]
    pub out: PathBuf,
    /// Servers and keys of the demonstration
    #[arg(long, alias = "demo-house", default_value = "target/demo/stack", value_name = "DIR")]
    pub demo_stack: PathBuf,
    /// Folder with the three data sets and their mappings
    #[arg(long, default_value = "training/data", value_name = "DIR")]
    pub data: PathBuf,
    /// As for `up`
    #[command(flatten)]
    pub install: UpArgs,
}

/// Options of `up`.
#[derive(Debug, Clone, Default, Args)]
pub struct UpArgs {
    /// As root on Debian, install what is missing (a JDK, Maven, PostgreSQL) with apt-get. Without it the command says which line to type
    #[arg(long)]
    pub install_packages: bool,
}

/// Subcommands of `topics`.
#[derive(Debug, Clone, Subcommand)]
pub enum TopicsCommand {
    /// Make the topics that are missing. Refuses to change a partition count
    Apply {
        /// Also give every worker its rights (ACLs), and take none away; docs/OPERATIONS.md has the table
        #[arg(long)]
        acls: bool,
    },
    /// Say what differs from what it should be, topics and rights; ends with code 1 if anything does
    #[command(
        after_help = "A right too many is a finding: a second writer of an internal topic, or a reader of personal data whom \
                            nobody named.\nThe client needs Describe on the cluster."
    )]
    Check,
}

/// Subcommands of `dead-letters`.
#[derive(Debug, Clone, Subcommand)]
pub enum DeadLettersCommand {
    /// One line for each, newest last
    List(LettersArgs),
    /// One letter whole: headers and original bytes. May print personal data
    Show {
        /// PARTITION:OFFSET on the dead-letter topic, as `list` prints it
        at: String,
        /// Only the original value, byte for byte
        #[arg(long)]
        raw: bool,
    },
    /// Publish originals again, byte for byte, where they came from; activations aside. Each at most once, however often it is asked
    Redrive {
        /// Which letters
        #[command(flatten)]
        letters: LettersArgs,
        /// Who asks; recorded with each letter
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Only say what would be sent
        #[arg(long)]
        dry_run: bool,
    },
}

/// Which dead letters.
#[derive(Debug, Clone, Default, Args)]
pub struct LettersArgs {
    /// Only this reason
    #[arg(long)]
    pub reason: Option<String>,
    /// Only those that this worker set aside
    #[arg(long)]
    pub stage: Option<String>,
    /// Only these, as PARTITION:OFFSET
    #[arg(long, value_name = "PARTITION:OFFSET")]
    pub at: Vec<String>,
}

/// Subcommands of `gaps`.
#[derive(Debug, Clone, Subcommand)]
pub enum GapsCommand {
    /// One line for each, with the command that accepts it; ends with code 1 if there is one
    List,
    /// Take one as it is: the worker goes on at the first record that the topic still holds
    Accept {
        /// The worker's group, with prefix, as `list` prints it
        #[arg(long)]
        group: String,
        /// The topic, with prefix
        #[arg(long)]
        topic: String,
        /// The partition
        #[arg(long)]
        partition: i32,
        /// Go on at this offset instead: past records that were handled already
        #[arg(long, value_name = "OFFSET")]
        to: Option<i64>,
        /// Who accepts it; recorded
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Why; recorded
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
}

/// Options of `pass`.
#[derive(Debug, Clone, Args)]
pub struct PassArgs {
    /// policy, route or model
    #[arg(value_name = "KIND")]
    pub kind: String,
    /// The version that the activation names
    #[arg(value_name = "NAME@VERSION")]
    pub label: String,
    /// Who passes it by; recorded
    #[arg(long, value_name = "NAME")]
    pub by: String,
    /// Why; recorded
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
}

const IN_FORCE: &str = "\
By what the workers that switch versions remember: an activation that none of them has come to yet is not there.

Example:
  defaultx in-force --kafka broker:9092 --prefix prod.";

const PASS: &str = "\
A worker that cannot serve what an activation puts in force stands before it, and says so on /readyz; first bring what is
missing, if it can be had. What is passed by is set aside as a dead letter, and what was in force stays in force. Passing by
is on record in the audit log, and changes nothing where the activation was served already: activate what is wanted next.

Example:
  defaultx pass policy standard@1.4.0 --by operations --why \"its rules cost too much\"";

const CHECK: &str = "\
Features and their ranges are read from the packages that decide in the newest version of each route ([scorer] routes_dir and
models_dir). Ends with 1 where there is an error. What each finding means: docs/policies.md.

Example:
  defaultx policy check policies/standard/1.1.0.yaml --deny-warnings --json";

/// Subcommands of `policy`.
#[derive(Debug, Clone, Subcommand)]
pub enum PolicyCommand {
    /// Say everything that is wrong with policy files, in themselves and beside the models, routes and scales
    #[command(after_help = CHECK)]
    Check {
        /// The YAML files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The products' scales, which cutoffs and bands are checked against
        #[arg(long, default_value = "models/scales.toml")]
        scales: PathBuf,
        /// Say it as JSON: for each file its findings, and how many are errors and warnings
        #[arg(long)]
        json: bool,
        /// End with 1 where there is a warning, too
        #[arg(long)]
        deny_warnings: bool,
    },
    /// Put a checked policy version in force, in every partition at one position
    #[command(after_help = POLICY_ACTIVATE)]
    Activate {
        /// The YAML file, or a version of [decision] policy_dir; it travels with the activation
        #[arg(value_name = "FILE|NAME@VERSION")]
        policy: String,
        /// The products' scales, which cutoffs and bands are checked against
        #[arg(long, default_value = "models/scales.toml")]
        scales: PathBuf,
        /// Who asks
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Although `policy check` finds errors beside models and routes
        #[arg(long)]
        force: bool,
    },
}

const POLICY_ACTIVATE: &str = "\
Checks it first, as `policy check` does, and prints what it finds. Errors refuse it; --force takes those that only models and
routes show, such as a feature that no model has. Says which products of the route in force the policy does not list.

Examples:
  defaultx policy activate standard@1.1.0 --by risk-team
  defaultx policy activate policies/standard/1.1.0.yaml --by risk-team";

/// Subcommands of `config`.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Print the configuration in force as TOML, secrets redacted
    #[command(after_help = SHOW)]
    Show {
        /// Say of each value what it is for, its unit, and where it comes from: default, file, environment or flag
        #[arg(long)]
        explain: bool,
        /// Only this section, such as ingest
        #[arg(long, value_name = "NAME")]
        section: Option<String>,
        /// Only what some layer sets, or what is not as by default
        #[arg(long)]
        changed: bool,
    },
    /// Say everything that keeps a worker from its start, all at once; ends with code 1 if there is anything
    #[command(after_help = CONFIG_CHECK)]
    Check,
    /// Print the page of all knobs, docs/configuration.md
    Page,
}

const CONFIG_CHECK: &str = "\
Every section is judged as `run` does at its start: keys, packages, routes, policies, subscriptions. Nothing is connected to, so
whether a server answers or an address is free is not told. The configuration is read at the start only: check, then restart.

Example:
  defaultx --config defaultx.toml config check";

const SHOW: &str = "\
Examples:
  defaultx config show --explain --changed
  defaultx config show --explain --section ingest > defaultx.toml

What is printed loads again, but for secrets: with --explain they are comments.";
