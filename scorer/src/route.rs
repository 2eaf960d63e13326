//! Which package a product gets, and the bucket that a later split between arms would read. A value: nothing here changes.

use crate::error::Error;
use domain::Digest;
use std::collections::BTreeMap;

/// Buckets of the sticky hash.
pub const BUCKETS: u64 = 10_000;
/// The arm that decides.
pub const CHAMPION: &str = "champion";

/// Product → package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes {
    products: Vec<Route>,
    digest: String,
}

/// The package of one product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The product.
    pub product: String,
    /// The package's name.
    pub name: String,
    /// Its version where no activation record has said otherwise.
    pub version: String,
}

impl Routes {
    /// Reads a table of product → `name@version`.
    ///
    /// # Errors
    /// [`Error::Route`].
    pub fn new(table: &BTreeMap<String, String>) -> Result<Self, Error> {
        let mut products = Vec::with_capacity(table.len());
        let mut text = String::new();
        for (product, package) in table {
            let fault = || Error::Route { product: product.clone(), why: format!("{package:?} is not name@version") };
            let (name, version) = package.split_once('@').ok_or_else(fault)?;
            if name.is_empty() || version.is_empty() {
                return Err(fault());
            }
            text.push_str(&format!("{product}={name}@{version}\n"));
            products.push(Route { product: product.clone(), name: name.to_owned(), version: version.to_owned() });
        }
        Ok(Self { products, digest: Digest::of(text.as_bytes()).to_string() })
    }

    /// SHA-256 of the table, one `product=name@version` a line, sorted by product.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Every product's route, sorted by product.
    pub fn products(&self) -> &[Route] {
        &self.products
    }

    /// The index of a product's route.
    pub fn find(&self, product: &str) -> Option<usize> {
        self.products.iter().position(|route| route.product == product)
    }
}

/// The bucket of a subject: the same for every application of one customer, so that applying again cannot re-roll.
pub fn bucket(subject: &str) -> u32 {
    let digest = Digest::of(subject.as_bytes());
    let mut head = [0; 8];
    head.copy_from_slice(&digest.0[..8]);
    (u64::from_be_bytes(head) % BUCKETS) as u32
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, &str)]) -> BTreeMap<String, String> {
        rows.iter().map(|(product, package)| ((*product).to_owned(), (*package).to_owned())).collect()
    }

    #[test]
    fn the_digest_is_of_the_content() {
        let routes = Routes::new(&table(&[("b", "n@2"), ("a", "m@1")])).unwrap();
        assert_eq!(routes.digest(), Digest::of(b"a=m@1\nb=n@2\n").to_string());
        assert_eq!(routes.find("b").map(|at| routes.products()[at].name.as_str()), Some("n"));
        assert_eq!(routes.find("c"), None);
        assert_ne!(routes.digest(), Routes::new(&table(&[("a", "m@1")])).unwrap().digest());
    }

    #[test]
    fn what_is_no_package_is_refused() {
        for bad in ["m", "@1", "m@", ""] {
            assert!(Routes::new(&table(&[("a", bad)])).is_err(), "{bad}");
        }
    }

    #[test]
    fn buckets_are_sticky_and_spread() {
        assert_eq!(bucket("ab"), bucket("ab"));
        let mut hit = vec![0u32; 10];
        (0..10_000).for_each(|n| hit[(bucket(&n.to_string()) / 1000) as usize] += 1);
        assert!(hit.iter().all(|count| (850..1150).contains(count)), "{hit:?}");
    }
}
