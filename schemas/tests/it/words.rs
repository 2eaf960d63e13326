//! Words of the schemas against the types that carry them: where a schema lists words, each is one of the type's, and the place that
//! has them all has no other. A list that stands in no row here fails, so that nobody forgets one.

use domain::facts::*;
use domain::*;
use schemas::catalogue::documents;
use serde_json::Value;
use std::collections::BTreeMap;

/// Words that a list holds, or whose type is not one of `domain`.
enum Of {
    /// All of them, in the order of the table.
    All(fn() -> Vec<&'static str>),
    /// Some of them.
    Some(fn() -> Vec<&'static str>),
    /// Not a type of `domain`.
    Other,
}

fn table<T: Worded>() -> Vec<&'static str> {
    T::ALL.iter().map(|word| word.as_str()).collect()
}

/// By the end of a place, file and JSON pointer; the first that fits counts.
const PLACES: &[(&str, Of)] = &[
    // What only some of the words make sense for.
    ("application.replied.v1.json/if/properties/status", Of::Some(table::<ReplyStatus>)),
    ("/parties/items/properties/role", Of::Some(table::<Role>)),
    ("/parties/items/properties/kind", Of::All(table::<ApplicantKind>)),
    ("/applicants/items/allOf/1/properties/role", Of::Some(table::<Role>)),
    ("decision.made.v1.json/properties/intent", Of::Some(table::<Intent>)),
    ("/risk/properties/model/properties/role", Of::Some(table::<ModelRole>)),
    ("/rules/items/properties/step", Of::Some(table::<Step>)),
    ("/recipients/items", Of::Some(table::<Role>)),
    ("/properties/arm", Of::Some(table::<ModelRole>)),
    // An application.
    ("/properties/intent", Of::All(table::<Intent>)),
    ("/properties/request_type", Of::All(table::<RequestType>)),
    ("/properties/ce_originchannel", Of::All(table::<Channel>)),
    ("/$defs/model/properties/role", Of::All(table::<ModelRole>)),
    ("/properties/role", Of::All(table::<Role>)),
    ("/$defs/applicant/properties/kind", Of::All(table::<ApplicantKind>)),
    ("/$defs/subject/properties/kind", Of::All(table::<ApplicantKind>)),
    ("/applicants/items/properties/kind", Of::All(table::<ApplicantKind>)),
    ("/$defs/report/properties/status", Of::All(table::<ReportStatus>)),
    ("/$defs/report_used/properties/status", Of::All(table::<ReportStatus>)),
    // Its facts.
    ("/properties/period", Of::All(table::<Period>)),
    ("/properties/basis", Of::All(table::<IncomeBasis>)),
    ("/properties/evidence", Of::All(table::<Evidence>)),
    ("/properties/dependants_band", Of::All(table::<DependantsBand>)),
    ("/$defs/employment/properties/status", Of::All(table::<EmploymentStatus>)),
    ("/properties/tenure_band", Of::All(table::<TenureBand>)),
    ("/properties/occupation", Of::All(table::<Occupation>)),
    ("/$defs/housing/properties/status", Of::All(table::<HousingStatus>)),
    ("/properties/residence_band", Of::All(table::<ResidenceBand>)),
    ("/properties/checking_band", Of::All(table::<CheckingBand>)),
    ("/properties/savings_band", Of::All(table::<SavingsBand>)),
    ("/properties/credit_history", Of::All(table::<CreditHistory>)),
    ("/properties/instalment_rate_band", Of::All(table::<InstalmentRateBand>)),
    ("/properties/other_instalment_plans", Of::All(table::<OtherInstalmentPlans>)),
    ("/properties/existing_credits_band", Of::All(table::<ExistingCreditsBand>)),
    ("/properties/other_debtors", Of::All(table::<OtherDebtors>)),
    ("/properties/most_valuable", Of::All(table::<MostValuable>)),
    // What is said of it.
    ("application.replied.v1.json/properties/status", Of::All(table::<ReplyStatus>)),
    ("score.computed.v1.json/properties/status", Of::All(table::<ScoreStatus>)),
    ("/risk/properties/status", Of::All(table::<ScoreStatus>)),
    ("/comparisons/items/properties/operator", Of::All(table::<Comparator>)),
    ("/properties/flag", Of::All(table::<FeatureFlag>)),
    ("/properties/population", Of::All(table::<Population>)),
    ("/properties/outcome", Of::All(table::<Outcome>)),
    ("/properties/automation", Of::All(table::<Automation>)),
    ("/properties/step", Of::All(table::<Step>)),
    ("/properties/referral", Of::All(table::<Referral>)),
    ("/properties/source", Of::All(table::<ReasonSource>)),
    ("notification.delivered.v1.json/properties/status", Of::All(table::<DeliveryStatus>)),
    // Words of one crate, free text of a lender, or no words.
    ("access.recorded.v1.json/properties/operation", Of::Other),
    ("activation.passed.v1.json/properties/kind", Of::Other),
    ("application.replied.v1.json/properties/problem/properties/type", Of::Other),
    ("/faults/items/properties/type", Of::Other),
    ("/warning_details/items/properties/type", Of::Other),
    ("/properties/prior_correction", Of::Other),
    ("control.activated.v1.json/properties/kind", Of::Other),
    ("gap.accepted.v1.json/properties/kind", Of::Other),
    ("instance.announced.v1.json/properties/room", Of::Other),
    ("/$defs/explanation/properties/method", Of::Other),
    ("structured.v1.json/properties/type", Of::Other),
];

/// Every list of words below a schema: a closed one, or what an open one has for examples.
fn lists(at: &str, schema: &Value, found: &mut BTreeMap<String, Vec<String>>) {
    let is_open = schema["description"].as_str().is_some_and(|text| text.contains("Open: "));
    let list = schema.get("enum").or_else(|| schema.get("examples").filter(|_| is_open)).and_then(Value::as_array);
    let words: Vec<String> = list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    if !words.is_empty() {
        found.insert(at.to_owned(), words);
    }
    match schema {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| lists(&format!("{at}/{name}"), member, found))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| lists(&format!("{at}/{index}"), item, found));
        }
        _ => {}
    }
}

#[test]
fn the_words_of_a_schema_are_those_of_its_type() {
    let mut found = BTreeMap::new();
    for document in documents() {
        let schema: Value = serde_json::from_str(document.text).unwrap_or_else(|e| panic!("{}: {e}", document.file));
        lists(document.file, &schema, &mut found);
    }
    let mut used = vec![false; PLACES.len()];
    for (place, words) in &found {
        let row = PLACES.iter().position(|(end, _)| place.ends_with(end));
        let row = row.unwrap_or_else(|| panic!("{place} has no row: name its type here"));
        used[row] = true;
        match &PLACES[row].1 {
            Of::All(table) => assert_eq!(*words, table(), "{place}"),
            Of::Some(table) => assert!(words.iter().all(|word| table().contains(&word.as_str())), "{place}: {words:?}"),
            Of::Other => {}
        }
    }
    let unused: Vec<_> = PLACES.iter().zip(&used).filter(|(_, used)| !**used).map(|((end, _), _)| end).collect();
    assert!(unused.is_empty(), "no schema has {unused:?}");
}
