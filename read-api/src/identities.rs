//! Who applied: the one answer with personal data, from the identity store, for Officer and Admin. Each is counted and
//! put on record, with who asked, before it is shown. Shows only the body that was accepted: a conflicting one may name somebody else.

use crate::app::App;
use crate::application_detail::{DetailParams, find};
use crate::caller::{ApplicationId, Caller, Params};
use crate::log;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use utoipa::ToSchema;

/// The applicants of a revision.
#[derive(Debug, Serialize, ToSchema)]
pub struct Applicants {
    /// Tenant.
    pub tenant: String,
    /// The originator's id.
    pub application_id: String,
    /// From 1.
    pub revision: i32,
    /// In the order of the application.
    pub applicants: Vec<Applicant>,
    /// Members of `attributes` that a feature contract calls personal.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub attributes: Map<String, Value>,
}

/// One applicant.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Applicant {
    /// `primary`, `co_applicant` or `guarantor`.
    pub role: String,
    /// `person` or `organisation`.
    pub kind: String,
    /// The pseudonym in every event.
    pub subject: String,
    /// The sender's reference.
    pub customer_ref: String,
    /// Names, national id, address, contacts, as sent.
    #[schema(value_type = Object)]
    pub identity: Map<String, Value>,
    /// Of reports, the fields that a feature contract calls personal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<PersonalReport>,
}

/// Personal fields of a bureau's report.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PersonalReport {
    /// The bureau.
    pub source: String,
    /// Its id of the report.
    pub report_id: String,
    /// As sent.
    #[schema(value_type = Object)]
    pub fields: Map<String, Value>,
}

/// What the identity store keeps; unknown members are left out.
#[derive(Deserialize)]
struct Stored {
    applicants: Vec<Applicant>,
    #[serde(default)]
    attributes: Map<String, Value>,
}

/// Who applied. 404 also once they were erased.
///
/// Names and addresses as they were sent. Who looks is on record before anything is shown.
#[utoipa::path(get, path = "/v1/applications/{application_id}/identities", tag = "applications",
    params(("application_id" = String, Path, description = "The originator's id"), DetailParams),
    security(("token" = ["Admin"]), ("token" = ["Officer"])),
    responses(
        (status = 200, description = "The applicants; for Officer and Admin", body = Applicants),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApplicationId(id): ApplicationId,
    Params(params): Params<DetailParams>,
) -> Result<Json<Applicants>, Problem> {
    let role = caller.may_see_identities()?;
    let tenant = caller.tenant(params.tenant.as_deref())?;
    let mut session = app.store.session().await?;
    let tx = app.store.snapshot(&mut session, Some(&tenant)).await?;
    let (application, _) = find(&tx, &tenant, &id, params.revision).await?;
    let mut log_session = app.log.session().await?;
    let log = app.log.snapshot(&mut log_session, None).await?;
    let accepted = log::events(&log, &[application.position]).await?.remove(&application.position);
    let digest = accepted.and_then(|event| event.data_digest).ok_or_else(Problem::not_found)?;
    let query = "SELECT body FROM identity.identities
                 WHERE tenant = $1 AND application_id = $2 AND revision = $3 AND data_digest = $4";
    let row =
        tx.query_opt(query, &[&tenant, &id, &application.revision, &digest]).await?.ok_or_else(Problem::not_found)?;
    let stored: Stored = serde_json::from_value(row.try_get(0)?).map_err(|_| {
        tracing::error!(tenant, application_id = id, "identity cannot be read");
        Problem::internal()
    })?;
    drop((tx, log));
    drop((session, log_session)); // nobody else waits for it while Kafka is waited for
    app.recorder.before_identity(caller.claims(), &tenant, &id).await?;
    app.metrics.identity_reads.with_label_values(&[role]).inc();
    tracing::info!(who = caller.subject(), role, tenant, application_id = id, "identity shown");
    let Stored { applicants, attributes } = stored;
    Ok(Json(Applicants { tenant, application_id: id, revision: application.revision, applicants, attributes }))
}
