//! Classes of what a sender may send freely: members of `attributes`, and of the `fields` of reports. The contract has no name for
//! them, so that a feature contract says what they are. Who sees a class, and where it is kept, is the workers' affair.

use std::collections::{BTreeMap, BTreeSet};

/// What a member is, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldClass {
    /// A fact about a loan or its repayment: everybody who sees applications may see it.
    Plain,
    /// Not for everybody: for those who decide.
    Restricted,
    /// Who somebody is, or must not matter: it goes where the identity goes.
    Personal,
}

impl FieldClass {
    /// The word of a feature contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Restricted => "restricted",
            Self::Personal => "personal",
        }
    }
}

/// Where members are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Free {
    /// In `attributes` of an application.
    Attribute,
    /// In `fields` of an applicant's report.
    ReportField,
}

impl Free {
    /// The free member that a path of an application leads to or through; none for what the contract names.
    pub fn of_path<'p>(path: &[&'p str]) -> Option<(Self, &'p str)> {
        match path {
            ["attributes", name, ..] => Some((Self::Attribute, name)),
            ["applicants", _, "reports", _, "fields", name, ..] => Some((Self::ReportField, name)),
            _ => None,
        }
    }
}

/// A member's class and whether a contract says it in so many words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    class: FieldClass,
    in_words: bool,
}

/// What all feature contracts of a deployment say together. Words outweigh use; of several words the strictest counts. Where one of
/// them cannot be read, what no other one names has the strictest class that it could have there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldClasses {
    members: BTreeMap<(Free, String), Said>,
    /// Of features, by model, version and name: only those that are not plain.
    features: BTreeMap<(String, String, String), FieldClass>,
    /// Models and versions whose features are known.
    contracts: BTreeSet<(String, String)>,
    /// There is a contract that cannot be read.
    lacks_one: bool,
}

impl FieldClasses {
    /// A contract reads a member and says nothing of it: plain, unless another says otherwise.
    pub fn used(&mut self, place: Free, name: &str) {
        let said = Said { class: FieldClass::Plain, in_words: false };
        self.members.entry((place, name.to_owned())).or_insert(said);
    }

    /// A contract says what a member is.
    pub fn said(&mut self, place: Free, name: &str, class: FieldClass) {
        let said = self.members.entry((place, name.to_owned())).or_insert(Said { class, in_words: true });
        *said = Said { class: if said.in_words { said.class.max(class) } else { class }, in_words: true };
    }

    /// A contract says what a feature is made of.
    pub fn feature(&mut self, model: &str, version: &str, name: &str, class: FieldClass) {
        self.contracts.insert((model.to_owned(), version.to_owned()));
        if class > FieldClass::Plain {
            self.features.insert((model.to_owned(), version.to_owned(), name.to_owned()), class);
        }
    }

    /// There is a contract that cannot be read, and nobody knows what it calls personal.
    pub fn cannot_read_one(&mut self) {
        self.lacks_one = true;
    }

    /// A member's class; what no contract names is restricted, and personal where one cannot be read.
    pub fn of(&self, place: Free, name: &str) -> FieldClass {
        let unnamed = if self.lacks_one { FieldClass::Personal } else { FieldClass::Restricted };
        self.members.get(&(place, name.to_owned())).map_or(unnamed, |said| said.class)
    }

    /// A feature's class, which is plain where its contract says nothing, and restricted where that may be the one that cannot be read.
    pub fn of_feature(&self, model: &str, version: &str, name: &str) -> FieldClass {
        if self.features.is_empty() && !self.lacks_one {
            return FieldClass::Plain;
        }
        let (model, version) = (model.to_owned(), version.to_owned());
        if self.lacks_one && !self.contracts.contains(&(model.clone(), version.clone())) {
            return FieldClass::Restricted;
        }
        self.features.get(&(model, version, name.to_owned())).copied().unwrap_or(FieldClass::Plain)
    }

    /// Whether any member of that place is personal, or may be.
    pub fn has_personal(&self, place: Free) -> bool {
        self.lacks_one
            || self.members.iter().any(|((found, _), said)| *found == place && said.class == FieldClass::Personal)
    }

    /// Takes over what other contracts say.
    pub fn join(&mut self, other: Self) {
        for ((place, name), said) in other.members {
            if said.in_words { self.said(place, &name, said.class) } else { self.used(place, &name) }
        }
        self.features.extend(other.features);
        self.contracts.extend(other.contracts);
        self.lacks_one |= other.lacks_one;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FieldClass::{Personal, Plain, Restricted};
    use Free::{Attribute, ReportField};

    #[test]
    fn only_free_members_have_a_class() {
        let rows: [(&str, Option<(Free, &str)>); 7] = [
            ("attributes/naics", Some((Attribute, "naics"))),
            ("attributes/bill/amount_minor", Some((Attribute, "bill"))),
            ("applicants/0/reports/1/fields/inquiries", Some((ReportField, "inquiries"))),
            ("attributes", None),
            ("applicants/0/reports/1/score", None),
            ("applicants/0/facts/income", None),
            ("requested/amount", None),
        ];
        for (path, expected) in rows {
            assert_eq!(Free::of_path(&path.split('/').collect::<Vec<_>>()), expected, "{path}");
        }
    }

    #[test]
    fn words_outweigh_use_and_the_strictest_word_counts() {
        let mut classes = FieldClasses::default();
        assert_eq!(classes.of(Attribute, "naics"), Restricted, "nobody names it");
        classes.used(Attribute, "naics");
        assert_eq!(classes.of(Attribute, "naics"), Plain);
        assert_eq!(classes.of(ReportField, "naics"), Restricted, "another place");
        classes.said(Attribute, "naics", Restricted);
        classes.used(Attribute, "naics");
        assert_eq!(classes.of(Attribute, "naics"), Restricted);
        let mut other = FieldClasses::default();
        other.said(Attribute, "naics", Personal);
        other.feature("m", "1", "f", Restricted);
        other.feature("m", "1", "g", Plain);
        assert!(!classes.has_personal(Attribute));
        classes.join(other.clone());
        assert!(classes.has_personal(Attribute) && !classes.has_personal(ReportField));
        let features = ["f", "g"].map(|name| classes.of_feature("m", "1", name));
        assert_eq!((classes.of(Attribute, "naics"), features), (Personal, [Restricted, Plain]));
        other.join(classes.clone());
        assert_eq!(other, classes, "in any order");
    }
    #[test]
    fn what_a_contract_that_cannot_be_read_may_say_is_the_strictest() {
        let mut classes = FieldClasses::default();
        classes.used(Attribute, "naics");
        classes.said(Attribute, "branch", Restricted);
        classes.feature("m", "1", "f", Plain);
        let mut unread = FieldClasses::default();
        unread.cannot_read_one();
        for classes in [&mut classes.clone(), &mut unread.clone()] {
            classes.join(unread.clone());
            assert_eq!(classes.of(Attribute, "email"), Personal);
            assert!(classes.has_personal(Attribute) && classes.has_personal(ReportField));
            assert_eq!(classes.of_feature("m", "2", "f"), Restricted);
        }
        classes.join(unread);
        let named = ["naics", "branch"].map(|name| classes.of(Attribute, name));
        assert_eq!((named, classes.of_feature("m", "1", "f")), ([Plain, Restricted], Plain), "others say so");
    }
}
