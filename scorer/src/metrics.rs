//! Metric names of the room, and the only place that touches them. Labels are bounded: a product outside the route is `other`.

use crate::route::Role;
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};
use scoring::Model;

/// Score events by product and status. Counted when handled: a batch that is tried again counts again.
pub const SCORED_TOTAL: &str = "defaultx_scored_total";
/// Score events of shadows by product and status, counted the same way.
pub const SHADOW_SCORED_TOTAL: &str = "defaultx_shadow_scored_total";
/// 1 for each model that scored the newest block.
pub const MODEL_INFO: &str = "defaultx_model_info";

/// The room's metrics.
pub struct Metrics {
    /// By product of the route, then `other`: scored and unscorable.
    scored: Vec<[IntCounter; 2]>,
    shadow_scored: Vec<[IntCounter; 2]>,
    model_info: IntGaugeVec,
    shown: Vec<usize>,
}

impl Metrics {
    /// Registers the metrics for the products of a route.
    ///
    /// # Errors
    /// When they are registered already.
    pub fn new<'a>(registry: &Registry, products: impl Iterator<Item = &'a str>) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str| IntCounterVec::new(Opts::new(name, help), &["product", "status"]);
        let scored = counters(SCORED_TOTAL, "Score events by product and status.")?;
        let shadow = counters(SHADOW_SCORED_TOTAL, "Score events of shadows by product and status.")?;
        let info = Opts::new(MODEL_INFO, "Models that decided on the newest block.");
        let model_info = IntGaugeVec::new(info, &["name", "version", "digest"])?;
        registry.register(Box::new(scored.clone()))?;
        registry.register(Box::new(shadow.clone()))?;
        registry.register(Box::new(model_info.clone()))?;
        let products: Vec<&str> = products.chain(["other"]).collect();
        let of = |counters: &IntCounterVec, product: &str| {
            ["scored", "unscorable"].map(|status| counters.with_label_values(&[product, status]))
        };
        let of_all = |counters: &IntCounterVec| products.iter().map(|product| of(counters, product)).collect();
        Ok(Self { scored: of_all(&scored), shadow_scored: of_all(&shadow), model_info, shown: Vec::new() })
    }

    /// Counts a score event; `product` is its index in the route.
    pub fn count(&self, role: Role, product: Option<usize>, scored: bool) {
        let counters = match role {
            Role::Champion | Role::Challenger => &self.scored,
            Role::Shadow => &self.shadow_scored,
        };
        let at = product.unwrap_or(counters.len() - 1);
        counters[at][usize::from(!scored)].inc();
    }

    /// Shows exactly these models, given with their indices. A block without applications says nothing of what is in force.
    pub fn in_force(&mut self, models: &[(usize, &Model)]) {
        if models.is_empty() || models.iter().map(|(index, _)| index).eq(&self.shown) {
            return;
        }
        self.model_info.reset();
        for (_, model) in models {
            let manifest = model.manifest();
            let labels = [manifest.name.as_str(), manifest.version.as_str(), &model.digest().to_string()];
            self.model_info.with_label_values(&labels).set(1);
        }
        self.shown = models.iter().map(|(index, _)| *index).collect();
    }
}
