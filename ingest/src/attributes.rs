//! PURE. What of an application no model reads as it was sent: in `attributes` a name that none knows, another type, a word of no list,
//! a number out of range, an amount in another currency; elsewhere a word. Tells place and kind, never the value. What is absent, or
//! null, is no finding: nobody has to ask everything.

use crate::amounts::{self, step};
use crate::expected;
use crate::refusal::{Fault, Reason};
use crate::rules::Rules;
use crate::strict::node::{push_step, unescaped};
use crate::strict::{Node, Object};
use domain::attributes::{Attribute, Attributes, Misfit, Sent, Shape, Unfit};
use schemas::attributes::property;
use schemas::reply::{Expected, Warning};
use serde_json::Value;

/// At most so many places of one application are told, and one of each kind beyond.
const MAX_TOLD: usize = 16;
/// For a longer name no known one is looked for, in bytes.
const MAX_COMPARED: usize = 64;

/// What may be wrong with what a model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No model of the product reads a member of that name.
    Unknown,
    /// Of another type than its readers take.
    WrongType,
    /// A word or a currency that no reader knows.
    UnknownWord,
    /// Read as the nearest bound.
    OutOfRange,
    /// Beside `attributes`: a word that the contract takes, and that no reader knows.
    UnknownElsewhere,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Unknown, Self::WrongType, Self::UnknownWord, Self::OutOfRange, Self::UnknownElsewhere];

    /// The word of replies and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => Reason::UnknownAttribute.as_str(),
            Self::WrongType => Reason::AttributeWrongType.as_str(),
            Self::UnknownWord => Reason::AttributeUnknownWord.as_str(),
            Self::OutOfRange => "attribute_out_of_range",
            Self::UnknownElsewhere => Reason::UnknownWord.as_str(),
        }
    }

    /// Why a strict tenant's application is refused for it: not for what is read, if only as its nearest bound, nor beside `attributes`,
    /// where the contract takes the word.
    fn reason(self) -> Option<Reason> {
        match self {
            Self::Unknown => Some(Reason::UnknownAttribute),
            Self::WrongType => Some(Reason::AttributeWrongType),
            Self::UnknownWord => Some(Reason::AttributeUnknownWord),
            Self::OutOfRange | Self::UnknownElsewhere => None,
        }
    }
}

impl From<Misfit> for Kind {
    fn from(misfit: Misfit) -> Self {
        match misfit {
            Misfit::OutOfRange => Self::OutOfRange,
            Misfit::UnknownWord => Self::UnknownWord,
            Misfit::WrongType => Self::WrongType,
        }
    }
}

/// What a sender is warned of in an application that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warnings {
    /// Its product.
    pub product: String,
    /// How many places of each kind, in the order of [`Kind::ALL`].
    pub counts: [u64; Kind::ALL.len()],
    /// The first of them.
    pub told: Vec<Warning>,
}

/// Something that no model reads as it was sent.
#[derive(Clone)]
struct Finding<'n> {
    kind: Kind,
    /// The name of an attribute, or a pointer to what stands elsewhere.
    place: Place<'n>,
    /// Names of members below, the outermost first.
    below: Vec<&'n str>,
}

#[derive(Clone, Copy)]
enum Place<'n> {
    Attribute(&'n str),
    Elsewhere(&'n str),
}

/// Looks at an application as the models of its product will: what refuses it, and what is only told. An amount in a currency that its
/// reader does not ask for refuses it for every tenant, anything else of `attributes` for a strict one.
pub(crate) fn look(rules: &Rules, tenant: &str, product: &str, data: &Node<'_>) -> (Vec<Fault>, Option<Box<Warnings>>) {
    let nothing = (Vec::new(), None);
    let published = rules.attributes.get();
    let Some(known) = published.attributes.of(product, tenant) else { return nothing };
    let sent = data.member("attributes").and_then(Node::as_map);
    let held = sent.map(|sent| amounts::foreign(rules.currencies_of(product), known, sent)).unwrap_or_default();
    // What a contract that is not known takes, nobody can tell.
    if known.is_open {
        return (held, None);
    }
    let attributes =
        sent.into_iter().flat_map(Object::members).filter_map(|(name, value)| of_attribute(known, name, value));
    let mut found: Vec<Finding<'_>> = attributes.collect();
    found.extend(elsewhere(known, data));
    if found.is_empty() {
        return (held, None);
    }
    let is_strict = rules.strict_attributes.contains(tenant);
    let (refused, warned): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|finding| is_strict && finding.kind.reason().is_some());
    let beside = some(&refused).filter_map(|finding| finding.fault(known)).filter(|fault| !is_told(&held, fault));
    let faults = held.iter().cloned().chain(beside).collect();
    let count = |kind: Kind| warned.iter().filter(|finding| finding.kind == kind).count() as u64;
    let told = some(&warned).map(|finding| finding.warning(known)).collect();
    let warnings = Warnings { product: product.to_owned(), counts: Kind::ALL.map(count), told };
    (faults, (!warned.is_empty()).then(|| Box::new(warnings)))
}

