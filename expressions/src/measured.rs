//! The one way from the text of an expression to its tree and its value: parsed once, measured, and evaluated only where the
//! document is not so large that it would take too long. Knows no variable by name.

use crate::cost::{self, Patterns};
use crate::finding::cut;
use crate::refused::Refused;
use crate::sizes::{Scope, Sizes};
use crate::{MAX_BYTES, MAX_COST, MAX_DEPTH, MAX_TOTAL_COST, SLACK, sum, tree};
use cel::common::ast::{IdedExpr, SourceInfo};
use cel::{Context, Env, ExecutionError, Program, Value};
use std::sync::{Arc, LazyLock};

/// The standard functions; built once, shared by every evaluation.
static FUNCTIONS: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// What texts are parsed with: the standard macros and [`sum`].
static PARSER: LazyLock<Env> = LazyLock::new(|| {
    let mut env = Env::stdlib().with_optional_support(false);
    // Only a macro of the same name is refused, and the standard ones have no `sum`.
    if env.add_macro(sum::expansion()).is_err() {
        return Env::stdlib().with_optional_support(false);
    }
    env
});

/// Why an expression has no value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The document is so large that it would cost more than [`SLACK`] times what was told at load.
    #[error("costs too much on a document of this size")]
    OverBudget,
    /// It was evaluated and failed. The message may quote the document.
    #[error(transparent)]
    Failed(#[from] ExecutionError),
}

/// A parsed expression whose cost is known.
#[derive(Debug)]
pub(crate) struct Expression {
    program: Program,
    patterns: Patterns,
    scope: &'static Scope,
    cost: u64,
}

impl Expression {
    /// Parses and measures `source`.
    pub(crate) fn parse(source: &str, scope: &'static Scope) -> Result<Self, Refused> {
        if source.len() > MAX_BYTES {
            return Err(Refused::TooLong(source.len()));
        }
        let program = PARSER.compile(source).map_err(|errors| first(&errors))?;
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
    pub(crate) fn tree(&self) -> &IdedExpr {
        self.program.expression()
    }

    /// Where its nodes are in the text.
    pub(crate) fn source(&self) -> &SourceInfo {
        self.program.source_info()
    }

    /// Steps that it takes at most, on a document of the sizes that its scope declares.
    pub(crate) fn cost(&self) -> u64 {
        self.cost
    }

    /// Its value, if a document of such sizes allows it: the answer depends on the expression and the document alone, never
    /// on how fast a machine is.
    pub(crate) fn evaluate(&self, context: &Context<'_, '_>, sizes: &Sizes) -> Result<Value, Failure> {
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

/// Adds the cost of an expression to that of those before it in one document.
pub(crate) fn together(before: u64, cost: u64) -> Result<u64, Refused> {
    match before.saturating_add(cost) {
        total if total <= MAX_TOTAL_COST => Ok(total),
        total => Err(Refused::TooCostlyTogether(cost, total)),
    }
}

/// A context with the standard functions and no variable.
pub(crate) fn context<'p, 'v>() -> Context<'p, 'v> {
    Context::with_env(Arc::clone(&FUNCTIONS))
}

/// The value of a part of a measured expression, where it reads no variable and has one.
pub(crate) fn constant(part: &IdedExpr) -> Option<Value> {
    part.references().variables().is_empty().then(|| Value::resolve(part, &context()).ok()).flatten()
}

/// What `has()` takes, in the place of the parser's words.
const HAS_TAKES: &str = "has() takes a member of a map, such as facts.dependants, and no name by itself";

/// What is wrong first, with its place.
fn first(errors: &cel::ParseErrors) -> Refused {
    let at = |position: isize| usize::try_from(position).unwrap_or_default();
    errors.errors.first().map_or(Refused::Syntax { message: String::new(), at: (0, 0) }, |error| Refused::Syntax {
        message: match error.msg.contains("invalid argument to has() macro") {
            true => HAS_TAKES.to_owned(),
            false => cut(&error.msg),
        },
        at: (at(error.pos.0), at(error.pos.1)),
    })
}
