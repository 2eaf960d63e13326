//! Why a person must look: a closed set of words, so that referrals can be counted. Never a free text.

/// The word of a referral. The words after `Zone`'s own are fixed; a zone brings its word from the policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Referral {
    /// The score lies between decline and approve, or a zone of the policy took it (then with the zone's word).
    Zone(String),
    /// No model could score the application.
    Unscorable,
    /// A rule failed, or missed a field.
    RuleError,
    /// A decline for which no specific principal reason exists.
    ExplanationUnavailable,
    /// A knockout or limit that sends to people.
    Rule,
    /// The amount is above a limit.
    Limit,
    /// The policy does not cover the product.
    UnknownProduct,
    /// An intent that is not known here.
    UnknownIntent,
    /// A request type that is not known here.
    UnknownRequestType,
    /// A score status that is not known here.
    UnknownStatus,
    /// The policy does not lend in this currency.
    UnknownCurrency,
    /// The score is in points of another scale than the policy's.
    ScaleMismatch,
    /// No cutoff of the product applies.
    NoRule,
}

impl Referral {
    /// The grey zone between the two points of a cutoff.
    pub fn grey_zone() -> Self {
        Self::Zone("grey_zone".to_owned())
    }

    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Zone(word) => word,
            Self::Unscorable => "unscorable",
            Self::RuleError => "rule_error",
            Self::ExplanationUnavailable => "explanation_unavailable",
            Self::Rule => "policy_rule",
            Self::Limit => "amount_limit",
            Self::UnknownProduct => "unknown_product",
            Self::UnknownIntent => "unknown_intent",
            Self::UnknownRequestType => "unknown_request_type",
            Self::UnknownStatus => "unknown_status",
            Self::UnknownCurrency => "unknown_currency",
            Self::ScaleMismatch => "scale_mismatch",
            Self::NoRule => "no_rule",
        }
    }
}
