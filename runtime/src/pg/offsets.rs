//! Next offsets in PostgreSQL, moved in the same transaction as the rows they stand for, and only from where they are expected
//! to be. Whoever finds them elsewhere is a zombie and must roll back.

use std::collections::BTreeMap;
use tokio_postgres::{Error, GenericClient};

/// (topic with prefix, partition).
pub type Place = (String, i32);

/// The next offset of each place that this consumer has ever written.
///
/// # Errors
/// From the database.
pub async fn load<C: GenericClient>(client: &C, consumer: &str) -> Result<BTreeMap<Place, i64>, Error> {
    let query = "SELECT topic, partition, next_offset FROM defaultx.stream_offsets WHERE consumer = $1";
    let rows = client.query(query, &[&consumer]).await?;
    Ok(rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect())
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
    new: i64,
) -> Result<bool, Error> {
    let touched = match expected {
        Some(expected) => {
            let update = "UPDATE defaultx.stream_offsets SET next_offset = $5 \
                          WHERE consumer = $1 AND topic = $2 AND partition = $3 AND next_offset = $4";
            tx.execute(update, &[&consumer, topic, partition, &expected, &new]).await?
        }
        None => {
            let insert = "INSERT INTO defaultx.stream_offsets (consumer, topic, partition, next_offset) \
                          VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
            tx.execute(insert, &[&consumer, topic, partition, &new]).await?
        }
    };
    Ok(touched == 1)
}
