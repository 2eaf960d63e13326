//! Whether the place where a group left a partition still is one: that nothing between it and what the topic now holds has gone
//! missing without a word. A client that is told to "reset" would read on at another place and tell nobody (ADR 15).

mod gap;
mod group;
mod probe;

use crate::clock;
use crate::ffi;
use crate::kafka::{Isolation, Plain, PlainConsumer, reader};
use crate::stream::offset::NextOffset;
use crate::stream::record::Input;
use gap::OnRecord;
pub(crate) use gap::Passed;
pub use gap::{AcceptedGap, Gap, Lost};
pub use group::{Group, begin_at_zero, members, open_gaps, unhandled};
pub(crate) use probe::{Probe, is_unreadable};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long a leader that has just been elected may not know of everything that it holds.
pub(crate) const LEADER_CATCHES_UP_WITHIN: Duration = Duration::from_secs(10);
/// How long an acceptance is good for.
const GOOD_FOR_MS: i64 = 3_600_000;
/// In front of the id of the topic in the metadata of a committed offset, and of the id of the changelog that goes with it.
const TOPIC_ID: &str = "topic_id=";
const STATE_ID: &str = "state_id=";
/// Key of the changelog entry that holds the offset up to which its partition of the input is in it.
pub const STATE_POSITION: &[u8] = b"\0position";

/// Where a group left off, as its committed offset tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Left {
    /// Where it goes on.
    pub offset: Option<NextOffset>,
    /// The topic's id, where it was known.
    pub topic_id: Option<String>,
    /// The id of the changelog that was written with it; none where the offset was set by hand, or by a version without.
    pub state_id: Option<String>,
}

impl Left {
    fn of(element: &TopicPartitionListElem<'_>) -> Self {
        let part = |name| element.metadata().split(';').find_map(|part| part.strip_prefix(name)).map(str::to_owned);
        Self { offset: NextOffset::from_kafka(element.offset()), topic_id: part(TOPIC_ID), state_id: part(STATE_ID) }
    }
}

/// The offset up to which a changelog must hold its input: the committed one, where the same transaction wrote to this changelog.
pub(crate) fn promised(committed: &TopicPartitionListElem<'_>, state_id: Option<&str>) -> Option<NextOffset> {
    let left = Left::of(committed);
    left.offset.filter(|_| left.state_id.is_some() && (state_id.is_none() || left.state_id.as_deref() == state_id))
}

/// What a partition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// The low watermark.
    pub low: NextOffset,
    /// The high one.
    pub end: NextOffset,
    /// The topic's id, where the broker tells it.
    pub topic_id: Option<String>,
    /// Whether it is written in transactions alone, so that a marker follows every record.
    pub in_transactions: bool,
}

impl Held {
    /// Of what a client calls the watermarks.
    pub(crate) fn of((low, end): (i64, i64), topic_id: Option<String>, in_transactions: bool) -> Self {
        Self { low: NextOffset::new(low), end: NextOffset::new(end), topic_id, in_transactions }
    }
}

/// Where to read on; or how the place was lost, and the first record that is there.
pub(crate) fn classify(left: &Left, held: &Held) -> Result<NextOffset, (Lost, NextOffset)> {
    let Some(offset) = left.offset else {
        return if held.end == NextOffset::START { Ok(held.end) } else { Err((Lost::NoOffset, held.low)) };
    };
    match (&left.topic_id, &held.topic_id) {
        (Some(then), Some(now)) if then != now => Err((Lost::Recreated, held.low)),
        // Retention has taken all that there was, and behind what was read there was room for a marker alone.
        _ if held.in_transactions && offset.first().next() == held.low && held.low == held.end => Ok(held.low),
        _ if offset < held.low => Err((Lost::Expired, held.low)),
        _ if offset > held.end => Err((Lost::BeyondEnd, held.end)),
        _ => Ok(offset),
    }
}

/// What is wrong with a changelog that holds its input up to `position`, if anything, and where the group goes on then.
fn judge_state(left: &Left, state_id: Option<&str>, position: Option<NextOffset>) -> Option<(Lost, NextOffset)> {
    let (offset, then) = (left.offset?, left.state_id.as_deref()?);
    match position {
        _ if state_id.is_some_and(|now| now != then) => Some((Lost::StateLost, offset)),
        Some(position) if position > offset => Some((Lost::OffsetBehind, position)),
        Some(position) if position == offset => None,
        Some(_) | None => Some((Lost::StateLost, offset)),
    }
}

