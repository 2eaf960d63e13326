//! Which policy decides is a function of position: activation records switch it, partition by partition.

use crate::fixture::{card, decision_of, record, room, scored, standard, stricter};
use decision::Library;
use policy::Compiled;
use runtime::stream::{HandleError, OwnedInput, Verdict};
use serde_json::json;

fn activation(kind: &str, policy: &Compiled) -> OwnedInput {
    record(
        "control.activated.v1",
        &json!({"kind": kind, "name": policy.name(), "version": policy.version(), "digest": policy.digest(),
                "activated_by": "risk-team", "activated_at": "2026-11-02T09:00:00Z"}),
    )
}

#[test]
fn a_policy_is_in_force_from_its_record_on_and_only_in_its_partition() {
    let (mut room, _) = room(Library::of(standard()).with(stricter()));
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
    let (_, before) = room.feed(std::slice::from_ref(&here)).unwrap();
    let (verdicts, outputs) = room.control(&activation("policy", &stricter())).unwrap();
    assert_eq!((verdicts, outputs.len()), (vec![Verdict::Done("activated")], 0));
    let (_, after) = room.feed(&[here, there]).unwrap();
    assert_eq!(outcome(&before), ["1.0.0 approve"]);
    assert_eq!(outcome(&after), ["1.1.0 refer", "1.0.0 approve"]);
    assert_eq!(before[0].1.headers[1], after[0].1.headers[1], "a digest is data, not identity");
}

#[test]
fn a_policy_that_is_not_loaded_stops_the_room() {
    let (mut room, _) = room(Library::of(standard()));
    let error = room.control(&activation("policy", &stricter())).unwrap_err();
    assert!(matches!(&error, HandleError::NotReady(why) if why.contains("standard@1.1.0")), "{error}");
    assert!(room.feed(&[scored(&card())]).is_ok(), "what came before it still decides");
}

#[test]
fn other_activations_pass_and_broken_ones_are_set_aside() {
    let (mut room, _) = room(Library::of(standard()));
    let mut broken = activation("policy", &standard());
    broken.payload = Some(b"{}".to_vec());
    let mut long = activation("policy", &standard());
    let text = String::from_utf8(long.payload.unwrap()).unwrap().replace("risk-team", &"x".repeat(12_000));
    long.payload = Some(text.into_bytes());
    for (input, expected) in
        [(activation("model", &standard()), "control_ignored"), (broken, "bad_activation"), (long, "bad_activation")]
    {
        let (verdicts, _) = room.control(&input).unwrap();
        let word = match &verdicts[0] {
            Verdict::Done(word) => word,
            Verdict::DeadLetter { reason, .. } | Verdict::Refused { reason, .. } => reason,
        };
        assert_eq!(*word, expected);
    }
}