/// Whether a place is told already: a currency once.
fn is_told(told: &[Fault], fault: &Fault) -> bool {
    told.iter().any(|one| one.pointer == fault.pointer)
}

fn of_attribute<'n>(known: &'n Attributes, name: &'n str, value: &Node<'_>) -> Option<Finding<'n>> {
    let place = Place::Attribute(name);
    match known.get(name) {
        Some(attribute) => {
            attribute.misfit(value).map(|Unfit { why, below }| Finding { kind: why.into(), place, below })
        }
        None => Some(Finding { kind: Kind::Unknown, place, below: Vec::new() }),
    }
}

/// Words that the contract takes elsewhere, such as a purpose, and that no model of the product knows.
fn elsewhere<'n>(known: &'n Attributes, data: &Node<'_>) -> Vec<Finding<'n>> {
    let of = |(pointer, read): (&'n str, &'n Attribute)| {
        let value = pointer.split('/').skip(1).try_fold(data, |node, name| step(node, &unescaped(name)))?;
        let Unfit { why, below } = read.misfit(value)?;
        let place = Place::Elsewhere(pointer);
        (why == Misfit::UnknownWord).then_some(Finding { kind: Kind::UnknownElsewhere, place, below })
    };
    let mut found: Vec<_> = known.each_elsewhere().filter_map(of).collect();
    found.sort_by_cached_key(Finding::pointer);
    found
}

/// The first findings, and the first of each kind beyond.
fn some<'f, 'n>(found: &'f [Finding<'n>]) -> impl Iterator<Item = &'f Finding<'n>> {
    let is_first = |at: usize, kind: Kind| found[..at].iter().all(|before| before.kind != kind);
    let chosen = found.iter().enumerate().filter(move |(at, one)| *at < MAX_TOLD || is_first(*at, one.kind));
    chosen.map(|(_, one)| one)
}

impl Finding<'_> {
    /// None where it is no reason to refuse anything.
    fn fault(&self, known: &Attributes) -> Option<Fault> {
        let fault = Fault::new(self.kind.reason()?, self.pointer());
        let fault = match self.nearest(known) {
            Some(nearest) => fault.because(format!("the nearest name is {nearest}")),
            None => fault,
        };
        let names = || known.names().into_keys().map(str::to_owned).collect();
        let expected = self.expected(known).unwrap_or_else(|| Expected { names: names(), ..Expected::default() });
        Some(fault.expecting(expected))
    }

    fn warning(&self, known: &Attributes) -> Warning {
        let Fault { pointer, .. } = Fault::new(Reason::UnknownAttribute, self.pointer());
        let expected = self.expected(known).filter(|expected| *expected != Expected::default());
        Warning { kind: self.kind.as_str().to_owned(), pointer, nearest: self.nearest(known), expected }
    }

    fn pointer(&self) -> String {
        let mut pointer = match self.place {
            Place::Attribute(name) => {
                let mut pointer = "/attributes".to_owned();
                push_step(&mut pointer, name);
                pointer
            }
            Place::Elsewhere(pointer) => pointer.to_owned(),
        };
        self.below.iter().for_each(|step| push_step(&mut pointer, step));
        pointer
    }

    /// What the models take at the place; none where they know no such name.
    fn expected(&self, known: &Attributes) -> Option<Expected> {
        let elsewhere = known.elsewhere();
        let read = match self.place {
            Place::Attribute(name) => known.get(name)?,
            Place::Elsewhere(pointer) => elsewhere.get(pointer)?,
        };
        let whole = property(read);
        let forms = whole.get("anyOf").and_then(Value::as_array).map_or(std::slice::from_ref(&whole), Vec::as_slice);
        let at = |form: &'_ Value| {
            self.below.iter().try_fold(form.clone(), |of, step| of.get("properties")?.get(step).cloned())
        };
        let forms: Vec<Value> = forms.iter().filter_map(at).collect();
        Some(expected::any(&forms))
    }

    fn nearest(&self, known: &Attributes) -> Option<String> {
        let Place::Attribute(name) = self.place else { return None };
        (self.kind == Kind::Unknown).then(|| nearest(name, known.names().into_keys())).flatten().map(str::to_owned)
    }
}

