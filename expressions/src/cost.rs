//! What an expression costs at most, told from its tree and the sizes of what it reads: nothing is evaluated. A step is about
//! what the interpreter needs for one node of the tree, or to copy one small value.
//!
//! Every value has an [`Extent`], an upper bound of how large it can be. Loops multiply what is inside them by the length of
//! what they run over; copies cost the weight of what is copied. All arithmetic saturates.

use crate::refused::Refused;
use crate::sizes::{Container, Scope, Sizes, text_weight};
use crate::tree::{children, path_of};
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators as op};
use regex::RegexBuilder;
use std::collections::HashMap;

/// Steps for the context of an evaluation.
const BASE: u64 = 20;
/// The text of anything that is no text, such as the greatest double, is not longer.
const PLAIN_TEXT: u64 = 512;
/// The longest text of a regular expression, in bytes.
const MAX_PATTERN_TEXT: usize = 256;
/// The largest compiled form of a regular expression, in bytes.
const MAX_PATTERN_BYTES: usize = 1 << 16;
/// The smallest that is told apart.
const MIN_PATTERN_BYTES: usize = 1 << 10;
/// Bytes of a compiled regular expression that are built in one step: it is built anew at each use.
const PATTERN_BUILT: u64 = 8;
/// Bytes of its compiled form times bytes of text that are matched in one step, where it is at its slowest.
const PATTERN_MATCHED: u64 = 512;

/// An upper bound of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Extent {
    /// Elements, where it is a list, or members.
    len: u64,
    /// The same of anything inside it that the expression made.
    inner: u64,
    /// Bytes of it, where it is a text, or of any text inside it.
    text: u64,
    /// What it costs to copy.
    weight: u64,
    /// What it costs to copy one of its elements.
    item: u64,
    /// Whether it may be a part of the document: what is inside it is then found under a name.
    read: bool,
    /// Whether it may be made by the expression.
    made: bool,
}

impl Extent {
    /// A number, a truth, null, a time.
    const PLAIN: Self = Self { len: 0, inner: 0, text: 0, weight: 1, item: 1, read: false, made: false };

    fn of_text(bytes: u64) -> Self {
        Self { text: bytes, weight: text_weight(bytes), ..Self::PLAIN }
    }

    /// A container of the document.
    fn of_container(container: &Container, longest_text: u64) -> Self {
        let Container { len, item, weight, .. } = *container;
        Self { len, inner: 0, text: longest_text, weight, item, read: true, made: false }
    }

    /// Either of two.
    fn or(self, other: Self) -> Self {
        Self {
            len: self.len.max(other.len),
            inner: self.inner.max(other.inner),
            text: self.text.max(other.text),
            weight: self.weight.max(other.weight),
            item: self.item.max(other.item),
            read: self.read || other.read,
            made: self.made || other.made,
        }
    }

    /// Two in a row: lists or texts.
    fn then(self, other: Self) -> Self {
        Self {
            len: self.len.saturating_add(other.len),
            text: self.text.saturating_add(other.text),
            weight: self.weight.saturating_add(other.weight),
            ..self.or(other)
        }
    }

    /// A list or map of such.
    fn list(elements: &[Self]) -> Self {
        let all = elements.iter().fold(Self::PLAIN, |all, element| all.or(*element));
        let weights = elements.iter().fold(1u64, |total, element| total.saturating_add(element.weight));
        let inner = all.len.max(all.inner);
        Self { len: elements.len() as u64, inner, weight: weights, item: all.weight, made: true, ..all }
    }

    /// So many of it in a row.
    fn times(self, count: u64) -> Self {
        let (len, weight) = (self.len.saturating_mul(count), self.weight.saturating_mul(count).max(1));
        Self { len, weight, ..self }
    }

    /// What is inside it, where the expression made it.
    fn within(self) -> Self {
        Self { len: self.inner, weight: self.item, item: self.item, ..self }
    }
}

/// A value's bound and what it takes to make it.
type Told = (Extent, u64);

/// Bytes of the compiled form of each regular expression of an expression, by the id of its node: they are measured once.
pub(crate) type Patterns = HashMap<u64, u64>;

/// The regular expressions of an expression.
///
/// # Errors
/// [`Refused::Pattern`], where one cannot be measured.
pub(crate) fn patterns(expr: &IdedExpr, into: &mut Patterns) -> Result<(), Refused> {
    if let Expr::Call(call) = &expr.expr
        && call.func_name == "matches"
        && let Some(pattern) = call.args.last()
    {
        into.insert(pattern.id, pattern_bytes(pattern)?);
    }
    children(expr).into_iter().try_for_each(|child| patterns(child, into))
}

