//! Metric names of the worker, and the only place that touches them. Labels are bounded: a product outside every route is `other`.

use crate::route::{Entry, Route};
use crate::routes::Routes;
use domain::{ModelRole, ScoreStatus};
use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};
use scoring::Model;

/// Score events by product and status. Counted when handled: a batch that is tried again counts again.
pub(crate) const SCORED_TOTAL: &str = "defaultx_scored_total";
/// Score events of shadows by product and status, counted the same way.
pub(crate) const SHADOW_SCORED_TOTAL: &str = "defaultx_shadow_scored_total";
/// Applications on which the condition of a route's entry was undetermined, so that it did not apply; counted the same way.
pub(crate) const CONDITION_UNDETERMINED_TOTAL: &str = "defaultx_route_condition_untold_total";
/// 1 for each model that scored the newest block.
pub(crate) const MODEL_INFO: &str = "defaultx_model_info";

/// The label of products outside every route.
const OTHER: &str = "other";
/// Most products that are counted by name: routes come while the worker runs.
const MAX_PRODUCTS: usize = 200;

/// The worker's metrics.
pub struct Metrics {
    /// Products of the routes, then `other`.
    products: Vec<String>,
    /// By product: scored and unscorable.
    scored: Vec<[IntCounter; 2]>,
    shadow_scored: Vec<[IntCounter; 2]>,
    by_product: [IntCounterVec; 2],
    undetermined: IntCounterVec,
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
        let help = "Applications on which the condition of a route's entry was undetermined.";
        let undetermined = counters(CONDITION_UNDETERMINED_TOTAL, help, &["route", "entry"])?;
        let info = Opts::new(MODEL_INFO, "Models that decided on the newest block.");
        let model_info = registered(registry, IntGaugeVec::new(info, &["name", "version", "digest"])?)?;
        let mut metrics = Self {
            products: Vec::new(),
            scored: Vec::new(),
            shadow_scored: Vec::new(),
            by_product: [scored, shadow],
            undetermined,
            model_info,
            shown: Vec::new(),
        };
        metrics.product(OTHER);
        routes.all().for_each(|route| metrics.learn(route));
        Ok(metrics)
    }

    /// Counts for the products and entries of a route from now on.
    pub(crate) fn learn(&mut self, route: &Route) {
        for Entry { id, .. } in route.entries().iter().filter(|entry| entry.is_conditional()) {
            self.undetermined.with_label_values(&[route.label().as_str(), id.as_str()]).inc_by(0);
        }
        route.entries().iter().for_each(|entry| self.product(&entry.product));
    }

    /// The last product stays `other`.
    fn product(&mut self, product: &str) {
        if self.products.iter().any(|known| known == product) || self.products.len() > MAX_PRODUCTS {
            return;
        }
        let statuses = [ScoreStatus::Scored, ScoreStatus::Unscorable];
        let [scored, shadow] = self
            .by_product
            .each_ref()
            .map(|counters| statuses.map(|status| counters.with_label_values(&[product, status.as_str()])));
        let at = self.products.len().saturating_sub(1);
        self.products.insert(at, product.to_owned());
        self.scored.insert(at, scored);
        self.shadow_scored.insert(at, shadow);
    }

    /// Counts a score event.
    pub fn count(&self, role: ModelRole, product: &str, status: ScoreStatus) {
        let counters = match role {
            ModelRole::Champion | ModelRole::Challenger => &self.scored,
            ModelRole::Shadow => &self.shadow_scored,
        };
        let at = self.products.iter().position(|known| known == product).unwrap_or(counters.len() - 1);
        counters[at][usize::from(status != ScoreStatus::Scored)].inc();
    }

    /// Counts entries whose condition was undetermined on an application.
    pub fn undetermined(&self, route: &Route, entries: &[&str]) {
        entries.iter().for_each(|entry| self.undetermined.with_label_values(&[route.label().as_str(), entry]).inc());
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
