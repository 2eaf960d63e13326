//! What counts as the same application: every spelling of a body is a duplicate of it, and everything else is a conflict, with what
//! was accepted named. `docs/equality.md` has the same table.

use crate::corpus::{Record, good};
use crate::stack::{DAY_MS, NOW_MS, Stack, as_input, header};
use domain::Digest;
use hmac::{Hmac, Mac};
use ingest::Config;
use ingest::config::{DEMO_DIGEST_KEY, Equality};
use serde_json::{Value, json};
use sha2::Sha256;

fn data_of(record: &Record) -> Value {
    serde_json::from_slice(record.body.as_deref().unwrap()).unwrap()
}

pub fn with_data(id: &str, data: impl ToString) -> Record {
    Record { body: Some(data.to_string().into_bytes()), ..good(id).0 }
}

pub fn status(stack: &mut Stack, record: &Record) -> String {
    stack.send(record).reply()["status"].as_str().unwrap().to_owned()
}

/// Sets a member, or takes it out where it is none.
fn put(data: &mut Value, pointer: &str, value: Option<Value>) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = data.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => drop(parent.insert(key.to_owned(), value)),
        None => drop(parent.remove(key)),
    }
}

/// Sends an application with each of two values in a place, and gives the status of the second.
fn answer(stack: &mut Stack, number: usize, pointer: &str, [first, second]: [Option<Value>; 2]) -> String {
    let id = format!("row-{number}");
    let record = |value: Option<Value>| {
        let mut data = data_of(&good(&id).0);
        put(&mut data, pointer, value);
        with_data(&id, data)
    };
    assert_eq!(status(stack, &record(first.clone())), "accepted", "{pointer} {first:?}");
    status(stack, &record(second))
}

