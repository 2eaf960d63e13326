//! Expressions of the feature contract: CEL over one variable, `data`. Compiled once. May read facts, never who somebody is.

use crate::lookup::{Found, Lookup};
use crate::lower::{self, Halt, Number, Text, Truth};
use cel::common::ast::{EntryExpr, Expr as Node, LiteralValue, operators};
use cel::common::types::CelNull;
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::objects::Map;
use cel::{ExecutionError, IdedExpr};
use expressions::sizes::{Container, Gauge, Scope, Sizes};
use expressions::{Expression, Failure};
use serde_json::Value;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

/// Members of an application that no feature may touch: who somebody is, and what must not matter.
pub const FORBIDDEN: [&str; 4] = ["identity", "protected", "customer_ref", "subject"];

/// How large an application is at most: lists have the bounds of the contract (`application.submitted.v1.json`). What is
/// larger is not refused; it may put an expression that loops over it over its budget.
static SCOPE: Scope = Scope {
    containers: &[
        Container { name: "data", len: 64, item: 4, weight: 16_384 },
        Container { name: "applicants", len: 16, item: 8_192, weight: 16_384 },
        Container { name: "facts", len: 64, item: 4, weight: 8_192 },
        Container { name: "income", len: 64, item: 24, weight: 1_536 },
        Container { name: "debts", len: 256, item: 32, weight: 8_192 },
        Container { name: "reports", len: 64, item: 1_024, weight: 8_192 },
        Container { name: "consents", len: 64, item: 24, weight: 1_536 },
        Container { name: "documents", len: 256, item: 24, weight: 6_144 },
        Container { name: "collateral", len: 64, item: 64, weight: 4_096 },
        Container { name: "attributes", len: 1_024, item: 4, weight: 8_192 },
        Container { name: "fields", len: 1_024, item: 4, weight: 8_192 },
    ],
    other: Container { name: "", len: 256, item: 32, weight: 64 },
    text: 1_024,
    built: &[],
    is_scalar: |_| false,
};

/// What an expression yields.
#[derive(Debug, Clone, PartialEq)]
pub enum Yield {
    /// Of int, uint or double.
    Number(f64),
    /// Of bool.
    Bool(bool),
    /// Of string.
    Text(String),
}

/// Why an expression yields nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A key it depends on is absent or null.
    Missing,
    /// It failed otherwise: a type, an overflow, a cost over its budget.
    Failed,
}

/// An application as expressions and pointers see it.
pub struct Document<'a> {
    source: Source<'a>,
    found: Vec<Found<'a>>,
    whole: OnceCell<Whole>,
}

/// The whole of an application, as the interpreter sees it.
struct Whole {
    data: Box<dyn Val>,
    sizes: Sizes,
}

impl VariableResolver for Whole {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        (variable == "data").then(|| CowVal::Borrowed(self.data.as_ref()))
    }
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Tree(&'a Value),
    Text(&'a str),
}

impl<'a> Document<'a> {
    /// Looks up all that a contract reads.
    pub fn new(data: &'a Value, lookup: &Lookup) -> Self {
        Self { source: Source::Tree(data), found: lookup.find(data), whole: OnceCell::new() }
    }

    /// The same from JSON text, of which only what is read is kept.
    ///
    /// # Errors
    /// The parser's.
    pub fn of_text(text: &'a str, lookup: &Lookup) -> Result<Self, serde_json::Error> {
        Ok(Self { source: Source::Text(text), found: lookup.find_in_text(text)?, whole: OnceCell::new() })
    }

    /// What is in a slot of the contract's lookup.
    pub fn at(&self, slot: usize) -> &Found<'a> {
        &self.found[slot]
    }

    /// The whole of it, for the interpreter; built when it is first asked for.
    fn whole(&self) -> &Whole {
        let build = || match self.source {
            Source::Tree(data) => Whole::of(data),
            // The text was read once already, so it is JSON.
            Source::Text(text) => {
                serde_json::from_str(text).map_or_else(|_| Whole::of(&Value::Null), |data| Whole::of(&data))
            }
        };
        self.whole.get_or_init(build)
    }
}

