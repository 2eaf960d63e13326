//! The condition of a route's entry: an expression of the one language over an application. Compiled once; yields true, false, or that
//! it is undetermined, and then the entry does not apply.

use expressions::vocabulary::Kind;
use expressions::{Compiled, Finding, Use, Value, Vocabulary};
use scoring::application::{self, Document, Spot};
use scoring::lookup::Lookup;

/// The longest condition, in bytes: what is longer is a model, and belongs into one.
pub(crate) const MAX_LENGTH: usize = 2_000;

/// The names of routes.
static VOCABULARY: Vocabulary = application::vocabulary("routes");

/// A compiled condition.
#[derive(Debug)]
pub struct Condition(Compiled<Spot>);

impl Condition {
    /// Compiles `source`; `lookup` grows by what it reads.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn compile(source: &str, lookup: &mut Lookup) -> Result<Self, Vec<Finding>> {
        let one = |message: String| vec![Finding { code: "syntax", message, at: None, suggestion: None }];
        if source.len() > MAX_LENGTH {
            return Err(one(format!("{} bytes, at most {MAX_LENGTH} are allowed", source.len())));
        }
        let compiled = application::compile(source, &VOCABULARY, lookup)?;
        match compiled.may_be_truth() {
            true => Ok(Self(compiled)),
            false => Err(one("is never true or false: end it in a comparison, has(), in, or a question".to_owned())),
        }
    }

    /// What the one compiler made of it.
    pub fn compiled(&self) -> &Compiled<Spot> {
        &self.0
    }

    /// Everything that it reads.
    pub(crate) fn uses(&self) -> Vec<Use> {
        self.0.uses(&VOCABULARY, Some(Kind::Bool))
    }

    /// Whether it holds; `None` where it reads what is absent, fails, or costs too much on this application.
    pub fn holds(&self, data: &Document<'_>) -> Option<bool> {
        match self.0.evaluate(data) {
            Ok(Value::Bool(holds)) => Some(holds),
            Ok(_) | Err(_) => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_may_be_true_or_false_is_taken() {
        for (source, expected) in [
            ("data.channel == \"web\"", None),
            ("!has(data.applicants[0].facts.trade_lines) || data.applicants[0].facts.trade_lines < 3", None),
            ("data.attributes.is_thin", None),
            ("data.reports.all(r, r.status != \"hit\")", None),
            ("data.reports.exists_one(r, r.status == \"hit\")", None),
            ("data.reports.size() == 0", None),
            ("data.channel in [\"web\", \"app\"] ? has(data.a.b) : true", None),
            ("data.channel.startsWith(\"w\")", None),
            ("data.a + 1", Some("never true or false")),
            // A list that is built grows element by element, each time as a copy.
            ("data.reports.filter(r, r.status == \"hit\")", Some("costs up to")),
            ("[data.channel]", Some("never true or false")),
            ("data", Some("never true or false")),
            ("\"yes\"", Some("never true or false")),
            ("data.reports.size() && true", Some("take what is true or false")),
            ("data.a ? 1 : 2", Some("never true or false")),
            ("data.a <", Some("not CEL")),
            ("income > 5", Some("income is not published to routes: did you mean")),
            ("facts.dependants > 2 && co_applicants.exists(p, p.facts.of_legal_age)", None),
            ("debt_to_income < 0.4 && attributes.naics == \"722\"", None),
            ("facts.dependents > 2", Some("did you mean facts.dependants?")),
            ("facts.trade_lines > 2", Some("facts.trade_lines is not published to routes")),
            ("parties.exists(p, p.subject == \"f\")", Some("reads subject")),
            ("data.applicants[0].protected.sex == \"f\"", Some("reads protected")),
            ("data.applicants[0].subject.subject == \"f\"", Some("reads subject")),
        ] {
            let why = Condition::compile(source, &mut Lookup::default()).err();
            let why = why.map(|why| why.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
            match expected {
                None => assert_eq!(why, None, "{source}"),
                Some(word) => assert!(why.as_ref().is_some_and(|why| why.contains(word)), "{source}: {why:?}"),
            }
        }
        let long = format!("data.a == \"{}\"", "x".repeat(MAX_LENGTH));
        assert!(Condition::compile(&long, &mut Lookup::default()).unwrap_err()[0].message.contains("at most 2000"));
        let deep = format!("{}data.a == 1{}", "(".repeat(900), ")".repeat(900));
        assert!(Condition::compile(&deep, &mut Lookup::default()).is_err(), "deep nesting is refused, not followed");
    }

    #[test]
    fn the_examples_of_the_page_on_the_language_are_conditions() {
        let page = include_str!("../../docs/expressions.md");
        let blocks = page.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
        let ours = blocks.filter(|(tag, _)| ["cel", "cel application"].contains(tag));
        let examples: Vec<&str> = ours.flat_map(|(_, block)| block.lines()).filter(|line| !line.is_empty()).collect();
        assert!(examples.len() >= 15, "{examples:?}");
        for example in examples {
            let condition = Condition::compile(example, &mut Lookup::default());
            assert!(condition.is_ok_and(|condition| condition.compiled().warnings().is_empty()), "{example}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_neither() {
        let source = "data.applicants[0].facts.trade_lines < 3 && data.attributes.flag";
        let mut lookup = Lookup::default();
        let condition = Condition::compile(source, &mut lookup).unwrap();
        let applicants = |lines: serde_json::Value| json!([{"facts": {"trade_lines": lines}}]);
        for (data, expected) in [
            (json!({"applicants": applicants(json!(1)), "attributes": {"flag": true}}), Some(true)),
            (json!({"applicants": applicants(json!(1)), "attributes": {"flag": false}}), Some(false)),
            (json!({"applicants": applicants(json!(7)), "attributes": {}}), Some(false)),
            (json!({"applicants": applicants(json!(null)), "attributes": {"flag": true}}), None),
            (json!({"applicants": applicants(json!("many")), "attributes": {"flag": true}}), None),
            (json!({"applicants": [], "attributes": {"flag": true}}), None),
            (json!({"applicants": applicants(json!(1)), "attributes": {"flag": "yes"}}), None),
        ] {
            let text = data.to_string();
            assert_eq!(condition.holds(&Document::of_text(&text, &lookup).unwrap()), expected, "{data}");
        }
    }
}
