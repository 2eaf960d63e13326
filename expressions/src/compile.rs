//! From a text to something that yields values: parsed once, held against a vocabulary, measured, lowered. The one compiler of
//! policies, routes and feature contracts.

use crate::against::Against;
use crate::finding::Finding;
use crate::fold;
use crate::logic::Logic;
use crate::measured::{Expression, together};
use crate::names::Names;
use crate::native::{Literal, Lowered};
use crate::older;
use crate::place::Place;
use crate::reach;
use crate::typing;
use crate::uses::{Use, uses};
use crate::vocabulary::{Kind, Type, Vocabulary};
use crate::written::Written;
use cel::common::ast::{Expr, IdedExpr};

/// A compiled expression, over places of the language or, once it is bound, over those of a document.
#[derive(Debug)]
pub struct Compiled<P = Place> {
    pub(crate) expression: Expression,
    pub(crate) lowered: Option<Lowered<P>>,
    logic: Logic<P>,
    of: Type,
    warnings: Vec<Finding>,
    /// The text, for places.
    source: String,
}

/// Compiles `source`, and refuses what cannot work, may not be read, or costs too much.
///
/// # Errors
/// Everything that is wrong, each with its place and, where a known name is near, a suggestion.
pub fn compile(source: &str, vocabulary: &'static Vocabulary) -> Result<Compiled, Vec<Finding>> {
    let expression = Expression::parse(source, &vocabulary.sizes).map_err(|why| vec![Finding::from(why)])?;
    let placed = |(node, finding): (u64, Finding)| Finding { at: place_of(&expression, source, node), ..finding };
    if let Some(found) = reach::check(expression.tree(), vocabulary) {
        return Err(vec![placed(found)]);
    }
    let (of, faults) = typing::infer(expression.tree(), vocabulary);
    if !faults.is_empty() {
        return Err(faults.into_iter().map(placed).collect());
    }
    let warnings = older::names(expression.tree(), vocabulary).into_iter().map(placed).collect();
    let lowered = Lowered::of(expression.tree(), vocabulary);
    let logic = Logic::of(expression.tree(), &Written { text: source, places: expression.source() }, vocabulary);
    Ok(Compiled { expression, lowered, logic, of, warnings, source: source.to_owned() })
}

/// The cost of the expressions of one document together.
#[derive(Debug, Default)]
pub struct Total(u64);

impl Total {
    /// Adds an expression.
    ///
    /// # Errors
    /// With those before it, it costs more than [`crate::MAX_TOTAL_COST`].
    pub fn add<P>(&mut self, compiled: &Compiled<P>) -> Result<(), Finding> {
        let cost = compiled.cost();
        let sum = together(self.0, cost);
        self.0 = self.0.saturating_add(cost);
        sum.map(drop).map_err(Finding::from)
    }

    /// The steps so far.
    pub fn steps(&self) -> u64 {
        self.0
    }
}

impl Compiled {
    /// The same over places of a document; what it has no place for is left to the interpreter.
    pub fn bind<P>(self, to: &mut dyn FnMut(&Place) -> Option<P>) -> Compiled<P> {
        let lowered = self.lowered.and_then(|lowered| lowered.bind(to));
        let Self { expression, logic, of, warnings, source, .. } = self;
        Compiled { expression, lowered, logic: logic.bind(to), of, warnings, source }
    }
}

impl<P> Compiled<P> {
    /// Its type.
    pub fn of(&self) -> Type {
        self.of
    }

    /// Whether it may be true or false, as far as that is known before there is a document.
    pub fn may_be_truth(&self) -> bool {
        matches!(self.of, Type::Known(Kind::Bool) | Type::Open)
    }

    /// What should be written otherwise although it is taken.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// Steps that it takes at most, on a document of the sizes that its vocabulary declares.
    pub fn cost(&self) -> u64 {
        self.expression.cost()
    }

    /// Whether it runs without the interpreter, where nothing unusual stands in the document.
    pub fn is_lowered(&self) -> bool {
        self.lowered.is_some()
    }

    /// The place and the literal of a simple comparison, behind a `has()` or not.
    pub fn compared(&self) -> Option<(&P, &Literal)> {
        match self.lowered.as_ref()? {
            Lowered::Truth(truth) => truth.compared(),
            Lowered::Number(_) | Lowered::Text(_) | Lowered::Value(_) => None,
        }
    }

