//! One policy and one event that every test bends to its purpose. Never read by production code.

use domain::{ApplicantKind, FeatureFlag, Intent, ModelRole, Population, RequestType, Role, ScoreStatus};
use policy::Compiled;
use schemas::Word;
use schemas::application::{Facts, Requested, WireMoney};
use schemas::risk::*;

/// A small policy with one rule of each sort.
pub const POLICY: &str = include_str!("policy.yaml");

pub fn policy() -> Compiled {
    Compiled::load(POLICY.as_bytes()).unwrap()
}

/// A scored card application that is approved.
pub fn event() -> RiskEvent {
    let subject = |role: Role| Subject {
        role: role.into(),
        kind: ApplicantKind::Person.into(),
        key_id: "k1".into(),
        subject: "00".into(),
    };
    RiskEvent {
        application: ApplicationRef { tenant: "bank".into(), application_id: "L-1".into(), revision: 1 },
        subjects: vec![subject(Role::Primary), subject(Role::Guarantor)],
        input: InputRef {
            event_id: "e".into(),
            topic: "credit.applications.v1".into(),
            partition: 0,
            offset: 7,
            data_digest: "00".into(),
            data_digest_key: None,
        },
        product: "card".into(),
        intent: Intent::Decide.into(),
        request_type: RequestType::New.into(),
        channel: "online".into(),
        jurisdiction: "US-CA".into(),
        requested: Requested {
            amount: WireMoney { amount_minor: 200_000, currency: "USD".into() },
            term_months: Some(36),
            purpose: None,
        },
        facts: Facts { of_legal_age: Some(true), ..Facts::default() },
        parties: Vec::new(),
        times: Times {
            submitted_at: "2026-11-02T08:59:00Z".into(),
            completed_at: Some("2026-11-02T09:00:00Z".into()),
            received_at: "2026-11-03T10:00:00.000Z".into(),
            as_of: "2026-11-01".into(),
        },
        status: ScoreStatus::Scored.into(),
        unscorable: Vec::new(),
        model: Some(ModelRef {
            name: "card-scorecard".into(),
            version: "1.0.0".into(),
            digest: "11".into(),
            role: ModelRole::Champion.into(),
            target: Target {
                definition: "90 days late".into(),
                horizon_months: 12,
                population: Population::Booked.into(),
                prior_correction: "none".into(),
            },
            engine: "tract 0.23".into(),
            kernel: "generic".into(),
        }),
        route: RouteRef { digest: "22".into(), bucket: 4711, ..RouteRef::default() },
        score: Some(score(620, "A")),
        features: ["late", "income", "age_of_file", "inquiries", "use"].map(|name| feature(name, 1.0, None)).into(),
        explanation: None,
        reasons: vec![
            reason("excessive_obligations", "use", 0.9),
            reason("recent_inquiries", "inquiries", 0.1),
            reason("limited_experience", "age_of_file", 0.4),
            reason("income_insufficient", "income", 0.4),
            reason("delinquent_obligations", "late", 0.3),
        ],
        reports: Vec::new(),
    }
}

pub fn score(points: i32, band: &str) -> Score {
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

pub fn feature(name: &str, value: f32, flag: Option<FeatureFlag>) -> FeatureUsed {
    FeatureUsed { name: name.into(), value, flag: flag.map(Word::from), contribution: 0.0 }
}

pub fn reason(code: &str, of: &str, contribution: f64) -> CandidateReason {
    let built_in = domain::reason::find(code).unwrap();
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