#[test]
fn the_table_of_spellings() {
    let rows = [
        // Said alike.
        ("duplicate", "/submitted_at", [Some(json!("2026-11-02T09:00:00Z")), Some(json!("2026-11-02T09:00:00.000Z"))]),
        (
            "duplicate",
            "/submitted_at",
            [Some(json!("2026-11-02T09:00:00.5Z")), Some(json!("2026-11-02T09:00:00.500000Z"))],
        ),
        ("duplicate", "/completed_at", [Some(json!("2026-11-02T09:00:10.0Z")), Some(json!("2026-11-02T09:00:10Z"))]),
        ("duplicate", "/completed_at", [None, Some(Value::Null)]),
        (
            "duplicate",
            "/applicants/0/consents/0/granted_at",
            [Some(json!("2026-11-01T09:00:00Z")), Some(json!("2026-11-01T09:00:00.00Z"))],
        ),
        (
            "duplicate",
            "/applicants/0/reports/0/pulled_at",
            [Some(json!("2026-11-01T09:00:00.120Z")), Some(json!("2026-11-01T09:00:00.12Z"))],
        ),
        ("duplicate", "/collateral", [None, Some(json!([]))]),
        ("duplicate", "/documents", [Some(json!([])), None]),
        ("duplicate", "/applicants/0/consents", [None, Some(json!([]))]),
        ("duplicate", "/applicants/0/reports", [Some(json!([])), None]),
        ("duplicate", "/attributes", [None, Some(json!({}))]),
        ("duplicate", "/applicants/0/identity", [Some(json!({})), None]),
        ("duplicate", "/applicants/0/protected", [None, Some(json!({}))]),
        ("duplicate", "/applicants/0/facts", [None, Some(json!({}))]),
        ("duplicate", "/applicants/0/facts", [None, Some(json!({"employment": {}, "assets": {}}))]),
        ("duplicate", "/applicants/0/facts/accounts", [None, Some(json!({}))]),
        ("duplicate", "/applicants/0/reports/0/fields", [Some(json!({})), None]),
        ("duplicate", "/applicants/0/identity/full_name", [Some(json!("Zo\u{eb}")), Some(json!("Zoe\u{308}"))]),
        ("duplicate", "/attributes/branch", [Some(json!("Ku\u{308}ste")), Some(json!("K\u{fc}ste"))]),
        ("duplicate", "/attributes/nested", [Some(json!({"\u{e9}": [1]})), Some(json!({"e\u{301}": [1]}))]),
        ("duplicate", "/attributes/unit", [Some(json!("\u{212b}")), Some(json!("\u{c5}"))]),
        ("duplicate", "/applicants/0/customer_ref", [Some(json!("c-1")), Some(json!(" c-1\u{a0}"))]),
        ("duplicate", "/requested/amount/amount_minor", [Some(json!(100)), Some(json!(100.0))]),
        ("duplicate", "/attributes/rate", [Some(json!(0.25)), Some(json!(25e-2))]),
        (
            "duplicate",
            "/documents",
            [
                Some(json!([{"id": "d", "kind": "payslip", "sha256": "AB".repeat(32)}])),
                Some(json!([{"id": "d", "kind": "payslip", "sha256": "ab".repeat(32)}])),
            ],
        ),
        // Not said alike.
        ("conflict", "/submitted_at", [Some(json!("2026-11-02T09:00:00Z")), Some(json!("2026-11-02T09:00:00.001Z"))]),
        ("conflict", "/completed_at", [None, Some(json!("2026-11-02T09:00:00Z"))]),
        ("conflict", "/requested/term_months", [None, Some(Value::Null)]),
        ("conflict", "/requested/purpose", [Some(Value::Null), None]),
        ("conflict", "/applicants/0/facts/dependants", [None, Some(Value::Null)]),
        ("conflict", "/applicants/0/facts/dependants", [Some(Value::Null), Some(json!(0))]),
        ("conflict", "/applicants/0/facts/employment", [Some(Value::Null), Some(json!({}))]),
        ("conflict", "/applicants/0/facts/employment", [Some(json!({"status": null})), Some(json!({}))]),
        ("conflict", "/applicants/0/facts/income", [None, Some(json!([]))]),
        ("conflict", "/applicants/0/facts/debts", [Some(json!([])), None]),
        ("conflict", "/applicants/0/reports/0/score", [None, Some(Value::Null)]),
        ("conflict", "/attributes/list", [None, Some(json!([]))]),
        ("conflict", "/attributes/object", [None, Some(json!({}))]),
        ("conflict", "/attributes/at", [Some(json!("2026-11-02T09:00:00Z")), Some(json!("2026-11-02T09:00:00.0Z"))]),
        ("conflict", "/attributes/word", [Some(json!("a")), Some(json!(" a"))]),
        ("conflict", "/attributes/word", [Some(json!("a")), Some(json!("A"))]),
        ("conflict", "/attributes/word", [Some(json!("\u{fb01}")), Some(json!("fi"))]),
        ("conflict", "/attributes/word", [Some(json!("1")), Some(json!(1))]),
        ("conflict", "/applicants/0/customer_ref", [Some(json!("c-1")), Some(json!("C-1"))]),
        ("conflict", "/attributes/pair", [Some(json!([1, 2])), Some(json!([2, 1]))]),
        (
            "conflict",
            "/attributes/two",
            [Some(json!({"\u{e9}": 1, "e\u{301}": 2})), Some(json!({"\u{e9}": 2, "e\u{301}": 1}))],
        ),
    ];
    let mut stack = Stack::new();
    for (number, (expected, pointer, values)) in rows.into_iter().enumerate() {
        let [first, second] = values.clone();
        assert_eq!(answer(&mut stack, 2 * number, pointer, values), expected, "{pointer}: {first:?}, then {second:?}");
        let turned = answer(&mut stack, 2 * number + 1, pointer, [second.clone(), first.clone()]);
        assert_eq!(turned, expected, "{pointer}: {second:?}, then {first:?}");
    }
}

