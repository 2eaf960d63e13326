//! What a policy author writes. Strict: a field that is not here is refused, because a rule with a misspelt word is a rule
//! that does not hold. Evaluates nothing.

use domain::Referral;
use serde::Deserialize;

/// A policy version.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// `[a-z0-9_-]{1,64}`; the directory's name.
    pub name: String,
    /// Three numbers, such as `1.0.0`; the file's name.
    pub version: String,
    /// For readers.
    #[serde(default)]
    pub description: String,
    /// The products that this policy decides on.
    pub products: Vec<Product>,
    /// Hard rules; all that hold fire together.
    #[serde(default)]
    pub knockouts: Vec<Knockout>,
    /// Bounds on the amount.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// Conditions under which the score alone may not decide.
    #[serde(default)]
    pub zones: Vec<Zone>,
    /// Where scores become decisions; for one product the first whose condition holds applies.
    #[serde(default)]
    pub cutoffs: Vec<Cutoff>,
    /// Reason codes of this lender, beside the built-in catalogue.
    #[serde(default)]
    pub reasons: Vec<OwnReason>,
    /// Features whose values stand in no decision, such as those of the class `restricted`: senders read decisions.
    #[serde(default)]
    pub withheld: Vec<String>,
}

impl Document {
    /// The id of a rule of a section, such as `knockouts`.
    pub(crate) fn rule_id(&self, section: &str, index: usize) -> Option<&str> {
        let id = match section {
            "knockouts" => &self.knockouts.get(index)?.id,
            "limits" => &self.limits.get(index)?.id,
            "zones" => &self.zones.get(index)?.id,
            "cutoffs" => &self.cutoffs.get(index)?.id,
            _ => return None,
        };
        Some(id)
    }

    /// The condition of a rule of a section.
    pub(crate) fn condition(&self, section: &str, index: usize) -> Option<&str> {
        match section {
            "knockouts" => Some(&self.knockouts.get(index)?.when),
            "limits" => self.limits.get(index)?.when.as_deref(),
            "zones" => Some(&self.zones.get(index)?.when),
            "cutoffs" => self.cutoffs.get(index)?.when.as_deref(),
            _ => None,
        }
    }
}

/// What a rule does where something that its condition reads is absent, and nothing else in it decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absent {
    /// It fails, and the application goes to people.
    #[default]
    Refer,
    /// It does not hold.
    Skip,
}

/// A product.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Its token, as applications name it.
    pub product: String,
    /// The scale that its cutoffs are written in.
    pub scale_id: String,
    /// ISO 4217 codes that it is lent in; any other is referred.
    pub currencies: Vec<String>,
    /// What happens where no cutoff applies. Only `refer` is possible; it is written out so that nobody wonders.
    #[serde(default)]
    pub fallback: Option<Fallback>,
}

/// What happens where nothing else decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// To people.
    Refer,
}

/// A hard rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knockout {
    /// Unique in the document.
    pub id: String,
    /// Products it holds for; empty means all.
    #[serde(default)]
    pub products: Vec<String>,
    /// CEL, a boolean.
    pub when: String,
    /// Where what `when` reads is absent: `refer` where it is left out.
    #[serde(default)]
    pub absent: Option<Absent>,
    /// What it does.
    #[serde(default)]
    pub outcome: KnockoutOutcome,
    /// Reason code; a decline must have one.
    #[serde(default)]
    pub reason: Option<String>,
    /// CEL for the value that is recorded; by default taken from a simple comparison.
    #[serde(default)]
    pub value: Option<String>,
    /// CEL for the threshold that is recorded; by default taken from a simple comparison.
    #[serde(default)]
    pub threshold: Option<String>,
}

/// What a knockout does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnockoutOutcome {
    /// Credit is refused.
    #[default]
    Decline,
    /// To people.
    Refer,
}

/// A bound on the amount.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Unique in the document.
    pub id: String,
    /// The product.
    pub product: String,
    /// ISO 4217.
    pub currency: String,
    /// Score bands it holds for; empty means all.
    #[serde(default)]
    pub bands: Vec<String>,
    /// CEL, a boolean; absent means always.
    #[serde(default)]
    pub when: Option<String>,
    /// Where what `when` reads is absent: `refer` where it is left out.
    #[serde(default)]
    pub absent: Option<Absent>,
    /// The limit fires above this many minor units.
    pub max_amount_minor: i64,
    /// What it does.
    pub outcome: LimitOutcome,
    /// Reason code; a decline must have one.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What a limit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitOutcome {
    /// Credit is refused.
    Decline,
    /// To people.
    Refer,
    /// If the cutoff approves, `max_amount_minor` is offered.
    Counteroffer,
}

/// A condition under which people look, whatever the cutoff says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Unique in the document.
    pub id: String,
    /// Products it holds for; empty means all.
    #[serde(default)]
    pub products: Vec<String>,
    /// CEL, a boolean.
    pub when: String,
    /// Where what `when` reads is absent: `refer` where it is left out.
    #[serde(default)]
    pub absent: Option<Absent>,
    /// The word of the referral, a token.
    #[serde(default = "grey_zone")]
    pub referral: String,
}

fn grey_zone() -> String {
    Referral::GreyZone.to_string()
}

/// Where scores become decisions: by points or by bands, not both.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cutoff {
    /// Unique in the document.
    pub id: String,
    /// The product.
    pub product: String,
    /// CEL, a boolean; absent means always.
    #[serde(default)]
    pub when: Option<String>,
    /// Where what `when` reads is absent: `refer` where it is left out.
    #[serde(default)]
    pub absent: Option<Absent>,
    /// Points at or above which credit is granted.
    #[serde(default)]
    pub approve_at_or_above: Option<i32>,
    /// Points below which credit is refused; between the two people look.
    #[serde(default)]
    pub decline_below: Option<i32>,
    /// Bands in which credit is granted.
    #[serde(default)]
    pub approve_bands: Vec<String>,
    /// Bands in which people look.
    #[serde(default)]
    pub refer_bands: Vec<String>,
    /// Bands in which credit is refused.
    #[serde(default)]
    pub decline_bands: Vec<String>,
}

/// A reason code of this lender.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnReason {
    /// The code, a token.
    pub code: String,
    /// What the applicant is told.
    pub text: String,
    /// A code of the built-in catalogue, or `other`.
    pub form_c1: String,
    /// HMDA reason for denial, 1..=9.
    pub hmda: u8,
}
