//! Attributes that no model reads as they were sent: a counted warning in the reply, or a refusal where the tenant is strict.

use crate::corpus::{Record, good};
use crate::stack::{Stack, header};
use domain::attributes::{Form, Range};
use domain::{Attribute, Attributes, ProductAttributes};
use ingest::Config;
use ingest::metrics::ATTRIBUTE_WARNINGS;
use prometheus::Registry;
use runtime::latest::Latest;
use schemas::attributes::Published;
use schemas::catalogue;
use serde_json::{Value, json};

/// What the models of `credit_card` read here.
pub fn known() -> Latest<Published> {
    let mut known = Attributes::default();
    let rows = [
        ("utilisation", Form::Number(Range { low: 0.0, high: 1.0 })),
        ("months_on_file", Form::Whole(Range { low: 0.0, high: 600.0 })),
        ("stage", Form::Words(["new".to_owned(), "existing".to_owned()].into())),
    ];
    rows.into_iter().for_each(|(name, form)| known.and(name, Attribute::of(form)));
    let mut all = ProductAttributes::default();
    all.set("credit_card", None, known);
    Latest::new(Published::new(all))
}

fn config(strict: &[&str]) -> Config {
    let strict_attributes = strict.iter().map(|tenant| (*tenant).to_owned()).collect();
    Config { attributes: known(), strict_attributes, ..Config::default() }
}

/// The good application with these attributes.
fn app(attributes: &Value) -> Record {
    let mut record = good("L-1").0;
    let mut data: Value = serde_json::from_slice(record.body.as_deref().unwrap()).unwrap();
    data["attributes"] = attributes.clone();
    record.body = Some(data.to_string().into_bytes());
    record
}

fn is_a_reply(reply: &Value) {
    let schema = catalogue::validator("application.replied.v1").unwrap();
    assert!(schema.is_valid(reply), "{reply}");
}

#[test]
fn a_misspelt_attribute_is_a_warning_with_its_place_and_the_name_that_was_meant() {
    let mut stack = Stack::with(&config(&[]));
    let outcome =
        stack.send(&app(&json!({"utilisatoin": 0.3, "months_on_file": "41", "stage": "closed", "shoe_size": 9})));
    assert!(outcome.is_accepted());
    let reply = outcome.reply();
    is_a_reply(&reply);
    assert_eq!(reply["status"], "accepted");
    assert_eq!(reply["warnings"], json!(["attribute_wrong_type", "unknown_attribute", "attribute_unknown_word"]));
    assert_eq!(
        reply["warning_details"],
        json!([
            {
                "type": "attribute_wrong_type", "pointer": "/attributes/months_on_file",
                "expected": {"types": ["integer", "null"], "minimum": 0, "maximum": 600},
            },
            {"type": "unknown_attribute", "pointer": "/attributes/shoe_size"},
            {
                "type": "attribute_unknown_word", "pointer": "/attributes/stage",
                "expected": {"types": ["string", "null"], "words": ["existing", "new"]},
            },
            {"type": "unknown_attribute", "pointer": "/attributes/utilisatoin", "nearest": "utilisation"},
        ])
    );
    let text = reply.to_string();
    assert!(!text.contains("0.3") && !text.contains("closed") && !text.contains("41"), "no value: {text}");
    let accepted = outcome.on("t.credit.applications.v1")[0];
    assert_eq!(header(accepted, "ce_attributewarnings"), None, "it goes no further than the reply");
    let again =
        stack.send(&app(&json!({"utilisatoin": 0.3, "months_on_file": "41", "stage": "closed", "shoe_size": 9})));
    assert_eq!(again.reply()["warning_details"], reply["warning_details"], "a duplicate is told the same");
}

#[test]
fn a_good_application_is_told_nothing_and_carries_nothing() {
    let rows = [
        json!({}),
        json!({"utilisation": 0.35, "months_on_file": 41, "stage": "new"}),
        json!({"utilisation": null, "months_on_file": null, "stage": null}),
    ];
    for strict in [&[][..], &["demo"]] {
        for attributes in &rows {
            let mut stack = Stack::with(&config(strict));
            let outcome = stack.send(&app(attributes));
            let reply = outcome.reply();
            assert_eq!((reply.get("warnings"), reply.get("warning_details")), (None, None), "{attributes}");
            assert_eq!(reply["status"], "accepted", "{attributes}");
            let intake = outcome.on("t.credit.intake.v1")[0];
            assert_eq!(header(intake, "ce_attributewarnings"), None);
        }
    }
}