    /// Its single tests, and what connects them.
    pub fn logic(&self) -> &Logic<P> {
        &self.logic
    }

    /// The names that it reads, and the words that it holds them against.
    pub fn names(&self) -> Names {
        let mut names = Names::of(self.expression.tree());
        let place = |node| place_of(&self.expression, &self.source, node);
        names.read.iter_mut().for_each(|read| read.at = place(read.node));
        names.words.iter_mut().for_each(|held| held.at = place(held.node));
        names
    }

    /// What it holds names against.
    pub fn against(&self) -> Against {
        Against::of(self.expression.tree())
    }

    /// Its value where it is a condition that does not depend on the document; `None` where it does.
    pub fn constant(&self) -> Option<bool> {
        fold::constant(self.expression.tree())
    }

    /// The expression as a text that is the same for two that differ in white space, brackets or the order of `&&` and `||` only.
    pub fn canonical(&self) -> String {
        fold::canonical(self.expression.tree())
    }

    /// Everything that it reads, as often as it does, by the vocabulary that it was compiled with; `yields` is what its own value must be.
    pub fn uses(&self, vocabulary: &Vocabulary, yields: Option<Kind>) -> Vec<Use> {
        uses(self.expression.tree(), vocabulary, yields)
    }

    /// The names at the top that it reads.
    pub fn variables(&self) -> Vec<String> {
        let references = self.expression.tree().references();
        let mut variables: Vec<String> = references.variables().into_iter().map(str::to_owned).collect();
        variables.sort_unstable();
        variables
    }

