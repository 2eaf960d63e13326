//! PURE. A decision event as a row. Reasons and fired rules are passed through as the JSON that the event has, once it is proven to
//! be what the views over them read: a single row that is not would end every question to those views.

use crate::event::Event;
use crate::rows::DecisionRow;
use domain::Outcome;
use schemas::logged::{Decided, time};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The row of a decision; `None` when it cannot be read.
pub(crate) fn row(event: &Event<'_>) -> Option<DecisionRow> {
    let body: Decided = event.body()?;
    let approved_minor = approved_minor(&body);
    let (score_status, model, score) = match body.risk {
        Some(risk) => (Some(risk.status), risk.model, risk.score),
        None => (None, None, None),
    };
    let (amount_minor, currency) = match body.requested {
        Some(asked) => (Some(asked.amount.amount_minor), Some(asked.amount.currency)),
        None => (None, None),
    };
    Some(DecisionRow {
        tenant: body.application.tenant,
        application_id: body.application.application_id,
        revision: body.application.revision.try_into().ok()?,
        decision_number: body.decision_number,
        event_id: event.id,
        outcome: body.outcome.to_string(),
        is_final: body.is_final,
        automation: body.automation,
        step: body.step,
        referral: body.referral,
        product: body.product,
        intent: body.intent,
        channel: body.channel,
        jurisdiction: body.jurisdiction,
        amount_minor,
        approved_minor,
        currency,
        score_status,
        model_version: model.as_ref().map(|model| model.version.clone()),
        model_role: model.as_ref().map(|model| model.role.clone()),
        model: model.map(|model| model.name),
        pd: score.as_ref().map(|score| score.pd),
        score: score.as_ref().map(|score| score.score),
        class: score.as_ref().map(|score| i16::from(score.class)),
        band: score.as_ref().map(|score| score.band.clone()),
        scale_id: score.map(|score| score.scale_id),
        policy: body.policy.name,
        policy_version: body.policy.version,
        policy_digest: body.policy.digest,
        reasons: listed(body.principal_reasons)?,
        rules: listed(body.rules)?,
        adverse_action: body.adverse_action,
        notice_due_by: body.notice.and_then(|notice| time(&notice.due_by)),
        received_at: body.times.and_then(|times| time(&times.received_at)).unwrap_or(event.at),
        decided_at: time(&body.decided_at).unwrap_or(event.at),
        log: event.position.log,
        seq: event.position.seq,
    })
}

/// A JSON array of objects whose ranks are small integers; `None` for anything else. Read wholly, because PostgreSQL's jsonb
/// refuses what is passed through unread: half a surrogate pair, a number of a million digits, a thousand levels.
fn listed(json: Option<Box<RawValue>>) -> Option<String> {
    let Some(json) = json else { return Some("[]".to_owned()) };
    let items: Vec<Map<String, Value>> = serde_json::from_str(json.get()).ok()?;
    let ranked = |item: &Map<String, Value>| match item.get("rank") {
        None | Some(Value::Null) => true,
        Some(rank) => rank.as_i64().is_some_and(|rank| i32::try_from(rank).is_ok()),
    };
    items.iter().all(ranked).then(|| json.get().to_owned())
}

/// What was granted, in minor units: the offer's amount, or what was asked for.
fn approved_minor(body: &Decided) -> Option<i64> {
    if !body.outcome.is(Outcome::Approve) {
        return None;
    }
    let offered = body.offer.as_ref().map(|offer| offer.amount_minor);
    offered.or(body.requested.as_ref().map(|asked| asked.amount.amount_minor))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_lists_that_the_views_can_read_pass() {
        let deep = format!("[{{\"a\":{}{}}}]", "[".repeat(2_000), "]".repeat(2_000));
        let rows = [
            ("[]", true),
            (r#"[{"rank":1,"code":"x","text":"\ud83d\ude00"},{"code":"y"},{"rank":null}]"#, true),
            (r#"{"rank":1}"#, false),
            (r#""text""#, false),
            ("7", false),
            ("[1]", false),
            (r#"[{"rank":"first"}]"#, false),
            (r#"[{"rank":1.5}]"#, false),
            (r#"[{"rank":4294967296}]"#, false),
            (r#"[{"code":"\ud800"}]"#, false),
            (r#"[{"n":1e999999}]"#, false),
            (&deep, false),
        ];
        for (json, passes) in rows {
            let raw = RawValue::from_string(json.to_owned()).ok();
            let passed = raw.is_some_and(|raw| listed(Some(raw)).as_deref() == Some(json));
            assert_eq!(passed, passes, "{}", &json[..json.len().min(60)]);
        }
        assert_eq!(listed(None).unwrap(), "[]");
    }
}
