//! The worker's thought: an event and a policy → the body of a decision. Pure; moves what it was given instead of copying.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::{Automation, Outcome, Referral, Step};
use policy::{Case, Compiled, Decided};
use schemas::Word;
use schemas::application::Withdrawal;
use schemas::decision::{Assignment, Decision, Inputs, ModelSummary, PolicyRef, RiskSummary};
use schemas::risk::{ApplicationRef, RiskEvent, RouteRef};

/// The number of the one automatic decision of a revision.
pub(crate) const AUTOMATIC: u32 = 1;
/// The number of the decision that a withdrawal makes.
pub(crate) const WITHDRAWAL: u32 = 2;

/// The word for what a withdrawal, or an event that cannot be read, does not say.
pub const UNKNOWN: &str = "unknown";
/// The same for the jurisdiction: ISO 3166 leaves ZZ to its users.
pub(crate) const UNKNOWN_JURISDICTION: &str = "ZZ-ZZZ";

/// The decision on a score event.
pub(crate) fn on_score(event: RiskEvent, event_id: &str, policy: &Compiled, decided_at: &str) -> Decision {
    let Decided { outcome, step, referral, is_final, rules, principal_reasons, notice, score_disclosure, offer } =
        policy::decide(&Case::of(&event), policy);
    Decision {
        outcome: outcome.into(),
        is_final,
        step: step.into(),
        referral,
        product: event.product,
        intent: event.intent,
        channel: event.channel,
        jurisdiction: event.jurisdiction,
        requested: Some(event.requested),
        risk: Some(RiskSummary {
            event_id: event_id.to_owned(),
            status: event.status,
            unscorable: event.unscorable,
            model: event.model.map(|model| ModelSummary {
                name: model.name,
                version: model.version,
                digest: model.digest,
                role: model.role,
                target: model.target,
            }),
            score: event.score,
        }),
        rules,
        principal_reasons,
        adverse_action: outcome.is_adverse(),
        notice,
        score_disclosure,
        offer,
        assignment: assignment(&event.route),
        inputs: Inputs { route_digest: Some(event.route.digest), bucket: Some(event.route.bucket) },
        subjects: event.subjects,
        times: Some(event.times),
        ..bare(event.application, AUTOMATIC, policy, decided_at)
    }
}

/// The decision that a withdrawal is.
pub(crate) fn on_withdrawal(withdrawal: &Withdrawal, revision: u32, policy: &Compiled, decided_at: &str) -> Decision {
    let application = ApplicationRef {
        tenant: withdrawal.tenant.clone(),
        application_id: withdrawal.application_id.clone(),
        revision,
    };
    Decision {
        supersedes: Some(AUTOMATIC),
        outcome: Outcome::Withdrawn.into(),
        is_final: true,
        step: Step::Withdrawal.into(),
        referral: None,
        ..bare(application, WITHDRAWAL, policy, decided_at)
    }
}

/// A referral that says only whose it is: where the event could not be read.
pub fn unreadable(application: ApplicationRef, policy: &Compiled, decided_at: &str) -> Decision {
    bare(application, AUTOMATIC, policy, decided_at)
}

fn assignment(route: &RouteRef) -> Option<Assignment> {
    Some(Assignment { arm: route.arm.clone()?, bucket: Some(route.bucket), holdout: route.holdout })
}

/// RFC 3339 in UTC with milliseconds.
pub fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn bare(application: ApplicationRef, decision_number: u32, policy: &Compiled, decided_at: &str) -> Decision {
    Decision {
        application,
        subjects: Vec::new(),
        decision_number,
        supersedes: None,
        outcome: Outcome::Refer.into(),
        is_final: false,
        automation: Automation::Automatic.into(),
        step: Step::Fallback.into(),
        referral: Some(Referral::RuleError.into()),
        product: UNKNOWN.to_owned(),
        intent: Word::parse(UNKNOWN),
        channel: UNKNOWN.to_owned(),
        jurisdiction: UNKNOWN_JURISDICTION.to_owned(),
        requested: None,
        risk: None,
        policy: PolicyRef {
            name: policy.name().to_owned(),
            version: policy.version().to_owned(),
            digest: policy.digest().to_owned(),
        },
        rules: Vec::new(),
        principal_reasons: Vec::new(),
        adverse_action: false,
        notice: None,
        score_disclosure: Vec::new(),
        offer: None,
        inputs: Inputs { route_digest: None, bucket: None },
        assignment: None,
        times: None,
        decided_at: decided_at.to_owned(),
    }
}
