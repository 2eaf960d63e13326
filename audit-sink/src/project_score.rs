//! PURE. A score event as a row: what dashboards group and count. Values and contributions stay in the log.

use crate::event::Event;
use crate::rows::ScoreRow;
use domain::FeatureFlag;
use schemas::logged::{Scored, time};

/// The row of a score event; `None` when it cannot be read.
pub(crate) fn row(event: &Event<'_>, shadow: bool) -> Option<ScoreRow> {
    let text = event.text()?;
    let body: Scored<'_> = serde_json::from_str(&text).ok()?;
    let received_at = time(&body.times.received_at).unwrap_or(event.at);
    let flagged = |flag: FeatureFlag| {
        let names = body.features.iter().filter(|feature| feature.flag.as_ref().is_some_and(|own| own.is(flag)));
        names.map(|feature| &*feature.name).collect::<Vec<_>>().join(",")
    };
    let pulled = body.reports.iter().filter_map(|report| time(&report.pulled_at));
    let oldest_days = pulled.map(|at| (received_at - at).num_days()).max();
    let statuses = body.reports.iter().map(|report| report.status.as_str()).collect::<Vec<_>>().join(",");
    let [missing, clamped, unknown] = [FeatureFlag::Missing, FeatureFlag::Clamped, FeatureFlag::Unknown].map(flagged);
    let (model, score) = (body.model, body.score);
    Some(ScoreRow {
        tenant: body.application.tenant,
        application_id: body.application.application_id,
        revision: body.application.revision.try_into().ok()?,
        event_id: event.id,
        shadow,
        product: body.product,
        intent: body.intent,
        channel: body.channel,
        jurisdiction: body.jurisdiction,
        status: body.status,
        unscorable: body.unscorable.join(","),
        model_version: model.as_ref().map(|model| model.version.clone()),
        model_role: model.as_ref().map(|model| model.role.clone()),
        model: model.map(|model| model.name),
        bucket: body.route.and_then(|route| route.bucket.try_into().ok()),
        pd: score.as_ref().map(|score| score.pd),
        score: score.as_ref().map(|score| score.score),
        class: score.as_ref().map(|score| i16::from(score.class)),
        band: score.as_ref().map(|score| score.band.clone()),
        scale_id: score.map(|score| score.scale_id),
        missing,
        clamped,
        unknown,
        features: body.features.len().try_into().ok()?,
        report_status: statuses,
        report_age_days: oldest_days.and_then(|days| days.try_into().ok()),
        received_at,
        scored_at: event.at,
        log: event.position.log,
        seq: event.position.seq,
    })
}
