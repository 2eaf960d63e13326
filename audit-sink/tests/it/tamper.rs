//! Somebody with the superuser's rights changes the log; the walk finds it.

use crate::events::Topics;
use crate::stand::{Writer, client, copy, database, signer};
use audit_sink::checkpoint;
use audit_sink::metrics::Metrics;
use audit_sink::report::{Fault, Report};
use audit_sink::verify::{Options, run};

fn options(kept: &[String]) -> Options {
    Options { verifier_key: Some(signer().verifier_key()), kept_checkpoints: kept.to_vec(), record: false }
}

/// A log of 1,350 entries with two checkpoints; gives its address and the newest note.
async fn log() -> (String, String) {
    let url = database("tamper").await;
    let mut writer = Writer::new(&url).await;
    let mut topics = Topics::default();
    let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
    for round in 0..3 {
        let batch: Vec<_> = (round * 50..(round + 1) * 50).flat_map(|n| topics.story(n)).collect();
        writer.write(&batch).await.unwrap();
        if round > 0 {
            for head in checkpoint::due(&writer.client).await.unwrap() {
                checkpoint::insert(&writer.client, &signer(), &head, &metrics).await.unwrap();
            }
        }
    }
    let newest = "SELECT note FROM defaultx.audit_checkpoints ORDER BY size DESC LIMIT 1";
    let note = writer.client.query_one(newest, &[]).await.unwrap().get(0);
    (url, note)
}

/// What was done, how, and which fault tells of it.
type Tampering = (&'static str, &'static str, fn(&Fault) -> bool);

