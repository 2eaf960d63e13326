//! Recordings: shows that two builds of `defaultx` make the same of the same records, byte for byte. A recording has one hop for each
//! worker: its inputs with fixed partitions, order and times, on fresh servers, and everything that came of them. So offsets, ids,
//! digests, leaves of the audit log and answers are the same in every run, and what a clock writes is masked by name.
//!
//! Reading order: [`hops`] (what is recorded), [`applications`] and [`inputs`] (what is published), [`take`] (how), [`topics`], [`leaves`],
//! [`answers`], [`door`] and [`webhooks`] (what is kept), [`mask`], [`compare`] and [`difference`] (what is the same).

mod answers;
mod applications;
mod compare;
mod database;
mod deployment;
mod difference;
mod door;
mod folder;
mod hops;
mod http;
mod inputs;
mod leaves;
mod mask;
mod program;
mod publish;
mod record;
mod settled;
mod take;
mod topics;
mod webhooks;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use e2e::stage::root;
use folder::Recording;
use program::Program;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use take::Taking;

const EXAMPLES: &str = "\
Examples:
  recording prove --before old/target/release/defaultx --after target/release/defaultx --out target/recording
  recording take --binary target/release/defaultx --out target/first
  recording take --binary target/release/defaultx --out target/second --from target/first
  recording compare target/first target/second

A recording has one hop for each worker. Its records are published again with the same partitions, order and times to fresh servers,
and only the worker behind them runs. So everything is compared byte for byte: events with ids, digests and headers, what a changelog
restores, webhooks, leaves and roots of the audit log, its projections, and the answers of read-api and the HTTP door.

Masked is what a clock writes, and nothing else; `compare` and `prove` say what. Offsets and times of records that a worker writes are the
broker's, and not recorded: the next hop gets them at fixed ones.";

/// Show that two builds of `defaultx` make the same of the same records
#[derive(Parser)]
#[command(after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Take a recording with one build, publish its inputs again to another, and compare; ends with code 1 if anything differs
    Prove {
        /// The `defaultx` of before
        #[arg(long, value_name = "FILE")]
        before: PathBuf,
        /// The `defaultx` of after
        #[arg(long, value_name = "FILE")]
        after: PathBuf,
        /// A new folder: `before/` and `after/` will be in it
        #[arg(long, value_name = "DIR", default_value = "target/recording")]
        out: PathBuf,
        #[command(flatten)]
        made: Made,
    },
    /// Take one recording
    Take {
        /// The `defaultx` that is recorded
        #[arg(long, value_name = "FILE")]
        binary: PathBuf,
        /// A new folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// A recording whose inputs are published again; without it they are made
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
        #[command(flatten)]
        made: Made,
    },
    /// Compare two recordings byte for byte; ends with code 1 if anything differs
    Compare {
        /// The first recording
        before: PathBuf,
        /// The second one
        after: PathBuf,
    },
}

/// What a recording is made of.
#[derive(Args)]
struct Made {
    /// Applications of the demonstration, beside which duplicates, broken events, withdrawals and others are sent
    #[arg(long, default_value_t = 5000)]
    applications: usize,
    /// The folder whose models/, routes/ and policies/ are used by every build; that of this checkout where none is named
    #[arg(long, value_name = "DIR")]
    documents: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    match Arguments::parse().command {
        Command::Prove { before, after, out, made } => {
            let documents = made.documents.as_deref().unwrap_or(root());
            let programs = (Program::new(&before, documents)?, Program::new(&after, documents)?);
            let (before, after) = (Recording::create(&out.join("before"))?, Recording::create(&out.join("after"))?);
            let first = Taking {
                program: programs.0,
                to: before.clone(),
                from: None,
                applications: made.applications,
                side: "before, ",
            };
            first.take()?;
            Taking { program: programs.1, to: after.clone(), from: Some(before.clone()), side: "after, ", ..first }
                .take()?;
            report(&before, &after)
        }
        Command::Take { binary, out, from, made } => {
            let documents = made.documents.as_deref().unwrap_or(root());
            let from = from.as_deref().map(Recording::open).transpose()?;
            let (program, to) = (Program::new(&binary, documents)?, Recording::create(&out)?);
            Taking { program, to, from, applications: made.applications, side: "" }.take()?;
            println!("recorded in {}", out.display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Compare { before, after } => report(&open(&before)?, &open(&after)?),
    }
}

fn open(dir: &Path) -> Result<Recording> {
    Recording::open(dir)
}

/// Compares, and says what was found; a failure if anything differs.
fn report(before: &Recording, after: &Recording) -> Result<ExitCode> {
    let (of_before, of_after) = (before.files()?, after.files()?);
    let (mut lines, mut differing) = (0, 0);
    let files: BTreeSet<&String> = of_before.union(&of_after).collect();
    for file in &files {
        let side = |recording: &Recording, files: &BTreeSet<String>| {
            files.contains(*file).then(|| recording.lines(file)).transpose()
        };
        let (was, is) = (side(before, &of_before)?, side(after, &of_after)?);
        let found = compare::compare(file, was.as_deref(), is.as_deref());
        lines += found.before.unwrap_or_default();
        differing += usize::from(!found.is_same());
        tell(&found);
    }
    println!("\nmasked, because a clock writes it:");
    hops::masked().iter().chain(&answers::masked()).for_each(|mask| println!("  {mask}"));
    println!("  notifier/webhooks: a signature is over the time of its attempt, so it is told whether it is good");
    println!("\n{} files, {lines} lines, {differing} files that differ", files.len());
    Ok(if differing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(found: &compare::Found) {
    let count = |lines: Option<usize>| lines.map_or_else(|| "none".to_owned(), |lines| lines.to_string());
    let result = if found.is_same() { "same" } else { "DIFFERS" };
    println!("{result:8} {:>8} {:>8}  {}", count(found.before), count(found.after), found.file);
    let Some(first) = &found.first else { return };
    println!("           line {}: {}", first.line, first.kind);
    match (&first.before, &first.after) {
        (Some(before), Some(after)) => {
            difference::between(before, after).iter().for_each(|member| println!("           {member}"));
        }
        (Some(line), None) | (None, Some(line)) => {
            println!("           {}", line.chars().take(300).collect::<String>());
        }
        (None, None) => {}
    }
}
