//! Where a worker that writes PostgreSQL reads on, and where it cannot: its offsets are held against what the topics hold, as those
//! of a group are (ADR 15).

use super::error::PgError;
use crate::ffi;
use crate::kafka::{Isolation, KafkaConfig, Plain, PlainConsumer, reader};
use crate::pg::offsets::{self, Place, Stand};
use crate::pg::{DatabaseConfig, connect};
use crate::stream::offset::{NextOffset, Offset};
use crate::stream::position::{Gap, Held, Left, Lost, Positions, classify};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A worker that keeps its offsets in PostgreSQL. Names have the prefix.
#[derive(Debug, Clone)]
pub struct PgGroup {
    /// Name of its rows in `defaultx.stream_offsets`.
    pub name: Arc<str>,
    /// What it reads.
    pub topics: Vec<Arc<str>>,
    /// Those of them that are not written in transactions alone.
    pub plain: Vec<Arc<str>>,
    /// Whether it may read a place a second time: a topic that was made anew, or is an older copy, can then be accepted. The log
    /// cannot: each of its coordinates stands in it once.
    pub goes_back: bool,
}

/// What was found of some places.
pub(super) struct Found {
    /// Those that can be read on, those that are gaps, and the topics' ids.
    pub positions: Positions,
    /// What could not be asked, in words.
    pub unknown: Vec<String>,
}

/// Where each place stands behind the records of a batch.
#[derive(Debug, Default)]
pub(super) struct Ends {
    next: Vec<(Place, NextOffset)>,
    /// The one that the newest record moved: records of a partition come in rows.
    newest: usize,
}

impl Ends {
    /// A record was taken.
    pub fn pass(&mut self, topic: &str, partition: i32, at: Offset) {
        let is = |((name, id), _): &(Place, NextOffset)| *id == partition && name == topic;
        if !self.next.get(self.newest).is_some_and(is) {
            self.newest = self.next.iter().position(is).unwrap_or(self.next.len());
        }
        match self.next.get_mut(self.newest) {
            Some((_, next)) => *next = at.next(),
            None => self.next.push(((topic.to_owned(), partition), at.next())),
        }
    }

    /// As rows of offsets.
    pub fn stands(self, topic_ids: &BTreeMap<String, String>) -> BTreeMap<Place, Stand> {
        let stand = |(place, next): (Place, NextOffset)| {
            let topic_id = topic_ids.get(&place.0).cloned();
            (place, Stand::at(next, topic_id))
        };
        self.next.into_iter().map(stand).collect()
    }
}

/// Asks where to read on. A place that was never read and holds all its records begins with the first.
///
/// # Errors
/// When the cluster does not answer in time.
pub(super) fn find<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    (group, plain): (&str, &[Arc<str>]),
    places: &BTreeSet<Place>,
    stood: &BTreeMap<Place, Stand>,
    timeout: Duration,
) -> Result<Found, KafkaError> {
    let names: BTreeSet<&str> = places.iter().map(|(topic, _)| topic.as_str()).collect();
    let topic_ids = ffi::topic_ids(consumer.client(), &names, timeout)?;
    let (mut starts, mut gaps, mut unknown) = (BTreeMap::new(), Vec::new(), Vec::new());
    for place in places {
        let (topic, partition) = place.clone();
        let ends = match consumer.fetch_watermarks(&topic, partition, timeout) {
            Ok(ends) => ends,
            // One partition without a leader says nothing of the others.
            Err(error) => {
                unknown.push(format!("{topic}/{partition} does not tell what it holds: {error}"));
                continue;
            }
        };
        let topic_id = topic_ids.get(&topic).cloned();
        let stand = stood.get(place);
        let left = Left {
            offset: stand.map(Stand::start),
            topic_id: stand.and_then(|stand| stand.topic_id.clone()),
            state_id: None,
        };
        let in_transactions = !plain.iter().any(|plain| **plain == *topic);
        match classify(&left, &Held::of(ends, topic_id.clone(), in_transactions)) {
            Ok(start) => drop(starts.insert(place.clone(), start)),
            Err((Lost::NoOffset, NextOffset::START)) => drop(starts.insert(place.clone(), NextOffset::START)),
            Err((kind, to)) => {
                let (group, from) = (group.to_owned(), left.offset);
                gaps.push(Gap { group, topic, partition, kind, from, to, topic_id });
            }
        }
    }
    Ok(Found { positions: Positions::at(starts, topic_ids).with(gaps), unknown })
}

/// Whether somebody may accept a gap as it is.
pub(super) fn is_acceptable(gap: &Gap, goes_back: bool) -> bool {
    goes_back || !matches!(gap.kind, Lost::Recreated | Lost::BeyondEnd)
}

/// A gap in words.
pub(super) fn words(gap: &Gap, goes_back: bool) -> String {
    match is_acceptable(gap, goes_back) {
        true => gap.to_string(),
        false => format!(
            "{}; the log takes each place once: bring the topic back, or begin a deployment under another prefix",
            gap.what()
        ),
    }
}

/// The gaps of a worker that nobody has accepted, those that nobody can accept included.
///
/// # Errors
/// When the cluster or the database does not answer in time, or a topic is not there.
pub async fn open_gaps(
    kafka: &KafkaConfig,
    database: &DatabaseConfig,
    group: PgGroup,
    gaps: Arc<str>,
    timeout: Duration,
) -> Result<Vec<Gap>, PgError> {
    let client = connect(database).await?;
    let stood = offsets::load(&client, &group.name).await?;
    let kafka = kafka.client();
    let ask = move || -> Result<Vec<Gap>, KafkaError> {
        let consumer: PlainConsumer = reader(&kafka, &group.name, Isolation::Committed).create_with_context(Plain)?;
        let mut places = BTreeSet::new();
        for topic in &group.topics {
            let metadata = consumer.fetch_metadata(Some(topic), timeout)?;
            let partitions = metadata.topics().first().map(|found| found.partitions()).unwrap_or_default();
            places.extend(partitions.iter().map(|partition| (topic.to_string(), partition.id())));
        }
        let Found { positions, unknown } = find(&consumer, (&group.name, &group.plain), &places, &stood, timeout)?;
        if let Some(words) = unknown.first() {
            tracing::error!(words, "a place is not known");
            return Err(KafkaError::Global(RDKafkaErrorCode::LeaderNotAvailable));
        }
        positions.unaccepted(&kafka, &group.name, &gaps, timeout)
    };
    Ok(tokio::task::spawn_blocking(ask).await??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_ends_behind_the_last_record_of_each_place() {
        let mut ends = Ends::default();
        for (topic, partition, offset) in [("a", 0, 4), ("b", 0, 9), ("a", 1, 7), ("a", 0, 6)] {
            ends.pass(topic, partition, Offset::new(offset));
        }
        let found = ends.stands(&BTreeMap::from([("a".to_owned(), "id".to_owned())]));
        let id = Some("id".to_owned());
        let expected = [(("a", 0), (7, id.clone())), (("a", 1), (8, id)), (("b", 0), (10, None))];
        let expected = expected.map(|((topic, partition), (next, id))| {
            ((topic.to_owned(), partition), Stand::at(NextOffset::new(next), id))
        });
        assert_eq!(found, BTreeMap::from(expected));
    }
}
