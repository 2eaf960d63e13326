//! The body of an application as senders write it. Strict: an unknown field outside `attributes` is refused, because a typo
//! in an optional field is a wrong score.

use crate::Word;
use domain::facts::*;
use domain::money::BadMoney;
use domain::{ApplicantKind, Currency, Intent, Money, ReportStatus, RequestType, Role};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// `ce_type` of a submitted application.
pub const SUBMITTED: &str = "application.submitted.v1";
/// `ce_type` of a withdrawal.
pub const WITHDRAWN: &str = "application.withdrawn.v1";

/// An amount with its currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireMoney {
    /// Minor units, |x| ≤ 2^53−1.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
}

impl WireMoney {
    /// The amount in a currency that is known here.
    ///
    /// # Errors
    /// [`BadMoney`]: an unknown currency, or an amount beyond ±(2^53−1).
    pub fn money(&self) -> Result<Money, BadMoney> {
        Money::new(self.amount_minor, Currency::parse(&self.currency)?)
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requested {
    /// Above zero.
    pub amount: WireMoney,
    /// 1..=600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_months: Option<u32>,
    /// A token `[a-z_]{1,64}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

/// The body of `application.submitted.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// Must be the tenant that topic or principal is bound to.
    pub tenant: String,
    /// The originator's id.
    pub application_id: String,
    /// From 1.
    pub revision: i64,
    /// A product of the deployment.
    pub product: String,
    /// What is wanted.
    pub intent: Word<Intent>,
    /// What kind of request it is.
    pub request_type: Word<RequestType>,
    /// A token `[a-z_]{1,64}`.
    pub channel: String,
    /// ISO 3166-2, such as `US-CA`.
    pub jurisdiction: String,
    /// Amount, term, purpose.
    pub requested: Requested,
    /// What secures the loan.
    #[serde(default)]
    pub collateral: Vec<Collateral>,
    /// Documents by digest.
    #[serde(default)]
    pub documents: Vec<Document>,
    /// The sender's clock.
    pub submitted_at: String,
    /// When the application was complete; starts the notice clock.
    #[serde(default)]
    pub completed_at: Option<String>,
    /// The date that the facts describe.
    pub as_of: String,
    /// One `primary` first.
    pub applicants: Vec<Applicant>,
    /// Free, for a model's feature contract.
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

/// A security.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collateral {
    /// A token.
    pub kind: String,
    /// Its value.
    #[serde(default)]
    pub value: Option<WireMoney>,
    /// When it was valued, a date.
    #[serde(default)]
    pub valued_at: Option<String>,
}

/// A document, which stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The sender's id.
    pub id: String,
    /// A token.
    pub kind: String,
    /// 64 hexadecimal digits.
    pub sha256: String,
}

/// One of the people or organisations that apply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Applicant {
    /// Part in the application.
    pub role: Word<Role>,
    /// A person or an organisation.
    pub kind: Word<ApplicantKind>,
    /// The sender's reference; becomes the keyed `subject`.
    pub customer_ref: String,
    /// Names, national id, address, contacts. Stripped by ingest.
    #[serde(default)]
    pub identity: Map<String, Value>,
    /// Sex, age, marital status, ethnicity … Stripped by ingest.
    #[serde(default)]
    pub protected: Map<String, Value>,
    /// What was agreed to.
    #[serde(default)]
    pub consents: Vec<Consent>,
    /// Typed facts.
    #[serde(default)]
    pub facts: Facts,
    /// Bureau reports.
    #[serde(default)]
    pub reports: Vec<Report>,
}

/// A consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// A token.
    pub purpose: String,
    /// RFC 3339.
    pub granted_at: String,
    /// Version of the text agreed to.
    #[serde(default)]
    pub version: Option<String>,
}

/// A report of a credit bureau.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The bureau.
    pub source: String,
    /// Its id of the report.
    pub report_id: String,
    /// RFC 3339.
    pub pulled_at: String,
    /// What the bureau found.
    pub status: Word<ReportStatus>,
    /// Points.
    #[serde(default)]
    pub score: Option<i64>,
    /// Lowest and highest points.
    #[serde(default)]
    pub range: Option<[i64; 2]>,
    /// The bureau's fields.
    #[serde(default)]
    pub fields: Map<String, Value>,
}

/// Facts of an applicant. Absent: not asked; null: asked, unknown; zero is zero.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // each field is described in the JSON Schema, the one place that senders read
pub struct Facts {
    #[serde(default)]
    pub of_legal_age: Option<bool>,
    #[serde(default)]
    pub income: Vec<Income>,
    #[serde(default, deserialize_with = "listed", skip_serializing_if = "Option::is_none")]
    pub debts: Option<Vec<Debt>>,
    #[serde(default)]
    pub employment: Option<Employment>,
    #[serde(default)]
    pub housing: Option<Housing>,
    #[serde(default)]
    pub dependants: Option<u32>,
    #[serde(default)]
    pub dependants_band: Option<Word<DependantsBand>>,
    #[serde(default)]
    pub accounts: Option<Accounts>,
    #[serde(default)]
    pub obligations: Option<Obligations>,
    #[serde(default)]
    pub assets: Option<Assets>,
    #[serde(default)]
    pub telephone: Option<bool>,
}

/// A list that is there: one that was left out is none, and null is no list.
fn listed<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<Debt>>, D::Error> {
    Vec::deserialize(from).map(Some)
}

/// A regular income.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Income {
    pub amount: WireMoney,
    pub period: Word<Period>,
    pub basis: Word<IncomeBasis>,
    pub evidence: Word<Evidence>,
}

/// A debt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Debt {
    pub kind: String,
    #[serde(default)]
    pub balance: Option<WireMoney>,
    #[serde(default)]
    pub payment: Option<WireMoney>,
    #[serde(default)]
    pub period: Option<Word<Period>>,
    pub evidence: Word<Evidence>,
}

/// Employment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Employment {
    #[serde(default)]
    pub status: Option<Word<EmploymentStatus>>,
    #[serde(default)]
    pub tenure_months: Option<u32>,
    #[serde(default)]
    pub tenure_band: Option<Word<TenureBand>>,
    #[serde(default)]
    pub occupation: Option<Word<Occupation>>,
}

/// Housing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Housing {
    #[serde(default)]
    pub status: Option<Word<HousingStatus>>,
    #[serde(default)]
    pub residence_months: Option<u32>,
    #[serde(default)]
    pub residence_band: Option<Word<ResidenceBand>>,
}

/// Accounts, in bands of the currency of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Accounts {
    #[serde(default)]
    pub checking_band: Option<Word<CheckingBand>>,
    #[serde(default)]
    pub savings_band: Option<Word<SavingsBand>>,
}

/// Obligations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Obligations {
    #[serde(default)]
    pub credit_history: Option<Word<CreditHistory>>,
    #[serde(default)]
    pub instalment_rate_band: Option<Word<InstalmentRateBand>>,
    #[serde(default)]
    pub other_instalment_plans: Option<Word<OtherInstalmentPlans>>,
    #[serde(default)]
    pub existing_credits_band: Option<Word<ExistingCreditsBand>>,
    #[serde(default)]
    pub other_debtors: Option<Word<OtherDebtors>>,
}

/// Assets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Assets {
    #[serde(default)]
    pub most_valuable: Option<Word<MostValuable>>,
}

/// The body of `application.withdrawn.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withdrawal {
    /// As in the application.
    pub tenant: String,
    /// As in the application.
    pub application_id: String,
    /// RFC 3339, the sender's clock.
    pub withdrawn_at: String,
    /// A token.
    #[serde(default)]
    pub reason: Option<String>,
}
