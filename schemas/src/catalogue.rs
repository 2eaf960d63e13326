//! Every event type with its published schema, the topics that carry it, and its examples: the contract as data, compiled in, so
//! that validators, tests and tools need no files beside the binary. Judges nothing but what a schema says.

use crate::topics::Topic;
use jsonschema::{Registry, Validator};
use serde_json::Value;

/// In front of the file names under `schemas/json/` in every `$id`. Nothing is ever fetched from there.
pub const BASE_URI: &str = "https://schemas.defaultx.example/";

/// A published schema file.
#[derive(Debug, Clone, Copy)]
pub struct Document {
    /// File name under `schemas/json/`.
    pub file: &'static str,
    /// Its text, JSON Schema 2020-12.
    pub text: &'static str,
}

/// An event type.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// `ce_type`; for `webhook.v1` the name of the body that notifier sends by HTTP.
    pub event_type: &'static str,
    /// Topics that carry it.
    pub topics: &'static [Topic],
    /// Whether fields that the schema does not describe are refused: what comes in is strict, what goes out is open.
    pub strict: bool,
    /// Schema of the body.
    pub schema: Document,
    /// Examples, named after their files.
    pub examples: &'static [Example],
}

/// An example body.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// `good-…`, `edge-…` (valid, at a limit of the contract) or `bad-…`.
    pub name: &'static str,
    /// The body as JSON.
    pub text: &'static str,
}

/// What an example is there to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Everyday.
    Good,
    /// Valid, at a limit of the contract.
    Edge,
    /// Refused by the schema; `faults.json` beside it says where.
    Bad,
}

impl Example {
    /// By the first word of its name.
    pub fn kind(&self) -> Kind {
        match self.name.split_once('-') {
            Some(("good", _)) => Kind::Good,
            Some(("edge", _)) => Kind::Edge,
            _ => Kind::Bad,
        }
    }
}

/// Why there is no validator.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// Not in [`EVENTS`].
    #[error("there is no event type {0}")]
    UnknownType(String),
    /// A schema file is not JSON.
    #[error("{file} is not JSON: {source}")]
    Json {
        /// The file.
        file: &'static str,
        /// Where.
        source: serde_json::Error,
    },
    /// A schema does not compile, or refers to one that is not here.
    #[error("{file} does not compile: {why}")]
    Schema {
        /// The file.
        file: &'static str,
        /// In the words of the compiler.
        why: String,
    },
}

macro_rules! document {
    ($file:literal) => {
        Document { file: $file, text: include_str!(concat!("../json/", $file)) }
    };
}

macro_rules! event {
    ($event_type:literal, $strict:literal, [$($topic:ident),*], [$($example:literal),+ $(,)?]) => {
        Event {
            event_type: $event_type,
            topics: &[$(Topic::$topic),*],
            strict: $strict,
            schema: Document {
                file: concat!($event_type, ".json"),
                text: include_str!(concat!("../json/", $event_type, ".json")),
            },
            examples: &[$(Example {
                name: $example,
                text: include_str!(concat!("../examples/", $event_type, "/", $example, ".json")),
            }),+],
        }
    };
}

/// Schemas that are no event's own: shared definitions and envelopes.
pub const SHARED: &[Document] = &[
    document!("common.v1.json"),
    document!("headers.v1.json"),
    document!("intake.headers.v1.json"),
    document!("dead-letter.headers.v1.json"),
    document!("structured.v1.json"),
];

