//! Headers of a record: looked up by the names of Kafka's binary mode, and found where they are spelt in another way.

/// Headers by the names of Kafka's binary mode. A look-up is one that has each name once, such as the HTTP door's.
pub trait Headers<'h> {
    /// The value of a header; where there are several of that name the last, as Kafka's clients read it.
    fn get(&self, name: &str) -> Option<&'h [u8]>;

    /// All of them, where a name may stand there twice or be spelt in another way.
    fn all(&self) -> &[(&'h str, Option<&'h [u8]>)] {
        &[]
    }
}

impl<'h, F: Fn(&str) -> Option<&'h [u8]>> Headers<'h> for F {
    fn get(&self, name: &str) -> Option<&'h [u8]> {
        self(name)
    }
}

/// The headers of a Kafka record. One without a value is none.
pub(crate) struct RecordHeaders<'h>(Vec<(&'h str, Option<&'h [u8]>)>);

impl<'h> RecordHeaders<'h> {
    /// Takes name and value of each header, in their order.
    pub(crate) fn new(headers: Vec<(&'h str, Option<&'h [u8]>)>) -> Self {
        Self(headers)
    }
}

impl<'h> Headers<'h> for RecordHeaders<'h> {
    fn get(&self, name: &str) -> Option<&'h [u8]> {
        self.0.iter().rev().find(|header| header.0 == name && header.1.is_some()).and_then(|header| header.1)
    }

    fn all(&self) -> &[(&'h str, Option<&'h [u8]>)] {
        &self.0
    }
}

/// Headers of a record, whatever holds them.
pub type HeaderOf<'h> = &'h dyn Headers<'h>;

/// The values of an attribute whose header is spelt as HTTP, AMQP or JMS have it, or in capitals.
pub(crate) fn misspelt<'h>(header_of: HeaderOf<'h>, attribute: &str) -> impl Iterator<Item = &'h [u8]> {
    const PREFIXES: [&str; 5] = ["ce_", "ce-", "cloudevents:", "cloudevents_", "cloudevents-"];
    let fits = move |name: &str| {
        PREFIXES.iter().any(|prefix| {
            name.split_at_checked(prefix.len()).is_some_and(|(before, rest)| {
                before.eq_ignore_ascii_case(prefix) && rest.eq_ignore_ascii_case(attribute)
            })
        })
    };
    let spelt = header_of.all().iter().filter(move |(name, _)| fits(name));
    spelt.filter_map(|(_, value)| *value).filter(|bytes| !bytes.is_empty())
}

/// Every value that may be meant by a header, the likeliest first: the one that counts, others of that name from the last, and those
/// that are spelt in another way.
pub(crate) fn meant<'h>(header_of: HeaderOf<'h>, header: &str) -> impl Iterator<Item = &'h [u8]> {
    let others = header_of.all().iter().rev().filter(move |(name, _)| *name == header).filter_map(|(_, value)| *value);
    let attribute = header.strip_prefix("ce_").unwrap_or(header);
    header_of.get(header).into_iter().chain(others).chain(misspelt(header_of, attribute))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_header_that_has_a_value_counts() {
        let headers = RecordHeaders::new(vec![("a", Some(b"1")), ("a", Some(b"2")), ("a", None), ("b", None)]);
        assert_eq!((headers.get("a"), headers.get("b"), headers.get("c")), (Some(&b"2"[..]), None, None));
    }

    #[test]
    fn a_header_is_found_in_every_spelling() {
        let rows = [
            ("ce-id", true),
            ("CE_ID", true),
            ("Ce-Id", true),
            ("cloudEvents:id", true),
            ("cloudEvents_id", true),
            ("cloudevents-ID", true),
            ("id", false),
            ("ce_idx", false),
            ("xce_id", false),
            ("ce-", false),
            ("ä", false),
        ];
        for (name, is_one) in rows {
            let headers = RecordHeaders::new(vec![(name, Some(b"1"))]);
            assert_eq!(misspelt(&headers, "id").next().is_some(), is_one, "{name}");
        }
        assert_eq!(misspelt(&RecordHeaders::new(vec![("ce-id", Some(b"")), ("ce_id", None)]), "id").next(), None);
    }
}
