//! Interval reasoning: what is left of the values of each name where a condition holds, or does not. Nothing left is a proof that it never
//! does. Knows no application; what it does not understand leaves everything possible.

use expressions::{Form, Literal, Logic, Operator, Test};
use std::collections::{BTreeMap, BTreeSet};

/// What may stand at a name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Domain {
    /// Its values; none of a kind that is not reasoned about.
    pub values: Option<Values>,
    /// Whether it may be absent.
    pub absent: bool,
    /// Whether it may have a value.
    pub present: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Values {
    /// From and to, both possible.
    Range { low: f64, high: f64, is_whole: bool },
    /// One of these.
    Words(BTreeSet<String>),
    /// Whether it may be false, and true.
    Truth([bool; 2]),
}

/// What is known of names; what is not here is as [`Start`] says.
pub(crate) type Known = BTreeMap<String, Domain>;

/// What a name may be before anything is asked.
pub(crate) type Start<'s> = dyn Fn(&str) -> Option<Domain> + 's;

/// Sides that one question asks, after which none is asked a second time: each level of an expression would double them.
const BUDGET: usize = 2_000;

/// What is left where the condition has that truth; `None` where it never has.
pub(crate) fn where_it_is<P>(logic: &Logic<P>, truth: bool, known: &Known, start: &Start<'_>) -> Option<Known> {
    Question { start, asked: 0 }.put(logic, truth, known)
}

struct Question<'q, 's> {
    start: &'q Start<'s>,
    /// Sides so far.
    asked: usize,
}

impl Question<'_, '_> {
    fn put<P>(&mut self, logic: &Logic<P>, truth: bool, known: &Known) -> Option<Known> {
        self.asked += 1;
        match (logic, truth) {
            (Logic::Not(of), _) => self.put(of, !truth, known),
            (Logic::All(all), true) | (Logic::Any(all), false) => self.together(all, truth, known),
            (Logic::All(all), false) | (Logic::Any(all), true) => {
                let sides = all.iter().filter_map(|side| self.put(side, truth, known));
                sides.reduce(|left, right| either(&left, &right))
            }
            (Logic::Test(test), _) => tested(test, truth, known, self.start),
        }
    }

    /// All sides: each once, and within the budget again, because what a later side leaves narrows an earlier one. What is not asked
    /// again leaves more possible, never less.
    fn together<P>(&mut self, all: &[Logic<P>], truth: bool, known: &Known) -> Option<Known> {
        let mut known = known.clone();
        let mut said: Vec<Option<Known>> = vec![None; all.len()];
        for is_again in [false, true] {
            for (side, said) in all.iter().zip(&mut said) {
                // What is known is what it left: it has nothing to add.
                if said.as_ref() == Some(&known) || is_again && self.asked >= BUDGET {
                    continue;
                }
                known = self.put(side, truth, &known)?;
                *said = Some(known.clone());
            }
        }
        Some(known)
    }
}

fn tested<P>(test: &Test<P>, truth: bool, known: &Known, start: &Start<'_>) -> Option<Known> {
    let mut known = known.clone();
    let mut narrow = |name: &str, by: &dyn Fn(Domain) -> Option<Domain>| {
        let Some(domain) = known.get(name).cloned().or_else(|| start(name)) else { return Some(()) };
        known.insert(name.to_owned(), by(domain)?);
        Some(())
    };
    let there = |domain: Domain| domain.present.then_some(Domain { absent: false, ..domain });
    match &test.form {
        Form::Has(name) => narrow(name, &|domain| match truth {
            true => there(domain),
            false => domain.absent.then_some(Domain { present: false, ..domain }),
        })?,
        Form::Compare(operator, [left, right]) => {
            if let (Some(name), Some(literal)) = (&left.name, &right.literal) {
                let operator = if truth { *operator } else { operator.negated() };
                narrow(name, &|domain| there(domain)?.compared(operator, literal))?;
            }
        }
        Form::In(item, list) => {
            if let Some(name) = &item.name {
                narrow(name, &|domain| there(domain)?.among(list, truth))?;
            }
        }
        Form::Truth(Some(name)) => {
            narrow(name, &|domain| there(domain)?.compared(Operator::Equal, &Literal::Bool(truth)))?;
        }
        Form::Truth(None) => {}
    }
    Some(known)
}