/// Every event type, along the stream.
pub const EVENTS: &[Event] = &[
    event!(
        "application.submitted.v1",
        true,
        [LoanApplications],
        [
            "good-card-review",
            "good-instalment-by-facts",
            "good-term-loan-with-guarantor",
            "edge-asked-and-unknown",
            "edge-free-attributes",
            "edge-largest-numbers",
            "edge-only-what-is-required",
            "bad-amount-as-text",
            "bad-amount-too-large",
            "bad-currency-in-small-letters",
            "bad-fraction-of-a-cent",
            "bad-guarantor-first",
            "bad-id-with-bar",
            "bad-local-time",
            "bad-missing-applicants",
            "bad-no-applicant",
            "bad-no-such-day",
            "bad-nothing-asked-for",
            "bad-null-attributes",
            "bad-revision-zero",
            "bad-two-primaries",
            "bad-unknown-field",
            "bad-unknown-word-in-facts",
            "bad-line-break-in-reference",
            "bad-collateral-of-negative-value",
            "bad-unknown-intent",
            "bad-unknown-nested-field",
        ]
    ),
    event!(
        "application.withdrawn.v1",
        true,
        [LoanApplications, Intake, Applications, Risk],
        [
            "good-card",
            "good-with-reason",
            "good-without-reason",
            "edge-leap-day",
            "edge-reason-unknown",
            "edge-shortest-ids",
            "bad-no-time",
            "bad-reason-as-sentence",
            "bad-tenant-as-number",
            "bad-with-revision",
        ]
    ),
    event!(
        "application.replied.v1",
        false,
        [LoanReplies],
        [
            "good-accepted",
            "good-conflict",
            "good-duplicate",
            "good-rejected-with-pointers",
            "edge-attributes-missing",
            "edge-by-http",
            "edge-escaped-pointer",
            "edge-nothing-could-be-read",
            "bad-no-origin",
            "bad-offset-as-text",
            "bad-pointer-with-dots",
            "bad-rejected-without-problem",
        ]
    ),
    event!(
        "application.received.v1",
        false,
        [Intake],
        [
            "good-card-review",
            "good-instalment-by-facts",
            "good-term-loan-with-guarantor",
            "edge-asked-and-unknown",
            "edge-field-of-tomorrow",
            "edge-only-what-is-required",
            "bad-customer-ref-left-in",
            "bad-identity-left-in",
            "bad-no-subject",
            "bad-revision-as-text",
            "bad-subject-in-clear",
        ]
    ),
    event!(
        "gap.accepted.v1",
        false,
        [Gaps],
        [
            "good-beyond-end",
            "good-expired",
            "good-no-offset",
            "edge-field-of-tomorrow",
            "edge-kind-of-tomorrow",
            "edge-no-topic-id",
            "bad-no-author",
            "bad-offset-as-text",
            "bad-partition-below-zero",
        ]
    ),
    event!(
        "activation.passed.v1",
        false,
        [Gaps],
        [
            "good-model",
            "good-policy",
            "good-route",
            "edge-field-of-tomorrow",
            "edge-first-record",
            "edge-kind-of-tomorrow",
            "bad-digest-cut-short",
            "bad-no-author",
            "bad-offset-as-text",
        ]
    ),
    event!(
        "instance.announced.v1",
        false,
        [Instances],
        [
            "good-named-instance",
            "good-one-package",
            "good-two-packages",
            "edge-field-of-tomorrow",
            "edge-no-package",
            "edge-room-of-tomorrow",
            "bad-digest-cut-short",
            "bad-no-instance",
            "bad-packages-as-list",
        ]
    ),
    event!(
        "access.recorded.v1",
        false,
        [Access],
        [
            "good-application",
            "good-identity",
            "good-list",
            "edge-field-of-tomorrow",
            "edge-no-roles",
            "edge-operation-of-tomorrow",
            "bad-count-zero",
            "bad-no-actor",
            "bad-time-in-seconds",
        ]
    ),
    event!(
        "token.revoked.v1",
        false,
        [Revocations],
        [
            "good-subject",
            "good-token",
            "good-token-with-reason",
            "edge-field-of-tomorrow",
            "edge-not-before-in-the-past",
            "edge-shortest-names",
            "bad-neither",
            "bad-no-author",
            "bad-subject-without-time",
        ]
    ),
    event!(
        "identity.received.v1",
        false,
        [Identities],
        [
            "good-card-review",
            "good-instalment-by-facts",
            "good-term-loan-with-guarantor",
            "edge-empty",
            "edge-nested",
            "edge-nobody",
            "bad-digest-cut-short",
            "bad-list",
            "bad-no-digest",
        ]
    ),
    event!(
        "protected.received.v1",
        false,
        [Protected],
        [
            "good-card-review",
            "good-instalment-by-facts",
            "good-term-loan-with-guarantor",
            "edge-empty",
            "edge-nested",
            "edge-nobody",
            "bad-digest-cut-short",
            "bad-list",
            "bad-no-digest",
        ]
    ),
    event!(
        "application.accepted.v1",
        false,
        [Applications],
        [
            "good-card-review",
            "good-instalment-by-facts",
            "good-term-loan-with-guarantor",
            "edge-asked-and-unknown",
            "edge-field-of-tomorrow",
            "edge-only-what-is-required",
            "bad-customer-ref-left-in",
            "bad-identity-left-in",
            "bad-no-subject",
            "bad-revision-as-text",
            "bad-subject-in-clear",
        ]
    ),
    event!(
        "control.activated.v1",
        false,
        [Applications, Risk],
        [
            "good-model",
            "good-policy",
            "good-policy-by-value",
            "good-route",
            "good-route-by-value",
            "edge-field-of-tomorrow",
            "edge-kind-of-tomorrow",
            "edge-same-version-again",
            "bad-digest-cut-short",
            "bad-document-empty",
            "bad-no-digest",
            "bad-package-digest-cut-short",
            "bad-version-as-number",
        ]
    ),
    event!(
        "score.computed.v1",
        false,
        [Risk],
        [
            "good-card-scorecard",
            "good-term-loan-net",
            "good-unscorable",
            "edge-certain",
            "edge-condition-untold",
            "edge-field-of-tomorrow",
            "edge-missing-is-no-number",
            "edge-no-model-serves",
            "edge-parties-carried",
            "edge-sampled-contributions",
            "bad-holdout-as-word",
            "bad-no-route",
            "bad-pd-in-percent",
            "bad-score-as-fraction",
            "bad-scored-without-score",
            "bad-unscorable-without-reason",
        ]
    ),
    event!(
        "score.shadow_computed.v1",
        false,
        [Shadow],
        [
            "good-card-scorecard",
            "good-term-loan-net",
            "good-unscorable",
            "edge-certain",
            "edge-condition-untold",
            "edge-field-of-tomorrow",
            "edge-missing-is-no-number",
            "edge-no-model-serves",
            "edge-sampled-contributions",
            "bad-holdout-as-word",
            "bad-no-route",
            "bad-pd-in-percent",
            "bad-score-as-fraction",
            "bad-scored-without-score",
            "bad-unscorable-without-reason",
        ]
    ),
    event!(
        "decision.made.v1",
        false,
        [Decisions],
        [
            "good-approve",
            "good-decline",
            "good-decline-with-score-disclosure",
            "good-refer-unscorable",
            "good-withdrawn",
            "edge-challenger-decided",
            "edge-four-reasons",
            "edge-grey-zone",
            "edge-outcome-of-tomorrow",
            "edge-prequalified",
            "bad-assignment-without-arm",
            "bad-decline-not-adverse",
            "bad-decline-without-reason",
            "bad-final-as-word",
            "bad-final-referral",
            "bad-five-reasons",
            "bad-no-policy",
            "bad-number-zero",
        ]
    ),
    event!(
        "notification.delivered.v1",
        false,
        [Notifications],
        [
            "good-delivered",
            "good-disabled",
            "good-failed",
            "edge-disabled-before-the-first",
            "edge-field-of-tomorrow",
            "edge-never-answered",
            "bad-delivery-id-no-uuid",
            "bad-http-status-as-text",
            "bad-negative-attempts",
            "bad-no-status",
        ]
    ),
    event!(
        "webhook.v1",
        false,
        [],
        [
            "good-approve",
            "good-decline",
            "good-second-decision",
            "edge-field-of-tomorrow",
            "edge-largest-revision",
            "edge-outcome-of-tomorrow",
            "bad-no-data",
            "bad-revision-zero",
            "bad-time-in-seconds",
        ]
    ),
];

