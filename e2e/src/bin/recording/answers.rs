//! What read-api answers to a fixed list of questions: pages of applications, the detail of many, key figures, the stream, who applied,
//! and what it refuses, to an administrator, a reviewer and a stranger.

use crate::http::{self, Request};
use crate::inputs::PERIOD;
use crate::mask::Mask;
use crate::program::Worker;
use crate::record::Record;
use anyhow::{Context, Result};
use runtime::auth::{self, Realm};
use schemas::envelope::header;
use schemas::intake::ACCEPTED;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// The tenant of the demonstration.
const TENANT: &str = "demo";
/// Applications whose detail is asked for, at most.
const DETAILS: usize = 1_000;
/// Of them, one in so many is shown to a reviewer, and says who applied.
const ONE_IN: usize = 10;
const OPENS_WITHIN: Duration = Duration::from_secs(120);
const TOKENS_LIVE_S: i64 = 3 * 3_600;

/// What a clock, the database's or the server's, writes into answers.
const DETAIL: &[Mask] = &[Mask::Time("created_at")];
const STREAM: &[Mask] =
    &[Mask::FirstTime("at"), Mask::Number("age_s"), Mask::Time("updated_at"), Mask::Time("created_at")];
/// Words for people, which may be put better at any time.
const DESCRIPTION: &[Mask] = &[Mask::Words("description"), Mask::Words("summary")];

/// Everything that is masked in answers, in words.
pub fn masked() -> Vec<String> {
    let words = |masks: &[Mask]| masks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    vec![
        format!("log/answers, an application: {}", words(DETAIL)),
        format!("log/answers, /v1/stream: {}", words(STREAM)),
        format!("log/answers, /openapi.json: the texts of {}", words(DESCRIPTION)),
    ]
}

/// The keys that tokens are made and checked with, and where the server is.
pub struct Api {
    port: u16,
    private: String,
    public: String,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
struct Who {
    name: &'static str,
    /// Tenant and role; none has no token.
    token: Option<(&'static str, &'static str)>,
}

const ADMIN: Who = Who { name: "admin", token: Some((TENANT, "Admin")) };
const REVIEWER: Who = Who { name: "reviewer", token: Some((TENANT, "Reviewer")) };
const ELSEWHERE: Who = Who { name: "of another tenant", token: Some(("elsewhere", "Admin")) };
const NO_ROLE: Who = Who { name: "without a role", token: Some((TENANT, "Originator")) };
const NOBODY: Who = Who { name: "nobody", token: None };

/// A question.
struct Asked {
    who: Who,
    path: String,
    masks: &'static [Mask],
}

/// An answer as a line.
#[derive(Serialize)]
struct Answered<'a> {
    who: &'a str,
    path: &'a str,
    status: u16,
    content_type: String,
    body: String,
}

impl Api {
    /// Takes a free port and makes keys. No token stands in any answer.
    ///
    /// # Errors
    /// When there is no port.
    pub fn new() -> Result<Self> {
        let (private, public) = auth::generate()?;
        Ok(Self { port: local::free_port()?, private, public })
    }

    /// Its section of a configuration.
    pub fn configuration(&self) -> String {
        let Self { port, public, .. } = self;
        format!("[read-api]\nlisten = \"127.0.0.1:{port}\"\ntoken_key = '''\n{public}'''\nrequests_per_minute = 0\n")
    }

    /// The answers to every question; `applications` are the records that the log has of them.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn answers(&self, applications: &[Record], worker: &mut Worker) -> Result<Vec<String>> {
        let token = |(tenant, role)| {
            auth::mint(&self.private, &Realm::default(), ("recording", tenant, &[role]), TOKENS_LIVE_S)
        };
        let mut known: Vec<(&str, Vec<(String, String)>)> = Vec::new();
        for who in [ADMIN, REVIEWER, ELSEWHERE, NO_ROLE, NOBODY] {
            let bearer = who.token.map(token).transpose()?.map(|token| format!("Bearer {token}"));
            known.push((who.name, bearer.map(|bearer| ("authorization".to_owned(), bearer)).into_iter().collect()));
        }
        let headers = |who: Who| {
            known.iter().find(|(name, _)| *name == who.name).map_or(&[][..], |(_, headers)| headers.as_slice())
        };
        let ask = |who: Who, path: &str| {
            http::ask(self.port, Request { method: "GET", path, headers: headers(who), body: &[] })
        };
        let is_open = || Ok(ask(ADMIN, "/v1/stream").is_ok_and(|answer| answer.status == 200));
        worker.until("read-api answers", OPENS_WITHIN, is_open)?;
        let mut lines = Vec::new();
        let mut tell = |asked: &Asked| -> Result<String> {
            let answer = ask(asked.who, &asked.path).with_context(|| format!("GET {}", asked.path))?;
            let body = String::from_utf8(answer.body)?;
            let shown = asked.masks.iter().fold(body.clone(), |text, mask| mask.in_text(&text));
            let (who, path) = (asked.who.name, asked.path.as_str());
            let (status, content_type) = (answer.status, answer.content_type);
            lines.push(serde_json::to_string(&Answered { who, path, status, content_type, body: shown })?);
            Ok(body)
        };
        let mut page = Some(asked(ADMIN, "/v1/applications?limit=200&all_revisions=true"));
        while let Some(asked) = page.take() {
            let body = tell(&asked)?;
            page = next_page(&body);
        }
        for asked in questions().iter().chain(&details(applications)) {
            tell(asked)?;
        }
        Ok(lines)
    }
}

