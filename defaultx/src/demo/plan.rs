//! PURE. What origination systems will publish, in which order and under which keys: every application, and mixed in
//! duplicates, broken events and conflicts. The same seed gives the same plan.

use super::applications::Document;
use super::faults::FAULTS;
use super::shot::{Expected, Shot};
use ingest::refusal::Reason;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::collections::BTreeMap;

/// How many records of each kind beside the applications.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mix {
    /// Share of applications that are sent twice.
    pub duplicates: f64,
    /// Broken events, as a share of the applications.
    pub broken: f64,
    /// Conflicts.
    pub conflicts: usize,
    /// Applications that are held back and sent at a steady pace, for the latency.
    pub paced: usize,
}

impl Mix {
    /// 1 % duplicates, 0.5 % broken events, 20 conflicts, and a thousand applications at a steady pace; in proportion.
    pub fn of_scale(scale: f64) -> Self {
        let scaled = |whole: f64| (whole * scale).round().max(1.0) as usize;
        Self { duplicates: 0.01, broken: 0.005, conflicts: scaled(20.0), paced: scaled(1000.0) }
    }
}

/// Everything to publish.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// As fast as Kafka takes them.
    pub bulk: Vec<Shot>,
    /// At a steady pace, afterwards.
    pub paced: Vec<Shot>,
}

impl Plan {
    /// Shuffles and mixes.
    pub fn new(mut documents: Vec<Document>, mix: Mix, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        documents.shuffle(&mut rng);
        let held = documents.split_off(documents.len() - mix.paced.min(documents.len() / 2));
        let count = |share: f64| (documents.len() as f64 * share).round() as usize;
        let mut bulk: Vec<Shot> = Vec::with_capacity(documents.len() * 102 / 100);
        bulk.extend(documents.iter().map(|document| Shot::of(document, &document.application_id)));
        for document in documents.sample(&mut rng, count(mix.duplicates)) {
            // Half of them the very same event again, half a new event about the same application.
            let id = if rng.random_bool(0.5) { "" } else { "-again" };
            bulk.push(Shot::of(document, &format!("{}{id}", document.application_id)));
        }
        for (number, document) in documents.sample(&mut rng, count(mix.broken)).enumerate() {
            let fault = FAULTS[number % FAULTS.len()];
            bulk.push(Shot { expected: Expected::Refused(fault.reason), ..fault.apply(document, number) });
        }
        for document in documents.sample(&mut rng, mix.conflicts) {
            bulk.push(conflicting(document));
        }
        bulk.shuffle(&mut rng);
        let mut paced: Vec<Shot> = held.iter().map(|document| Shot::of(document, &document.application_id)).collect();
        bulk.iter_mut().chain(&mut paced).for_each(|shot| shot.send_by(&mut rng));
        Self { bulk, paced }
    }

    /// Every record.
    pub fn shots(&self) -> impl Iterator<Item = &Shot> {
        self.bulk.iter().chain(&self.paced)
    }

    /// How many records must be refused, by reason; conflicts included.
    pub fn refusals(&self) -> BTreeMap<&'static str, u64> {
        let mut refusals = BTreeMap::new();
        for shot in self.shots() {
            let reason = match shot.expected {
                Expected::Refused(reason) => reason,
                Expected::Conflict => Reason::Conflict,
                Expected::Accepted => continue,
            };
            *refusals.entry(reason.as_str()).or_insert(0) += 1;
        }
        refusals
    }
}

/// The same application and revision with another amount.
fn conflicting(document: &Document) -> Shot {
    let mut data: Value = serde_json::from_str(&document.data).unwrap_or_default();
    let amount = data["requested"]["amount"]["amount_minor"].as_i64().unwrap_or_default();
    data["requested"]["amount"]["amount_minor"] = (amount + 100).into();
    let changed = Document { data: data.to_string().into(), ..document.clone() };
    Shot { expected: Expected::Conflict, ..Shot::of(&changed, &format!("{}-other", document.application_id)) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::demo::shot::Sender;
    use serde_json::json;
    use std::collections::HashSet;

    fn documents(count: usize) -> Vec<Document> {
        let data = |n: usize| {
            json!({"tenant": "demo", "application_id": format!("a-{n}"), "revision": 1, "jurisdiction": "US-CA",
                "channel": "branch", "product": "p", "requested": {"amount": {"amount_minor": 100, "currency": "USD"}}})
        };
        (0..count).map(|n| Document::new(data(n), "2026-01-01T00:00:00Z").unwrap()).collect()
    }

    #[test]
    fn the_mix_is_as_asked_and_the_same_for_the_same_seed() {
        let mix = Mix { paced: 100, ..Mix::of_scale(1.0) };
        let plan = Plan::new(documents(4100), mix, 7);
        assert_eq!((plan.bulk.len(), plan.paced.len()), (4000 + 40 + 20 + 20, 100));
        assert_eq!(plan, Plan::new(documents(4100), mix, 7));
        assert_ne!(plan, Plan::new(documents(4100), mix, 8));
        let refusals = plan.refusals();
        assert_eq!(refusals.values().sum::<u64>(), 20 + 20);
        assert_eq!(refusals.len(), FAULTS.len() + 1, "every kind of fault, and conflicts: {refusals:?}");
        let ids: HashSet<&str> = plan.shots().map(|shot| shot.application_id.as_str()).collect();
        assert_eq!(ids.len(), 4100 + 20, "each application, each broken event under an id of its own");
        for sender in [Sender::Murmur2, Sender::Crc32, Sender::Keyless] {
            assert!(plan.shots().filter(|shot| shot.sender == sender).count() > 800, "{sender:?}");
        }
        assert!(plan.shots().all(|shot| shot.key.is_none() == (shot.sender == Sender::Keyless)));
    }

    #[test]
    fn a_broken_event_differs_from_a_good_one() {
        let document = &documents(1)[0];
        for (number, fault) in FAULTS.iter().enumerate() {
            let good = Shot::of(document, "x");
            let broken = fault.apply(document, number);
            assert!(broken.value != good.value || broken.headers.len() < good.headers.len(), "{:?}", fault.reason);
        }
    }
}
