//! `dead-letters`: what `list`, `show` and `redrive` print.

use crate::cli::{DeadLettersCommand, PlaceArgs};
use crate::letters::{Dead, Letter, Selection, headers_of, original_headers, place};
use crate::place::{Needs, settle};
use crate::reader::{read_to_end, wait_until_settled};
use crate::redrive::redrive;
use crate::settings::Settings;
use anyhow::{Result, bail};
use chrono::{DateTime, SecondsFormat};
use rdkafka::message::{BorrowedMessage, Message};
use runtime::kafka::KafkaConfig;
use schemas::Topic;
use std::collections::HashSet;
use std::io::Write as _;

/// Runs one of them.
pub async fn run(mut settings: Settings, place: &PlaceArgs, command: DeadLettersCommand) -> Result<i32> {
    settle(&mut settings, &place.house, Needs::KAFKA)?;
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
    println!("{:<10} {:<24} {:<10} {:<24} {:<40} DETAIL", "AT", "SET ASIDE", "ROOM", "REASON", "ORIGIN");
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
    format!("{at:<10} {when:<24} {:<10} {:<24} {origin:<40} {mark}{}", letter.stage, letter.reason, letter.detail)
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
    let mut out = std::io::stdout().lock();
    let value = message.payload().unwrap_or_default();
    if raw {
        return Ok(out.write_all(value)?);
    }
    let headers = headers_of(message);
    let original = original_headers(&headers);
    writeln!(out, "set aside  {}", time(message.timestamp().to_millis().unwrap_or_default()))?;
    for (key, value) in headers.iter().filter(|header| !original.contains(header)) {
        writeln!(out, "{key:<24} {}", text(value.unwrap_or_default()))?;
    }
    writeln!(out, "\noriginal key: {}", message.key().map_or("none".into(), text))?;
    for (key, value) in original {
        writeln!(out, "{key:<24} {}", value.map_or("null".into(), text))?;
    }
    writeln!(out, "\n{} bytes:\n{}", value.len(), text(value))?;
    Ok(())
}

/// Text as it is, but for what would steer a terminal; other bytes as hexadecimal.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect(),
        Err(_) => format!("(not UTF-8) {}", hex::encode(bytes)),
    }
}

fn time(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms)
        .map_or_else(|| ms.to_string(), |t| t.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_never_steer_a_terminal() {
        assert_eq!(text(b"plain\nlines"), "plain\nlines");
        assert_eq!(text(b"\x1b[2Jgone"), "\u{fffd}[2Jgone");
        assert_eq!(text(&[0xff, 0x00]), "(not UTF-8) ff00");
    }
}
