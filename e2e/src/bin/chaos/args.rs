//! What the program is told.

use clap::Parser;
use std::path::PathBuf;

/// Break what can be broken under load, and count what became of every application.
#[derive(Parser)]
pub struct Args {
    /// How long things break
    #[arg(long, default_value_t = 120)]
    pub seconds: u64,
    /// Every fault once, one kill before each, whatever time that takes
    #[arg(long)]
    pub brief: bool,
    /// Applications a second of the honest tenant
    #[arg(long, default_value_t = 250)]
    pub rate: usize,
    /// Records a second of the tenant that misbehaves; almost half of them are refused
    #[arg(long, default_value_t = 40)]
    pub rowdy_rate: usize,
    /// Requests a second at the HTTP doors
    #[arg(long, default_value_t = 10)]
    pub door_rate: usize,
    /// Seconds before anything breaks over which the honest tenant's latency is taken, alone and then beside the other. 0 takes none
    #[arg(long, default_value_t = 15)]
    pub phase_seconds: u64,
    /// Seconds for which the broker is frozen
    #[arg(long, default_value_t = 12)]
    pub frozen_seconds: u64,
    /// Seconds for which the broker is gone
    #[arg(long, default_value_t = 15)]
    pub outage_seconds: u64,
    /// Seed of the choice of victims
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where the result goes
    #[arg(long, default_value = "target/chaos.json")]
    pub out: PathBuf,
}
