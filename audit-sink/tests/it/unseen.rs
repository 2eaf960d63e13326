//! The database's owner tries to show rows that the walk does not see: at numbers that no range has, by names and tables of his own, by
//! policies; and to keep a walk or a rebuild from ending well.

use crate::events::Topics;
use crate::held::{found, owner, rebuilt, rows, written};
use crate::stand::{Writer, client, copy, database};
use audit_sink::rebuild::{Asked, rebuild};
use audit_sink::report::Fault;
use audit_sink::signer::sample;
use audit_sink::verify::{Options, walk};

/// What the owner does, the fault that is the only one, and whether a rebuild makes it good.
type Hiding = (&'static str, &'static str, fn(&Fault) -> bool);

const HIDINGS: [Hiding; 4] = [
    (
        "the last number that there is",
        "INSERT INTO defaultx.decisions SELECT (jsonb_populate_record(d, '{\"decision_number\": 2, \"seq\": 9223372036854775807}')).*
         FROM defaultx.decisions d WHERE application_id = 'L-3'",
        |fault| matches!(fault, Fault::RowWithoutEntry { table: "decisions", seq: i64::MAX, .. }),
    ),
    (
        "a row moved to the last number that there is",
        "UPDATE defaultx.decisions SET seq = 9223372036854775807 WHERE application_id = 'L-3'",
        |fault| matches!(fault, Fault::RowChanged { table: "decisions", columns, .. } if columns == &["seq"]),
    ),
    (
        "a row that names no number",
        "ALTER TABLE defaultx.scores ALTER COLUMN seq DROP NOT NULL;
         UPDATE defaultx.scores SET seq = NULL WHERE application_id = 'L-3'",
        |fault| matches!(fault, Fault::RowChanged { table: "scores", columns, .. } if columns == &["seq"]),
    ),
    (
        "a row that names no log",
        "ALTER TABLE defaultx.replies ALTER COLUMN log DROP NOT NULL;
         UPDATE defaultx.replies SET log = NULL WHERE application_id = 'L-3'",
        |fault| matches!(fault, Fault::RowChanged { table: "replies", columns, .. } if columns == &["log"]),
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_number_hides_a_row() {
    let url = written("unseen", 25).await;
    let before = rows(&client(&url).await).await;
    for (what, sql, is_expected) in HIDINGS {
        let copied = copy(&url, "unseen_tampered").await;
        let owner = owner(&copied).await;
        owner.batch_execute(sql).await.unwrap();
        let report = found(&copied).await;
        assert!(matches!(&report.faults[..], [fault] if is_expected(fault)), "{what}: {report}");
        sample(&mut client(&copied).await, 0, (0, 1_000)).await.unwrap();
        rebuilt(&copied, Asked::default()).await;
        assert!(found(&copied).await.is_whole(), "{what}");
        assert_eq!(rows(&owner).await, before, "{what}");
    }
}

/// Operators of his own, found before the server's.
const EQUAL: &str = "CREATE SCHEMA evil;
    CREATE FUNCTION evil.same(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
    CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same);
    UPDATE defaultx.decisions SET outcome = outcome || 'd' WHERE application_id = 'L-3'";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_equal_is_the_servers_to_say() {
    let url = written("own_names", 25).await;
    owner(&url).await.batch_execute(EQUAL).await.unwrap();
    let session = async || {
        let client = client(&url).await;
        client.batch_execute("SET search_path = evil, pg_catalog").await.unwrap();
        client
    };
    let report = walk(&mut session().await, &Options::default()).await.unwrap();
    assert!(matches!(report.faults[..], [Fault::RowChanged { table: "decisions", .. }]), "{report}");
    let sampled = sample(&mut session().await, 0, (0, 1_000)).await.unwrap();
    assert_eq!(sampled.tables.iter().map(|table| table.mismatches).sum::<u64>(), 1);
    rebuild(&mut session().await, &Asked::default(), |_, _| ()).await.unwrap();
    assert!(found(&url).await.is_whole());
}

const DISGUISES: [(&str, &str, &str); 6] = [
    (
        "a view in front",
        "ALTER TABLE defaultx.decisions RENAME TO kept;
         CREATE VIEW defaultx.decisions AS SELECT ctid, * FROM defaultx.kept;
         GRANT SELECT ON defaultx.decisions TO defaultx_verify",
        "it is no table",
    ),
    ("a rule", "CREATE RULE quiet AS ON UPDATE TO defaultx.decisions DO INSTEAD NOTHING", "it has rules"),
    (
        "a table below",
        "CREATE TABLE public.below () INHERITS (defaultx.decisions)",
        "it shows the rows of another table",
    ),
    (
        "a policy that hides",
        "CREATE POLICY hidden ON defaultx.decisions AS RESTRICTIVE FOR SELECT TO defaultx_verify USING (decision_number = 1)",
        "a policy hides rows from this login",
    ),
    (
        "the policy that showed all",
        "ALTER POLICY held_against_the_log ON defaultx.decisions USING (decision_number = 1)",
        "a policy hides rows from this login",
    ),
    (
        "a collation by which words are the same",
        "CREATE COLLATION public.loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         ALTER TABLE defaultx.receipts ALTER COLUMN status TYPE text COLLATE public.loose",
        "a column has a type or collation of its own",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_walked_is_a_table_of_which_every_row_is_seen() {
    let url = written("disguised", 25).await;
    let verified = async |url: &str| {
        let mut verifier = client(url).await;
        verifier.batch_execute("SET ROLE defaultx_verify").await.unwrap();
        walk(&mut verifier, &Options::default()).await.unwrap()
    };
    let whole = verified(&url).await;
    assert!(whole.is_whole(), "{whole}");
    for (what, sql, expected) in DISGUISES {
        let copied = copy(&url, "disguised_tampered").await;
        owner(&copied).await.batch_execute(sql).await.unwrap();
        let report = verified(&copied).await;
        assert!(matches!(&report.faults[..], [Fault::NotATable { why, .. }] if why == expected), "{what}: {report}");
    }
}

/// A segment that says that it ends before it begins, or at the last number that there is.
#[tokio::test(flavor = "multi_thread")]
async fn a_walk_ends_whatever_a_segment_says_of_its_end() {
    let url = written("endless", 25).await;
    for last in [-1, i64::MAX] {
        let copied = copy(&url, "endless_tampered").await;
        let sql = format!(
            "ALTER TABLE defaultx.audit_segments DROP CONSTRAINT audit_segments_check;
             UPDATE defaultx.audit_segments SET last_seq = {last} WHERE first_seq = (SELECT max(first_seq) FROM defaultx.audit_segments)"
        );
        owner(&copied).await.batch_execute(&sql).await.unwrap();
        let report = found(&copied).await;
        let names_it = |fault: &Fault| matches!(fault, Fault::Segment { why, .. } if why.contains(&last.to_string()));
        assert!(report.faults.iter().any(names_it), "{last}: {report}");
        let refused = rebuild(&mut client(&copied).await, &Asked::default(), |_, _| ()).await.unwrap_err();
        assert!(refused.to_string().contains("cannot be read"), "{last}: {refused}");
    }
}

/// Another writer begins a log while a rebuild runs: its rows are of a log that is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_begins_beside_a_rebuild_keeps_its_rows() {
    let url = written("rebuilt_beside_a_beginning", 25).await;
    let owner = owner(&url).await;
    let begin = "INSERT INTO defaultx.audit_logs SELECT (jsonb_populate_record(l, '{\"log\": 1}')).* FROM defaultx.audit_logs l;
                 INSERT INTO defaultx.replies SELECT (jsonb_populate_record(r, jsonb_build_object('event_id', gen_random_uuid(), 'log', 1))).*
                 FROM defaultx.replies r LIMIT 1";
    let mut has_begun = false;
    let beside = |_, _| {
        if !std::mem::replace(&mut has_begun, true) {
            let begun = owner.batch_execute(begin);
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(begun)).unwrap();
        }
    };
    rebuild(&mut client(&url).await, &Asked::default(), beside).await.unwrap();
    let of_it = "SELECT count(*) FROM defaultx.replies WHERE log = 1";
    assert_eq!(owner.query_one(of_it, &[]).await.unwrap().get::<_, i64>(0), 1);
}

/// Somebody takes a row away that a rebuild is about to take.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_ends_well_beside_another() {
    let url = written("rebuilt_twice", 25).await;
    let (mut other, watching) = (owner(&url).await, client(&url).await);
    let of_no_log = "INSERT INTO defaultx.replies SELECT (jsonb_populate_record(r, jsonb_build_object('event_id', gen_random_uuid(), 'log', 7))).*
                     FROM defaultx.replies r LIMIT 1";
    other.batch_execute(of_no_log).await.unwrap();
    let tx = other.transaction().await.unwrap();
    tx.batch_execute("DELETE FROM defaultx.replies WHERE log = 7").await.unwrap();
    let rebuilding = runtime::task::spawn("rebuild", {
        let url = url.clone();
        async move { rebuilt(&url, Asked::default()).await }
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while watching.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(!rebuilding.is_finished(), "it takes that row");
        tokio::task::yield_now().await;
    }
    tx.commit().await.unwrap();
    rebuilding.await.unwrap();
    assert!(found(&url).await.is_whole());
}

/// An entry without its record vouches for a row that its record may have, and for no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_without_its_record_vouches_for_no_decision() {
    let url = database("vouched").await;
    let mut topics = Topics::default();
    let mut stream: Vec<_> = (0..8).flat_map(|n| topics.story(n)).collect();
    for record in stream.iter_mut().filter(|record| record.key.as_deref() == Some(b"bank|L-5")) {
        record.headers.push(("n".repeat(70_000), None));
    }
    Writer::new(&url).await.write(&stream).await.unwrap();
    assert!(found(&url).await.is_whole());
    let forge = "INSERT INTO defaultx.decisions SELECT (jsonb_populate_record(d, jsonb_build_object(
                     'decision_number', 2, 'outcome', 'approve', 'seq', (SELECT seq FROM defaultx.receipts WHERE application_id = 'L-5')))).*
                 FROM defaultx.decisions d WHERE application_id = 'L-3';
                 DELETE FROM defaultx.receipts WHERE application_id = 'L-5'";
    owner(&url).await.batch_execute(forge).await.unwrap();
    let report = found(&url).await;
    assert!(matches!(report.faults[..], [Fault::RowWithoutEntry { table: "decisions", .. }]), "{report}");
}