impl Whole {
    fn of(data: &Value) -> Self {
        let mut gauge = Gauge::new(&SCOPE);
        weigh(&mut gauge, "data", data);
        let data = Box::<dyn Val>::try_from(to_cel(data)).unwrap_or_else(|_| Box::new(CelNull));
        Self { data, sizes: gauge.sizes() }
    }
}

/// Takes note of how large a value is, and gives its weight: it and each key count one, and a long text more.
fn weigh(gauge: &mut Gauge<'_>, name: &str, value: &Value) -> u64 {
    let (len, item, weight) = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => return 1,
        Value::String(text) => return gauge.text(text.len()),
        Value::Array(elements) => {
            let weights: Vec<u64> = elements.iter().map(|element| weigh(gauge, "", element)).collect();
            (weights.len(), weights.iter().copied().max(), weights.iter().sum())
        }
        Value::Object(members) => {
            let keys: Vec<u64> = members.keys().map(|key| gauge.text(key.len())).collect();
            let values: u64 = members.iter().map(|(key, value)| weigh(gauge, key, value)).sum();
            (keys.len(), keys.iter().copied().max(), keys.iter().sum::<u64>() + values)
        }
    };
    gauge.container(name, len, item.unwrap_or(0), weight)
}

/// A compiled expression.
#[derive(Debug)]
pub struct Expr {
    expression: Expression,
    fast: Option<Fast>,
}

#[derive(Debug)]
enum Fast {
    Number(Number),
    Truth(Truth),
    Text(Text),
}

impl Expr {
    /// Compiles `source` and refuses what may not be read, or costs too much.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn compile(source: &str, lookup: &mut Lookup) -> Result<Self, String> {
        let expression = Expression::parse(source, &SCOPE).map_err(|why| why.to_string())?;
        check(expression.tree(), &mut vec!["data"])?;
        let fast = lowered(expression.tree(), lookup);
        Ok(Self { expression, fast })
    }

    /// The measured expression.
    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    /// Evaluates it on one application.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn eval(&self, document: &Document<'_>) -> Result<Yield, Fault> {
        let fast = match &self.fast {
            Some(Fast::Number(number)) => number.eval(&document.found).map(Yield::Number),
            Some(Fast::Truth(truth)) => truth.eval(&document.found).map(Yield::Bool),
            Some(Fast::Text(text)) => text.eval(&document.found).map(|text| Yield::Text(text.into_owned())),
            None => Err(Halt::Unsure),
        };
        match fast {
            Ok(value) => Ok(value),
            Err(Halt::Missing) => Err(Fault::Missing),
            Err(Halt::Unsure) => self.interpret(document),
        }
    }

    /// Whether plain arithmetic serves it.
    pub fn is_lowered(&self) -> bool {
        self.fast.is_some()
    }

    fn interpret(&self, document: &Document<'_>) -> Result<Yield, Fault> {
        let whole = document.whole();
        let mut context = expressions::context();
        context.set_variable_resolver(whole);
        match self.expression.evaluate(&context, &whole.sizes) {
            Ok(cel::Value::Float(value)) => Ok(Yield::Number(value)),
            Ok(cel::Value::Int(value)) => Ok(Yield::Number(value as f64)),
            Ok(cel::Value::UInt(value)) => Ok(Yield::Number(value as f64)),
            Ok(cel::Value::Bool(value)) => Ok(Yield::Bool(value)),
            Ok(cel::Value::String(text)) => Ok(Yield::Text(text.to_string())),
            Ok(cel::Value::Null) => Err(Fault::Missing),
            Err(Failure::Failed(ExecutionError::NoSuchKey(_) | ExecutionError::IndexOutOfBounds(_))) => {
                Err(Fault::Missing)
            }
            Ok(_) | Err(_) => Err(Fault::Failed),
        }
    }
}

/// Plain arithmetic for an expression, where its shape is a common one; `lookup` grows by what it reads then.
fn lowered(root: &IdedExpr, lookup: &mut Lookup) -> Option<Fast> {
    let tries: [fn(&IdedExpr, &mut Lookup) -> Option<Fast>; 3] = [
        |root, lookup| lower::number(root, lookup).map(Fast::Number),
        |root, lookup| lower::truth(root, lookup).map(Fast::Truth),
        |root, lookup| lower::text(root, lookup).map(Fast::Text),
    ];
    tries.into_iter().find_map(|lower| {
        let mut grown = lookup.clone();
        let fast = lower(root, &mut grown)?;
        *lookup = grown;
        Some(fast)
    })
}