/// The digest of a form under the demonstration's key, by the standard alone.
fn digest(form: &Value) -> [u8; 32] {
    let mac = |key: &[u8], parts: &[&[u8]]| -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    };
    let secret = hex::decode(DEMO_DIGEST_KEY.split_once(':').unwrap().1).unwrap();
    let of_tenant = mac(&secret, &[b"defaultx data digest 1\0", b"demo"]);
    mac(&of_tenant, &[&Digest::of(&serde_json_canonicalizer::to_vec(form).unwrap()).0[..16]])
}

/// An application in its shortest spelling, and in another.
fn short_and_long(id: &str) -> [Value; 2] {
    let mut short = data_of(&good(id).0);
    short.as_object_mut().unwrap().remove("documents");
    let mut long = short.clone();
    long["documents"] = json!([]);
    long["submitted_at"] = "2026-11-02T09:00:00.000Z".into();
    [short, long]
}

#[test]
fn the_digest_of_the_shortest_spelling_goes_as_far_as_deduplication_and_that_of_what_was_sent_goes_on() {
    let [short, long] = short_and_long("L-1");
    let outcome = Stack::new().send(&with_data("L-1", &long));
    let intake = outcome.on("t.credit.intake.v1")[0];
    let expected = format!("2:demo-1:{}", hex::encode(digest(&short)));
    assert_eq!(header(intake, "ce_meaningdigest"), Some(&*expected));
    for topic in ["intake", "applications", "identities"] {
        let record = outcome.on(&format!("t.credit.{topic}.v1"))[0];
        assert_eq!(header(record, "ce_datadigest"), Some(&*hex::encode(digest(&long))), "{topic}");
        assert_eq!(header(record, "ce_meaningdigest").is_some(), topic == "intake");
    }
    let outcome = Stack::new().send(&with_data("L-1", &short));
    assert_eq!(header(outcome.on("t.credit.intake.v1")[0], "ce_meaningdigest"), None, "it is the same digest");
}

/// A changelog entry as the version before wrote it: name; form 2, mark of the key, 15 bytes of the digest, revision, seconds.
fn entry_of_before(id: &str, sent: &Value) -> (Vec<u8>, Vec<u8>) {
    let name = Digest::of(format!("demo|{id}").as_bytes()).0[..16].to_vec();
    let mark = 1 + Digest::of(b"demo-1").0[0] % 255;
    let seconds = u32::try_from(NOW_MS / 1000 - 60).unwrap();
    let value = [&[2, mark][..], &digest(sent)[..15], &1u32.to_be_bytes(), &seconds.to_be_bytes()].concat();
    (name, value)
}

#[test]
fn what_a_version_before_accepted_is_known() {
    let mut stack = Stack::new();
    let spelt = |id: &str| short_and_long(id).map(|data| with_data(id, data));
    let remember = |stack: &mut Stack, id: &str, sent: usize| {
        let (name, value) = entry_of_before(id, &short_and_long(id)[sent]);
        assert!(stack.restore(0, &name, &value), "{id}");
    };
    // In its shortest spelling, and sent again in each.
    remember(&mut stack, "short", 0);
    for record in spelt("short").iter().rev() {
        assert_eq!(status(&mut stack, record), "duplicate");
    }
    // In another, byte for byte; and then in each.
    remember(&mut stack, "long", 1);
    let [short, long] = spelt("long");
    for record in [&long, &short, &long] {
        assert_eq!(status(&mut stack, record), "duplicate");
    }
    // In another, and then in one that says the same: nobody can tell, and the reply says what is known.
    remember(&mut stack, "unknown", 1);
    let [short, long] = spelt("unknown");
    let reply = stack.send(&short).reply();
    assert_eq!(reply["status"], "conflict");
    assert_eq!(reply["accepted"], json!({"revision": 1, "received_at": "2026-11-19T23:59:00.000Z"}));
    assert_eq!(status(&mut stack, &long), "duplicate", "a conflict changes nothing");
    for id in ["short", "long", "unknown"] {
        let mut other = short_and_long(id)[0].clone();
        other["requested"]["term_months"] = 25.into();
        assert_eq!(status(&mut stack, &with_data(id, other)), "conflict", "{id}");
    }
}

