//! What can become of an application, by which step, why a person must look, and who says so.

use crate::word::words;

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
    /// Why a person must look: a closed set, so that referrals can be counted. A zone of a policy may bring a word of its own.
    Referral {
        /// The score lies between decline and approve.
        GreyZone = "grey_zone",
        /// No model could score the application.
        Unscorable = "unscorable",
        /// A rule failed, or missed a field.
        RuleError = "rule_error",
        /// A decline for which no specific principal reason exists.
        ExplanationUnavailable = "explanation_unavailable",
        /// A knockout that sends to people.
        Rule = "policy_rule",
        /// The amount is above a limit.
        Limit = "amount_limit",
        /// The policy does not cover the product.
        UnknownProduct = "unknown_product",
        /// An intent that is not known here.
        UnknownIntent = "unknown_intent",
        /// A request type that is not known here.
        UnknownRequestType = "unknown_request_type",
        /// A score status that is not known here.
        UnknownStatus = "unknown_status",
        /// The policy does not lend in this currency.
        UnknownCurrency = "unknown_currency",
        /// The score is in points of another scale than the policy's.
        ScaleMismatch = "scale_mismatch",
        /// No cutoff of the product applies.
        NoRule = "no_rule",
        /// A rule hangs on a feature whose value was outside its declared range.
        OutOfRange = "out_of_range",
    }
}

words! {
    /// How a rule compares what it saw with its threshold.
    Comparator {
        /// `<`
        Below = "below",
        /// `<=`
        AtMost = "at_most",
        /// `>`
        Above = "above",
        /// `>=`
        AtLeast = "at_least",
        /// `==`
        Equal = "equal",
        /// `!=`
        NotEqual = "not_equal",
        /// `in`
        OneOf = "one_of",
        /// `in`, under a `!`.
        NoneOf = "none_of",
    }
}

words! {
    /// Who decided.
    Automation {
        /// A policy.
        Automatic = "automatic",
        /// A person.
        Human = "human",
    }
}

words! {
    /// What gave a principal reason.
    ReasonSource {
        /// A rule of the policy.
        Policy = "policy",
        /// A characteristic of the model.
        Model = "model",
        /// A person.
        Human = "human",
    }
}

impl Outcome {
    /// Those that answer an application. An application is *automatic* when the decision that stands is one of them and nobody but a policy
    /// made it: a referral waits for a person, whoever referred it, and a withdrawal is the applicant's (ADR 56).
    pub const ANSWERS: [Self; 3] = [Self::Approve, Self::Counteroffer, Self::Decline];

    /// Whether a notice of adverse action is due (Reg B 1002.2(c)).
    pub fn is_adverse(self) -> bool {
        matches!(self, Self::Decline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_decline_is_adverse() {
        let adverse = Outcome::ALL.iter().filter(|outcome| outcome.is_adverse()).collect::<Vec<_>>();
        assert_eq!(adverse, [&Outcome::Decline]);
    }
}
