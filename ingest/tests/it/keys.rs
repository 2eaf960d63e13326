//! The key of digests comes new to a deployment that remembers unkeyed ones, and is changed later: whatever is sent again is known,
//! whatever was changed is a conflict.

use crate::corpus::{Record, good};
use crate::stack::{NOW_MS, Stack, as_input, header};
use domain::Digest;
use ingest::Config;
use runtime::stream::OwnedInput;
use serde_json::Value;

fn app(id: &str, amount: u32) -> Record {
    let mut record = good(id).0;
    let mut data: Value = serde_json::from_slice(record.body.as_deref().unwrap()).unwrap();
    data["requested"]["amount"]["amount_minor"] = amount.into();
    record.body = Some(data.to_string().into_bytes());
    record
}

fn unkeyed(record: &Record) -> Digest {
    let data: Value = serde_json::from_slice(record.body.as_deref().unwrap()).unwrap();
    Digest::of(&serde_json_canonicalizer::to_vec(&data).unwrap())
}

/// A changelog entry as versions before wrote it: name, form 1, 16 bytes of the digest, revision and end, seconds.
fn entry_of_before(id: &str, record: &Record, is_withdrawn: bool) -> (Vec<u8>, Vec<u8>) {
    let name = Digest::of(format!("demo|{id}").as_bytes()).0[..16].to_vec();
    let revision = 1 | if is_withdrawn { 1u32 << 31 } else { 0 };
    let seconds = u32::try_from(NOW_MS / 1000 - 60).unwrap();
    let value = [&[1][..], &unkeyed(record).0[..16], &revision.to_be_bytes(), &seconds.to_be_bytes()].concat();
    (name, value)
}

/// The record that `receive` of a version before made of one that this version received.
fn intake_of_before(now: &OwnedInput, sent: &Record) -> OwnedInput {
    let mut before = now.clone();
    before.headers.retain(|(name, _)| name != "ce_datadigestkey" && name != "ce_datadigestalso");
    let digest = unkeyed(sent).to_string().into_bytes();
    before
        .headers
        .iter_mut()
        .filter(|(name, _)| name == "ce_datadigest")
        .for_each(|(_, value)| *value = Some(digest.clone()));
    before
}

fn status(stack: &mut Stack, record: &Record) -> String {
    stack.send(record).reply()["status"].as_str().unwrap().to_owned()
}

fn form(stack: &Stack, name: &[u8]) -> u8 {
    stack.remembered().into_iter().find(|(_, key, _)| key == name).unwrap().2[0]
}

#[test]
fn an_application_of_before_is_known_and_its_digest_goes_at_the_first_touch() {
    let mut stack = Stack::new();
    let ids = ["resent", "changed", "ended", "untouched"];
    let names: Vec<Vec<u8>> = ids
        .iter()
        .map(|id| {
            let (name, value) = entry_of_before(id, &app(id, 5), *id == "ended");
            assert!(stack.restore(0, &name, &value), "{id}");
            name
        })
        .collect();
    assert_eq!(status(&mut stack, &app("resent", 5)), "duplicate");
    assert_eq!(status(&mut stack, &app("changed", 6)), "conflict");
    assert_eq!(status(&mut stack, &app("changed", 5)), "duplicate", "a conflict changes nothing but the form");
    assert_eq!(status(&mut stack, &app("ended", 5)), "duplicate");
    assert_eq!(names.iter().map(|name| form(&stack, name)).collect::<Vec<_>>(), [2, 2, 2, 1]);
    for (id, known) in ids.iter().zip([5, 5, 5, 5]) {
        assert_eq!(status(&mut stack, &app(id, known)), "duplicate", "{id}, again");
        assert_eq!(status(&mut stack, &app(id, 7)), "conflict", "{id}, changed");
    }
    let all: Vec<u8> = stack.remembered().into_iter().flat_map(|(_, key, value)| [key, value].concat()).collect();
    for id in ids {
        let front = &unkeyed(&app(id, 5)).0[..8];
        assert!(!all.windows(8).any(|window| window == front), "{id} can still be guessed");
    }
}

