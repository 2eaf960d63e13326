//! Which packages a product gets: the one that decides and the shadows beside it; and the bucket that a later split between
//! arms would read. A value: nothing here changes.

use crate::error::Error;
use domain::Digest;
use std::collections::BTreeMap;

/// Buckets of the sticky hash.
pub const BUCKETS: u64 = 10_000;
/// The arm that decides.
pub const CHAMPION: &str = "champion";
/// Scores every application of its product and decides none.
pub const SHADOW: &str = "shadow";
/// The most shadows that a product may have: each costs as much as the champion.
pub const MAX_SHADOWS: usize = 20;

/// Product → packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes {
    products: Vec<Route>,
    digest: String,
}

/// The packages of one product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The product.
    pub product: String,
    /// The one that decides, then its shadows in their order.
    pub packages: Vec<PackageName>,
}

/// A package by name, and its version where no activation record has said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageName {
    /// The package's name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Routes {
    /// Reads a table of product → `name@version`, and one of product → shadows. The package that decides is no shadow of
    /// itself: it is left out there, so that switching the champion needs no second edit.
    ///
    /// # Errors
    /// [`Error::Route`].
    pub fn new(champions: &BTreeMap<String, String>, shadows: &BTreeMap<String, Vec<String>>) -> Result<Self, Error> {
        if let Some(product) = shadows.keys().find(|product| !champions.contains_key(*product)) {
            let why = "it has shadows and no package that decides".to_owned();
            return Err(Error::Route { product: product.clone(), why });
        }
        let mut products = Vec::with_capacity(champions.len());
        let mut text = String::new();
        for (product, champion) in champions {
            let fault = |why: String| Error::Route { product: product.clone(), why };
            let listed = shadows.get(product).map_or(&[][..], Vec::as_slice);
            if listed.len() > MAX_SHADOWS {
                return Err(fault(format!("{} shadows, at most {MAX_SHADOWS} are allowed", listed.len())));
            }
            let mut packages = vec![PackageName::of(champion).map_err(fault)?];
            text.push_str(&format!("{product}={champion}\n"));
            for shadow in listed.iter().filter(|shadow| *shadow != champion) {
                let package = PackageName::of(shadow).map_err(fault)?;
                if packages.iter().any(|known| known.name == package.name) {
                    return Err(fault(format!("{} is there twice", package.name)));
                }
                text.push_str(&format!("{product}~{shadow}\n"));
                packages.push(package);
            }
            products.push(Route { product: product.clone(), packages });
        }
        Ok(Self { products, digest: Digest::of(text.as_bytes()).to_string() })
    }

    /// SHA-256 of the table, sorted by product: a line `product=name@version`, then one `product~name@version` a shadow.
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

impl PackageName {
    fn of(text: &str) -> Result<Self, String> {
        match text.split_once('@') {
            Some((name, version)) if !name.is_empty() && !version.is_empty() => {
                Ok(Self { name: name.to_owned(), version: version.to_owned() })
            }
            _ => Err(format!("{text:?} is not name@version")),
        }
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

    fn routes(champions: &[(&str, &str)], shadows: &[(&str, &[&str])]) -> Result<Routes, Error> {
        let own = |list: &[&str]| list.iter().map(|package| (*package).to_owned()).collect();
        let shadows = shadows.iter().map(|(product, list)| ((*product).to_owned(), own(list))).collect();
        Routes::new(&table(champions), &shadows)
    }

    fn names(routes: &Routes, product: &str) -> Vec<String> {
        let at = routes.find(product).unwrap();
        routes.products()[at].packages.iter().map(|package| package.name.clone()).collect()
    }

    #[test]
    fn the_digest_is_of_the_content() {
        let plain = routes(&[("b", "n@2"), ("a", "m@1")], &[]).unwrap();
        assert_eq!(plain.digest(), Digest::of(b"a=m@1\nb=n@2\n").to_string());
        assert_eq!((names(&plain, "b"), plain.find("c")), (vec!["n".to_owned()], None));
        assert_ne!(plain.digest(), routes(&[("a", "m@1")], &[]).unwrap().digest());
        let shadowed = routes(&[("b", "n@2"), ("a", "m@1")], &[("a", &["k@1", "m@1", "l@3"])]).unwrap();
        assert_eq!(shadowed.digest(), Digest::of(b"a=m@1\na~k@1\na~l@3\nb=n@2\n").to_string());
        assert_eq!(names(&shadowed, "a"), ["m", "k", "l"], "the champion is no shadow of itself");
    }

    #[test]
    fn what_is_no_package_is_refused() {
        for bad in ["m", "@1", "m@", ""] {
            assert!(routes(&[("a", bad)], &[]).is_err(), "{bad}");
            assert!(routes(&[("a", "m@1")], &[("a", &[bad])]).is_err(), "{bad}");
        }
    }

    #[test]
    fn shadows_are_bounded_distinct_and_of_a_product() {
        let many: Vec<String> = (0..=MAX_SHADOWS).map(|at| format!("s{at}@1")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(routes(&[("a", "m@1")], &[("a", &many[1..])]).is_ok());
        let rows: &[(&str, &[&str], &str)] = &[
            ("a", &many, "21 shadows, at most 20"),
            ("a", &["s@1", "s@2"], "s is there twice"),
            ("a", &["m@2"], "m is there twice"),
            ("b", &["s@1"], "no package that decides"),
        ];
        for (product, list, expected) in rows {
            let why = routes(&[("a", "m@1")], &[(product, list)]).unwrap_err().to_string();
            assert!(why.contains(expected), "{why}");
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
