//! What is refused at load, what is not evaluated, and that the cost told is not less than what an evaluation does.

use crate::measured::{Expression, Failure, constant, context};
use crate::refused::Refused;
use crate::sizes::{Container, Gauge, Scope, Sizes};
use cel::Value;
use proptest::prelude::*;

/// Documents with a list of 256 numbers, and a map.
static SCOPE: Scope = Scope {
    containers: &[
        Container { name: "numbers", len: 256, item: 1, weight: 257 },
        Container { name: "rows", len: 16, item: 4_096, weight: 65_536 },
    ],
    other: Container { name: "", len: 32, item: 32, weight: 128 },
    text: 256,
    built: &[],
    is_scalar: |path| path == ["word"],
};

fn parse(source: &str) -> Result<Expression, Refused> {
    Expression::parse(source, &SCOPE)
}

/// `[0, …, 9].exists(a, …)` so many times within each other.
fn nested(range: &str, depth: usize) -> String {
    (0..depth).fold("false".to_owned(), |inner, at| format!("{range}.exists(v{at}, {inner})"))
}

#[test]
fn one_loop_is_cheap_and_loops_within_loops_are_refused_with_their_cost() {
    let one = parse("numbers.exists(n, n > 5)").unwrap();
    assert!((256..10_000).contains(&one.cost()), "{}", one.cost());
    let Err(Refused::TooCostly(cost)) = parse("numbers.exists(a, numbers.exists(b, a == b))") else { panic!("taken") };
    assert!((65_536..10_000_000).contains(&cost), "{cost}");
    let refused = parse(&nested("numbers", 6)).unwrap_err();
    assert!(matches!(refused, Refused::TooCostly(cost) if cost > 256u64.pow(6)), "{refused}");
    assert!(refused.to_string().contains("at most 250000 are allowed"), "{refused}");
}

#[test]
fn literal_lists_within_loops_are_told_and_not_evaluated() {
    for (depth, taken) in [(2, true), (3, true), (5, false), (7, false), (12, false)] {
        let found = parse(&nested("[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]", depth));
        assert_eq!(found.is_ok(), taken, "{depth} deep: {:?}", found.map(|found| found.cost()));
    }
}

#[test]
fn what_grows_is_told() {
    let doubled = |times: usize| {
        (0..times).fold("word".to_owned(), |inner, at| format!("[{inner}].map(t{at}, t{at} + t{at})[0]"))
    };
    assert!(parse(&doubled(3)).is_ok());
    assert!(matches!(parse(&doubled(20)), Err(Refused::TooCostly(_))), "a text of 256 MB");
    let lists = (0..12).fold("[1, 2, 3, 4]".to_owned(), |inner, at| format!("[{inner}].map(l{at}, l{at} + l{at})[0]"));
    assert!(parse(&format!("{lists} == []")).is_ok());
    let lists = (0..20).fold("[1, 2, 3, 4]".to_owned(), |inner, at| format!("[{inner}].map(l{at}, l{at} + l{at})[0]"));
    assert!(matches!(parse(&format!("{lists} == []")), Err(Refused::TooCostly(_))));
    let mapped = "numbers.map(a, numbers.map(b, numbers.map(c, [a, b, c])))";
    assert!(matches!(parse(mapped), Err(Refused::TooCostly(_))));
}

#[test]
fn a_pattern_is_a_literal_and_small() {
    let rows = [
        ("word.matches('^[a-z]+$')", true),
        ("matches(word, 'a|b')", true),
        ("word.matches(word)", false),
        ("word.matches('(')", false),
        ("word.matches('(a{900}){900}')", false),
        ("word.matches('\\\\p{L}{200}')", false),
        ("numbers.exists(n, word.matches('[a-z]{50}'))", false),
    ];
    for (source, taken) in rows {
        let found = parse(source);
        assert_eq!(found.is_ok(), taken, "{source}: {:?}", found.map(|found| found.cost()));
    }
    assert!(parse(&format!("word.matches('{}')", "a".repeat(300))).is_err());
}

#[test]
fn what_is_long_or_deep_is_refused_and_a_message_is_short() {
    assert_eq!(parse(&" ".repeat(5_000)).unwrap_err(), Refused::TooLong(5_000));
    assert_eq!(parse(&vec!["1"; 100].join(" + ")).unwrap_err(), Refused::TooDeep);
    for source in ["1 +", &"(".repeat(4_000), &"[".repeat(4_000), &"?a".repeat(2_000), &"é&".repeat(1_300), ""] {
        let said = parse(source).unwrap_err().to_string();
        assert!(said.len() < 600 && !said.contains('\n'), "{} bytes: {said}", said.len());
    }
}

/// A document whose list has so many numbers.
fn of(numbers: usize) -> Sizes {
    let mut gauge = Gauge::new(&SCOPE);
    gauge.container("numbers", numbers, 1, numbers as u64);
    gauge.sizes()
}

#[test]
fn a_larger_document_is_over_budget_and_is_not_evaluated() {
    let expression = parse("numbers.exists(n, n == -1)").unwrap();
    let mut context = context();
    context.add_variable_from_value("numbers", (0..1_024).collect::<Vec<i64>>());
    for (numbers, allowed) in [(0, true), (256, true), (257, true), (1_024, true), (1_100, false), (1_000_000, false)] {
        let found = expression.evaluate(&context, &of(numbers));
        match allowed {
            true => assert!(matches!(found, Ok(Value::Bool(false))), "{numbers}: {found:?}"),
            false => assert!(matches!(found, Err(Failure::OverBudget)), "{numbers}: {found:?}"),
        }
    }
    let flat = parse("word == 'x'").unwrap();
    context.add_variable_from_value("word", "x");
    assert!(matches!(flat.evaluate(&context, &of(1_000_000)), Ok(Value::Bool(true))), "it does not read the list");
}

#[test]
fn constants_are_those_without_a_variable() {
    for (source, expected) in [("1 + 1 == 2", Some(true)), ("word == 'x'", None), ("1 / 0 == 1", None)] {
        let found = constant(parse(source).unwrap().tree());
        assert_eq!(found, expected.map(Value::Bool), "{source}");
    }
}

/// Expressions of which each round leaves a mark: so its rounds can be counted.
fn loops() -> impl Strategy<Value = (String, u64)> {
    let leaf = Just(("[1]".to_owned(), 1u64));
    leaf.prop_recursive(4, 8, 1, |inner| {
        (inner, 1..6u64).prop_map(|((inner, rounds), len)| {
            let list: Vec<String> = (0..len).map(|at| at.to_string()).collect();
            (format!("[{}].map(x, {inner})", list.join(", ")), len * rounds)
        })
    })
}

fn leaves(value: &Value) -> u64 {
    match value {
        Value::List(list) => list.iter().map(leaves).sum(),
        _ => 1,
    }
}

proptest! {
    #[test]
    fn the_cost_told_covers_what_is_made((source, rounds) in loops()) {
        let expression = parse(&source).unwrap();
        let value = expression.evaluate(&context(), &SCOPE.declared()).unwrap();
        prop_assert_eq!(leaves(&value), rounds);
        prop_assert!(expression.cost() > rounds, "{} costs {}, makes {}", source, expression.cost(), rounds);
    }
}
