//! What can become of an application.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every variant, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The variant of a word; `None` when the word is not known here (readers then refer).
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// The outcome of a decision.
    Outcome {
        /// Credit is granted as asked.
        Approve = "approve",
        /// Credit is offered on other terms.
        Counteroffer = "counteroffer",
        /// A person must look.
        Refer = "refer",
        /// Credit is refused: an adverse action.
        Decline = "decline",
        /// Facts are missing that the applicant can supply (Reg B 1002.9(c)(2)).
        Incomplete = "incomplete",
        /// The applicant withdrew.
        Withdrawn = "withdrawn",
    }
}

words! {
    /// The step that decided.
    Step {
        /// A hard rule.
        Knockout = "knockout",
        /// The score against its cutoff.
        Cutoff = "cutoff",
        /// The grey zone between approve and decline.
        Zone = "zone",
        /// A limit on the amount.
        Limit = "limit",
        /// A person.
        Human = "human",
        /// No score or no rule could be applied.
        Fallback = "fallback",
        /// The applicant ended it.
        Withdrawal = "withdrawal",
    }
}

words! {
    /// The answer to one published record.
    ReplyStatus {
        /// New; it will be decided.
        Accepted = "accepted",
        /// The same revision with the same content was accepted before.
        Duplicate = "duplicate",
        /// A higher revision was accepted before.
        Superseded = "superseded",
        /// The same revision was accepted before with other content.
        Conflict = "conflict",
        /// Refused, with a problem type and pointers.
        Rejected = "rejected",
    }
}

impl Outcome {
    /// Whether a notice of adverse action is due (Reg B 1002.2(c)).
    pub fn is_adverse(self) -> bool {
        matches!(self, Self::Decline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_as_they_went() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.as_str()), Some(*outcome));
        }
        assert_eq!(Outcome::parse("maybe"), None);
    }
}
