//! What the tables say after a stream, in whatever order it came; and where personal data is not.

use crate::events::{SECRET, Topics};
use crate::stand::{Writer, client, database};
use audit_sink::identity::{IdentityHandler, erase};
use audit_sink::metrics::Metrics;
use runtime::stream::OwnedInput;
use runtime::stream::pg::PgHandler;
use schemas::audit_entry::{Codec, Entry, entries};
use tokio_postgres::Client;

const TABLES: [&str; 8] =
    ["applications", "withdrawals", "scores", "decisions", "replies", "receipts", "dead_letters", "activations"];

/// Every row of a projection without its place in the log.
async fn rows(client: &Client, table: &str) -> Vec<String> {
    let query = format!("SELECT (to_jsonb(t) - 'log' - 'seq')::text AS row FROM defaultx.{table} t ORDER BY 1");
    client.query(&query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn count(client: &Client, query: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) FROM {query}"), &[]).await.unwrap().get(0)
}

fn stream() -> Vec<OwnedInput> {
    let mut topics = Topics::default();
    let mut stream: Vec<_> = (0..30).flat_map(|n| topics.story(n)).collect();
    stream.extend([topics.dead_letter(), topics.activation(), topics.activation()]);
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_do_not_depend_on_order_or_batches() {
    let stream = stream();
    let mut by_topic = stream.clone();
    by_topic.sort_by(|a, b| b.topic.cmp(&a.topic).then(a.offset.cmp(&b.offset)));
    let mut results = Vec::new();
    for (name, records, size) in [("orders_a", &stream, 7), ("orders_b", &by_topic, 1000)] {
        let url = database(name).await;
        let mut writer = Writer::new(&url).await;
        for batch in records.chunks(size) {
            writer.write(batch).await.unwrap();
        }
        let mut tables = Vec::new();
        for table in TABLES {
            tables.push((table, rows(&writer.client, table).await));
        }
        results.push(tables);
    }
    assert_eq!(results[0], results[1]);
    let counts: Vec<_> = results[0].iter().map(|(table, rows)| (*table, rows.len())).collect();
    let expected = [30, 0, 30, 30, 30, 30, 1, 1];
    assert_eq!(counts, TABLES.into_iter().zip(expected).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_twice_counts_once() {
    let url = database("twice").await;
    let mut writer = Writer::new(&url).await;
    let mut topics = Topics::default();
    let repeated = |writer: &Writer, table: &str| writer.metrics.repeated_rows.with_label_values(&[table]).get();
    writer.write(&topics.story(1)).await.unwrap();
    assert_eq!(repeated(&writer, "decisions"), 0);
    writer.write(&topics.story(1)).await.unwrap();
    assert_eq!(repeated(&writer, "decisions"), 1, "and is counted as repeated");
    assert_eq!(count(&writer.client, "defaultx.decisions").await, 1);
    assert_eq!(count(&writer.client, "defaultx.replies").await, 1);
    assert_eq!(count(&writer.client, "defaultx.audit_entries").await, 18, "the log has both");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_came_before_is_refused_whole() {
    let url = database("again").await;
    let mut writer = Writer::new(&url).await;
    let story = Topics::default().story(1);
    writer.write(&story).await.unwrap();
    assert!(writer.write(&story[..1]).await.is_err(), "coordinates are unique");
    assert_eq!(count(&writer.client, "defaultx.audit_entries").await, 9);
    let mut topics = Topics::default();
    topics.story(1);
    writer.write(&topics.story(2)).await.unwrap();
    assert_eq!(count(&writer.client, "defaultx.audit_entries").await, 18, "and the log goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn views_answer_the_dashboards() {
    let url = database("views").await;
    let mut writer = Writer::new(&url).await;
    writer.write(&stream()).await.unwrap();
    for (query, expected) in [
        ("defaultx.current_decisions WHERE outcome = 'refer'", 10),
        ("defaultx.decision_reasons WHERE code = 'delinquent_obligations' AND source = 'model'", 30),
        ("defaultx.rule_hits WHERE rule = 'cutoff_b' AND policy_version = '1'", 30),
        ("defaultx.feature_flags_daily WHERE feature = 'sector' AND flag = 'unknown' AND rate = 1 AND scored = 30", 1),
        ("defaultx.scores WHERE report_status = '{thin}' AND report_age_days = 10", 30),
        ("defaultx.decisions WHERE approved_minor IS NOT NULL AND received_at < decided_at", 10),
        ("defaultx.dead_letters WHERE reason = 'schema_violation' AND room = 'receive' AND origin_offset = 77", 1),
        ("defaultx.applications WHERE subject = 'ab12' AND as_of = '2026-09-01' AND term_months = 12", 30),
    ] {
        assert_eq!(count(&writer.client, query).await, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn personal_data_is_in_the_identity_store_alone() {
    let url = database("personal").await;
    let mut writer = Writer::new(&url).await;
    let stream = stream();
    writer.write(&stream).await.unwrap();
    keep_identities(&url, &stream).await;

    let client = client(&url).await;
    for table in holding(&client, SECRET).await {
        assert_eq!(table, "identity.identities");
    }
    let segments = client.query("SELECT raw_bytes, body FROM defaultx.audit_segments", &[]).await.unwrap();
    let mut digests = 0;
    for segment in &segments {
        let raw = zstd::bulk::decompress(segment.get(1), segment.get::<_, i32>(0) as usize).unwrap();
        assert!(!raw.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes()));
        let parsed = entries(&raw).map(|bytes| Entry::decode(bytes.unwrap()).unwrap().codec);
        digests += parsed.filter(|codec| *codec == Codec::DigestOnly).count();
    }
    assert_eq!(digests, 30 * 4 + 1);

    assert_eq!(count(&client, "identity.identities").await, 30);
    assert_eq!(erase(&client, "bank", "L-7").await.unwrap(), 1);
    assert_eq!(count(&client, "identity.identities WHERE application_id = 'L-7'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflicting_body_does_not_displace_the_accepted_identity() {
    let url = database("conflict").await;
    let mut topics = Topics::default();
    let (first, mut second) = (topics.story(1), topics.story(1));
    for (name, value) in &mut second[2].headers {
        if name == "ce_datadigest" {
            *value = Some(b"another".to_vec());
        }
    }
    keep_identities(&url, &first).await;
    keep_identities(&url, &second).await;
    keep_identities(&url, &first).await;
    assert_eq!(count(&client(&url).await, "identity.identities WHERE application_id = 'L-1'").await, 2);
}

async fn keep_identities(url: &str, stream: &[OwnedInput]) {
    let mut client = client(url).await;
    let mut handler = IdentityHandler::new(Metrics::new(&prometheus::Registry::new()).unwrap());
    handler.reset(&client).await.unwrap();
    let identities: Vec<_> = stream.iter().filter(|record| record.topic.contains("identities")).cloned().collect();
    let tx = client.transaction().await.unwrap();
    handler.apply(&tx, &identities).await.unwrap();
    tx.commit().await.unwrap();
    handler.committed();
}

/// Tables with a row whose text holds `needle`.
async fn holding(client: &Client, needle: &str) -> Vec<String> {
    let tables =
        "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('defaultx', 'identity', 'public')";
    let mut found = Vec::new();
    for row in client.query(tables, &[]).await.unwrap() {
        let table: String = row.get(0);
        let query = format!("SELECT count(*) FROM {table} t WHERE t::text LIKE '%' || $1 || '%'");
        if client.query_one(&query, &[&needle]).await.unwrap().get::<_, i64>(0) > 0 {
            found.push(table);
        }
    }
    assert!(!found.is_empty(), "the search itself works");
    found
}
