//! What the program is told.

use clap::Parser;
use std::path::PathBuf;

/// Measure the product against its ceiling and a Python baseline.
#[derive(Parser)]
pub struct Args {
    /// Applications of each round
    #[arg(long, default_value_t = 60_000)]
    pub applications: usize,
    /// Rounds of everything that is timed for its throughput, in turns; medians are reported
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Applications of the Python baseline in each round and way; 0 leaves it out
    #[arg(long, default_value_t = 15_000)]
    pub baseline_applications: usize,
    /// Only these parts; all without it
    #[arg(long, value_delimiter = ',', value_enum)]
    pub only: Vec<Part>,
    /// Applications a second of the steady loads; where throughput is measured, half of what everything reaches comes to them
    #[arg(long, value_delimiter = ',', default_value = "20,200,2000")]
    pub rates: Vec<f64>,
    /// Seconds of each steady load
    #[arg(long, default_value_t = 30.0)]
    pub seconds: f64,
    /// Seconds of load before anything is measured, for Java's compiler
    #[arg(long, default_value_t = 300.0)]
    pub warm_up_seconds: f64,
    /// Values of `pace_ms`, which trades latency for processor time: each at 200 a second, after the steady loads
    #[arg(long, value_delimiter = ',', default_value = "10,40,80")]
    pub paces: Vec<u64>,
    /// Partitions of each topic under the steady loads, one count after another; the default of one machine without it
    #[arg(long, value_delimiter = ',')]
    pub partitions: Vec<i32>,
    /// More of the workers' configuration under the steady loads, as TOML
    #[arg(long, default_value = "")]
    pub settings: String,
    /// Another binary of the product, beside this one under the steady loads and for the audit log, in as many `--pairs`
    #[arg(long, value_name = "BINARY")]
    pub binary: Option<PathBuf>,
    /// Start the broker as tests do, with Java's quick compiler alone
    #[arg(long)]
    pub quick_compiler: bool,
    /// Another binary of the product, measured against this one and nothing else; it gets the settings it knows of those that a run needs
    #[arg(long, value_name = "BINARY")]
    pub versus: Option<PathBuf>,
    /// The product on a broker that asks for logins and rights against the same on one that does not, and nothing else
    #[arg(long, conflicts_with_all = ["versus", "tls", "rls", "guarded"])]
    pub logins: bool,
    /// The product on a broker that asks for logins over TLS against the same in the clear, and nothing else
    #[arg(long, conflicts_with_all = ["versus", "rls", "guarded"])]
    pub tls: bool,
    /// read-api under row-level security against the same with a login that passes it, and nothing else
    #[arg(long, conflicts_with_all = ["versus", "guarded"])]
    pub rls: bool,
    /// Everything on a broker that asks for logins and rights; only parts without a baseline or a ceiling
    #[arg(long, conflicts_with = "versus")]
    pub guarded: bool,
    /// Pairs of rounds
    #[arg(long, default_value_t = 8)]
    pub pairs: usize,
    #[command(flatten)]
    pub streams: Streams,
    /// Where the result goes
    #[arg(long, default_value = "target/bench.json")]
    pub out: PathBuf,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Throughput of the workers and of a ceiling that thinks nothing
    Throughput,
    /// The Python baseline, and what it is compared with
    Python,
    /// The Kafka Streams baseline, and the product beside it
    Streams,
    /// Throughput with the audit log
    Audited,
    /// What the audit log costs by itself
    AuditLog,
    /// Latency and processor time at steady rates with every worker running
    Steady,
    /// The HTTP door
    Door,
    /// From the start to the first decision
    Start,
    /// Memory after many applications
    Memory,
}

/// What of the Streams baseline is measured.
#[derive(Debug, Clone, clap::Args)]
pub struct Streams {
    /// Applications of the Streams baseline, and of the product beside it, in each round
    #[arg(long, default_value_t = 40_000)]
    pub streams_applications: usize,
    /// Its commit intervals, in milliseconds; 100 is Kafka's default, and is left unset
    #[arg(long, value_delimiter = ',', default_value = "100,500,1000,2000")]
    pub streams_intervals: Vec<u32>,
    /// Its commit intervals under the steady loads; 0 leaves them out
    #[arg(long, value_delimiter = ',', default_value = "100,10")]
    pub streams_steady_intervals: Vec<u32>,
    /// Ways of explaining beside the exact one, with the first interval: `none`, `path-dependent`, or `exact` for no other
    #[arg(long, value_delimiter = ',', default_value = "none,path-dependent")]
    pub streams_contributions: Vec<String>,
    /// More arguments for it, such as `--threads 2 --hops apart`
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    pub streams_arguments: String,
}
