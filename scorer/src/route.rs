//! A route version: which packages score an application, and which of them decides. Pure: the answer depends on the
//! application alone. A customer's bucket is sticky, so that applying again cannot re-roll.
//!
//! Reading order: [`Route`], [`Route::assign`], [`bucket`]; [`crate::inspect`] makes one of a document.

use crate::condition::Condition;
use crate::finding::Finding;
use domain::{Digest, ModelRole};
use schemas::risk::{COMPUTED, SHADOW_COMPUTED};
use scoring::application;
use scoring::lookup::Lookup;

/// Buckets of the sticky hash.
pub(crate) const BUCKETS: u32 = 10_000;
/// The most shadows that an entry may have: each costs as much as the champion.
pub const MAX_SHADOWS: usize = 20;

/// The `ce_type` of the events of a model in a role.
pub fn event_type(role: ModelRole) -> &'static str {
    match role {
        ModelRole::Champion | ModelRole::Challenger => COMPUTED,
        ModelRole::Shadow => SHADOW_COMPUTED,
    }
}

/// A checked route. Immutable.
#[derive(Debug)]
pub struct Route {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) digest: String,
    /// In the document's order.
    pub(crate) entries: Vec<Entry>,
    /// Every place that the conditions read.
    pub(crate) lookup: Lookup,
    /// Steps that its conditions take together, at most.
    pub(crate) cost: u64,
    /// What should be written otherwise although it is taken.
    pub(crate) warnings: Vec<Finding>,
}

/// Some applications and the packages that score them.
#[derive(Debug)]
pub struct Entry {
    /// Unique in the route.
    pub id: String,
    /// The product that it applies to.
    pub product: String,
    /// The only tenant that it applies to.
    pub tenant: Option<String>,
    /// Absent means always.
    pub(crate) when: Option<Condition>,
    /// The champion, then challengers, then shadows, each in their order.
    pub packages: Vec<Package>,
    /// So many buckets, the last ones, stay with the champion.
    pub holdout: u32,
    /// Whether score events carry the facts of the parties beside the primary applicant.
    pub parties: bool,
}

/// A package in its role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its role.
    pub role: ModelRole,
    /// Its name.
    pub name: String,
    /// How many buckets are its, where it is a challenger.
    pub buckets: u32,
    /// Index in the library of the version that the route names.
    pub model: usize,
}

/// What an assignment looks at.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Tenant.
    pub tenant: &'a str,
    /// Product.
    pub product: &'a str,
    /// The primary's pseudonym.
    pub subject: &'a str,
    /// The application's `data`, as JSON text.
    pub text: &'a str,
}

/// Who scores an application, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment<'r> {
    /// Sticky hash of the primary's pseudonym.
    pub bucket: u32,
    /// What applies; `None` where the route has nothing for the application.
    pub chosen: Option<Chosen>,
    /// Ids of entries whose condition was undetermined, and which therefore did not apply.
    pub undetermined: Vec<&'r str>,
}

/// An entry and its arm for one customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// Index of the entry.
    pub entry: usize,
    /// Index of the package that decides.
    pub deciding: usize,
    /// Whether the customer is one of those whom no challenger gets.
    pub holdout: bool,
}

impl Route {
    /// `name@version`.
    pub fn label(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// SHA-256 of its bytes, hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Steps that its conditions take together, at most.
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// What someone should write otherwise although the document is taken.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// Its entries, in the document's order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Who scores an application: the first entry that applies, the tenant's own before those for all.
    pub fn assign(&self, asked: Asked<'_>) -> Assignment<'_> {
        let bucket = bucket(asked.subject);
        let mut undetermined = Vec::new();
        let mut data = None;
        let mut holds = |entry: &'_ Entry| match &entry.when {
            None => Some(true),
            Some(condition) => {
                let read = || application::Document::of_text(asked.text, &self.lookup).ok();
                condition.holds(data.get_or_insert_with(read).as_ref()?)
            }
        };
        let of = |entry: &Entry, own: bool| match &entry.tenant {
            Some(tenant) => own && tenant == asked.tenant,
            None => !own,
        };
        let of_product = || self.entries.iter().enumerate().filter(|(_, entry)| entry.product == asked.product);
        let own = of_product().filter(|(_, entry)| of(entry, true));
        let general = of_product().filter(|(_, entry)| of(entry, false));
        for (at, entry) in own.chain(general) {
            match holds(entry) {
                Some(true) => {
                    let (deciding, holdout) = (entry.deciding(bucket), bucket >= BUCKETS - entry.holdout);
                    return Assignment { bucket, chosen: Some(Chosen { entry: at, deciding, holdout }), undetermined };
                }
                Some(false) => {}
                None => undetermined.push(entry.id.as_str()),
            }
        }
        Assignment { bucket, chosen: None, undetermined }
    }
}

impl Entry {
    /// The index of the package that decides on a bucket: challengers have the first ones, in their order.
    pub fn deciding(&self, bucket: u32) -> usize {
        let mut end = 0;
        let is_assigned = |package: &Package| {
            end += package.buckets;
            bucket < end
        };
        self.packages.iter().position(is_assigned).unwrap_or(0)
    }