/// Where a group stands in some partitions.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    /// Where to read on, by topic and partition.
    pub starts: BTreeMap<(String, i32), NextOffset>,
    /// Those of them that the group has not committed: they are empty, or lie behind a gap that was accepted.
    pub moved: BTreeSet<(String, i32)>,
    /// Partitions that must not be read.
    pub gaps: Vec<Gap>,
    /// The topics' ids, where the broker tells them, that of the changelog too.
    pub topic_ids: BTreeMap<String, String>,
    left: BTreeMap<(String, i32), Left>,
}

/// Whose places are asked for, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    /// The group, with prefix.
    pub group: &'a str,
    /// Its changelog, with prefix.
    pub changelog: Option<&'a str>,
    /// Whether what it reads is written in transactions alone.
    pub in_transactions: bool,
    /// For how long an end that lies before the offset may be that of a leader that was just elected.
    pub patience: Duration,
    /// Of each call.
    pub timeout: Duration,
}

/// Asks where a group stands. `committed` are its stable offsets.
///
/// # Errors
/// When the cluster does not answer in time.
pub(crate) fn find<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    committed: &TopicPartitionList,
    question: Question<'_>,
) -> Result<Positions, KafkaError> {
    let Question { group, changelog, in_transactions, patience, timeout } = question;
    let elements = committed.elements();
    let names: BTreeSet<&str> = elements.iter().map(|element| element.topic()).chain(changelog).collect();
    let mut found =
        Positions { topic_ids: ffi::topic_ids(consumer.client(), &names, timeout)?, ..Positions::default() };
    let patience = Instant::now() + patience.min(timeout);
    for element in &elements {
        let (topic, partition) = (element.topic().to_owned(), element.partition());
        let left = Left::of(element);
        let topic_id = found.topic_ids.get(&topic).cloned();
        let judged = loop {
            let ends = consumer.fetch_watermarks(&topic, partition, timeout)?;
            match classify(&left, &Held::of(ends, topic_id.clone(), in_transactions)) {
                Err((Lost::BeyondEnd, _)) if Instant::now() < patience => {
                    std::thread::sleep(Duration::from_millis(100))
                }
                judged => break judged,
            }
        };
        let (place, from) = ((topic.clone(), partition), left.offset);
        found.left.insert(place.clone(), left);
        match judged {
            Ok(start) => {
                if from != Some(start) {
                    found.moved.insert(place.clone());
                }
                found.starts.insert(place, start);
            }
            Err((kind, to)) => {
                let group = group.to_owned();
                found.gaps.push(Gap { group, topic, partition, kind, from, to, topic_id });
            }
        }
    }
    Ok(found)
}

impl Positions {
    /// Places, and nothing that is wrong with them.
    pub fn at(starts: BTreeMap<(String, i32), NextOffset>, topic_ids: BTreeMap<String, String>) -> Self {
        Self { starts, topic_ids, ..Self::default() }
    }

    /// The same with gaps.
    pub fn with(self, gaps: Vec<Gap>) -> Self {
        Self { gaps, ..self }
    }

    /// Gaps and nothing else.
    pub fn of(gaps: Vec<Gap>) -> Self {
        let topic_ids = gaps.iter().filter_map(|gap| Some((gap.topic.clone(), gap.topic_id.clone()?))).collect();
        Self { gaps, topic_ids, ..Self::default() }
    }

    /// Goes on behind the gaps that somebody has accepted, where all of a place are.
    pub fn accept(&mut self, accepted: &[AcceptedGap]) {
        let mut passed: BTreeMap<(String, i32), NextOffset> = BTreeMap::new();
        for gap in std::mem::take(&mut self.gaps) {
            match accepted.iter().rev().find(|accepted| accepted.is_of(&gap)) {
                Some(AcceptedGap { topic, partition, from, to, accepted_by, .. }) => {
                    let furthest = passed.entry((topic.clone(), *partition)).or_insert(*to);
                    *furthest = (*furthest).max(*to);
                    let (from, to) = (from.map(NextOffset::get), to.get());
                    tracing::warn!(topic, partition, from, to, accepted_by, "a gap was accepted: reading on behind it");
                }
                None => self.gaps.push(gap),
            }
        }
        let is_open =
            |place: &(String, i32)| self.gaps.iter().any(|gap| gap.topic == place.0 && gap.partition == place.1);
        passed.retain(|place, _| !is_open(place));
        self.moved.extend(passed.keys().cloned());
        self.starts.extend(passed);
    }