#[test]
fn what_a_version_before_received_is_admitted_as_it_came() {
    let mut stack = Stack::new();
    let [short, long] = short_and_long("L-1").map(|data| with_data("L-1", data));
    let mut before = as_input(Stack::new().send(&long).on("t.credit.intake.v1")[0], 0);
    before.headers.retain(|(name, _)| name != "ce_meaningdigest");
    let (_, outputs) = stack.admit_record(&before);
    assert_eq!(outputs.len(), 2, "accepted and answered");
    for record in [&long, &short, &long] {
        assert_eq!(status(&mut stack, record), "duplicate");
    }
}

/// An instance with that setting that takes over what another remembers.
fn after(equality: Equality, other: &Stack) -> Stack {
    let mut stack = Stack::with(&Config { equality, ..Config::default() });
    for (partition, key, value) in other.remembered() {
        assert!(stack.restore(partition, &key, &value));
        // Counters of a quota have form 1.
        assert!(matches!(value[0], 1 | 2) && value.len() == 25, "a version before reads it");
    }
    stack
}

#[test]
fn instances_of_a_version_before_beside_new_ones_make_no_conflict() {
    let [short, long] = short_and_long("L-1").map(|data| with_data("L-1", data));
    // What `receive` makes of it, of the version before and of this one.
    let received = |is_new: bool| {
        let mut record = as_input(Stack::new().send(&long).on("t.credit.intake.v1")[0], 0);
        record.headers.retain(|(name, _)| is_new || name != "ce_meaningdigest");
        record
    };
    // Whoever admits it: the version before remembers what it was sent, as `spelling` does.
    for history in 0..16 {
        let mut stack = Stack::new();
        for sending in 0..4 {
            stack = after(Equality::Spelling, &stack);
            let (outcome, _) = stack.admit_record(&received(history >> sending & 1 == 1));
            let expected = if sending == 0 { "accepted" } else { "duplicate" };
            assert_eq!(outcome, runtime::stream::RecordOutcome::Done(expected), "{history:04b}, {sending}");
        }
        // All are new now, and the setting goes, instance by instance.
        for equality in [Equality::Meaning, Equality::Spelling, Equality::Meaning, Equality::Spelling] {
            stack = after(equality, &stack);
            assert_eq!(status(&mut stack, &long), "duplicate", "{history:04b}, {equality:?}");
            assert_eq!(status(&mut stack, &short), "duplicate", "{history:04b}, {equality:?}");
        }
    }
}

#[test]
fn a_form_of_tomorrow_is_passed_over_and_half_a_digest_is_not_taken() {
    let [_, long] = short_and_long("L-1").map(|data| with_data("L-1", data));
    let received = as_input(Stack::new().send(&long).on("t.credit.intake.v1")[0], 0);
    let with = |value: &str| {
        let mut record = received.clone();
        record.headers.retain(|(name, _)| name != "ce_meaningdigest");
        record.headers.push(("ce_meaningdigest".to_owned(), Some(value.as_bytes().to_vec())));
        Stack::new().admit_record(&record).0
    };
    let digits = "ab".repeat(32);
    assert_eq!(with(&format!("3:demo-1:{digits}")), runtime::stream::RecordOutcome::Done("accepted"));
    for half in ["", "2", "2:demo-1", "2:demo-1:ab", &format!("demo-1:{digits}"), &format!("two:demo-1:{digits}")] {
        assert_eq!(with(half).set_aside().map(|(reason, _)| reason), Some("malformed_intake"), "{half}");
    }
}

