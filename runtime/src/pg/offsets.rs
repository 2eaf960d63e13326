//! Next offsets in PostgreSQL, moved in the same transaction as the rows they stand for, and only from where they are expected
//! to be. Whoever finds them elsewhere is a zombie and must roll back.

use std::collections::BTreeMap;
use tokio_postgres::{Error, GenericClient, Row};

/// (topic with prefix, partition).
pub type Place = (String, i32);

/// Where a consumer stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stand {
    /// The next offset.
    pub next: i64,
    /// The topic's id, base64; none where the broker tells none, or a version before has written it.
    pub topic_id: Option<String>,
    /// Where it reads on behind a gap that somebody has accepted, until a record from there has its row.
    pub reads_on: Option<i64>,
}

impl Stand {
    /// Behind the newest record.
    pub fn at(next: i64, topic_id: Option<String>) -> Self {
        Self { next, topic_id, reads_on: None }
    }

    /// The offset to read next.
    pub fn start(&self) -> i64 {
        self.reads_on.unwrap_or(self.next)
    }
}

/// Where this consumer stands in each place that it has ever written.
///
/// # Errors
/// From the database.
pub async fn load<C: GenericClient>(client: &C, consumer: &str) -> Result<BTreeMap<Place, Stand>, Error> {
    let query = "SELECT topic, partition, next_offset, topic_id, reads_on FROM defaultx.stream_offsets \
                 WHERE consumer = $1";
    let rows = client.query(query, &[&consumer]).await?;
    let stand =
        |row: &Row| ((row.get(0), row.get(1)), Stand { next: row.get(2), topic_id: row.get(3), reads_on: row.get(4) });
    Ok(rows.iter().map(stand).collect())
}

/// Moves one place from `expected` (`None`: never written) to `new`. False: it stands elsewhere, roll back.
///
/// # Errors
/// From the database.
pub async fn advance<C: GenericClient>(
    tx: &C,
    consumer: &str,
    (topic, partition): &Place,
    expected: Option<i64>,
    new: &Stand,
) -> Result<bool, Error> {
    let Stand { next, topic_id, reads_on } = new;
    let touched = match expected {
        Some(expected) => {
            let update = "UPDATE defaultx.stream_offsets SET next_offset = $5, topic_id = $6, reads_on = $7 \
                          WHERE consumer = $1 AND topic = $2 AND partition = $3 AND next_offset = $4";
            tx.execute(update, &[&consumer, topic, partition, &expected, next, topic_id, reads_on]).await?
        }
        None => {
            let insert = "INSERT INTO defaultx.stream_offsets (consumer, topic, partition, next_offset, topic_id) \
                          VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
            tx.execute(insert, &[&consumer, topic, partition, next, topic_id]).await?
        }
    };
    Ok(touched == 1)
}
