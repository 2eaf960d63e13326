//! When a worker stands still, in whole or in part: a source of too many dead letters, a state that is
//! full, a consumer that may not read. It keeps its membership.

use super::trouble::Complaint;
use super::{Assigned, Consuming, InFlight, Session};
use crate::outage::KAFKA;
use crate::stream::engine::Engine;
use crate::stream::error::LoopError;
use crate::stream::handler::Handler;
use crate::stream::leaders::{self, Leaderless, leaderless};
use crate::stream::position::{self, Gap, Lost, Positions, Probe, Question, accepted_gaps, is_unreadable};
use crate::stream::state::Stored;
use crate::warn_unless_away;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use std::hash::Hash;
use std::time::{Duration, Instant};

impl Session<'_> {
    /// Reads no more of a topic, until the worker starts again. What was committed stays committed, so that it goes on from there.
    pub(super) fn pause_topic<K: Stored + Eq + Hash, V: Stored>(
        &self,
        consumer: &Assigned<K, V>,
        topic: &str,
    ) -> Result<(), LoopError> {
        let mut paused = TopicPartitionList::new();
        for element in consumer.assignment()?.elements_for_topic(topic) {
            paused.add_partition(topic, element.partition());
        }
        Ok(consumer.pause(&paused)?)
    }

    /// Those of the partitions held that may be read.
    pub(super) fn readable(&self, held: &TopicPartitionList) -> Result<TopicPartitionList, LoopError> {
        let mut readable = TopicPartitionList::new();
        let (dead_letter_limits, gaps) = (self.dead_letter_limits.borrow(), self.gaps.borrow());
        let is_gap = |topic: &str, partition| gaps.iter().any(|gap| gap.topic == topic && gap.partition == partition);
        let may_be_read = |topic: &str, partition| !dead_letter_limits.is_paused(topic) && !is_gap(topic, partition);
        let elements = held.elements();
        for element in elements.iter().filter(|e| !self.full.get() && may_be_read(e.topic(), e.partition())) {
            readable.add_partition(element.topic(), element.partition());
        }
        Ok(readable)
    }

    /// Says that the worker is ready, unless something else holds it; what is paused is told with it. One paused source is no
    /// reason to take the other sources' worker out of service.
    pub(super) fn show_ready(&self, words: &str) {
        let stands = self.complaint.borrow().is_some() || self.standing.borrow().is_some();
        if self.refused.get() > 0 || self.full.get() || self.cut_off.get() || stands {
            return;
        }
        if let [first, more @ ..] = self.gaps.borrow().as_slice() {
            let more = if more.is_empty() { String::new() } else { format!(" ({} more are held)", more.len()) };
            self.service.health.component(self.spec.worker).set_ready(false, format!("{first}{more}"));
            return;
        }
        if let Some(words) = self.words_of_waiting() {
            self.service.health.component(self.spec.worker).set_ready(false, words);
            return;
        }
        let paused: Vec<String> = self.dead_letter_limits.borrow().paused().map(str::to_owned).collect();
        let words = match paused.is_empty() {
            true => words.to_owned(),
            false => format!("{words}; paused by the dead-letter limit of dead letters: {}", paused.join(", ")),
        };
        self.service.health.component(self.spec.worker).set_ready(true, words);
    }

    /// Whether any broker is up, as the client's statistics say every two seconds: what is not read because nobody gives it must not look
    /// like nothing to read.
    pub(super) fn look_for_brokers(&self) {
        let is_cut_off = self.meter.is_cut_off();
        if self.cut_off.replace(is_cut_off) == is_cut_off {
            return;
        }
        match is_cut_off {
            true => self.service.health.component(self.spec.worker).set_ready(false, CUT_OFF),
            false => self.show_ready("kafka is reachable again"),
        }
    }

    /// Ends the session when a partition is no longer what was read so far, or somebody has accepted that it is not: the next one
    /// asks anew where it stands. The other partitions are read meanwhile.
    pub(super) fn look_for_places<H: Handler>(
        &self,
        consumer: &Consuming<H>,
        engine: &mut Engine<H>,
        in_flight: &mut Option<InFlight<H>>,
    ) -> Result<(), LoopError> {
        let mut why = self.out_of_place.get().then(|| "records were deleted before they were read".to_owned());
        if self.looked.get().elapsed() > PLACES_ARE_LOOKED_AT_EVERY {
            why = match self.look(consumer) {
                Ok(found) => why.or(found),
                Err(error) => {
                    warn_unless_away!(KAFKA, worker = self.spec.worker, %error, "places cannot be asked for");
                    why
                }
            };
            self.looked.set(Instant::now());
        }
        match why {
            Some(why) => {
                self.settle(consumer, engine, in_flight)?;
                Err(LoopError::Broken(why))
            }
            None => Ok(()),
        }
    }

    /// What has changed about the places held, so that the next session asks anew: a leader is back or gone, a gap is no gap any
    /// more, or somebody has accepted it.
    fn look<K: Stored + Eq + Hash, V: Stored>(&self, consumer: &Assigned<K, V>) -> Result<Option<String>, KafkaError> {
        let timeout = Duration::from_millis(self.spec.tuning.timeout_ms);
        // Nothing is heard meanwhile, neither of records nor of brokers that are gone.
        let lacking = leaderless(self.service.asking()?.client(), &self.spec.partitioned(), timeout.min(A_LOOK_TAKES))?;
        let waits = |e: &TopicPartitionListElem<'_>| lacking.of(e.topic(), e.partition()).is_some();
        if !self.waiting.borrow().elements().iter().all(waits) {
            return Ok(Some("a partition has a leader again".to_owned()));
        }
        let lost = words_of_lost(&lacking, &consumer.assignment()?);
        // An election takes a moment.
        if self.lacks.replace(lost.is_some()) && lost.is_some() {
            return Ok(lost);
        }
        if self.gaps.borrow().is_empty() {
            return Ok(None);
        }
        if self.has_healed(consumer, &lacking, timeout) {
            return Ok(Some("a gap is none any more".to_owned()));
        }
        let mut found = Positions::of(self.gaps.borrow().clone());
        found.accept(&accepted_gaps(&self.service.kafka.client(), &self.spec.gaps, timeout)?);
        if found.starts.is_empty() {
            return Ok(None);
        }
        // A batch that cannot be unpacked is no gap to who asks for offsets alone.
        consumer.commit(&found.moved()?, CommitMode::Sync)?;
        Ok(Some("a gap was accepted".to_owned()))
    }

    /// Whether one of the gaps is none any more: a leader that knows more, another copy of what was damaged. What a changelog has lost
    /// is not asked for: the next session reads it. A place that does not tell keeps none of the others from being accepted.
    fn has_healed<K: Stored + Eq + Hash, V: Stored>(
        &self,
        consumer: &Assigned<K, V>,
        lacking: &Leaderless,
        timeout: Duration,
    ) -> bool {
        let gaps = self.gaps.borrow();
        let may_heal = |gap: &&Gap| {
            !matches!(gap.kind, Lost::StateLost | Lost::OffsetBehind) && lacking.of(&gap.topic, gap.partition).is_none()
        };
        gaps.iter().filter(may_heal).any(|gap| {
            self.is_whole(consumer, gap, timeout).unwrap_or_else(|error| {
                tracing::warn!(worker = self.spec.worker, topic = gap.topic, partition = gap.partition, %error, "a gap is asked for in vain");
                false
            })
        })
    }

    fn is_whole<K: Stored + Eq + Hash, V: Stored>(
        &self,
        consumer: &Assigned<K, V>,
        gap: &Gap,
        timeout: Duration,
    ) -> Result<bool, KafkaError> {
        let mut place = TopicPartitionList::new();
        place.add_partition(&gap.topic, gap.partition);
        let question = Question {
            group: &gap.group,
            changelog: None,
            in_transactions: self.spec.in_transactions(),
            patience: Duration::ZERO,
            timeout,
        };
        let found = position::find(consumer, &consumer.committed_offsets(place, timeout)?, question)?;
        match (found.starts.values().next(), gap.kind) {
            (None, _) => Ok(false),
            (Some(start), Lost::Unreadable) => {
                let probe = Probe::connect(&self.service.kafka.client(), timeout)?;
                probe.is_readable(&gap.topic, gap.partition, *start)
            }
            (Some(_), _) => Ok(true),
        }
    }

    /// Ends the session where a partition that is read, or one that goes with it, has lost its leader: the next one leaves it out.
    pub(super) fn all_are_led(&self, held: &TopicPartitionList) -> Result<(), LoopError> {
        let timeout = Duration::from_millis(self.spec.tuning.timeout_ms);
        let lacking = leaderless(self.service.asking()?.client(), &self.spec.partitioned(), timeout)?;
        words_of_lost(&lacking, held).map_or(Ok(()), |words| Err(LoopError::Broken(words)))
    }

    fn words_of_waiting(&self) -> Option<String> {
        let waiting = self.waiting.borrow();
        let elements = waiting.elements();
        let names: Vec<String> = elements.iter().map(|e| format!("{}/{}", e.topic(), e.partition())).collect();
        (!names.is_empty())
            .then(|| format!("{} wait for a leader, of themselves or of what goes with them", names.join(", ")))
    }

    /// Finds the partitions that stand before a batch that the client cannot unpack. What came before it must have been handled: until
    /// then the place itself is one that can be read, and the client complains again. Everything is read again from the committed
    /// offsets, so that nothing behind such a batch is taken for what comes next.
    pub(super) fn look_for_unreadable<H: Handler>(
        &self,
        consumer: &Consuming<H>,
        engine: &mut Engine<H>,
        in_flight: &mut Option<InFlight<H>>,
    ) -> Result<(), LoopError> {
        self.settle(consumer, engine, in_flight)?;
        self.rewind(consumer)?;
        let timeout = Duration::from_millis(self.spec.tuning.timeout_ms);
        let read = self.readable(&consumer.assignment()?)?;
        let mut found = consumer.context().positions(&consumer.committed_offsets(read, timeout)?);
        found.probe(
            &Probe::connect(&self.service.kafka.client(), timeout)?,
            &self.service.kafka.topic(self.spec.worker),
        );
        if found.gaps.is_empty() {
            return Ok(());
        }
        let mut held = TopicPartitionList::new();
        for gap in found.gaps {
            tracing::error!(worker = self.spec.worker, %gap, "a gap");
            held.add_partition(&gap.topic, gap.partition);
            self.gaps.borrow_mut().push(gap);
        }
        consumer.pause(&held)?;
        *self.complaint.borrow_mut() = None;
        self.show_ready("reading");
        Ok(())
    }

    /// The consumer could not read something. The client goes on trying; what only an operator can mend makes the worker not
    /// ready until the complaint has not been heard for a while.
    pub(super) fn complain(&self, error: &KafkaError) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) {
            self.out_of_place.set(true);
        }
        if error.rdkafka_error_code().is_some_and(is_unreadable) {
            self.unreadable.set(true);
        }
        if !error.rdkafka_error_code().is_some_and(needs_an_operator) {
            tracing::debug!(worker = self.spec.worker, %error, "poll"); // the client has logged it, and goes on by itself
            return;
        }
        let mut complaint = self.complaint.borrow_mut();
        let text = error.to_string();
        if complaint.as_ref().is_none_or(|known| known.text != text) {
            tracing::error!(worker = self.spec.worker, error = text, "the consumer cannot read");
            let component = self.service.health.component(self.spec.worker);
            component.set_ready(false, format!("the consumer cannot read: {text}"));
        }
        *complaint = Some(Complaint { text, heard: Instant::now() });
    }

    /// Forgets a complaint that has not been heard for a while.
    pub(super) fn hear_no_more(&self) {
        let is_over = self.complaint.borrow().as_ref().is_some_and(|known| known.heard.elapsed() > COMPLAINT_STAYS);
        if is_over {
            *self.complaint.borrow_mut() = None;
            self.show_ready("reading again");
        }
    }

    /// Pauses intake while the state is full, rather than forget an application. What expires makes room, and then it goes on.
    pub(super) fn respect_cap<H: Handler>(
        &self,
        consumer: &Consuming<H>,
        engine: &mut Engine<H>,
        in_flight: &mut Option<InFlight<H>>,
    ) -> Result<(), LoopError> {
        let cap = self.spec.tuning.state_cap;
        if engine.entries() < cap {
            return Ok(());
        }
        self.settle(consumer, engine, in_flight)?;
        if engine.entries() < cap {
            return Ok(());
        }
        self.full.set(true);
        self.meter.state_paused.set(1);
        let component = self.service.health.component(self.spec.worker);
        component.set_ready(false, "state cap reached: intake paused");
        tracing::error!(worker = self.spec.worker, cap, "state cap reached: intake paused");
        consumer.pause(&consumer.assignment()?)?;
        let mut look = Instant::now();
        while engine.entries() >= cap && !self.service.shutdown.is_cancelled() {
            Self::able(consumer)?;
            drop(consumer.poll(Duration::from_millis(200)));
            if self.follow_changes(consumer, engine, in_flight)? {
                consumer.pause(&consumer.assignment()?)?;
            }
            if Instant::now() < look {
                continue;
            }
            let expired = engine.expire();
            if expired.overlay.is_empty() {
                look = Instant::now() + WORKER_IS_LOOKED_FOR_EVERY;
                continue;
            }
            *in_flight = Some(self.hand_over(consumer, expired, &[])?);
            self.settle(consumer, engine, in_flight)?;
        }
        self.full.set(false);
        self.meter.state_paused.set(0);
        consumer.resume(&self.readable(&consumer.assignment()?)?)?;
        // A record that came with the pause was dropped.
        self.rewind(consumer)?;
        self.show_ready("there is room again");
        Ok(())
    }
}

