//! Requests to the HTTP door, one after another, and what it answers. A request and an answer are lines of a recording like records.

use crate::applications;
use crate::http::{self, Request};
use crate::program::Worker;
use crate::record::Bytes;
use anyhow::Result;
use defaultx::demo::applications::Document;
use defaultx::demo::faults::FAULTS;
use defaultx::demo::shot::Shot;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A door opens within this.
const OPENS_WITHIN: Duration = Duration::from_secs(120);
/// What is answered while there is no producer yet.
const NOT_YET: u16 = 503;
const SUBMIT: &str = "/v1/applications";
/// Applications that are sent one by one.
const ONE_BY_ONE: usize = 40;

/// A request as a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

/// An answer as a line.
#[derive(Debug, Serialize)]
pub struct Answered {
    path: String,
    status: u16,
    content_type: String,
    body: Bytes,
}

impl Sent {
    fn post(path: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { method: "POST".to_owned(), path: path.to_owned(), headers: headers.collect(), body: body.into() }
    }

    fn request(&self) -> Request<'_> {
        Request { method: &self.method, path: &self.path, headers: &self.headers, body: &self.body.0 }
    }
}

/// What is sent: good applications, each kind of fault, keys that are used again, many in one request, withdrawals.
pub fn requests(documents: &[Document]) -> Vec<Sent> {
    let json = ("content-type", "application/json");
    let some = &documents[..documents.len().min(ONE_BY_ONE)];
    let mut sent: Vec<Sent> = Vec::new();
    for (number, document) in some.iter().enumerate() {
        let key = format!("key-{number}");
        let keyed = [json, ("idempotency-key", key.as_str())];
        let headers = if number % 2 == 0 { &keyed[..] } else { &keyed[..1] };
        sent.push(Sent::post(SUBMIT, headers, document.data.as_bytes()));
    }
    if let [first, second, ..] = some {
        for (number, fault) in FAULTS.iter().enumerate() {
            sent.push(Sent::post(SUBMIT, &[json], &fault.apply(first, number).value));
        }
        let event = Shot::of(second, "structured").value;
        sent.push(Sent::post(SUBMIT, &[("content-type", "text/plain")], &event));
        sent.push(Sent::post(SUBMIT, &[json, ("idempotency-key", "key-0")], first.data.as_bytes()));
        sent.push(Sent::post(SUBMIT, &[json, ("idempotency-key", "key-0")], second.data.as_bytes()));
        let of_two = format!("{}\n{}\n", first.data, second.data);
        let of_faults = format!("{}\n{{}}\n[\n", first.data);
        for lines in [of_two, of_faults] {
            sent.push(Sent::post(SUBMIT, &[("content-type", "application/x-ndjson")], lines.as_bytes()));
        }
        let path = format!("{SUBMIT}/{}/withdraw", first.application_id);
        let ended = format!(r#"{{"withdrawn_at":"{}","reason":"changed_mind"}}"#, applications::SENT_AT);
        sent.push(Sent::post(&path, &[json], ended.as_bytes()));
        sent.push(Sent::post(&path, &[json], br#"{"reason":"NOT A WORD"}"#));
    }
    sent.push(Sent::post("/v1/nothing", &[json], b"{}"));
    sent.push(Sent { method: "GET".to_owned(), ..Sent::post(SUBMIT, &[], b"") });
    sent
}

/// Sends them in their order; a request is sent again while the door is not ready for it.
///
/// # Errors
/// When the door does not open, or does not answer.
pub fn send(port: u16, sent: &[Sent], worker: &mut Worker) -> Result<Vec<String>> {
    worker.until("its door opens", OPENS_WITHIN, || {
        let looked = Sent { method: "GET".to_owned(), ..Sent::post(SUBMIT, &[], b"") };
        Ok(http::ask(port, looked.request()).is_ok_and(|answer| answer.status != NOT_YET))
    })?;
    let mut lines = Vec::with_capacity(sent.len());
    for request in sent {
        let mut answer = None;
        worker.until("its door takes a request", OPENS_WITHIN, || {
            let heard = http::ask(port, request.request())?;
            let is_ready = heard.status != NOT_YET;
            answer = Some(heard);
            Ok(is_ready)
        })?;
        let Some(http::Answer { status, content_type, body }) = answer else { continue };
        lines.push(serde_json::to_string(&Answered {
            path: request.path.clone(),
            status,
            content_type,
            body: Bytes(body),
        })?);
    }
    Ok(lines)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn requests_come_back_from_their_lines() {
        let document = |n: usize| {
            let data = json!({"tenant": "demo", "application_id": format!("a-{n}"), "requested": {"amount": {}}});
            Document::new(data, applications::SENT_AT).unwrap()
        };
        let sent = requests(&[document(0), document(1), document(2)]);
        assert_eq!(sent.len(), 3 + FAULTS.len() + 9);
        for one in sent {
            let line = serde_json::to_string(&one).unwrap();
            assert_eq!(serde_json::from_str::<Sent>(&line).unwrap(), one);
        }
    }
}
