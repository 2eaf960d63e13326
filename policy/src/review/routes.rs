//! The same review over the condition of a route's entry: words that do not exist, attributes that nobody reads, what may be absent
//! without a guard, what never or always holds.

use super::meant;
use super::names::takes_guard;
use crate::bounds::{Domain, Known, Values, where_it_is};
use crate::finding::Severity;
use crate::models::Routed;
use crate::vocabulary::VOCABULARY;
use crate::words::{is_currency, may_be_absent, range, words};
use domain::{Attributes, Currency};
use expressions::vocabulary::{Kind, Type};
use expressions::{Form, Logic, Names};
use std::collections::BTreeSet;

/// The condition of an entry, compiled.
#[derive(Debug)]
pub struct RouteCondition<'c, P> {
    /// The product of the entry.
    pub product: &'c str,
    /// Its tests.
    pub logic: &'c Logic<P>,
    /// What it reads.
    pub names: Names,
    /// What the packages of the product read of `attributes`; none where that is not known.
    pub attributes: Option<&'c Attributes>,
}

/// One thing that is said of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Error or warning.
    pub severity: Severity,
    /// A stable word, such as `unknown_word`.
    pub code: &'static str,
    /// For people, with what to do.
    pub message: String,
    /// Line and column in the expression, both from 1.
    pub at: Option<(usize, usize)>,
}

/// Everything that is wrong with a condition that compiles.
pub fn review_condition<P>(condition: &RouteCondition<'_, P>) -> Vec<Said> {
    let mut review = Review { condition, found: Vec::new() };
    review.words();
    review.attributes();
    let has_errors = !review.found.is_empty();
    review.absent();
    if !has_errors {
        review.holds();
    }
    review.found
}

struct Review<'c, 'r, P> {
    condition: &'r RouteCondition<'c, P>,
    found: Vec<Said>,
}

/// The member of `attributes` that a name is, or is below.
fn attribute(name: &str) -> Option<&str> {
    name.strip_prefix("attributes.")?.split(['.', '[']).next()
}

impl<P> Review<'_, '_, P> {
    fn say(&mut self, severity: Severity, code: &'static str, message: String, at: Option<(usize, usize)>) {
        self.found.push(Said { severity, code, message: expressions::cut(&message), at });
    }

    /// Words that no list of the contract has.
    fn words(&mut self) {
        for held in &self.condition.names.words {
            let known = match held.name.as_str() {
                "product" => vec![self.condition.product],
                name if is_currency(name) && Currency::parse(&held.word).is_err() => Vec::new(),
                name => match words(name) {
                    Some(words) => words,
                    None => continue,
                },
            };
            if known.contains(&held.word.as_str()) {
                continue;
            }
            let near = meant(&held.word, known.iter().map(|word| (*word).to_owned()));
            let mut message = format!("{} is never {:?}{near}", held.name, held.word);
            if !known.is_empty() {
                message = format!("{message}; its words: {}", known.join(", "));
            }
            self.say(Severity::Error, "unknown_word", message, held.at);
        }
    }

    /// Attributes that no package reads, where one that is read has nearly the same name: a sender may have reason to send others.
    fn attributes(&mut self) {
        let Some(known) = self.condition.attributes else { return };
        let read = self.condition.names.read.iter().map(|read| (read.name.clone(), read.at));
        let asked = self.condition.logic.tests().into_iter().filter_map(|test| match &test.form {
            Form::Has(name) => Some((name.clone(), None)),
            _ => None,
        });
        let named: Vec<_> = read.chain(asked).collect();
        let mut seen = BTreeSet::new();
        for (name, at) in named {
            let Some(name) = attribute(&name) else { continue };
            if known.get(name).is_some() || !seen.insert(name.to_owned()) {
                continue;
            }
            let near = meant(name, known.names().keys().map(|name| (*name).to_owned()));
            if !near.is_empty() {
                let message = format!("no package of {} reads attributes.{name}{near}", self.condition.product);
                self.say(Severity::Warning, "unknown_attribute", message, at);
            }
        }
    }

