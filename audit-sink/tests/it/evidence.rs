//! Whoever owns the database changes the log, with the signer's key out of reach: what a kept note covers is found, and what it does not
//! cover is said. Rows that a role inserts count for what they prove.

use crate::events::Topics;
use crate::stand::{SIGNED_AT, Writer, client, copy, database, sign, signer};
use audit_log::{Head, Signer};
use audit_sink::checkpoint::Signing;
use audit_sink::epoch::{self, Asked};
use audit_sink::error::Error;
use audit_sink::promises::Word;
use audit_sink::report::{Fault, Report};
use audit_sink::signer::notes::Notes;
use audit_sink::signer::{self as worker, SignerConfig};
use audit_sink::verify::{Options, run};
use runtime::kafka::KafkaConfig;
use runtime::service::ServiceContext;
use runtime::stream::{Offset, OwnedInput};
use std::time::{Duration, Instant};
use tokio_postgres::error::SqlState;

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn options(kept: &[String]) -> Options {
    Options { keys: vec![signer().verifier_key()], kept: kept.to_vec(), ..Options::default() }
}

fn signing(notes: Option<Notes>) -> Signing {
    Signing::new(signer(), notes)
}

/// A fresh directory of notes.
fn notes(name: &str) -> Notes {
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("notes-{name}"));
    if dir.exists() {
        std::fs::remove_dir_all(&dir).unwrap();
    }
    Notes::open(dir.to_str().unwrap()).unwrap().unwrap()
}

/// What the deployment writes of so many applications.
fn stories(count: usize) -> Vec<OwnedInput> {
    let mut topics = Topics::default();
    (0..count).flat_map(|n| topics.story(n)).collect()
}

/// A log of these records, written by the real writer in batches: consistent in itself, whatever is in it.
async fn written(name: &str, records: &[OwnedInput]) -> String {
    let url = database(name).await;
    let mut writer = Writer::new(&url).await;
    for batch in records.chunks(90) {
        writer.write(batch).await.unwrap();
    }
    url
}

fn says(report: &Report, word: Word) -> bool {
    report.promises.iter().find(|promise| promise.promise == word).unwrap().checked
}