#[test]
fn a_strict_tenants_application_is_refused_with_a_word_for_each_kind() {
    let rows = [
        (
            json!({"utilisatoin": 0.3}),
            "unknown_attribute",
            "/attributes/utilisatoin",
            "names",
            json!(["months_on_file", "stage", "utilisation"]),
        ),
        (
            json!({"months_on_file": "41"}),
            "attribute_wrong_type",
            "/attributes/months_on_file",
            "types",
            json!(["integer", "null"]),
        ),
        (
            json!({"stage": "closed"}),
            "attribute_unknown_word",
            "/attributes/stage",
            "words",
            json!(["existing", "new"]),
        ),
    ];
    for (attributes, word, pointer, member, expected) in rows {
        let mut stack = Stack::with(&config(&["demo"]));
        let outcome = stack.send(&app(&attributes));
        let reply = outcome.reply();
        is_a_reply(&reply);
        assert_eq!((&reply["status"], &reply["problem"]["type"]), (&json!("rejected"), &json!(word)));
        assert_eq!(reply["problem"]["pointers"], json!([pointer]));
        let fault = &reply["problem"]["faults"][0];
        assert_eq!((&fault["pointer"], &fault["expected"][member]), (&json!(pointer), &expected), "{fault}");
        let names = fault["detail"].as_str().unwrap().contains("the nearest name is utilisation");
        assert_eq!(names, word == "unknown_attribute", "{fault}");
        assert!(outcome.on("t.credit.intake.v1").is_empty());
    }
    let mut stack = Stack::with(&config(&["demo"]));
    let outcome = stack.send(&app(&json!({"utilisation": 7.5})));
    let reply = outcome.reply();
    assert_eq!(reply["warnings"], json!(["attribute_out_of_range"]), "what is read as its bound is not refused");
    let mut stack = Stack::with(&config(&[]));
    assert_eq!(stack.send(&app(&json!({"utilisatoin": 0.3}))).reply()["status"], "accepted", "nobody chose strict");
}

/// What a model of `credit_card` reads of amounts: one by pointer and by expression, one by expression alone.
fn amounts(strict: &[&str]) -> Config {
    let mut known = Attributes::default();
    let minor = Form::Members([("amount_minor".to_owned(), Form::Number(Range::ALL))].into());
    for (name, form) in [("bill_1", Form::money("TWD", 1.0, Range::ALL)), ("bill_2", minor)] {
        known.and(name, Attribute::of(form));
        known.and_amount(vec![name.to_owned()]);
    }
    known.and("limit", Attribute::of(Form::money("TWD", 1.0, Range::ALL)));
    let purposes = Form::Words(["car".to_owned(), "boat".to_owned()].into());
    known.and_elsewhere("/requested/purpose", Attribute::of(purposes));
    let mut all = ProductAttributes::default();
    all.set("credit_card", None, known);
    let strict_attributes = strict.iter().map(|tenant| (*tenant).to_owned()).collect();
    Config { attributes: Latest::new(Published::new(all)), strict_attributes, ..Config::default() }
}

#[test]
fn an_amount_in_another_currency_is_refused_where_a_model_does_not_ask_for_it() {
    let eur = json!({"amount_minor": 4_000_000, "currency": "EUR"});
    let rows = [
        (json!({"bill_2": eur}), vec!["/attributes/bill_2/currency"]),
        (json!({"bill_2": {"amount_minor": 4_000_000}}), vec!["/attributes/bill_2/currency"]),
        (
            json!({"bill_2": eur, "bill_1": {"amount_minor": 1, "currency": "USD"}}),
            vec!["/attributes/bill_1/currency", "/attributes/bill_2/currency"],
        ),
    ];
    for strict in [&[][..], &["demo"]] {
        for (attributes, pointers) in &rows {
            let mut stack = Stack::with(&amounts(strict));
            let outcome = stack.send(&app(attributes));
            let reply = outcome.reply();
            is_a_reply(&reply);
            assert_eq!(reply["problem"]["type"], "currency_not_of_product", "{attributes}: {reply}");
            assert_eq!(reply["problem"]["pointers"], json!(pointers));
            let faults = reply["problem"]["faults"].as_array().unwrap();
            assert_eq!(faults.len(), pointers.len(), "each place once: {reply}");
            assert!(faults.iter().all(|fault| fault["expected"] == json!({"words": ["TWD"]})), "{reply}");
            assert!(outcome.on("t.credit.intake.v1").is_empty() && !reply.to_string().contains("EUR"));
        }
        let mut stack = Stack::with(&amounts(strict));
        let twd = json!({"amount_minor": 4_000_000, "currency": "TWD"});
        let sent = json!({"bill_1": twd, "bill_2": twd, "limit": twd});
        assert_eq!(stack.send(&app(&sent)).reply()["status"], "accepted");
    }
}

