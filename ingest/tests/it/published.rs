//! The published contract and the code agree: its examples, and the bodies that ingest writes.

use crate::corpus::{Record, good};
use crate::stack::Stack;
use schemas::application::{SUBMITTED, WITHDRAWN};
use schemas::catalogue::{self, Kind};

fn send(event_type: &str, body: &str) -> (Stack, crate::stack::Outcome) {
    let mut stack = Stack::new();
    let mut record: Record = good("x").0;
    record.headers.retain(|header| header.0 != "ce_type");
    record.headers.push(("ce_type".into(), event_type.into()));
    record.body = Some(body.into());
    let outcome = stack.send(&record);
    (stack, outcome)
}

#[test]
fn what_the_schemas_take_is_taken_and_what_they_refuse_is_refused() {
    for event_type in [SUBMITTED, WITHDRAWN] {
        for example in catalogue::find(event_type).unwrap().examples {
            let reply = send(event_type, example.text).1.reply();
            let problem = reply["problem"]["type"].as_str();
            let is_ours = matches!(
                problem,
                Some(
                    "ancient_time" | "currency_not_of_product" | "future_time" | "tenant_mismatch" | "unknown_product"
                )
            );
            match example.kind() {
                Kind::Bad => assert_eq!(reply["status"], "rejected", "{event_type}/{}", example.name),
                Kind::Good => assert_eq!(reply["status"], "accepted", "{event_type}/{}: {reply}", example.name),
                // At the limits of the schema a deployment's own rules may still object, and nothing else.
                Kind::Edge => {
                    assert!(reply["status"] == "accepted" || is_ours, "{event_type}/{}: {reply}", example.name);
                }
            }
        }
    }
}

#[test]
fn what_ingest_writes_passes_the_schemas() {
    let bodies = [
        ("t.credit.intake.v1", "application.received.v1"),
        ("t.credit.applications.v1", "application.accepted.v1"),
        ("t.credit.identities.v1", "identity.received.v1"),
        ("t.credit.protected.v1", "protected.received.v1"),
        ("t.loan.replies.v1", "application.replied.v1"),
    ];
    let mut stack = Stack::new();
    let mut refused = good("L-2").0;
    refused.body = Some(b"{\"a~b/c\":1}".to_vec());
    let outcomes =
        [stack.send(&good("L-1").0), stack.send(&good("L-1").0), stack.send(&refused), stack.send(&good("L-1").1)];
    for (topic, event_type) in bodies {
        let schema = catalogue::validator(event_type).unwrap();
        let mut seen = 0;
        for output in outcomes.iter().flat_map(|outcome| outcome.on(topic)) {
            let event_type = crate::stack::header(output, "ce_type").unwrap();
            let body = serde_json::from_slice(output.payload.as_deref().unwrap()).unwrap();
            let schema = if event_type == WITHDRAWN { &catalogue::validator(WITHDRAWN).unwrap() } else { &schema };
            let errors: Vec<String> = schema.iter_errors(&body).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{event_type}: {errors:?}");
            seen += 1;
        }
        assert!(seen > 0, "{topic}");
    }
}
