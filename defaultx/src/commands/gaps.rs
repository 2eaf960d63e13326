//! `gaps`: what `list` and `accept` print.

use crate::cli::{GapsCommand, PlaceArgs};
use crate::gaps::{Acceptance, accept, list};
use crate::place::{Needs, settle};
use crate::settings::Settings;
use crate::terminal;
use anyhow::Result;

/// Runs one of them; `list` ends with code 1 when there is a gap.
pub async fn run(mut settings: Settings, place: &PlaceArgs, command: GapsCommand) -> Result<i32> {
    settle(&mut settings, &place.stack, Needs::KAFKA)?;
    match command {
        GapsCommand::List => {
            let gaps = list(&settings).await?;
            gaps.iter().for_each(|gap| println!("{}", terminal::line(&gap.to_string())));
            if settings.database.url.is_empty() {
                eprintln!("no database is named: {} and {} were not asked", audit_sink::WORKER, notifier::WORKER);
            }
            if gaps.is_empty() {
                println!("no gaps: every group goes on where it left off");
            }
            Ok(i32::from(!gaps.is_empty()))
        }
        GapsCommand::Accept { group, topic, partition, to, by, why } => {
            let accepted = accept(&settings, Acceptance { at: (group, topic, partition), to, by, why }).await?;
            println!("{} goes on at {} of {}/{partition}", accepted.group, accepted.to, accepted.topic);
            Ok(0)
        }
    }
}
