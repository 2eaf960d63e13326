//! What expressions may name: a tree of names with their types, the words that must stay out of reach, and how large a document
//! is. Each user declares one; knows no document itself.

use crate::sizes::Scope;

/// The type of a single value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `double`
    Double,
    /// `string`
    Text,
}

impl Kind {
    /// The word of the language.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Double => "double",
            Self::Text => "string",
        }
    }
}

/// What is known of a value before there is a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A single value.
    Known(Kind),
    /// A list of such maps.
    List(&'static Shape),
    /// A map with such members.
    Map(&'static Shape),
    /// No truth value; what else it is, the document tells.
    NoTruth,
    /// Not before there is a document.
    Open,
}

/// A name and its type.
pub type Name = (&'static str, Type);

/// Which members a map has. Each may be absent, but maps and lists that are named are always there, perhaps empty.
#[derive(Debug, PartialEq, Eq)]
pub enum Shape {
    /// These.
    Named(&'static [Name]),
    /// Any, all of one type.
    Free(Kind),
    /// Any, of any type.
    Open,
}

/// What may be named in one kind of expression.
#[derive(Debug)]
pub struct Vocabulary {
    /// Whose expressions these are, in the plural: for messages.
    pub readers: &'static str,
    /// The names at the top, in groups.
    pub names: &'static [&'static [Name]],
    /// The name of the whole document as it was sent, where an older way of writing names it.
    pub whole: Option<Whole>,
    /// Members that nothing may read, wherever they are: who somebody is, and what must not matter.
    pub out_of_reach: &'static [&'static str],
    /// How large a document is at most.
    pub sizes: Scope,
}

/// The older way of writing: the document as it was sent, under one name.
#[derive(Debug)]
pub struct Whole {
    /// The name.
    pub name: &'static str,
    /// Paths below it, and what to write in their place.
    pub now: &'static [(&'static str, &'static str)],
}

impl Type {
    /// The type of a member; `None` where there is no such member.
    pub(crate) fn member(self, name: &str) -> Option<Self> {
        match self {
            Self::Map(Shape::Named(names)) => names.iter().find(|(known, _)| *known == name).map(|(_, of)| *of),
            Self::Map(Shape::Free(kind)) => Some(Self::Known(*kind)),
            Self::Map(Shape::Open) | Self::Open => Some(Self::Open),
            Self::List(_) | Self::Known(_) | Self::NoTruth => None,
        }
    }

    /// The type of an element of a list, or of a key of a map.
    pub(crate) fn element(self) -> Self {
        match self {
            Self::List(shape @ Shape::Named(_)) => Self::Map(shape),
            _ => Self::Open,
        }
    }
}

impl Vocabulary {
    /// The type of a dotted name; `None` where it is not one.
    pub fn type_of(&self, path: &[&str]) -> Option<Type> {
        let (first, rest) = path.split_first()?;
        let top = || self.names.iter().flat_map(|group| group.iter());
        let root = match &self.whole {
            Some(whole) if whole.name == *first => Type::Map(&Shape::Open),
            _ => top().find(|(name, _)| name == first)?.1,
        };
        rest.iter().try_fold(root, |of, name| of.member(name))
    }

    /// Whether a dotted name is a single value.
    pub fn is_value(&self, path: &[&str]) -> bool {
        matches!(self.type_of(path), Some(Type::Known(_)))
    }

    /// Every dotted name that is a single value of its own, with its type.
    pub fn values(&self) -> Vec<(String, Kind)> {
        let named = self.all().into_iter();
        named.filter_map(|(name, of)| if let Type::Known(kind) = of { Some((name, kind)) } else { None }).collect()
    }

    /// Every dotted name.
    pub fn all(&self) -> Vec<(String, Type)> {
        let mut found = Vec::new();
        self.names.iter().for_each(|group| list(group, "", &mut found));
        found
    }

    /// The known name that is most like one that is not known.
    pub(crate) fn nearest(&self, unknown: &str) -> Option<String> {
        nearest(unknown, self.all().into_iter().map(|(name, _)| name))
    }
}

fn list(names: &[Name], before: &str, into: &mut Vec<(String, Type)>) {
    for (name, of) in names {
        let name = format!("{before}{name}");
        if let Type::Map(Shape::Named(members)) = of {
            list(members, &format!("{name}."), into);
        }
        into.push((name, *of));
    }
}

/// The known name that is most like another, if one is: it ends as that one does, or few letters tell them apart.
pub fn nearest(unknown: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let letters = unknown.chars().count();
    if letters < 3 {
        return None;
    }
    let far = (letters / 3 + 1).min(4);
    let apart = |name: &str| match name.len().abs_diff(unknown.len()) > far {
        true => usize::MAX - 1,
        false => letters_apart(name, unknown),
    };
    let distance = |name: &String| match last(name) == last(unknown) {
        true => 1,
        false => apart(name).min(1 + apart(&last(name))),
    };
    let near = known.map(|name| (distance(&name), name)).filter(|(apart, _)| *apart <= far);
    near.min().map(|(_, name)| name)
}

/// How many letters must be put in, taken out or changed to make one text the other.
fn letters_apart(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, letter) in left.chars().take(64).enumerate() {
        let mut before = row[0];
        row[0] = at + 1;
        for (column, other) in right.iter().enumerate() {
            let changed = before + usize::from(letter != *other);
            before = row[column + 1];
            row[column + 1] = changed.min(before + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::sizes::Container;

    static STATED: Shape = Shape::Named(&[("status", Type::Known(Kind::Text)), ("months", Type::Known(Kind::Int))]);
    static DEBT: Shape = Shape::Named(&[("kind", Type::Known(Kind::Text)), ("monthly", Type::Known(Kind::Double))]);
    static FACTS: Shape = Shape::Named(&[
        ("adult", Type::Known(Kind::Bool)),
        ("employment", Type::Map(&STATED)),
        ("income", Type::List(&Shape::Open)),
    ]);

    /// A small vocabulary with everything that one can have.
    pub(crate) static SMALL: Vocabulary = Vocabulary {
        readers: "tests",
        names: &[
            &[("score", Type::Known(Kind::Int)), ("pd", Type::Known(Kind::Double)), ("band", Type::Known(Kind::Text))],
            &[
                ("facts", Type::Map(&FACTS)),
                ("features", Type::Map(&Shape::Free(Kind::Double))),
                ("attributes", Type::Map(&Shape::Open)),
                ("reports", Type::List(&Shape::Open)),
                ("debts", Type::List(&DEBT)),
            ],
        ],
        whole: Some(Whole { name: "data", now: &[("applicants[0].facts", "facts"), ("attributes", "attributes")] }),
        out_of_reach: &["identity", "protected"],
        sizes: Scope {
            containers: &[Container { name: "debts", len: 256, item: 24, weight: 6_144 }],
            other: Container { name: "", len: 16, item: 4, weight: 32 },
            text: 256,
            built: &[],
            is_scalar: |path| SMALL.is_value(path),
        },
    };

    #[test]
    fn names_lead_to_types() {
        let rows = [
            ("score", "Known(Int)"),
            ("facts.employment.months", "Known(Int)"),
            ("facts.employment", "Map"),
            ("facts.income", "List"),
            ("features.anything", "Known(Double)"),
            ("attributes.a.b.c", "Open"),
            ("data.applicants", "Open"),
            ("score.value", "None"),
            ("facts.age", "None"),
            ("facts.income.amount", "None"),
            ("nothing", "None"),
        ];
        for (name, expected) in rows {
            let path: Vec<&str> = name.split('.').collect();
            let found = SMALL.type_of(&path).map_or("None".to_owned(), |of| format!("{of:?}"));
            assert!(found.starts_with(expected), "{name}: {found}");
            assert_eq!(SMALL.is_value(&path), expected.starts_with("Known"), "{name}");
        }
        assert_eq!(SMALL.values().len(), 6);
    }

    #[test]
    fn the_nearest_name_is_offered_and_nothing_far_away() {
        let rows = [
            ("scor", Some("score")),
            ("facts.adutl", Some("facts.adult")),
            ("months", Some("facts.employment.months")),
            ("applicant.employment.status", Some("facts.employment.status")),
            ("report", Some("reports")),
            ("debt", Some("debts")),
            ("applicant_sex", None),
            ("lateness", None),
            ("x", None),
        ];
        for (unknown, expected) in rows {
            assert_eq!(SMALL.nearest(unknown).as_deref(), expected, "{unknown}");
        }
        assert_eq!(letters_apart("kitten", "sitting"), 3);
        assert_eq!(letters_apart("", "abc"), 3);
    }
}
