//! Metric names of the room, and the only place that touches them. Labels are bounded: a product outside the route is `other`.

use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};
use scoring::Model;

/// Score events by product and status. Counted when handled: a batch that is tried again counts again.
pub const SCORED_TOTAL: &str = "defaultx_scored_total";
/// 1 for each model that scored the newest block.
pub const MODEL_INFO: &str = "defaultx_model_info";

/// The room's metrics.
pub struct Metrics {
    /// By product of the route, then `other`: scored and unscorable.
    scored: Vec<[IntCounter; 2]>,
    model_info: IntGaugeVec,
    shown: Vec<usize>,
}

impl Metrics {
    /// Registers the metrics for the products of a route.
    ///
    /// # Errors
    /// When they are registered already.
    pub fn new<'a>(registry: &Registry, products: impl Iterator<Item = &'a str>) -> Result<Self, prometheus::Error> {
        let scored = Opts::new(SCORED_TOTAL, "Score events by product and status.");
        let scored = IntCounterVec::new(scored, &["product", "status"])?;
        let info = Opts::new(MODEL_INFO, "Models that scored the newest block.");
        let model_info = IntGaugeVec::new(info, &["name", "version", "digest"])?;
        registry.register(Box::new(scored.clone()))?;
        registry.register(Box::new(model_info.clone()))?;
        let of = |product: &str| ["scored", "unscorable"].map(|status| scored.with_label_values(&[product, status]));
        Ok(Self { scored: products.chain(["other"]).map(of).collect(), model_info, shown: Vec::new() })
    }

    /// Counts a score event; `product` is its index in the route.
    pub fn count(&self, product: Option<usize>, scored: bool) {
        let at = product.unwrap_or(self.scored.len() - 1);
        self.scored[at][usize::from(!scored)].inc();
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