#[test]
fn a_key_is_changed_while_bodies_are_known_by_what_they_say() {
    let keys = |kept: &str, also: &str| {
        let secret = |name: &str| if name.is_empty() { String::new() } else { format!("{name}:{}", name.repeat(16)) };
        Config { digest_key: secret(kept).into(), digest_key_also: secret(also).into(), ..Config::default() }
    };
    let mut stack = Stack::with(&keys("2026", ""));
    let spelt = |id: &str| short_and_long(id).map(|data| with_data(id, data));
    assert_eq!(status(&mut stack, &spelt("first")[1]), "accepted");
    for (number, (kept, also)) in [("2026", "2027"), ("2027", "2026"), ("2027", "")].into_iter().enumerate() {
        let mut next = Stack::with(&keys(kept, also));
        for (partition, key, value) in stack.remembered() {
            assert!(next.restore(partition, &key, &value));
        }
        stack = next;
        for record in spelt("first") {
            assert_eq!(status(&mut stack, &record), "duplicate", "step {number}");
        }
        let intake = stack.send(&spelt("other")[1]);
        let also_brought =
            header(intake.on("t.credit.intake.v1")[0], "ce_meaningdigestalso").map(|told| told[..7].to_owned());
        assert_eq!(also_brought, (!also.is_empty()).then(|| format!("2:{also}:")), "step {number}");
    }
}

#[test]
fn a_reply_names_what_was_accepted() {
    let with = |revision: u32, amount: u32| {
        let mut data = data_of(&good("L-1").0);
        data["revision"] = revision.into();
        data["requested"]["amount"]["amount_minor"] = amount.into();
        with_data("L-1", data)
    };
    let end = good("L-1").1;
    let at = |days: i64| runtime::clock::rfc3339(runtime::clock::time_of_ms(NOW_MS + days * DAY_MS));
    let mut stack = Stack::new();
    let mut step = |day: i64, record: &Record, status: &str, accepted: Value| {
        stack.now_ms = NOW_MS + day * DAY_MS;
        let reply = stack.send(record).reply();
        assert_eq!((reply["status"].as_str(), &reply["accepted"]), (Some(status), &accepted), "day {day}");
    };
    step(0, &with(3, 5), "accepted", Value::Null);
    step(1, &with(3, 5), "duplicate", json!({"revision": 3, "received_at": at(0)}));
    step(2, &with(3, 6), "conflict", json!({"revision": 3, "received_at": at(0)}));
    step(3, &with(2, 6), "superseded", json!({"revision": 3, "received_at": at(0)}));
    step(4, &with(4, 6), "accepted", Value::Null);
    step(5, &with(3, 5), "superseded", json!({"revision": 4, "received_at": at(4)}));
    // A resend that comes late keeps the memory of it, and is what is remembered.
    step(20, &with(4, 6), "duplicate", json!({"revision": 4, "received_at": at(4)}));
    step(21, &with(4, 7), "conflict", json!({"revision": 4, "received_at": at(20)}));
    step(22, &end, "accepted", Value::Null);
    step(23, &with(5, 7), "rejected", json!({"revision": 4}));
    step(23, &with(4, 7), "conflict", json!({"revision": 4}));
    step(23, &end, "duplicate", json!({"revision": 4}));

    let mut stack = Stack::new();
    stack.send(&end);
    let reply = stack.send(&with(1, 5)).reply();
    assert_eq!((&reply["problem"]["type"], &reply["accepted"]), (&json!("withdrawn"), &Value::Null), "it never came");
    let broken = stack.send(&Record { body: Some(b"{".to_vec()), ..end }).reply();
    assert_eq!(broken["accepted"], Value::Null);
}