    /// Holds the changelog of a partition against its offset: where it does not go with it, the partition is a gap.
    pub(crate) fn hold_state(
        &mut self,
        group: &str,
        place: &(String, i32),
        changelog: &str,
        position: Option<NextOffset>,
    ) {
        let Some(left) = self.left.get(place) else { return };
        let state_id = self.topic_ids.get(changelog).map(String::as_str);
        if let Some((kind, to)) = judge_state(left, state_id, position) {
            let ((topic, partition), group, from) = (place.clone(), group.to_owned(), left.offset);
            let topic_id = self.topic_ids.get(&topic).cloned();
            self.starts.remove(place);
            self.gaps.push(Gap { group, topic, partition, kind, from, to, topic_id });
        }
    }

    /// Adds the partitions, of those that can be read on, in which the client cannot unpack what comes next. One that does not tell
    /// holds none of the others.
    pub fn probe(&mut self, probe: &Probe, group: &str) {
        for ((topic, partition), start) in std::mem::take(&mut self.starts) {
            match probe.behind_unreadable(&topic, partition, start) {
                Ok(None) => drop(self.starts.insert((topic, partition), start)),
                Err(error) => {
                    tracing::warn!(%error, topic, partition, "whether it can be unpacked is not known");
                    self.starts.insert((topic, partition), start);
                }
                Ok(Some(to)) => {
                    let (kind, from, topic_id) = (Lost::Unreadable, Some(start), self.topic_ids.get(&topic).cloned());
                    self.gaps.push(Gap { group: group.to_owned(), topic, partition, kind, from, to, topic_id });
                }
            }
        }
    }

    /// The gaps that nobody has accepted, and those behind the ones that somebody has.
    ///
    /// # Errors
    /// When the cluster does not answer in time.
    pub(crate) fn unaccepted(
        mut self,
        client: &ClientConfig,
        group: &str,
        topic: &str,
        timeout: Duration,
    ) -> Result<Vec<Gap>, KafkaError> {
        let (probe, mut accepted) = (Probe::connect(client, timeout)?, None);
        loop {
            self.probe(&probe, group);
            let open = self.gaps.len();
            if open == 0 {
                return Ok(self.gaps);
            }
            let known = match accepted.take() {
                Some(known) => known,
                None => accepted_gaps(client, topic, timeout)?,
            };
            self.accept(&known);
            if self.gaps.len() == open {
                return Ok(self.gaps);
            }
            accepted = Some(known);
        }
    }

    /// Where to read on in what the group has not committed, to be committed, with the ids of the topics.
    pub fn moved(&self) -> Result<TopicPartitionList, KafkaError> {
        let mut moved = TopicPartitionList::new();
        for (place, start) in self.starts.iter().filter(|(place, _)| self.moved.contains(place)) {
            moved.add_partition_offset(&place.0, place.1, start.to_kafka())?;
        }
        mark(&mut moved, &self.topic_ids, None);
        Ok(moved)
    }
}

/// Every gap that was accepted within the last hour, in no order between partitions. The same place may be lost twice, and nobody
/// has accepted the second time.
///
/// # Errors
/// When the topic is not there, or the cluster does not answer in time.
pub(crate) fn accepted_gaps(
    client: &ClientConfig,
    topic: &str,
    timeout: Duration,
) -> Result<Vec<AcceptedGap>, KafkaError> {
    let mut accepted = Vec::new();
    let oldest = clock::now_ms() - GOOD_FOR_MS;
    read_all(client, topic, timeout, |record| match OnRecord::of(&record) {
        Some(OnRecord::Accepted(gap)) if record.timestamp_ms >= oldest => accepted.push(gap),
        _ => {}
    })?;
    Ok(accepted)
}

