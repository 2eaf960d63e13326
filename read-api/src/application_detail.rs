//! One application with its whole detail: what was asked, scored, decided, delivered, replied, and where the audit log holds
//! it. Rows say which events there are; what is shown of each is out of the event, as logged. Shows pseudonyms only; who applied is
//! [`crate::identities`]' to say.

use crate::access::Operation;
use crate::app::App;
use crate::application_detail_events::{DecisionDetail, Delivery, ReplyDetail, ScoreDetail, Withdrawal};
use crate::application_detail_parts::{DecisionParts, ReplyParts, ScoreParts, request};
use crate::applications::{DecisionSummary, STANDING, SUMMARY, ScoreSummary, Summary};
use crate::caller::{ApplicationId, Caller, Params};
use crate::log::{self, Attested, AuditPosition, Doubt, Logged, Position};
use crate::logged::{self, Of};
use crate::problem::Problem;
use crate::shown::Shown;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use runtime::clock::rfc3339;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio_postgres::{Row, Transaction};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Most rows of a kind in one detail; more than any application has by the rules of the deployment.
const ROWS_MAX: i64 = 50;

/// Which revision.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DetailParams {
    /// For a token that opens several tenants: which one.
    pub tenant: Option<String>,
    /// From 1; the newest when absent.
    pub revision: Option<i32>,
}

/// All that became of one revision of an application.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApplicationDetail {
    /// In brief.
    pub application: Summary,
    /// Revisions that there are, newest first.
    pub revisions: Vec<i32>,
    /// The accepted body: everything asked and stated, with pseudonyms in place of people.
    #[schema(value_type = Option<Object>)]
    pub request: Option<Value>,
    /// Members of `attributes` and of reports' `fields`, and features, that are not for the role of the token, and left out.
    pub withheld: u32,
    /// Score events, the deciding arm's before shadows.
    pub scores: Vec<ScoreDetail>,
    /// Decisions, in order.
    pub decisions: Vec<DecisionDetail>,
    /// When the applicant ended it.
    pub withdrawals: Vec<Withdrawal>,
    /// Webhooks, due and done.
    pub deliveries: Vec<Delivery>,
    /// Answers to the sender's records, all revisions, newest first.
    pub replies: Vec<ReplyDetail>,
    /// Where the accepted body stands in the log.
    pub audit: Option<AuditPosition>,
    /// How far the logs that hold this detail are attested.
    pub attested: Vec<Attested>,
}

