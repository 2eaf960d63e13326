//! What the tables say after a stream, in whatever order it came; and where personal data is not.

use crate::events::{SECRET, Topics};
use crate::stand::{Writer, client, database, prepared};
use audit_log::{Codec, Entry, entries, unpack};
use audit_sink::identity::{IdentityHandler, erase};
use audit_sink::metrics::Metrics;
use runtime::stream::OwnedInput;
use runtime::stream::pg::PgHandler;
use schemas::Topic;
use serde_json::json;
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

/// Entries that the index says there are.
async fn entries_of(client: &Client) -> i64 {
    let query = "SELECT coalesce(sum(entries), 0)::bigint FROM defaultx.audit_runs";
    client.query_one(query, &[]).await.unwrap().get(0)
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
    assert_eq!(entries_of(&writer.client).await, 18, "the log has both");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_came_before_is_refused_whole() {
    let url = database("again").await;
    let mut writer = Writer::new(&url).await;
    let story = Topics::default().story(1);
    writer.write(&story).await.unwrap();
    assert!(writer.write(&story[..1]).await.is_err(), "coordinates are unique");
    assert_eq!(entries_of(&writer.client).await, 9);
    let mut topics = Topics::default();
    topics.story(1);
    writer.write(&topics.story(2)).await.unwrap();
    assert_eq!(entries_of(&writer.client).await, 18, "and the log goes on");
}

/// A header name of 70,000 bytes stopped the log for good, every five seconds anew.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_entry_can_hold_leaves_its_digest_and_the_log_goes_on() {
    let url = database("oversized").await;
    let mut writer = Writer::new(&url).await;
    let mut topics = Topics::default();
    let mut batch = topics.story(1);
    for record in &mut batch {
        record.headers.push(("n".repeat(70_000), Some(b"x".to_vec())));
        record.timestamp_ms = i64::MIN;
    }
    writer.write(&batch).await.unwrap();
    let mut large = topics.story(2);
    for record in &mut large {
        record.timestamp_ms = i64::MAX;
    }
    large[4].payload = Some(vec![b' '; 40 << 20]);
    large[5].payload = Some(vec![b' '; 17 << 20]);
    writer.write(&large).await.unwrap();
    let counted = |topic: &str| writer.metrics.entries.with_label_values(&[topic, "oversized"]).get();
    assert_eq!((counted("loan.applications.v1"), counted("loan.replies.v1")), (1, 2));
    let report = audit_sink::verify::run(&url, &audit_sink::verify::Options::default()).await.unwrap();
    assert!(report.is_whole(), "{report}");
    assert_eq!((report.entries(), report.logs[0].oversized), (18, 6), "five whole topics once, replies twice");
    assert_eq!(count(&writer.client, "defaultx.decisions").await, 2, "and what it says is projected");
}

/// Made-up control records forged the history of activations and hid their own dead letters.
#[tokio::test(flavor = "multi_thread")]
async fn control_records_count_in_their_topics_alone() {
    let url = database("control").await;
    let mut writer = Writer::new(&url).await;
    let mut topics = Topics::default();
    let mut batch = Vec::new();
    for topic in Topic::ALL.iter().copied().filter(|topic| topic.is_audited()) {
        let body = json!({"kind": "policy", "name": topic.base_name(), "version": "2", "digest": "aa",
                          "activated_by": "ana", "activated_at": "2026-09-21T14:13:20Z"});
        batch.push(topics.record(topic, "a", schemas::control::ACTIVATED, 0, &body));
    }
    writer.write(&batch).await.unwrap();
    let names = "SELECT name FROM defaultx.activations ORDER BY name COLLATE \"C\"";
    let names: Vec<String> = writer.client.query(names, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(names, ["credit.applications.v1", "credit.risk.v1"]);
    assert_eq!(count(&writer.client, "defaultx.dead_letters").await, 1, "a dead letter is one, whatever it says it is");
}

/// A record of a story with one member of its body replaced by raw JSON.
fn with(mut record: OwnedInput, pointer: &str, json: &str) -> OwnedInput {
    let mut body: serde_json::Value = serde_json::from_slice(record.payload.as_deref().unwrap()).unwrap();
    *body.pointer_mut(pointer).unwrap() = json!("@@");
    record.payload = Some(body.to_string().replace("\"@@\"", json).into_bytes());
    record
}

/// Text that PostgreSQL cannot compress into an index.
fn noise(length: usize) -> String {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'0' + (state >> 58) as u8)
    };
    std::iter::repeat_with(next).filter(char::is_ascii_alphanumeric).take(length).collect()
}