    /// Whether it applies under a condition.
    pub(crate) fn is_conditional(&self) -> bool {
        self.when.is_some()
    }
}

/// The bucket of a subject: the same for every application of one customer, so that applying again cannot re-roll.
pub fn bucket(subject: &str) -> u32 {
    let digest = Digest::of(subject.as_bytes());
    let mut head = [0; 8];
    head.copy_from_slice(&digest.0[..8]);
    (u64::from_be_bytes(head) % u64::from(BUCKETS)) as u32
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(id: &str, tenant: Option<&str>, when: Option<&str>, lookup: &mut Lookup) -> Entry {
        let package = |role, name: &str, buckets| Package { role, name: name.to_owned(), buckets, model: 0 };
        Entry {
            id: id.to_owned(),
            product: "loan".to_owned(),
            tenant: tenant.map(str::to_owned),
            when: when.map(|source| Condition::compile(source, lookup).unwrap()),
            packages: vec![
                package(ModelRole::Champion, "m", 0),
                package(ModelRole::Challenger, "a", 2_500),
                package(ModelRole::Challenger, "b", 1_500),
                package(ModelRole::Shadow, "s", 0),
            ],
            holdout: 1_000,
            parties: false,
        }
    }

    fn route() -> Route {
        let mut lookup = Lookup::default();
        let thin = "data.applicants[0].facts.trade_lines < 3";
        let entries = vec![
            entry("thin", None, Some(thin), &mut lookup),
            entry("all", None, None, &mut lookup),
            entry("a_web", Some("a"), Some("data.channel == \"web\""), &mut lookup),
            entry("b_all", Some("b"), None, &mut lookup),
        ];
        let (name, version, digest) = ("r".into(), "1.0.0".into(), "00".into());
        Route { name, version, digest, entries, lookup, cost: 0, warnings: Vec::new() }
    }

    #[test]
    fn the_first_entry_that_applies_counts_and_a_tenants_own_come_first() {
        let route = route();
        let facts = |lines: serde_json::Value| json!([{"facts": {"trade_lines": lines}}]);
        type Row<'r> = (&'r str, serde_json::Value, &'r str, &'r [&'r str]);
        let rows: [Row<'_>; 8] = [
            ("c", json!({"applicants": facts(json!(1))}), "thin", &[]),
            ("c", json!({"applicants": facts(json!(3))}), "all", &[]),
            ("c", json!({"applicants": facts(json!(null))}), "all", &["thin"]),
            ("c", json!({"applicants": facts(json!("two"))}), "all", &["thin"]),
            ("a", json!({"channel": "web", "applicants": facts(json!(1))}), "a_web", &[]),
            ("a", json!({"channel": "branch", "applicants": facts(json!(1))}), "thin", &[]),
            ("a", json!({}), "all", &["a_web", "thin"]),
            ("b", json!({"applicants": facts(json!(1))}), "b_all", &[]),
        ];
        for (tenant, data, expected, undetermined) in rows {
            let text = data.to_string();
            let assigned = route.assign(Asked { tenant, product: "loan", subject: "s", text: &text });
            let chosen = assigned.chosen.map(|chosen| route.entries[chosen.entry].id.as_str());
            assert_eq!((chosen, assigned.undetermined.as_slice()), (Some(expected), undetermined), "{tenant} {data}");
        }
        let other = route.assign(Asked { tenant: "b", product: "card", subject: "s", text: "{}" });
        assert_eq!((other.chosen, other.bucket), (None, bucket("s")));
    }

    #[test]
    fn challengers_decide_on_their_buckets_and_never_on_the_holdout() {
        let route = route();
        let names = |bucket| route.entries[1].packages[route.entries[1].deciding(bucket)].name.as_str();
        for (bucket, expected) in
            [(0, "a"), (2_499, "a"), (2_500, "b"), (3_999, "b"), (4_000, "m"), (8_999, "m"), (9_999, "m")]
        {
            assert_eq!(names(bucket), expected, "{bucket}");
        }
        let (mut held, mut challenged) = (0, 0);
        for customer in 0..2_000 {
            let subject = customer.to_string();
            let asked = |product| Asked { tenant: "b", product, subject: &subject, text: "{}" };
            let chosen = route.assign(asked("loan")).chosen.unwrap();
            assert_eq!(chosen.holdout, bucket(&subject) >= 9_000);
            let role = route.entries[chosen.entry].packages[chosen.deciding].role;
            assert!(!chosen.holdout || role == ModelRole::Champion);
            held += u32::from(chosen.holdout);
            challenged += u32::from(role == ModelRole::Challenger);
        }
        assert!((150..250).contains(&held) && (720..880).contains(&challenged), "{held} {challenged}");
    }

    #[test]
    fn buckets_are_sticky_and_spread() {
        assert_eq!(bucket("ab"), bucket("ab"));
        let mut hit = vec![0u32; 10];
        (0..10_000).for_each(|n| hit[(bucket(&n.to_string()) / 1000) as usize] += 1);
        assert!(hit.iter().all(|count| (850..1150).contains(count)), "{hit:?}");
    }
}
