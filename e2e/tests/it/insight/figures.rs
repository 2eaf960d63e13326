//! What panels of the Risk dashboard show on a deployment that is running: that none which compares is empty, and the share that is automatic.

use super::{Database, a_week, choices, dashboard, filled_sql, questions_of, rounds};
use std::collections::BTreeSet;

/// Panels that compare with the packages' reference distributions: each of their columns holds a figure.
const COMPARED: [&str; 3] =
    ["Scores of $scorecard", "Population stability by model", "Mean pd by band against the development bad rate"];

/// Asks what the panels ask that compare with the development sample, and the figures of the period.
///
/// # Panics
/// With every column that is empty.
pub fn the_development_sample_is_compared_with(database_url: &str) {
    let database = Database::connect(database_url);
    let (mut faults, dashboard) = (Vec::new(), dashboard("risk"));
    let (from, to) = a_week();
    let chosen = choices(&database, &dashboard, &from, &to, &mut faults);
    let mut asked = BTreeSet::new();
    for question in questions_of("risk", &dashboard) {
        let Some(title) = COMPARED.iter().find(|title| question.whose.ends_with(**title)) else { continue };
        asked.insert(*title);
        for chosen in rounds(&question.text, &chosen) {
            let rows = database.rows(&filled_sql(&question.text, &from, &to, &chosen)).unwrap();
            let columns = rows.first().map_or(0, Vec::len);
            let empty = (0..columns).filter(|column| rows.iter().all(|row| row[*column].is_none()));
            faults.extend(empty.map(|column| format!("{title}: column {column} holds nothing, {chosen:?}")));
            if rows.is_empty() {
                faults.push(format!("{title} shows nothing, {chosen:?}"));
            }
        }
    }
    assert_eq!(asked.len(), COMPARED.len(), "{asked:?}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The share of automatic decisions that the Risk dashboard shows for a tenant.
pub fn automatic_share(database_url: &str, tenant: &str) -> f64 {
    let database = Database::connect(database_url);
    let dashboard = dashboard("risk");
    let (from, to) = a_week();
    let mut chosen = choices(&database, &dashboard, &from, &to, &mut Vec::new());
    chosen.insert("tenant".to_owned(), vec![tenant.to_owned()]);
    let all = questions_of("risk", &dashboard);
    let question = all.iter().find(|question| question.whose == "risk: This period").unwrap();
    let columns = question.text.split(" FROM ").next().unwrap();
    let at = columns.split(" AS ").skip(1).map(|rest| rest.split([',', '\n']).next().unwrap());
    let at = at.into_iter().position(|name| name.trim() == "automatic").unwrap();
    let rows = database.rows(&filled_sql(&question.text, &from, &to, &chosen)).unwrap();
    rows[0][at].as_ref().unwrap().parse().unwrap()
}