/// One application with its whole detail.
///
/// What was sent (without identities), how it was scored and why, every decision with its reasons, the notifications, and where the
/// audit log has each of them, with the proof that it does.
#[utoipa::path(get, path = "/v1/applications/{application_id}", tag = "applications",
    params(("application_id" = String, Path, description = "The originator's id"), DetailParams),
    responses(
        (status = 200, description = "The detail", body = ApplicationDetail),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn tell(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApplicationId(id): ApplicationId,
    Params(params): Params<DetailParams>,
) -> Result<Json<ApplicationDetail>, Problem> {
    let tenant = caller.tenant(params.tenant.as_deref())?;
    let mut session = app.store.session().await?;
    let tx = app.store.snapshot(&mut session, Some(&tenant)).await?;
    let (application, revisions) = find(&tx, &tenant, &id, params.revision).await?;
    let rows = Rows::gather(&tx, &application).await?;
    let told = rows.positions(application.position)?;
    let attested = log::attested(&tx, &told).await?;
    let mut log_session = app.log.session().await?;
    let events = log::events(&app.log.snapshot(&mut log_session, None).await?, &told).await?;
    let of =
        Of { tenant: &tenant, application_id: &id, revision: application.revision, topic_prefix: &app.topic_prefix };
    let source = Source { events, shared: shared(&told), of };
    app.recorder.note(caller.claims(), &tenant, Operation::Application, Some(&id))?;
    let shown = Shown { classes: &app.config.classes, most: caller.most() };
    let mut scores: Vec<ScoreDetail> = rows.scores.iter().map(|row| source.score(row)).collect::<Result<_, _>>()?;
    let decisions: Vec<DecisionDetail> =
        rows.decisions.iter().map(|row| source.decision(row)).collect::<Result<_, _>>()?;
    let (application, audit, event) = source.application(application, &scores, &decisions);
    let body = event.and_then(|event| event.body.as_deref());
    let mut request = body.map(request).transpose().map_err(unreadable)?;
    let mut withheld = request.as_mut().map_or(0, |request| shown.request(request));
    for ScoreDetail { summary, parts, .. } in &mut scores {
        let of = |text: &Option<String>| text.clone().unwrap_or_default();
        withheld += shown.features(&of(&summary.model), &of(&summary.model_version), parts);
    }
    let mut replies: Vec<ReplyDetail> = rows.replies.iter().map(|row| source.reply(row)).collect::<Result<_, _>>()?;
    for reply in &mut replies {
        withheld += shown.warnings(&mut reply.parts);
    }
    Ok(Json(ApplicationDetail {
        revisions,
        request,
        withheld,
        scores,
        decisions,
        withdrawals: rows.withdrawals.iter().map(|row| source.withdrawal(row)).collect::<Result<_, _>>()?,
        deliveries: rows.deliveries.iter().map(|row| source.delivery(row)).collect::<Result<_, _>>()?,
        replies,
        audit,
        attested,
        application,
    }))
}

/// The asked or the newest revision, and which there are.
///
/// # Errors
/// 404 when the tenant has none such.
pub(crate) async fn find(
    tx: &Transaction<'_>,
    tenant: &str,
    application_id: &str,
    revision: Option<i32>,
) -> Result<(Summary, Vec<i32>), Problem> {
    let revisions = "SELECT revision FROM defaultx.applications WHERE tenant = $1 AND application_id = $2
                     ORDER BY revision DESC LIMIT $3";
    let rows = tx.query(revisions, &[&tenant, &application_id, &ROWS_MAX]).await?;
    let revisions: Vec<i32> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let chosen = revision.or_else(|| revisions.first().copied()).ok_or_else(Problem::not_found)?;
    let one = format!("{SUMMARY} {STANDING} WHERE a.tenant = $1 AND a.application_id = $2 AND a.revision = $3");
    let row = tx.query_opt(&one, &[&tenant, &application_id, &chosen]).await?;
    Ok((Summary::of_row(&row.ok_or_else(Problem::not_found)?)?, revisions))
}

/// What the projections hold of a revision.
struct Rows {
    scores: Vec<Row>,
    decisions: Vec<Row>,
    withdrawals: Vec<Row>,
    deliveries: Vec<Row>,
    replies: Vec<Row>,
}

impl Rows {
    async fn gather(tx: &Transaction<'_>, of: &Summary) -> Result<Self, Problem> {
        let (tenant, id, revision) = (&of.tenant, &of.application_id, &of.revision);
        let scores = "SELECT * FROM defaultx.scores WHERE tenant = $1 AND application_id = $2 AND revision = $3
                      ORDER BY shadow, scored_at, event_id LIMIT $4";
        let decisions = "SELECT * FROM defaultx.decisions WHERE tenant = $1 AND application_id = $2 AND revision = $3
                         ORDER BY decision_number LIMIT $4";
        let withdrawals = "SELECT * FROM defaultx.withdrawals WHERE tenant = $1 AND application_id = $2
                           ORDER BY accepted_at LIMIT $3";
        // The queue knows what is due, the receipts what the log holds; either may have forgotten or not heard yet. One that was sent
        // again has a receipt for each time that it ended: the newest counts, and none while it is pending. Two of the same
        // moment are both shown: one of them is somebody's addition.
        let deliveries = "
            SELECT coalesce(q.id::text, r.delivery_id) AS delivery_id, coalesce(q.subscription, r.subscription) AS subscription,
                   coalesce(q.event_id, r.told_of) AS told_of, coalesce(r.status, q.status) AS status,
                   coalesce(r.attempts, q.attempts) AS attempts, coalesce(r.http_status, q.http_status) AS http_status,
                   CASE WHEN q.status = 'pending' THEN q.next_at END AS next_at, coalesce(r.ended_at, q.ended_at) AS ended_at,
                   r.log, r.seq
            FROM (SELECT id, subscription, event_id, status, attempts, http_status, next_at, ended_at FROM defaultx.deliveries
                  WHERE tenant = $1 AND application_id = $2 AND revision = $3) q
            FULL JOIN (SELECT * FROM
                         (SELECT *, rank() OVER (PARTITION BY delivery_id ORDER BY ended_at DESC) AS place FROM defaultx.receipts
                          WHERE tenant = $1 AND application_id = $2 AND revision = $3) every
                       WHERE place = 1
                       AND delivery_id <> ALL (SELECT id::text FROM defaultx.deliveries
                           WHERE tenant = $1 AND application_id = $2 AND revision = $3 AND status = 'pending' AND resends > 0)) r
              ON r.delivery_id = q.id::text
            ORDER BY delivery_id LIMIT $4";
        let replies = "SELECT * FROM defaultx.replies WHERE tenant = $1 AND application_id = $2
                       ORDER BY replied_at DESC, event_id LIMIT $3";
        Ok(Self {
            scores: tx.query(scores, &[tenant, id, revision, &ROWS_MAX]).await?,
            decisions: tx.query(decisions, &[tenant, id, revision, &ROWS_MAX]).await?,
            withdrawals: tx.query(withdrawals, &[tenant, id, &ROWS_MAX]).await?,
            deliveries: tx.query(deliveries, &[tenant, id, revision, &ROWS_MAX]).await?,
            replies: tx.query(replies, &[tenant, id, &ROWS_MAX]).await?,
        })
    }

    /// Every event of the detail.
    fn positions(&self, application: Position) -> Result<Vec<Position>, Problem> {
        let rows = self.scores.iter().chain(&self.decisions).chain(&self.withdrawals).chain(&self.deliveries);
        let others = rows.chain(&self.replies).map(position);
        std::iter::once(Ok(Some(application))).chain(others).filter_map(Result::transpose).collect()
    }
}

fn position(row: &Row) -> Result<Option<Position>, Problem> {
    let (log, seq): (Option<i32>, Option<i64>) = (row.try_get("log")?, row.try_get("seq")?);
    Ok(log.zip(seq))
}

/// What the log holds of a detail.
struct Source<'a> {
    events: HashMap<Position, Logged>,
    /// Places that more than one row leads to: an event has one row, so that all but one of them were put there by hand.
    shared: HashSet<Position>,
    of: Of<'a>,
}

