//! An expression as what `&&`, `||` and `!` connect: single tests, each with its sides. Says which of them decided, and what the
//! whole is where some of them are in doubt. The value itself is [`Compiled`]'s affair: nothing here is on the way of a rule that does
//! not hold.

use crate::document::{Document, single};
use crate::lower::literal;
use crate::measured;
use crate::names::{Names, path_below};
use crate::native::{Binder, Halt, Literal, Lowered};
use crate::place::Place;
use crate::value::Value;
use crate::vocabulary::Vocabulary;
use crate::written::Written;
use cel::common::ast::{Expr, IdedExpr, operators as op};

/// Tests and what connects them.
#[derive(Debug)]
pub enum Logic<P> {
    /// All of them hold.
    All(Vec<Logic<P>>),
    /// Any of them holds.
    Any(Vec<Logic<P>>),
    /// It does not hold.
    Not(Box<Logic<P>>),
    /// One test.
    Test(Box<Test<P>>),
}

/// What is neither `&&` nor `||` nor `!`.
#[derive(Debug)]
pub struct Test<P> {
    /// As its author wrote it.
    pub text: String,
    /// What it is.
    pub form: Form,
    /// Dotted names that it reads the values of, `debts[].kind` of an element; those that only a `has()` asks for are not among them.
    pub reads: Vec<String>,
    whole: Part<P>,
    sides: Option<[Part<P>; 2]>,
}

/// What a test is.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// Whether a name has a value.
    Has(String),
    /// Two sides, a literal on the right where there is one.
    Compare(Operator, [Side; 2]),
    /// One of some literals.
    In(Side, Vec<Literal>),
    /// True by itself: a name, or whatever else yields a truth.
    Truth(Option<String>),
}

/// One side of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// As its author wrote it.
    pub text: String,
    /// The dotted name that it is.
    pub name: Option<String>,
    /// The literal that it is.
    pub literal: Option<Literal>,
}

/// How two sides are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Operator {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
}

/// A part of an expression that has a value of its own.
#[derive(Debug)]
struct Part<P> {
    expr: IdedExpr,
    lowered: Option<Lowered<P>>,
}

impl Operator {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            op::LESS => Self::Less,
            op::LESS_EQUALS => Self::LessEqual,
            op::GREATER => Self::Greater,
            op::GREATER_EQUALS => Self::GreaterEqual,
            op::EQUALS => Self::Equal,
            op::NOT_EQUALS => Self::NotEqual,
            _ => return None,
        })
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }

    /// What holds where this does not.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Less => Self::GreaterEqual,
            Self::LessEqual => Self::Greater,
            Self::Greater => Self::LessEqual,
            Self::GreaterEqual => Self::Less,
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
        }
    }

    /// The same with its sides exchanged.
    fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessEqual => Self::GreaterEqual,
            Self::Greater => Self::Less,
            Self::GreaterEqual => Self::LessEqual,
            Self::Equal | Self::NotEqual => self,
        }
    }
}

impl Logic<Place> {
    /// Takes an expression apart.
    pub(crate) fn of(expr: &IdedExpr, written: &Written<'_>, vocabulary: &Vocabulary) -> Self {
        let part = |expr: &IdedExpr| Self::of(expr, written, vocabulary);
        if let Expr::Call(call) = &expr.expr {
            match (call.func_name.as_str(), call.args.as_slice()) {
                (op::LOGICAL_AND, sides) => return Self::All(sides.iter().map(part).collect()),
                (op::LOGICAL_OR, sides) => return Self::Any(sides.iter().map(part).collect()),
                (op::LOGICAL_NOT, [of]) => return Self::Not(Box::new(part(of))),
                _ => {}
            }
        }
        Self::Test(Box::new(Test::of(expr, written, vocabulary)))
    }
}

