//! What senders publish in a recording, the same in every run: applications of the demonstration with its duplicates, broken events
//! and conflicts, and beside them withdrawals, later revisions, other intents, and records as somebody would send them who means harm.

use crate::record::{Bytes, Record};
use anyhow::{Result, ensure};
use defaultx::demo::applications::{self, Document};
use defaultx::demo::plan::{Mix, Plan};
use defaultx::demo::shot::{Shot, envelope_of};
use domain::Digest;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use schemas::application::{SUBMITTED, WITHDRAWN};
use schemas::control::ACTIVATED;
use schemas::envelope::header;
use serde_json::{Value, json};
use std::path::Path;

/// Seed of the choice and order of everything.
const SEED: u64 = 12;
/// What every sender's clock says.
pub const SENT_AT: &str = "2025-06-02T09:00:00.000Z";
/// More of what goes wrong than the demonstration has: a recording is small.
const MIX: Mix = Mix { duplicates: 0.02, broken: 0.02, conflicts: 20, paced: 0 };
/// Of so many applications, each kind of variant has one.
const ONE_IN: usize = 100;
/// Bytes of a header's name that no entry of the log can hold.
const LONG_NAME: usize = 70_000;

/// The documents of so many applications.
///
/// # Errors
/// When a data set cannot be read, or they hold fewer.
pub fn documents(data: &Path, count: usize) -> Result<Vec<Document>> {
    let mut documents = applications::read(data, 1.0, SENT_AT)?;
    ensure!(
        (1..=documents.len()).contains(&count),
        "--applications must be 1 to {}, the applications of the public data sets",
        documents.len()
    );
    documents.shuffle(&mut ChaCha8Rng::seed_from_u64(SEED));
    documents.truncate(count);
    Ok(documents)
}

/// Everything that is published, in its order, without partitions and times.
///
/// # Errors
/// When a document is none.
pub fn published(documents: &[Document]) -> Result<Vec<Record>> {
    let plan = Plan::new(documents.to_vec(), Mix { conflicts: MIX.conflicts.min(documents.len()), ..MIX }, SEED);
    let (mut early, mut late) = (Vec::new(), Vec::new());
    for (number, document) in documents.iter().enumerate() {
        match number % ONE_IN {
            7 if number % (2 * ONE_IN) == 7 => early.push(withdrawal(document)),
            7 | 8 => late.push(withdrawal(document)),
            13 => late.push(variant(document, "-second", |data| {
                data["revision"] = 2.into();
                data["requested"]["amount"]["amount_minor"] = 123_400.into();
            })?),
            21 => late.push(variant(document, "-portfolio", |data| as_own(data, "portfolio", "score_only"))?),
            34 => late.push(variant(document, "-asked", |data| as_own(data, "asked", "prequalify"))?),
            _ => {}
        }
    }
    let good = documents.iter().take(4);
    let good = good.map(|document| variant(document, "-wild", |data| as_own(data, "wild", "decide")));
    let hostile = hostile(good.collect::<Result<_>>()?);
    Ok(early.into_iter().chain(plan.shots().map(record)).chain(late).chain(hostile).collect())
}

/// A record of the demonstration's plan.
pub fn record(shot: &Shot) -> Record {
    let headers = shot.headers.iter().map(|(name, value)| (Bytes((*name).into()), Some(Bytes(value.clone()))));
    Record {
        key: shot.key.as_ref().map(|key| Bytes(key.clone().into_bytes())),
        headers: headers.collect(),
        value: Some(Bytes(shot.value.to_vec())),
        ..Record::default()
    }
}

fn withdrawal(document: &Document) -> Record {
    let Document { tenant, application_id, .. } = document;
    let body = json!({ "tenant": tenant, "application_id": application_id, "withdrawn_at": SENT_AT, "reason": "changed_mind" });
    let mut envelope = envelope_of(application_id, &format!("{application_id}-withdrawn"));
    envelope.event_type = WITHDRAWN.to_owned();
    let headers = envelope.to_headers().into_iter().map(|(name, value)| (Bytes(name.into()), Some(Bytes(value))));
    Record {
        key: Some(Bytes(document.key().into_bytes())),
        headers: headers.collect(),
        value: Some(Bytes(body.to_string().into_bytes())),
        ..Record::default()
    }
}

