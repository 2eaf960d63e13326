//! The list of applications, newest first, in pages that neither skip nor repeat a row while applications come in.

use crate::access::Operation;
use crate::app::App;
use crate::caller::{Caller, Params};
use crate::cursor::Cursor;
use crate::filter::{Filter, Period};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use runtime::clock::rfc3339;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio_postgres::Row;
use utoipa::{IntoParams, ToSchema};

/// Applications, each with the newest score of its revision and the decision that stands for it. Two look-ups by key for each
/// row, whatever the planner expects: a join over a tenant's whole history costs as much for a day as for a year.
pub(crate) const STANDING: &str = "
    FROM defaultx.applications a
    LEFT JOIN LATERAL (
        SELECT * FROM defaultx.scores x
        WHERE x.tenant = a.tenant AND x.application_id = a.application_id AND x.revision = a.revision AND NOT x.shadow
        ORDER BY x.scored_at DESC, x.event_id LIMIT 1
    ) s ON true
    LEFT JOIN LATERAL (
        SELECT * FROM defaultx.decisions x
        WHERE x.tenant = a.tenant AND x.application_id = a.application_id AND x.revision = a.revision
        ORDER BY x.decision_number DESC LIMIT 1
    ) d ON true";

/// What an application is listed with, of [`STANDING`].
pub(crate) const SUMMARY: &str = "
    SELECT a.tenant, a.application_id, a.revision, a.product, a.intent, a.request_type, a.channel, a.jurisdiction,
           a.amount_minor, a.currency, a.term_months, a.purpose, a.as_of, a.submitted_at, a.completed_at, a.received_at,
           a.log, a.seq, s.status, s.model, s.model_version, s.pd, s.score, s.band, s.class, s.scale_id,
           d.decision_number, d.outcome, d.is_final, d.automation, d.step, d.referral, d.policy, d.policy_version, d.decided_at";

/// $2..$4 is the last row of the page before.
const WITHIN: &str = "
    WHERE a.tenant = $1 AND (a.received_at, a.application_id, a.revision) < ($2, $3, $4)
      AND a.received_at >= $5 AND a.received_at < $6
      AND ($7::text IS NULL OR a.product = $7) AND ($8::text IS NULL OR a.channel = $8)
      AND ($9::text IS NULL OR a.jurisdiction = $9) AND ($10::text IS NULL OR a.intent = $10)
      AND ($11::text IS NULL OR d.outcome = $11) AND ($12::text IS NULL OR s.band = $12)
      AND ($13::text IS NULL OR s.model = $13) AND ($14::text IS NULL OR d.policy = $14)
      AND ($15 OR NOT EXISTS (
          SELECT FROM defaultx.applications later
          WHERE later.tenant = a.tenant AND later.application_id = a.application_id AND later.revision > a.revision))";

/// Said where an outcome is asked for. [`WITHIN`] says which decision stands; this names the few applications that ever had a
/// rare outcome, so that finding fifty of them does not look at all.
const EVER_HAD: &str = "
      AND (a.application_id, a.revision) IN (
          SELECT o.application_id, o.revision FROM defaultx.decisions o WHERE o.tenant = $1 AND o.outcome = $11)";

const NEWEST_FIRST: &str = "
    ORDER BY a.received_at DESC, a.application_id DESC, a.revision DESC LIMIT $16";

/// Which applications.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// For a token that opens several tenants: which one.
    pub tenant: Option<String>,
    /// Product.
    pub product: Option<String>,
    /// Sales channel.
    pub channel: Option<String>,
    /// ISO 3166-2.
    pub jurisdiction: Option<String>,
    /// `decide`, `prequalify` or `score_only`.
    pub intent: Option<String>,
    /// Outcome of the decision that stands: `approve`, `counteroffer`, `refer`, `decline`, `incomplete` or `withdrawn`.
    pub outcome: Option<String>,
    /// Band of the score.
    pub band: Option<String>,
    /// Name of the model that scored.
    pub model: Option<String>,
    /// Name of the policy that decided.
    pub policy: Option<String>,
    /// Received at or after: a date, or RFC 3339.
    pub from: Option<String>,
    /// Received before: a date, or RFC 3339.
    pub to: Option<String>,
    /// Also revisions that a later one replaced.
    pub all_revisions: Option<bool>,
    /// Applications on the page.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