impl Test<Place> {
    fn of(expr: &IdedExpr, written: &Written<'_>, vocabulary: &Vocabulary) -> Self {
        let side = |of: &IdedExpr| Side { text: written.text(of), name: path_below(of, &[]), literal: literal(of) };
        let part = |of: &IdedExpr| Part { expr: of.clone(), lowered: Lowered::of(of, vocabulary) };
        let (mut form, mut sides) = (Form::Truth(path_below(expr, &[])), None);
        match &expr.expr {
            Expr::Select(select) if select.test => {
                let of = path_below(&select.operand, &[]).map(|of| format!("{of}.{}", select.field));
                form = of.map_or(Form::Truth(None), Form::Has);
            }
            Expr::Call(call) => match (Operator::of(&call.func_name), call.func_name.as_str(), call.args.as_slice()) {
                (Some(operator), _, [left, right]) => {
                    let is_turned = literal(left).is_some() && literal(right).is_none();
                    let (operator, left, right) =
                        if is_turned { (operator.turned(), right, left) } else { (operator, left, right) };
                    form = Form::Compare(operator, [side(left), side(right)]);
                    sides = Some([part(left), part(right)]);
                }
                (None, op::IN, [item, list]) => {
                    if let Expr::List(list) = &list.expr
                        && let Some(words) = list.elements.iter().map(literal).collect::<Option<Vec<_>>>()
                    {
                        form = Form::In(side(item), words);
                        sides = Some([part(item), part(item)]);
                    }
                }
                _ => {}
            },
            _ => {}
        }
        let reads = Names::of(expr).read.into_iter().map(|read| read.name).collect();
        Self { text: written.text(expr), form, reads, whole: part(expr), sides }
    }
}

impl<P> Logic<P> {
    pub(crate) fn bind<Q>(self, to: &mut Binder<'_, P, Q>) -> Logic<Q> {
        match self {
            Self::All(all) => Logic::All(all.into_iter().map(|of| of.bind(to)).collect()),
            Self::Any(all) => Logic::Any(all.into_iter().map(|of| of.bind(to)).collect()),
            Self::Not(of) => Logic::Not(Box::new(of.bind(to))),
            Self::Test(of) => {
                let Test { text, form, reads, whole, sides } = *of;
                let sides = sides.map(|sides| sides.map(|side| side.bind(to)));
                Logic::Test(Box::new(Test { text, form, reads, whole: whole.bind(to), sides }))
            }
        }
    }

    /// Every test, in the order of the text.
    pub fn tests(&self) -> Vec<&Test<P>> {
        match self {
            Self::All(all) | Self::Any(all) => all.iter().flat_map(Self::tests).collect(),
            Self::Not(of) => of.tests(),
            Self::Test(test) => vec![test],
        }
    }

    /// The truth of the whole where that of some tests is not known, and the tests that decided, each with whether it is written under
    /// an odd number of `!`.
    pub fn decided<'l>(&'l self, of: &dyn Fn(&Test<P>) -> Option<bool>) -> (Option<bool>, Vec<(&'l Test<P>, bool)>) {
        match self {
            Self::All(all) => connected(all, of, false),
            Self::Any(all) => connected(all, of, true),
            Self::Not(inner) => {
                let (truth, tests) = inner.decided(of);
                (truth.map(|truth| !truth), tests.into_iter().map(|(test, under)| (test, !under)).collect())
            }
            Self::Test(test) => (of(test), vec![(test, false)]),
        }
    }
}

