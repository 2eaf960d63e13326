//! What conditions may name, with its type and where it stands in the score event. The one table behind native evaluation,
//! CEL's variables and the type check. Reads only what was published and quantised; never computes.

use domain::FeatureFlag;
use schemas::Word;
use schemas::application::Facts;
use schemas::risk::RiskEvent;

/// The type of a variable.
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

/// A value as conditions see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// `bool`
    Bool(bool),
    /// `int`
    Int(i64),
    /// `double`
    Double(f64),
    /// `string`
    Text(&'a str),
}

/// A scalar of the event itself.
pub struct Scalar {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its value; `None` where the event has none.
    pub get: for<'a> fn(&'a RiskEvent) -> Option<Value<'a>>,
}

/// A typed fact of the primary applicant.
pub struct Fact {
    /// Its group, such as `employment`; empty at the top.
    pub group: &'static str,
    /// Its name in the group.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its value; `None` where it was not asked or is not known.
    pub get: for<'a> fn(&'a Facts) -> Option<Value<'a>>,
}

/// A variable that a condition names.
#[derive(Clone)]
pub enum Var {
    /// A scalar.
    Scalar(&'static Scalar),
    /// `facts.…`
    Fact(&'static Fact),
    /// `features.NAME`
    Feature(String),
}

fn text(value: &str) -> Option<Value<'_>> {
    Some(Value::Text(value))
}

/// Every scalar.
pub static SCALARS: &[Scalar] = &[
    Scalar { name: "product", kind: Kind::Text, get: |e| text(&e.product) },
    Scalar { name: "intent", kind: Kind::Text, get: |e| text(e.intent.as_str()) },
    Scalar { name: "request_type", kind: Kind::Text, get: |e| text(e.request_type.as_str()) },
    Scalar { name: "channel", kind: Kind::Text, get: |e| text(&e.channel) },
    Scalar { name: "jurisdiction", kind: Kind::Text, get: |e| text(&e.jurisdiction) },
    Scalar { name: "amount_minor", kind: Kind::Int, get: |e| Some(Value::Int(e.requested.amount.amount_minor)) },
    Scalar { name: "currency", kind: Kind::Text, get: |e| text(&e.requested.amount.currency) },
    Scalar {
        name: "term_months",
        kind: Kind::Int,
        get: |e| e.requested.term_months.map(|months| Value::Int(i64::from(months))),
    },
    Scalar { name: "purpose", kind: Kind::Text, get: |e| e.requested.purpose.as_deref().map(Value::Text) },
    Scalar { name: "pd", kind: Kind::Double, get: |e| e.score.as_ref().map(|s| Value::Double(s.pd)) },
    Scalar { name: "score", kind: Kind::Int, get: |e| e.score.as_ref().map(|s| Value::Int(i64::from(s.score))) },
    Scalar { name: "band", kind: Kind::Text, get: |e| e.score.as_ref().map(|s| Value::Text(&s.band)) },
    Scalar { name: "class", kind: Kind::Int, get: |e| e.score.as_ref().map(|s| Value::Int(i64::from(s.class))) },
];

/// The scalars that are the score in other words: a rule on them is a cutoff.
pub const SCORE_SCALARS: [&str; 4] = ["pd", "score", "band", "class"];

/// The groups of facts; each is always present as a map, empty where nothing is known.
pub const GROUPS: [&str; 5] = ["employment", "housing", "accounts", "obligations", "assets"];

/// The facts that are lists of maps, always present.
pub const LISTS: [&str; 2] = ["income", "debts"];

macro_rules! facts {
    ($($group:ident . $name:ident),+ $(,)?) => {
        [$(Fact {
            group: stringify!($group),
            name: stringify!($name),
            kind: Kind::Text,
            get: |f| f.$group.as_ref()?.$name.as_deref().map(Value::Text),
        }),+]
    };
}

static GROUPED: &[Fact] = &facts![
    employment.status,
    employment.tenure_band,
    employment.occupation,
    housing.status,
    housing.residence_band,
    accounts.checking_band,
    accounts.savings_band,
    obligations.credit_history,
    obligations.instalment_rate_band,
    obligations.other_instalment_plans,
    obligations.existing_credits_band,
    obligations.other_debtors,
    assets.most_valuable,
];

static PLAIN: &[Fact] = &[
    Fact { group: "", name: "of_legal_age", kind: Kind::Bool, get: |f| f.of_legal_age.map(Value::Bool) },
    Fact { group: "", name: "telephone", kind: Kind::Bool, get: |f| f.telephone.map(Value::Bool) },
    Fact { group: "", name: "dependants", kind: Kind::Int, get: |f| months(f.dependants) },
    Fact {
        group: "",
        name: "dependants_band",
        kind: Kind::Text,
        get: |f| f.dependants_band.as_deref().map(Value::Text),
    },
    Fact {
        group: "employment",
        name: "tenure_months",
        kind: Kind::Int,
        get: |f| months(f.employment.as_ref()?.tenure_months),
    },
    Fact {
        group: "housing",
        name: "residence_months",
        kind: Kind::Int,
        get: |f| months(f.housing.as_ref()?.residence_months),
    },
];

fn months<'a>(count: Option<u32>) -> Option<Value<'a>> {
    count.map(|count| Value::Int(i64::from(count)))
}

/// Every scalar fact.
pub fn facts() -> impl Iterator<Item = &'static Fact> {
    PLAIN.iter().chain(GROUPED)
}

