//! What the models of each product read of `attributes`, and what a value must be for them to read it. The contract leaves names
//! there free, so that feature contracts say them. What becomes of a value that nobody reads is the workers' affair.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The greatest whole number that every JSON reader holds exactly, and the most minor units of an amount.
const MAX_WHOLE: i64 = (1 << 53) - 1;

/// What a value must be. Null is none of it: it says that nobody knows.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// Anything.
    Any,
    /// A text.
    Text,
    /// True or false.
    Boolean,
    /// A number in its range; what lies outside is read as the nearest bound.
    Number(Range),
    /// Likewise, without a fraction.
    Whole(Range),
    /// One of these words.
    Words(BTreeSet<String>),
    /// An amount in one of these currencies, with its least and greatest minor units.
    Money {
        /// ISO 4217.
        currencies: BTreeSet<String>,
        /// Minor units, both ends included.
        minor: (i64, i64),
    },
    /// An object with such members, of which any may be absent, and others may be there.
    Members(BTreeMap<String, Form>),
}

/// Both ends are included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Minus infinity where there is none.
    pub low: f64,
    /// Infinity where there is none.
    pub high: f64,
}

/// Why a model cannot read a value as it was sent, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misfit {
    /// It is read as the nearest bound.
    OutOfRange,
    /// A word, or a currency, that no model knows.
    UnknownWord,
    /// Of another JSON type.
    WrongType,
}

/// A value as it was sent.
pub trait Sent {
    /// Its JSON type, with what is judged of it.
    fn shape(&self) -> Shape<'_>;
    /// A member of an object.
    fn member(&self, name: &str) -> Option<&Self>;
}

/// The JSON type of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub enum Shape<'a> {
    Null,
    Boolean,
    /// However it was written: `1.0` is one.
    Whole(i64),
    /// With a fraction, or beyond what a whole number may be.
    Number(f64),
    Text(&'a str),
    List,
    Object,
}

impl Range {
    /// Every number.
    pub const ALL: Self = Self { low: f64::NEG_INFINITY, high: f64::INFINITY };

    fn holds(self, number: f64) -> bool {
        (self.low..=self.high).contains(&number)
    }

    fn hull(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// What both hold; this one where they have nothing in common.
    fn common(self, other: Self) -> Self {
        let both = Self { low: self.low.max(other.low), high: self.high.min(other.high) };
        if both.low <= both.high { both } else { self }
    }
}

impl Form {
    /// An amount of which `scale` times the minor units lie in a range.
    pub fn money(currency: &str, scale: f64, range: Range) -> Self {
        let inside = |minor: i64| range.holds(minor as f64 * scale);
        let end = |bound: f64, outwards: i64| {
            let most = MAX_WHOLE as f64;
            let guess = (bound / scale).round().clamp(-most, most) as i64;
            // The quotient may lie beside the last amount whose product is inside.
            let near = [guess + outwards, guess, guess - outwards];
            near.into_iter().find(|minor| inside(*minor)).unwrap_or(guess).clamp(-MAX_WHOLE, MAX_WHOLE)
        };
        Self::Money { currencies: [currency.to_owned()].into(), minor: (end(range.low, -1), end(range.high, 1)) }
    }

    /// Why a value does not fit; none where it does, or is null.
    pub fn misfit<S: Sent>(&self, value: &S) -> Option<Misfit> {
        let unless = |fits: bool, why: Misfit| (!fits).then_some(why);
        match (self, value.shape()) {
            (Self::Any, _) | (_, Shape::Null) => None,
            (Self::Text, Shape::Text(_)) | (Self::Boolean, Shape::Boolean) => None,
            (Self::Number(range) | Self::Whole(range), Shape::Whole(number)) => {
                unless(range.holds(number as f64), Misfit::OutOfRange)
            }
            (Self::Number(range), Shape::Number(number)) => unless(range.holds(number), Misfit::OutOfRange),
            (Self::Words(words), Shape::Text(text)) => unless(words.contains(text), Misfit::UnknownWord),
            (Self::Money { currencies, minor }, Shape::Object) => {
                match ["currency", "amount_minor"].map(|name| value.member(name).map(Sent::shape)) {
                    [Some(Shape::Text(code)), Some(Shape::Whole(amount))] => {
                        let is_known = unless(currencies.contains(code), Misfit::UnknownWord);
                        is_known.or(unless((minor.0..=minor.1).contains(&amount), Misfit::OutOfRange))
                    }
                    _ => Some(Misfit::WrongType),
                }
            }
            (Self::Members(members), Shape::Object) => {
                members.iter().filter_map(|(name, form)| form.misfit(value.member(name)?)).max()
            }
            _ => Some(Misfit::WrongType),
        }
    }

