//! One CEL expression of a policy: parsed once, run natively where that says the same. Knows nothing of rules.

use crate::native::Native;
use crate::scope::Scope;
use crate::vocabulary::Var;
use cel::common::ast::IdedExpr;
use cel::{Context, Env, Program};
use schemas::risk::RiskEvent;
use std::sync::{Arc, LazyLock};

/// The standard functions; built once, shared by every evaluation.
static FUNCTIONS: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// Nested this deep an expression is refused: the checks walk it by recursion.
const MAX_DEPTH: usize = 64;

/// A compiled expression.
#[derive(Debug)]
pub struct Condition {
    program: Program,
    native: Option<Native>,
}

impl Condition {
    /// Parses `source`.
    ///
    /// # Errors
    /// The parser's message, in one line.
    pub fn parse(source: &str) -> Result<Self, String> {
        let program = Program::compile(source).map_err(|errors| errors.to_string().replace('\n', " "))?;
        if crate::fold::depth(program.expression()) > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH}"));
        }
        let native = Native::of(program.expression());
        Ok(Self { program, native })
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
            cel::Value::String(value) => Some(value.to_string()),
            _ => None,
        }
    }

    /// Variable and literal of a simple comparison, as text: what was seen, what it was held against.
    pub(crate) fn compared(&self, event: &RiskEvent) -> Option<(Option<String>, String)> {
        let (var, literal) = self.native.as_ref()?.compared()?;
        Some((var.get(event).map(|value| value.to_text()), literal.value().to_text()))
    }

    /// The syntax tree.
    pub(crate) fn expression(&self) -> &IdedExpr {
        self.program.expression()
    }

    /// Whether the condition runs without the interpreter.
    pub fn is_native(&self) -> bool {
        self.native.is_some()
    }

    /// Whether it names the score in any of its forms.
    pub(crate) fn reads_score(&self) -> bool {
        let references = self.program.references();
        references.variables().iter().any(|name| Var::of_path(&[name]).is_some_and(|var| var.is_score()))
    }

    fn value(&self, event: &RiskEvent) -> Result<cel::Value, String> {
        let scope = Scope(event);
        let mut context = Context::with_env(Arc::clone(&FUNCTIONS));
        context.set_variable_resolver(&scope);
        self.program.execute(&context).map_err(|error| failure(&error))
    }
}

/// Errors may quote operands, which are facts of a person: only what names the rule's own text is kept.
fn failure(error: &cel::ExecutionError) -> String {
    use cel::ExecutionError as E;
    match error {
        E::NoSuchKey(name) => format!("no value for {name}"),
        E::UndeclaredReference(name) => format!("no value for {name}"),
        E::NoSuchOverload(overload) => overload.to_string(),
        E::DivisionByZero(_) | E::RemainderByZero(_) => "division by zero".to_owned(),
        E::Overflow(..) => "overflow".to_owned(),
        _ => "cannot be evaluated".to_owned(),
    }
}
