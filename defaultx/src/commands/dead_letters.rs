//! `dead-letters`: what `list`, `show` and `redrive` print.

use crate::cli::{DeadLettersCommand, PlaceArgs};
use crate::letters::{Dead, Letter, Selection, headers_of, original_headers, place};
use crate::place::{Needs, settle};
use crate::reader::{read_to_end, wait_until_settled};
use crate::redrive::redrive;
use crate::say::Out;
use crate::settings::Settings;
use crate::terminal;
use anyhow::{Result, bail};
use chrono::{DateTime, SecondsFormat};
use rdkafka::message::{BorrowedMessage, Message};
use runtime::kafka::KafkaConfig;
use schemas::Topic;
use std::collections::HashSet;
use std::io::Write as _;

/// Runs one of them.
pub async fn run(mut settings: Settings, place: &PlaceArgs, command: DeadLettersCommand) -> Result<i32> {
    settle(&mut settings, &place.stack, Needs::KAFKA)?;
    let (kafka, senders) = (settings.kafka, settings.ingest.sender_topics());
    tokio::task::spawn_blocking(move || match command {
        DeadLettersCommand::List(args) => list(&kafka, &Selection::of(&args)?),
        DeadLettersCommand::Show { at, raw } => show(&kafka, self::place(&at)?, raw),
        DeadLettersCommand::Redrive { letters, by, dry_run } => {
            let done = redrive(&kafka, &senders, &Selection::of(&letters)?, &by, dry_run)?;
            let what = if dry_run { "would be published again" } else { "published again" };
            println!("{} selected, {} {what}, {} had been before", done.selected, done.published, done.already);
            if done.without_topic > 0 {
                println!("{} came by file or HTTP: correct them and send them there again", done.without_topic);
            }
            if done.activations > 0 {
                println!(
                    "{} are activations, which no redrive publishes: activate the version again, which asks whether it can be served",
                    done.activations
                );
            }
            if done.cut > 0 {
                println!("{} are too large for any topic: their originals stand where `list` says", done.cut);
            }
            Ok(0)
        }
    })
    .await?
}

fn list(kafka: &KafkaConfig, selection: &Selection) -> Result<i32> {
    let (mut letters, mut marked) = (Vec::new(), HashSet::new());
    let topic = kafka.topic(Topic::DeadLetters.base_name());
    wait_until_settled(kafka, &topic)?;
    read_to_end(kafka, [topic.as_ref()], |message| {
        match Letter::of(message) {
            Letter::Dead(letter) if selection.takes(&letter) => letters.push(letter),
            Letter::Mark(origin) => {
                marked.insert(origin);
            }
            Letter::Dead(_) | Letter::Foreign => {}
        }
        Ok(())
    })?;
    letters.sort_by_key(|letter| (letter.at_ms, letter.partition, letter.offset));
    println!("{:<10} {:<24} {:<10} {:<24} {:<40} DETAIL", "AT", "SET ASIDE", "WORKER", "REASON", "ORIGIN");
    for letter in &letters {
        println!("{}", line(letter, marked.contains(&letter.origin)));
    }
    let again = letters.iter().filter(|letter| marked.contains(&letter.origin)).count();
    println!("{} dead letters, {again} of them published again", letters.len());
    Ok(0)
}

fn line(letter: &Dead, is_marked: bool) -> String {
    let origin = format!("{} {}:{}", letter.origin.topic, letter.origin.partition, letter.origin.offset);
    let at = format!("{}:{}", letter.partition, letter.offset);
    let mark = if is_marked { "(published again) " } else { "" };
    let when = time(letter.at_ms);
    let (stage, reason, detail) = (&letter.stage, &letter.reason, &letter.detail);
    terminal::line(&format!("{at:<10} {when:<24} {stage:<10} {reason:<24} {origin:<40} {mark}{detail}"))
}

fn show(kafka: &KafkaConfig, (partition, offset): (i32, i64), raw: bool) -> Result<i32> {
    let topic = kafka.topic(Topic::DeadLetters.base_name());
    let mut found = false;
    read_to_end(kafka, [topic.as_ref()], |message| {
        if (message.partition(), message.offset()) == (partition, offset) {
            found = true;
            print(message, raw)?;
        }
        Ok(())
    })?;
    if !found {
        bail!("no record at {partition}:{offset} of {topic}");
    }
    Ok(0)
}

fn print(message: &BorrowedMessage<'_>, raw: bool) -> Result<()> {
    let mut out = Out;
    let value = message.payload().unwrap_or_default();
    if raw {
        return Ok(out.write_all(value)?);
    }
    let headers = headers_of(message);
    let original = original_headers(&headers);
    writeln!(out, "set aside  {}", time(message.timestamp().to_millis().unwrap_or_default()))?;
    for (key, value) in headers.iter().filter(|header| !original.contains(header)) {
        writeln!(out, "{:<24} {}", terminal::line(key), terminal::bytes(value.unwrap_or_default()))?;
    }
    writeln!(out, "\noriginal key: {}", message.key().map_or("none".into(), terminal::bytes))?;
    for (key, value) in original {
        writeln!(out, "{:<24} {}", terminal::line(key), value.map_or("null".into(), terminal::bytes))?;
    }
    writeln!(out, "\n{} bytes:\n{}", value.len(), terminal::body(value))?;
    Ok(())
}

fn time(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms)
        .map_or_else(|| ms.to_string(), |t| t.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::letters::Origin;

    #[test]
    fn a_line_of_the_list_is_one_line_whatever_its_sender_wrote() {
        let evil = || "\u{1b}[2J\n0:1 all is well\u{9b}".to_owned();
        let origin = Origin { topic: evil(), partition: 0, offset: 7 };
        let (reason, stage, detail) = (evil(), evil(), evil());
        let letter = Dead {
            partition: 0,
            offset: 1,
            at_ms: 0,
            reason,
            stage,
            detail,
            origin,
            is_cut: false,
            is_activation: false,
        };
        let printed = line(&letter, true);
        assert!(!printed.contains(char::is_control), "{printed:?}");
        assert!(printed.contains("published again") && printed.contains("all is well"));
    }
}