fn asked(who: Who, path: impl Into<String>) -> Asked {
    Asked { who, path: path.into(), masks: &[] }
}

/// The page behind an answer, where there is one.
fn next_page(body: &str) -> Option<Asked> {
    let body: Value = serde_json::from_str(body).ok()?;
    let cursor = body["next"].as_str()?;
    Some(asked(ADMIN, format!("/v1/applications?limit=200&all_revisions=true&cursor={cursor}")))
}

fn questions() -> Vec<Asked> {
    let (from, to) = PERIOD;
    let filters = [
        "product=credit_card",
        "product=small_business_term",
        "product=consumer_instalment",
        "channel=branch",
        "intent=decide",
        "intent=prequalify",
        "intent=score_only",
        "outcome=approve",
        "outcome=refer",
        "outcome=decline",
        "outcome=withdrawn",
        "policy=standard",
        "policy=nothing",
    ];
    let mut questions = vec![
        Asked { masks: DESCRIPTION, ..asked(NOBODY, "/openapi.json") },
        Asked { masks: STREAM, ..asked(ADMIN, "/v1/stream") },
        Asked { masks: STREAM, ..asked(REVIEWER, "/v1/stream") },
    ];
    for filter in filters {
        questions.push(asked(ADMIN, format!("/v1/applications?{filter}&limit=100")));
        if !filter.starts_with("outcome") {
            questions.push(asked(ADMIN, format!("/v1/kpis?from={from}&to={to}&{filter}")));
        }
    }
    let days = ["03", "04", "05", "06"].map(|day| format!("/v1/kpis?from=2025-06-{day}&to={to}"));
    questions.extend(days.into_iter().map(|path| asked(REVIEWER, path)));
    let of_many = [
        format!("/v1/kpis?from={from}&to={to}"),
        "/v1/applications".to_owned(),
        "/v1/applications?limit=0".to_owned(),
        "/v1/applications?cursor=nothing".to_owned(),
        "/v1/applications?unknown=1".to_owned(),
        format!("/v1/kpis?from={to}&to={from}"),
        "/v1/applications/nothing".to_owned(),
        "/v1/applications/nothing/identities".to_owned(),
        "/v1/applications?tenant=elsewhere".to_owned(),
        "/v1/nothing".to_owned(),
    ];
    for path in of_many {
        questions.extend([ADMIN, REVIEWER, ELSEWHERE, NO_ROLE, NOBODY].map(|who| asked(who, path.clone())));
    }
    questions
}

/// Details of as many applications as are told, spread over all of them.
fn details(applications: &[Record]) -> Vec<Asked> {
    let accepted = applications.iter().filter(|record| record.header_text(header::TYPE) == Some(ACCEPTED));
    let ids: BTreeSet<&str> = accepted.filter_map(|record| record.header_text(header::SUBJECT)).collect();
    let step = ids.len().div_ceil(DETAILS).max(1);
    let mut questions = Vec::new();
    for (number, id) in ids.into_iter().step_by(step).enumerate() {
        let detail = |who| Asked { masks: DETAIL, ..asked(who, format!("/v1/applications/{id}")) };
        questions.push(detail(ADMIN));
        if number % ONE_IN == 0 {
            questions.push(detail(REVIEWER));
            questions
                .extend([1, 2].map(|n| Asked { path: format!("/v1/applications/{id}?revision={n}"), ..detail(ADMIN) }));
            let identities = format!("/v1/applications/{id}/identities");
            questions.extend([ADMIN, REVIEWER].map(|who| asked(who, identities.clone())));
        }
    }
    questions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Bytes;

    #[test]
    fn details_are_spread_over_all_applications() {
        let record = |number: usize| {
            let header = |name: &str, value: &str| (Bytes(name.into()), Some(Bytes(value.into())));
            let headers = vec![header(header::TYPE, ACCEPTED), header(header::SUBJECT, &format!("a-{number:05}"))];
            Record { headers, ..Record::default() }
        };
        for (count, told) in [(5, 5), (1_000, 1_000), (1_001, 501), (5_000, 1_000)] {
            let records: Vec<Record> = (0..count).map(record).collect();
            let is_detail =
                |asked: &&Asked| asked.masks == DETAIL && asked.who.name == ADMIN.name && !asked.path.contains('?');
            assert_eq!(details(&records).iter().filter(is_detail).count(), told, "{count}");
        }
        assert!(next_page("{\"items\":[]}").is_none());
        assert!(next_page("{\"next\":\"abc\"}").is_some_and(|asked| asked.path.ends_with("cursor=abc")));
    }
}
