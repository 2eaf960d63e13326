//! Which packages a product gets: the champion, a challenger that decides on some customers in its place, and the shadows
//! beside them. A customer's bucket is sticky, so that applying again cannot re-roll. A value: nothing here changes.

use crate::config::Challenger;
use crate::error::Error;
use domain::Digest;
use schemas::risk::{COMPUTED, SHADOW_COMPUTED};
use std::collections::BTreeMap;

/// Buckets of the sticky hash.
pub const BUCKETS: u64 = 10_000;
/// The most shadows that a product may have: each costs as much as the champion.
pub const MAX_SHADOWS: usize = 20;

/// Product → packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes {
    products: Vec<Route>,
    digest: String,
}

/// In which role a model speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It decides.
    Champion,
    /// It decides in the champion's place on the customers that are assigned to it.
    Challenger,
    /// It never does.
    Shadow,
}

impl Role {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Champion => "champion",
            Self::Challenger => "challenger",
            Self::Shadow => "shadow",
        }
    }

    /// The `ce_type` of its events.
    pub fn event_type(self) -> &'static str {
        match self {
            Self::Champion | Self::Challenger => COMPUTED,
            Self::Shadow => SHADOW_COMPUTED,
        }
    }
}

/// The packages of one product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The product.
    pub product: String,
    /// The champion, then a challenger if there is one, then shadows in their order.
    pub packages: Vec<PackageName>,
    /// Buckets below this are the challenger's.
    assigned: u32,
}

/// A package by name in its role, and its version where no activation record has said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageName {
    /// Its role.
    pub role: Role,
    /// The package's name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Routes {
    /// Reads tables of product → `name@version`, challenger, and shadows. The champion is no shadow of itself: it is left out
    /// there, so that switching it needs no second edit.
    ///
    /// # Errors
    /// [`Error::Route`].
    pub fn new(
        champions: &BTreeMap<String, String>,
        challengers: &BTreeMap<String, Challenger>,
        shadows: &BTreeMap<String, Vec<String>>,
    ) -> Result<Self, Error> {
        if let Some(product) =
            shadows.keys().chain(challengers.keys()).find(|product| !champions.contains_key(*product))
        {
            let why = "it has shadows or a challenger and no champion".to_owned();
            return Err(Error::Route { product: product.clone(), why });
        }
        let mut text = String::new();
        let route = |(product, champion): (&String, &String)| {
            let shadows = shadows.get(product).map_or(&[][..], Vec::as_slice);
            let route = Route::new(product, champion, challengers.get(product), shadows, &mut text);
            route.map_err(|why| Error::Route { product: product.clone(), why })
        };
        let products = champions.iter().map(route).collect::<Result<_, _>>()?;
        Ok(Self { products, digest: Digest::of(text.as_bytes()).to_string() })
    }

    /// SHA-256 of the tables, sorted by product: a line `product=name@version`, for a challenger
    /// `product?name@version buckets holdout`, and for each shadow `product~name@version`.
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

impl Route {
    fn new(
        product: &str,
        champion: &str,
        challenger: Option<&Challenger>,
        shadows: &[String],
        text: &mut String,
    ) -> Result<Self, String> {
        if shadows.len() > MAX_SHADOWS {
            return Err(format!("{} shadows, at most {MAX_SHADOWS} are allowed", shadows.len()));
        }
        let mut route = Self { product: product.to_owned(), packages: Vec::new(), assigned: 0 };
        route.add(Role::Champion, champion)?;
        text.push_str(&format!("{product}={champion}\n"));
        if let Some(Challenger { package, buckets, holdout }) = challenger {
            if *buckets == 0 || u64::from(*buckets) + u64::from(*holdout) > BUCKETS {
                return Err(format!(
                    "{buckets} buckets and a holdout of {holdout}: one or more, and {BUCKETS} together"
                ));
            }
            route.add(Role::Challenger, package)?;
            route.assigned = *buckets;
            text.push_str(&format!("{product}?{package} {buckets} {holdout}\n"));
        }
        for shadow in shadows.iter().filter(|shadow| *shadow != champion) {
            route.add(Role::Shadow, shadow)?;
            text.push_str(&format!("{product}~{shadow}\n"));
        }
        Ok(route)
    }

    fn add(&mut self, role: Role, text: &str) -> Result<(), String> {
        let package = PackageName::of(role, text)?;
        if self.packages.iter().any(|known| known.name == package.name) {
            return Err(format!("{} is there twice", package.name));
        }
        self.packages.push(package);
        Ok(())
    }

    /// The role that decides on a bucket.
    pub fn deciding(&self, bucket: u32) -> Role {
        if bucket < self.assigned { Role::Challenger } else { Role::Champion }
    }
}

impl PackageName {
    fn of(role: Role, text: &str) -> Result<Self, String> {
        match text.split_once('@') {
            Some((name, version)) if !name.is_empty() && !version.is_empty() => {
                Ok(Self { role, name: name.to_owned(), version: version.to_owned() })
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
        Routes::new(&table(champions), &BTreeMap::new(), &shadows)
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
            ("b", &["s@1"], "and no champion"),
        ];
        for (product, list, expected) in rows {
            let why = routes(&[("a", "m@1")], &[(product, list)]).unwrap_err().to_string();
            assert!(why.contains(expected), "{why}");
        }
    }

    #[test]
    fn a_challenger_decides_on_its_buckets_and_never_on_the_holdout() {
        let with = |package: &str, buckets, holdout| {
            let challenger = Challenger { package: package.to_owned(), buckets, holdout };
            Routes::new(&table(&[("a", "m@1")]), &[("a".to_owned(), challenger)].into(), &BTreeMap::new())
        };
        let routes = with("c@2", 2_500, 1_000).unwrap();
        assert_eq!(routes.digest(), Digest::of(b"a=m@1\na?c@2 2500 1000\n").to_string());
        let route = &routes.products()[0];
        assert_eq!(route.packages.iter().map(|p| p.role).collect::<Vec<_>>(), [Role::Champion, Role::Challenger]);
        for (bucket, expected) in
            [(0, Role::Challenger), (2_499, Role::Challenger), (2_500, Role::Champion), (9_999, Role::Champion)]
        {
            assert_eq!(route.deciding(bucket), expected, "{bucket}");
        }
        for (package, buckets, holdout) in
            [("m@2", 1, 0), ("c@2", 0, 0), ("c@2", 9_500, 501), ("c", 1, 0), ("c@2", u32::MAX, u32::MAX)]
        {
            assert!(with(package, buckets, holdout).is_err(), "{package} {buckets} {holdout}");
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