/// A page of applications, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page {
    /// The applications.
    pub items: Vec<Summary>,
    /// `cursor` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An application in the list.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Summary {
    /// Tenant.
    pub tenant: String,
    /// The originator's id.
    pub application_id: String,
    /// From 1.
    pub revision: i32,
    /// Product.
    pub product: String,
    /// `decide`, `prequalify` or `score_only`.
    pub intent: String,
    /// `new`, `increase`, `renewal` or `existing_review`.
    pub request_type: String,
    /// Sales channel.
    pub channel: String,
    /// ISO 3166-2.
    pub jurisdiction: String,
    /// Amount asked for, in minor units.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// Term asked for, in months.
    pub term_months: Option<i32>,
    /// Purpose.
    pub purpose: Option<String>,
    /// Date that the facts describe.
    #[schema(format = Date)]
    pub as_of: Option<String>,
    /// The sender's clock.
    #[schema(format = DateTime)]
    pub submitted_at: Option<String>,
    /// Starts the notice clock.
    #[schema(format = DateTime)]
    pub completed_at: Option<String>,
    /// When the deployment first had it.
    #[schema(format = DateTime)]
    pub received_at: String,
    /// The newest score; absent before scoring.
    pub score: Option<ScoreSummary>,
    /// The decision that stands for this revision; absent before it, and for `score_only`.
    pub decision: Option<DecisionSummary>,
    #[serde(skip)]
    pub(crate) position: (i32, i64),
    #[serde(skip)]
    pub(crate) key: Cursor,
}

/// A score in brief.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ScoreSummary {
    /// `scored` or `unscorable`.
    pub status: String,
    /// Name of the model.
    pub model: Option<String>,
    /// Version of the model.
    pub model_version: Option<String>,
    /// Probability of default, calibrated.
    pub pd: Option<f64>,
    /// Points.
    pub score: Option<i32>,
    /// Band of the scale.
    pub band: Option<String>,
    /// 0 safe, 1 risky.
    pub class: Option<i16>,
    /// The product's scale.
    pub scale_id: Option<String>,
}

/// A decision in brief.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DecisionSummary {
    /// From 1.
    pub decision_number: i32,
    /// `approve`, `counteroffer`, `refer`, `decline`, `incomplete` or `withdrawn`; an open set.
    pub outcome: String,
    /// Whether nothing more is to come but by a new act; never where `intent` is `prequalify`.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// `automatic` or `human`.
    pub automation: String,
    /// The deciding step.
    pub step: String,
    /// Why it was referred.
    pub referral: Option<String>,
    /// Name of the policy.
    pub policy: String,
    /// Version of the policy.
    pub policy_version: String,
    /// When.
    #[schema(format = DateTime)]
    pub decided_at: String,
}

