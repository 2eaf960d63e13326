//! One CEL expression of a policy: parsed once, run natively where that says the same. Knows nothing of rules.

use crate::native::Native;
use crate::scope::{self, Scope};
use crate::vocabulary::Var;
use cel::common::ast::IdedExpr;
use expressions::{Expression, Failure, Refused};
use schemas::risk::RiskEvent;

/// The longest text of a value in a decision: the contract's bound.
const MAX_TEXT_BYTES: usize = 512;

/// A compiled expression.
#[derive(Debug)]
pub struct Condition {
    expression: Expression,
    native: Option<Native>,
}

impl Condition {
    /// Parses and measures `source`.
    ///
    /// # Errors
    /// It does not parse, or costs too much.
    pub fn parse(source: &str) -> Result<Self, Refused> {
        let expression = Expression::parse(source, &scope::SCOPE)?;
        let native = Native::of(expression.tree());
        Ok(Self { expression, native })
    }

    /// Steps that it takes at most.
    pub fn cost(&self) -> u64 {
        self.expression.cost()
    }

    /// Whether it holds for an event.
    ///
    /// # Errors
    /// A field is missing, or a function or operator failed; the message names the field, never a value.
    pub fn holds(&self, event: &RiskEvent) -> Result<bool, String> {
        match &self.native {
            Some(native) => match native.holds(event) {
                Some(holds) => Ok(holds),
                None => self.interpret(event).and(Err("cannot be evaluated".to_owned())),
            },
            None => self.interpret(event),
        }
    }

    /// Runs the interpreter, whether or not there is a native form.
    pub(crate) fn interpret(&self, event: &RiskEvent) -> Result<bool, String> {
        match self.value(event)? {
            cel::Value::Bool(holds) => Ok(holds),
            _ => Err("is not a boolean".to_owned()),
        }
    }

    /// The value as it is recorded in a decision; `None` where it has none or is no scalar.
    pub fn text(&self, event: &RiskEvent) -> Option<String> {
        use crate::vocabulary::Value;
        match self.value(event).ok()? {
            cel::Value::Bool(value) => Some(Value::Bool(value).to_text()),
            cel::Value::Int(value) => Some(Value::Int(value).to_text()),
            cel::Value::Float(value) => Some(Value::Double(value).to_text()),
            cel::Value::String(value) => Some(value[..value.floor_char_boundary(MAX_TEXT_BYTES)].to_owned()),
            _ => None,
        }
    }

    /// Variable and literal of a simple comparison, as text: what was seen, what it was held against.
    pub(crate) fn compared(&self, event: &RiskEvent) -> Option<(Option<String>, String)> {
        let (var, literal) = self.native.as_ref()?.compared()?;
        Some((var.get(event).map(|value| value.to_text()), literal.value().to_text()))
    }

    /// The syntax tree.
    pub(crate) fn tree(&self) -> &IdedExpr {
        self.expression.tree()
    }

    /// The measured expression.
    pub(crate) fn expression(&self) -> &Expression {
        &self.expression
    }

    /// Whether the condition runs without the interpreter.
    pub fn is_native(&self) -> bool {
        self.native.is_some()
    }

    /// Whether it names the score in any of its forms.
    pub(crate) fn reads_score(&self) -> bool {
        let references = self.tree().references();
        references.variables().iter().any(|name| Var::of_path(&[name]).is_some_and(|var| var.is_score()))
    }

    fn value(&self, event: &RiskEvent) -> Result<cel::Value, String> {
        let scope = Scope::new(event);
        let mut context = expressions::context();
        context.set_variable_resolver(&scope);
        self.expression.evaluate(&context, &scope::sizes(event)).map_err(|failure| told(&failure))
    }
}

/// Errors may quote operands, which are facts of a person: only what names the rule's own text is kept, and not much of it.
fn told(failure: &Failure) -> String {
    use cel::ExecutionError as E;
    let error = match failure {
        Failure::OverBudget => return "over its budget on an application of this size".to_owned(),
        Failure::Failed(error) => error,
    };
    match error {
        E::NoSuchKey(name) | E::UndeclaredReference(name) => expressions::cut(&format!("no value for {name}")),
        E::NoSuchOverload(overload) => expressions::cut(&overload.to_string()),
        E::DivisionByZero(_) | E::RemainderByZero(_) => "division by zero".to_owned(),
        E::Overflow(..) => "overflow".to_owned(),
        _ => "cannot be evaluated".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use proptest::prelude::*;
    use schemas::risk::FeatureUsed;

    fn literal() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<bool>().prop_map(|value| value.to_string()),
            prop_oneof![-3i64..3, Just(i64::MAX), Just((1 << 53) + 1), 599i64..602].prop_map(|value| value.to_string()),
            prop_oneof![-3.0f64..3.0, Just(0.5), Just(600.0), Just(9_007_199_254_740_993.0)]
                .prop_map(|value| format!("{value:?}")),
            prop_oneof![Just("'C'"), Just("'word'"), Just("''"), Just("'new'")].prop_map(str::to_owned),
        ]
    }

    fn path() -> impl Strategy<Value = String> {
        let scalars = crate::vocabulary::SCALARS.iter().map(|scalar| scalar.name.to_owned());
        let facts = crate::vocabulary::facts().map(|fact| match fact.group {
            "" => format!("facts.{}", fact.name),
            group => format!("facts.{group}.{}", fact.name),
        });
        let features = ["features.a", "features.b", "features.c"].map(str::to_owned);
        proptest::sample::select(scalars.chain(facts).chain(features).collect::<Vec<_>>())
    }

    fn expression() -> impl Strategy<Value = String> {
        let operand = prop_oneof![3 => path(), 1 => literal()];
        let op = proptest::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
        let leaf = prop_oneof![
            6 => (operand.clone(), op, literal()).prop_map(|(left, op, right)| format!("{left} {op} {right}")),
            2 => path().prop_filter("has() takes a field", |path| path.contains('.')).prop_map(|path| format!("has({path})")),
            1 => path(),
            1 => any::<bool>().prop_map(|value| value.to_string()),
            1 => (operand, proptest::collection::vec(literal(), 0..4))
                .prop_map(|(item, list)| format!("{item} in [{}]", list.join(", "))),
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
            let mut event = sample::event(Condition::parse("true").expect("parses").tree());
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
            let condition = Condition::parse(&source).expect("the grammar above is CEL");
            prop_assume!(condition.is_native());
            prop_assert_eq!(condition.holds(&event).ok(), condition.interpret(&event).ok(), "{}", source);
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
            ("amount_minor / term_months > 5", false),
            ("reports.exists(r, r.status == 'frozen')", false),
            ("jurisdiction.startsWith('US-')", false),
        ];
        for (source, native) in rows {
            assert_eq!(Condition::parse(source).expect(source).is_native(), native, "{source}");
        }
    }

    #[test]
    fn errors_name_the_field_and_never_a_value() {
        let mut event = sample::event(Condition::parse("true").expect("parses").tree());
        event.facts.dependants = None;
        event.requested.purpose = Some("secret-purpose".to_owned());
        for (source, expected) in [
            ("facts.dependants > 2", "no value for dependants"),
            ("features.nothing > 2.0", "no value for nothing"),
            ("int(purpose) > 2", "cannot be evaluated"),
            ("size(purpose) / 0 > 2", "division by zero"),
        ] {
            let problem = Condition::parse(source).expect(source).holds(&event).expect_err(source);
            assert_eq!(problem, expected, "{source}");
        }
    }
}