/// Steps that an expression takes at most.
pub(crate) fn of(expr: &IdedExpr, patterns: &Patterns, scope: &Scope, sizes: &Sizes) -> u64 {
    let references = expr.references();
    let built = scope.built.iter().filter(|name| references.has_variable(name));
    let built = built.fold(BASE, |total, name| total.saturating_add(scope.top(name, sizes).weight));
    let (extent, cost) = Teller { patterns, scope, sizes, bound: Vec::new() }.tell(expr);
    sum([built, cost, extent.weight])
}

struct Teller<'e> {
    patterns: &'e Patterns,
    scope: &'e Scope,
    sizes: &'e Sizes,
    /// Variables that macros bind, innermost last.
    bound: Vec<(&'e str, Extent)>,
}

impl<'e> Teller<'e> {
    fn tell(&mut self, expr: &'e IdedExpr) -> Told {
        match &expr.expr {
            Expr::Literal(LiteralValue::String(text)) => (Extent::of_text(text.inner().len() as u64), 1),
            Expr::Literal(LiteralValue::Bytes(bytes)) => (Extent::of_text(bytes.inner().len() as u64), 1),
            Expr::Literal(_) | Expr::Unspecified => (Extent::PLAIN, 1),
            Expr::Ident(name) => self.name(&[name]),
            Expr::Select(select) => match path_of(expr) {
                Some(path) => self.name(&path),
                None => {
                    let (of, cost) = self.tell(&select.operand);
                    let found = if select.test { Extent::PLAIN } else { self.member(of, &select.field) };
                    (found, sum([cost, 1]))
                }
            },
            Expr::List(list) => self.made(list.elements.iter().collect()),
            Expr::Map(_) | Expr::Struct(_) => self.made(children(expr)),
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(inner) => self.each(inner),
        }
    }

    /// A list or map that the expression writes out.
    fn made(&mut self, parts: Vec<&'e IdedExpr>) -> Told {
        let (parts, cost) = self.all(parts);
        let made = Extent::list(&parts);
        (made, sum([cost, made.weight]))
    }

    fn all(&mut self, parts: Vec<&'e IdedExpr>) -> (Vec<Extent>, u64) {
        let told: Vec<Told> = parts.into_iter().map(|part| self.tell(part)).collect();
        let cost = told.iter().fold(0u64, |total, (_, cost)| total.saturating_add(*cost));
        (told.into_iter().map(|(extent, _)| extent).collect(), cost)
    }

    /// A variable, and what is selected from it. Every scope is asked for every beginning of a dotted name.
    fn name(&self, path: &[&str]) -> Told {
        let asked = (path.len() as u64).saturating_mul(2 + self.bound.len() as u64);
        let found = self.bound.iter().rev().find(|(name, _)| *name == path[0]);
        let root = match found {
            Some((_, extent)) => *extent,
            None if (self.scope.is_scalar)(path) => return (Extent::of_text(self.sizes.text), asked),
            None => Extent::of_container(&self.scope.top(path[0], self.sizes), self.sizes.text),
        };
        (path[1..].iter().fold(root, |extent, name| self.member(extent, name)), asked)
    }

    fn container(&self, name: &str) -> Extent {
        Extent::of_container(&self.scope.container(name, self.sizes), self.sizes.text)
    }

    /// What is found in a value under a name.
    fn member(&self, of: Extent, name: &str) -> Extent {
        match (of.read, of.made) {
            (true, true) => of.within().or(self.container(name)),
            (true, false) => self.container(name),
            (false, _) => of.within(),
        }
    }

    /// One of its elements: of a container of the document all that is known is its weight.
    fn element(&self, of: Extent) -> Extent {
        match of.read {
            true => Extent { weight: of.item, item: of.item, ..of.within().or(self.container("")) },
            false => of.within(),
        }
    }

    /// What an index finds, by a name or a place.
    fn indexed(&self, of: Extent, index: &IdedExpr) -> Extent {
        match &index.expr {
            Expr::Literal(LiteralValue::String(name)) => self.member(of, name.inner()),
            Expr::Literal(_) => self.element(of),
            _ if of.read => {
                let names = self.scope.containers.iter().map(|container| container.name);
                names.fold(self.element(of), |any, name| any.or(self.container(name)))
            }
            _ => of.within(),
        }
    }

