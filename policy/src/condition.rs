//! One expression of a policy on a case, and what it means there that it has no value: the rule failed, and a person looks.
//! Knows nothing of rules.

use crate::case::Case;
use crate::document::Absent;
use crate::scope::Readable;
use crate::vocabulary::{VOCABULARY, Var, is_feature, is_of, is_score, recorded};
use expressions::{Compiled, Finding, Place, Test, Undetermined, Value, compile};

/// A compiled expression, and what its policy says of what it reads.
#[derive(Debug)]
pub(crate) struct Condition {
    compiled: Compiled<Var>,
    /// Whether it does not hold where what it reads is absent, instead of failing.
    skips_absent: bool,
    /// Features whose values stand in no decision.
    withheld: Vec<String>,
    /// Whether it reads the value of any feature.
    reads_features: bool,
}

/// Why a condition has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// For people; names the field, never a value.
    pub text: String,
    /// Whether something that it reads is absent.
    is_absence: bool,
}

impl Condition {
    /// Compiles `source`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn parse(source: &str) -> Result<Self, Vec<Finding>> {
        let compiled = compile(source, &VOCABULARY)?;
        // A decision records the two sides of a comparison of a dotted name; one with an index never had them recorded.
        let mut var = |place: &Place| Var::of_path(&place.names().filter(|_| place.is_dotted)?);
        let compiled = compiled.bind(&mut var);
        let reads_features = compiled.logic().tests().iter().any(|test| test.reads.iter().any(|name| is_feature(name)));
        Ok(Self { compiled, skips_absent: false, withheld: Vec::new(), reads_features })
    }

    /// The same, which does not hold where what it reads is absent.
    #[must_use]
    pub(crate) fn skipping(self, absent: Absent) -> Self {
        Self { skips_absent: absent == Absent::Skip, ..self }
    }

    /// The same, which tells nobody the values of these features.
    #[must_use]
    pub(crate) fn withholding(self, features: &[String]) -> Self {
        let is_read = |name: &&String| self.tests().any(|test| test.reads.iter().any(|read| is_of(read, name)));
        let withheld = features.iter().filter(is_read).cloned().collect();
        Self { withheld, ..self }
    }

    /// What the one compiler made of it.
    pub(crate) fn compiled(&self) -> &Compiled<Var> {
        &self.compiled
    }

    /// Whether it holds for a case.
    ///
    /// # Errors
    /// A field is missing, or a function or operator failed.
    pub(crate) fn holds(&self, case: &Case<'_>) -> Result<bool, Problem> {
        let truth = match self.compiled.evaluate(&Readable(case)) {
            Ok(value) => truth(&value),
            Err(why) if why.is_absence() && self.skips_absent => return Ok(false),
            // The short way does not say what is absent.
            Err(Undetermined::Absent(None)) => self.interpret(case),
            Err(why) => Err(Problem::of(&why)),
        };
        truth.or_else(|problem| if self.skips_absent && problem.is_absence { Ok(false) } else { Err(problem) })
    }

    /// Runs the interpreter, whether or not there is a shorter way.
    pub(crate) fn interpret(&self, case: &Case<'_>) -> Result<bool, Problem> {
        self.compiled.interpret(&Readable(case)).map_err(|why| Problem::of(&why)).and_then(|value| truth(&value))
    }

    /// Whether its truth hangs on a feature whose value was outside its range: what the model used in its place was never sent, and
    /// decides nothing. To be asked where the condition has a truth.
    pub(crate) fn is_in_doubt(&self, case: &Case<'_>) -> bool {
        if !self.reads_features || !case.has_clamped {
            return false;
        }
        let is_clamped = |test: &Test<Var>| {
            test.reads.iter().any(|read| case.clamped_features().any(|feature| is_of(read, feature)))
        };
        let sure = |test: &Test<Var>| if is_clamped(test) { None } else { test.holds(&Readable(case)) };
        self.tests().any(is_clamped) && self.compiled.logic().decided(&sure).0.is_none()
    }

    /// The features with a value outside their range that it reads.
    pub(crate) fn clamped<'e>(&self, case: &Case<'e>) -> Vec<&'e str> {
        let is_read = |name: &&str| self.tests().any(|test| test.reads.iter().any(|read| is_of(read, name)));
        case.clamped_features().filter(is_read).collect()
    }

    /// The value as it is recorded in a decision; `None` where it has none, is no single value or is withheld.
    pub(crate) fn text(&self, case: &Case<'_>) -> Option<String> {
        if !self.withheld.is_empty() {
            return None;
        }
        match self.compiled.evaluate(&Readable(case)).ok()? {
            Value::Uint(_) => None,
            value => Some(recorded(&value)),
        }
    }

    /// Variable and literal of a simple comparison, as text: what was seen, what it was held against.
    pub(crate) fn compared(&self, case: &Case<'_>) -> Option<(Option<String>, String)> {
        let (var, literal) = self.compiled.compared()?;
        let seen = var.get(case).single().filter(|_| self.withheld.is_empty());
        Some((seen.map(|value| recorded(&value)), recorded(&literal.value())))
    }

    /// Whether it names the score in any of its forms.
    pub(crate) fn reads_score(&self) -> bool {
        self.compiled.variables().iter().any(|name| is_score(name))
    }

    /// How many elements a list must have so that each that is named by its number is there.
    pub(crate) fn named_elements(&self) -> usize {
        let read = self.compiled.names().read;
        let numbers = read.iter().flat_map(|read| read.name.split('[').skip(1));
        let numbers = numbers.filter_map(|part| part.split(']').next()?.parse::<usize>().ok());
        numbers.max().map_or(1, |last| last.saturating_add(1))
    }

    /// Features whose values stand in no decision, of those that it reads.
    pub(crate) fn withheld(&self) -> &[String] {
        &self.withheld
    }

    fn tests(&self) -> impl Iterator<Item = &Test<Var>> {
        self.compiled.logic().tests().into_iter()
    }
}

