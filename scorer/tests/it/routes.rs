//! Routes over the repository's packages: what is refused, and who scores whom.

use crate::fixture::{
    STANDARD, Said, accepted, applications, deciding, document, entry, event_of, library, library_with, shadowing,
    worker_of,
};
use catalog::Error;
use domain::ModelRole;
use runtime::stream::{OwnedInput, RecordOutcome};
use scorer::route::MAX_SHADOWS;
use scorer::{Route, Routes};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const CARD: &str = "credit_card";

/// Cards by the scorecard, with more keys.
fn card(more: &str) -> String {
    entry("cards", CARD, "taiwan-scorecard", more)
}

#[test]
fn what_is_wrong_is_named_with_its_entry_and_key() {
    let library = library();
    let when = |id: &str, text: &str| entry(id, CARD, "taiwan-scorecard", &format!("when = '{text}'"));
    let of_tenant = |id: &str, more: &str| entry(id, CARD, "taiwan-net", &format!("tenant = 'a'\n{more}"));
    let other = |id: &str| entry(id, CARD, "taiwan-net", "");
    let shadows = |count: usize| format!("shadows = [{}]", vec!["\"taiwan-net@1.0.0\""; count].join(","));
    let challenger = |package: &str, buckets: u32, more: &str| {
        card(&format!("challengers = [{{ package = '{package}', buckets = {buckets} }}]\n{more}"))
    };
    let rows: &[(String, &[&str])] = &[
        (card(""), &[]),
        (when("thin", "data.channel == \"web\"") + &other("all") + &of_tenant("own", ""), &[]),
        (challenger("taiwan-net@1.0.0", 9_000, "holdout = 1_000"), &[]),
        (String::new(), &["entry: there is none"]),
        (card("champions = 'x'"), &["line 7: unknown field `champions`"]),
        (entry("Cards", CARD, "taiwan-scorecard", ""), &["entry 1 (Cards), id: "]),
        (card("tenant = ''"), &["entry 1 (cards), tenant: is empty"]),
        (card("") + &entry("all", CARD, "taiwan-net", "tenant = '*'"), &["entry 2 (all), tenant: is no tenant's name"]),
        (entry("cards", CARD, "visa", ""), &["entry 1 (cards), champion: there is no package visa@1.0.0"]),
        (
            entry("cards", CARD, "sba-net", ""),
            &["entry 1 (cards), champion: package sba-net@1.0.0 is for small_business"],
        ),
        (card("shadows = ['taiwan-net']"), &["entry 1 (cards), shadows: \"taiwan-net\" is not name@version"]),
        (card("shadows = ['taiwan-scorecard@1.0.0']"), &["entry 1 (cards), shadows: taiwan-scorecard is there twice"]),
        (
            challenger("taiwan-scorecard@1.0.0", 5, ""),
            &["entry 1 (cards), challengers: taiwan-scorecard is there twice"],
        ),
        (challenger("taiwan-net@1.0.0", 0, ""), &["entry 1 (cards), challengers: buckets are 0"]),
        (challenger("taiwan-net@1.0.0", 9_500, "holdout = 501"), &["entry 1 (cards), holdout: buckets of challengers"]),
        (challenger("taiwan-net@1.0.0", u32::MAX, "holdout = 4294967295"), &["entry 1 (cards), holdout: buckets of"]),
        (when("thin", "data.a + 1") + &other("all"), &["entry 1 (thin), when: is never true or false"]),
        (when("thin", "data.a <") + &other("all"), &["entry 1 (thin), when: not CEL"]),
        (when("thin", "income < 5") + &other("all"), &["entry 1 (thin), when: income is not published to routes"]),
        (when("thin", "data.a == 1"), &["entry 1 (thin), when: product credit_card would have no model"]),
        (
            of_tenant("own", "when = 'data.a == 1'"),
            &["entry 1 (own), when: product credit_card of tenant a would have no model"],
        ),
        (other("all") + &when("thin", "data.a == 1"), &["entry 2 (thin), when: can never apply: all before it"]),
        (
            when("thin", "data.a == 1") + &when("again", "data.a == 1") + &other("all"),
            &["entry 2 (again), when: can never apply: an entry before it has the same condition"],
        ),
        (card("") + &other("again"), &["entry 2 (again), product: product credit_card is there twice: cards has"]),
        (card("") + &of_tenant("cards", ""), &["entry 2 (cards), id: is there twice"]),
    ];
    for (entries, expected) in rows {
        let found = Route::load(document("r", "1.0.0", entries).as_bytes(), &library).err();
        let found: Vec<_> = found.map(|rejected| rejected.0).unwrap_or_default();
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        let fits = found.len() == expected.len() && found.iter().zip(*expected).all(|(a, b)| a.starts_with(b));
        assert!(fits, "{entries}\n{found:#?}");
    }
    let many = document("r", "1.0.0", &card(&shadows(MAX_SHADOWS + 1)));
    let why = Route::load(many.as_bytes(), &library).unwrap_err().to_string();
    assert!(why.starts_with("entry 1 (cards), shadows: 21, at most 20 are allowed"), "{why}");
    for (name, version, expected) in [("R", "1.0.0", "name: "), ("r", "1.0", "version: "), ("r", "1.0.x", "version: ")]
    {
        let why = Route::load(document(name, version, &card("")).as_bytes(), &library).unwrap_err().to_string();
        assert!(why.starts_with(expected), "{why}");
    }
}