/// Every control record that somebody has passed by for a group. A place is passed for good: nothing else ever stands there.
///
/// # Errors
/// When the topic is not there, or the cluster does not answer in time.
pub(crate) fn passed_by(
    client: &ClientConfig,
    topic: &str,
    group: &str,
    timeout: Duration,
) -> Result<Vec<Passed>, KafkaError> {
    let mut passed = Vec::new();
    read_all(client, topic, timeout, |record| match OnRecord::of(&record) {
        Some(OnRecord::Passed(one)) if one.group == group => passed.push(one),
        _ => {}
    })?;
    Ok(passed)
}

/// Hands over every committed record of a topic, in no order between partitions. `timeout` is from one record to the next.
fn read_all(
    client: &ClientConfig,
    topic: &str,
    timeout: Duration,
    each: impl FnMut(Input<'_>),
) -> Result<(), KafkaError> {
    read_all_as(client, (topic, &format!("{topic}-reader")), timeout, each)
}

/// The same as a member of another group, which never commits.
pub(crate) fn read_all_as(
    client: &ClientConfig,
    (topic, group): (&str, &str),
    timeout: Duration,
    mut each: impl FnMut(Input<'_>),
) -> Result<(), KafkaError> {
    let mut config = reader(client, group, Isolation::Committed);
    config.set("enable.partition.eof", "true").set("auto.offset.reset", "earliest");
    config.set("fetch.wait.max.ms", "10");
    let consumer: PlainConsumer = config.create_with_context(Plain)?;
    let mut all = TopicPartitionList::new();
    for partition in 0..partitions_of(&consumer, topic, timeout)? {
        all.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    read_on(&consumer, &all, timeout, &mut each)
}

/// Hands over every committed record from these places of one topic on to its present end.
fn read_on(
    reader: &PlainConsumer,
    all: &TopicPartitionList,
    timeout: Duration,
    each: &mut impl FnMut(Input<'_>),
) -> Result<(), KafkaError> {
    reader.assign(all)?;
    let (mut until, mut ended) = (Instant::now() + timeout, BTreeSet::new());
    while ended.len() < all.count() {
        match reader.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                each(Input::of(&message));
                until = Instant::now() + timeout;
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(ended.insert(partition)),
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error),
            Some(Err(_)) | None if Instant::now() > until => {
                return Err(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut));
            }
            Some(Err(_)) | None => {}
        }
    }
    Ok(())
}

fn partitions_of(consumer: &PlainConsumer, topic: &str, timeout: Duration) -> Result<i32, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), timeout)?;
    match metadata.topics().first().map_or(0, |topic| topic.partitions().len()) {
        0 => Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition)),
        count => Ok(i32::try_from(count).unwrap_or(i32::MAX)),
    }
}