/// The event type of that name.
pub fn find(event_type: &str) -> Option<&'static Event> {
    EVENTS.iter().find(|event| event.event_type == event_type)
}

/// A validator of an event's body, formats included. Compiling takes milliseconds: build it once.
///
/// # Errors
/// [`CatalogueError`] when there is no such type; otherwise only when a published schema is broken, which a test excludes.
pub fn validator(event_type: &str) -> Result<Validator, CatalogueError> {
    let event = find(event_type).ok_or_else(|| CatalogueError::UnknownType(event_type.to_owned()))?;
    compile(&event.schema)
}

/// A validator of any published schema.
///
/// # Errors
/// [`CatalogueError`] when a published schema is broken.
pub fn compile(document: &Document) -> Result<Validator, CatalogueError> {
    let broken = |why: String| CatalogueError::Schema { file: document.file, why };
    let mut registry = Registry::new();
    for other in documents() {
        registry =
            registry.add(format!("{BASE_URI}{}", other.file), parse(other)?).map_err(|e| broken(e.to_string()))?;
    }
    let registry = registry.prepare().map_err(|e| broken(e.to_string()))?;
    let options = jsonschema::draft202012::options().should_validate_formats(true).should_ignore_unknown_formats(false);
    options.with_registry(&registry).build(&parse(document)?).map_err(|e| broken(e.to_string()))
}

/// Every published schema.
pub fn documents() -> impl Iterator<Item = &'static Document> {
    SHARED.iter().chain(EVENTS.iter().map(|event| &event.schema))
}

fn parse(document: &Document) -> Result<Value, CatalogueError> {
    serde_json::from_str(document.text).map_err(|source| CatalogueError::Json { file: document.file, source })
}
