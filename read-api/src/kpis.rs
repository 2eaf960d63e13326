//! Key figures of a period, counted from rows: volumes and rates in all, by product, band and day, the distribution of
//! scores, what was approved. Probabilities are not averaged here: horizons differ between models.

use crate::access::Operation;
use crate::app::App;
use crate::applications::STANDING;
use crate::caller::{Caller, Params};
use crate::filter::{Filter, Period};
use crate::problem::Problem;
use crate::tally::{Counted, Distribution, Figures, figures};
use axum::Json;
use axum::extract::State;
use chrono::{Duration, NaiveDate};
use domain::{Automation, Intent, Outcome, ScoreStatus};
use runtime::clock::{self, rfc3339};
use schemas::Word;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use utoipa::{IntoParams, ToSchema};

/// Days back from now when the caller names no period.
const USUAL_DAYS: i64 = 30;

/// Groups of one kind each, told apart by the bits of grouping(): unset is what a row is grouped by. An application counts
/// once, by its newest revision; portfolios that are only scored count when they are asked for. A sum that no integer holds
/// is shown as the largest one.
const GROUPS: &str = "
    SELECT grouping(product, band, day, score, currency) AS kind, product, scale_id, band, day, score, currency, outcome,
           count(*) AS applications, count(*) FILTER (WHERE automation = $10 AND outcome = ANY ($14)) AS automatic,
           count(*) FILTER (WHERE status = $11) AS scored, count(*) FILTER (WHERE status = $12) AS unscorable,
           count(*) FILTER (WHERE class = 1) AS risky,
           least(coalesce(sum(approved_minor), 0), 9223372036854775807)::int8 AS approved_minor
    FROM base GROUP BY GROUPING SETS
        ((outcome), (product, outcome), (scale_id, band, outcome), (day, outcome), (scale_id, score), (currency, outcome))";

const COUNTED: &str = "
    WHERE a.tenant = $1 AND a.received_at >= $2 AND a.received_at < $3
      AND ($4::text IS NULL OR a.product = $4) AND ($5::text IS NULL OR a.channel = $5)
      AND ($6::text IS NULL OR a.jurisdiction = $6) AND a.intent = coalesce($7, nullif(a.intent, $13))
      AND ($8::text IS NULL OR s.model = $8) AND ($9::text IS NULL OR d.policy = $9)
      AND (SELECT max(x.revision) FROM defaultx.applications x
           WHERE x.tenant = a.tenant AND x.application_id = a.application_id) = a.revision";

/// Which applications count.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct KpiParams {
    /// For a token that opens several tenants: which one.
    pub tenant: Option<String>,
    /// Product.
    pub product: Option<String>,
    /// Sales channel.
    pub channel: Option<String>,
    /// ISO 3166-2.
    pub jurisdiction: Option<String>,
    /// `decide`, `prequalify` or `score_only`; all but `score_only` when absent.
    pub intent: Option<String>,
    /// Name of the model that scored.
    pub model: Option<String>,
    /// Name of the policy that decided.
    pub policy: Option<String>,
    /// Received at or after: a date, or RFC 3339. 30 days before `to` when absent.
    pub from: Option<String>,
    /// Received before: a date, or RFC 3339. Now when absent.
    pub to: Option<String>,
}

/// Key figures of a period.
#[derive(Debug, Serialize, ToSchema)]
pub struct Kpis {
    /// Tenant.
    pub tenant: String,
    /// First moment of the period.
    #[schema(format = DateTime)]
    pub from: String,
    /// First moment after it.
    #[schema(format = DateTime)]
    pub to: String,
    /// Everything in the period.
    pub total: Figures,
    /// By product.
    pub by_product: Vec<ProductKpis>,
    /// By band of the score; bands belong to a scale.
    pub by_band: Vec<BandKpis>,
    /// By day of receipt, UTC; days without applications are left out.
    pub by_day: Vec<DayKpis>,
    /// Distribution of scores, by scale.
    pub scores: Vec<Distribution>,
    /// Approved, by currency.
    pub approved: Vec<Approved>,
}

