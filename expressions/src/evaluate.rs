//! A compiled expression on a document: the short way first, and the interpreter for whatever the short way is not sure of.

use crate::compile::Compiled;
use crate::document::{Document, single};
use crate::finding::cut;
use crate::measured::{self, Failure};
use crate::native::Halt;
use crate::value::{Undetermined, Value};
use cel::ExecutionError;

impl<P> Compiled<P> {
    /// Its value on a document.
    ///
    /// # Errors
    /// [`Undetermined`]. The name of what is absent is only told by [`Compiled::interpret`].
    pub fn evaluate<'s, D: Document<Place = P>>(&'s self, document: &'s D) -> Result<Value<'s>, Undetermined> {
        let short = self.lowered.as_ref().map(|lowered| lowered.eval(&|place| document.at(place)));
        match short {
            Some(Ok(value)) => Ok(value),
            Some(Err(Halt::Missing)) => Err(Undetermined::Absent(None)),
            Some(Err(Halt::Unsure)) | None => self.interpret(document),
        }
    }

    /// The same by the interpreter, whether or not there is a shorter way.
    ///
    /// # Errors
    /// [`Undetermined`].
    pub fn interpret<'s, D: Document<Place = P>>(&'s self, document: &'s D) -> Result<Value<'s>, Undetermined> {
        let value = document.lend(|variables, sizes| {
            let mut context = measured::context();
            context.set_variable_resolver(variables);
            self.expression.evaluate(&context, sizes)
        });
        value.map_err(undetermined).and_then(single)
    }
}

/// Errors may quote operands, which are facts of a person: only what names the expression's own text is kept, and not much of it.
fn undetermined(failure: Failure) -> Undetermined {
    use ExecutionError as E;
    let error = match failure {
        Failure::OverBudget => return Undetermined::OverBudget,
        Failure::Failed(error) => error,
    };
    let failed = |why: &str| Undetermined::Failed(why.to_owned());
    match error {
        E::NoSuchKey(name) => Undetermined::Absent(Some(cut(&name))),
        E::IndexOutOfBounds(_) => Undetermined::NoElement,
        E::UndeclaredReference(name) => Undetermined::NoName(cut(&name)),
        E::NoSuchOverload(overload) => failed(&cut(&overload.to_string())),
        E::DivisionByZero(_) | E::RemainderByZero(_) => failed("division by zero"),
        E::Overflow(..) => failed("overflow"),
        _ => failed("cannot be evaluated"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::compile;
    use crate::place::Place;
    use crate::sizes::Sizes;
    use crate::value::Found;
    use crate::vocabulary::tests::SMALL;
    use cel::common::types::{CelInt, CelMap, CelMapKey, CelString};
    use cel::common::value::{CowVal, Val};
    use cel::context::VariableResolver;
    use std::collections::HashMap;

    /// A score, and a map of features in which `late` is 2.
    struct Few {
        features: Box<dyn Val>,
    }

    impl VariableResolver for Few {
        fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
            match variable {
                "score" => Some(CowVal::Owned(Box::new(CelInt::from(600)))),
                "features" => Some(CowVal::Borrowed(self.features.as_ref())),
                _ => None,
            }
        }
    }

    impl Document for Few {
        type Place = String;

        fn at(&self, place: &String) -> Found<'_> {
            match place.as_str() {
                "score" => Found::Int(600),
                "features.late" => Found::Int(2),
                "features.odd" => Found::Array,
                _ => Found::Absent,
            }
        }

        fn lend<T>(&self, to: impl FnOnce(&dyn VariableResolver, &Sizes) -> T) -> T {
            to(self, &SMALL.sizes.declared())
        }
    }

    fn few() -> Few {
        let late = (CelMapKey::String(CelString::from("late")), Box::new(CelInt::from(2)) as Box<dyn Val>);
        Few { features: Box::new(CelMap::from(HashMap::from([late]))) }
    }

    fn bound(source: &str) -> Compiled<String> {
        compile(source, &SMALL).unwrap().bind(&mut |place: &Place| Some(place.names()?.join(".")))
    }

    #[test]
    fn both_ways_say_the_same() {
        let absent = |name: &str| Err(Undetermined::Absent(Some(name.to_owned())));
        let rows = [
            ("score > 599", Ok(Value::Bool(true))),
            ("score", Ok(Value::Int(600))),
            ("features.late", Ok(Value::Int(2))),
            ("features.late >= 2 || features.none > 1", Ok(Value::Bool(true))),
            ("features.none > 1 || features.late >= 2", Ok(Value::Bool(true))),
            ("features.none > 1 && features.late < 2", Ok(Value::Bool(false))),
            ("features.none > 1 && features.late >= 2", absent("none")),
            ("has(features.late) && !has(features.none)", Ok(Value::Bool(true))),
            ("score in [500, 600]", Ok(Value::Bool(true))),
            ("features.none + 1.0 > 2.0", absent("none")),
            ("pd > 0.5", Err(Undetermined::NoName("pd".into()))),
            ("'a' + 'b'", Ok(Value::Text("ab".into()))),
            ("score / 0 > 1", Err(Undetermined::Failed("division by zero".into()))),
            ("[1].map(x, x)", Err(Undetermined::NotSingle)),
            ("null", Err(Undetermined::Null)),
            ("[1][3] == 1", Err(Undetermined::NoElement)),
        ];
        for (source, expected) in rows {
            let (compiled, few) = (bound(source), few());
            assert_eq!(compiled.interpret(&few), expected, "{source}");
            let short = compiled.evaluate(&few);
            match (&short, &expected) {
                (Err(Undetermined::Absent(None)), Err(_)) => {}
                _ => assert_eq!(short, expected, "{source}"),
            }
        }
    }

    #[test]
    fn the_short_way_leaves_to_the_interpreter_what_it_is_not_sure_of() {
        let (compiled, few) = (bound("features.odd == 1"), few());
        assert_eq!(compiled.evaluate(&few), Err(Undetermined::Absent(Some("odd".into()))));
    }
}