/// What absorbs decides alone; where nothing does, all sides decide together.
fn connected<'l, P>(
    all: &'l [Logic<P>],
    of: &dyn Fn(&Test<P>) -> Option<bool>,
    absorbing: bool,
) -> (Option<bool>, Vec<(&'l Test<P>, bool)>) {
    let sides: Vec<_> = all.iter().map(|side| side.decided(of)).collect();
    let is_absorbed = sides.iter().any(|(truth, _)| *truth == Some(absorbing));
    let truth = match is_absorbed {
        true => Some(absorbing),
        false => sides.iter().all(|(truth, _)| truth.is_some()).then_some(!absorbing),
    };
    let deciding = sides.into_iter().filter(|(of, _)| !is_absorbed || *of == Some(absorbing));
    (truth, deciding.flat_map(|(_, tests)| tests).collect())
}

impl<P> Test<P> {
    /// Whether it holds on a document; none where that is undetermined.
    pub fn holds<D: Document<Place = P>>(&self, document: &D) -> Option<bool> {
        match self.whole.value(document)? {
            Value::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    /// The values of its sides on a document, of a membership that of the item twice.
    pub fn sides<'s, D: Document<Place = P>>(&'s self, document: &'s D) -> Option<[Option<Value<'s>>; 2]> {
        let [left, right] = self.sides.as_ref()?;
        Some([left.value(document), right.value(document)])
    }
}

impl<P> Part<P> {
    fn bind<Q>(self, to: &mut Binder<'_, P, Q>) -> Part<Q> {
        Part { expr: self.expr, lowered: self.lowered.and_then(|lowered| lowered.bind(to)) }
    }

    /// Its value. Where the whole was affordable on the document, so is a part of it.
    fn value<'s, D: Document<Place = P>>(&'s self, document: &'s D) -> Option<Value<'s>> {
        match self.lowered.as_ref().map(|lowered| lowered.eval(&|place| document.at(place))) {
            Some(Ok(value)) => Some(value),
            Some(Err(Halt::Missing)) => None,
            Some(Err(Halt::Unsure)) | None => document.lend(|variables, _| {
                let mut context = measured::context();
                context.set_variable_resolver(variables);
                single(cel::Value::resolve(&self.expr, &context).ok()?).ok()
            }),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::compile;
    use crate::sizes::Sizes;
    use crate::value::Found;
    use crate::vocabulary::tests::SMALL;
    use cel::common::types::CelInt;
    use cel::common::value::CowVal;
    use cel::context::VariableResolver;

    /// A score of 600, a feature and nothing else.
    struct Few;

    impl VariableResolver for Few {
        fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
            (variable == "score").then(|| CowVal::Owned(Box::new(CelInt::from(600))))
        }
    }

    impl Document for Few {
        type Place = String;

        fn at(&self, place: &String) -> Found<'_> {
            match place.as_str() {
                "score" => Found::Int(600),
                "features.late" => Found::Float(2.0),
                _ => Found::Absent,
            }
        }

        fn lend<T>(&self, to: impl FnOnce(&dyn VariableResolver, &Sizes) -> T) -> T {
            to(self, &SMALL.sizes.declared())
        }
    }

    /// The truth of the whole, and the tests that decided, `!` before those under one.
    fn told(source: &str) -> String {
        let compiled = compile(source, &SMALL).unwrap().bind(&mut |place: &Place| Some(place.names()?.join(".")));
        let (truth, tests) = compiled.logic().decided(&|test| test.holds(&Few));
        let tests = tests.iter().map(|(test, under)| format!("{}{}", if *under { "!" } else { "" }, test.text));
        format!("{}: {}", truth.map_or("?".to_owned(), |truth| truth.to_string()), tests.collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn the_tests_that_decided_are_told() {
        let rows = [
            ("score > 500", "true: score > 500"),
            ("score > 500 && features.late >= 2.0", "true: score > 500; features.late >= 2.0"),
            ("score > 500 || features.late >= 3.0", "true: score > 500"),
            ("score > 500 || features.none >= 3.0", "true: score > 500"),
            ("score < 500 && features.none >= 3.0", "false: score < 500"),
            ("score > 500 && features.none >= 3.0", "?: score > 500; features.none >= 3.0"),
            ("!(score < 500 || features.late > 3.0)", "true: !score < 500; !features.late > 3.0"),
            ("!(score < 500 && features.none > 3.0)", "true: !score < 500"),
            ("score / 2 > 100 && [1].exists(x, x == 1)", "true: score / 2 > 100; [1].exists(x, x == 1)"),
        ];
        for (source, expected) in rows {
            assert_eq!(told(source), expected, "{source}");
        }
    }

    #[test]
    fn a_test_has_sides_with_values_and_the_literal_on_the_right() {
        let rows = [
            ("500 < score", Some((">", "score", Some(Value::Int(600)), Some(Value::Int(500))))),
            ("score / 2 >= 100", Some((">=", "score / 2", Some(Value::Int(300)), Some(Value::Int(100))))),
            ("features.none == 1.0", Some(("==", "features.none", None, Some(Value::Double(1.0))))),
            ("has(features.late)", None),
        ];
        for (source, expected) in rows {
            let compiled = compile(source, &SMALL).unwrap().bind(&mut |place: &Place| Some(place.names()?.join(".")));
            let tests = compiled.logic().tests();
            let told = tests[0].sides(&Few).map(|[left, right]| match &tests[0].form {
                Form::Compare(operator, [side, _]) => (operator.as_str(), side.text.as_str(), left, right),
                form => panic!("{form:?}"),
            });
            assert_eq!(told, expected, "{source}");
        }
        for operator in [Operator::Less, Operator::LessEqual, Operator::Equal] {
            assert_eq!((operator.negated().negated(), operator.turned().turned()), (operator, operator));
        }
    }
}