/// Figures of a product.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductKpis {
    /// Product.
    pub product: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Figures of a band.
#[derive(Debug, Serialize, ToSchema)]
pub struct BandKpis {
    /// Scale; absent for what has no score.
    pub scale_id: Option<String>,
    /// Band; absent for what has no score.
    pub band: Option<String>,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Figures of a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct DayKpis {
    /// Day, UTC.
    #[schema(format = Date)]
    pub day: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Approved amounts of a currency.
#[derive(Debug, Serialize, ToSchema)]
pub struct Approved {
    /// ISO 4217.
    pub currency: String,
    /// Approvals.
    pub count: i64,
    /// Their sum, in minor units.
    pub amount_minor: i64,
}

/// Key figures of a period.
///
/// Figures of the applications received in the period: in all, by product, by band, by day; the distribution of scores, and what was
/// approved in each currency.
#[utoipa::path(get, path = "/v1/kpis", tag = "figures", params(KpiParams), responses(
    (status = 200, description = "The figures", body = Kpis),
    (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn count(
    State(app): State<Arc<App>>,
    caller: Caller,
    Params(params): Params<KpiParams>,
) -> Result<Json<Kpis>, Problem> {
    let tenant = caller.tenant(params.tenant.as_deref())?;
    let period = period(&params, i64::from(app.config.figures_days_max))?;
    let filter = params.filter().checked()?;
    let Filter { product, channel, jurisdiction, intent, model, policy, .. } = &filter;
    let [scored, unscorable] = [ScoreStatus::Scored, ScoreStatus::Unscorable].map(ScoreStatus::as_str);
    let (automatic, score_only) = (Automation::Automatic.as_str(), Intent::ScoreOnly.as_str());
    let answers = Outcome::ANSWERS.map(Outcome::as_str);
    let asked: [&(dyn ToSql + Sync); 14] = [
        &tenant,
        &period.from,
        &period.to,
        product,
        channel,
        jurisdiction,
        intent,
        model,
        policy,
        &automatic,
        &scored,
        &unscorable,
        &score_only,
        &answers.as_slice(),
    ];

    let mut session = app.store.session().await?;
    let tx = app.store.snapshot(&mut session, Some(&tenant)).await?;
    let base = "SELECT a.product, a.received_at::date AS day, s.status, s.class, s.score, s.band, s.scale_id,
                       d.outcome, d.automation, d.approved_minor, d.currency";
    let query = format!("WITH base AS ({base} {STANDING} {COUNTED}) {GROUPS}");
    let groups = Groups::of_rows(&tx.query(&query, &asked).await?)?;
    app.recorder.note(caller.claims(), &tenant, Operation::Figures, None)?;
    Ok(Json(groups.told(tenant, rfc3339(period.from), rfc3339(period.to))))
}

fn period(params: &KpiParams, days_max: i64) -> Result<Period, Problem> {
    let ever = Period::ever();
    let to = Period::read(None, params.to.as_deref(), Period { to: clock::now(), ..ever })?.to;
    let usual = Period { from: (to - Duration::days(USUAL_DAYS)).max(ever.from), to };
    let period = Period::read(params.from.as_deref(), None, usual)?;
    if period.to - period.from > Duration::days(days_max) {
        return Err(Problem::bad_request(format!("from: figures cover at most {days_max} days")));
    }
    Ok(period)
}

impl KpiParams {
    fn filter(self) -> Filter {
        let Self { product, channel, jurisdiction, intent, model, policy, .. } = self;
        Filter { product, channel, jurisdiction, intent, model, policy, ..Filter::default() }
    }
}

/// Counted groups.
#[derive(Default)]
struct Groups {
    total: Vec<Counted>,
    product: BTreeMap<String, Vec<Counted>>,
    band: BTreeMap<(Option<String>, Option<String>), Vec<Counted>>,
    day: BTreeMap<NaiveDate, Vec<Counted>>,
    scores: BTreeMap<String, BTreeMap<i32, i64>>,
    approved: Vec<Approved>,
}

impl Groups {
    fn of_rows(rows: &[Row]) -> Result<Self, Problem> {
        let mut groups = Self::default();
        for row in rows {
            groups.add(row)?;
        }
        Ok(groups)
    }

    fn add(&mut self, row: &Row) -> Result<(), Problem> {
        let counted = Counted {
            outcome: row.try_get::<_, Option<&str>>("outcome")?.map(Word::parse),
            applications: row.try_get("applications")?,
            automatic: row.try_get("automatic")?,
            scored: row.try_get("scored")?,
            unscorable: row.try_get("unscorable")?,
            risky: row.try_get("risky")?,
        };
        match row.try_get::<_, i32>("kind")? {
            0b01111 => self.product.entry(row.try_get("product")?).or_default().push(counted),
            0b10111 => self.band.entry((row.try_get("scale_id")?, row.try_get("band")?)).or_default().push(counted),
            0b11011 => self.day.entry(row.try_get("day")?).or_default().push(counted),
            0b11101 => self.add_scores(row.try_get("scale_id")?, row.try_get("score")?, counted.applications),
            0b11110 => self.add_approved(row.try_get("currency")?, row.try_get("approved_minor")?, &counted),
            0b11111 => self.total.push(counted),
            kind => {
                tracing::error!(kind, "figures hold a group that was not asked for");
                return Err(Problem::internal());
            }
        }
        Ok(())
    }

    /// What has no score is in no distribution.
    fn add_scores(&mut self, scale_id: Option<String>, score: Option<i32>, count: i64) {
        if let Some((scale_id, score)) = scale_id.zip(score) {
            self.scores.entry(scale_id).or_default().insert(score, count);
        }
    }

    fn add_approved(&mut self, currency: Option<String>, amount_minor: i64, counted: &Counted) {
        if let Some(currency) =
            currency.filter(|_| counted.outcome.as_ref().is_some_and(|outcome| outcome.is(Outcome::Approve)))
        {
            self.approved.push(Approved { currency, count: counted.applications, amount_minor });
        }
    }

    fn told(mut self, tenant: String, from: String, to: String) -> Kpis {
        let product = |(product, parts): (String, Vec<_>)| ProductKpis { product, figures: figures(&parts) };
        let band = |((scale_id, band), parts): (_, Vec<_>)| BandKpis { scale_id, band, figures: figures(&parts) };
        let day = |(day, parts): (NaiveDate, Vec<_>)| DayKpis { day: day.to_string(), figures: figures(&parts) };
        let scale = |(scale_id, scores): (String, BTreeMap<_, _>)| Distribution::of(scale_id, &scores);
        self.approved.sort_by(|a, b| a.currency.cmp(&b.currency));
        Kpis {
            tenant,
            from,
            to,
            total: figures(&self.total),
            by_product: self.product.into_iter().map(product).collect(),
            by_band: self.band.into_iter().map(band).collect(),
            by_day: self.day.into_iter().map(day).collect(),
            scores: self.scores.into_iter().filter_map(scale).collect(),
            approved: self.approved,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_bounded() {
        let asked = |from: &str, to: &str| {
            let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            period(&KpiParams { from: some(from), to: some(to), ..KpiParams::default() }, 400).map_err(|p| p.status)
        };
        assert!(asked("2026-01-01", "2027-01-01").is_ok());
        assert_eq!(asked("2024-01-01", "2026-01-01"), Err(400), "too long");
        assert_eq!(asked("2026-02-01", "2026-01-01"), Err(400), "backwards");
        let usual = asked("", "2026-02-01").map(|period| rfc3339(period.from));
        assert_eq!(usual.as_deref(), Ok("2026-01-02T00:00:00.000Z"));
        assert!(asked("", "").is_ok());
    }
}