/// What somebody with every right in the database does to a log.
enum Tampering {
    /// Statements, with every trigger off.
    Sql(&'static str),
    /// All written again from the first entry on, of other records.
    Rewrite(fn(Vec<OwnedInput>) -> Vec<OwnedInput>),
}
use Tampering::{Rewrite, Sql};

const LOG_TABLES: &str = "TRUNCATE defaultx.audit_segments, defaultx.audit_runs, defaultx.audit_tiles, defaultx.audit_logs, defaultx.audit_checkpoints,
    defaultx.audit_verifications, defaultx.audit_cosignatures, defaultx.audit_epochs, defaultx.stream_offsets";
const ALL_TABLES: &str = "TRUNCATE defaultx.audit_segments, defaultx.audit_runs, defaultx.audit_tiles, defaultx.audit_logs, defaultx.audit_checkpoints,
    defaultx.audit_verifications, defaultx.audit_cosignatures, defaultx.audit_epochs, defaultx.stream_offsets,
    defaultx.applications, defaultx.withdrawals, defaultx.scores, defaultx.decisions, defaultx.replies, defaultx.receipts,
    defaultx.dead_letters, defaultx.activations";
/// 360 entries, of which the note that was kept covers 270.
const STORIES: usize = 40;

/// Name, what is done, whether the walk finds it alone, whether with the kept note.
const TAMPERINGS: [(&str, Tampering, bool, bool); 16] = [
    (
        "a flipped byte",
        Sql(
            "UPDATE defaultx.audit_segments SET body = set_byte(body, 100, get_byte(body, 100) # 1) WHERE first_seq = 90",
        ),
        true,
        true,
    ),
    ("a removed segment", Sql("DELETE FROM defaultx.audit_segments WHERE first_seq = 90"), true, true),
    (
        "an emptied log, offsets left",
        Sql(
            "TRUNCATE defaultx.audit_segments, defaultx.audit_runs, defaultx.audit_tiles, defaultx.audit_logs, defaultx.audit_checkpoints",
        ),
        true,
        true,
    ),
    ("an emptied log, rows left", Sql(LOG_TABLES), true, true),
    ("an emptied database", Sql(ALL_TABLES), false, true),
    ("every checkpoint removed", Sql("DELETE FROM defaultx.audit_checkpoints"), false, false),
    (
        "another body",
        Rewrite(|mut records| {
            records[7].payload = Some(b"{}".to_vec());
            records
        }),
        false,
        true,
    ),
    (
        "another header",
        Rewrite(|mut records| {
            records[8].headers.remove(0);
            records
        }),
        false,
        true,
    ),
    (
        "another time",
        Rewrite(|mut records| {
            records[12].timestamp_ms += 1;
            records
        }),
        false,
        true,
    ),
    (
        "a record left out",
        Rewrite(|mut records| {
            records.remove(100);
            records
        }),
        false,
        true,
    ),
    (
        "two bodies swapped",
        Rewrite(|mut records| {
            let (one, other) = (records[7].payload.clone(), records[16].payload.clone());
            (records[7].payload, records[16].payload) = (other, one);
            records
        }),
        false,
        true,
    ),
    (
        "a record put in",
        Rewrite(|mut records| {
            let mut invented = records[268].clone();
            invented.offset = Offset::new(invented.offset.get() + 1);
            let same = |record: &OwnedInput| record.topic == invented.topic && record.offset == invented.offset;
            records.retain(|record| !same(record));
            records.insert(269, invented);
            records
        }),
        false,
        true,
    ),
    (
        "cut before the note",
        Rewrite(|mut records| {
            records.truncate(180);
            records
        }),
        false,
        true,
    ),
    (
        "cut by one entry before the note",
        Rewrite(|mut records| {
            records.truncate(269);
            records
        }),
        false,
        true,
    ),
    (
        "cut behind the note",
        Rewrite(|mut records| {
            records.truncate(279);
            records
        }),
        false,
        false,
    ),
    (
        "changed behind the note",
        Rewrite(|mut records| {
            records[300].payload = Some(b"{}".to_vec());
            records
        }),
        false,
        false,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_kept_note_covers_cannot_be_changed_unseen() {
    let records = stories(STORIES);
    let url = written("kept", &records[..270]).await;
    let kept = sign(&url, &signing(None)).await.unwrap().unwrap();
    let mut writer = Writer::new(&url).await;
    writer.write(&records[270..]).await.unwrap();
    drop(writer);
    let report = run(&url, &options(std::slice::from_ref(&kept))).await.unwrap();
    assert!(report.is_whole() && says(&report, Word::KeptNotes) && says(&report, Word::Times), "{report}");
    let log = &report.logs[0];
    assert_eq!((log.covered, log.uncovered), (270, 90), "{report}");
    assert_eq!(log.covered_at.as_deref(), Some("2026-09-21T14:15:00.000Z"));

    for (what, tampering, alone, with_note) in TAMPERINGS {
        let tampered = match tampering {
            Sql(statements) => {
                let copied = copy(&url, "evidence_tampered").await;
                let client = client(&copied).await;
                client.batch_execute("SET session_replication_role = replica").await.unwrap();
                client.batch_execute(statements).await.unwrap();
                copied
            }
            Rewrite(change) => written("evidence_rewritten", &change(records.clone())).await,
        };
        let report = run(&tampered, &options(&[])).await.unwrap();
        assert_eq!(!report.is_whole(), alone, "{what}, without a note: {report}");
        assert!(!says(&report, Word::KeptNotes), "{what}: {report}");
        let report = run(&tampered, &options(std::slice::from_ref(&kept))).await.unwrap();
        assert_eq!(!report.is_whole(), with_note, "{what}, with the note: {report}");
        if !with_note {
            assert_eq!(report.logs[0].covered, 270, "what is not found is not said to be covered: {what}: {report}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_says_what_it_did_not_check() {
    let url = written("unchecked", &stories(2)).await;
    let kept = sign(&url, &signing(None)).await.unwrap().unwrap();
    let bare = run(&url, &Options::default()).await.unwrap();
    let not_checked: Vec<_> =
        bare.promises.iter().filter(|promise| !promise.checked).map(|promise| promise.promise).collect();
    let expected = [Word::Signatures, Word::KeptNotes, Word::Witnesses, Word::Times, Word::Digests, Word::Completeness];
    assert_eq!(not_checked, expected, "{bare}");
    let text = bare.to_string();
    assert!(
        text.contains("NOT CHECKED signatures: no verifier key") && text.contains("NOT CHECKED kept notes"),
        "{text}"
    );
    let json: serde_json::Value = serde_json::to_value(&bare).unwrap();
    assert_eq!(
        (&json["promises"][2]["promise"], &json["promises"][2]["checked"]),
        (&"signatures".into(), &false.into())
    );
    let full = run(&url, &options(std::slice::from_ref(&kept))).await.unwrap();
    assert!(says(&full, Word::Signatures) && says(&full, Word::KeptNotes) && full.is_whole(), "{full}");

    // A note that nobody known signed, and one of a log that is not there.
    let other = Signer::new("it.example/audit", &[8; 32]).unwrap();
    let head = Head { log: 0, epoch: 0, size: 18, root: full.logs[0].root };
    let report = run(&url, &options(&[other.sign(&head, 1)])).await.unwrap();
    assert!(matches!(report.faults[..], [Fault::Kept { number: 1, .. }]), "{report}");
    let report = run(&url, &options(&[signer().sign(&Head { log: 5, ..head }, 1)])).await.unwrap();
    assert!(matches!(report.faults[..], [Fault::Checkpoint { log: 5, size: 18, .. }]), "{report}");
    let report = run(&url, &options(&[kept, signer().sign(&Head { size: 19, ..head }, 1)])).await.unwrap();
    assert!(matches!(report.faults[..], [Fault::Checkpoint { log: 0, size: 19, .. }]), "{report}");
}

/// The SQL state of what a role is told.
async fn state(url: &str, role: &str, statement: &str) -> Option<SqlState> {
    let client = client(url).await;
    client.batch_execute(&format!("SET ROLE {role}")).await.unwrap();
    client.batch_execute(statement).await.err().and_then(|error| error.code().cloned())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_count_for_what_a_role_may_say_and_a_signature_proves() {
    let url = written("rows", &stories(4)).await;
    sign(&url, &signing(None)).await.unwrap().unwrap();
    let no_right = Some(SqlState::INSUFFICIENT_PRIVILEGE);
    let (checkpoint, verification) =
        ("INSERT INTO defaultx.audit_checkpoints", "INSERT INTO defaultx.audit_verifications");
    let root = "sha256('x')";
    for (role, statement, expected) in [
        (
            "defaultx_audit",
            format!("{checkpoint} (log, size, root, note) VALUES (0, 7, {root}, 'junk')"),
            no_right.clone(),
        ),
        (
            "defaultx_audit",
            format!("{verification} (log, size, root, faults, took_ms) VALUES (0, 36, {root}, 0, 1)"),
            no_right.clone(),
        ),
        ("defaultx_signer", format!("{checkpoint} VALUES (0, 7, {root}, 'junk', '2999-01-01')"), no_right.clone()),
        ("defaultx_signer", format!("{verification} VALUES ('2999-01-01', 0, 36, {root}, 0, 1)"), no_right.clone()),
        ("defaultx_signer", "UPDATE defaultx.audit_logs SET size = size + 1".to_owned(), no_right.clone()),
        (
            "defaultx_signer",
            "INSERT INTO defaultx.audit_segments VALUES (0, 36, 36, 1, 'x')".to_owned(),
            no_right.clone(),
        ),
        ("defaultx_signer", "DELETE FROM defaultx.audit_epochs".to_owned(), no_right),
        (
            "defaultx_signer",
            format!("{checkpoint} (log, size, root, note) VALUES (0, 7, {root}, 'junk')"),
            Some(SqlState::CHECK_VIOLATION),
        ),
        // Well formed and not signed; of an entry that is not there.
        (
            "defaultx_signer",
            format!(
                "{checkpoint} (log, size, root, note) SELECT 0, 37, {root}, E'it.example/audit/0\\n37\\n' || encode({root}, 'base64') || E'\\n\\n— x y\\n'"
            ),
            Some(SqlState::CHECK_VIOLATION),
        ),
        (
            "defaultx_signer",
            format!(
                "{checkpoint} (log, size, root, note) SELECT 0, 7, {root}, E'it.example/audit/0\\n7\\n' || encode({root}, 'base64') || E'\\n\\n— x y\\n'"
            ),
            None,
        ),
        (
            "defaultx_signer",
            format!("{verification} (log, size, root, faults, took_ms, note) VALUES (0, 36, {root}, 0, 1, 'junk')"),
            None,
        ),
        (
            "defaultx_signer",
            "INSERT INTO defaultx.audit_epochs (log, epoch, note) VALUES (0, 1, 'junk')".to_owned(),
            None,
        ),
    ] {
        assert_eq!(state(&url, role, &statement).await, expected, "{role}: {statement}");
    }
    // The owner's session may name a time, and is not heard.
    let owner = client(&url).await;
    owner.batch_execute(&format!("{verification} VALUES ('2999-01-01', 0, 36, {root}, 0, 1)")).await.unwrap();
    let times = "SELECT count(*) FROM defaultx.audit_verifications WHERE at > clock_timestamp()";
    assert_eq!(owner.query_one(times, &[]).await.unwrap().get::<_, i64>(0), 0);
    // What was there before these rules.
    let before = format!(
        "SET session_replication_role = replica;
         {verification} VALUES ('2999-01-01', 0, 36, {root}, 0, 1);
         {checkpoint} VALUES (0, 9000000000, {root}, 'junk', now()), (3, 1, {root}, 'junk', now());
         RESET session_replication_role"
    );
    owner.batch_execute(&before).await.unwrap();
    let report = run(&url, &options(&[])).await.unwrap();
    assert!(report.is_whole(), "{report}");
    assert_eq!((report.logs[0].checkpoints, report.logs[0].disregarded), (1, 2), "{report}");
    assert!(!run(&url, &Options::default()).await.unwrap().is_whole(), "without a key, junk cannot be told");

    // Signed on, and walked on, past all of it.
    let mut writer = Writer::new(&url).await;
    let more = stories(5);
    writer.write(&more[36..]).await.unwrap();
    assert!(sign(&url, &signing(None)).await.unwrap().is_some());
    walked(&url).await;
}

/// Runs the worker, with a login that is the signer's and nothing else, until it has walked the log and signed that it is whole.
async fn walked(url: &str) {
    let login = "DO $$ BEGIN CREATE ROLE it_signer LOGIN PASSWORD 'it' IN ROLE defaultx_signer; EXCEPTION WHEN duplicate_object THEN NULL; END $$";
    client(url).await.batch_execute(login).await.unwrap();
    let (scheme, rest) = url.split_once("://").unwrap();
    let database_url = format!("{scheme}://it_signer:it@{}", rest.split_once('@').unwrap().1);
    let service = ServiceContext::new(KafkaConfig::default());
    let config = SignerConfig {
        origin: "it.example/audit".to_owned(),
        key: "03".repeat(32).into(),
        interval_s: 0,
        database_url: database_url.into(),
        ..SignerConfig::default()
    };
    let workers = worker::start(&config, service.clone()).unwrap();
    let (client, started) = (client(url).await, Instant::now());
    let signed = "SELECT count(*) FROM defaultx.audit_verifications
                  WHERE faults = 0 AND note LIKE E'it.example/audit/0/verification\\n%faults 0%' AND at <= clock_timestamp()";
    while client.query_one(signed, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(started.elapsed() < PATIENCE, "nobody walks");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    service.shutdown.cancel();
    for worker in workers {
        worker.join().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signer_signs_only_what_goes_on_from_what_it_signed() {
    let records = stories(STORIES);
    let url = written("signed", &records[..90]).await;
    let notes = notes("signed");
    let signing = signing(Some(notes.clone()));
    let first = sign(&url, &signing).await.unwrap().unwrap();
    assert!(sign(&url, &signing).await.unwrap().is_none(), "it has not grown");
    let mut writer = Writer::new(&url).await;
    writer.write(&records[90..180]).await.unwrap();
    drop(writer);
    let second = sign(&url, &signing).await.unwrap().unwrap();
    assert_eq!(notes.book(0).unwrap().all().unwrap(), [first, second.clone()]);

    // Whoever owns the database takes the checkpoints away: the file remembers, and the note comes back.
    let copied = copy(&url, "signed_forgot").await;
    let owner = client(&copied).await;
    owner
        .batch_execute("SET session_replication_role = replica; DELETE FROM defaultx.audit_checkpoints")
        .await
        .unwrap();
    assert!(sign(&copied, &signing).await.unwrap().is_none());
    let back: String = owner.query_one("SELECT note FROM defaultx.audit_checkpoints", &[]).await.unwrap().get(0);
    assert_eq!(back, second);

    type Change = fn(&mut Vec<OwnedInput>);
    let changes: [(&str, Change); 3] = [
        ("shorter", |records| records.truncate(171)),
        ("another of the same length", |records| records[7].payload = Some(b"{}".to_vec())),
        ("another that is longer", |records| {
            records.extend(stories(STORIES).drain(180..270));
            records[7].payload = Some(b"{}".to_vec());
        }),
    ];
    for (what, change) in changes {
        let mut other = records[..180].to_vec();
        change(&mut other);
        let url = written("signed_other", &other).await;
        let refused = sign(&url, &signing).await;
        assert!(matches!(refused, Err(Error::NotTheSame { log: 0, .. })), "{what}: {refused:?}");
        assert!(
            sign(&url, &self::signing(None)).await.unwrap().is_some(),
            "{what}: a signer without memory knows nothing"
        );
    }
}

/// A backup of 90 entries is restored where 180 were signed; the records are read again and stand in another order.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_opens_an_epoch_and_is_no_forgery() {
    let records = stories(STORIES);
    let url = written("lost", &records[..90]).await;
    let notes = notes("lost");
    let signing = signing(Some(notes.clone()));
    let mut kept = vec![sign(&url, &signing).await.unwrap().unwrap()];
    let backup = copy(&url, "restored").await;
    let mut writer = Writer::new(&url).await;
    for batch in [&records[90..135], &records[135..180]] {
        writer.write(batch).await.unwrap();
        kept.push(sign(&url, &signing).await.unwrap().unwrap());
    }
    let asked = Asked { by: "operations", why: "disk lost", kept: &[] };
    let mut session = client(&url).await;
    assert!(epoch::open(&mut session, &signing, 0, asked, SIGNED_AT).await.is_err(), "there is no need");

    let mut writer = Writer::new(&backup).await;
    writer.write(&records[90..270]).await.unwrap();
    drop(writer);
    assert!(matches!(sign(&backup, &signing).await, Err(Error::NotTheSame { .. })));
    let report = run(&backup, &options(&kept)).await.unwrap();
    assert_eq!(report.faults.len(), 2, "both younger notes contradict the log: {report}");

    let mut session = client(&backup).await;
    session.batch_execute("SET ROLE defaultx_signer").await.unwrap();
    let opened = epoch::open(&mut session, &signing, 0, asked, SIGNED_AT).await.unwrap();
    assert_eq!((opened.epoch, opened.old.0, opened.from.0, &opened.note), (1, 180, 90, &kept[2]));
    let on = sign(&backup, &signing).await.unwrap().unwrap();
    assert!(on.starts_with("it.example/audit/0.1\n270\n"), "{on}");
    kept.push(on);
    let report = run(&backup, &options(&kept)).await.unwrap();
    assert!(report.is_whole(), "{report}");
    let (log, epoch) = (&report.logs[0], &report.logs[0].epochs[0]);
    assert_eq!((log.covered, log.uncovered, epoch.from_size, epoch.old_size, epoch.superseded), (270, 0, 90, 180, 2));
    assert!(
        report.to_string().contains("epoch 1 opened at 2026-09-21T14:15:00.000Z by operations: disk lost"),
        "{report}"
    );

    // It explains what it names and nothing else: not another body before, not a note beyond what it names, and not once it is gone.
    let beyond = signer().sign(&Head { log: 0, epoch: 0, size: 181, root: [1; 32] }, 1);
    let report = run(&backup, &options(&[beyond])).await.unwrap();
    assert!(matches!(report.faults[..], [Fault::Checkpoint { size: 181, .. }]), "{report}");
    let mut forged = records[..270].to_vec();
    forged[7].payload = Some(b"{}".to_vec());
    let forged = written("restored_forged", &forged).await;
    let statement = opened.sign(&signer()).unwrap();
    let kept_all: Vec<String> = kept.iter().cloned().chain([statement.clone()]).collect();
    assert!(!run(&forged, &options(&kept_all)).await.unwrap().is_whole());
    let owner = client(&backup).await;
    owner.batch_execute("SET session_replication_role = replica; DELETE FROM defaultx.audit_epochs").await.unwrap();
    assert!(!run(&backup, &options(&kept)).await.unwrap().is_whole(), "its opening is gone from the database");
    assert!(run(&backup, &options(&kept_all)).await.unwrap().is_whole(), "and was kept");
    let others = opened.sign(&Signer::new("it.example/audit", &[8; 32]).unwrap()).unwrap();
    let row = "INSERT INTO defaultx.audit_epochs (log, epoch, note) VALUES (0, 1, $1)";
    owner.execute(row, &[&others]).await.unwrap();
    assert!(
        !run(&backup, &options(&kept)).await.unwrap().is_whole(),
        "an opening that the signer did not sign is none"
    );
}
