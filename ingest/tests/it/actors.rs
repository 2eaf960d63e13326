//! Who sent it: said by the door alone, and carried on to where the log reads it.

use crate::corpus::good;
use crate::stack::{Stack, as_input, header};
use runtime::stream::Output;
use schemas::intake::header::{ACTOR, TOKEN_ID};

fn said(output: &Output) -> [Option<&str>; 2] {
    [header(output, ACTOR), header(output, TOKEN_ID)]
}

#[test]
fn a_senders_own_word_on_who_sent_it_goes_nowhere() {
    let mut stack = Stack::new();
    let (mut application, mut withdrawal) = good("L-1");
    for record in [&mut application, &mut withdrawal] {
        record.headers.extend([(ACTOR.to_owned(), b"the boss".to_vec()), (TOKEN_ID.to_owned(), b"t-1".to_vec())]);
        let outcome = stack.send(record);
        assert!(!outcome.outputs.is_empty());
        outcome.outputs.iter().for_each(|output| assert_eq!(said(output), [None, None], "{}", output.topic));
    }
}

#[test]
fn what_the_door_says_of_a_sender_reaches_the_topic_that_the_log_keeps_whole() {
    let mut stack = Stack::new();
    let (application, withdrawal) = good("L-2");
    for record in [&application, &withdrawal] {
        // The intake record as the door writes it.
        let outcome = Stack::new().send(record);
        let mut intake = as_input(outcome.on("t.credit.intake.v1")[0], 0);
        intake.headers.push((ACTOR.to_owned(), Some(b"los-1".to_vec())));
        intake.headers.push((TOKEN_ID.to_owned(), Some(b"t-1".to_vec())));
        let (_, outputs) = stack.admit_record(&intake);
        let passed: Vec<_> = outputs.iter().filter(|output| &*output.topic == "t.credit.applications.v1").collect();
        assert_eq!(passed.len(), 1);
        assert_eq!(said(passed[0]), [Some("los-1"), Some("t-1")]);
    }
}
