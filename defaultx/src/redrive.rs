//! Publishes the originals of dead letters again, each at most once for ever. The original and a mark on the dead-letter topic
//! are one transaction; whoever begins later fences whoever began before, and then reads every mark there is. Looks into no body.

use crate::letters::{Letter, Origin, REDRIVEN_AT, REDRIVEN_BY, Selection, headers_of, original_headers};
use crate::reader::read_to_end;
use anyhow::{Context, Result};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use runtime::clock;
use runtime::kafka::KafkaConfig;
use runtime::stream::dead_letter_header as header;
use schemas::Topic;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(60);
/// Letters of one transaction.
const CHUNK: usize = 200;

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
}

/// Publishes what is selected and not marked. Blocks.
///
/// # Errors
/// When Kafka fails; what was published until then is marked, so that asking again goes on from there.
pub fn redrive(kafka: &KafkaConfig, selection: &Selection, by: &str, dry_run: bool) -> Result<Redriven> {
    let sender = if dry_run { None } else { Some(Sender::new(kafka, by)?) };
    let topic = kafka.topic(Topic::DeadLetters.base_name());
    let (mut marked, mut ends) = (HashSet::new(), BTreeMap::new());
    read_to_end(kafka, [topic.as_ref()], |message| {
        ends.insert(message.partition(), message.offset());
        if let Letter::Mark(origin) = Letter::of(message) {
            marked.insert(origin);
        }
        Ok(())
    })?;
    let mut done = Redriven::default();
    let mut open = 0;
    read_to_end(kafka, [topic.as_ref()], |message| {
        // What was set aside meanwhile, perhaps by this very redrive, is for the next one.
        if ends.get(&message.partition()).is_none_or(|end| message.offset() > *end) {
            return Ok(());
        }
        let Letter::Dead(letter) = Letter::of(message) else { return Ok(()) };
        if !selection.takes(&letter) {
            return Ok(());
        }
        done.selected += 1;
        if Topic::of_name(&kafka.topic_prefix, &letter.origin.topic).is_none() {
            done.without_topic += 1;
            return Ok(());
        }
        if !marked.insert(letter.origin.clone()) {
            done.already += 1;
            return Ok(());
        }
        done.published += 1;
        let Some(sender) = &sender else { return Ok(()) };
        if open == 0 {
            sender.producer.begin_transaction()?;
        }
        sender.again(message, &letter.origin)?;
        open += 1;
        if open == CHUNK {
            sender.producer.commit_transaction(TIMEOUT).context("committing a redrive")?;
            open = 0;
        }
        Ok(())
    })?;
    if let Some(sender) = sender.filter(|_| open > 0) {
        sender.producer.commit_transaction(TIMEOUT).context("committing a redrive")?;
    }
    Ok(done)
}

/// Every original that has been published again. Blocks.
///
/// # Errors
/// When Kafka cannot be read.
pub fn marks(kafka: &KafkaConfig) -> Result<HashSet<Origin>> {
    let topic = kafka.topic(Topic::DeadLetters.base_name());
    let mut marked = HashSet::new();
    read_to_end(kafka, [topic.as_ref()], |message| {
        if let Letter::Mark(origin) = Letter::of(message) {
            marked.insert(origin);
        }
        Ok(())
    })?;
    Ok(marked)
}

struct Sender {
    producer: BaseProducer,
    topic: Arc<str>,
    by: String,
}

impl Sender {
    fn new(kafka: &KafkaConfig, by: &str) -> Result<Self> {
        let mut config = kafka.client();
        config.set("transactional.id", kafka.topic("redrive").as_ref()).set("linger.ms", "5");
        let producer: BaseProducer = config.create().context("Kafka client")?;
        producer.init_transactions(TIMEOUT).context("beginning a redrive")?;
        Ok(Self { producer, topic: kafka.topic(Topic::DeadLetters.base_name()), by: by.to_owned() })
    }

    /// The original where it came from, and the mark beside its letter.
    fn again(&self, letter: &BorrowedMessage<'_>, origin: &Origin) -> Result<()> {
        let headers = headers_of(letter);
        let original = original_headers(&headers)
            .into_iter()
            .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value }));
        let record = BaseRecord::to(&origin.topic).partition(origin.partition).headers(original);
        self.send(with(record, letter.key(), letter.payload()))?;
        let (partition, offset) = (origin.partition.to_string(), origin.offset.to_string());
        let now = clock::rfc3339(clock::now());
        let mark = [
            (header::TOPIC, origin.topic.as_str()),
            (header::PARTITION, &partition),
            (header::OFFSET, &offset),
            (REDRIVEN_BY, &self.by),
            (REDRIVEN_AT, &now),
        ];
        let mark =
            mark.into_iter().fold(OwnedHeaders::new(), |all, (key, v)| all.insert(Header { key, value: Some(v) }));
        let record = BaseRecord::to(&self.topic).partition(letter.partition()).headers(mark);
        self.send(with(record, letter.key(), Some(b"{}")))
    }

    fn send(&self, record: BaseRecord<'_, [u8], [u8]>) -> Result<()> {
        let mut record = record;
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.producer.poll(Duration::from_millis(10));
                    record = back;
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }
}

fn with<'a>(
    record: BaseRecord<'a, [u8], [u8]>,
    key: Option<&'a [u8]>,
    payload: Option<&'a [u8]>,
) -> BaseRecord<'a, [u8], [u8]> {
    let record = match key {
        Some(key) => record.key(key),
        None => record,
    };
    match payload {
        Some(payload) => record.payload(payload),
        None => record,
    }
}