/// One decision with such a body stopped the log, or every question to the views over decisions.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_column_takes_is_in_the_log_alone() {
    let url = database("hostile").await;
    let mut writer = Writer::new(&url).await;
    let mut topics = Topics::default();
    let long = format!("\"{}\"", noise(12_000));
    let (nul, half) = (r#"[{"rank":1,"code":"x","text":"\u0000"}]"#, r#"[{"rank":1,"code":"x","text":"\ud800"}]"#);
    let deep = format!("[{{\"a\":{}{}}}]", "[".repeat(100_000), "]".repeat(100_000));
    // Which record of a story, what in it, and whether a row comes of it.
    let rows = [
        (7, "/principal_reasons", nul, true),
        (7, "/principal_reasons", half, false),
        (7, "/principal_reasons", "{\"rank\":1}", false),
        (7, "/principal_reasons", "[{\"rank\":\"first\"}]", false),
        (7, "/principal_reasons", "[{\"n\":1e999999}]", false),
        (7, "/rules", "\"none\"", false),
        (7, "/rules", &deep, false),
        (7, "/requested/amount/amount_minor", "9223372036854775808", false),
        (7, "/application/revision", "2147483648", false),
        (7, "/application/tenant", &long, false),
        (7, "/outcome", &long, false),
        (6, "/status", "\"\\u0000\"", true),
        (6, "/application/application_id", &long, false),
        (5, "/as_of", "\"-262143-01-01\"", true),
        (5, "/as_of", "\"+262142-12-31\"", true),
        (5, "/submitted_at", "\"99999-01-01T00:00:00Z\"", true),
        (4, "/tenant", &long, false),
        (4, "/origin/partition", "2147483648", false),
    ];
    let mut batch = Vec::new();
    for (n, (which, pointer, json, _)) in rows.iter().enumerate() {
        batch.push(with(topics.story(n).swap_remove(*which), pointer, json));
    }
    batch.push(with(topics.activation(), "/kind", &long));
    let mut letter = topics.dead_letter();
    letter.headers.push(("dl_reason".to_owned(), Some(vec![b'r'; 12_000])));
    letter.headers.push(("dl_stage".to_owned(), Some(b"re\0ceive".to_vec())));
    batch.push(letter);
    batch.extend(topics.story(90));
    writer.write(&batch).await.unwrap();

    let counted = |outcome: &str| writer.metrics.projected.with_label_values(&[outcome]).get();
    let fit = rows.iter().filter(|(.., fits)| *fits).count() as u64;
    assert_eq!(counted("unreadable"), rows.len() as u64 - fit + 1, "the activation with them");
    assert_eq!(entries_of(&writer.client).await, batch.len() as i64, "the log has all of them");
    for (query, expected) in [
        ("defaultx.decisions", 2),
        ("defaultx.decision_reasons WHERE rank = 1", 2),
        ("defaultx.rule_hits WHERE rule = 'cutoff_b'", 2),
        ("defaultx.applications WHERE as_of IS NULL", 2),
        ("defaultx.activations", 0),
        ("defaultx.dead_letters WHERE reason = 'unknown' AND room = 'unknown'", 1),
    ] {
        assert_eq!(count(&writer.client, query).await, expected, "{query}");
    }
    // As an earlier version may have written them.
    for (number, reasons) in [(7, "{}"), (8, "[1, {\"rank\": \"x\"}, {\"rank\": 1e300}]")] {
        let insert = format!(
            "INSERT INTO defaultx.decisions SELECT (jsonb_populate_record(d, jsonb_build_object('decision_number', {number},
             'reasons', '{reasons}'::jsonb, 'rules', '7'::jsonb))).* FROM defaultx.decisions d WHERE application_id = 'L-90'
             AND decision_number = 1"
        );
        writer.client.batch_execute(&insert).await.unwrap();
    }
    assert_eq!(count(&writer.client, "defaultx.decision_reasons WHERE coalesce(rank, 1) = 1").await, 5);
    assert_eq!(count(&writer.client, "defaultx.rule_hits WHERE rule = 'cutoff_b'").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_the_database_refuses_is_set_aside_alone() {
    let url = database("refused").await;
    let mut writer = Writer::new(&url).await;
    let demand = "ALTER TABLE defaultx.decisions ADD CHECK (application_id <> 'L-7');
                  ALTER TABLE identity.identities ADD CHECK (application_id <> 'L-7');
                  CREATE INDEX ON defaultx.receipts (told_of)";
    writer.client.batch_execute(demand).await.unwrap();
    let mut stream = stream();
    stream[9 * 5 + 8] = with(stream[9 * 5 + 8].clone(), "/event_id", &format!("\"{}\"", noise(4_000)));
    writer.write(&stream).await.unwrap();
    let failed = |table: &str| writer.metrics.projection_failures.with_label_values(&[table]).get();
    assert_eq!((failed("decisions"), failed("receipts"), failed("scores")), (1, 1, 0));
    assert_eq!(count(&writer.client, "defaultx.decisions").await, 29);
    assert_eq!(count(&writer.client, "defaultx.receipts").await, 29);
    assert_eq!(count(&writer.client, "defaultx.scores").await, 30);
    assert_eq!(entries_of(&writer.client).await, stream.len() as i64);
    assert_eq!(writer.metrics.repeated_rows.with_label_values(&["decisions"]).get(), 0);
    let report = audit_sink::verify::run(&url, &audit_sink::verify::Options::default()).await.unwrap();
    assert!(report.is_whole(), "{report}");

    let mut hostile = stream.clone();
    for record in hostile.iter_mut().filter(|record| record.topic.contains("identities")) {
        match record.key.as_deref() {
            Some(b"bank|L-1") => record.key = Some(b"bank|L-1\0".to_vec()),
            Some(b"bank|L-2") => record.key = Some([b"bank|".as_slice(), &vec![b'k'; 12_000]].concat()),
            Some(b"bank|L-3") => record.payload = Some(br#"{"name": "half \ud800"}"#.to_vec()),
            Some(b"bank|L-4") => record.payload = Some(br#"{"name": "nul \u0000"}"#.to_vec()),
            _ => {}
        }
    }
    keep_identities(&url, &hostile).await;
    assert_eq!(count(&writer.client, "identity.identities").await, 26, "three cannot be read, one is refused");

    writer.client.batch_execute("ALTER TABLE defaultx.decisions RENAME TO elsewhere").await.unwrap();
    let mut topics = Topics::default();
    (0..31).for_each(|n| drop(topics.story(n)));
    assert!(writer.write(&topics.story(31)).await.is_err(), "a missing table is nobody's value: the writer waits");
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
        let raw = unpack(segment.get(1), segment.get(0)).unwrap();
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
    let work = prepared(&mut handler.preparer(), &identities);
    let tx = client.transaction().await.unwrap();
    handler.apply(&tx, work).await.unwrap();
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