#[test]
fn a_condition_that_costs_too_much_is_named_with_its_cost_and_the_limit() {
    let library = library();
    let load = |entries: &str| Route::load(document("r", "1.0.0", entries).as_bytes(), &library);
    let when = |id: &str, text: &str| entry(id, CARD, "taiwan-scorecard", &format!("when = '{text}'"));
    let debts = "data.applicants[0].facts.debts";
    let nested = |depth: usize| {
        let inner = "false".to_owned();
        (0..depth).fold(inner, |inner, at| format!("{debts}.exists(v{at}, v{at}.kind == \"x\" || {inner})"))
    };
    assert!(load(&(when("thin", &nested(1)) + &card(""))).is_ok());
    let why = load(&(when("thin", &nested(4)) + &card(""))).unwrap_err().to_string();
    assert!(why.starts_with("entry 1 (thin), when: costs up to ") && why.contains("at most 250000"), "{why}");
    let lists = (0..12).fold("false".to_owned(), |inner, at| format!("[0, 1, 2, 3, 4, 5].exists(v{at}, {inner})"));
    let why = load(&(when("thin", &lists) + &card(""))).unwrap_err().to_string();
    assert!(why.starts_with("entry 1 (thin), when: costs up to "), "{why}");
    let many: String =
        (0..400).map(|at| when(&format!("e{at}"), &nested(1).replace("\"x\"", &format!("\"{at}\"")))).collect();
    let why = load(&(many + &card(""))).unwrap_err().to_string();
    assert!(why.contains("and with those before it") && why.contains("may cost 1000000"), "{why}");
    let entries: String = (0..1_100).map(|at| entry(&format!("e{at}"), CARD, "taiwan-net", "")).collect();
    let why = load(&entries).unwrap_err().to_string();
    assert!(why == "1100 entries, at most 1000 are allowed", "{why}");
    let standard = Route::load(STANDARD.as_bytes(), &library).unwrap();
    assert!(standard.cost() * 10 < expressions::MAX_TOTAL_COST, "{}", standard.cost());
}

