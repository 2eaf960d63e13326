//! Key figures of a period, counted from rows: volumes and rates in all, by product, band and day, the distribution of
//! scores, what was approved. Probabilities are not averaged here: horizons differ between models.

use crate::caller::{Caller, Params};
use crate::filter::{Filter, Period};
use crate::problem::Problem;
use crate::router::App;
use crate::tally::{Counted, Figures, figures};
use axum::Json;
use axum::extract::State;
use chrono::{Duration, NaiveDate};
use runtime::clock::{self, rfc3339};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Transaction};
use utoipa::{IntoParams, ToSchema};

/// Days back from now when the caller names no period.
const USUAL_DAYS: i64 = 30;
/// Points in a bin of the distribution.
const BIN_POINTS: i32 = 20;

/// One row for each application: its newest revision, that revision's newest score and the decision that stands for it.
/// Portfolios that are only scored count when they are asked for.
const BASE: &str = "
    WITH base AS (
        SELECT a.product, a.received_at::date AS day, s.status, s.class, s.score, s.band, s.scale_id,
               d.outcome, d.automation, d.approved_minor, d.currency
        FROM defaultx.applications a
        LEFT JOIN (
            SELECT DISTINCT ON (application_id, revision) * FROM defaultx.scores
            WHERE tenant = $1 AND NOT shadow ORDER BY application_id, revision, scored_at DESC, event_id
        ) s ON s.application_id = a.application_id AND s.revision = a.revision
        LEFT JOIN (
            SELECT DISTINCT ON (application_id, revision) * FROM defaultx.decisions
            WHERE tenant = $1 ORDER BY application_id, revision, decision_number DESC
        ) d ON d.application_id = a.application_id AND d.revision = a.revision
        WHERE a.tenant = $1 AND a.received_at >= $2 AND a.received_at < $3
          AND ($4::text IS NULL OR a.product = $4) AND ($5::text IS NULL OR a.channel = $5)
          AND ($6::text IS NULL OR a.jurisdiction = $6) AND a.intent = coalesce($7, nullif(a.intent, 'score_only'))
          AND ($8::text IS NULL OR s.model = $8) AND ($9::text IS NULL OR d.policy = $9)
          AND NOT EXISTS (
              SELECT FROM defaultx.applications later
              WHERE later.tenant = $1 AND later.application_id = a.application_id AND later.revision > a.revision)
    )";

const GROUPS: &str = "
    SELECT grouping(product), grouping(scale_id), grouping(day), product, scale_id, band, day, outcome, count(*),
           count(*) FILTER (WHERE automation = 'automatic'), count(*) FILTER (WHERE status = 'scored'),
           count(*) FILTER (WHERE status = 'unscorable'), count(*) FILTER (WHERE class = 1)
    FROM base GROUP BY GROUPING SETS ((outcome), (product, outcome), (scale_id, band, outcome), (day, outcome))";

/// The row of a scale without a bin carries its median.
const SCORES: &str = "
    SELECT scale_id, floor(score::float8 / 20)::int4 * 20 AS low, count(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY score)
    FROM base WHERE score IS NOT NULL AND scale_id IS NOT NULL
    GROUP BY GROUPING SETS ((scale_id, low), (scale_id)) ORDER BY scale_id, low NULLS FIRST";

/// A sum that no integer holds is shown as the largest one.
const APPROVED: &str = "
    SELECT currency, count(*), least(sum(approved_minor), 9223372036854775807)::int8
    FROM base WHERE outcome = 'approve' AND currency IS NOT NULL AND approved_minor IS NOT NULL
    GROUP BY currency ORDER BY currency";

/// Which applications count.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FigureParams {
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
    pub by_product: Vec<ProductFigures>,
    /// By band of the score; bands belong to a scale.
    pub by_band: Vec<BandFigures>,
    /// By day of receipt, UTC; days without applications are left out.
    pub by_day: Vec<DayFigures>,
    /// Distribution of scores, by scale.
    pub scores: Vec<Distribution>,
    /// Approved, by currency.
    pub approved: Vec<Approved>,
}

/// Figures of a product.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductFigures {
    /// Product.
    pub product: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Figures of a band.