/// Puts the topics' ids beside offsets that are going to be committed; that of the changelog where the same transaction writes
/// to it how far it is.
pub(crate) fn mark(offsets: &mut TopicPartitionList, topic_ids: &BTreeMap<String, String>, changelog: Option<&str>) {
    let state_id = changelog.and_then(|topic| topic_ids.get(topic));
    for mut element in offsets.elements() {
        match (topic_ids.get(element.topic()), state_id) {
            (Some(id), Some(state_id)) => element.set_metadata(format!("{TOPIC_ID}{id};{STATE_ID}{state_id}")),
            (Some(id), None) => element.set_metadata(format!("{TOPIC_ID}{id}")),
            (None, _) => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_one_only_where_nothing_is_missing() {
        let id = |word: &str| Some(word.to_owned());
        let left =
            |offset: Option<i64>, topic_id| Left { offset: offset.map(NextOffset::new), topic_id, state_id: None };
        let held = |low, end, topic_id| Held::of((low, end), topic_id, false);
        let ours = |low, end| Held::of((low, end), None, true);
        let rows = [
            ("a marker alone was deleted", left(Some(8), None), ours(9, 9), Ok(9)),
            ("more than a marker was", left(Some(8), None), ours(10, 10), Err((Lost::Expired, 10))),
            ("more than a marker is left", left(Some(8), None), ours(9, 12), Err((Lost::Expired, 9))),
            ("there are no markers", left(Some(8), None), held(9, 9, None), Err((Lost::Expired, 9))),
            ("as it was", left(Some(5), id("a")), held(0, 9, id("a")), Ok(5)),
            ("at the end, behind a marker", left(Some(8), id("a")), held(0, 9, id("a")), Ok(8)),
            ("all was read and deleted", left(Some(9), id("a")), held(9, 9, id("a")), Ok(9)),
            ("committed before ids were", left(Some(5), None), held(0, 9, id("a")), Ok(5)),
            ("a broker that tells no ids", left(Some(5), id("a")), held(0, 9, None), Ok(5)),
            ("new and empty", left(None, None), held(0, 0, id("a")), Ok(0)),
            ("no offset, and records", left(None, None), held(0, 3, id("a")), Err((Lost::NoOffset, 0))),
            ("no offset, and all deleted", left(None, None), held(3, 3, id("a")), Err((Lost::NoOffset, 3))),
            ("deleted before it was read", left(Some(5), id("a")), held(6, 9, id("a")), Err((Lost::Expired, 6))),
            ("an older copy", left(Some(12), id("a")), held(0, 9, id("a")), Err((Lost::BeyondEnd, 9))),
            ("another topic", left(Some(5), id("a")), held(0, 9, id("b")), Err((Lost::Recreated, 0))),
        ];
        for (name, left, held, expected) in rows {
            let expected = expected.map(NextOffset::new).map_err(|(lost, to)| (lost, NextOffset::new(to)));
            assert_eq!(classify(&left, &held), expected, "{name}");
        }
    }

    #[test]
    fn a_changelog_goes_with_its_offset_or_is_a_gap() {
        let left = |offset: Option<i64>, state_id: Option<&str>| Left {
            offset: offset.map(NextOffset::new),
            topic_id: None,
            state_id: state_id.map(str::to_owned),
        };
        let rows = [
            ("as it was", left(Some(5), Some("s")), Some("s"), Some(5), None),
            ("an offset set by hand, or by a version before", left(Some(5), None), Some("s"), None, None),
            ("nothing handled yet", left(None, None), Some("s"), None, None),
            ("a broker that tells no ids", left(Some(5), Some("s")), None, Some(5), None),
            ("empty", left(Some(5), Some("s")), Some("s"), None, Some((Lost::StateLost, 5))),
            ("cut off", left(Some(5), Some("s")), Some("s"), Some(3), Some((Lost::StateLost, 5))),
            ("another one", left(Some(5), Some("s")), Some("u"), Some(5), Some((Lost::StateLost, 5))),
            ("offsets of an older copy", left(Some(5), Some("s")), Some("s"), Some(8), Some((Lost::OffsetBehind, 8))),
        ];
        for (name, left, state_id, position, expected) in rows {
            let found = judge_state(&left, state_id, position.map(NextOffset::new));
            assert_eq!(found, expected.map(|(lost, to)| (lost, NextOffset::new(to))), "{name}");
        }
    }

    #[test]
    fn an_acceptance_is_of_one_gap() {
        let gap = |from: Option<i64>, id: &str| Gap {
            group: "g".to_owned(),
            topic: "t".to_owned(),
            partition: 1,
            kind: Lost::Expired,
            from: from.map(NextOffset::new),
            to: NextOffset::new(6),
            topic_id: Some(id.to_owned()),
        };
        let record = r#"{"group":"g","topic":"t","partition":1,"kind":"expired","from":5,"to":7,"topic_id":"a",
            "accepted_by":"someone","accepted_at":"2026-11-29T00:00:00Z","why":"a field that no worker needs"}"#;
        let accepted: AcceptedGap = serde_json::from_str(record).unwrap();
        let more = Gap { to: NextOffset::new(8), ..gap(Some(5), "a") };
        let rows = [(gap(Some(5), "a"), Some(7)), (gap(Some(4), "a"), None), (gap(Some(5), "b"), None), (more, None)];
        for (gap, start) in rows {
            let mut positions = Positions::of(vec![gap]);
            positions.accept(std::slice::from_ref(&accepted));
            assert_eq!(positions.starts.values().copied().next(), start.map(NextOffset::new));
            assert_eq!(positions.gaps.is_empty(), start.is_some());
        }
    }
}