/// The first of the partitions held that has no leader, or whose like has none, in words.
fn words_of_lost(lacking: &Leaderless, held: &TopicPartitionList) -> Option<String> {
    held.elements().iter().find_map(|e| {
        let cause = lacking.of(e.topic(), e.partition())?;
        Some(leaders::words(e.topic(), e.partition(), cause))
    })
}

/// Between two looks for somebody who accepts a gap, and for leaders that are back.
const PLACES_ARE_LOOKED_AT_EVERY: Duration = Duration::from_secs(5);

/// The longest that a look for leaders may take.
const A_LOOK_TAKES: Duration = Duration::from_secs(3);

/// In words, of a worker that no broker answers.
pub(in crate::stream) const CUT_OFF: &str = "kafka is not reachable";
/// Longer than the client waits between two tries.
const COMPLAINT_STAYS: Duration = Duration::from_secs(30);
/// Between two looks for entries that have expired.
const WORKER_IS_LOOKED_FOR_EVERY: Duration = Duration::from_secs(5);

/// Whether waiting does not help.
fn needs_an_operator(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    is_unreadable(code)
        || matches!(
            code,
            Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::SaslAuthenticationFailed
                | Code::Authentication
                | Code::UnknownTopicOrPartition
                | Code::UnknownTopic
                | Code::UnknownPartition
        )
}
