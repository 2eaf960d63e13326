//! RFC 9457 problems: a type that is one of our words, a fixed title, pointers. Never a value of the body.

use crate::refusal::{Fault, Reason, Refusal};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemas::reply;
use serde::Serialize;

/// In front of a problem's word.
pub(crate) const TYPE_PREFIX: &str = "urn:defaultx:problem:";
/// The word of a body that is packed in a way that is not read here.
pub(crate) const UNSUPPORTED_CODING: &str = "unsupported_content_coding";

/// Content types that are read here, as `Accept` says them.
const ACCEPT: &str = "application/json, application/cloudevents+json, application/x-ndjson";
/// Content codings that are read here, beside none.
const ACCEPT_ENCODING: &str = "gzip";

/// A problem document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// [`TYPE_PREFIX`] and a word.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for every occurrence.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with a body or its envelope.
    #[serde(flatten)]
    pub wrong: Box<Wrong>,
    /// Headers of the request, in small letters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<&'static str>,
    /// Of an NDJSON request: every refused line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
    /// Seconds until the same request may be taken, where it may be.
    #[serde(skip)]
    pub retry_after_s: u32,
}

/// What is wrong with a body or its envelope, as a reply says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// JSON pointers into `data`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pointers: Vec<String>,
    /// CloudEvents attributes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<&'static str>,
    /// Each thing that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<reply::Fault>,
}

/// A refused line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// From 1.
    pub line: usize,
    /// What is wrong with it.
    #[serde(flatten)]
    pub problem: Box<Problem>,
}

impl Problem {
    /// A problem that is not about a body.
    pub fn new(status: StatusCode, word: &str, title: &'static str) -> Self {
        Self {
            kind: format!("{TYPE_PREFIX}{word}"),
            title,
            status: status.as_u16(),
            wrong: Box::default(),
            headers: Vec::new(),
            lines: Vec::new(),
            retry_after_s: 1,
        }
    }

    /// The problem of a reason.
    pub fn of(reason: Reason) -> Self {
        let status = StatusCode::from_u16(reason.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
        let faults = vec![Fault::new(reason, String::new()).told()];
        let wrong = Box::new(Wrong { faults, ..Wrong::default() });
        Self { wrong, ..Self::new(status, reason.as_str(), reason.title()) }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let faults = vec![fault.told()];
        let wrong = Box::new(Wrong { faults, pointers: vec![fault.pointer], attributes: Vec::new() });
        Self { wrong, ..Self::of(fault.reason) }
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let (pointers, attributes) = (refusal.pointers.clone(), refusal.attributes.clone());
        let faults = refusal.faults.iter().map(Fault::told).collect();
        Self { wrong: Box::new(Wrong { pointers, attributes, faults }), ..Self::of(refusal.reason) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after_s = self.retry_after_s;
        let is_coding = self.kind.strip_prefix(TYPE_PREFIX) == Some(UNSUPPORTED_CODING);
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let told = match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Some((header::RETRY_AFTER, HeaderValue::from(retry_after_s)))
            }
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            // One of the two, so that a sender knows which it was (RFC 9110, 12.5.3 and 15.5.16).
            StatusCode::UNSUPPORTED_MEDIA_TYPE if is_coding => {
                Some((header::ACCEPT_ENCODING, HeaderValue::from_static(ACCEPT_ENCODING)))
            }
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Some((header::ACCEPT, HeaderValue::from_static(ACCEPT))),
            _ => None,
        };
        response.headers_mut().extend(told);
        response
    }
}