#[derive(Debug, Serialize, ToSchema)]
pub struct BandFigures {
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
pub struct DayFigures {
    /// Day, UTC.
    #[schema(format = Date)]
    pub day: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Scores on one scale.
#[derive(Debug, Serialize, ToSchema)]
pub struct Distribution {
    /// Scale.
    pub scale_id: String,
    /// Scores.
    pub count: i64,
    /// The score in the middle.
    pub median: i32,
    /// Points in a bin.
    pub bin_points: i32,
    /// Bins that hold a score, lowest first.
    pub bins: Vec<Bin>,
}

/// Scores from `low` to just below the next bin.
#[derive(Debug, Serialize, ToSchema)]
pub struct Bin {
    /// Lowest points.
    pub low: i32,
    /// Scores.
    pub count: i64,
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
#[utoipa::path(get, path = "/v1/kpis", tag = "figures", params(FigureParams), responses(
    (status = 200, description = "The figures", body = Kpis),
    (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn count(
    State(app): State<Arc<App>>,
    caller: Caller,
    Params(params): Params<FigureParams>,
) -> Result<Json<Kpis>, Problem> {
    let tenant = caller.tenant(params.tenant.as_deref())?;
    let period = period(&params, i64::from(app.config.figures_days_max))?;
    let filter = params.filter().checked()?;
    let Filter { product, channel, jurisdiction, intent, model, policy, .. } = &filter;
    let asked: [&(dyn ToSql + Sync); 9] =
        [&tenant, &period.from, &period.to, product, channel, jurisdiction, intent, model, policy];

    let mut session = app.store.session().await?;
    let tx = app.store.snapshot(&mut session).await?;
    let groups = Groups::of_rows(&tx.query(&format!("{BASE} {GROUPS}"), &asked).await?)?;
    let scores = distributions(&tx, &asked).await?;
    let approved = approved(&tx, &asked).await?;
    let (from, to) = (rfc3339(period.from), rfc3339(period.to));
    Ok(Json(groups.told(tenant, from, to, scores, approved)))
}

fn period(params: &FigureParams, days_max: i64) -> Result<Period, Problem> {
    let ever = Period::ever();
    let to = Period::read(None, params.to.as_deref(), Period { to: clock::now(), ..ever })?.to;
    let usual = Period { from: (to - Duration::days(USUAL_DAYS)).max(ever.from), to };
    let period = Period::read(params.from.as_deref(), None, usual)?;
    if period.to - period.from > Duration::days(days_max) {
        return Err(Problem::bad_request(format!("from: figures cover at most {days_max} days")));
    }
    Ok(period)
}

impl FigureParams {
    fn filter(self) -> Filter {
        let Self { product, channel, jurisdiction, intent, model, policy, .. } = self;
        Filter { product, channel, jurisdiction, intent, model, policy, ..Filter::default() }
    }
}

/// Counted groups, each by outcome.
#[derive(Default)]
struct Groups {
    total: Vec<Counted>,
    product: BTreeMap<String, Vec<Counted>>,
    band: BTreeMap<(Option<String>, Option<String>), Vec<Counted>>,
    day: BTreeMap<NaiveDate, Vec<Counted>>,
}

impl Groups {
    fn of_rows(rows: &[Row]) -> Result<Self, Problem> {
        let mut groups = Self::default();
        for row in rows {
            let counted = Counted {
                outcome: row.try_get(7)?,
                applications: row.try_get(8)?,
                automatic: row.try_get(9)?,
                scored: row.try_get(10)?,
                unscorable: row.try_get(11)?,
                risky: row.try_get(12)?,
            };
            // grouping() is 0 for the column that the row is grouped by.
            let by: (i32, i32, i32) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            match by {
                (0, _, _) => groups.product.entry(row.try_get(3)?).or_default(),
                (_, 0, _) => groups.band.entry((row.try_get(4)?, row.try_get(5)?)).or_default(),
                (_, _, 0) => groups.day.entry(row.try_get(6)?).or_default(),
                _ => &mut groups.total,
            }
            .push(counted);
        }
        Ok(groups)
    }

    fn told(
        self,
        tenant: String,
        from: String,
        to: String,
        scores: Vec<Distribution>,
        approved: Vec<Approved>,
    ) -> Kpis {
        let product = |(product, parts): (String, Vec<_>)| ProductFigures { product, figures: figures(&parts) };
        let band = |((scale_id, band), parts): (_, Vec<_>)| BandFigures { scale_id, band, figures: figures(&parts) };
        let day = |(day, parts): (NaiveDate, Vec<_>)| DayFigures { day: day.to_string(), figures: figures(&parts) };
        Kpis {
            tenant,
            from,
            to,
            total: figures(&self.total),
            by_product: self.product.into_iter().map(product).collect(),
            by_band: self.band.into_iter().map(band).collect(),
            by_day: self.day.into_iter().map(day).collect(),
            scores,
            approved,
        }
    }
}

async fn distributions(tx: &Transaction<'_>, asked: &[&(dyn ToSql + Sync)]) -> Result<Vec<Distribution>, Problem> {
    let mut scales: Vec<Distribution> = Vec::new();
    for row in tx.query(&format!("{BASE} {SCORES}"), asked).await? {
        let (scale_id, low, count): (String, Option<i32>, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        match (low, scales.last_mut()) {
            (Some(low), Some(scale)) => scale.bins.push(Bin { low, count }),
            _ => {
                let median = row.try_get(3)?;
                scales.push(Distribution { scale_id, count, median, bin_points: BIN_POINTS, bins: Vec::new() });
            }
        }
    }
    Ok(scales)
}

async fn approved(tx: &Transaction<'_>, asked: &[&(dyn ToSql + Sync)]) -> Result<Vec<Approved>, Problem> {
    let rows = tx.query(&format!("{BASE} {APPROVED}"), asked).await?;
    let sums = rows
        .iter()
        .map(|row| Ok(Approved { currency: row.try_get(0)?, count: row.try_get(1)?, amount_minor: row.try_get(2)? }));
    sums.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_bounded() {
        let asked = |from: &str, to: &str| {
            let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            period(&FigureParams { from: some(from), to: some(to), ..FigureParams::default() }, 400)
                .map_err(|p| p.status)
        };
        assert!(asked("2026-01-01", "2027-01-01").is_ok());
        assert_eq!(asked("2024-01-01", "2026-01-01"), Err(400), "too long");
        assert_eq!(asked("2026-02-01", "2026-01-01"), Err(400), "backwards");
        let usual = asked("", "2026-02-01").map(|period| rfc3339(period.from));
        assert_eq!(usual.as_deref(), Ok("2026-01-02T00:00:00.000Z"));
        assert!(asked("", "").is_ok());
    }
}