impl Var {
    /// The variable of a dotted name; `None` when the name is a map, a list or unknown.
    pub fn of_path(path: &[&str]) -> Option<Self> {
        match path {
            [name] => SCALARS.iter().find(|scalar| scalar.name == *name).map(Self::Scalar),
            ["features", name] => Some(Self::Feature((*name).to_owned())),
            ["facts", name] => facts().find(|fact| fact.group.is_empty() && fact.name == *name).map(Self::Fact),
            ["facts", group, name] => facts().find(|fact| fact.group == *group && fact.name == *name).map(Self::Fact),
            _ => None,
        }
    }

    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Scalar(scalar) => scalar.kind,
            Self::Fact(fact) => fact.kind,
            Self::Feature(_) => Kind::Double,
        }
    }

    /// Its value; `None` where the event has none.
    pub fn get<'a>(&self, event: &'a RiskEvent) -> Option<Value<'a>> {
        match self {
            Self::Scalar(scalar) => (scalar.get)(event),
            Self::Fact(fact) => (fact.get)(&event.facts),
            Self::Feature(name) => feature(event, name).map(Value::Double),
        }
    }

    /// Whether it is the score in other words.
    pub fn is_score(&self) -> bool {
        matches!(self, Self::Scalar(scalar) if SCORE_SCALARS.contains(&scalar.name))
    }
}

/// The value of a feature that the model used; one that was missing or of an unknown category has none.
pub fn feature(event: &RiskEvent, name: &str) -> Option<f64> {
    let used = event.features.iter().find(|feature| feature.name == name)?;
    is_known(used.flag.as_ref()).then(|| f64::from(used.value))
}

/// Whether a feature with that flag has a value of its own; unknown flags are read as none.
pub fn is_known(flag: Option<&Word<FeatureFlag>>) -> bool {
    flag.is_none_or(|flag| flag.is(FeatureFlag::Clamped))
}

impl Value<'_> {
    /// As it is recorded in a decision. A double that was a single-precision feature is written as such.
    pub fn to_text(self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Double(value) if f64::from(value as f32) == value => (value as f32).to_string(),
            Self::Double(value) => value.to_string(),
            Self::Text(value) => value.to_owned(),
        }
    }
}

impl std::fmt::Debug for Var {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Scalar(scalar) => f.write_str(scalar.name),
            Self::Fact(fact) if fact.group.is_empty() => write!(f, "facts.{}", fact.name),
            Self::Fact(fact) => write!(f, "facts.{}.{}", fact.group, fact.name),
            Self::Feature(name) => write!(f, "features.{name}"),
        }
    }
}
