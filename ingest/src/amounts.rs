//! PURE. Amounts of `attributes` of which a model reads the minor units and not the currency: one in another currency than the product's
//! would be scored as if it were in the right one, so that it is refused (ADR 48).

use crate::refusal::{Fault, Reason};
use crate::strict::node::push_step;
use crate::strict::{Node, Object};
use domain::{Attributes, Currency};
use schemas::reply::Expected;

/// At most so many of one application are told.
const MAX_TOLD: usize = 16;
/// The members of an amount.
const AMOUNT: &str = "amount_minor";
const CURRENCY: &str = "currency";

/// Each amount in a currency that is none of the product's, or in none that is said.
pub(crate) fn foreign(lent: &[Currency], known: &Attributes, sent: &Object<'_>) -> Vec<Fault> {
    let is_lent = |amount: &Object<'_>| {
        let code = amount.get(CURRENCY).and_then(Node::as_text);
        code.is_some_and(|code| lent.iter().any(|currency| currency.code() == code))
    };
    let is_foreign = |path: &&Vec<String>| {
        let sent = path
            .split_first()
            .and_then(|(name, below)| below.iter().try_fold(sent.get(name)?, |node, name| step(node, name))?.as_map());
        sent.is_some_and(|amount| amount.get(AMOUNT).is_some_and(|of| *of != Node::Null) && !is_lent(amount))
    };
    let fault = |path: &Vec<String>| {
        let mut pointer = "/attributes".to_owned();
        path.iter().map(String::as_str).chain([CURRENCY]).for_each(|step| push_step(&mut pointer, step));
        Fault::new(Reason::CurrencyNotOfProduct, pointer).expecting(expected(lent))
    };
    // Where a product takes any currency nobody can tell which one was meant.
    let held = known.amounts().iter().filter(|_| !lent.is_empty());
    held.filter(is_foreign).map(fault).take(MAX_TOLD).collect()
}

/// The currencies of a product, as a fault says them.
pub(crate) fn expected(lent: &[Currency]) -> Expected {
    Expected { words: lent.iter().map(|currency| currency.code().to_owned()).collect(), ..Expected::default() }
}

/// One step down: a member, or an element of a list.
pub(crate) fn step<'n, 'a>(node: &'n Node<'a>, name: &str) -> Option<&'n Node<'a>> {
    match node {
        Node::List(elements) => elements.get(name.parse::<usize>().ok()?),
        _ => node.as_map()?.get(name),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::strict::parse;

    /// The places that are told, below `/attributes`.
    fn told(lent: &[&str], attributes: &str) -> Vec<String> {
        let mut known = Attributes::default();
        for path in ["bill", "due", "loan/parts/0"] {
            known.and_amount(path.split('/').map(str::to_owned).collect());
        }
        let lent: Vec<Currency> = lent.iter().map(|code| Currency::parse(code).unwrap()).collect();
        let sent = parse(attributes.as_bytes(), 9).unwrap();
        let faults = foreign(&lent, &known, sent.as_map().unwrap());
        assert!(faults.iter().all(|fault| fault.expected.as_ref().unwrap().words.len() == lent.len()));
        let place = |fault: &Fault| fault.pointer.strip_prefix("/attributes/").unwrap().to_owned();
        faults.iter().map(place).collect()
    }

    #[test]
    fn an_amount_that_is_read_without_its_currency_is_in_one_of_the_product() {
        let rows = [
            (r#"{"bill": {"amount_minor": 4, "currency": "EUR"}}"#, vec!["bill/currency"]),
            (r#"{"bill": {"amount_minor": 4, "currency": "usd"}}"#, vec!["bill/currency"]),
            (r#"{"bill": {"amount_minor": 4, "currency": 7}}"#, vec!["bill/currency"]),
            (r#"{"bill": {"amount_minor": 4, "currency": null}}"#, vec!["bill/currency"]),
            (r#"{"bill": {"amount_minor": 4}}"#, vec!["bill/currency"]),
            (r#"{"bill": {"amount_minor": "4", "currency": "EUR"}}"#, vec!["bill/currency"]),
            (r#"{"loan": {"parts": [{"amount_minor": 4}]}}"#, vec!["loan/parts/0/currency"]),
            (
                r#"{"due": {"amount_minor": 4}, "bill": {"amount_minor": 4, "currency": "EUR"}}"#,
                vec!["bill/currency", "due/currency"],
            ),
            (r#"{"bill": {"amount_minor": 4, "currency": "TWD"}}"#, vec![]),
            (r#"{"bill": {"amount_minor": 4, "currency": "USD"}}"#, vec![]),
            (r#"{"bill": {"amount_minor": null, "currency": "EUR"}}"#, vec![]),
            (r#"{"bill": {"currency": "EUR"}}"#, vec![]),
            (r#"{"bill": null, "due": 7, "loan": {"parts": [null, 4]}}"#, vec![]),
            (r#"{"other": {"amount_minor": 4, "currency": "EUR"}}"#, vec![]),
        ];
        for (attributes, expected) in rows {
            assert_eq!(told(&["TWD", "USD"], attributes), expected, "{attributes}");
            assert_eq!(told(&[], attributes), Vec::<String>::new(), "a product that takes any currency: {attributes}");
        }
    }
}
