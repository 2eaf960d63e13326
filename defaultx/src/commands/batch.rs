//! `batch`: sends a file through ingest, and says what was refused and what became of the rest; proposes a mapping.

mod paths;
mod said;

use crate::cli::{BatchArgs, BatchCommand, InspectArgs, PlaceArgs};
use crate::outcomes::Outcomes;
use crate::place::{Needs, settle};
use crate::rows;
use crate::say;
use crate::settings::Settings;
use anyhow::{Context, Result};
use ingest::batch::{self, Options, inspect};
use runtime::clock;
use std::time::Duration;

/// Some row has no reply, or no decision, within the time that was given.
const OPEN: i32 = 3;

/// Runs it; code 1 when any row was refused, 3 when one is still open.
pub async fn run(mut settings: Settings, place: &PlaceArgs, args: BatchArgs) -> Result<i32> {
    if let Some(BatchCommand::Inspect(args)) = args.command {
        return propose(&settings, &args);
    }
    let file = args.file.as_deref();
    let read = [("FILE", file), ("--mapping", args.mapping.as_deref())];
    let written = [
        ("--rejects", args.rejects.as_deref()),
        ("--to-correct", args.to_correct.as_deref()),
        ("--result", args.result.as_deref()),
    ];
    paths::check(&read, &written)?;
    if !args.dry_run {
        settle(&mut settings, &place.stack, Needs::KAFKA)?;
    }
    let options = Options {
        file: args.file.context("a file")?,
        mapping: args.mapping,
        tenant: Some(args.tenant.clone()),
        intent: args.intent,
        report: args.rejects,
        corrections: args.to_correct,
        plain: args.plain,
        run: Some(format!("batch-{}", uuid::Uuid::now_v7())),
        ..Options::default()
    };
    let result = args.result.map(|path| (path, Duration::from_secs(args.wait)));
    let is_dry = args.dry_run;
    let work = move || {
        if is_dry {
            let summary = batch::judge(&options, &settings.ingest_with_classes()?, |_| Ok(()))?;
            print!("{}", said::summary(&summary, "would be published", &options));
            return Ok(i32::from(summary.refused + summary.conflicts > 0));
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
        Some((path, _)) => Some(Outcomes::begin(&kafka, (tenant, run), path, options.spelling()?)?),
        None => None,
    };
    let unread =
        |error: anyhow::Error| ingest::Error::Batch(format!("the dead letters of earlier runs: {}", say::told(&error)));
    let summary = batch::run(
        options,
        &ingest,
        &kafka,
        |file| rows::set_aside(&kafka, file).map_err(unread),
        |verdict| match &mut outcomes {
            Some(outcomes) => outcomes.row(verdict).map_err(|error| ingest::Error::Batch(say::told(&error))),
            None => Ok(()),
        },
    )?;
    print!("{}", said::summary(&summary, "published", options));
    let code = i32::from(summary.refused + summary.conflicts > 0);
    let (Some(outcomes), Some((path, patience))) = (outcomes, result) else {
        println!("{}", said::NOT_AWAITED);
        return Ok(code);
    };
    let counts = outcomes.finish(patience, options.quiet)?;
    print!("{}", said::counts(&counts, &path));
    Ok(match counts.open() {
        0 => code.max(i32::from(counts.has_refused())),
        _ => OPEN,
    })
}

fn propose(settings: &Settings, args: &InspectArgs) -> Result<i32> {
    paths::check(&[("FILE", Some(&args.file))], &[("--output", args.output.as_deref())])?;
    let today = clock::rfc3339(clock::now());
    let today = today.get(..10).unwrap_or_default();
    let published = settings.attributes()?.get();
    let (tenant, products, attributes) = (&args.tenant, &settings.ingest.products, &published.attributes);
    let known = inspect::Known { tenant, products, attributes, today };
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
