//! Somebody changes a projection by hand: the walk names table and column, samples count it, a rebuild puts it right. Columns are read from
//! the catalogue, so that one that is added later is tried too.

use crate::events::Topics;
use crate::stand::{Writer, client, copy, database};
use audit_sink::rebuild::{Asked, Rebuilt, projections, rebuild};
use audit_sink::report::{Fault, Report};
use audit_sink::signer::{Sampling, SignerMetrics, sample, sample_logs};
use audit_sink::verify::{Options, run};
use runtime::stream::OwnedInput;
use schemas::{Topic, application, control};
use serde_json::json;
use std::time::Duration;
use tokio_postgres::Client;

const STORIES: usize = 12;

/// What makes rows of every projection, some of them twice.
fn stream() -> Vec<OwnedInput> {
    let mut topics = Topics::default();
    let mut stream: Vec<_> = (0..STORIES).flat_map(|n| topics.story(n)).collect();
    stream.extend([topics.dead_letter(), topics.activation(), topics.activation()]);
    let body = json!({"kind": "route", "name": "demo", "version": "3", "digest": "bb", "activated_by": "ana",
                      "activated_at": "2026-09-21T14:13:20.123456Z"});
    stream.push(topics.record(Topic::Risk, "b", control::ACTIVATED, 0, &body));
    for n in 0..2 {
        let body =
            json!({"tenant": "bank", "application_id": format!("L-{n}"), "withdrawn_at": "2026-09-21T14:14:20Z"});
        stream.push(topics.record(Topic::Applications, &format!("w-{n}"), application::WITHDRAWN, n, &body));
    }
    stream.extend(topics.story(1));
    stream
}

/// A log of that, in batches of `size`.
pub async fn written(name: &str, size: usize) -> String {
    let url = database(name).await;
    let mut writer = Writer::new(&url).await;
    for batch in stream().chunks(size) {
        writer.write(batch).await.unwrap();
    }
    url
}

/// A session that no trigger binds.
pub async fn owner(url: &str) -> Client {
    let client = client(url).await;
    client.batch_execute("SET session_replication_role = replica").await.unwrap();
    client
}

