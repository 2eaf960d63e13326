//! Closed words: an enum whose variants have one word each, in one table. Nothing here serialises: `schemas::Word` carries such a
//! word over a process border, beside words that are not known here.

use std::fmt::Debug;

/// A closed list of words. [`words!`](crate::words) writes it from one table, beside inherent functions of the same names.
pub trait Worded: Copy + Eq + Debug + 'static {
    /// Every variant, in the order of its table.
    const ALL: &'static [Self];

    /// The word on the wire.
    fn as_str(self) -> &'static str;

    /// The variant of a word, byte for byte; `None` when the word is not known here (readers then refer).
    fn parse(text: &str) -> Option<Self>;
}

/// Makes an enum of `Variant = "word"` rows: with every variant in `ALL`, so that none can be forgotten there, and both ways between
/// variant and word.
#[macro_export]
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every variant, in the order of its table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The variant of a word, byte for byte; `None` when the word is not known here (readers then refer).
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl $crate::Worded for $name {
            const ALL: &'static [Self] = Self::ALL;

            fn as_str(self) -> &'static str {
                self.as_str()
            }

            fn parse(text: &str) -> Option<Self> {
                Self::parse(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::{ApplicantKind, Intent, ReportStatus, RequestType, Role};
    use crate::delivery::DeliveryStatus;
    use crate::facts::*;
    use crate::intake::{Channel, ReplyStatus};
    use crate::outcome::{Automation, Comparator, Outcome, ReasonSource, Referral, Step};
    use crate::score::{FeatureFlag, ModelRole, Population, ScoreStatus};

    /// Every word comes back as it went, is a lower-case token of the contract, and is known in no other spelling.
    fn check<T: Worded>(count: usize) {
        assert_eq!(T::ALL.len(), count, "{:?}", T::ALL);
        for (index, variant) in T::ALL.iter().enumerate() {
            let word = variant.as_str();
            let is_token = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            assert!((1..=64).contains(&word.len()) && word.bytes().all(is_token), "{word}");
            assert_eq!(T::parse(word), Some(*variant), "{word}");
            assert!(T::ALL[..index].iter().all(|other| other.as_str() != word), "{word} stands twice");
            let misspelt = [word.to_uppercase(), format!("{word} "), format!(" {word}"), format!("{word}_")];
            for text in misspelt.iter().filter(|text| *text != word) {
                assert_eq!(T::parse(text), None, "{text}");
            }
        }
        for text in ["", "word_of_tomorrow", "\0"] {
            assert_eq!(T::parse(text), None, "{text}");
        }
    }

    #[test]
    fn words_come_back_as_they_went_and_nothing_else_is_known() {
        check::<Intent>(3);
        check::<RequestType>(4);
        check::<Role>(3);
        check::<ApplicantKind>(2);
        check::<ReportStatus>(5);
        check::<Channel>(3);
        check::<ReplyStatus>(5);
        check::<ScoreStatus>(2);
        check::<ModelRole>(3);
        check::<FeatureFlag>(3);
        check::<Population>(2);
        check::<Outcome>(6);
        check::<Step>(7);
        check::<Referral>(14);
        check::<Comparator>(8);
        check::<Automation>(2);
        check::<ReasonSource>(3);
        check::<DeliveryStatus>(3);
    }

    #[test]
    fn so_do_the_words_of_facts() {
        check::<Period>(3);
        check::<IncomeBasis>(2);
        check::<Evidence>(2);
        check::<DependantsBand>(2);
        check::<EmploymentStatus>(6);
        check::<TenureBand>(5);
        check::<Occupation>(4);
        check::<HousingStatus>(3);
        check::<ResidenceBand>(4);
        check::<CheckingBand>(4);
        check::<SavingsBand>(5);
        check::<CreditHistory>(5);
        check::<InstalmentRateBand>(4);
        check::<OtherInstalmentPlans>(3);
        check::<ExistingCreditsBand>(4);
        check::<OtherDebtors>(3);
        check::<MostValuable>(4);
    }

    #[test]
    fn a_word_is_written_as_on_the_wire() {
        assert_eq!(Role::CoApplicant.to_string(), "co_applicant");
        assert_eq!(format!("{:>9}|", Outcome::Refer.as_str()), "    refer|");
    }
}
