//! Publishes the originals of dead letters again, each at most once for ever. The original and a mark on the dead-letter topic
//! are one transaction; whoever begins later fences whoever began before, and then reads every mark there is, those behind
//! open transactions too. No transaction is open while anything is read. Looks into no body.

use crate::letters::{Dead, Letter, Origin, REDRIVEN_AT, REDRIVEN_BY, Selection, headers_of, original_headers};
use crate::reader::{read_to_end, wait_until_settled};
use anyhow::{Context, Result};
use rdkafka::message::{BorrowedMessage, Message};
use runtime::clock;
use runtime::kafka::KafkaConfig;
use runtime::stream::{OwnedInput, Transactions, dead_letter_header as header};
use schemas::Topic;
use std::collections::HashSet;

/// Milliseconds that a call to the broker may take: whoever was killed in the middle is waited for.
const TIMEOUT_MS: u64 = 60_000;
/// Letters of one transaction.
const GROUP_LETTERS: usize = 200;
/// Bytes of one transaction; a single letter may have more.
const GROUP_BYTES: usize = 8 << 20;

/// What a redrive did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Redriven {
    /// Letters that were meant.
    pub selected: u64,
    /// Published again now.
    pub published: u64,
    /// Published again before.
    pub already: u64,
    /// Came by file or HTTP, so that no topic holds a place to put them: their sender sends them again.
    pub without_topic: u64,
    /// Set aside without their value, because no topic takes it: their originals stand where they were read.
    pub cut: u64,
    /// Activations: one of them alone would switch one partition, and nobody would be asked whether it can be served. Their versions are
    /// activated again by the commands that do.
    pub activations: u64,
}

/// Publishes what is selected and not marked. `senders` are the topics of senders, without prefix. Blocks.
///
/// # Errors
/// When Kafka fails, or another redrive has begun meanwhile; what was published until then is marked, so that asking again
/// goes on from there.
pub fn redrive(
    kafka: &KafkaConfig,
    senders: &[String],
    selection: &Selection,
    by: &str,
    dry_run: bool,
) -> Result<Redriven> {
    // Before anything is read: from here on no other redrive can write a mark, and what one left open has ended.
    let connect = || Transactions::connect_once(kafka, "redrive", TIMEOUT_MS).context("beginning a redrive");
    let writer = if dry_run { None } else { Some(connect()?) };
    let (mut done, meant) = survey(kafka, senders, selection)?;
    match writer {
        None => done.published = meant.len() as u64,
        Some(writer) => done.published = Sender::new(kafka, writer, by).send(kafka, &meant)?,
    }
    Ok(done)
}

/// Every original that has been published again. Blocks.
///
/// # Errors
/// When Kafka cannot be read.
pub fn marks(kafka: &KafkaConfig) -> Result<HashSet<Origin>> {
    let mut marked = HashSet::new();
    read_letters(kafka, |_, letter| {
        if let Letter::Mark(origin) = letter {
            marked.insert(origin);
        }
        Ok(())
    })?;
    Ok(marked)
}

/// Places on the dead-letter topic.
type Places = HashSet<(i32, i64)>;

/// What there is to do: the places of letters that are selected and not marked, one for each original.
fn survey(kafka: &KafkaConfig, senders: &[String], selection: &Selection) -> Result<(Redriven, Places)> {
    let (mut marked, mut selected) = (HashSet::new(), Vec::new());
    read_letters(kafka, |_, letter| {
        match letter {
            Letter::Mark(origin) => drop(marked.insert(origin)),
            Letter::Dead(letter) if selection.takes(&letter) => {
                selected.push(letter);
            }
            Letter::Dead(_) | Letter::Foreign => {}
        }
        Ok(())
    })?;
    let (mut done, mut meant) = (Redriven { selected: selected.len() as u64, ..Redriven::default() }, Places::new());
    for letter in selected {
        let Dead { partition, offset, origin, is_cut, .. } = letter;
        if is_cut {
            done.cut += 1;
        } else if letter.is_activation && reads_activations(kafka, &origin) {
            done.activations += 1;
        } else if !has_topic(kafka, senders, &origin) {
            done.without_topic += 1;
        } else if marked.insert(origin) {
            meant.insert((partition, offset));
        } else {
            done.already += 1;
        }
    }
    Ok((done, meant))
}