/// Applications, newest first.
///
/// A page at a time: `next` is the cursor of the following one. Rows that come in while pages are read appear before the first page,
/// never within.
#[utoipa::path(get, path = "/v1/applications", tag = "applications", params(ListParams), responses(
    (status = 200, description = "A page", body = Page),
    (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> Result<Json<Page>, Problem> {
    let tenant = caller.tenant(params.tenant.as_deref())?;
    let limit = page_size(params.limit, app.config.page_size, app.config.page_size_max)?;
    let period = Period::read(params.from.as_deref(), params.to.as_deref(), Period::ever())?;
    let after = params.cursor.as_deref().map_or(Ok(Cursor::new(period.to, "", 0)), Cursor::decode)?;
    let (at, id, revision) = after.key().ok_or_else(|| Problem::bad_request("cursor: not one of ours"))?;
    let all_revisions = params.all_revisions.unwrap_or(false);
    let filter = params.filter().checked()?;

    let mut session = app.store.session().await?;
    let tx = app.store.snapshot(&mut session, Some(&tenant)).await?;
    let one_more = i64::from(limit) + 1;
    let Filter { product, channel, jurisdiction, intent, outcome, band, model, policy } = &filter;
    let ever_had = if outcome.is_some() { EVER_HAD } else { "" };
    let rows = tx
        .query(
            &format!("{SUMMARY} {STANDING} {WITHIN} {ever_had} {NEWEST_FIRST}"),
            &[
                &tenant,
                &at,
                &id,
                &revision,
                &period.from,
                &period.to,
                product,
                channel,
                jurisdiction,
                intent,
                outcome,
                band,
                model,
                policy,
                &all_revisions,
                &one_more,
            ],
        )
        .await?;
    app.recorder.note(caller.claims(), &tenant, Operation::List, None)?;
    Ok(Json(page(&rows, limit)?))
}

fn page_size(asked: Option<u32>, usual: u32, most: u32) -> Result<u32, Problem> {
    let limit = asked.unwrap_or(usual.min(most));
    let fits = (1..=most).contains(&limit);
    if fits { Ok(limit) } else { Err(Problem::bad_request(format!("limit: 1 to {most}"))) }
}

fn page(rows: &[Row], limit: u32) -> Result<Page, Problem> {
    let shown = rows.iter().take(limit as usize);
    let items: Vec<_> = shown.map(Summary::of_row).collect::<Result<_, _>>()?;
    let more = rows.len() > items.len();
    let next = items.last().filter(|_| more).map(|last| last.key.encode());
    Ok(Page { items, next })
}

impl ListParams {
    fn filter(self) -> Filter {
        let Self { product, channel, jurisdiction, intent, outcome, band, model, policy, .. } = self;
        Filter { product, channel, jurisdiction, intent, outcome, band, model, policy }
    }
}

impl Summary {
    /// Of a row of [`SUMMARY`].
    pub(crate) fn of_row(row: &Row) -> Result<Self, Problem> {
        let time = |column| row.try_get::<_, Option<DateTime<Utc>>>(column).map(|at| at.map(rfc3339));
        let received_at: DateTime<Utc> = row.try_get("received_at")?;
        let (application_id, revision): (String, i32) = (row.try_get("application_id")?, row.try_get("revision")?);
        let scored = row.try_get::<_, Option<String>>("status")?;
        let decided = row.try_get::<_, Option<i32>>("decision_number")?;
        Ok(Self {
            tenant: row.try_get("tenant")?,
            product: row.try_get("product")?,
            intent: row.try_get("intent")?,
            request_type: row.try_get("request_type")?,
            channel: row.try_get("channel")?,
            jurisdiction: row.try_get("jurisdiction")?,
            amount_minor: row.try_get("amount_minor")?,
            currency: row.try_get("currency")?,
            term_months: row.try_get("term_months")?,
            purpose: row.try_get("purpose")?,
            as_of: row.try_get::<_, Option<NaiveDate>>("as_of")?.map(|day| day.to_string()),
            submitted_at: time("submitted_at")?,
            completed_at: time("completed_at")?,
            received_at: rfc3339(received_at),
            score: scored.map(|status| ScoreSummary::of_row(row, status)).transpose()?,
            decision: decided.map(|number| DecisionSummary::of_row(row, number)).transpose()?,
            position: (row.try_get("log")?, row.try_get("seq")?),
            key: Cursor::new(received_at, &application_id, revision),
            application_id,
            revision,
        })
    }
}

impl ScoreSummary {
    pub(crate) fn of_row(row: &Row, status: String) -> Result<Self, Problem> {
        Ok(Self {
            status,
            model: row.try_get("model")?,
            model_version: row.try_get("model_version")?,
            pd: row.try_get("pd")?,
            score: row.try_get("score")?,
            band: row.try_get("band")?,
            class: row.try_get("class")?,
            scale_id: row.try_get("scale_id")?,
        })
    }
}

impl DecisionSummary {
    pub(crate) fn of_row(row: &Row, decision_number: i32) -> Result<Self, Problem> {
        Ok(Self {
            decision_number,
            outcome: row.try_get("outcome")?,
            is_final: row.try_get("is_final")?,
            automation: row.try_get("automation")?,
            step: row.try_get("step")?,
            referral: row.try_get("referral")?,
            policy: row.try_get("policy")?,
            policy_version: row.try_get("policy_version")?,
            decided_at: rfc3339(row.try_get("decided_at")?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_within_bounds() {
        for (asked, expected) in
            [(None, Some(50)), (Some(1), Some(1)), (Some(200), Some(200)), (Some(0), None), (Some(201), None)]
        {
            assert_eq!(page_size(asked, 50, 200).ok(), expected, "{asked:?}");
        }
        assert_eq!(page_size(None, 50, 10).ok(), Some(10), "the usual size gives way to the cap");
    }
}
