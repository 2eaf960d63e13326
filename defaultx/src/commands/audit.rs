//! `audit`: walks the log again and says what it found, or shows the entry of one record.

use crate::cli::{AuditCommand, PlaceArgs};
use crate::place::{Needs, settle};
use crate::settings::Settings;
use crate::terminal;
use anyhow::{Context, Result};
use audit_sink::verify::{Options, walk};
use runtime::pg;
use schemas::audit_entry::{Codec, Entry};
use std::path::PathBuf;

/// Runs it; code 1 when anything does not hold, or nothing is found.
pub async fn run(mut settings: Settings, place: &PlaceArgs, command: AuditCommand) -> Result<i32> {
    settle(&mut settings, &place.house, Needs::DATABASE)?;
    match command {
        AuditCommand::Verify { key, checkpoint, json } => verify(settings, key, &checkpoint, json).await,
        AuditCommand::Find { topic, partition, offset } => find(&settings, &topic, partition, offset).await,
    }
}

async fn verify(mut settings: Settings, key: Option<String>, checkpoint: &[PathBuf], json: bool) -> Result<i32> {
    let read = |path: &PathBuf| std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
    let kept_checkpoints = checkpoint.iter().map(read).collect::<Result<_>>()?;
    let own_key = settings.audit_sink.signer()?.map(|signer| signer.verifier_key());
    let options = Options { verifier_key: key.or(own_key), kept_checkpoints, record: false };
    settings.database.statement_timeout_ms = 0; // a long log takes as long as it takes
    let mut client = pg::connect(&settings.database).await?;
    let report = walk(&mut client, &options).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", terminal::lines(&report.to_string()));
    }
    Ok(i32::from(!report.is_whole()))
}

async fn find(settings: &Settings, topic: &str, partition: i32, offset: i64) -> Result<i32> {
    let client = pg::connect(&settings.database).await?;
    let Some(found) = audit_sink::find(&client, topic, partition, offset).await? else {
        eprintln!("the log has no entry of {topic}/{partition}@{offset}");
        return Ok(1);
    };
    let entry = Entry::decode(&found.bytes)?;
    let text = |bytes: Option<&[u8]>| bytes.map_or_else(String::new, terminal::bytes);
    println!("log {} entry {} leaf {}", found.log, found.seq, hex::encode(found.leaf));
    println!("{topic}/{partition}@{offset} at {} ms, key {:?}", entry.timestamp_ms, text(entry.key));
    for (name, value) in &entry.headers {
        println!("{}: {}", terminal::line(name), text(*value));
    }
    match entry.codec {
        Codec::Plain => println!("\n{}", entry.value.map_or_else(String::new, terminal::body)),
        Codec::DigestOnly | Codec::Sealed => println!("\n{}", hex::encode(entry.value.unwrap_or_default())),
    }
    Ok(0)
}
