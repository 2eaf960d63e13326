//! What the sender of applications hears: what is taken, and of lines that stand each for itself what is not.

use super::problem::{Line, Problem};
use super::request::Shape;
use crate::outputs;
use crate::receive::{Content, Received};
use crate::refusal::Reason;
use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use schemas::reply::Warning;
use serde::Serialize;

/// Says that each line was judged alone, as the request preferred (RFC 7240, 3).
const APPLIED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("preference-applied"), HeaderValue::from_static("handling=lenient"));

/// What is taken, for the sender's records.
#[derive(Debug, Serialize)]
pub(super) struct Taken {
    tenant: String,
    application_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u32>,
    /// The event's id, as replies will echo it.
    event_id: String,
    /// As in the reply.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// As in the reply.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warning_details: Vec<Warning>,
}

/// A line that is taken.
#[derive(Debug, Serialize)]
struct TakenLine {
    /// From 1.
    line: usize,
    #[serde(flatten)]
    taken: Taken,
}

/// What is told of lines.
#[derive(Debug, Serialize)]
struct Told {
    accepted: Vec<TakenLine>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<Line>,
}

impl From<&Received> for Taken {
    fn from(received: &Received) -> Self {
        let told = received.warnings.as_ref().map(|warnings| warnings.told.clone()).unwrap_or_default();
        Self {
            tenant: received.tenant.clone(),
            application_id: received.application_id.clone(),
            revision: match &received.content {
                Content::Application { revision, .. } => Some(revision.get()),
                Content::Withdrawal { .. } => None,
            },
            event_id: received.envelope.id.clone(),
            warnings: outputs::warnings_with(&received.application_id, &told),
            warning_details: told,
        }
    }
}

/// The answer to events of which some are refused already, and of which Kafka was given units: all as one, or each alone.
/// `written` says which of them it took.
///
/// # Errors
/// When nothing was taken.
pub(super) fn submitted(
    shape: Shape,
    taken: Vec<(usize, Taken)>,
    mut refused: Vec<Line>,
    written: &[bool],
) -> Result<Response, Problem> {
    let too_large = || Problem::of(Reason::BodyTooLarge);
    match shape {
        Shape::Each => {
            let mut accepted = Vec::with_capacity(taken.len());
            for ((line, taken), is_written) in taken.into_iter().zip(written) {
                match is_written {
                    true => accepted.push(TakenLine { line, taken }),
                    false => refused.push(Line { line, problem: Box::new(too_large()) }),
                }
            }
            refused.sort_by_key(|line| line.line);
            if accepted.is_empty() {
                return Err(refused_lines(refused));
            }
            let status = if refused.is_empty() { StatusCode::ACCEPTED } else { StatusCode::MULTI_STATUS };
            let mut response = (status, Json(Told { accepted, refused })).into_response();
            response.headers_mut().extend([APPLIED]);
            Ok(response)
        }
        Shape::One | Shape::Whole if written.contains(&false) => Err(too_large()),
        Shape::One => {
            Ok((StatusCode::ACCEPTED, Json(taken.into_iter().next().map(|(_, taken)| taken))).into_response())
        }
        Shape::Whole => {
            let accepted = taken.into_iter().map(|(line, taken)| TakenLine { line, taken }).collect();
            Ok((StatusCode::ACCEPTED, Json(Told { accepted, refused })).into_response())
        }
    }
}

/// Lines are refused, and nothing of the request is taken.
pub(super) fn refused_lines(lines: Vec<Line>) -> Problem {
    let whole = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "refused_lines", "Lines of the request are refused");
    Problem { lines, ..whole }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn taken(line: usize) -> (usize, Taken) {
        let text = || "x".to_owned();
        let taken = Taken {
            tenant: text(),
            application_id: text(),
            revision: Some(1),
            event_id: text(),
            warnings: vec![],
            warning_details: vec![],
        };
        (line, taken)
    }

    #[test]
    fn the_status_says_whether_all_some_or_nothing_is_taken() {
        let line = |line| Line { line, problem: Box::new(Problem::of(Reason::NotJson)) };
        let rows: [(Shape, &[usize], &[bool], Result<u16, u16>); 8] = [
            (Shape::One, &[], &[true], Ok(202)),
            (Shape::One, &[], &[false], Err(413)),
            (Shape::Whole, &[], &[true], Ok(202)),
            (Shape::Whole, &[], &[false], Err(413)),
            (Shape::Each, &[], &[true, true], Ok(202)),
            (Shape::Each, &[2], &[true, true], Ok(207)),
            (Shape::Each, &[], &[true, false], Ok(207)),
            (Shape::Each, &[2], &[false, false], Err(422)),
        ];
        for (shape, refused, written, status) in rows {
            let refused = refused.iter().map(|at| line(*at)).collect();
            let answer = submitted(shape, vec![taken(1), taken(3)], refused, written);
            let found = answer.map(|response| response.status().as_u16()).map_err(|problem| {
                assert!(problem.lines.is_sorted_by_key(|line| line.line));
                problem.status
            });
            assert_eq!(found, status, "{shape:?} {written:?}");
        }
    }
}