    /// What is read without a guard although it may be absent.
    fn absent(&mut self) {
        let mut seen = BTreeSet::new();
        for read in &self.condition.names.read {
            let name = read.name.as_str();
            let may_be_absent = attribute(name).is_some() || is_absent(name);
            if read.is_guarded || !takes_guard(name) || !may_be_absent || !seen.insert(name) {
                continue;
            }
            let message = format!(
                "{name} may be absent: then the entry does not apply, and the next one does. Where that is meant, say so: has({name}) && …"
            );
            self.say(Severity::Warning, "may_be_absent", message, read.at);
        }
    }

    fn holds(&mut self) {
        let start = |name: &str| self.start(name);
        let is = |truth| where_it_is(self.condition.logic, truth, &Known::new(), &start).is_some();
        let proven = "this is proven by what the contract declares";
        let (code, message) = match (is(true), is(false)) {
            (false, _) => ("never_holds", format!("never holds, so the entry never applies: {proven}")),
            (true, false) => ("always_holds", format!("holds wherever what it reads is known: {proven}")),
            (true, true) => return,
        };
        self.say(Severity::Warning, code, format!("{message}. Correct the condition, or take it out."), None);
    }

    /// What a name may be before anything is asked.
    fn start(&self, name: &str) -> Option<Domain> {
        if attribute(name).is_some() {
            return Some(Domain { values: None, absent: true, present: true });
        }
        let set = |words: Vec<&str>| Values::Words(words.into_iter().map(str::to_owned).collect());
        let is_truth = VOCABULARY.type_of(&name.split('.').collect::<Vec<_>>()) == Some(Type::Known(Kind::Bool));
        let values = match (name, words(name), range(name)) {
            ("product", ..) => Some(set(vec![self.condition.product])),
            _ if is_truth => Some(Values::Truth([true, true])),
            (_, Some(words), _) => Some(set(words)),
            (_, None, Some((low, high, is_whole))) => Some(Values::Range { low, high, is_whole }),
            (_, None, None) => None,
        };
        Some(Domain { values, absent: is_absent(name), present: true })
    }
}

/// Whether an application may lack a name. It has all its parties with it.
fn is_absent(name: &str) -> bool {
    static WHOLE: Routed = Routed { product: String::new(), without_parties: Vec::new(), packages: Vec::new() };
    may_be_absent(name, Some(&WHOLE)) || name == "completed_at"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::Condition;
    use domain::Attribute;
    use domain::attributes::Form as Is;

    /// `severity code line:column` of what is found; a policy has most names of a route, and its attributes here are features.
    fn found(source: &str) -> Vec<String> {
        let condition = Condition::parse(source).expect(source);
        let mut names = condition.compiled().names();
        let renamed = |name: &str| name.replace("features.", "attributes.");
        names.read.iter_mut().for_each(|read| read.name = renamed(&read.name));
        let mut attributes = Attributes::default();
        attributes.and("repayment_status_4", Attribute::of(Is::Any));
        let logic = condition.compiled().logic();
        let said = review_condition(&RouteCondition { product: "card", logic, names, attributes: Some(&attributes) });
        let told = said.into_iter().map(|said| {
            let severity = if said.severity == Severity::Error { "error" } else { "warning" };
            let place = said.at.map_or("-".to_owned(), |(line, column)| format!("{line}:{column}"));
            format!("{severity} {} {place}", said.code)
        });
        told.collect()
    }

    #[test]
    fn a_condition_of_a_route_is_reviewed_as_a_rule_is() {
        let rows: [(&str, &[&str]); 10] = [
            ("channel == 'web' && amount_minor > 500", &[]),
            ("has(facts.employment.status) && facts.employment.status == 'unemployed'", &[]),
            ("has(facts.employment.status) && facts.employment.status == 'unemploied'", &["error unknown_word 1:60"]),
            ("product == 'cards'", &["error unknown_word 1:12"]),
            ("facts.dependants > 2", &["warning may_be_absent 1:1"]),
            ("term_months > 60", &[]),
            (
                "features.repayment_status4 > 3.0 || channel == 'web'",
                &["warning unknown_attribute 1:1", "warning may_be_absent 1:1"],
            ),
            ("features.repayment_status_4 > 3.0", &["warning may_be_absent 1:1"]),
            ("amount_minor < -1", &["warning never_holds -"]),
            ("amount_minor >= 0", &["warning always_holds -"]),
        ];
        for (source, expected) in rows {
            assert_eq!(found(source), expected, "{source}");
        }
    }
}
