//! An attribute of an operator, as the tables [`super::standard`] and [`super::ml`] say it.

/// Operators by name, each with its attributes.
pub(super) type Operators = &'static [(&'static str, &'static [Attribute])];

/// An attribute of an operator.
pub(in crate::ops) struct Attribute {
    pub(in crate::ops) name: &'static str,
    /// The first opset that has it.
    pub(in crate::ops) since: i64,
    /// The last one.
    pub(in crate::ops) until: i64,
    pub(in crate::ops) only: Only,
}

/// Which values are answered as the standard says.
pub(in crate::ops) enum Only {
    All,
    Whole(&'static [i64]),
    Texts(&'static [&'static str]),
    /// None, with what to do instead.
    None(&'static str),
}

pub(super) const fn any(name: &'static str) -> Attribute {
    Attribute { name, since: 0, until: NEWEST, only: Only::All }
}

pub(super) const fn whole(name: &'static str, values: &'static [i64]) -> Attribute {
    Attribute { only: Only::Whole(values), ..any(name) }
}

pub(super) const fn flag(name: &'static str) -> Attribute {
    whole(name, &[0, 1])
}

pub(super) const fn texts(name: &'static str, values: &'static [&'static str]) -> Attribute {
    Attribute { only: Only::Texts(values), ..any(name) }
}

pub(super) const fn none(name: &'static str, instead: &'static str) -> Attribute {
    Attribute { only: Only::None(instead), ..any(name) }
}

impl Attribute {
    pub(super) const fn since(self, since: i64) -> Self {
        Self { since, ..self }
    }

    pub(super) const fn until(self, until: i64) -> Self {
        Self { until, ..self }
    }
}

/// The newest opset whose operators stand here.
pub(crate) const NEWEST: i64 = 28;
