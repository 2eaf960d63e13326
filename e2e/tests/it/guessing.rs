//! Of a whole stack, with every topic and every table that a reader may read, no guess at a protected value is confirmed.

use crate::corpus;
use crate::guesses::{Target, guesses};
use crate::stack::{Whole, is_of, wait, whole};
use e2e::traffic::Event;
use schemas::Topic;
use serde_json::{Value, json};

/// Topics that hold what was stripped, or stand before it is: no reader of events has them.
const PERSONAL: [Topic; 3] = [Topic::LoanApplications, Topic::Identities, Topic::Protected];

/// Headers, keys and values of every other topic; of dead letters the headers alone.
fn topics(whole: &Whole) -> Vec<Vec<u8>> {
    let mut read = Vec::new();
    for topic in Topic::ALL.iter().copied().filter(|topic| !PERSONAL.contains(topic)) {
        for (key, headers, value) in whole.records(topic) {
            read.extend(headers.into_iter().map(|(_, value)| value));
            if topic != Topic::DeadLetters {
                read.extend([key, value]);
            }
        }
    }
    read
}

/// Every row of every tenant of every table and view of which a reader may read anything in the schema of events, and every segment of the
/// log unpacked.
async fn tables(whole: &Whole) -> (usize, Vec<Vec<u8>>) {
    let client = whole.stage.unhurried().await.unwrap();
    let named =
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE n.nspname = 'defaultx' AND c.relkind IN ('r', 'v', 'm', 'p')
                   AND (has_any_column_privilege('defaultx_read', c.oid, 'SELECT') OR has_any_column_privilege('defaultx_read_log', c.oid, 'SELECT')
                        OR has_any_column_privilege('defaultx_dashboard', c.oid, 'SELECT'))";
    let names: Vec<String> = client.query(named, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    let mut read = Vec::new();
    for name in &names {
        let rows = client.query(&format!("SELECT to_jsonb(t)::text FROM {name} t"), &[]).await.unwrap();
        read.extend(rows.iter().map(|row| row.get::<_, String>(0).into_bytes()));
    }
    for row in client.query("SELECT raw_bytes, body FROM defaultx.audit_segments", &[]).await.unwrap() {
        let (raw_bytes, body): (i32, Vec<u8>) = (row.get(0), row.get(1));
        read.push(zstd::bulk::decompress(&body, raw_bytes as usize).unwrap());
    }
    (names.len(), read)
}

#[test]
fn no_topic_and_no_table_confirms_a_guess() {
    let whole = whole();
    let base: Value = serde_json::from_slice(corpus::good("guessed-1").0.body.as_deref().unwrap()).unwrap();
    let target = Target::new(base, "guessed-1");
    let truth = json!({"sex": "other", "age": 61, "marital_status": "divorced"});
    assert!(guesses().any(|guess| guess == truth), "the attacker's list has it");
    let mut data = target.with(&truth);
    let sender = whole.sender("murmur2_random");
    let send = |data: &Value, event_id: &str| {
        let body = data.to_string().into_bytes();
        let event = Event { application_id: "guessed-1".into(), event_id: event_id.into(), body, has_protected: true };
        sender.send(&event, Some("guessed-1")).unwrap();
        sender.flush().unwrap();
    };
    // Accepted, a duplicate, a refusal whose fault is next to what is protected.
    send(&data, "guessed-1-a");
    send(&data, "guessed-1-b");
    data["applicants"][0]["Protected"] = truth;
    send(&data, "guessed-1-c");
    whole.wait_replies(|reply| is_of(reply, "guessed-"), 3);
    wait("the decision and its row", || {
        let rows = "SELECT count(*) FROM defaultx.decisions WHERE application_id = 'guessed-1'";
        (whole.number(rows) > 0).then_some(())
    });
    let (count, tables) = whole.runtime.block_on(tables(whole));
    assert!(count > 10, "{count} tables");
    let topics = topics(whole);
    let holds = |read: &[Vec<u8>]| read.iter().any(|bytes| bytes.windows(9).any(|window| window == b"guessed-1"));
    assert!(holds(&tables) && holds(&topics), "the application is there");
    let read = tables.iter().chain(&topics).map(Vec::as_slice);
    assert_eq!(target.confirmed(read), Vec::<Value>::new());
}
