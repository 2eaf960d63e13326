//! Which policy decides is a function of position: activation records switch it, partition by partition.

use crate::fixture::{STANDARD, card, decision_of, record, scored, standard, stricter, stricter_text, worker};
use decision::{DecisionHandler, Library};
use policy::Compiled;
use runtime::stream::harness::Harness;
use runtime::stream::{HandleError, OwnedInput, PASSED_BY, RecordOutcome};
use serde_json::{Value, json};

fn activation(kind: &str, policy: &Compiled) -> OwnedInput {
    record(
        "control.activated.v1",
        &json!({"kind": kind, "name": policy.name(), "version": policy.version(), "digest": policy.digest(),
                "activated_by": "risk-team", "activated_at": "2026-11-02T09:00:00Z"}),
    )
}

/// An activation that carries its document.
fn carried(text: &str, version: &str) -> OwnedInput {
    record("control.activated.v1", &carried_body(text, version))
}

fn carried_body(text: &str, version: &str) -> Value {
    json!({"kind": "policy", "name": "standard", "version": version,
           "digest": domain::Digest::of(text.as_bytes()).to_string(), "activated_by": "risk-team",
           "activated_at": "2026-11-02T09:00:00Z", "document": text})
}

/// What a card is told in a partition, with the version that said it.
fn told(worker: &mut Harness<DecisionHandler>, partition: i32) -> String {
    let mut input = scored(&card());
    input.partition = partition;
    let (_, outputs) = worker.feed(&[input]).unwrap();
    let decision = decision_of(&outputs[0].1);
    format!("{} {}", decision.policy.version, decision.outcome)
}

fn set_aside(outcomes: &[RecordOutcome]) -> &'static str {
    outcomes[0].set_aside().map_or("done", |(reason, _)| reason)
}

#[test]
fn a_policy_of_the_stream_decides_where_no_file_is() {
    let (mut worker, _) = worker(Library::empty());
    let waits = worker.feed(&[scored(&card())]).unwrap_err();
    assert!(matches!(&waits, HandleError::NotReady(why) if why.contains("no policy was activated")), "{waits}");
    let (outcomes, _) = worker.control(&carried(STANDARD, "1.0.0")).unwrap();
    assert_eq!(outcomes, [RecordOutcome::Done("activated")]);
    assert_eq!(told(&mut worker, 3), "1.0.0 approve");
    worker.control(&carried(&stricter_text(), "1.1.0")).unwrap();
    assert_eq!(told(&mut worker, 3), "1.1.0 refer");
}

/// Whoever takes the partition over has the changelog and nothing else.
#[test]
fn a_late_joiner_decides_right_by_the_changelog_alone() {
    let (mut before, _) = worker(Library::of(standard()));
    before.control(&carried(&stricter_text(), "1.1.0")).unwrap();
    let (mut after, _) = worker(Library::empty());
    for (partition, key, value) in before.state() {
        assert!(after.restore(partition, &key, &value));
    }
    assert_eq!(told(&mut after, 3), "1.1.0 refer");
    assert_eq!(told(&mut before, 4), "1.0.0 approve", "nothing was activated there");
}

#[test]
fn a_version_means_one_document_for_good() {
    let (mut worker, _) = worker(Library::of(standard()));
    worker.control(&carried(&stricter_text(), "1.1.0")).unwrap();
    let other = format!("{}# the same again\n", stricter_text());
    let refused = |worker: &mut Harness<DecisionHandler>| {
        let (outcomes, _) = worker.control(&carried(&other, "1.1.0")).unwrap();
        set_aside(&outcomes)
    };
    assert_eq!(refused(&mut worker), "version_has_another_digest", "it is in force");
    worker.control(&carried(STANDARD, "1.0.0")).unwrap();
    assert_eq!(refused(&mut worker), "version_has_another_digest", "it was");
    assert_eq!(told(&mut worker, 3), "1.0.0 approve");
    worker.control(&carried(&stricter_text(), "1.1.0")).unwrap();
    assert_eq!(told(&mut worker, 3), "1.1.0 refer", "the same document may be activated again");
}