/// Whether an original came from a topic that it can go back to.
fn has_topic(kafka: &KafkaConfig, senders: &[String], origin: &Origin) -> bool {
    let is_senders = |topic: &str| senders.iter().any(|name| name == topic);
    let base = origin.topic.strip_prefix(&kafka.topic_prefix);
    base.is_some_and(|base| Topic::of_name("", base).is_some() || is_senders(base))
}

/// Whether a worker takes activations out of the topic of an original. Elsewhere one is a record like any other.
fn reads_activations(kafka: &KafkaConfig, origin: &Origin) -> bool {
    [Topic::Applications, Topic::Risk].iter().any(|topic| topic.name(&kafka.topic_prefix) == origin.topic)
}

fn read_letters(kafka: &KafkaConfig, mut each: impl FnMut(&BorrowedMessage<'_>, Letter) -> Result<()>) -> Result<()> {
    let topic = kafka.topic(Topic::DeadLetters.base_name());
    wait_until_settled(kafka, &topic)?;
    read_to_end(kafka, [topic.as_ref()], |message| each(message, Letter::of(message)))?;
    Ok(())
}

struct Sender {
    writer: Transactions,
    letters: String,
    by: String,
    /// Originals, each with its mark.
    group: Vec<OwnedInput>,
    bytes: usize,
    sent: u64,
}

impl Sender {
    fn new(kafka: &KafkaConfig, writer: Transactions, by: &str) -> Self {
        let letters = kafka.topic(Topic::DeadLetters.base_name()).to_string();
        Self { writer, letters, by: by.to_owned(), group: Vec::new(), bytes: 0, sent: 0 }
    }

    /// Publishes the letters at these places, group by group, and gives their number.
    fn send(mut self, kafka: &KafkaConfig, meant: &Places) -> Result<u64> {
        read_letters(kafka, |message, letter| match letter {
            Letter::Dead(dead) if meant.contains(&(dead.partition, dead.offset)) => self.add(message, &dead.origin),
            _ => Ok(()),
        })?;
        self.end_group()?;
        Ok(self.sent)
    }

    /// The original where it came from, and the mark beside its letter.
    fn add(&mut self, letter: &BorrowedMessage<'_>, origin: &Origin) -> Result<()> {
        let owned = |headers: &[(&str, Option<&[u8]>)]| -> Vec<(String, Option<Vec<u8>>)> {
            headers.iter().map(|(name, value)| ((*name).to_owned(), value.map(<[u8]>::to_vec))).collect()
        };
        let key = letter.key().map(<[u8]>::to_vec);
        let original = OwnedInput {
            topic: origin.topic.clone(),
            partition: origin.partition,
            key: key.clone(),
            payload: letter.payload().map(<[u8]>::to_vec),
            headers: owned(&original_headers(&headers_of(letter))),
            ..OwnedInput::default()
        };
        let (partition, offset) = (origin.partition.to_string(), origin.offset.to_string());
        let now = clock::rfc3339(clock::now());
        let mark = [
            (header::TOPIC, origin.topic.as_str()),
            (header::PARTITION, &partition),
            (header::OFFSET, &offset),
            (REDRIVEN_BY, &self.by),
            (REDRIVEN_AT, &now),
        ];
        let mark = OwnedInput {
            topic: self.letters.clone(),
            partition: letter.partition(),
            key,
            payload: Some(b"{}".to_vec()),
            headers: owned(&mark.map(|(name, value)| (name, Some(value.as_bytes())))),
            ..OwnedInput::default()
        };
        self.bytes += letter.payload_len() + 2 * letter.key_len();
        self.group.extend([original, mark]);
        if self.group.len() >= 2 * GROUP_LETTERS || self.bytes >= GROUP_BYTES { self.end_group() } else { Ok(()) }
    }

    fn end_group(&mut self) -> Result<()> {
        if !self.group.is_empty() {
            let committing = || format!("publishing again, after {} letters", self.sent);
            self.writer.repeat(&self.group).with_context(committing)?;
        }
        self.sent += self.group.len() as u64 / 2;
        self.group.clear();
        self.bytes = 0;
        Ok(())
    }
}