impl Problem {
    fn of(why: &Undetermined) -> Self {
        let text = match why {
            Undetermined::Null | Undetermined::NotSingle => NOT_BOOLEAN.to_owned(),
            why => expressions::cut(&why.to_string()),
        };
        Self { text, is_absence: why.is_absence() }
    }
}

fn truth(value: &Value<'_>) -> Result<bool, Problem> {
    match value {
        Value::Bool(holds) => Ok(*holds),
        _ => Err(Problem { text: NOT_BOOLEAN.to_owned(), is_absence: false }),
    }
}

const NOT_BOOLEAN: &str = "is not a boolean";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use expressions::vocabulary::Kind;
    use proptest::prelude::*;
    use schemas::risk::{FeatureUsed, RiskEvent};

    /// A literal that a value of that type may be held against.
    fn literal(kind: Kind) -> BoxedStrategy<String> {
        let whole = prop_oneof![-3i64..3, Just(i64::MAX), Just((1 << 53) + 1), 599i64..602];
        let broken = prop_oneof![-3.0f64..3.0, Just(0.5), Just(600.0), Just(9_007_199_254_740_993.0)];
        match kind {
            Kind::Bool => any::<bool>().prop_map(|value| value.to_string()).boxed(),
            Kind::Int | Kind::Double => {
                prop_oneof![whole.prop_map(|value| value.to_string()), broken.prop_map(|value| format!("{value:?}"))]
                    .boxed()
            }
            Kind::Text => {
                prop_oneof![Just("'C'"), Just("'word'"), Just("''"), Just("'new'")].prop_map(str::to_owned).boxed()
            }
        }
    }

    /// A name with its type.
    fn named() -> impl Strategy<Value = (String, Kind)> {
        let features = ["features.a", "features.b", "features.c"].map(|name| (name.to_owned(), Kind::Double));
        proptest::sample::select(VOCABULARY.values().into_iter().chain(features).collect::<Vec<_>>())
    }

    fn expression() -> impl Strategy<Value = String> {
        let op = proptest::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
        let against = (named(), op).prop_flat_map(|((name, kind), op)| (Just(name), Just(op), literal(kind))).boxed();
        let among = named().prop_flat_map(|(name, kind)| (Just(name), proptest::collection::vec(literal(kind), 0..4)));
        let path = || named().prop_map(|(name, _)| name);
        let sum = (path(), path(), -2.0f64..2.0).prop_map(|(left, right, than)| format!("{left} + {right} > {than:?}"));
        let leaf = prop_oneof![
            6 => against.clone().prop_map(|(name, op, literal)| format!("{name} {op} {literal}")),
            1 => against.prop_map(|(name, op, literal)| format!("{literal} {op} {name}")),
            2 => path().prop_filter("has() takes a field", |path| path.contains('.')).prop_map(|path| format!("has({path})")),
            1 => path(),
            1 => sum,
            1 => any::<bool>().prop_map(|value| value.to_string()),
            1 => among.prop_map(|(name, list)| format!("{name} in [{}]", list.join(", "))),
        ];
        leaf.prop_recursive(4, 24, 2, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left}) && ({right})")),
                (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left}) || ({right})")),
                inner.prop_map(|of| format!("!({of})")),
            ]
        })
    }

    /// An event of which anything may be missing.
    fn event() -> impl Strategy<Value = RiskEvent> {
        let value = prop_oneof![-3.0f32..3.0, Just(f32::NAN), Just(f32::INFINITY), Just(1.0)];
        let flag = proptest::option::of(proptest::sample::select(domain::FeatureFlag::ALL));
        let feature = (proptest::sample::select(vec!["a", "b"]), value, flag);
        (proptest::collection::vec(feature, 0..3), any::<[bool; 6]>(), -3i64..3).prop_map(|(features, keep, amount)| {
            let mut event = sample::event(&[]);
            event.requested.amount.amount_minor = amount;
            event.features = features
                .into_iter()
                .map(|(name, value, flag)| FeatureUsed {
                    name: name.into(),
                    value,
                    flag: flag.map(Into::into),
                    contribution: 0.0,
                })
                .collect();
            event.features.dedup_by(|left, right| left.name == right.name);
            let [score, term, age, employment, status, assets] = keep;
            event.score = event.score.filter(|_| score);
            event.requested.term_months = event.requested.term_months.filter(|_| term);
            event.facts.of_legal_age = event.facts.of_legal_age.filter(|_| age);
            event.facts.employment = event.facts.employment.filter(|_| employment);
            if let Some(employment) = &mut event.facts.employment {
                employment.status = employment.status.take().filter(|_| status);
            }
            event.facts.assets = event.facts.assets.filter(|_| assets);
            event
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_native_form_says_what_cel_says(source in expression(), event in event()) {
            // Types that never match are refused before anybody evaluates them.
            let Ok(condition) = Condition::parse(&source) else { return Ok(()) };
            prop_assume!(condition.compiled().is_lowered());
            let case = Case::of(&event);
            prop_assert_eq!(condition.holds(&case).ok(), condition.interpret(&case).ok(), "{}", source);
        }
    }

    #[test]
    fn simple_conditions_are_native_and_others_are_not() {
        let rows = [
            ("score < 600", true),
            ("amount_minor > 100", true),
            ("has(facts.of_legal_age) && facts.of_legal_age == false", true),
            ("features.repayment_status_1 >= 2", true),
            ("!(band in ['A', 'B']) || class == 1", true),
            ("facts.of_legal_age", true),
            ("-1 < score", true),
            ("features['repayment_status_1'] >= 2", false),
            ("amount_minor / term_months > 5", false),
            ("reports.exists(r, r.status == 'frozen')", false),
            ("jurisdiction.startsWith('US-')", false),
        ];
        for (source, native) in rows {
            assert_eq!(Condition::parse(source).expect(source).compiled().is_lowered(), native, "{source}");
        }
    }

    #[test]
    fn errors_name_the_field_and_never_a_value() {
        let mut event = sample::event(&[]);
        event.facts.dependants = None;
        event.requested.purpose = Some("secret-purpose".to_owned());
        for (source, expected) in [
            ("facts.dependants > 2", "no value for dependants"),
            ("features.nothing > 2.0", "no value for nothing"),
            ("int(purpose) > 2", "cannot be evaluated"),
            ("size(purpose) / 0 > 2", "division by zero"),
        ] {
            let problem = Condition::parse(source).expect(source).holds(&Case::of(&event)).expect_err(source);
            assert_eq!(problem.text, expected, "{source}");
        }
    }
}
