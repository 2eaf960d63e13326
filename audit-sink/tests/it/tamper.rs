//! Somebody with the superuser's rights changes the log; the walk finds it.

use crate::events::Topics;
use crate::stand::{Writer, client, copy, database, sign, signer};
use audit_sink::checkpoint::Signing;
use audit_sink::report::{Fault, Report};
use audit_sink::verify::{Options, run};

fn options(kept: &[String]) -> Options {
    Options { keys: vec![signer().verifier_key()], kept: kept.to_vec(), ..Options::default() }
}

/// A log of 1,350 entries with two checkpoints; gives its address and the newest note.
async fn log() -> (String, String) {
    let url = database("tamper").await;
    let mut writer = Writer::with_segments(&url, 1 << 20).await;
    let mut topics = Topics::default();
    let signing = Signing::new(signer(), None);
    let mut note = None;
    for round in 0..3 {
        let batch: Vec<_> = (round * 50..(round + 1) * 50).flat_map(|n| topics.story(n)).collect();
        writer.write(&batch).await.unwrap();
        if round > 0 {
            note = sign(&url, &signing).await.unwrap();
        }
    }
    (url, note.unwrap())
}

/// What was done, how, and which fault tells of it.
type Tampering = (&'static str, &'static str, fn(&Fault) -> bool);

/// Each with what the walk must say. `$last` is the first number of the last segment; the log is of batches of 450 entries, in each
/// of which each topic has a run of 50; that of 600 to 649 is one.
const TAMPERINGS: [Tampering; 25] = [
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
        "a removed run",
        "DELETE FROM defaultx.audit_runs WHERE first_seq = 600",
        |fault| matches!(fault, Fault::Entry { seq: 600, .. }),
    ),
    (
        "a removed run, and the chain mended",
        "DELETE FROM defaultx.audit_runs WHERE first_seq = 600;
         UPDATE defaultx.audit_runs r SET after_offset = (SELECT max(last_offset) FROM defaultx.audit_runs b
           WHERE b.topic = r.topic AND b.partition = r.partition AND b.last_offset < r.first_offset)",
        |fault| matches!(fault, Fault::Entry { seq: 649, .. }),
    ),
    (
        "a removed run, everywhere but in the segment, and the rest moved up",
        "DELETE FROM defaultx.audit_runs WHERE first_seq = 600;
         UPDATE defaultx.audit_runs SET first_seq = first_seq - 50 + 1000000 WHERE first_seq > 600;
         UPDATE defaultx.audit_runs SET first_seq = first_seq - 1000000 WHERE first_seq > 999999;
         UPDATE defaultx.audit_logs SET size = size - 50",
        |fault| matches!(fault, Fault::Entry { seq: 600, .. }),
    ),
    (
        "two runs swapped",
        "UPDATE defaultx.audit_runs SET first_seq = 1000000 WHERE first_seq = 600;
         UPDATE defaultx.audit_runs SET first_seq = 600 WHERE first_seq = 650;
         UPDATE defaultx.audit_runs SET first_seq = 650 WHERE first_seq = 1000000",
        |fault| matches!(fault, Fault::Entry { seq: 600 | 650, .. }),
    ),
    (
        "a run moved by one",
        "UPDATE defaultx.audit_runs SET first_seq = 601 WHERE first_seq = 600",
        |fault| matches!(fault, Fault::Entry { seq: 600, .. }),
    ),
    (
        "a run of another topic",
        "UPDATE defaultx.audit_runs SET topic = 'credit.unknown.v1' WHERE first_seq = 600",
        |fault| matches!(fault, Fault::Entry { seq: 600, .. }),
    ),
    (
        "a run that counts one more",
        "UPDATE defaultx.audit_runs SET entries = entries + 1 WHERE first_seq = 600",
        |fault| matches!(fault, Fault::Entry { seq: 649, .. }),
    ),
    (
        "a run that counts one less",
        "UPDATE defaultx.audit_runs SET entries = entries - 1 WHERE first_seq = 600",
        |fault| matches!(fault, Fault::Entry { seq: 649, .. }),
    ),
    (
        "a last run that counts one more",
        "UPDATE defaultx.audit_runs SET entries = entries + 1 WHERE first_seq = (SELECT max(first_seq) FROM defaultx.audit_runs)",
        |fault| matches!(fault, Fault::Run { .. }),
    ),
    (
        "another first offset",
        "UPDATE defaultx.audit_runs SET first_offset = first_offset + 1 WHERE first_seq = 600",
        |fault| matches!(fault, Fault::Entry { seq: 600, .. }),
    ),
    (
        "another last offset",
        "UPDATE defaultx.audit_runs SET last_offset = 100000 WHERE first_seq = 600",
        |fault| matches!(fault, Fault::Entry { seq: 649, .. }),
    ),
    (
        "a gap in the chain",
        "UPDATE defaultx.audit_runs SET after_offset = after_offset - 1 WHERE first_seq = 600",
        |fault| matches!(fault, Fault::Entry { seq: 600, .. }),
    ),
    (
        "a run cut in two",
        "UPDATE defaultx.audit_runs SET entries = 20 WHERE first_seq = 600;
         INSERT INTO defaultx.audit_runs SELECT log, 620, 30, topic, partition, after_offset + 1, first_offset + 20, last_offset + 1000000
         FROM defaultx.audit_runs WHERE first_seq = 600",
        |fault| matches!(fault, Fault::Entry { seq: 619, .. }),
    ),
    (
        "a run too many",
        "INSERT INTO defaultx.audit_runs SELECT log, 1350, 1, topic, partition, 100000, 100001, 100001 FROM defaultx.audit_runs
         WHERE first_seq = 600",
        |fault| matches!(fault, Fault::Beyond { what: "runs", count: 1, .. }),
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
        "DELETE FROM defaultx.audit_segments WHERE first_seq >= $last; DELETE FROM defaultx.audit_runs WHERE first_seq >= $last",
        |fault| matches!(fault, Fault::Missing { .. }),
    ),
    (
        "a cut tail with a head that fits: the checkpoint knows",
        "DELETE FROM defaultx.audit_segments WHERE first_seq >= $last; DELETE FROM defaultx.audit_runs WHERE first_seq >= $last;
         UPDATE defaultx.audit_logs SET size = $last",
        |fault| matches!(fault, Fault::Checkpoint { size: 1350, .. }),
    ),
    (
        "a cut tail with a head that fits and no checkpoint: the offsets know",
        "DELETE FROM defaultx.audit_segments WHERE first_seq >= $last; DELETE FROM defaultx.audit_runs WHERE first_seq >= $last;
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
    writer.write(&Topics::default().story(1)).await.unwrap();
    let kept = sign(&url, &Signing::new(signer(), None)).await.unwrap().unwrap();
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