#[test]
fn what_nobody_can_serve_waits_until_it_is_passed_by() {
    let (mut worker, _) = worker(Library::of(standard()));
    let faulty = stricter_text().replacen("term_months", "months", 1);
    for (bad, words) in [
        (carried(&faulty, "1.1.0"), "may not serve: line "),
        (carried(&stricter_text(), "1.2.0"), "says that it is standard@1.1.0"),
    ] {
        let error = worker.control(&bad).unwrap_err();
        assert!(matches!(&error, HandleError::NotReady(why) if why.contains(words)), "{error}");
        let (outcomes, outputs) = worker.passed_by(&bad).unwrap();
        assert_eq!((set_aside(&outcomes), outputs.len()), (PASSED_BY, 0));
        assert_eq!(told(&mut worker, 3), "1.0.0 approve");
    }
}

#[test]
fn a_document_that_is_not_that_of_its_digest_is_no_activation() {
    let (mut worker, _) = worker(Library::of(standard()));
    let mut body = carried_body(&stricter_text(), "1.1.0");
    body["digest"] = json!("0".repeat(64));
    let long = carried_body(&"a".repeat((256 << 10) + 1), "1.1.0");
    for body in [body, long] {
        let (outcomes, _) = worker.control(&record("control.activated.v1", &body)).unwrap();
        assert_eq!(set_aside(&outcomes), "bad_activation");
    }
}

#[test]
fn a_file_that_was_brought_back_is_found_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let write = |version: &str, text: &str| {
        std::fs::create_dir_all(dir.path().join("standard")).unwrap();
        std::fs::write(dir.path().join(format!("standard/{version}.yaml")), text).unwrap();
    };
    write("1.0.0", STANDARD);
    let (mut worker, _) = worker(Library::read(dir.path(), "standard@1.0.0").unwrap());
    let old = activation("policy", &stricter());
    assert!(worker.control(&old).is_err(), "a record of before carries nothing");
    write("1.1.0", &stricter_text());
    assert_eq!(worker.control(&old).unwrap().0, [RecordOutcome::Done("activated")]);
    assert_eq!(told(&mut worker, 3), "1.1.0 refer");
}

#[test]
fn a_policy_is_in_force_from_its_record_on_and_only_in_its_partition() {
    let (mut worker, _) = worker(Library::of(standard()).with(stricter()));
    let here = scored(&card());
    let mut there = here.clone();
    there.partition = 4;
    let outcome = |outputs: &[(i32, runtime::stream::Output)]| {
        outputs
            .iter()
            .map(|(_, output)| decision_of(output))
            .map(|d| format!("{} {}", d.policy.version, d.outcome))
            .collect::<Vec<_>>()
    };
    let (_, before) = worker.feed(std::slice::from_ref(&here)).unwrap();
    let (outcomes, outputs) = worker.control(&activation("policy", &stricter())).unwrap();
    assert_eq!((outcomes, outputs.len()), (vec![RecordOutcome::Done("activated")], 0));
    let (_, after) = worker.feed(&[here, there]).unwrap();
    assert_eq!(outcome(&before), ["1.0.0 approve"]);
    assert_eq!(outcome(&after), ["1.1.0 refer", "1.0.0 approve"]);
    assert_eq!(before[0].1.headers[1], after[0].1.headers[1], "a digest is data, not identity");
}

#[test]
fn a_policy_that_is_not_loaded_stops_the_worker() {
    let (mut worker, _) = worker(Library::of(standard()));
    let error = worker.control(&activation("policy", &stricter())).unwrap_err();
    assert!(matches!(&error, HandleError::NotReady(why) if why.contains("standard@1.1.0")), "{error}");
    assert!(worker.feed(&[scored(&card())]).is_ok(), "what came before it still decides");
}

#[test]
fn other_activations_pass_and_broken_ones_are_set_aside() {
    let (mut worker, _) = worker(Library::of(standard()));
    let mut broken = activation("policy", &standard());
    broken.payload = Some(b"{}".to_vec());
    let mut long = activation("policy", &standard());
    let text = String::from_utf8(long.payload.unwrap()).unwrap().replace("risk-team", &"x".repeat(12_000));
    long.payload = Some(text.into_bytes());
    for (input, expected) in
        [(activation("model", &standard()), "control_ignored"), (broken, "bad_activation"), (long, "bad_activation")]
    {
        let (outcomes, _) = worker.control(&input).unwrap();
        let word = match &outcomes[0] {
            RecordOutcome::Done(word) => word,
            RecordOutcome::DeadLetter { reason, .. } | RecordOutcome::Refused { reason, .. } => reason,
        };
        assert_eq!(*word, expected);
    }
}