/// Null members are left out: to a feature, asked and unknown is as missing as never asked.
fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(value) => cel::Value::Bool(*value),
        Value::String(text) => cel::Value::String(Arc::new(text.clone())),
        Value::Array(elements) => cel::Value::List(Arc::new(elements.iter().map(to_cel).collect())),
        Value::Object(members) => {
            let present = members.iter().filter(|(_, value)| !value.is_null());
            let map: HashMap<_, _> = present.map(|(key, value)| (key.as_str().into(), to_cel(value))).collect();
            cel::Value::Map(Map { map: Arc::new(map) })
        }
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => cel::Value::Int(int),
            (None, Some(uint)) => cel::Value::UInt(uint),
            (None, None) => cel::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
    }
}

/// Walks an expression: only known names, only literal indices, nothing that is forbidden.
fn check<'e>(expr: &'e IdedExpr, scope: &mut Vec<&'e str>) -> Result<(), String> {
    match &expr.expr {
        Node::Unspecified | Node::Struct(_) => {
            Err("only fields, arithmetic, conditions, lists and maps are allowed".into())
        }
        Node::Literal(LiteralValue::String(text)) => allowed(text.inner()),
        Node::Literal(_) => Ok(()),
        Node::Ident(name) if scope.contains(&name.as_str()) => Ok(()),
        Node::Ident(name) => Err(format!("unknown name {name}: expressions read `data` only")),
        Node::Select(select) => allowed(&select.field).and_then(|()| check(&select.operand, scope)),
        Node::List(list) => list.elements.iter().try_for_each(|element| check(element, scope)),
        Node::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
            EntryExpr::StructField(field) => check(&field.value, scope),
            EntryExpr::MapEntry(entry) => check(&entry.key, scope).and_then(|()| check(&entry.value, scope)),
        }),
        Node::Call(call) => {
            let indexes = matches!(call.func_name.as_str(), operators::INDEX | operators::OPT_INDEX);
            if indexes && !matches!(call.args.last().map(|arg| &arg.expr), Some(Node::Literal(_))) {
                return Err("an index must be a literal".into());
            }
            call.target.iter().map(AsRef::as_ref).chain(&call.args).try_for_each(|part| check(part, scope))
        }
        Node::Comprehension(inner) => {
            check(&inner.iter_range, scope)?;
            check(&inner.accu_init, scope)?;
            let outer = scope.len();
            scope.extend([inner.iter_var.as_str(), inner.accu_var.as_str()]);
            scope.extend(inner.iter_var2.as_deref());
            for part in [&inner.loop_cond, &inner.loop_step, &inner.result] {
                check(part, scope)?;
            }
            scope.truncate(outer);
            Ok(())
        }
    }
}

