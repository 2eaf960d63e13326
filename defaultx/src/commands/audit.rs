//! `audit verify`: walks the log again and says what it found.

use crate::cli::{AuditCommand, PlaceArgs};
use crate::place::{Needs, settle};
use crate::settings::Settings;
use anyhow::{Context, Result};
use audit_sink::verify::{Options, walk};
use runtime::pg;

/// Runs it; code 1 when anything does not hold.
pub async fn run(mut settings: Settings, place: &PlaceArgs, command: AuditCommand) -> Result<i32> {
    let AuditCommand::Verify { key, checkpoint, json } = command;
    settle(&mut settings, &place.house, Needs::DATABASE)?;
    let read = |path: &std::path::PathBuf| {
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
    };
    let kept_checkpoints = checkpoint.iter().map(read).collect::<Result<_>>()?;
    let own_key = settings.audit_sink.signer()?.map(|signer| signer.verifier_key());
    let options = Options { verifier_key: key.or(own_key), kept_checkpoints, record: false };
    settings.database.statement_timeout_ms = 0; // a long log takes as long as it takes
    let mut client = pg::connect(&settings.database).await?;
    let report = walk(&mut client, &options).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(i32::from(!report.is_whole()))
}