/// Those of the places that are told more than once.
fn shared(told: &[Position]) -> HashSet<Position> {
    let mut seen = HashSet::new();
    told.iter().copied().filter(|place| !seen.insert(*place)).collect()
}

/// What is shown, where the log holds it, and the event where it is the one that the row speaks of.
type Told<'e, T> = (T, Option<AuditPosition>, Option<&'e Logged>);

impl Source<'_> {
    /// Tells what an event says in place of the row that leads to it; the row itself where the log does not show the event.
    fn tell<T: PartialEq>(
        &self,
        position: Option<Position>,
        row: T,
        said: impl FnOnce(&Logged, &T) -> Option<T>,
    ) -> Told<'_, T> {
        let found = position.and_then(|position| Some((self.shared.contains(&position), self.events.get(&position)?)));
        let Some((is_shared, event)) = found else { return (row, None, None) };
        let mut at = event.at.clone();
        if event.body.is_none() {
            at.doubt(Doubt::DigestOnly);
            return (row, Some(at), None);
        }
        let Some(said) = said(event, &row) else {
            at.doubt(Doubt::AnotherEvent);
            tracing::error!(log = at.log, seq = at.seq, "a row leads to an event that is not its own");
            return (row, Some(at), None);
        };
        if said != row || is_shared {
            at.doubt(Doubt::RowDiffers);
            tracing::error!(log = at.log, seq = at.seq, "a row is not what its event says");
        }
        (said, Some(at), Some(event))
    }

    /// The application in brief, with the newest score and the decision that stands as they are told.
    fn application(&self, row: Summary, scores: &[ScoreDetail], decisions: &[DecisionDetail]) -> Told<'_, Summary> {
        let position = Some(row.position);
        let (mut shown, mut audit, event) =
            self.tell(position, row, |event, row| logged::application(event, self.of, row));
        let newest = |score: &&ScoreDetail| (score.scored_at.clone(), Reverse(score.event_id.clone()));
        let score = scores.iter().filter(|score| !score.shadow).max_by_key(newest);
        let decision = decisions.iter().max_by_key(|decision| decision.summary.decision_number);
        shown.score = score.map(|score| score.summary.clone());
        shown.decision = decision.map(|decision| decision.summary.clone());
        let parts = [score.map(|score| &score.audit), decision.map(|decision| &decision.audit)];
        let is_intact = |audit: &Option<AuditPosition>| audit.as_ref().is_some_and(|at| at.intact == Some(true));
        if parts.into_iter().flatten().any(|audit| !is_intact(audit)) {
            audit.iter_mut().for_each(|at| at.doubt(Doubt::PartNotIntact));
        }
        (shown, audit, event)
    }

    fn score(&self, row: &Row) -> Result<ScoreDetail, Problem> {
        let in_row = ScoreDetail {
            event_id: row.try_get::<_, Uuid>("event_id")?.to_string(),
            shadow: row.try_get("shadow")?,
            summary: ScoreSummary::of_row(row, row.try_get("status")?)?,
            unscorable: row.try_get("unscorable")?,
            model_role: row.try_get("model_role")?,
            scored_at: rfc3339(row.try_get("scored_at")?),
            parts: ScoreParts::default(),
            audit: None,
        };
        let (told, audit, event) = self.tell(position(row)?, in_row, |event, _| logged::score(event, self.of));
        Ok(ScoreDetail { parts: parts(event)?, audit, ..told })
    }

    fn decision(&self, row: &Row) -> Result<DecisionDetail, Problem> {
        let in_row = DecisionDetail {
            event_id: row.try_get::<_, Uuid>("event_id")?.to_string(),
            summary: DecisionSummary::of_row(row, row.try_get("decision_number")?)?,
            policy_digest: row.try_get("policy_digest")?,
            parts: DecisionParts::default(),
            audit: None,
        };
        let (told, audit, event) = self.tell(position(row)?, in_row, |event, _| logged::decision(event, self.of));
        Ok(DecisionDetail { parts: parts(event)?, audit, ..told })
    }

    fn withdrawal(&self, row: &Row) -> Result<Withdrawal, Problem> {
        let in_row = Withdrawal {
            withdrawn_at: time(row, "withdrawn_at")?,
            accepted_at: rfc3339(row.try_get("accepted_at")?),
            audit: None,
        };
        let (told, audit, _) = self.tell(position(row)?, in_row, |event, _| logged::withdrawal(event, self.of));
        Ok(Withdrawal { audit, ..told })
    }

    fn delivery(&self, row: &Row) -> Result<Delivery, Problem> {
        let in_row = Delivery {
            delivery_id: row.try_get("delivery_id")?,
            subscription: row.try_get("subscription")?,
            event_id: row.try_get("told_of")?,
            status: row.try_get("status")?,
            attempts: row.try_get("attempts")?,
            http_status: row.try_get("http_status")?,
            next_at: time(row, "next_at")?,
            ended_at: time(row, "ended_at")?,
            audit: None,
        };
        let (told, mut audit, event) =
            self.tell(position(row)?, in_row, |event, row| logged::delivery(event, self.of, row));
        if event.is_some_and(|event| logged::is_of_queue(event, &told)) {
            audit.iter_mut().for_each(|at| at.doubt(Doubt::Queue));
        }
        Ok(Delivery { audit, ..told })
    }

    fn reply(&self, row: &Row) -> Result<ReplyDetail, Problem> {
        let in_row = ReplyDetail {
            status: row.try_get("status")?,
            revision: row.try_get("revision")?,
            problem: row.try_get("problem")?,
            origin_topic: row.try_get("origin_topic")?,
            origin_partition: row.try_get("origin_partition")?,
            origin_offset: row.try_get("origin_offset")?,
            replied_at: rfc3339(row.try_get("replied_at")?),
            parts: ReplyParts::default(),
            audit: None,
        };
        let (told, audit, event) = self.tell(position(row)?, in_row, |event, _| logged::reply(event, self.of));
        Ok(ReplyDetail { parts: parts(event)?, audit, ..told })
    }
}

/// What an event's body says beyond its row; nothing without the event.
fn parts<T: DeserializeOwned + Default>(event: Option<&Logged>) -> Result<T, Problem> {
    let body = event.and_then(|event| event.body.as_deref());
    body.map_or_else(|| Ok(T::default()), |body| serde_json::from_slice(body).map_err(unreadable))
}

fn time(row: &Row, column: &str) -> Result<Option<String>, Problem> {
    Ok(row.try_get::<_, Option<DateTime<Utc>>>(column)?.map(rfc3339))
}

/// A body that was projected but cannot be told: said in the log without its content.
fn unreadable(error: serde_json::Error) -> Problem {
    tracing::error!(line = error.line(), column = error.column(), "body of an audited event cannot be read");
    Problem::internal()
}