fn allowed(name: &str) -> Result<(), String> {
    match FORBIDDEN.contains(&name) {
        true => Err(format!("reads {name}, which no feature may")),
        false => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// Evaluates both ways; gives what CEL says after checking that the short way agrees.
    fn both(source: &str, data: &Value) -> Result<Yield, Fault> {
        let mut lookup = Lookup::default();
        let expr = Expr::compile(source, &mut lookup).unwrap();
        let document = Document::new(data, &lookup);
        let text = data.to_string();
        let read = Document::of_text(&text, &lookup).unwrap();
        assert_eq!(document.found, read.found, "{source} on {data}");
        let (short, long) = (expr.eval(&document), expr.interpret(&read));
        match (&short, &long) {
            (Ok(Yield::Number(a)), Ok(Yield::Number(b))) => assert_eq!(a.to_bits(), b.to_bits(), "{source} on {data}"),
            _ => assert_eq!(short, long, "{source} on {data}"),
        }
        long
    }

    #[test]
    fn the_usual_shapes_are_lowered_and_the_others_are_not() {
        for (source, lowered) in [
            ("double(data.a.b) / 2.0", true),
            ("double(data.a) > 0.0 ? double(data.b) / double(data.a) : 0.0", true),
            ("has(data.a.b) && data.a.b", true),
            ("data.n > 3 || !(data.m <= 2.5)", true),
            ("\"US-\" + data.state == data.jurisdiction", true),
            ("data.state + (data.kind == \"x\" ? \"/y\" : \"\")", true),
            ("double(data.list[0].a)", true),
            ("data.a + 1", false),
            ("data.list.map(x, double(x))[0]", false),
            ("double(data.a + 1)", false),
        ] {
            let expr = Expr::compile(source, &mut Lookup::default()).unwrap();
            assert_eq!(expr.is_lowered(), lowered, "{source}");
        }
    }

    #[test]
    fn null_is_as_absent_as_absent() {
        for data in [json!({}), json!({"a": null}), json!({"a": {}}), json!({"a": {"b": null}})] {
            assert_eq!(both("double(data.a.b)", &data), Err(Fault::Missing), "{data}");
        }
        assert_eq!(both("has(data.a)", &json!({"a": null})), Ok(Yield::Bool(false)));
    }

    fn path() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["data.a", "data.b", "data.o.a", "data.o.p.b", "data.l[0]", "data.l[1].a"])
            .prop_map(str::to_owned)
    }

    fn number(depth: u32) -> BoxedStrategy<String> {
        let constant = prop::sample::select(vec!["0.0", "1.5", "-2.0", "100.0"]).prop_map(str::to_owned);
        let leaf = prop_oneof![constant, path().prop_map(|path| format!("double({path})"))].boxed();
        if depth == 0 {
            return leaf;
        }
        let binary = (number(depth - 1), prop::sample::select(vec!["+", "-", "*", "/"]), number(depth - 1));
        let choice = (truth(depth - 1), number(depth - 1), number(depth - 1));
        prop_oneof![
            leaf,
            binary.prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            choice.prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
            number(depth - 1).prop_map(|a| format!("-({a})")),
        ]
        .boxed()
    }

    fn truth(depth: u32) -> BoxedStrategy<String> {
        let compare = prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]);
        let leaf = prop_oneof![
            path(),
            path()
                .prop_filter("an index cannot be asked for", |path| !path.ends_with(']'))
                .prop_map(|p| format!("has({p})")),
            (path(), compare.clone(), prop::sample::select(vec!["1", "-2", "1.5"]))
                .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            (path(), prop::sample::select(vec!["==", "!="])).prop_map(|(a, op)| format!("{a} {op} \"x\"")),
            path().prop_map(|a| format!("\"x\" + {a} == \"xx\"")),
        ]
        .boxed();
        if depth == 0 {
            return leaf;
        }
        prop_oneof![
            leaf,
            (number(depth - 1), compare, number(depth - 1)).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            (truth(depth - 1), prop::sample::select(vec!["&&", "||"]), truth(depth - 1))
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            truth(depth - 1).prop_map(|a| format!("!({a})")),
        ]
        .boxed()
    }

    fn leaf_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(json!(null)),
            Just(json!(0)),
            Just(json!(1)),
            Just(json!(-2)),
            Just(json!(1.5)),
            Just(json!("x")),
            Just(json!("3.5")),
            Just(json!(true)),
            Just(json!([])),
            Just(json!(18_446_744_073_709_551_615_u64)),
        ]
    }

    prop_compose! {
        fn document()(values in prop::collection::vec(prop::option::of(leaf_value()), 6), shape in 0..4) -> Value {
            let mut data = json!({});
            let mut put = |pointer: &str, value: &Option<Value>| {
                let Some(value) = value else { return };
                let mut at = &mut data;
                for step in pointer.split('.') {
                    at = &mut at[step];
                }
                *at = value.clone();
            };
            put("a", &values[0]);
            put("b", &values[1]);
            put("o.a", &values[2]);
            if shape != 1 { put("o.p.b", &values[3]); }
            if shape == 2 { put("o", &values[3]); }
            if shape != 3 { data["l"] = json!([values[4], {"a": values[5]}]); }
            data
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_short_way_says_what_cel_says(source in prop_oneof![number(3), truth(3)], data in document()) {
            let _same = both(&source, &data);
        }
    }
}
