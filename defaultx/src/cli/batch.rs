//! `batch`: what can be asked for.

use clap::{Args, Subcommand};
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = "\
Examples:
  defaultx batch inspect portfolio.csv --output mapping.toml          then look at what it marks DECIDE
  defaultx batch portfolio.csv --mapping mapping.toml --dry-run --rejects rejects.csv
  defaultx batch portfolio.csv --mapping mapping.toml --tenant bank-a --result result.csv
  defaultx batch portfolio.ndjson --intent score_only --result result.parquet

Ends with 0 when every row was taken (and, with --result, decided), with 1 when a row was refused, is in conflict or was set aside, with 3
when a row had no reply or no decision within --wait. docs/batch.md has the mapping file and the columns of the result.";

/// Options of `batch`.
#[derive(Debug, Clone, Args)]
pub struct BatchArgs {
    /// Instead of sending one
    #[command(subcommand)]
    pub command: Option<BatchCommand>,
    /// .csv, .tsv, .txt, .ndjson or .jsonl; `.gz` behind it is unpacked
    #[arg(required = true)]
    pub file: Option<PathBuf>,
    /// How a CSV file is written, and where its columns go
    #[arg(long, value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// Replaces `intent`: decide, prequalify, or score_only for a portfolio of existing loans
    #[arg(long)]
    pub intent: Option<String>,
    /// Tenant on whose behalf the file is sent
    #[arg(long, default_value = "demo")]
    pub tenant: String,
    /// Where the rejects go, a line for each fault; .json for JSON
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Where the refused rows go as they stand in the file, to be corrected and sent again by the same mapping
    #[arg(long, value_name = "FILE")]
    pub to_correct: Option<PathBuf>,
    /// Write rejects and result with commas and points and without a byte order mark, whatever the file is written with
    #[arg(long)]
    pub plain: bool,
    /// Read, map and judge every row, and publish nothing; needs no server
    #[arg(long, conflicts_with = "result")]
    pub dry_run: bool,
    /// Wait for the replies and decisions, and write what became of each row: .csv or .parquet
    #[arg(long, value_name = "FILE")]
    pub result: Option<PathBuf>,
    /// Seconds to wait for them once the last row is published
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(..=31_536_000))]
    pub wait: u64,
}

/// Subcommands of `batch`.
#[derive(Debug, Clone, Subcommand)]
pub enum BatchCommand {
    /// Propose a mapping for a file, with what a person has to decide
    #[command(
        after_help = "Shows of the file: names of columns, how numbers and dates are written, and the words of columns that have at most 12, \
                            each in 3 rows or more. Shows no number, and no word of a column whose name says that it is personal."
    )]
    Inspect(InspectArgs),
}

/// Options of `batch inspect`.
#[derive(Debug, Clone, Args)]
pub struct InspectArgs {
    /// .csv, .tsv or .txt; `.gz` behind it is unpacked
    pub file: PathBuf,
    /// Where the mapping goes; standard output without it
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Tenant on whose behalf the file will be sent
    #[arg(long, default_value = "demo")]
    pub tenant: String,
}