#[test]
fn the_folder_is_read_once_and_what_is_wrong_names_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("standard");
    std::fs::create_dir_all(&own).unwrap();
    let write = |file: &str, text: &str| std::fs::write(own.join(file), text).unwrap();
    write("1.0.0.toml", STANDARD);
    write("1.1.0.toml", &STANDARD.replacen("taiwan-lightgbm@1.0.0", "visa@1.0.0", 1).replacen("1.0.0", "1.1.0", 1));
    write("1.2.0.toml", STANDARD);
    let read = |default: &str| Routes::read(folder.path(), default, &library());
    let routes = read("standard@1.0.0").unwrap();
    let first = routes.default_route().unwrap();
    assert_eq!((routes.all().count(), first.label().as_str()), (1, "standard@1.0.0"));
    assert_eq!(first.digest(), domain::Digest::of(STANDARD.as_bytes()).to_string());
    assert_eq!(routes.products(), ["consumer_instalment", CARD, "small_business_term"]);
    for (default, expected) in [
        ("standard@1.1.0", "standard/1.1.0.toml: error: entry 1 (cards), champion: there is no package visa@1.0.0"),
        (
            "standard@1.2.0",
            "standard/1.2.0.toml: error [misplaced] it says it is standard@1.0.0: move it to standard/1.0.0.toml",
        ),
        ("standard@9.0.0", "names no document"),
    ] {
        let why = read(default).unwrap_err();
        assert!(matches!(why, Error::Rejected(_) | Error::NoDefault { .. }));
        assert!(why.to_string().contains(expected), "{why}");
    }
}

/// Who scored each application, and what its event says of the route.
fn said(outputs: &[Said]) -> Vec<(String, String, Vec<String>)> {
    let said = outputs.iter().map(|(_, output)| event_of(output));
    said.map(|event| (event.model.unwrap().name, event.route.entry.unwrap(), event.route.undetermined_conditions))
        .collect()
}

fn changed(data: &Value, change: impl FnOnce(&mut Value)) -> Value {
    let mut data = data.clone();
    change(&mut data);
    data
}

#[test]
fn a_thin_file_goes_to_another_scorecard_and_a_tenant_to_its_own() {
    let library = library_with(&[("german-scorecard", "thin-scorecard"), ("german-scorecard", "bank-scorecard")]);
    let product = "consumer_instalment";
    let thin = "when = 'data.applicants[0].facts.obligations.credit_history == \"no_credits\"'";
    let entries = [
        entry("all_of_bank", product, "bank-scorecard", "tenant = 'bank'"),
        entry("thin_file", product, "thin-scorecard", thin),
        entry("instalment", product, "german-scorecard", ""),
    ];
    let route = document("r", "1.0.0", &entries.concat());
    let data = &applications("german-scorecard")[0];
    let history =
        |word: Value| move |data: &mut Value| data["applicants"][0]["facts"]["obligations"]["credit_history"] = word;
    let of_bank = changed(data, |data| data["tenant"] = json!("bank"));
    let rows: [(Value, (&str, &str, &[&str])); 4] = [
        (changed(data, history(json!("no_credits"))), ("thin-scorecard", "thin_file", &[])),
        (changed(data, history(json!("all_paid_here"))), ("german-scorecard", "instalment", &[])),
        (changed(data, history(json!(null))), ("german-scorecard", "instalment", &["thin_file"])),
        (changed(&of_bank, history(json!("no_credits"))), ("bank-scorecard", "all_of_bank", &[])),
    ];
    let records: Vec<_> = rows.iter().enumerate().map(|(at, (data, _))| accepted(data, 0, at as i64)).collect();
    let (outcomes, outputs) = worker_of(library, &[&route], 256).feed(&records).unwrap();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, RecordOutcome::Done(_))), "nobody goes unanswered");
    for ((_, (model, entry, undetermined)), said) in rows.iter().zip(said(&outputs)) {
        let undetermined: Vec<_> = undetermined.iter().map(|id| (*id).to_owned()).collect();
        assert_eq!(said, ((*model).to_owned(), (*entry).to_owned(), undetermined));
    }
}

