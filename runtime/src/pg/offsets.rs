//! Next offsets in PostgreSQL, moved in the same transaction as the rows they stand for, and only from where they are expected
//! to be. Whoever finds them elsewhere is a zombie and must roll back.

use crate::stream::NextOffset;
use std::collections::BTreeMap;
use tokio_postgres::{Error, GenericClient, Row};

/// (topic with prefix, partition).
pub type Place = (String, i32);

/// Where a consumer stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stand {
    /// Behind the newest record that has its row.
    pub next: NextOffset,
    /// The topic's id, base64; none where the broker tells none, or a version before has written it.
    pub topic_id: Option<String>,
    /// Where it reads on behind a gap that somebody has accepted, until a record from there has its row.
    pub reads_on: Option<NextOffset>,
}

impl Stand {
    /// Behind the newest record.
    pub fn at(next: NextOffset, topic_id: Option<String>) -> Self {
        Self { next, topic_id, reads_on: None }
    }

    /// Where reading goes on.
    pub fn start(&self) -> NextOffset {
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
    let stand = |row: &Row| {
        let (next, reads_on) = (NextOffset::new(row.get(2)), row.get::<_, Option<i64>>(4).map(NextOffset::new));
        ((row.get(0), row.get(1)), Stand { next, topic_id: row.get(3), reads_on })
    };
    Ok(rows.iter().map(stand).collect())
}

/// Moves places, each from where it is expected (absent: never written), in one statement. False: one of them stands elsewhere,
/// roll back.
///
/// # Errors
/// From the database.
pub async fn advance<C: GenericClient>(
    tx: &C,
    consumer: &str,
    expected: &BTreeMap<Place, NextOffset>,
    new: &BTreeMap<Place, Stand>,
) -> Result<bool, Error> {
    let advance = "WITH new AS (\
                     SELECT * FROM unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[]) \
                       AS n(topic, partition, expected, next_offset, topic_id, reads_on)\
                   ), moved AS (\
                     UPDATE defaultx.stream_offsets o \
                     SET next_offset = n.next_offset, topic_id = n.topic_id, reads_on = n.reads_on FROM new n \
                     WHERE o.consumer = $1 AND o.topic = n.topic AND o.partition = n.partition \
                       AND o.next_offset = n.expected RETURNING 1\
                   ), begun AS (\
                     INSERT INTO defaultx.stream_offsets (consumer, topic, partition, next_offset, topic_id) \
                     SELECT $1, topic, partition, next_offset, topic_id FROM new WHERE expected IS NULL \
                     ON CONFLICT DO NOTHING RETURNING 1\
                   ) SELECT (SELECT count(*) FROM moved) + (SELECT count(*) FROM begun)";
    let (topics, partitions): (Vec<&str>, Vec<i32>) = new.keys().map(|(topic, id)| (topic.as_str(), *id)).unzip();
    let expected: Vec<Option<i64>> = new.keys().map(|place| expected.get(place).map(|at| at.get())).collect();
    let next: Vec<i64> = new.values().map(|stand| stand.next.get()).collect();
    let topic_ids: Vec<Option<&str>> = new.values().map(|stand| stand.topic_id.as_deref()).collect();
    let reads_on: Vec<Option<i64>> = new.values().map(|stand| stand.reads_on.map(NextOffset::get)).collect();
    let row =
        tx.query_one(advance, &[&consumer, &topics, &partitions, &expected, &next, &topic_ids, &reads_on]).await?;
    Ok(row.get::<_, i64>(0) == new.len() as i64)
}
