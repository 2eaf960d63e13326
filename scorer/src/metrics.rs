//! Metric names of the room, and the only place that touches them. Labels are bounded: a product outside every route is `other`.

use crate::route::{Entry, Role, Route};
use crate::routes::Routes;
use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};
use scoring::Model;

/// Score events by product and status. Counted when handled: a batch that is tried again counts again.
pub const SCORED_TOTAL: &str = "defaultx_scored_total";
/// Score events of shadows by product and status, counted the same way.
pub const SHADOW_SCORED_TOTAL: &str = "defaultx_shadow_scored_total";
/// Applications on which the condition of a route's entry could not be told, so that it did not apply; counted the same way.
pub const CONDITION_UNTOLD_TOTAL: &str = "defaultx_route_condition_untold_total";
/// 1 for each model that scored the newest block.
pub const MODEL_INFO: &str = "defaultx_model_info";

/// The room's metrics.
pub struct Metrics {
    /// Products of the routes, then `other`.
    products: Vec<String>,
    /// By product: scored and unscorable.
    scored: Vec<[IntCounter; 2]>,
    shadow_scored: Vec<[IntCounter; 2]>,
    untold: IntCounterVec,
    model_info: IntGaugeVec,
    shown: Vec<usize>,
}

impl Metrics {
    /// Registers the metrics for the products and entries of all routes.
    ///
    /// # Errors
    /// When they are registered already.
    pub fn new(registry: &Registry, routes: &Routes) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let by_product = ["product", "status"];
        let scored = counters(SCORED_TOTAL, "Score events by product and status.", &by_product)?;
        let shadow = counters(SHADOW_SCORED_TOTAL, "Score events of shadows by product and status.", &by_product)?;
        let help = "Applications on which the condition of a route's entry could not be told.";
        let untold = counters(CONDITION_UNTOLD_TOTAL, help, &["route", "entry"])?;
        let of_route = |route: &Route| {
            let conditional = route.entries().iter().filter(|entry| entry.is_conditional());
            conditional.for_each(|Entry { id, .. }| {
                untold.with_label_values(&[route.label().as_str(), id.as_str()]).inc_by(0)
            });
        };
        routes.all().iter().for_each(of_route);
        let info = Opts::new(MODEL_INFO, "Models that decided on the newest block.");
        let model_info = registered(registry, IntGaugeVec::new(info, &["name", "version", "digest"])?)?;
        let products: Vec<String> = routes.products().into_iter().chain(["other"]).map(str::to_owned).collect();
        let of = |counters: &IntCounterVec, product: &str| {
            ["scored", "unscorable"].map(|status| counters.with_label_values(&[product, status]))
        };
        let of_all = |counters: &IntCounterVec| products.iter().map(|product| of(counters, product)).collect();
        let (scored, shadow_scored) = (of_all(&scored), of_all(&shadow));
        Ok(Self { products, scored, shadow_scored, untold, model_info, shown: Vec::new() })
    }

    /// Counts a score event.
    pub fn count(&self, role: Role, product: &str, scored: bool) {
        let counters = match role {
            Role::Champion | Role::Challenger => &self.scored,
            Role::Shadow => &self.shadow_scored,
        };
        let at = self.products.iter().position(|known| known == product).unwrap_or(counters.len() - 1);
        counters[at][usize::from(!scored)].inc();
    }

    /// Counts entries whose condition could not be told on an application.
    pub fn untold(&self, route: &Route, entries: &[&str]) {
        entries.iter().for_each(|entry| self.untold.with_label_values(&[route.label().as_str(), entry]).inc());
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

fn registered<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}