    /// The members that it names of a map at the top, such as those of `features`, sorted.
    pub fn members(&self, map: &str) -> Vec<String> {
        let mut names = Vec::new();
        members(self.expression.tree(), map, &mut names);
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn members(expr: &IdedExpr, map: &str, into: &mut Vec<String>) {
    use cel::common::ast::{LiteralValue, operators as op};
    let is_map = |of: &IdedExpr| matches!(&of.expr, Expr::Ident(name) if name == map);
    match &expr.expr {
        Expr::Select(select) if is_map(&select.operand) => into.push(select.field.clone()),
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (op::INDEX, [of, key]) | (op::IN, [key, of]) if is_map(of) => {
                if let Expr::Literal(LiteralValue::String(name)) = &key.expr {
                    into.push(name.inner().to_owned());
                }
            }
            _ => {}
        },
        _ => {}
    }
    crate::tree::children(expr).into_iter().for_each(|child| members(child, map, into));
}

/// Line and column of where a node begins.
fn place_of(expression: &Expression, source: &str, node: u64) -> Option<(usize, usize)> {
    let begin = begin_of(expression.tree(), node).unwrap_or(node);
    let (start, _) = expression.source().offset_for(begin).or_else(|| expression.source().offset_for(node))?;
    let before = &source[..source.floor_char_boundary(start as usize)];
    let line = before.rsplit('\n').next().unwrap_or_default();
    Some((before.matches('\n').count() + 1, line.chars().count() + 1))
}

/// The leftmost node of a name or an operation: where a person sees it begin.
fn begin_of(expr: &IdedExpr, node: u64) -> Option<u64> {
    match expr.id == node {
        true => Some(leftmost(expr)),
        false => crate::tree::children(expr).into_iter().find_map(|child| begin_of(child, node)),
    }
}

fn leftmost(expr: &IdedExpr) -> u64 {
    match &expr.expr {
        Expr::Select(select) if !select.test => leftmost(&select.operand),
        Expr::Call(call)
            if call.target.is_none() && !call.func_name.starts_with(|first: char| first.is_alphabetic()) =>
        {
            call.args.first().filter(|_| call.args.len() > 1).map_or(expr.id, leftmost)
        }
        _ => expr.id,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::vocabulary::tests::SMALL;

    fn refused(source: &str) -> Vec<String> {
        compile(source, &SMALL).err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_wrong_is_told_with_place_and_suggestion() {
        let rows: [(&str, &[&str]); 8] = [
            ("score < 5 && band == 'A'", &[]),
            ("scor < 5", &["scor is not published to tests: did you mean score? (line 1, column 1)"]),
            (
                "score < 5 &&\n  facts.adutl",
                &["facts.adutl is not published to tests: did you mean facts.adult? (line 2, column 3)"],
            ),
            (
                "scor < 5 && bnad == 'A'",
                &[
                    "scor is not published to tests: did you mean score? (line 1, column 1)",
                    "bnad is not published to tests: did you mean band? (line 1, column 13)",
                ],
            ),
            ("score == 'A'", &["== of two types is never true (line 1, column 1)"]),
            ("true || data.protected == 1", &["reads protected, which no expression may (line 1, column 9)"]),
            ("debts.exists(d, d.knd == 'x')", &["there is no knd here: did you mean kind? (line 1, column 17)"]),
            (
                "true && sise(debts) > 1",
                &["sise is not a function of CEL's standard library: did you mean size? (line 1, column 13)"],
            ),
        ];
        for (source, expected) in rows {
            assert_eq!(refused(source), expected, "{source}");
        }
        let has = refused("has(score) && score > 1");
        assert!(has[0].contains("has() takes a member of a map, such as facts.dependants"), "{has:?}");
        let syntax = refused("score <");
        assert!(syntax[0].starts_with("not CEL: ") && syntax[0].ends_with(')'), "{syntax:?}");
        let costly = refused("debts.exists(a, debts.exists(b, a.kind == b.kind))");
        assert!(costly[0].contains("at most 250000 are allowed"), "{costly:?}");
    }

    #[test]
    fn the_usual_shapes_are_lowered_and_the_others_are_not() {
        for (source, lowered) in [
            ("score < 600", true),
            ("has(facts.adult) && facts.adult == false", true),
            ("features.late >= 2", true),
            ("!(band in ['A', 'B']) || pd > 0.5", true),
            ("facts.adult", true),
            ("-1 < score", true),
            ("features.late + 1.0 > pd * 2.0", true),
            ("double(data.a.b) / 2.0", true),
            ("double(data.a) > 0.0 ? double(data.b) / double(data.a) : 0.0", true),
            ("has(data.a.b) && data.a.b", true),
            ("data.n > 3 || !(data.m <= 2.5)", true),
            ("\"US-\" + data.state == attributes.state", true),
            ("data.state + (data.kind == \"x\" ? \"/y\" : \"\")", true),
            ("double(data.list[0].a)", true),
            ("reports[0].status == 'hit'", true),
            ("score / 5 > 5", false),
            ("reports.exists(r, r.status == 'frozen')", false),
            ("band.startsWith('A')", false),
            ("data.a + 1", false),
            ("data.list.map(x, double(x))[0]", false),
            ("double(data.a + 1)", false),
            ("has(facts.employment)", true),
        ] {
            assert_eq!(compile(source, &SMALL).unwrap().is_lowered(), lowered, "{source}");
        }
        let bound = compile("score < 600", &SMALL).unwrap().bind(&mut |_| None::<usize>);
        assert!(!bound.is_lowered(), "a document without such a place is left to the interpreter");
    }

    #[test]
    fn names_that_it_reads_are_told() {
        let compiled =
            compile("'a' in features && features.b > features['c'] + features.b && score > 1", &SMALL).unwrap();
        assert_eq!(compiled.members("features"), ["a", "b", "c"]);
        assert_eq!(compiled.variables(), ["features", "score"]);
        assert!(compiled.may_be_truth());
        for (source, expected) in
            [("score + 1", false), ("attributes.x", true), ("attributes.x + 'a'", false), ("debts", false)]
        {
            assert_eq!(compile(source, &SMALL).unwrap().may_be_truth(), expected, "{source}");
        }
    }

    #[test]
    fn a_simple_comparison_is_told() {
        for (source, expected) in [
            ("score < 600", true),
            ("has(facts.adult) && facts.adult == false", true),
            ("600 > score", false),
            ("score < 600 && band == 'A'", false),
        ] {
            assert_eq!(compile(source, &SMALL).unwrap().compared().is_some(), expected, "{source}");
        }
    }

    #[test]
    fn expressions_cost_together() {
        let one = compile("debts.exists(d, d.kind == 'card')", &SMALL).unwrap();
        let mut total = Total::default();
        let fitting = crate::MAX_TOTAL_COST / one.cost();
        (0..fitting).for_each(|_| total.add(&one).unwrap());
        assert_eq!(total.steps(), fitting * one.cost());
        let refused = total.add(&one).unwrap_err();
        assert!(refused.code == "too_costly" && refused.message.contains("with those before it"), "{refused}");
    }
}
