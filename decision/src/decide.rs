//! The worker's thought: an event and a policy → the body of a decision. Pure; moves what it was given instead of copying.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::outcome::{Outcome, Step};
use policy::{Compiled, Decided, Referral};
use schemas::application::Withdrawal;
use schemas::decision::{Assignment, Decision, Inputs, ModelSummary, PolicyRef, RiskSummary};
use schemas::risk::{ApplicationRef, RiskEvent, RouteRef};

/// The number of the one automatic decision of a revision.
pub const AUTOMATIC: u32 = 1;
/// The number of the decision that a withdrawal makes.
pub const WITHDRAWAL: u32 = 2;

/// The word for what a withdrawal, or an event that cannot be read, does not say.
pub const UNKNOWN: &str = "unknown";
/// The same for the jurisdiction: ISO 3166 leaves ZZ to its users.
pub const UNKNOWN_JURISDICTION: &str = "ZZ-ZZZ";

/// The decision on a score event.
pub fn on_score(event: RiskEvent, event_id: &str, policy: &Compiled, decided_at: &str) -> Decision {
    let Decided { outcome, step, referral, is_final, rules, principal_reasons, notice, score_disclosure, offer } =
        policy::decide(&event, policy);
    Decision {
        outcome: outcome.as_str().to_owned(),
        is_final,
        step: step.as_str().to_owned(),
        referral: referral.map(|word| word.as_str().to_owned()),
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
pub fn on_withdrawal(withdrawal: &Withdrawal, revision: u32, policy: &Compiled, decided_at: &str) -> Decision {
    let application = ApplicationRef {
        tenant: withdrawal.tenant.clone(),
        application_id: withdrawal.application_id.clone(),
        revision,
    };
    Decision {
        supersedes: Some(AUTOMATIC),
        outcome: Outcome::Withdrawn.as_str().to_owned(),
        is_final: true,
        step: Step::Withdrawal.as_str().to_owned(),
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
        outcome: Outcome::Refer.as_str().to_owned(),
        is_final: false,
        automation: "automatic".to_owned(),
        step: Step::Fallback.as_str().to_owned(),
        referral: Some(Referral::RuleError.as_str().to_owned()),
        product: UNKNOWN.to_owned(),
        intent: UNKNOWN.to_owned(),
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