/// The known name that is most like an unknown one, if one is; how words are joined tells none apart.
pub(crate) fn nearest<'k>(unknown: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let plain =
        |name: &str| name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    if unknown.len() > MAX_COMPARED {
        return None;
    }
    let sent = plain(unknown);
    let far = (sent.chars().count() / 3).max(1);
    let apart = |name: &&str| (strsim::osa_distance(&sent, &plain(name)), strsim::osa_distance(unknown, name));
    let (distance, name) = known.map(|name| (apart(&name), name)).min()?;
    (distance.0 <= far).then_some(name)
}

impl Sent for Node<'_> {
    fn shape(&self) -> Shape<'_> {
        match self {
            Node::Null => Shape::Null,
            Node::Bool(_) => Shape::Boolean,
            Node::Int(number) => Shape::Whole(*number),
            Node::Float(number) => Shape::Number(*number),
            Node::Text(text) => Shape::Text(text),
            Node::List(_) => Shape::List,
            Node::Map(_) => Shape::Object,
        }
    }

    fn member(&self, name: &str) -> Option<&Self> {
        self.as_map()?.get(name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::strict::parse;
    use domain::attributes::{Form, Range};
    use domain::{Attribute, ProductAttributes};
    use runtime::latest::Latest;
    use schemas::attributes::Published;

    fn known() -> Attributes {
        let mut known = Attributes::default();
        let rows = [
            ("payment_amount_1", Form::money("TWD", 1.0, Range::ALL)),
            ("payment_amount_2", Form::money("TWD", 1.0, Range::ALL)),
            ("late_months", Form::Whole(Range { low: 0.0, high: 6.0 })),
            ("stage", Form::Words(["new".to_owned(), "existing".to_owned()].into())),
        ];
        rows.into_iter().for_each(|(name, form)| known.and(name, Attribute::of(form)));
        known
    }

    fn rules(strict: &[&str], known: Attributes) -> Rules {
        let mut all = ProductAttributes::default();
        all.set("card", None, known);
        let strict_attributes = strict.iter().map(|tenant| (*tenant).to_owned()).collect();
        Rules::new(&Config { attributes: Latest::new(Published::new(all)), strict_attributes, ..Config::default() })
            .unwrap()
    }

    /// `word pointer nearest`, of what refuses and of what is told.
    fn told(rules: &Rules, attributes: &str) -> (Vec<String>, Vec<String>) {
        let text = format!("{{\"attributes\": {attributes}}}");
        let (faults, warnings) = look(rules, "demo", "card", &parse(text.as_bytes(), 9).unwrap());
        let line = |word: &str, pointer: &str, nearest: Option<&str>| {
            [Some(word), pointer.strip_prefix("/attributes/"), nearest]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" ")
        };
        let nearest = |remark: &'_ String| remark.strip_prefix("the nearest name is ").map(str::to_owned);
        let faults = faults.iter().map(|fault| {
            line(fault.reason.as_str(), &fault.pointer, fault.remark.as_ref().and_then(nearest).as_deref())
        });
        let warned = warnings.iter().flat_map(|warnings| &warnings.told);
        let warned = warned.map(|one| line(&one.kind, &one.pointer, one.nearest.as_deref()));
        (faults.collect(), warned.collect())
    }

    #[test]
    fn each_finding_has_its_word_its_place_and_the_name_that_was_meant() {
        let (lenient, strict) = (rules(&[], known()), rules(&["demo"], known()));
        // What is told of it, and whether a strict tenant's application is refused.
        let rows: [(&str, &[&str], bool); 12] = [
            ("{}", &[], false),
            (
                r#"{"late_months": 6, "stage": "new", "payment_amount_1": {"amount_minor": 1, "currency": "TWD"}}"#,
                &[],
                false,
            ),
            (r#"{"late_months": null, "stage": null, "payment_amount_2": null}"#, &[], false),
            (r#"{"payment_amount1": 5}"#, &["unknown_attribute payment_amount1 payment_amount_1"], true),
            (r#"{"paymentAmount2": 5}"#, &["unknown_attribute paymentAmount2 payment_amount_2"], true),
            (r#"{"PAYMENT-AMOUNT-1": 5}"#, &["unknown_attribute PAYMENT-AMOUNT-1 payment_amount_1"], true),
            (r#"{"shoe_size": 5}"#, &["unknown_attribute shoe_size"], true),
            (r#"{"a/b": 5}"#, &["unknown_attribute a~1b"], true),
            (r#"{"late_months": "two"}"#, &["attribute_wrong_type late_months"], true),
            (r#"{"stage": "closed"}"#, &["attribute_unknown_word stage"], true),
            (r#"{"late_months": 7}"#, &["attribute_out_of_range late_months"], false),
            (
                r#"{"payment_amount_1": {"amount_minor": 1, "currency": "USD"}}"#,
                &["attribute_unknown_word payment_amount_1/currency"],
                true,
            ),
        ];
        for (attributes, expected, refuses) in rows {
            assert_eq!(
                told(&lenient, attributes),
                (vec![], expected.iter().map(ToString::to_string).collect()),
                "{attributes}"
            );
            let (faults, warned) = told(&strict, attributes);
            let (of_strict, none) = if refuses { (faults, warned) } else { (warned, faults) };
            assert_eq!(
                (of_strict, none.len()),
                (expected.iter().map(ToString::to_string).collect(), 0),
                "{attributes}"
            );
        }
    }

    #[test]
    fn nothing_is_said_where_nobody_knows() {
        let sent = r#"{"shoe_size": 5, "stage": "closed"}"#;
        let none = Rules::new(&Config::default()).unwrap();
        assert_eq!(told(&none, sent), (vec![], vec![]), "no contract of the product is known");
        let mut open = known();
        open.is_open = true;
        let open = rules(&["demo"], open);
        assert_eq!(told(&open, sent), (vec![], vec![]), "a contract that is not known may read it");
    }

    #[test]
    fn of_very_many_findings_some_are_told_and_all_are_counted() {
        let many: Vec<String> = (0..300).map(|at| format!("\"a{at:03}\": 1")).collect();
        let text = format!("{{\"attributes\": {{{}, \"stage\": 7}}}}", many.join(","));
        let (faults, warnings) = look(&rules(&[], known()), "demo", "card", &parse(text.as_bytes(), 9).unwrap());
        let warnings = warnings.unwrap();
        assert_eq!((faults.len(), warnings.counts, warnings.told.len()), (0, [300, 1, 0, 0, 0], MAX_TOLD + 1));
        let (faults, warnings) = look(&rules(&["demo"], known()), "demo", "card", &parse(text.as_bytes(), 9).unwrap());
        assert_eq!((faults.len(), warnings), (MAX_TOLD + 1, None));
    }

    #[test]
    fn a_name_without_end_is_cut_and_compared_with_nothing() {
        let name = "x".repeat(5_000);
        let (_, warned) = told(&rules(&[], known()), &format!("{{\"{name}\": 1}}"));
        assert!(warned[0].len() < 300, "{}", warned[0].len());
    }

    #[test]
    fn a_word_that_no_model_knows_is_told_elsewhere_too() {
        let mut known = known();
        let words = Form::Words(["car".to_owned(), "boat".to_owned()].into());
        known.and_elsewhere("/requested/purpose", Attribute::of(words.clone()));
        known.and_elsewhere("/applicants/0/facts/housing/status", Attribute::of(words));
        known.and_elsewhere("/requested/term_months", Attribute::of(Form::Whole(Range { low: 1.0, high: 9.0 })));
        let rows = [
            (r#"{"requested": {"purpose": "car", "term_months": 90}}"#, vec![]),
            (r#"{"requested": {"purpose": null}, "applicants": []}"#, vec![]),
            (r#"{"requested": {"purpose": "cars"}}"#, vec!["/requested/purpose"]),
            (
                r#"{"requested": {"purpose": "x"}, "applicants": [{"facts": {"housing": {"status": "y"}}}]}"#,
                vec!["/applicants/0/facts/housing/status", "/requested/purpose"],
            ),
        ];
        for (data, expected) in rows {
            for strict in [&[][..], &["demo"]] {
                let rules = rules(strict, known.clone());
                let (faults, warnings) = look(&rules, "demo", "card", &parse(data.as_bytes(), 9).unwrap());
                let told = warnings.map(|warnings| warnings.told).unwrap_or_default();
                let places: Vec<&str> = told.iter().map(|warning| warning.pointer.as_str()).collect();
                assert_eq!((faults.len(), places), (0, expected.clone()), "{data}");
                for warning in &told {
                    let expected = warning.expected.as_ref().unwrap();
                    assert_eq!(
                        (warning.kind.as_str(), &expected.words[..]),
                        ("unknown_word", &["boat", "car"].map(str::to_owned)[..])
                    );
                }
            }
        }
    }
}
