//! PURE. What of `attributes` no model reads as it was sent: a name that none knows, another type, a word of no list, a number out of
//! range. Tells place and kind, never the value. What is absent, or null, is no finding: nobody has to ask everything.

use crate::expected;
use crate::refusal::{Fault, Reason};
use crate::rules::Rules;
use crate::strict::Node;
use crate::strict::node::push_step;
use domain::attributes::{Attributes, Misfit, Sent, Shape};
use schemas::attributes::property;
use schemas::reply::{Expected, Warning};

/// At most so many places of one application are told, and one of each kind beyond.
const MAX_TOLD: usize = 16;
/// For a longer name no known one is looked for, in bytes.
const MAX_COMPARED: usize = 64;

/// What may be wrong with an attribute.
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
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::WrongType, Self::UnknownWord, Self::OutOfRange];

    /// The word of replies and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => Reason::UnknownAttribute.as_str(),
            Self::WrongType => Reason::AttributeWrongType.as_str(),
            Self::UnknownWord => Reason::AttributeUnknownWord.as_str(),
            Self::OutOfRange => "attribute_out_of_range",
        }
    }

    /// Why a strict tenant's application is refused for it; what is read, if only as its nearest bound, is not.
    fn reason(self) -> Option<Reason> {
        match self {
            Self::Unknown => Some(Reason::UnknownAttribute),
            Self::WrongType => Some(Reason::AttributeWrongType),
            Self::UnknownWord => Some(Reason::AttributeUnknownWord),
            Self::OutOfRange => None,
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
    /// How many attributes of each kind, in the order of [`Kind::ALL`].
    pub counts: [u64; 4],
    /// The first of them.
    pub told: Vec<Warning>,
}

/// Looks at the attributes of an application: what refuses it, for a strict tenant alone, and what is only told.
pub(crate) fn look(rules: &Rules, tenant: &str, product: &str, data: &Node<'_>) -> (Vec<Fault>, Option<Box<Warnings>>) {
    let nothing = (Vec::new(), None);
    let Some(sent) = data.as_map().and_then(|data| data.get("attributes")?.as_map()) else { return nothing };
    let published = rules.attributes.get();
    // What a contract that is not known takes, nobody can tell.
    let Some(known) = published.attributes.of(product, tenant).filter(|known| !known.is_open) else { return nothing };
    let members = sent.members();
    let found: Vec<(&str, Kind)> =
        members.filter_map(|(name, value)| Some((name, kind_of(known, name, value)?))).collect();
    if found.is_empty() {
        return nothing;
    }
    let is_strict = rules.strict_attributes.contains(tenant);
    let (refused, warned): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(_, kind)| is_strict && kind.reason().is_some());
    let faults = some(&refused).filter_map(|(name, kind)| fault(known, name, kind)).collect();
    let count = |kind: Kind| warned.iter().filter(|(_, found)| *found == kind).count() as u64;
    let told = some(&warned).map(|(name, kind)| warning(known, name, kind)).collect();
    let warnings = Warnings { product: product.to_owned(), counts: Kind::ALL.map(count), told };
    (faults, (!warned.is_empty()).then(|| Box::new(warnings)))
}

fn kind_of(known: &Attributes, name: &str, value: &Node<'_>) -> Option<Kind> {
    match known.get(name) {
        Some(attribute) => attribute.misfit(value).map(Kind::from),
        None => Some(Kind::Unknown),
    }
}

/// The first findings, and the first of each kind beyond.
fn some<'n>(found: &[(&'n str, Kind)]) -> impl Iterator<Item = (&'n str, Kind)> {
    let is_first = |at: usize, kind: Kind| found[..at].iter().all(|(_, before)| *before != kind);
    let chosen = found.iter().enumerate().filter(move |(at, (_, kind))| *at < MAX_TOLD || is_first(*at, *kind));
    chosen.map(|(_, one)| *one)
}

fn fault(known: &Attributes, name: &str, kind: Kind) -> Option<Fault> {
    let fault = Fault::new(kind.reason()?, pointer(name));
    let fault = match nearest_of(known, name, kind) {
        Some(nearest) => fault.because(format!("the nearest name is {nearest}")),
        None => fault,
    };
    Some(match known.get(name) {
        Some(attribute) => fault.expecting(expected::of(&[&property(attribute)])),
        None => {
            let names = known.names().into_keys().map(str::to_owned).collect();
            fault.expecting(Expected { names, ..Expected::default() })
        }
    })
}

fn warning(known: &Attributes, name: &str, kind: Kind) -> Warning {
    let Fault { pointer, .. } = Fault::new(Reason::UnknownAttribute, pointer(name));
    Warning { kind: kind.as_str().to_owned(), pointer, nearest: nearest_of(known, name, kind) }
}

fn pointer(name: &str) -> String {
    let mut pointer = "/attributes".to_owned();
    push_step(&mut pointer, name);
    pointer
}

fn nearest_of(known: &Attributes, name: &str, kind: Kind) -> Option<String> {
    (kind == Kind::Unknown).then(|| nearest(name, known.names().into_keys())).flatten().map(str::to_owned)
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
                &["attribute_unknown_word payment_amount_1"],
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
        assert_eq!((faults.len(), warnings.counts, warnings.told.len()), (0, [300, 1, 0, 0], MAX_TOLD + 1));
        let (faults, warnings) = look(&rules(&["demo"], known()), "demo", "card", &parse(text.as_bytes(), 9).unwrap());
        assert_eq!((faults.len(), warnings), (MAX_TOLD + 1, None));
    }

    #[test]
    fn a_name_without_end_is_cut_and_compared_with_nothing() {
        let name = "x".repeat(5_000);
        let (_, warned) = told(&rules(&[], known()), &format!("{{\"{name}\": 1}}"));
        assert!(warned[0].len() < 300, "{}", warned[0].len());
    }
}