    /// What fits both, for features of one model; this one where nothing does.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, form) | (form, Self::Any) => form,
            (Self::Number(one), Self::Number(other)) => Self::Number(one.common(other)),
            (Self::Whole(one), Self::Number(other) | Self::Whole(other)) | (Self::Number(other), Self::Whole(one)) => {
                Self::Whole(one.common(other))
            }
            (Self::Words(one), Self::Words(other)) if !one.is_disjoint(&other) => {
                Self::Words(one.intersection(&other).cloned().collect())
            }
            (Self::Words(words), Self::Text) | (Self::Text, Self::Words(words)) => Self::Words(words),
            (money @ Self::Money { .. }, Self::Members(_)) | (Self::Members(_), money @ Self::Money { .. }) => money,
            (Self::Members(mut one), Self::Members(other)) => {
                for (name, form) in other {
                    let form = match one.remove(&name) {
                        Some(known) => known.and(form),
                        None => form,
                    };
                    one.insert(name, form);
                }
                Self::Members(one)
            }
            (form, _) => form,
        }
    }

    /// What fits either, for models beside one another; none where they are of two kinds.
    fn or(&self, other: &Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Any, _) | (_, Self::Any) => Self::Any,
            (Self::Number(one), Self::Number(other) | Self::Whole(other)) | (Self::Whole(other), Self::Number(one)) => {
                Self::Number(one.hull(*other))
            }
            (Self::Whole(one), Self::Whole(other)) => Self::Whole(one.hull(*other)),
            (Self::Words(one), Self::Words(other)) => Self::Words(one.union(other).cloned().collect()),
            (Self::Text, Self::Words(_) | Self::Text) | (Self::Words(_), Self::Text) => Self::Text,
            (Self::Boolean, Self::Boolean) => Self::Boolean,
            (Self::Money { currencies, minor }, Self::Money { currencies: others, minor: other }) => Self::Money {
                currencies: currencies.union(others).cloned().collect(),
                minor: (minor.0.min(other.0), minor.1.max(other.1)),
            },
            (Self::Members(one), Self::Members(other)) => {
                let shared = one.iter().filter_map(|(name, form)| Some((name.clone(), form.or(other.get(name)?)?)));
                Self::Members(shared.collect())
            }
            _ => return None,
        })
    }
}

/// A member of `attributes` that is read, or that a contract names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attribute {
    /// A value must have one of them; no two are of one kind.
    forms: Vec<Form>,
    /// What contracts say that it is, and its units.
    pub about: BTreeSet<String>,
    /// The features that are made of it.
    pub features: BTreeSet<String>,
}

impl Attribute {
    /// Of one form.
    pub fn of(form: Form) -> Self {
        Self { forms: vec![form], ..Self::default() }
    }

    /// With what contracts say of it, and the features that are made of it.
    pub fn saying(self, about: BTreeSet<String>, features: BTreeSet<String>) -> Self {
        Self { about, features, ..self }
    }

    /// What a value may be.
    pub fn forms(&self) -> &[Form] {
        &self.forms
    }

    /// Why no model reads a value as it was sent; of several models the mildest.
    pub fn misfit<S: Sent>(&self, value: &S) -> Option<Misfit> {
        match self.forms.as_slice() {
            [form] => form.misfit(value),
            forms => forms.iter().map(|form| form.misfit(value)).min().flatten(),
        }
    }

    fn told(&mut self, other: &Self) {
        self.about.extend(other.about.iter().cloned());
        self.features.extend(other.features.iter().cloned());
    }
}

/// The members of `attributes` that some models read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes {
    by_name: HashMap<String, Attribute>,
    /// One of them looks at all members, or cannot be known: then nobody can tell what is not read.
    pub is_open: bool,
}

impl Attributes {
    /// A member by its name.
    pub fn get(&self, name: &str) -> Option<&Attribute> {
        self.by_name.get(name)
    }

    /// Every name, in order.
    pub fn names(&self) -> BTreeMap<&str, &Attribute> {
        self.by_name.iter().map(|(name, attribute)| (name.as_str(), attribute)).collect()
    }

    /// One more feature of the same model reads a member.
    pub fn and(&mut self, name: &str, attribute: Attribute) {
        let Some(known) = self.by_name.get_mut(name) else {
            self.by_name.insert(name.to_owned(), attribute);
            return;
        };
        known.told(&attribute);
        let forms = std::mem::take(&mut known.forms).into_iter().chain(attribute.forms);
        known.forms = forms.reduce(Form::and).into_iter().collect();
    }

    /// Another model may decide on the same applications: what either reads is read.
    pub fn or(&mut self, other: &Self) {
        self.is_open |= other.is_open;
        for (name, attribute) in &other.by_name {
            let Some(known) = self.by_name.get_mut(name) else {
                self.by_name.insert(name.clone(), attribute.clone());
                continue;
            };
            known.told(attribute);
            for form in &attribute.forms {
                let joined = known.forms.iter_mut().any(|one| one.or(form).map(|both| *one = both).is_some());
                if !joined {
                    known.forms.push(form.clone());
                }
            }
        }
    }