/// As many shadows as there may be speak beside the champion and change not a byte of what it says.
#[test]
fn twenty_shadows_speak_at_once_and_change_nothing() {
    let names: Vec<String> = (0..MAX_SHADOWS).map(|at| format!("copy-{at}")).collect();
    let copies: Vec<(&str, &str)> = names.iter().map(|name| ("taiwan-scorecard", name.as_str())).collect();
    let library = library_with(&copies);
    let listed: Vec<String> = names.iter().map(|name| format!("{name}@1.0.0")).collect();
    let with = document("r", "1.0.0", &entry("cards", CARD, "taiwan-lightgbm", &format!("shadows = {listed:?}")));
    let without = document("r", "1.0.0", &entry("cards", CARD, "taiwan-lightgbm", ""));
    let named = |(at, data): (usize, &Value)| {
        accepted(&changed(data, |data| data["application_id"] = json!(format!("L-{at}"))), 0, at as i64)
    };
    let records: Vec<OwnedInput> = applications("taiwan-lightgbm").iter().enumerate().map(named).collect();
    let (outcomes, outputs) = worker_of(library.clone(), &[&with], 256).feed(&records).unwrap();
    let (outcomes_alone, alone) = worker_of(library, &[&without], 256).feed(&records).unwrap();
    assert_eq!(outcomes, outcomes_alone);
    let (digest, digest_alone) = [&with, &without].map(|text| domain::Digest::of(text.as_bytes()).to_string()).into();
    let decided: Vec<Said> = deciding(outputs.clone());
    let same_route = |(partition, mut output): Said| {
        let text = String::from_utf8(output.payload.unwrap()).unwrap();
        output.payload = Some(text.replace(&digest_alone, &digest).into_bytes());
        (partition, output)
    };
    assert_eq!(decided, alone.into_iter().map(same_route).collect::<Vec<_>>());
    let shadows = shadowing(outputs);
    assert_eq!(shadows.len(), MAX_SHADOWS * records.len());
    let header =
        |output: &runtime::stream::Output| output.headers.iter().find(|(key, _)| *key == "ce_id").unwrap().1.clone();
    assert_eq!(shadows.iter().map(|(_, output)| header(output)).collect::<BTreeSet<_>>().len(), shadows.len());
    for (_, output) in shadows {
        let event = event_of(&output);
        let (model, route) = (event.model.unwrap(), event.route);
        assert!(
            model.role.is(ModelRole::Shadow)
                && names.contains(&model.name)
                && route.arm == Some(ModelRole::Champion.into())
        );
    }
}

/// An event carries the other parties where the route's entry says so, and is as it was to the byte where it does not.
#[test]
fn the_other_parties_are_carried_where_the_route_says_so() {
    let application = changed(&applications("german-scorecard")[0], |data| {
        let applicants = data["applicants"].as_array_mut().unwrap();
        applicants.push(json!({"role": "co_applicant", "kind": "person", "subject": {"key_id": "k1", "subject": "s2"},
            "facts": {"of_legal_age": true, "dependants": 1}}));
        applicants
            .push(json!({"role": "guarantor", "kind": "organisation", "subject": {"key_id": "k1", "subject": "s3"}}));
    });
    let said = |more: &str| {
        let text = document("r", "1.0.0", &entry("instalment", "consumer_instalment", "german-scorecard", more));
        let (_, outputs) = worker_of(library(), &[&text], 8).feed(&[accepted(&application, 0, 0)]).unwrap();
        let outputs = deciding(outputs);
        (String::from_utf8(outputs[0].1.payload.clone().unwrap()).unwrap(), event_of(&outputs[0].1))
    };
    let (text, event) = said("");
    assert!(event.parties.is_empty() && !text.contains("parties"), "{text}");
    let (_, event) = said("parties = true");
    let carried: Vec<_> = event.parties.iter().map(|party| (party.role.as_str(), party.facts.dependants)).collect();
    assert_eq!(carried, [("co_applicant", Some(1)), ("guarantor", None)]);
}

#[test]
fn an_older_way_of_writing_is_taken_and_what_to_write_is_told() {
    let library = library();
    let when = |text: &str| entry("thin", CARD, "taiwan-scorecard", &format!("when = '{text}'")) + &card("");
    for (text, expected) in [
        ("data.channel == \"web\"", "entry 1 (thin), when: write channel in place of data.channel (line 1, column 1)"),
        ("channel == \"web\"", ""),
    ] {
        let route = Route::load(document("r", "1.0.0", &when(text)).as_bytes(), &library).unwrap();
        let told: Vec<_> = route.warnings().iter().map(ToString::to_string).collect();
        assert_eq!(told.join("; "), expected, "{text}");
    }
}
