//! PURE. The products that a deployment takes, each with the currencies that it is lent in: as the configuration says them, and as
//! an application is held against them.

use crate::error::Error;
use domain::Currency;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Products by name. In a configuration a list of names, each in any currency, or a table for each product.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Products(BTreeMap<String, Product>);

/// A product as the configuration says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Product {
    /// ISO 4217 codes of the currencies that it is lent in; empty takes any.
    pub currencies: Vec<String>,
}

impl Products {
    /// Products with the codes of their currencies.
    pub(crate) fn of<'p>(products: impl IntoIterator<Item = (&'p str, &'p [&'p str])>) -> Self {
        let product =
            |currencies: &[&str]| Product { currencies: currencies.iter().map(|&code| code.into()).collect() };
        Self(products.into_iter().map(|(name, currencies)| (name.to_owned(), product(currencies))).collect())
    }

    /// Names, each with the codes of its currencies; none where it takes any.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(name, product)| (name.as_str(), product.currencies.as_slice()))
    }

    /// The currencies of each product; none where it takes any.
    ///
    /// # Errors
    /// [`Error::Config`] names the product with a code that is not in ISO 4217.
    pub(crate) fn currencies(&self) -> Result<BTreeMap<String, Vec<Currency>>, Error> {
        let currency = |name: &str, code: &str| {
            let refused = |error| Error::Config(format!("[ingest.products.{name}] currencies: {error}"));
            Currency::parse(code).map_err(refused)
        };
        let of = |(name, product): (&String, &Product)| {
            let currencies = product.currencies.iter().map(|code| currency(name, code));
            Ok((name.clone(), currencies.collect::<Result<_, _>>()?))
        };
        self.0.iter().map(of).collect()
    }
}

impl<'de> Deserialize<'de> for Products {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamesOrTables)
    }
}

struct NamesOrTables;

impl<'de> Visitor<'de> for NamesOrTables {
    type Value = Products;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of products, or a table for each")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Products, A::Error> {
        let mut products = BTreeMap::new();
        while let Some(name) = names.next_element()? {
            products.insert(name, Product::default());
        }
        Ok(Products(products))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut tables: A) -> Result<Products, A::Error> {
        let mut products = BTreeMap::new();
        while let Some((name, product)) = tables.next_entry()? {
            products.insert(name, product);
        }
        Ok(Products(products))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Section {
        products: Products,
    }

    fn read(text: &str) -> Result<Products, String> {
        toml::from_str::<Section>(text).map(|section| section.products).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_list_takes_any_currency_and_a_table_says_which() {
        assert_eq!(read("products = ['card', 'loan']"), Ok(Products::of([("card", &[][..]), ("loan", &[][..])])));
        let tables = "[products.card]\ncurrencies = ['USD', 'EUR']\n[products.loan]\n";
        let read_back = read(tables).unwrap();
        assert_eq!(read_back, Products::of([("card", &["USD", "EUR"][..]), ("loan", &[][..])]));
        let shown = toml::to_string(&Section { products: read_back.clone() }).unwrap();
        assert_eq!(read(&shown), Ok(read_back), "what is shown is read: {shown}");
        for (wrong, why) in [
            ("products = 'card'", "a list of products, or a table for each"),
            ("products = [7]", "a string"),
            ("[products.card]\ncurrency = 'USD'", "unknown field `currency`"),
            ("[products]\ncard = 'USD'", "struct Product"),
        ] {
            let error = read(wrong).unwrap_err();
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_code_that_is_none_is_refused_with_its_product() {
        let currencies =
            |codes: &[&str]| Products::of([("card", codes)]).currencies().map_err(|error| error.to_string());
        assert_eq!(currencies(&["TWD"]).unwrap()["card"], [Currency::parse("TWD").unwrap()]);
        let error = currencies(&["USD", "usd"]).unwrap_err();
        assert!(error.contains("[ingest.products.card] currencies: \"usd\" is not"), "{error}");
    }
}