    /// What decides nothing, such as a shadow, reads too: it adds names, and changes none that is known.
    pub fn also(&mut self, other: &Self) {
        self.is_open |= other.is_open;
        for (name, attribute) in &other.by_name {
            self.by_name.entry(name.clone()).or_insert_with(|| attribute.clone());
        }
    }
}

/// What the models of each product read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProductAttributes {
    products: BTreeMap<String, Of>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Of {
    all: Option<Attributes>,
    tenants: BTreeMap<String, Attributes>,
}

impl ProductAttributes {
    /// Sets what is read of a product's applications: of those of one tenant, or of all that have nothing of their own.
    pub fn set(&mut self, product: &str, tenant: Option<&str>, attributes: Attributes) {
        let of = self.products.entry(product.to_owned()).or_default();
        match tenant {
            Some(tenant) => drop(of.tenants.insert(tenant.to_owned(), attributes)),
            None => of.all = Some(attributes),
        }
    }

    /// What is read of a tenant's applications for a product; none where nobody knows.
    pub fn of(&self, product: &str, tenant: &str) -> Option<&Attributes> {
        let of = self.products.get(product)?;
        of.tenants.get(tenant).or(of.all.as_ref())
    }

    /// What is read of everybody's applications, by product: what one tenant's own models read is nobody else's affair.
    pub fn of_everybody(&self) -> impl Iterator<Item = (&str, &Attributes)> {
        self.products.iter().filter_map(|(product, of)| Some((product.as_str(), of.all.as_ref()?)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use Misfit::{OutOfRange, UnknownWord, WrongType};

    /// A value of a test.
    enum V {
        Null,
        Bool,
        Int(i64),
        Float(f64),
        Text(&'static str),
        List,
        Map(Vec<(&'static str, V)>),
    }

    impl Sent for V {
        fn shape(&self) -> Shape<'_> {
            match self {
                Self::Null => Shape::Null,
                Self::Bool => Shape::Boolean,
                Self::Int(n) => Shape::Whole(*n),
                Self::Float(n) => Shape::Number(*n),
                Self::Text(text) => Shape::Text(text),
                Self::List => Shape::List,
                Self::Map(_) => Shape::Object,
            }
        }

        fn member(&self, name: &str) -> Option<&Self> {
            let Self::Map(members) = self else { return None };
            members.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
        }
    }

    fn words(of: &[&str]) -> Form {
        Form::Words(of.iter().map(|word| (*word).to_owned()).collect())
    }

    fn range(low: f64, high: f64) -> Range {
        Range { low, high }
    }

    fn twd(amount: V) -> V {
        V::Map(vec![("amount_minor", amount), ("currency", V::Text("TWD"))])
    }

    #[test]
    fn a_value_fits_or_is_told_why_not() {
        let whole = || Form::Whole(range(-2.0, 9.0));
        let money = || Form::money("TWD", 0.01, range(-10.0, 10.0));
        let members = || Form::Members([("amount_minor".to_owned(), Form::Number(Range::ALL))].into());
        let rows = [
            (Form::Any, V::List, None),
            (Form::Text, V::Text("x"), None),
            (Form::Text, V::Int(1), Some(WrongType)),
            (Form::Boolean, V::Bool, None),
            (Form::Boolean, V::Text("yes"), Some(WrongType)),
            (whole(), V::Int(9), None),
            (whole(), V::Int(10), Some(OutOfRange)),
            (whole(), V::Float(1.5), Some(WrongType)),
            (whole(), V::Text("1"), Some(WrongType)),
            (whole(), V::Null, None),
            (Form::Number(range(0.0, 1.0)), V::Float(0.5), None),
            (Form::Number(range(0.0, 1.0)), V::Float(1.5), Some(OutOfRange)),
            (words(&["a", "b"]), V::Text("b"), None),
            (words(&["a", "b"]), V::Text("B"), Some(UnknownWord)),
            (words(&["a"]), V::Bool, Some(WrongType)),
            (money(), twd(V::Int(1000)), None),
            (money(), twd(V::Int(1001)), Some(OutOfRange)),
            (money(), twd(V::Float(0.5)), Some(WrongType)),
            (money(), V::Map(vec![("amount_minor", V::Int(1)), ("currency", V::Text("USD"))]), Some(UnknownWord)),
            (money(), V::Map(vec![("amount_minor", V::Int(1))]), Some(WrongType)),
            (money(), V::Int(1), Some(WrongType)),
            (members(), twd(V::Int(1)), None),
            (members(), V::Map(vec![]), None),
            (members(), V::Map(vec![("amount_minor", V::Text("1"))]), Some(WrongType)),
            (members(), V::Int(1), Some(WrongType)),
        ];
        for (at, (form, value, expected)) in rows.into_iter().enumerate() {
            assert_eq!(form.misfit(&value), expected, "row {at}: {form:?}");
        }
    }

    #[test]
    fn the_bounds_of_an_amount_are_those_that_the_scale_makes() {
        for (scale, low, high) in
            [(0.01, -10_000_000.0, 10_000_000.0), (0.01, 0.0, 0.07), (1.0, -5.0, 7.5), (0.3, 0.0, 1.0)]
        {
            let Form::Money { minor, .. } = Form::money("USD", scale, range(low, high)) else { panic!("an amount") };
            let inside = |minor: i64| (low..=high).contains(&(minor as f64 * scale));
            assert!(inside(minor.0) && inside(minor.1), "{scale} {minor:?}");
            assert!(!inside(minor.0 - 1) && !inside(minor.1 + 1), "{scale} {minor:?}");
        }
        let Form::Money { minor, .. } = Form::money("USD", 0.01, Range::ALL) else { panic!("an amount") };
        assert_eq!(minor, (-MAX_WHOLE, MAX_WHOLE));
    }

    /// What one model reads, by features.
    fn model(features: &[(&str, &str, Form)]) -> Attributes {
        let mut all = Attributes::default();
        for (feature, name, form) in features {
            let features = [(*feature).to_owned()].into();
            all.and(name, Attribute { features, ..Attribute::of(form.clone()) });
        }
        all
    }

    #[test]
    fn all_features_of_a_model_must_read_it_and_any_model_may() {
        let number = || Form::Number(Range::ALL);
        let one =
            model(&[("f", "a", Form::Whole(range(-2.0, 9.0))), ("g", "a", number()), ("h", "w", words(&["x", "y"]))]);
        assert_eq!(one.get("a").unwrap().forms(), [Form::Whole(range(-2.0, 9.0))]);
        assert_eq!(one.get("a").unwrap().features, ["f".to_owned(), "g".to_owned()].into());
        let mut both = one.clone();
        both.or(&model(&[("k", "w", words(&["z"])), ("l", "a", Form::Text), ("m", "n", number())]));
        assert_eq!(both.get("w").unwrap().forms(), [words(&["x", "y", "z"])]);
        assert_eq!(both.get("a").unwrap().forms().len(), 2, "one takes a number, the other a text");
        assert_eq!(both.get("a").unwrap().misfit(&V::Text("x")), None);
        assert_eq!(both.get("a").unwrap().misfit(&V::Int(10)), Some(OutOfRange), "the mildest is told");
        assert_eq!(both.get("a").unwrap().misfit(&V::List), Some(WrongType));
        let mut with_shadow = one;
        with_shadow.also(&model(&[("s", "w", words(&["z"])), ("s", "extra", Form::Text)]));
        assert_eq!(with_shadow.get("w").unwrap().misfit(&V::Text("z")), Some(UnknownWord), "a shadow decides nothing");
        assert_eq!(with_shadow.names().into_keys().collect::<Vec<_>>(), ["a", "extra", "w"]);
    }

    #[test]
    fn money_and_members_of_one_amount_are_one_form() {
        let money = Form::money("TWD", 1.0, Range::ALL);
        let member = |form: Form| Form::Members([("amount_minor".to_owned(), form)].into());
        let read = model(&[("f", "a", member(Form::Number(Range::ALL))), ("g", "a", money.clone())]);
        assert_eq!(read.get("a").unwrap().forms(), [money]);
        let read = model(&[("f", "a", member(Form::Any)), ("g", "a", member(Form::Boolean))]);
        assert_eq!(read.get("a").unwrap().forms(), [member(Form::Boolean)]);
    }

    #[test]
    fn a_tenants_own_models_are_its_own_affair() {
        let mut all = ProductAttributes::default();
        all.set("loan", None, model(&[("f", "a", Form::Text)]));
        all.set("loan", Some("bank-a"), model(&[("f", "a", Form::Text), ("f", "b", Form::Text)]));
        all.set("card", Some("bank-a"), model(&[("f", "c", Form::Text)]));
        let reads = |product: &str, tenant: &str, name: &str| all.of(product, tenant).map(|of| of.get(name).is_some());
        assert_eq!((reads("loan", "bank-a", "b"), reads("loan", "bank-b", "b")), (Some(true), Some(false)));
        assert_eq!((reads("card", "bank-b", "c"), reads("car", "bank-a", "c")), (None, None), "nobody knows");
        assert_eq!(all.of_everybody().map(|(product, _)| product).collect::<Vec<_>>(), ["loan"]);
    }
}