    fn call(&mut self, call: &'e CallExpr) -> Told {
        let (parts, cost) = self.all(call.target.as_deref().into_iter().chain(&call.args).collect());
        let weights = parts.iter().fold(1u64, |total, part| total.saturating_add(part.weight));
        let texts = parts.iter().fold(1u64, |total, part| total.saturating_add(text_weight(part.text)));
        match (call.func_name.as_str(), parts.as_slice()) {
            (op::LOGICAL_AND | op::LOGICAL_OR | op::LOGICAL_NOT | op::NOT_STRICTLY_FALSE, _) => {
                (Extent::PLAIN, sum([cost, 1]))
            }
            (op::CONDITIONAL, [_, yes, no]) => (yes.or(*no), sum([cost, 1])),
            (op::EQUALS | op::NOT_EQUALS, [left, right]) => {
                (Extent::PLAIN, sum([cost, 1, left.weight.min(right.weight)]))
            }
            (op::INDEX, [of, _]) => (self.indexed(*of, &call.args[1]), sum([cost, 1])),
            (op::OPT_INDEX, [of, _]) => {
                let found = self.indexed(*of, &call.args[1]);
                (found, sum([cost, 1, found.weight]))
            }
            // Each of these copies its operands: into the sum, or into what it says when it fails.
            (op::ADD, [left, right]) => (left.then(*right), sum([cost, weights])),
            (op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO | op::NEGATE | op::IN, _) => {
                (Extent::PLAIN, sum([cost, weights]))
            }
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, _) => (Extent::PLAIN, sum([cost, texts])),
            ("size" | "int" | "uint" | "double" | "bool" | "contains" | "startsWith" | "endsWith", _) => {
                (Extent::PLAIN, sum([cost, texts]))
            }
            ("matches", [text, _]) => (Extent::PLAIN, sum([cost, texts, self.matched(call.args.last(), text.text)])),
            // Texts of numbers and times, and whatever else the library has: made of its operands.
            (_, parts) => {
                let joined = parts.iter().fold(Extent::of_text(PLAIN_TEXT), |joined, part| joined.then(*part));
                (joined, sum([cost, weights, joined.weight]))
            }
        }
    }

    /// A regular expression is built anew at each use.
    fn matched(&self, pattern: Option<&IdedExpr>, text: u64) -> u64 {
        let bytes = pattern.and_then(|pattern| self.patterns.get(&pattern.id)).copied().unwrap_or(u64::MAX);
        sum([bytes / PATTERN_BUILT, bytes.saturating_mul(text) / PATTERN_MATCHED])
    }

    fn each(&mut self, inner: &'e ComprehensionExpr) -> Told {
        let (range, of_range) = self.tell(&inner.iter_range);
        let (start, of_start) = self.tell(&inner.accu_init);
        let element = self.element(range);
        let depth = self.bound.len();
        self.bound.push((&inner.accu_var, start));
        self.bound.push((&inner.iter_var, element));
        self.bound.extend(inner.iter_var2.as_deref().map(|name| (name, element)));
        let (_, of_cond) = self.tell(&inner.loop_cond);
        let (step, of_step) = self.tell(&inner.loop_step);
        // `map` and `filter` grow a list by what one step makes; the other macros keep a truth or a number.
        let grown = match &inner.accu_init.expr {
            Expr::List(_) => step.times(range.len),
            _ => start,
        };
        self.bound[depth].1 = grown;
        let (result, of_result) = self.tell(&inner.result);
        self.bound.truncate(depth);
        let rounds = sum([2, of_cond, of_step]).saturating_mul(range.len);
        // Each element is copied into its variable, and all of them weigh no more than the whole.
        let copied = range.item.saturating_mul(range.len).min(range.weight);
        (result, sum([of_range, of_start, rounds, copied, of_result, result.weight, 2]))
    }
}

/// How large a regular expression becomes.
fn pattern_bytes(pattern: &IdedExpr) -> Result<u64, Refused> {
    let refused = |why: String| Err(Refused::Pattern(why));
    let Expr::Literal(LiteralValue::String(source)) = &pattern.expr else {
        return refused("the pattern of matches() must be a literal".to_owned());
    };
    if source.inner().len() > MAX_PATTERN_TEXT {
        return refused(format!("a pattern is {} bytes long, at most {MAX_PATTERN_TEXT}", source.inner().len()));
    }
    let sizes = (MIN_PATTERN_BYTES.ilog2()..=MAX_PATTERN_BYTES.ilog2()).map(|bits| 1usize << bits);
    for bytes in sizes {
        match RegexBuilder::new(source.inner()).size_limit(bytes).build() {
            Ok(_) => return Ok(bytes as u64),
            Err(regex::Error::CompiledTooBig(_)) => {}
            Err(_) => return refused("the pattern of matches() is not a regular expression".to_owned()),
        }
    }
    refused(format!("a pattern becomes larger than {MAX_PATTERN_BYTES} bytes when it is compiled"))
}

fn sum<const N: usize>(parts: [u64; N]) -> u64 {
    parts.into_iter().fold(0, u64::saturating_add)
}
