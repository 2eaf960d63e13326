//! What the tables of this crate bend to their purpose: one policy, one event that it approves, and their parts.

use crate::load::Compiled;
use crate::sample;
use domain::{ApplicantKind, FeatureFlag, Role};
use schemas::risk::{CandidateReason, FeatureUsed, RiskEvent, Score, Subject};

/// A small policy with one rule of each sort.
pub(crate) const POLICY: &str = include_str!("tests/policy.yaml");

/// The same, compiled.
pub(crate) fn policy() -> Compiled {
    Compiled::load(POLICY.as_bytes()).expect("the policy of a test loads")
}

/// Changes an event.
pub(crate) type Bend = fn(&mut RiskEvent);

/// A scored card application of a primary and a guarantor.
pub(crate) fn event() -> RiskEvent {
    let mut event = sample::event(&[]);
    (event.product, event.application.tenant) = ("card".into(), "bank".into());
    event.subjects = [Role::Primary, Role::Guarantor].map(subject).into();
    event.parties.clear();
    event.requested.amount.amount_minor = 200_000;
    event.times.completed_at = Some("2026-11-02T09:00:00Z".into());
    event.times.received_at = "2026-11-03T10:00:00.000Z".into();
    event.score = Some(score(620, "A"));
    event.features = ["late", "income", "age_of_file", "inquiries", "use"].map(|name| feature(name, 1.0, None)).into();
    event.reasons = vec![
        reason("excessive_obligations", "use", 0.9),
        reason("recent_inquiries", "inquiries", 0.1),
        reason("limited_experience", "age_of_file", 0.4),
        reason("income_insufficient", "income", 0.4),
        reason("delinquent_obligations", "late", 0.3),
    ];
    event.reports.clear();
    event
}

pub(crate) fn subject(role: Role) -> Subject {
    Subject { role: role.into(), kind: ApplicantKind::Person.into(), key_id: "k1".into(), subject: "00".into() }
}

pub(crate) fn score(points: i32, band: &str) -> Score {
    Score {
        margin: -2.0,
        pd_raw: 0.1,
        pd: 0.12,
        class: 0,
        threshold: 0.25,
        score: points,
        range: [300, 850],
        scale_id: "card.v1".into(),
        band: band.into(),
    }
}

pub(crate) fn feature(name: &str, value: f32, flag: Option<FeatureFlag>) -> FeatureUsed {
    FeatureUsed { name: name.into(), value, flag: flag.map(Into::into), contribution: 0.0 }
}

/// A factor of the score with the text of the catalogue.
pub(crate) fn reason(code: &str, of: &str, contribution: f64) -> CandidateReason {
    let built_in = domain::reason::find(code).expect(code);
    CandidateReason {
        rank: 1,
        code: code.into(),
        text: built_in.text.into(),
        form_c1: code.into(),
        hmda: built_in.hmda,
        features: vec![of.into()],
        contribution,
    }
}

/// A policy of one product with these sections and, where they have none, a cutoff that approves the event.
pub(crate) fn small(sections: &str) -> Compiled {
    let head = "name: t\nversion: 1.0.0\nproducts: [{product: card, scale_id: card.v1, currencies: [USD, EUR], fallback: refer}]";
    let cutoffs = "cutoffs: [{id: cut, product: card, approve_at_or_above: 600, decline_below: 550}]";
    let cutoffs = if sections.contains("cutoffs:") { "" } else { cutoffs };
    Compiled::load(format!("{head}\n{sections}\n{cutoffs}\n").as_bytes()).expect("the policy of a test loads")
}