impl Domain {
    /// What is left where a comparison holds.
    fn compared(self, operator: Operator, literal: &Literal) -> Option<Self> {
        let values = match (self.values, literal) {
            (Some(Values::Range { low, high, is_whole }), Literal::Int(_) | Literal::Double(_)) => {
                let than = literal.value().number()?;
                let (mut low, mut high) = (low, high);
                match operator {
                    Operator::Less => high = high.min(than.next_down()),
                    Operator::LessEqual => high = high.min(than),
                    Operator::Greater => low = low.max(than.next_up()),
                    Operator::GreaterEqual => low = low.max(than),
                    Operator::Equal => (low, high) = (low.max(than), high.min(than)),
                    Operator::NotEqual if low == than => low = low.next_up(),
                    Operator::NotEqual if high == than => high = high.next_down(),
                    Operator::NotEqual => {}
                }
                if is_whole {
                    (low, high) = (low.ceil(), high.floor());
                }
                (low <= high).then_some(Some(Values::Range { low, high, is_whole }))?
            }
            (Some(Values::Words(mut words)), Literal::Text(word)) if operator == Operator::Equal => {
                words.retain(|known| known == word);
                (!words.is_empty()).then_some(Some(Values::Words(words)))?
            }
            (Some(Values::Words(mut words)), Literal::Text(word)) if operator == Operator::NotEqual => {
                words.remove(word);
                (!words.is_empty()).then_some(Some(Values::Words(words)))?
            }
            // A text that may be any is this one.
            (None, Literal::Text(word)) if operator == Operator::Equal => {
                Some(Values::Words(BTreeSet::from([word.clone()])))
            }
            (Some(Values::Truth(mut may)), Literal::Bool(truth)) => {
                match operator {
                    Operator::Equal => may[usize::from(!truth)] = false,
                    Operator::NotEqual => may[usize::from(*truth)] = false,
                    _ => {}
                }
                may.contains(&true).then_some(Some(Values::Truth(may)))?
            }
            (values, _) => values,
        };
        Some(Self { values, ..self })
    }

    /// What is left where it is one of a list, or none.
    fn among(self, list: &[Literal], truth: bool) -> Option<Self> {
        match truth {
            true => {
                let each = list.iter().filter_map(|literal| self.clone().compared(Operator::Equal, literal));
                each.reduce(|left, right| left.or(&right))
            }
            false => list.iter().try_fold(self, |left, literal| left.compared(Operator::NotEqual, literal)),
        }
    }

    fn or(self, other: &Self) -> Self {
        let values = match (self.values, &other.values) {
            (Some(Values::Range { low, high, is_whole }), Some(Values::Range { low: from, high: to, .. })) => {
                Some(Values::Range { low: low.min(*from), high: high.max(*to), is_whole })
            }
            (Some(Values::Words(left)), Some(Values::Words(right))) => {
                Some(Values::Words(left.union(right).cloned().collect()))
            }
            (Some(Values::Truth(left)), Some(Values::Truth(right))) => {
                Some(Values::Truth([left[0] || right[0], left[1] || right[1]]))
            }
            _ => None,
        };
        Self { values, absent: self.absent || other.absent, present: self.present || other.present }
    }
}

