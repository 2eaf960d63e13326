//! What is wrong with a route: as the scorer finds it, and what its conditions say beside the packages of their products.

use super::place::place_of;
use catalog::{Document, Finding, Severity};
use domain::Attributes;
use policy::{RouteCondition, Said, review_condition};
use scorer::condition::Condition;
use scorer::routes::finding;
use scorer::{Library, Route};
use scoring::attributes;
use scoring::lookup::Lookup;

/// Everything that is wrong with a document, or should be written otherwise, in its order.
pub(super) fn check(route: Vec<u8>, library: &Library) -> Vec<Finding> {
    let document = match Document::of(route) {
        Ok(document) => document,
        Err(finding) => return vec![finding],
    };
    let mut all = match Route::load(document.as_str().as_bytes(), library) {
        Ok(route) => {
            let warning = |found| Finding { severity: Severity::Warning, ..finding(found) };
            route.warnings().iter().cloned().map(warning).collect()
        }
        Err(rejected) => rejected.0.into_iter().map(finding).collect::<Vec<_>>(),
    };
    for found in &mut all {
        let entry = found.at.strip_prefix("entry ").and_then(|rest| rest.split(' ').next()?.parse().ok());
        let key = found.at.rsplit(", ").next().unwrap_or_default();
        found.line =
            entry.and_then(|entry: usize| place_of(document.as_str(), entry - 1, key, None)).map(|(line, _)| line);
    }
    all.extend(of_conditions(document.as_str(), library));
    all.sort_by_key(|found| (found.line, found.column));
    all
}

/// What is said of the conditions that compile; the others are told of already.
fn of_conditions(text: &str, library: &Library) -> Vec<Finding> {
    let Ok(document) = scorer::document::Document::parse(text) else { return Vec::new() };
    let mut all = Vec::new();
    for (index, entry) in document.entry.iter().enumerate() {
        let compiled = entry.when.as_deref().map(|when| Condition::compile(when, &mut Lookup::default()));
        let Some(Ok(condition)) = compiled else { continue };
        let attributes = read_by(library, &entry.product);
        let said = review_condition(&RouteCondition {
            product: &entry.product,
            logic: condition.compiled().logic(),
            names: condition.compiled().names(),
            attributes: attributes.as_ref(),
        });
        all.extend(said.into_iter().map(|Said { severity, code, message, at }| {
            let place = place_of(text, index, "when", at);
            Finding {
                severity: match severity {
                    policy::Severity::Error => Severity::Error,
                    policy::Severity::Warning => Severity::Warning,
                },
                line: place.map(|(line, _)| line),
                column: place.map(|(_, column)| column),
                ..Finding::error(code, format!("entry {} ({}), when", index + 1, entry.id), message)
            }
        }));
    }
    all
}

/// What the packages of a product read of `attributes`; none where there is no package, or one is open.
fn read_by(library: &Library, product: &str) -> Option<Attributes> {
    let mut all = Attributes::default();
    let models = library.models().iter().filter(|model| model.manifest().product == product);
    for manifest in models.map(|model| model.manifest()) {
        all.also(&attributes::read(manifest).ok()?);
        all.also(&attributes::classed(manifest));
    }
    (!all.is_open && !all.names().is_empty()).then_some(all)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::path::Path;

    const SHIPPED: &str = include_str!("../../../../routes/standard/1.0.0.toml");

    /// `severity code line:column` of what is found beside the packages that ship, where cards have an entry of that condition before.
    fn found(when: &str, library: &Library) -> Vec<String> {
        let entry = format!(
            "[[entry]]\nid = \"first\"\nproduct = \"credit_card\"\nwhen = '{when}'\nchampion = \"taiwan-net@1.0.0\"\n\n[[entry]]"
        );
        let found = check(SHIPPED.replacen("[[entry]]", &entry, 1).into_bytes(), library);
        let place = |of: Option<usize>| of.map_or("-".to_owned(), |of| of.to_string());
        let told = found.iter().map(|found| {
            let severity = if found.is_error() { "error" } else { "warning" };
            format!("{severity} {} {}:{}", found.code, place(found.line), place(found.column))
        });
        told.collect()
    }

    #[test]
    fn conditions_are_reviewed_beside_the_packages_of_their_product() {
        let library = Library::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../models")).unwrap();
        assert_eq!(check(SHIPPED.as_bytes().to_vec(), &library), []);
        let rows: [(&str, &[&str]); 7] = [
            ("!has(attributes.repayment_status_4)", &[]),
            ("!has(attributes.repayment_status4)", &["warning unknown_attribute 10:9"]),
            ("attributes.repayment_status_4 > 3", &["warning may_be_absent 10:9"]),
            (
                "has(facts.employment.status) && facts.employment.status == \"unemploied\"",
                &["error unknown_word 10:68"],
            ),
            ("amount_minor < -1", &["warning never_holds 10:9"]),
            ("channel == \"web\" || facts.dependents > 2", &["error  10:-"]),
            ("has(attributes.any_other_name)", &[]),
        ];
        for (when, expected) in rows {
            assert_eq!(found(when, &library), expected, "{when}");
        }
    }

    /// The conditions of the example of `routes/README.md` name words that exist, and are guarded.
    #[test]
    fn the_example_of_the_page_is_clean() {
        let page = include_str!("../../../../routes/README.md");
        let example = page.split("```toml").nth(1).unwrap().split("```").next().unwrap();
        let library = Library::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../models")).unwrap();
        assert!(example.contains("when = "), "{example}");
        assert_eq!(of_conditions(example, &library), []);
    }
}
