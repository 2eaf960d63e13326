//! What the author of a route writes. Strict: a key that is not here is refused, because an entry with a misspelt key is an
//! entry that sends customers elsewhere. Judges nothing.

use serde::Deserialize;

/// A route version.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// `[a-z0-9_-]{1,64}`; the folder's name.
    pub name: String,
    /// Three numbers, such as `1.0.0`; the file's name.
    pub version: String,
    /// For readers.
    #[serde(default)]
    pub description: String,
    /// For one application the first that applies counts, a tenant's own before those for all.
    #[serde(default)]
    pub entry: Vec<Entry>,
}

/// Some applications and the packages that score them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// `[a-z0-9_-]{1,64}`, unique in the document; score events name it.
    pub id: String,
    /// The product that it applies to.
    pub product: String,
    /// The only tenant that it applies to; absent means all.
    #[serde(default)]
    pub tenant: Option<String>,
    /// An expression that is true or false; absent means always.
    #[serde(default)]
    pub when: Option<String>,
    /// `name@version` that decides.
    pub champion: String,
    /// Packages that decide on some customers in its place, from bucket 0 on in this order.
    #[serde(default)]
    pub challengers: Vec<Challenger>,
    /// So many buckets, the last ones, stay with the champion whatever challengers get: people to compare with.
    #[serde(default)]
    pub holdout: u32,
    /// Up to 20 `name@version` that score beside it and decide nothing.
    #[serde(default)]
    pub shadows: Vec<String>,
    /// Whether score events carry the facts of co-applicants and guarantors, so that policies may read them.
    #[serde(default)]
    pub parties: bool,
}

/// A package and its share of the customers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenger {
    /// `name@version`.
    pub package: String,
    /// How many of the 10,000 buckets are its.
    pub buckets: u32,
}

impl Document {
    /// Reads the text of a document.
    ///
    /// # Errors
    /// The line and the key that are not as they must be.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            format!("line {line}: {}", error.message().replace('\n', " "))
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../routes/standard/1.0.0.toml");

    #[test]
    fn what_is_not_a_key_is_refused_with_its_line() {
        let document = Document::parse(SHIPPED).unwrap();
        assert_eq!((document.name.as_str(), document.entry.len()), ("standard", 3));
        for (from, to, expected) in [
            ("version = \"1.0.0\"", "verzion = \"1.0.0\"", "line 4: unknown field `verzion`"),
            ("champion = ", "champoin = ", "line 10: unknown field `champoin`"),
            ("id = \"cards\"", "id = 7", "line 8: invalid type: integer `7`, expected a string"),
            ("id = \"cards\"", "holdout = -1", "line 8: invalid value: integer `-1`, expected u32"),
            ("id = \"cards\"", "id = \"cards\"\nid = \"again\"", "line 9: duplicate key"),
            ("product = \"credit_card\"\n", "", "line 7: missing field `product`"),
        ] {
            assert!(SHIPPED.contains(from), "{from}");
            let why = Document::parse(&SHIPPED.replacen(from, to, 1)).unwrap_err();
            assert!(why.starts_with(expected), "{to}: {why}");
        }
    }
}