/// What is possible where one or the other is: a name that one of them says nothing of is free.
fn either(left: &Known, right: &Known) -> Known {
    let both = left.iter().filter_map(|(name, domain)| Some((name.clone(), domain.clone().or(right.get(name)?))));
    both.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::Condition;

    fn start(name: &str) -> Option<Domain> {
        let (values, absent) = match name {
            "features.late" => (Values::Range { low: -2.0, high: 9.0, is_whole: true }, true),
            "amount_minor" => (Values::Range { low: 0.0, high: 1e9, is_whole: true }, false),
            "pd" => (Values::Range { low: 0.0, high: 1.0, is_whole: false }, false),
            "intent" => (Values::Words(["decide", "prequalify"].map(str::to_owned).into()), false),
            "facts.telephone" => (Values::Truth([true, true]), true),
            _ => return None,
        };
        Some(Domain { values: Some(values), absent, present: true })
    }

    #[test]
    fn what_never_or_always_holds_is_proven() {
        let rows = [
            ("features.late >= 3.0", "may"),
            ("features.late > 9.0", "never"),
            ("features.late >= -2.0", "always"),
            ("has(features.late) && features.late >= -2.0", "may"),
            ("features.late > 2.0 && features.late < 3.0", "never"),
            ("features.late > 5.0 && features.late < 3.0", "never"),
            ("features.late < 3.0 || features.late > 2.0", "always"),
            ("features.late < 3.0 || features.late > 3.0", "may"),
            ("features.late != 10.0", "always"),
            ("pd > 1.0", "never"),
            ("pd <= 1.0", "always"),
            ("pd > 0.5 && !(pd > 0.4)", "never"),
            ("intent == 'score_only'", "never"),
            ("intent in ['decide', 'prequalify']", "always"),
            ("!(intent in ['decide', 'prequalify'])", "never"),
            ("intent != 'decide' && intent != 'prequalify'", "never"),
            ("facts.telephone && facts.telephone == false", "never"),
            ("!has(features.late) && features.late > 1.0", "never"),
            ("amount_minor > 5 || pd > 2.0", "may"),
            ("amount_minor < 0 || pd > 2.0", "never"),
            ("amount_minor / 2 < 0", "may"),
            ("channel == 'web'", "may"),
        ];
        for (source, expected) in rows {
            let condition = Condition::parse(source).expect(source);
            let is = |truth| where_it_is(condition.compiled().logic(), truth, &Known::new(), &start).is_some();
            let told = match (is(true), is(false)) {
                (false, _) => "never",
                (true, false) => "always",
                (true, true) => "may",
            };
            assert_eq!(told, expected, "{source}");
        }
    }

    /// How often names were looked up to ask a question, and what was answered.
    fn asked(source: &str) -> (usize, bool) {
        let condition = Condition::parse(source).expect(source);
        let looked = std::cell::Cell::new(0);
        let counting = |name: &str| {
            looked.set(looked.get() + 1);
            assert!(looked.get() <= 1_000_000, "{} letters are asked without end", source.len());
            start(name)
        };
        let may = |truth| where_it_is(condition.compiled().logic(), truth, &Known::new(), &counting).is_some();
        let is_never = !may(true);
        may(false);
        (looked.get(), is_never)
    }

    #[test]
    fn the_deepest_expression_is_asked_in_few_steps() {
        let connective = |at: usize| if at.is_multiple_of(2) { "&&" } else { "||" };
        for depth in [20, 40, expressions::MAX_DEPTH - 4] {
            let test = |at: usize| format!("channel == 'c{at}'");
            let right = (0..depth)
                .rev()
                .fold("pd > 0.5".to_owned(), |inner, at| format!("{} {} ({inner})", test(at), connective(at)));
            let left = (0..depth)
                .rev()
                .fold("pd > 0.5".to_owned(), |inner, at| format!("({inner}) {} {}", connective(at), test(at)));
            for source in [right, left] {
                let (steps, is_never) = asked(&source);
                assert!(!is_never && steps < 20_000, "{depth} deep: {steps} steps");
                let (steps, is_never) = asked(&format!("({source}) && pd > 2.0"));
                assert!(is_never && steps < 20_000, "{depth} deep: {steps} steps");
            }
        }
    }
}
