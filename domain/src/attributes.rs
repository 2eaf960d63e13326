//! What the models of each product read of an application, above all of `attributes`, and what a value must be for them to read it. The
//! contract leaves names there free, so that feature contracts say them. What becomes of a value that nobody reads is the workers' affair.

mod form;

pub use form::{Form, Misfit, Range, Sent, Shape, Unfit};

use std::collections::{BTreeMap, BTreeSet, HashMap};

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

    /// Why no model reads a value as it was sent, and where; of several models the mildest.
    pub fn misfit<S: Sent>(&self, value: &S) -> Option<Unfit<'_>> {
        let mut mildest: Option<Unfit<'_>> = None;
        for form in &self.forms {
            let unfit = form.misfit(value)?;
            if mildest.as_ref().is_none_or(|known| unfit.why < known.why) {
                mildest = Some(unfit);
            }
        }
        mildest
    }

    fn told(&mut self, other: &Self) {
        self.about.extend(other.about.iter().cloned());
        self.features.extend(other.features.iter().cloned());
    }
}

/// What some models read: the members of `attributes`, and whatever else of an application.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes {
    by_name: Named,
    elsewhere: Named,
    amounts: BTreeSet<Vec<String>>,
    /// ISO 4217 codes of the currencies that the product is lent in, where that is known; none where it takes any.
    pub currencies: Vec<String>,
    /// One of them looks at all members, or cannot be known: then nobody can tell what is not read.
    pub is_open: bool,
}

type Named = HashMap<String, Attribute>;

impl Attributes {
    /// A member by its name.
    pub fn get(&self, name: &str) -> Option<&Attribute> {
        self.by_name.get(name)
    }

    /// Every name, in order.
    pub fn names(&self) -> BTreeMap<&str, &Attribute> {
        in_order(&self.by_name)
    }

    /// What is read beside `attributes`, in order: by JSON pointer (RFC 6901) into an application.
    pub fn elsewhere(&self) -> BTreeMap<&str, &Attribute> {
        in_order(&self.elsewhere)
    }

    /// The same in no order.
    pub fn each_elsewhere(&self) -> impl Iterator<Item = (&str, &Attribute)> {
        self.elsewhere.iter().map(|(pointer, attribute)| (pointer.as_str(), attribute))
    }

    /// Objects of which something that decides reads `amount_minor` and not `currency`: names below `attributes`, the outermost first.
    pub fn amounts(&self) -> &BTreeSet<Vec<String>> {
        &self.amounts
    }

    /// One more feature of the same model reads a member.
    pub fn and(&mut self, name: &str, attribute: Attribute) {
        and(&mut self.by_name, name, attribute);
    }

    /// The same of what stands beside `attributes`.
    pub fn and_elsewhere(&mut self, pointer: &str, attribute: Attribute) {
        and(&mut self.elsewhere, pointer, attribute);
    }

    /// Something reads the minor units of an amount below `attributes`, whatever its currency.
    pub fn and_amount(&mut self, path: Vec<String>) {
        self.amounts.insert(path);
    }

    /// Another model may decide on the same applications: what either reads is read.
    pub fn or(&mut self, other: &Self) {
        self.is_open |= other.is_open;
        or(&mut self.by_name, &other.by_name);
        or(&mut self.elsewhere, &other.elsewhere);
        self.amounts_of(other);
    }

    /// What decides nothing, such as a shadow, reads too: it adds names, and changes none that is known.
    pub fn also(&mut self, other: &Self) {
        self.is_open |= other.is_open;
        also(&mut self.by_name, &other.by_name);
        also(&mut self.elsewhere, &other.elsewhere);
    }

    /// The amounts of something that takes part in a decision.
    pub fn amounts_of(&mut self, other: &Self) {
        self.amounts.extend(other.amounts.iter().cloned());
    }
}

fn in_order(named: &Named) -> BTreeMap<&str, &Attribute> {
    named.iter().map(|(name, attribute)| (name.as_str(), attribute)).collect()
}

fn and(named: &mut Named, name: &str, attribute: Attribute) {
    let Some(known) = named.get_mut(name) else {
        named.insert(name.to_owned(), attribute);
        return;
    };
    known.told(&attribute);
    let forms = std::mem::take(&mut known.forms).into_iter().chain(attribute.forms);
    known.forms = forms.reduce(Form::and).into_iter().collect();
}

fn or(named: &mut Named, others: &Named) {
    for (name, attribute) in others {
        let Some(known) = named.get_mut(name) else {
            named.insert(name.clone(), attribute.clone());
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

fn also(named: &mut Named, others: &Named) {
    for (name, attribute) in others {
        named.entry(name.clone()).or_insert_with(|| attribute.clone());
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

    /// Says in which currencies a product is lent; none where it takes any.
    pub fn lend(&mut self, product: &str, currencies: &[String]) {
        if let Some(of) = self.products.get_mut(product) {
            of.all.iter_mut().chain(of.tenants.values_mut()).for_each(|one| one.currencies = currencies.to_vec());
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
        Int(i64),
        Text(&'static str),
        List,
    }

    impl Sent for V {
        fn shape(&self) -> Shape<'_> {
            match self {
                Self::Int(n) => Shape::Whole(*n),
                Self::Text(text) => Shape::Text(text),
                Self::List => Shape::List,
            }
        }

        fn member(&self, _: &str) -> Option<&Self> {
            None
        }
    }

    fn why(of: &Attributes, name: &str, value: &V) -> Option<Misfit> {
        of.get(name).unwrap().misfit(value).map(|unfit| unfit.why)
    }

    fn words(of: &[&str]) -> Form {
        Form::Words(of.iter().map(|word| (*word).to_owned()).collect())
    }

    fn range(low: f64, high: f64) -> Range {
        Range { low, high }
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
        assert_eq!(why(&both, "a", &V::Text("x")), None);
        assert_eq!(why(&both, "a", &V::Int(10)), Some(OutOfRange), "the mildest is told");
        assert_eq!(why(&both, "a", &V::List), Some(WrongType));
        let mut with_shadow = one;
        with_shadow.also(&model(&[("s", "w", words(&["z"])), ("s", "extra", Form::Text)]));
        assert_eq!(why(&with_shadow, "w", &V::Text("z")), Some(UnknownWord), "a shadow decides nothing");
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

    #[test]
    fn what_decides_holds_the_currency_of_an_amount_and_a_shadow_does_not() {
        let amount = |name: &str| {
            let mut of = Attributes::default();
            of.and_amount(vec![name.to_owned()]);
            of.and_elsewhere(&format!("/{name}"), Attribute::of(Form::Text));
            of
        };
        let mut all = amount("champion");
        all.or(&amount("challenger"));
        all.also(&amount("shadow"));
        let held: Vec<&str> = all.amounts().iter().map(|path| path[0].as_str()).collect();
        assert_eq!(held, ["challenger", "champion"]);
        assert_eq!(all.elsewhere().into_keys().collect::<Vec<_>>(), ["/challenger", "/champion", "/shadow"]);
        let mut products = ProductAttributes::default();
        products.set("loan", None, all.clone());
        products.set("loan", Some("bank-a"), all);
        products.lend("loan", &["USD".to_owned()]);
        products.lend("boat", &["USD".to_owned()]);
        assert!(["bank-a", "bank-b"].iter().all(|tenant| products.of("loan", tenant).unwrap().currencies == ["USD"]));
    }
}
