//! `batch`: sends a file through ingest, and says what was refused and what became of the rest; proposes a mapping.

use crate::cli::{BatchArgs, BatchCommand, InspectArgs, PlaceArgs};
use crate::outcomes::{Counts, Outcomes};
use crate::place::{Needs, settle};
use crate::rows;
use crate::settings::Settings;
use crate::terminal;
use anyhow::{Context, Result};
use ingest::batch::report::Summary;
use ingest::batch::{self, Options, inspect};
use runtime::clock;
use std::collections::BTreeMap;
use std::time::Duration;

/// Some row has no reply, or no decision, within the time that was given.
const OPEN: i32 = 3;

/// Runs it; code 1 when any row was refused, 3 when one is still open.
pub async fn run(mut settings: Settings, place: &PlaceArgs, args: BatchArgs) -> Result<i32> {
    if let Some(BatchCommand::Inspect(args)) = args.command {
        return propose(&settings, &args);
    }
    if !args.dry_run {
        settle(&mut settings, &place.stack, Needs::KAFKA)?;
    }
    let options = Options {
        file: args.file.context("a file")?,
        mapping: args.mapping,
        tenant: Some(args.tenant.clone()),
        intent: args.intent,
        report: args.rejects,
        run: Some(format!("batch-{}", uuid::Uuid::now_v7())),
        ..Options::default()
    };
    let result = args.result.map(|path| (path, Duration::from_secs(args.wait)));
    let is_dry = args.dry_run;
    let work = move || {
        if is_dry {
            let summary = batch::judge(&options, &settings.ingest_with_classes()?, |_| Ok(()))?;
            print_summary(&summary, "would be published");
            return Ok(i32::from(summary.refused > 0));
        }
        send(settings, &options, &args.tenant, result)
    };
    tokio::task::spawn_blocking(work).await?
}

/// Sends the file, and waits for what becomes of it where a result is wanted. Blocks.
fn send(
    settings: Settings,
    options: &Options,
    tenant: &str,
    result: Option<(std::path::PathBuf, Duration)>,
) -> Result<i32> {
    let (ingest, kafka) = (settings.ingest_with_classes()?, settings.kafka);
    let run = options.run.as_deref().unwrap_or_default();
    let mut outcomes = match &result {
        Some((path, _)) => Some(Outcomes::begin(&kafka, tenant, run, path)?),
        None => None,
    };
    let unread = |error: anyhow::Error| ingest::Error::Batch(format!("the dead letters of earlier runs: {error:#}"));
    let summary = batch::run(
        options,
        &ingest,
        &kafka,
        |file| rows::set_aside(&kafka, file).map_err(unread),
        |verdict| match &mut outcomes {
            Some(outcomes) => outcomes.row(verdict).map_err(|error| ingest::Error::Batch(format!("{error:#}"))),
            None => Ok(()),
        },
    )?;
    print_summary(&summary, "published");
    let mut code = i32::from(summary.refused > 0);
    if let (Some(outcomes), Some((_, patience))) = (outcomes, result) {
        let counts = outcomes.finish(patience, options.quiet)?;
        print_counts(&counts);
        code = match counts.open() {
            0 => code.max(i32::from(counts.has_refused())),
            _ => OPEN,
        };
    }
    Ok(code)
}

fn print_summary(summary: &Summary, done: &str) {
    println!("{} rows: {} {done}, {} refused", summary.rows, summary.published, summary.refused);
    for (reason, count) in &summary.by_reason {
        println!("  {count} {}", terminal::line(reason));
    }
    for row in &summary.first_refused {
        let id = row.application_id.as_deref().unwrap_or("?");
        for fault in &row.faults {
            let column = fault.column.as_ref().map(|column| format!(" column {column}:")).unwrap_or_default();
            let told = format!("  line {}: {id}: {} {}{column} {}", row.line, fault.reason, fault.pointer, fault.why);
            println!("{}", terminal::line(&told));
        }
    }
}

fn print_counts(counts: &Counts) {
    let told = |counts: &BTreeMap<String, u64>| {
        let told: Vec<String> =
            counts.iter().map(|(word, count)| format!("{count} {}", terminal::line(word))).collect();
        told.join(", ")
    };
    println!("replies: {}", told(&counts.replies));
    println!("rows: {}", told(&counts.states));
    println!("outcomes: {}", told(&counts.outcomes));
}

fn propose(settings: &Settings, args: &InspectArgs) -> Result<i32> {
    let today = clock::rfc3339(clock::now());
    let today = today.get(..10).unwrap_or_default();
    let known = inspect::Known { tenant: &args.tenant, products: &settings.ingest.products, today };
    let inspect::Proposed { text, decisions } = inspect::propose(&args.file, &known)?;
    match &args.output {
        None => print!("{text}"),
        Some(path) => {
            std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
            println!("{}: {decisions} places are marked DECIDE", path.display());
        }
    }
    Ok(0)
}
