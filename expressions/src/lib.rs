//! PURE. The one way from the text of an expression (CEL) to its value, for policies, routes and feature contracts. An author
//! may write anything: what would take too long, too much memory or too deep a stack is refused at load with what it costs,
//! and is not evaluated on a document so large that it would. Knows no variable by name.
//!
//! Reading order: [`Expression`] parses, measures and evaluates; [`cost`] tells what an expression costs at most; [`sizes`]
//! says how large a document is; [`tree`] walks.

pub mod cost;
pub mod sizes;
pub mod tree;

use cel::common::ast::IdedExpr;
use cel::{Context, Env, ExecutionError, Program, Value};
use cost::Patterns;
use sizes::{Scope, Sizes};
use std::sync::{Arc, LazyLock};

/// The longest text of an expression, in bytes.
pub const MAX_BYTES: usize = 4096;
/// Nested deeper than this an expression is refused: whoever looks at it walks it by recursion, the interpreter too.
pub const MAX_DEPTH: usize = 64;
/// Steps of one expression, at most: some milliseconds, where the whole decision takes one.
pub const MAX_COST: u64 = 250_000;
/// Steps of all expressions of one document (a policy, a route, a feature contract), at most.
pub const MAX_TOTAL_COST: u64 = 1_000_000;
/// How many times dearer than told at load an expression may be on a document that is larger than declared.
pub const SLACK: u64 = 4;
/// Of what a parser says, so much is passed on, in bytes: it may quote the whole text once for each fault.
pub const MAX_MESSAGE_BYTES: usize = 400;

/// The standard functions; built once, shared by every evaluation.
static FUNCTIONS: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// Why an expression is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It does not parse.
    #[error("not CEL: {0}")]
    Syntax(String),
    /// Its text is longer than [`MAX_BYTES`].
    #[error("{0} bytes long, at most {MAX_BYTES} are allowed")]
    TooLong(usize),
    /// It is nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// A regular expression that cannot be measured, or is too large.
    #[error("{0}")]
    Pattern(String),
    /// It costs more than [`MAX_COST`].
    #[error("costs up to {0} steps, at most {MAX_COST} are allowed: nest fewer loops, or loop over less")]
    TooCostly(u64),
    /// With those before it, it costs more than [`MAX_TOTAL_COST`].
    #[error("costs up to {0} steps, and with those before it {1}; all of a document may cost {MAX_TOTAL_COST}")]
    TooCostlyTogether(u64, u64),
}

/// Why an expression has no value.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The document is so large that it would cost more than [`SLACK`] times what was told at load.
    #[error("costs too much on a document of this size")]
    OverBudget,
    /// It was evaluated and failed. The message may quote the document.
    #[error(transparent)]
    Failed(#[from] ExecutionError),
}

/// A parsed expression whose cost is known.
#[derive(Debug)]
pub struct Expression {
    program: Program,
    patterns: Patterns,
    scope: &'static Scope,
    cost: u64,
}

impl Expression {
    /// Parses and measures `source`.
    ///
    /// # Errors
    /// [`Refused`], in one line, for people.
    pub fn parse(source: &str, scope: &'static Scope) -> Result<Self, Refused> {
        if source.len() > MAX_BYTES {
            return Err(Refused::TooLong(source.len()));
        }
        let program = Program::compile(source).map_err(|errors| Refused::Syntax(first(&errors)))?;
        if tree::depth(program.expression()) > MAX_DEPTH {
            return Err(Refused::TooDeep);
        }
        let mut patterns = Patterns::new();
        cost::patterns(program.expression(), &mut patterns)?;
        let cost = cost::of(program.expression(), &patterns, scope, &scope.declared());
        match cost <= MAX_COST {
            true => Ok(Self { program, patterns, scope, cost }),
            false => Err(Refused::TooCostly(cost)),
        }
    }

    /// The syntax tree.
    pub fn tree(&self) -> &IdedExpr {
        self.program.expression()
    }

    /// Steps that it takes at most, on a document of the sizes that its scope declares.
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// Its value, if a document of such sizes allows it: the answer depends on the expression and the document alone, never
    /// on how fast a machine is.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn evaluate(&self, context: &Context<'_, '_>, sizes: &Sizes) -> Result<Value, Failure> {
        match self.is_affordable(sizes) {
            true => Ok(self.program.execute(context)?),
            false => Err(Failure::OverBudget),
        }
    }

    /// Whether it may be evaluated on a document of such sizes.
    fn is_affordable(&self, sizes: &Sizes) -> bool {
        let allowed = self.cost.saturating_mul(SLACK);
        sizes.are_within(self.scope) || cost::of(self.tree(), &self.patterns, self.scope, sizes) <= allowed
    }
}

/// What the expressions of one document cost together.
#[derive(Debug, Default)]
pub struct Total(u64);

impl Total {
    /// Adds an expression.
    ///
    /// # Errors
    /// [`Refused::TooCostlyTogether`].
    pub fn add(&mut self, expression: &Expression) -> Result<(), Refused> {
        self.0 = self.0.saturating_add(expression.cost);
        match self.0 <= MAX_TOTAL_COST {
            true => Ok(()),
            false => Err(Refused::TooCostlyTogether(expression.cost, self.0)),
        }
    }

    /// The steps so far.
    pub fn steps(&self) -> u64 {
        self.0
    }
}

/// A context with the standard functions and no variable.
pub fn context<'p, 'v>() -> Context<'p, 'v> {
    Context::with_env(Arc::clone(&FUNCTIONS))
}

/// The value of a part of a measured expression, where it reads no variable and has one.
pub fn constant(part: &IdedExpr) -> Option<Value> {
    part.references().variables().is_empty().then(|| Value::resolve(part, &context()).ok()).flatten()
}

/// The first line of what a parser says, cut where it is long.
pub fn cut(message: &str) -> String {
    let line = message.trim().replace(['\n', '\r'], " ");
    match line.len() > MAX_MESSAGE_BYTES {
        true => format!("{} …", &line[..line.floor_char_boundary(MAX_MESSAGE_BYTES)]),
        false => line,
    }
}

/// What is wrong first, with its place.
fn first(errors: &cel::ParseErrors) -> String {
    errors.errors.first().map_or_else(String::new, |error| {
        let (line, column) = error.pos;
        format!("{} (line {line}, column {column})", cut(&error.msg))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
