//! What an activation asks for: a version of a kind, which means one content for good.

use crate::in_force::{Carried, InForce, Slot};
use crate::kind::Kind;
use crate::label::Label;
use schemas::control::Activation;

/// A version that an activation asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its kind.
    pub kind: Kind,
    /// Its name and version.
    pub label: Label,
    /// What it switches.
    pub slot: Slot,
    /// What would be in force.
    pub in_force: InForce,
}

/// A version that was activated before, with another digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{label} was activated with the digest {digest}")]
pub struct Contradiction {
    /// The version.
    pub label: Label,
    /// The digest that it has.
    pub digest: String,
}

impl Asked {
    /// What an activation asks for; none where its kind is of another version of this code.
    pub fn of(activation: Activation) -> Option<Self> {
        let label = Label::of(&activation);
        let Activation { kind, name, version, digest, document, packages, activated_by, activated_at } = activation;
        let kind = Kind::parse(&kind)?;
        let (slot, version, carried) = match kind {
            Kind::Policy => (Slot::Policy, label.to_string(), (document, None)),
            Kind::Route => (Slot::Route, label.to_string(), (document, packages)),
            Kind::Model => (Slot::Model(name), version, (None, None)),
        };
        let (document, packages) = carried;
        let (activated_by, activated_at) = (Some(activated_by), Some(activated_at));
        let carried = Carried { document, packages, activated_by, activated_at };
        Some(Self { kind, label, slot, in_force: InForce { version, digest, carried } })
    }

    /// A version means one content, for good. `known` gives what a partition remembers.
    ///
    /// # Errors
    /// [`Contradiction`] where it has had another digest there.
    pub fn check(&self, known: impl Fn(&Slot) -> Option<InForce>) -> Result<(), Contradiction> {
        let is_it = |current: &InForce| current.version == self.in_force.version;
        let first = known(&Slot::Version(self.kind, self.label.clone()));
        let first = first.or_else(|| known(&self.slot).filter(is_it)).map(|known| known.digest);
        match other_digest(first.as_deref(), &self.in_force.digest) {
            Some(digest) => Err(Contradiction { label: self.label.clone(), digest: digest.to_owned() }),
            None => Ok(()),
        }
    }

    /// What is remembered from here on in a partition.
    pub fn entries(self) -> [(Slot, InForce); 2] {
        let first = InForce { carried: Carried::default(), ..self.in_force.clone() };
        [(Slot::Version(self.kind, self.label), first), (self.slot, self.in_force)]
    }
}

/// The digest, of those that a version has had, that is another one than `digest`.
pub fn other_digest<'k>(known: impl IntoIterator<Item = &'k str>, digest: &str) -> Option<&'k str> {
    known.into_iter().find(|known| *known != digest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, HashMap};

    fn activation(kind: &str, name: &str, version: &str, digest: &str) -> Activation {
        Activation {
            kind: kind.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            digest: digest.to_owned(),
            activated_by: "risk-team".to_owned(),
            activated_at: "2026-11-02T09:00:00Z".to_owned(),
            document: Some("text".into()),
            packages: Some(BTreeMap::new()),
        }
    }

    #[test]
    fn an_activation_carries_what_its_kind_does() {
        let rows = [
            ("policy", Some((Slot::Policy, "a@1.0.0", true, false))),
            ("route", Some((Slot::Route, "a@1.0.0", true, true))),
            ("model", Some((Slot::Model("a".to_owned()), "1.0.0", false, false))),
            ("scorecard", None),
        ];
        for (kind, expected) in rows {
            let told = Asked::of(activation(kind, "a", "1.0.0", "00")).map(|Asked { slot, in_force, .. }| {
                (slot, in_force.version, in_force.carried.document.is_some(), in_force.carried.packages.is_some())
            });
            let expected =
                expected.map(|(slot, version, document, packages)| (slot, version.to_owned(), document, packages));
            assert_eq!(told, expected, "{kind}");
        }
    }

    /// What a partition remembers after these activations, each with its digest; those that contradict are left out.
    fn after(activations: &[(&str, &str, &str)]) -> (HashMap<Slot, InForce>, Vec<bool>) {
        let (mut state, mut taken) = (HashMap::new(), Vec::new());
        for (kind, version, digest) in activations {
            let asked = Asked::of(activation(kind, "a", version, digest)).unwrap();
            let checked = asked.check(|slot| state.get(slot).cloned());
            taken.push(checked.is_ok());
            if checked.is_ok() {
                state.extend(asked.entries());
            }
        }
        (state, taken)
    }

    #[test]
    fn a_version_means_one_content_for_good() {
        for kind in Kind::ALL.iter().map(|kind| kind.as_str()) {
            let rows: [(&[(&str, &str)], &[bool]); 4] = [
                (&[("1.0.0", "00"), ("1.0.0", "00")], &[true, true]),
                (&[("1.0.0", "00"), ("1.0.0", "11")], &[true, false]),
                (&[("1.0.0", "00"), ("1.1.0", "11"), ("1.0.0", "11")], &[true, true, false]),
                (&[("1.0.0", "00"), ("1.1.0", "11"), ("1.0.0", "00")], &[true, true, true]),
            ];
            for (versions, expected) in rows {
                let activations: Vec<_> = versions.iter().map(|(version, digest)| (kind, *version, *digest)).collect();
                assert_eq!(after(&activations).1, expected, "{activations:?}");
            }
        }
        let both = [("policy", "1.0.0", "00"), ("route", "1.0.0", "11"), ("model", "1.0.0", "22")];
        assert_eq!(after(&both).1, [true; 3], "one label of two kinds");
    }

    /// State of a version before remembers only what is in force.
    #[test]
    fn what_is_in_force_is_remembered_without_an_entry_of_its_own() {
        let (mut state, _) = after(&[("route", "1.0.0", "00")]);
        state.remove(&Slot::Version(Kind::Route, Label::new("a", "1.0.0"))).unwrap();
        let asked = Asked::of(activation("route", "a", "1.0.0", "11")).unwrap();
        let why = asked.check(|slot| state.get(slot).cloned()).unwrap_err();
        assert_eq!(why.to_string(), "a@1.0.0 was activated with the digest 00");
    }
}
