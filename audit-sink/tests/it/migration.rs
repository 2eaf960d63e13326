//! Logs of before migration 12, whose index had a row for each entry.

use crate::events::Topics;
use crate::stand::{Writer, client, database};
use audit_log::{Entry, entries, leaf_hash, unpack};
use audit_sink::verify::{Options, run};
use tokio_postgres::Client;

const MIGRATION: &str = include_str!("../../../schemas/migrations/V12__audit_runs.sql");
/// What migration 12 found.
const INDEX_OF_BEFORE: &str = "
    DROP TABLE defaultx.audit_runs;
    CREATE TABLE defaultx.audit_entries (
        log int NOT NULL, seq bigint NOT NULL CHECK (seq >= 0), topic text COLLATE \"C\" NOT NULL, partition int NOT NULL,
        \"offset\" bigint NOT NULL, at timestamptz NOT NULL, leaf bytea NOT NULL CHECK (length(leaf) = 32), PRIMARY KEY (log, seq),
        CONSTRAINT audit_entries_coordinates UNIQUE (topic, partition, \"offset\"))";
const INSERT: &str =
    "INSERT INTO defaultx.audit_entries SELECT $1::int, $2::bigint, $3::text, $4::int, $5::bigint, now(), $6::bytea";

async fn runs(client: &Client) -> Vec<String> {
    let query = "SELECT r::text FROM defaultx.audit_runs r ORDER BY log, first_seq";
    client.query(query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_before_is_whole_afterwards_and_goes_on() {
    let url = database("before").await;
    let mut writer = Writer::new(&url).await;
    let mut topics = Topics::default();
    for round in 0..4 {
        let batch: Vec<_> = (round * 60..(round + 1) * 60).flat_map(|n| topics.story(n)).collect();
        writer.write(&batch).await.unwrap();
    }
    let client = client(&url).await;
    let as_written = runs(&client).await;
    client.batch_execute(INDEX_OF_BEFORE).await.unwrap();
    let query = "SELECT first_seq, raw_bytes, body FROM defaultx.audit_segments";
    for segment in client.query(query, &[]).await.unwrap() {
        let raw = unpack(segment.get(2), segment.get(1)).unwrap();
        for (seq, bytes) in (segment.get::<_, i64>(0)..).zip(entries(&raw)) {
            let bytes = bytes.unwrap();
            let Entry { topic, partition, offset, .. } = Entry::decode(bytes).unwrap();
            let leaf = leaf_hash(bytes);
            client.execute(INSERT, &[&0, &seq, &topic, &partition, &offset, &leaf.as_slice()]).await.unwrap();
        }
    }
    client.batch_execute(MIGRATION).await.unwrap();
    assert_eq!(runs(&client).await, as_written);
    let mut writer = Writer::new(&url).await;
    writer.write(&topics.story(300)).await.unwrap();
    let report = run(&url, &Options::default()).await.unwrap();
    assert!(report.is_whole(), "{report}");
    assert_eq!(report.entries(), 4 * 60 * 9 + 9);
}

/// A writer of before took records as they came.
#[tokio::test(flavor = "multi_thread")]
async fn runs_are_made_of_entries_in_any_order() {
    let client = client(&database("interleaved").await).await;
    client.batch_execute(INDEX_OF_BEFORE).await.unwrap();
    let segments = "INSERT INTO defaultx.audit_segments VALUES (0, 0, 4, 1, 'x'), (0, 5, 7, 1, 'x'), (1, 0, 1, 1, 'x')";
    client.batch_execute(segments).await.unwrap();
    let stood = [
        (0, "a", 0, 3),
        (0, "a", 0, 5),
        (0, "b", 0, 0),
        (0, "a", 0, 6),
        (0, "a", 2, 0),
        (0, "a", 2, 1),
        (0, "a", 0, 9),
        (0, "a", 0, 10),
        (1, "a", 1, 0),
        (1, "a", 1, 4),
    ];
    for (n, (log, topic, partition, offset)) in stood.into_iter().enumerate() {
        let (seq, leaf): (i64, &[u8]) = (n as i64 - 8 * i64::from(log), &[7; 32]);
        client.execute(INSERT, &[&log, &seq, &topic, &partition, &i64::from(offset), &leaf]).await.unwrap();
    }
    client.batch_execute(MIGRATION).await.unwrap();
    let expected = [
        "(0,0,2,a,0,,3,5)",
        "(0,2,1,b,0,,0,0)",
        "(0,3,1,a,0,5,6,6)",
        "(0,4,1,a,2,,0,0)",
        "(0,5,1,a,2,0,1,1)",
        "(0,6,2,a,0,6,9,10)",
        "(1,0,2,a,1,,0,4)",
    ];
    assert_eq!(runs(&client).await, expected);
}