#[test]
fn what_was_on_the_way_is_handled_as_it_came() {
    let mut stack = Stack::new();
    let sent = app("L-1", 5);
    let written = as_input(Stack::new().send(&sent).on("t.credit.intake.v1")[0], 0);
    let before = intake_of_before(&written, &sent);
    let (_, outputs) = stack.admit_record(&before);
    let accepted = outputs.iter().find(|output| &*output.topic == "t.credit.applications.v1").unwrap();
    assert_eq!(header(accepted, "ce_datadigest"), Some(unkeyed(&sent).to_string().as_str()), "identities have it so");
    assert_eq!(header(accepted, "ce_datadigestkey"), None);
    assert_eq!(status(&mut stack, &sent), "duplicate");
    let (_, outputs) = stack.admit_record(&before);
    assert_eq!(outputs.len(), 1, "read again behind its own resend: a duplicate too");
}

fn secret(id: &str, byte: &str) -> String {
    format!("{id}:{}", byte.repeat(32))
}

/// A deployment with these keys that remembers what another does.
fn with_keys(kept: &str, also: &str, from: &Stack) -> Stack {
    let keyed = Config { digest_key: kept.into(), digest_key_also: also.into(), ..Config::default() };
    let mut stack = Stack::with(&keyed);
    for (partition, key, value) in from.remembered() {
        assert!(stack.restore(partition, &key, &value));
    }
    stack
}

#[test]
fn no_resend_becomes_a_conflict_while_the_key_is_changed() {
    let (old, new) = (secret("2026-11", "01"), secret("2026-12", "02"));
    let steps = [(&*old, ""), (&old, &*new), (&new, &old), (&new, "")];
    let mut stack = with_keys(&old, "", &Stack::new());
    assert_eq!(status(&mut stack, &app("first", 5)), "accepted");
    for (number, (kept, also)) in steps.into_iter().enumerate() {
        stack = with_keys(kept, also, &stack);
        assert_eq!(status(&mut stack, &app("first", 5)), "duplicate", "step {number}");
        assert_eq!(status(&mut stack, &app("first", 6)), "conflict", "step {number}");
        let id = format!("of-step-{number}");
        assert_eq!(status(&mut stack, &app(&id, 5)), "accepted");
    }
    // Those of the last two steps are remembered under the new key; the others are, once they are older than the window, gone.
    for id in ["first", "of-step-2", "of-step-3"] {
        assert_eq!(status(&mut stack, &app(id, 5)), "duplicate", "{id}");
    }
}

#[test]
fn both_digests_go_as_far_as_deduplication_and_one_goes_on() {
    let (old, new) = (secret("2026-11", "01"), secret("2026-12", "02"));
    let alone = with_keys(&old, "", &Stack::new()).send(&app("L-1", 5));
    let outcome = with_keys(&new, &old, &Stack::new()).send(&app("L-1", 5));
    let (intake, accepted) = (outcome.on("t.credit.intake.v1")[0], outcome.on("t.credit.applications.v1")[0]);
    let before = header(alone.on("t.credit.intake.v1")[0], "ce_datadigest").unwrap();
    assert_eq!(header(intake, "ce_datadigestalso"), Some(format!("2026-11:{before}").as_str()));
    assert_eq!(header(accepted, "ce_datadigestkey"), Some("2026-12"));
    assert_eq!(header(accepted, "ce_datadigest"), header(intake, "ce_datadigest"));
    for topic in ["t.credit.applications.v1", "t.credit.identities.v1", "t.loan.replies.v1"] {
        assert_eq!(header(outcome.on(topic)[0], "ce_datadigestalso"), None, "{topic}");
    }
    let ids = |outcome: &crate::stack::Outcome| -> Vec<String> {
        outcome.outputs.iter().map(|output| header(output, "ce_id").unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&alone), ids(&outcome), "no id of an event has a digest in it");
}

#[test]
fn half_of_what_receive_writes_is_not_taken() {
    let mut stack = Stack::new();
    let good = as_input(stack.send(&app("L-1", 5)).on("t.credit.intake.v1")[0], 0);
    for also in ["", "no-colon", "2026-11:12", "2026-11:zz"] {
        let mut record = good.clone();
        record.headers.push(("ce_datadigestalso".to_owned(), Some(also.as_bytes().to_vec())));
        let (outcome, _) = stack.admit_record(&record);
        assert_eq!(outcome.set_aside().map(|(reason, _)| reason), Some("malformed_intake"), "{also}");
    }
}