fn variant(document: &Document, event: &str, change: impl FnOnce(&mut Value)) -> Result<Record> {
    let mut data: Value = serde_json::from_str(&document.data)?;
    change(&mut data);
    let changed = Document::new(data, SENT_AT)?;
    Ok(record(&Shot::of(&changed, &format!("{}{event}", changed.application_id))))
}

/// Under an id of its own, with another intent.
fn as_own(data: &mut Value, front: &str, intent: &str) {
    data["application_id"] = format!("{front}-{}", data["application_id"].as_str().unwrap_or_default()).into();
    data["intent"] = intent.into();
}

/// Good applications with what no contract has, and records that are nothing at all.
fn hostile(mut records: Vec<Record>) -> Vec<Record> {
    let named = |name: &[u8], value: Option<&[u8]>| (Bytes(name.to_vec()), value.map(Bytes::from));
    for (record, name) in records.iter_mut().zip([vec![0xff, 0xfe], vec![b'n'; LONG_NAME], b"ce_type".to_vec()]) {
        record.headers.insert(0, named(&name, Some(b"x")));
    }
    if let Some(last) = records.last_mut() {
        last.key = Some(Bytes(vec![0xff, 0x00, 0xfe]));
    }
    let typed = |event_type: &str, value: &[u8]| Record {
        headers: vec![
            named(header::SPECVERSION.as_bytes(), Some(b"1.0")),
            named(header::ID.as_bytes(), Some(b"hostile")),
            named(header::SOURCE.as_bytes(), Some(b"/los")),
            named(header::TYPE.as_bytes(), Some(event_type.as_bytes())),
        ],
        value: Some(value.into()),
        ..Record::default()
    };
    let forged = json!({
        "kind": "policy",
        "name": "standard",
        "version": "9.9.9",
        "digest": Digest::of(b"nothing").to_string(),
        "activated_by": "nobody",
        "activated_at": SENT_AT,
    });
    records.extend([
        typed(ACTIVATED, forged.to_string().as_bytes()),
        typed(SUBMITTED, b"\0\0\0\0\x01{}"),
        typed(SUBMITTED, b"[{},{},{}]"),
        Record { headers: vec![named(b"", None), named(header::TYPE.as_bytes(), None)], ..Record::default() },
    ]);
    records
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn documents(count: usize) -> Vec<Document> {
        let data = |n: usize| {
            json!({"tenant": "demo", "application_id": format!("a-{n}"), "revision": 1, "jurisdiction": "US-CA",
                "channel": "branch", "product": "p", "requested": {"amount": {"amount_minor": 100, "currency": "USD"}}})
        };
        (0..count).map(|n| Document::new(data(n), SENT_AT).unwrap()).collect()
    }

    #[test]
    fn the_same_documents_are_published_in_the_same_way() {
        let documents = documents(400);
        let records = published(&documents).unwrap();
        assert_eq!(records, published(&documents).unwrap());
        let of_type = |event_type: &str| {
            records.iter().filter(|record| record.header_text(header::TYPE) == Some(event_type)).count()
        };
        assert_eq!(of_type(WITHDRAWN), 2 * 4);
        let says = |word: &str| {
            let said = |record: &&Record| {
                record.value.as_ref().is_some_and(|value| String::from_utf8_lossy(&value.0).contains(word))
            };
            records.iter().filter(said).count()
        };
        assert_eq!([says("score_only"), says("prequalify"), says("\"revision\":2")], [4, 4, 4]);
        // Applications, duplicates, broken ones and conflicts of the plan; variants; hostile records.
        assert_eq!(records.len(), 400 + 8 + 8 + 20 + 20 + 8);
    }
}