/// Each with what the walk must say. `$last` is the first number of the last segment.
const TAMPERINGS: [Tampering; 17] = [
    (
        "a flipped byte of a body",
        "UPDATE defaultx.audit_segments SET body = set_byte(body, 100, get_byte(body, 100) # 1) WHERE first_seq = 0",
        |fault| matches!(fault, Fault::Segment { first_seq: 0, .. } | Fault::Entry { .. }),
    ),
    (
        "a body replaced by that of another segment",
        "UPDATE defaultx.audit_segments SET (body, raw_bytes) = (SELECT body, raw_bytes FROM defaultx.audit_segments WHERE first_seq = 0)
         WHERE first_seq = 450",
        |fault| matches!(fault, Fault::Entry { seq: 450, .. }),
    ),
    (
        "a removed segment",
        "DELETE FROM defaultx.audit_segments WHERE first_seq = 450",
        |fault| matches!(fault, Fault::Missing { from: 450, .. }),
    ),
    (
        "a removed index row",
        "DELETE FROM defaultx.audit_entries WHERE seq = 700",
        |fault| matches!(fault, Fault::Entry { seq: 700, .. }),
    ),
    (
        "a removed entry, everywhere but in the segment, and the rest moved up",
        "DELETE FROM defaultx.audit_entries WHERE seq = 700;
         UPDATE defaultx.audit_entries SET seq = seq - 1 + 1000000 WHERE seq > 700;
         UPDATE defaultx.audit_entries SET seq = seq - 1000000 WHERE seq > 999999;
         UPDATE defaultx.audit_logs SET size = size - 1",
        |fault| matches!(fault, Fault::Entry { seq: 700, .. }),
    ),
    (
        "two index rows swapped",
        "UPDATE defaultx.audit_entries SET seq = 1000000 WHERE seq = 700; UPDATE defaultx.audit_entries SET seq = 700 WHERE seq = 701;
         UPDATE defaultx.audit_entries SET seq = 701 WHERE seq = 1000000",
        |fault| matches!(fault, Fault::Entry { seq: 700 | 701, .. }),
    ),
    (
        "another offset in the index",
        "UPDATE defaultx.audit_entries SET \"offset\" = 100000 WHERE seq = 700",
        |fault| matches!(fault, Fault::Entry { seq: 700, .. }),
    ),
    (
        "another leaf in the index",
        "UPDATE defaultx.audit_entries SET leaf = sha256('x') WHERE seq = 700",
        |fault| matches!(fault, Fault::Entry { seq: 700, .. }),
    ),
    (
        "an index row too many",
        "INSERT INTO defaultx.audit_entries SELECT log, 1350, topic, partition, 100000, at, leaf FROM defaultx.audit_entries WHERE seq = 9",
        |fault| matches!(fault, Fault::Beyond { what: "index rows", count: 1, .. }),
    ),
    (
        "a removed tile",
        "DELETE FROM defaultx.audit_tiles WHERE index = 1",
        |fault| matches!(fault, Fault::Tile { index: 1, missing: true, .. }),
    ),
    (
        "a changed tile",
        "UPDATE defaultx.audit_tiles SET hashes = set_byte(hashes, 9, get_byte(hashes, 9) # 1) WHERE index = 2",
        |fault| matches!(fault, Fault::Tile { index: 2, missing: false, .. }),
    ),
    (
        "a changed head",
        "UPDATE defaultx.audit_logs SET root = sha256('x')",
        |fault| matches!(fault, Fault::Head { .. }),
    ),
    ("a removed head", "DELETE FROM defaultx.audit_logs", |fault| matches!(fault, Fault::NoHead { log: 0 })),
    (
        "a cut tail",
        "DELETE FROM defaultx.audit_segments WHERE first_seq >= $last; DELETE FROM defaultx.audit_entries WHERE seq >= $last",
        |fault| matches!(fault, Fault::Missing { .. }),
    ),
    (
        "a cut tail with a head that fits: the checkpoint knows",
        "DELETE FROM defaultx.audit_segments WHERE first_seq >= $last; DELETE FROM defaultx.audit_entries WHERE seq >= $last;
         UPDATE defaultx.audit_logs SET size = $last",
        |fault| matches!(fault, Fault::Checkpoint { size: 1350, .. }),
    ),
    (
        "a cut tail with a head that fits and no checkpoint: the offsets know",
        "DELETE FROM defaultx.audit_segments WHERE first_seq >= $last; DELETE FROM defaultx.audit_entries WHERE seq >= $last;
         UPDATE defaultx.audit_logs SET size = $last; DELETE FROM defaultx.audit_checkpoints",
        |fault| matches!(fault, Fault::Offsets { .. }),
    ),
    (
        "a checkpoint of another root",
        "UPDATE defaultx.audit_checkpoints SET root = sha256('x') WHERE size = 900",
        |fault| matches!(fault, Fault::Checkpoint { size: 900, .. }),
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_tampering_is_found() {
    let (url, note) = log().await;
    let whole = run(&url, &options(std::slice::from_ref(&note))).await.unwrap();
    assert!(whole.is_whole(), "{whole}");
    assert_eq!((whole.entries(), whole.logs[0].tiles, whole.logs[0].checkpoints), (1350, 5, 3));
    assert!(whole.logs[0].segments >= 3 && whole.logs[0].skipped_offsets > 0, "{whole}");
    let last = last_segment(&url).await;

    for (what, sql, expected) in TAMPERINGS {
        let report = tampered(&url, &sql.replace("$last", &last)).await;
        assert!(report.faults.iter().any(expected), "{what}: {report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_rewritten_to_the_last_row_is_found_by_a_kept_checkpoint() {
    let url = database("rewritten").await;
    let mut writer = Writer::new(&url).await;
    let (mut topics, metrics) = (Topics::default(), Metrics::new(&prometheus::Registry::new()).unwrap());
    writer.write(&topics.story(1)).await.unwrap();
    let head = checkpoint::due(&writer.client).await.unwrap().remove(0);
    checkpoint::insert(&writer.client, &signer(), &head, &metrics).await.unwrap();
    let kept = signer().sign(&head);
    drop(writer);

    // The same coordinates, another body, written by the real writer into an empty log: consistent in itself.
    let other = database("rewritten").await;
    let mut story = Topics::default().story(1);
    story[7].payload = Some(b"{}".to_vec());
    Writer::new(&other).await.write(&story).await.unwrap();
    let report = run(&other, &options(&[])).await.unwrap();
    assert!(report.is_whole(), "{report}");
    let report = run(&other, &options(&[kept])).await.unwrap();
    assert!(matches!(report.faults[..], [Fault::Checkpoint { size: 9, .. }]), "{report}");
}

async fn last_segment(url: &str) -> String {
    let query = "SELECT max(first_seq)::text FROM defaultx.audit_segments";
    client(url).await.query_one(query, &[]).await.unwrap().get(0)
}

/// What the walk says of a copy on which `sql` was run with every trigger off.
async fn tampered(url: &str, sql: &str) -> Report {
    let copied = copy(url, "tampered").await;
    let client = client(&copied).await;
    client.batch_execute("SET session_replication_role = replica").await.unwrap();
    client.batch_execute(sql).await.unwrap();
    run(&copied, &options(&[])).await.unwrap()
}