#[test]
fn a_currency_that_no_model_reads_is_told_at_its_place() {
    let sent = json!({"limit": {"amount_minor": 1, "currency": "EUR"}});
    let place = "/attributes/limit/currency";
    let reply = Stack::with(&amounts(&[])).send(&app(&sent)).reply();
    let told = json!({
        "type": "attribute_unknown_word", "pointer": place, "expected": {"types": ["string"], "words": ["TWD"]},
    });
    assert_eq!((&reply["status"], &reply["warning_details"][0]), (&json!("accepted"), &told), "{reply}");
    let reply = Stack::with(&amounts(&["demo"])).send(&app(&sent)).reply();
    let fault = &reply["problem"]["faults"][0];
    assert_eq!((&fault["pointer"], &fault["expected"]["words"]), (&json!(place), &json!(["TWD"])), "{reply}");
}

#[test]
fn a_purpose_that_no_model_knows_is_a_warning_for_every_tenant() {
    for strict in [&[][..], &["demo"]] {
        let mut record = app(&json!({}));
        let mut data: Value = serde_json::from_slice(record.body.as_deref().unwrap()).unwrap();
        data["requested"]["purpose"] = json!("submarine");
        record.body = Some(data.to_string().into_bytes());
        let reply = Stack::with(&amounts(strict)).send(&record).reply();
        is_a_reply(&reply);
        assert_eq!((&reply["status"], &reply["warnings"]), (&json!("accepted"), &json!(["unknown_word"])));
        let told = json!([{
            "type": "unknown_word", "pointer": "/requested/purpose",
            "expected": {"types": ["string", "null"], "words": ["boat", "car"]},
        }]);
        assert_eq!(reply["warning_details"], told);
        assert!(!reply.to_string().contains("submarine"));
    }
}

#[test]
fn warnings_are_counted_by_product_and_kind() {
    let registry = Registry::new();
    let mut stack = Stack::counted(&config(&[]), &registry);
    stack.send(&app(&json!({"a": 1, "b": 2, "months_on_file": 700})));
    stack.send(&app(&json!({"a": 1})));
    let family = registry.gather().into_iter().find(|family| family.name() == ATTRIBUTE_WARNINGS).unwrap();
    let mut told: Vec<(String, f64)> = family
        .get_metric()
        .iter()
        .map(|one| {
            let labels: Vec<&str> = one.get_label().iter().map(|label| label.value()).collect();
            (labels.join(" "), one.get_counter().get_value())
        })
        .collect();
    told.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = [("attribute_out_of_range credit_card", 1.0), ("unknown_attribute credit_card", 3.0)];
    assert_eq!(told, expected.map(|(labels, count)| (labels.to_owned(), count)));
}

#[test]
fn a_contract_that_comes_while_the_worker_runs_counts_from_then_on() {
    let config = config(&[]);
    let mut stack = Stack::with(&config);
    let sent = json!({"branch": "x"});
    assert_eq!(stack.send(&app(&sent)).reply()["warnings"], json!(["unknown_attribute"]));
    let mut more = Attributes::default();
    more.and("branch", Attribute::of(Form::Text));
    let mut all = ProductAttributes::default();
    all.set("credit_card", None, more);
    config.attributes.set(Published::new(all));
    assert_eq!(stack.send(&app(&sent)).reply().get("warnings"), None);
}

#[test]
fn who_is_strict_must_be_a_tenant() {
    let config = Config { strict_attributes: vec!["bnak".to_owned()], ..Config::default() };
    let refused = ingest::rules::Rules::new(&config).map(drop).unwrap_err().to_string();
    assert!(refused.contains("strict_attributes") && refused.contains("bnak"), "{refused}");
}
