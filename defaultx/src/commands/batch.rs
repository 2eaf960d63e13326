//! `batch`: sends a file through ingest, and says what was refused.

use crate::cli::{BatchArgs, PlaceArgs};
use crate::place::{Needs, settle};
use crate::rows;
use crate::settings::Settings;
use crate::terminal;
use anyhow::Result;
use ingest::batch::{self, Options};

/// Runs it; code 1 when any row was refused.
pub async fn run(mut settings: Settings, place: &PlaceArgs, args: BatchArgs) -> Result<i32> {
    settle(&mut settings, &place.stack, Needs::KAFKA)?;
    let options = Options {
        file: args.file,
        mapping: args.mapping,
        tenant: Some(args.tenant),
        intent: args.intent,
        report: args.rejects,
        ..Options::default()
    };
    let (ingest, kafka) = (settings.ingest_with_classes()?, settings.kafka);
    let sent = move || {
        let unread =
            |error: anyhow::Error| ingest::Error::Batch(format!("the dead letters of earlier runs: {error:#}"));
        batch::run(&options, &ingest, &kafka, |file| rows::set_aside(&kafka, file).map_err(unread))
    };
    let summary = tokio::task::spawn_blocking(sent).await??;
    println!("{} rows: {} published, {} refused", summary.rows, summary.published, summary.refused);
    for (reason, count) in &summary.by_reason {
        println!("  {count} {}", terminal::line(reason));
    }
    for row in &summary.first_refused {
        let id = row.application_id.as_deref().unwrap_or("?");
        let detail = row.detail.as_deref().unwrap_or_default();
        let told = format!("  line {}: {id}: {} {} {detail}", row.line, row.reason, row.pointers.join(" "));
        println!("{}", terminal::line(&told));
    }
    Ok(i32::from(summary.refused > 0))
}
