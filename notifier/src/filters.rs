//! PURE. Whether a filter of a subscription names what there is: a word that is none would match nothing, and nobody would hear why.

/// How like a known word another must be to be taken for a slip of it, 0 to 1.
const ALIKE: f64 = 0.75;
/// So many known words are listed where none is like it.
const LISTED: usize = 12;

/// What a deployment has, beside the words of the contract.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Products that are taken in.
    pub products: Vec<String>,
    /// Tenants that send.
    pub tenants: Vec<String>,
}

/// One filter of a subscription beside what it may name.
pub(crate) struct Filter<'a> {
    /// Its key in the subscription.
    pub key: &'static str,
    /// What it names.
    pub wanted: Vec<&'a str>,
    /// What there is.
    pub known: Vec<&'a str>,
    /// What a known word is, and where that is said.
    pub is: &'static str,
    /// What to do about an empty list, where that matches nothing instead of everything.
    pub empty: Option<&'static str>,
}

impl Filter<'_> {
    /// Everything that is wrong with it, each with its key and the nearest known word.
    pub(crate) fn faults(&self) -> Vec<String> {
        let Self { key, wanted, known, is, empty } = self;
        let unknown = wanted.iter().enumerate().filter(|(_, word)| !known.contains(word));
        let unknown = unknown.map(|(at, word)| format!("{key}[{at}]: {word:?} is no {is}; {}", hint(word, known)));
        let empty =
            empty.filter(|_| wanted.is_empty()).map(|what| format!("{key} is empty, which matches nothing: {what}"));
        unknown.chain(empty).collect()
    }
}

fn hint(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(near) => format!("did you mean {near:?}?"),
        None if known.is_empty() => "there is none".to_owned(),
        None => {
            let more = known.len().saturating_sub(LISTED);
            let listed = known.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
            if more > 0 { format!("there are {listed} and {more} more") } else { format!("there are {listed}") }
        }
    }
}

/// The known word that another is most like, if it is like one.
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let alike = known.iter().map(|known| (strsim::jaro_winkler(word, known), *known));
    alike.filter(|(alike, _)| *alike >= ALIKE).max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, near)| near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_named_with_its_place_and_the_nearest_that_is() {
        let faults = |wanted: &[&'static str], empty: Option<&'static str>| {
            let known = vec!["credit_card", "small_business_term", "consumer_instalment"];
            Filter { key: "products", wanted: wanted.to_vec(), known, is: "product", empty }.faults().join("; ")
        };
        let rows: [(&[&str], Option<&str>, &str); 8] = [
            (&[], None, ""),
            (&["credit_card", "consumer_instalment"], None, ""),
            (&["credit_cart"], None, r#"products[0]: "credit_cart" is no product; did you mean "credit_card"?"#),
            (&["credit_card", "instalment"], None, "products[1]"),
            (&["consumer_installment"], None, "did you mean \"consumer_instalment\"?"),
            (&["Credit_Card"], None, "did you mean \"credit_card\"?"),
            (&["zzz"], None, "there are credit_card, small_business_term, consumer_instalment"),
            (&[], Some("name some"), "products is empty, which matches nothing: name some"),
        ];
        for (wanted, empty, said) in rows {
            let found = faults(wanted, empty);
            assert!(found.contains(said) && found.is_empty() == said.is_empty(), "{wanted:?}: {found}");
        }
        assert_eq!(faults(&["creditcard", "small_business"], None).matches("did you mean").count(), 2, "all at once");
        assert_eq!(hint("x", &[]), "there is none");
        assert!(hint("x", &["a"; 14]).ends_with("and 2 more"));
    }
}