/// Every row of every projection.
pub async fn rows(client: &Client) -> Vec<(&'static str, Vec<String>)> {
    let mut all = Vec::new();
    for table in projections() {
        let query = format!("SELECT to_jsonb(t)::text FROM defaultx.{table} t ORDER BY 1");
        all.push((table, client.query(&query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()));
    }
    all
}

pub async fn found(url: &str) -> Report {
    run(url, &Options::default()).await.unwrap()
}

pub async fn rebuilt(url: &str, asked: Asked) -> Vec<Rebuilt> {
    rebuild(&mut client(url).await, &asked, |done, total| assert!(done <= total)).await.unwrap()
}

/// Columns of a table with an expression that is another value of theirs.
async fn columns(client: &Client, table: &str) -> Vec<(String, String)> {
    let query = "SELECT column_name::text, udt_name::text FROM information_schema.columns
                 WHERE table_schema = 'defaultx' AND table_name = $1 ORDER BY ordinal_position";
    let other = |column: &str, kind: &str| match kind {
        "text" => format!("coalesce({column}, '') || 'x'"),
        "int2" | "int4" | "int8" | "date" => {
            format!("coalesce({column}, '{}') + 1", if kind == "date" { "2026-01-01" } else { "0" })
        }
        "float8" => format!("coalesce({column}, 0) + 0.000001"),
        "bool" => format!("NOT {column}"),
        "uuid" => "gen_random_uuid()".to_owned(),
        "timestamptz" => format!("coalesce({column}, now()) + interval '1 microsecond'"),
        "_text" => format!("array_append({column}, 'x')"),
        "jsonb" => format!("{column} || '[{{\"rank\": 9}}]'"),
        kind => panic!("{table}.{column} is of type {kind}: say here how it is changed"),
    };
    let told = client.query(query, &[&table]).await.unwrap();
    let named = told.iter().map(|row| (row.get::<_, String>(0), row.get::<_, String>(1)));
    named
        .map(|(column, kind)| {
            let value = other(&format!("\"{column}\""), &kind);
            (column, value)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_column_of_each_projection_is_held() {
    let url = written("held_columns", 25).await;
    let whole = found(&url).await;
    assert!(whole.is_whole(), "{whole}");
    assert_eq!(whole.projections.len(), 8, "{:?}", whole.projections);
    let owner = owner(&url).await;
    let mut tried = 0;
    for table in projections() {
        owner.batch_execute(&format!("CREATE TABLE public.kept AS SELECT * FROM defaultx.{table}")).await.unwrap();
        for (column, value) in columns(&owner, table).await {
            let one = format!("ctid = (SELECT ctid FROM defaultx.{table} ORDER BY seq DESC LIMIT 1)");
            owner
                .batch_execute(&format!("UPDATE defaultx.{table} SET \"{column}\" = {value} WHERE {one}"))
                .await
                .unwrap();
            let report = found(&url).await;
            let [Fault::RowChanged { table: named, columns, .. }] = &report.faults[..] else {
                panic!("{table}.{column}: {report}");
            };
            assert_eq!((*named, columns.as_slice()), (table, std::slice::from_ref(&column)), "{report}");
            let back = format!("TRUNCATE defaultx.{table}; INSERT INTO defaultx.{table} SELECT * FROM public.kept");
            owner.batch_execute(&back).await.unwrap();
            tried += 1;
        }
        owner.batch_execute("DROP TABLE public.kept").await.unwrap();
    }
    assert!(tried > 120, "{tried} columns");
    assert!(found(&url).await.is_whole());
}

/// Name, what is done to every trigger's silence, how many faults of which kind.
type Tampering = (&'static str, &'static str, fn(&Fault) -> bool, usize);

const TAMPERINGS: [Tampering; 12] = [
    (
        "an outcome",
        "UPDATE defaultx.decisions SET outcome = 'approve' WHERE outcome = 'decline'",
        |fault| matches!(fault, Fault::RowChanged { table: "decisions", columns, .. } if columns.contains(&"outcome".to_owned())),
        4,
    ),
    (
        "a row deleted",
        "DELETE FROM defaultx.scores WHERE application_id = 'L-3'",
        |fault| matches!(fault, Fault::RowMissing { table: "scores", .. }),
        1,
    ),
    (
        "a row that came twice, deleted",
        "DELETE FROM defaultx.decisions WHERE application_id = 'L-1'",
        |fault| matches!(fault, Fault::RowMissing { table: "decisions", .. }),
        1,
    ),
    (
        "a row in the name of another's entry",
        "INSERT INTO defaultx.decisions SELECT (jsonb_populate_record(d, '{\"decision_number\": 2, \"outcome\": \"approve\"}')).*
         FROM defaultx.decisions d WHERE application_id = 'L-3'",
        |fault| matches!(fault, Fault::RowWithoutEntry { table: "decisions", .. }),
        1,
    ),
    (
        "a row in the name of an entry of another kind",
        "INSERT INTO defaultx.decisions SELECT (jsonb_populate_record(d, '{\"decision_number\": 2, \"seq\": 0}')).*
         FROM defaultx.decisions d WHERE application_id = 'L-3'",
        |fault| matches!(fault, Fault::RowWithoutEntry { table: "decisions", seq: 0, .. }),
        1,
    ),
    (
        "a row of no log",
        "INSERT INTO defaultx.replies SELECT (jsonb_populate_record(r, jsonb_build_object('event_id', gen_random_uuid(), 'log', 7))).*
         FROM defaultx.replies r LIMIT 1",
        |fault| matches!(fault, Fault::RowWithoutEntry { table: "replies", log: 7, .. }),
        1,
    ),
    (
        "a row behind the log",
        "INSERT INTO defaultx.dead_letters SELECT (jsonb_populate_record(d, '{\"offset\": 99, \"seq\": 1000000}')).* FROM defaultx.dead_letters d",
        |fault| matches!(fault, Fault::RowWithoutEntry { table: "dead_letters", seq: 1_000_000, .. }),
        1,
    ),
    (
        "a row twice, its key's index gone",
        "ALTER TABLE defaultx.withdrawals DROP CONSTRAINT withdrawals_pkey;
         INSERT INTO defaultx.withdrawals SELECT * FROM defaultx.withdrawals WHERE application_id = 'L-0'",
        |fault| matches!(fault, Fault::RowWithoutEntry { table: "withdrawals", .. }),
        1,
    ),
    (
        "two rows that changed places",
        "UPDATE defaultx.receipts r SET seq = o.seq FROM defaultx.receipts o WHERE r.application_id IN ('L-3', 'L-4')
         AND o.application_id IN ('L-3', 'L-4') AND o.application_id <> r.application_id",
        |fault| matches!(fault, Fault::RowWithoutEntry { table: "receipts", .. } | Fault::RowChanged { table: "receipts", .. }),
        2,
    ),
    (
        "a key",
        "UPDATE defaultx.scores SET revision = 7 WHERE application_id = 'L-4'",
        |fault| matches!(fault, Fault::RowChanged { table: "scores", columns, .. } if columns == &["revision"]),
        1,
    ),
    (
        "an emptied table",
        "TRUNCATE defaultx.applications",
        |fault| matches!(fault, Fault::RowMissing { table: "applications", .. }),
        STORIES,
    ),
    (
        "the same, written again",
        "UPDATE defaultx.decisions SET reasons = reasons::text::jsonb",
        |_| true,
        0,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_by_hand_is_found_and_put_right() {
    let url = written("held", 25).await;
    let before = rows(&client(&url).await).await;
    let counts: Vec<_> = before.iter().map(|(table, rows)| (*table, rows.len())).collect();
    assert!(counts.iter().all(|(_, count)| *count > 0), "{counts:?}");
    for (what, sql, is_expected, count) in TAMPERINGS {
        let copied = copy(&url, "held_tampered").await;
        let owner = owner(&copied).await;
        owner.batch_execute(sql).await.unwrap();
        let report = found(&copied).await;
        assert_eq!(report.faults.len(), count, "{what}: {report}");
        assert!(report.faults.iter().all(is_expected), "{what}: {report}");
        let foretold = rebuilt(&copied, Asked { dry_run: true, ..Asked::default() }).await;
        assert_eq!(found(&copied).await.faults, report.faults, "{what}: a dry run changes nothing");
        let done = rebuilt(&copied, Asked::default()).await;
        assert_eq!(done.iter().any(|table| table.removed + table.written > 0), count > 0, "{what}: {done:?}");
        assert_eq!(foretold.iter().any(|table| table.removed + table.written > 0), count > 0, "{what}: {foretold:?}");
        let report = found(&copied).await;
        assert!(report.is_whole(), "{what}: {report}");
        assert_eq!(rows(&owner).await, before, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuilt_projection_equals_the_old_one() {
    for (name, size) in [("rebuilt_small", 7), ("rebuilt_large", 1_000)] {
        let url = written(name, size).await;
        let owner = owner(&url).await;
        let before = rows(&owner).await;
        let idle = rebuilt(&url, Asked::default()).await;
        assert!(idle.iter().all(|table| table.removed + table.written == 0), "{idle:?}");
        let tables: Vec<_> = projections().map(|table| format!("defaultx.{table}")).into();
        owner.batch_execute(&format!("TRUNCATE {}", tables.join(", "))).await.unwrap();
        let one = rebuilt(&url, Asked { table: Some("scores".to_owned()), ..Asked::default() }).await;
        assert_eq!((one.len(), one[0].table, one[0].written), (1, "scores", STORIES as u64), "{one:?}");
        rebuilt(&url, Asked::default()).await;
        assert_eq!(rows(&owner).await, before, "{name}");
        let record =
            "SELECT projection, count(*) FROM defaultx.projection_rebuilds WHERE rebuilt_by = session_user GROUP BY 1";
        let recorded = owner.query(record, &[]).await.unwrap();
        assert_eq!(recorded.len(), 8, "each rebuild is on record");
        let scores = recorded.iter().find(|row| row.get::<_, &str>(0) == "scores").unwrap();
        assert_eq!(scores.get::<_, i64>(1), 3);
        assert!(found(&url).await.is_whole());
        let unknown = Asked { table: Some("rows".to_owned()), ..Asked::default() };
        let refused = rebuild(&mut client(&url).await, &unknown, |_, _| ()).await.unwrap_err();
        assert!(refused.to_string().contains("\"rows\" is no projection; these are: applications"));
    }
}

/// The writer adds a batch between any two ranges of a rebuild.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_goes_on_beside_the_writer() {
    let url = database("rebuilt_online").await;
    let mut writer = Writer::new(&url).await;
    let mut topics = Topics::default();
    for round in 0..4 {
        let batch: Vec<_> = (round * 400..(round + 1) * 400).flat_map(|n| topics.story(n)).collect();
        writer.write(&batch).await.unwrap();
    }
    owner(&url).await.batch_execute("TRUNCATE defaultx.decisions, defaultx.replies").await.unwrap();
    let writing = async {
        for n in 2_000..2_020 {
            let batch: Vec<_> = topics.story(n).into_iter().chain(topics.story(n % 7)).collect();
            writer.write(&batch).await.unwrap();
        }
    };
    tokio::join!(writing, rebuilt(&url, Asked::default()));
    let report = found(&url).await;
    assert!(report.is_whole(), "{report}");
    let decisions = "SELECT count(*) FROM defaultx.decisions";
    assert_eq!(writer.client.query_one(decisions, &[]).await.unwrap().get::<_, i64>(0), 1_620);
}

/// Rows that the database refused are absent by right, rows of records that no entry holds stay, whatever a rebuild does.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_lawfully_otherwise_is_no_fault() {
    let url = database("lawful").await;
    let mut writer = Writer::new(&url).await;
    writer.client.batch_execute("ALTER TABLE defaultx.decisions ADD CHECK (application_id <> 'L-7')").await.unwrap();
    let mut stream = stream();
    for record in stream.iter_mut().filter(|record| record.key.as_deref() == Some(b"bank|L-5")) {
        record.headers.push(("n".repeat(70_000), None));
    }
    writer.write(&stream).await.unwrap();
    let report = found(&url).await;
    assert!(report.is_whole(), "{report}");
    let of = |table: &str| report.projections.iter().find(|found| found.table == table).unwrap().clone();
    assert_eq!((of("decisions").refused, of("decisions").unheld, of("scores").unheld), (1, 1, 1));
    assert_eq!((of("activations").repeated, of("decisions").repeated), (1, 1));
    let owner = owner(&url).await;
    let before = rows(&owner).await;
    let done = rebuilt(&url, Asked::default()).await;
    assert!(done.iter().all(|table| table.removed + table.written == 0), "{done:?}");
    assert_eq!(rows(&owner).await, before);
    // The refusal is a row like any other, and goes for its own entry alone.
    owner.batch_execute("DELETE FROM defaultx.projection_refusals").await.unwrap();
    let report = found(&url).await;
    assert!(matches!(report.faults[..], [Fault::RowMissing { table: "decisions", .. }]), "{report}");
    rebuilt(&url, Asked::default()).await;
    let report = found(&url).await;
    assert!(report.is_whole(), "a rebuild hears the refusal again: {report}");
    owner.batch_execute("ALTER TABLE defaultx.decisions DROP CONSTRAINT decisions_application_id_check").await.unwrap();
    let done = rebuilt(&url, Asked::default()).await;
    assert_eq!(done.iter().map(|table| table.written).sum::<u64>(), 1, "what was refused is tried again: {done:?}");
    owner
        .batch_execute("UPDATE defaultx.decisions SET outcome = 'approve' WHERE application_id = 'L-7'")
        .await
        .unwrap();
    let report = found(&url).await;
    assert!(
        matches!(report.faults[..], [Fault::RowChanged { table: "decisions", .. }]),
        "once it is there, it is held: {report}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_count_what_they_find_under_the_signers_role() {
    let url = written("sampled", 25).await;
    let mut signer = client(&url).await;
    signer.batch_execute("SET ROLE defaultx_signer").await.unwrap();
    let size = stream().len() as u64;
    let told = async |signer: &mut Client, part: (u64, u64)| {
        let sampled = sample(signer, 0, part).await.unwrap();
        assert_eq!((sampled.tables.len(), sampled.unreadable), (8, 0));
        sampled.tables.iter().fold((0, 0), |(rows, wrong), table| (rows + table.rows, wrong + table.mismatches))
    };
    let (all, wrong) = told(&mut signer, (0, size)).await;
    let stored: usize = rows(&client(&url).await).await.iter().map(|(_, rows)| rows.len()).sum();
    assert_eq!((all, wrong), (stored as u64, 0));
    let mut parts = 0;
    for from in (0..size).step_by(10) {
        let (rows, wrong) = told(&mut signer, (from, size.min(from + 10))).await;
        assert_eq!(wrong, 0, "from {from}");
        parts += rows;
    }
    assert_eq!(parts, all, "each row is in one part");
    let owner = owner(&url).await;
    let seq = "UPDATE defaultx.decisions SET outcome = 'approve' WHERE application_id = 'L-2' RETURNING seq";
    let seq = owner.query_one(seq, &[]).await.unwrap().get::<_, i64>(0) as u64;
    owner.batch_execute("UPDATE defaultx.scores SET seq = 1000000 WHERE application_id = 'L-2'").await.unwrap();
    assert_eq!(told(&mut signer, (seq, seq + 1)).await, (1, 1));
    assert_eq!(
        told(&mut signer, (size - 1, size)).await.1,
        1,
        "what names an entry behind the log is of the last part"
    );
    assert!(told(&mut signer, (0, size)).await.1 >= 2);
}

/// One round of samples: the logs that have a fault, those whose time is told, and the mismatches that there are since the process started.
async fn round(signer: &mut Client, metrics: &SignerMetrics) -> (Vec<i32>, Vec<i32>, u64) {
    let sampling = Sampling { every: Duration::from_secs(1), entries: 1_000 };
    metrics.sampled_timestamp.reset();
    let faulty = sample_logs(signer, sampling, |_| 0, metrics).await.unwrap();
    let is_told = |log: &i32| metrics.sampled_timestamp.with_label_values(&[&log.to_string()]).get() > 0;
    let mismatches = projections().iter().map(|table| metrics.mismatches.with_label_values(&[table]).get()).sum();
    (faulty, (0..2).filter(is_told).collect(), mismatches)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_one_log_stays_with_it_and_its_samples_stand_still() {
    let url = written("rounds", 25).await;
    let owner = owner(&url).await;
    owner
        .batch_execute("INSERT INTO defaultx.audit_logs (log, shards, size, root) VALUES (1, 1, 0, sha256(''))")
        .await
        .unwrap();
    let mut signer = client(&url).await;
    signer.batch_execute("SET ROLE defaultx_signer").await.unwrap();
    let metrics = SignerMetrics::new(&prometheus::Registry::new()).unwrap();
    assert_eq!(round(&mut signer, &metrics).await, (vec![], vec![0, 1], 0));
    // The server refuses to read segments of log 0.
    let refusing = "ALTER TABLE defaultx.audit_segments ENABLE ROW LEVEL SECURITY;
                    CREATE POLICY refusing ON defaultx.audit_segments TO defaultx_signer USING (1 / log > 0)";
    owner.batch_execute(refusing).await.unwrap();
    assert_eq!(round(&mut signer, &metrics).await, (vec![0], vec![1], 0));
    let again = "ALTER TABLE defaultx.audit_segments DISABLE ROW LEVEL SECURITY;
                 UPDATE defaultx.audit_segments SET body = set_byte(body, 0, 0) WHERE first_seq = 0";
    owner.batch_execute(again).await.unwrap();
    assert_eq!(round(&mut signer, &metrics).await, (vec![0], vec![1], 0), "a segment that cannot be unpacked");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_an_emptied_log_are_found() {
    let url = written("emptied", 25).await;
    let owner = owner(&url).await;
    let mut signer = client(&url).await;
    signer.batch_execute("SET ROLE defaultx_signer").await.unwrap();
    let metrics = SignerMetrics::new(&prometheus::Registry::new()).unwrap();
    let (tables, parts) = (projections().len() as u64, 2);
    let steps = [
        ("UPDATE defaultx.audit_logs SET size = 0; DELETE FROM defaultx.audit_segments", tables * parts),
        ("DELETE FROM defaultx.audit_logs", 2 * tables * parts),
        ("TRUNCATE defaultx.decisions", (3 * tables - 1) * parts),
    ];
    for (step, mismatches) in steps {
        owner.batch_execute(step).await.unwrap();
        assert_eq!(round(&mut signer, &metrics).await, (vec![], vec![0], mismatches), "{step}");
    }
}
