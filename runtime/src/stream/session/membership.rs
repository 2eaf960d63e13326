//! Whether the group still counts this member in, and who took its place where it does not (ADR 5).

use super::{Assigned, Session};
use crate::stream::producer::is_fenced;
use crate::stream::run::LoopError;
use crate::stream::state::Stored;
use rdkafka::consumer::Consumer;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Four heartbeats: by then the coordinator has told a member that another one joined under its name.
const SUCCESSOR_SHOWS_WITHIN: Duration = Duration::from_secs(4);
/// A broker that is up tells its metadata sooner.
const BROKER_ANSWERS_WITHIN: Duration = Duration::from_secs(1);
/// Nothing but what has been queued already is waited for.
const LOG_IS_READ_WITHIN: Duration = Duration::from_secs(1);

impl Session<'_> {
    /// Whether another instance holds this one's group membership, asked before new clients would take its ids from it. A
    /// producer is also fenced when its transaction timed out while the broker was away, and a zombie may meet any other
    /// error first; only the membership tells. While the broker is away nobody can tell, and nothing else can be done.
    pub(super) fn is_usurped<K: Stored + Eq + Hash, V: Stored>(&self, consumer: &Assigned<K, V>) -> bool {
        let mut heard: Option<Instant> = None;
        loop {
            if let Some((code, _)) = consumer.client().fatal_error() {
                return is_fenced(code) && !Self::has_lost_session(consumer);
            }
            if self.service.shutdown.is_cancelled() || heard.is_some_and(|at| at.elapsed() > SUCCESSOR_SHOWS_WITHIN) {
                return false;
            }
            drop(consumer.poll(Duration::from_millis(100)));
            let answers =
                || consumer.fetch_metadata(self.spec.inputs.first().map(AsRef::as_ref), BROKER_ANSWERS_WITHIN);
            if heard.is_none() && answers().is_ok() {
                heard = Some(Instant::now());
            }
        }
    }

    /// Whether this member's session had run out before the coordinator fenced it. Such a member forgets its member id and
    /// goes on beating without one until its partitions are given back; the coordinator takes it for a stranger under a name
    /// that is taken (librdkafka issue 3437). Nobody has to be there: the worker starts again, and a successor, if there is one,
    /// is fenced by that and ends.
    fn has_lost_session<K: Stored + Eq + Hash, V: Stored>(consumer: &Assigned<K, V>) -> bool {
        let until = Instant::now() + LOG_IS_READ_WITHIN;
        // The log waits to be polled like everything else.
        while Instant::now() < until && consumer.poll(Duration::from_millis(50)).is_some() {}
        consumer.context().has_lost_session()
    }

    /// Whether the consumer can go on. A fatal error stays with the client: as a polled event it would be seen once, and not
    /// at all behind a rebalance.
    pub(super) fn able<K: Stored + Eq + Hash, V: Stored>(consumer: &Assigned<K, V>) -> Result<(), LoopError> {
        match consumer.client().fatal_error() {
            Some((_, why)) => Err(LoopError::Broken(why)),
            None => Ok(()),
        }
    }
}