#[test]
fn one_customer_is_one_subject_however_the_reference_is_written() {
    let mut stack = Stack::new();
    let mut subject = |number: usize, reference: &str| {
        let id = format!("subject-{number}");
        let mut data = data_of(&good(&id).0);
        data["applicants"][0]["customer_ref"] = reference.into();
        let outcome = stack.send(&with_data(&id, data));
        let body = |topic: &str| -> Value {
            serde_json::from_slice(outcome.on(topic)[0].payload.as_deref().unwrap()).unwrap()
        };
        let identity = &body("t.credit.identities.v1")["applicants"][0];
        assert_eq!(identity["customer_ref"], reference, "the identity store has it as it was sent");
        let subject = body("t.credit.applications.v1")["applicants"][0]["subject"]["subject"].clone();
        assert_eq!(identity["subject"], subject);
        subject
    };
    let first = subject(0, "Zo\u{eb} 7");
    for (number, same) in
        ["Zoe\u{308} 7", " Zo\u{eb} 7", "Zo\u{eb} 7\u{a0}", "\u{3000}Zoe\u{308} 7\u{2003}"].into_iter().enumerate()
    {
        assert_eq!(subject(number + 1, same), first, "{same:?}");
    }
    for (number, other) in ["Zoe 7", "zo\u{eb} 7", "Zo\u{eb}  7", "Zo\u{eb}7"].into_iter().enumerate() {
        assert_ne!(subject(number + 10, other), first, "{other:?}");
    }
}

#[test]
fn a_product_is_lent_in_its_currencies() {
    let config = |products: &str| -> Config { toml::from_str(products).unwrap() };
    let of = |product: &str, currency: &str| {
        let mut data = data_of(&good("L-1").0);
        data["product"] = product.into();
        data["requested"]["amount"]["currency"] = currency.into();
        with_data("L-1", data)
    };
    let told = |config: &Config, product: &str, currency: &str| {
        let reply = Stack::with(config).send(&of(product, currency)).reply();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&reply["status"]), text(&reply["problem"]["type"]), reply["problem"]["pointers"].clone())
    };
    let taken = ("accepted".to_owned(), String::new(), Value::Null);
    let refused = |word: &str, pointer: &str| ("rejected".to_owned(), word.to_owned(), json!([pointer]));
    let currency = "/requested/amount/currency";
    let default = Config::default();
    assert_eq!(told(&default, "credit_card", "TWD"), taken);
    assert_eq!(told(&default, "credit_card", "USD"), refused("currency_not_of_product", currency));
    assert_eq!(told(&default, "small_business_term", "TWD"), refused("currency_not_of_product", currency));
    assert_eq!(told(&default, "consumer_instalment", "DEM"), taken);
    assert_eq!(told(&default, "credit_card", "XXQ"), refused("unknown_currency", currency), "it is no currency at all");
    let no_currency = Stack::with(&default).send(&of("credit_card", "XXQ")).reply();
    assert_eq!(no_currency["problem"]["faults"][0]["expected"], json!({"words": ["TWD"]}), "what the product takes");
    assert_eq!(told(&default, "moon_mortgage", "TWD"), refused("unknown_product", "/product"));
    // Facts and securities may be in any currency.
    let mut abroad = data_of(&of("credit_card", "TWD"));
    abroad["collateral"][0]["value"]["currency"] = "EUR".into();
    abroad["applicants"][0]["facts"]["income"][0]["amount"]["currency"] = "JPY".into();
    abroad["applicants"][0]["facts"]["debts"][0]["payment"]["currency"] = "USD".into();
    assert_eq!(status(&mut Stack::new(), &with_data("L-1", abroad)), "accepted");

    let listed = config("products = ['credit_card']");
    assert_eq!(told(&listed, "credit_card", "EUR"), taken, "a list takes any currency, as before");
    let tables = config("[products.credit_card]\ncurrencies = ['EUR', 'USD']\n[products.loan]\n");
    assert_eq!(told(&tables, "credit_card", "USD"), taken);
    assert_eq!(told(&tables, "credit_card", "TWD"), refused("currency_not_of_product", currency));
    assert_eq!(told(&tables, "loan", "CHF"), taken);
}
