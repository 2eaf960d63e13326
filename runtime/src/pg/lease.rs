//! Who writes a shard: one row of `defaultx.stream_writers`, moved by its holder with every batch and, while there is none, every
//! second. Whoever has watched it stand still takes it under a token one higher; the old holder's next move finds another token,
//! and its transaction is rolled back. No clock is compared with another. Nobody can hold it who may not write that table.

use std::time::{Duration, Instant};
use tokio_postgres::{Error, GenericClient};

/// How often a holder without work moves its lease, and how often the others look.
pub(crate) const BEAT: Duration = Duration::from_secs(1);
/// How long a lease must be seen to stand still before another takes it.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The right to write a shard, until somebody else has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    consumer: String,
    shard: i32,
    token: i64,
}

impl Lease {
    /// Moves the lease, best first of all in a transaction: its row then stays locked until the end, so that nobody takes the
    /// shard over meanwhile. False: it is another's by now.
    ///
    /// # Errors
    /// From the database.
    pub async fn renew<C: GenericClient>(&self, client: &C) -> Result<bool, Error> {
        let renew = "UPDATE defaultx.stream_writers SET beat = beat + 1, moved_at = clock_timestamp() \
                     WHERE consumer = $1 AND shard = $2 AND token = $3";
        Ok(client.execute(renew, &[&self.consumer, &self.shard, &self.token]).await? == 1)
    }

    /// Gives the lease back, so that the next one need not wait.
    ///
    /// # Errors
    /// From the database.
    pub async fn release<C: GenericClient>(&self, client: &C) -> Result<(), Error> {
        let release = "UPDATE defaultx.stream_writers SET released = true, beat = beat + 1, moved_at = clock_timestamp() \
                       WHERE consumer = $1 AND shard = $2 AND token = $3";
        client.execute(release, &[&self.consumer, &self.shard, &self.token]).await?;
        Ok(())
    }
}

/// One who wants to write a shard.
#[derive(Debug)]
pub struct Candidate {
    consumer: String,
    shard: i32,
    instance: String,
    /// The token that this process had last, and was not seen to lose.
    last: Option<i64>,
    /// Whether this process has looked before: its predecessor under the same instance id is gone only once.
    looked: bool,
    watched: Watched,
}

/// Where a candidate stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It writes.
    Writes(Lease),
    /// Another holds the lease and moves it.
    Behind,
    /// Another holds the lease and has not been seen to move it.
    Unsure,
}

impl Candidate {
    /// A candidate of this instance. A replacement under the same instance id need not wait for its predecessor's end.
    pub fn new(consumer: &str, shard: i32, instance: &str) -> Self {
        let (consumer, instance) = (consumer.to_owned(), instance.to_owned());
        Self { consumer, shard, instance, last: None, looked: false, watched: Watched::default() }
    }

    /// Looks at the lease and takes it where it may.
    ///
    /// # Errors
    /// From the database.
    pub async fn stand<C: GenericClient>(&mut self, client: &C, now: Instant) -> Result<Standing, Error> {
        let look =
            "SELECT token, beat, holder, released FROM defaultx.stream_writers WHERE consumer = $1 AND shard = $2";
        let token = match client.query_opt(look, &[&self.consumer, &self.shard]).await? {
            None => self.begin(client).await?,
            Some(row) => {
                let (token, beat): (i64, i64) = (row.get(0), row.get(1));
                self.watched.see((token, beat), now);
                let is_mine = self.last == Some(token) || (!self.looked && row.get::<_, String>(2) == self.instance);
                match is_mine || row.get(3) || self.watched.stands_still(now) {
                    true => self.take(client, token, beat).await?,
                    false => None,
                }
            }
        };
        self.looked = true;
        if let Some(token) = token {
            self.last = Some(token);
            self.watched = Watched::default();
            return Ok(Standing::Writes(Lease { consumer: self.consumer.clone(), shard: self.shard, token }));
        }
        Ok(if self.watched.moves(now) { Standing::Behind } else { Standing::Unsure })
    }

    /// Tells that the lease was found to be another's: it is waited for like anybody else's.
    pub fn lost(&mut self) {
        self.last = None;
    }

    async fn begin<C: GenericClient>(&self, client: &C) -> Result<Option<i64>, Error> {
        let begin = "INSERT INTO defaultx.stream_writers (consumer, shard, token, holder) VALUES ($1, $2, 1, $3) \
                     ON CONFLICT DO NOTHING RETURNING token";
        let row = client.query_opt(begin, &[&self.consumer, &self.shard, &self.instance]).await?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Takes the lease where it still stands as it was seen. A row that is locked belongs to a transaction under way.
    async fn take<C: GenericClient>(&self, client: &C, token: i64, beat: i64) -> Result<Option<i64>, Error> {
        let take = "WITH still AS (SELECT FROM defaultx.stream_writers \
                    WHERE consumer = $1 AND shard = $2 AND token = $3 AND beat = $4 FOR UPDATE SKIP LOCKED) \
                    UPDATE defaultx.stream_writers SET token = token + 1, beat = beat + 1, holder = $5, released = false, \
                    moved_at = clock_timestamp() \
                    WHERE consumer = $1 AND shard = $2 AND token = $3 AND EXISTS (SELECT FROM still) RETURNING token";
        let row = client.query_opt(take, &[&self.consumer, &self.shard, &token, &beat, &self.instance]).await?;
        Ok(row.map(|row| row.get(0)))
    }
}

/// What a candidate has seen of another's lease.
#[derive(Debug, Default)]
struct Watched {
    /// Token and beat as last seen, and since when they stand so.
    at: Option<((i64, i64), Instant)>,
    /// When they were last seen to have changed.
    moved: Option<Instant>,
}

impl Watched {
    fn see(&mut self, seen: (i64, i64), now: Instant) {
        match self.at {
            Some((before, _)) if before == seen => {}
            before => {
                self.moved = before.map(|_| now).or(self.moved);
                self.at = Some((seen, now));
            }
        }
    }

    fn stands_still(&self, now: Instant) -> bool {
        self.at.is_some_and(|(_, since)| now.saturating_duration_since(since) >= PATIENCE)
    }

    fn moves(&self, now: Instant) -> bool {
        self.moved.is_some_and(|moved| now.saturating_duration_since(moved) < PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_moves_or_stands_still_by_what_was_watched() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut watched = Watched::default();
        watched.see((1, 5), start);
        assert!(!watched.moves(start) && !watched.stands_still(after(9)), "one look says nothing");
        watched.see((1, 5), after(9));
        assert!(!watched.moves(after(9)) && watched.stands_still(after(10)));
        watched.see((1, 6), after(10));
        assert!(watched.moves(after(19)) && !watched.stands_still(after(19)));
        watched.see((1, 6), after(20));
        assert!(!watched.moves(after(20)) && watched.stands_still(after(20)), "it moved once and no more");
        watched.see((2, 7), after(21));
        assert!(watched.moves(after(21)), "another holder is a move");
    }
}
