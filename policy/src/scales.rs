//! Whether a policy's cutoffs and bands exist on the scales that models publish in. Reads no file: scales are an argument.

use crate::finding::Finding;
use crate::load::Compiled;
use crate::rules::{Cut, ProductRules};
use domain::scale::Scale;

impl Compiled {
    /// Findings about points outside their scale, and scales and bands that do not exist.
    pub fn check_scales(&self, scales: &[Scale]) -> Vec<Finding> {
        let products = self.all_rules().iter().enumerate();
        products.flat_map(|(index, rules)| on_scale(index, rules, scales)).collect()
    }
}

fn on_scale(index: usize, rules: &ProductRules, scales: &[Scale]) -> Vec<Finding> {
    let Some(scale) = scales.iter().find(|scale| scale.id() == rules.scale_id) else {
        let message = format!("no scale is called {}", rules.scale_id);
        return vec![Finding::error("unknown_scale", format!("/products/{index}/scale_id"), message)];
    };
    let (floor, cap) = scale.range();
    let mut findings = Vec::new();
    let band = |name: &String, at: String| {
        let known = scale.bands().iter().any(|band| band.name == *name);
        (!known).then(|| Finding::error("unknown_band", at, format!("{} has no band {name}", scale.id())))
    };
    for cutoff in &rules.cutoffs {
        let at = format!("/cutoffs/{}", cutoff.index);
        match &cutoff.by {
            Cut::Points { approve_at_or_above, decline_below } => {
                if *decline_below < floor || *approve_at_or_above > cap {
                    let message = format!("{} runs from {floor} to {cap}", scale.id());
                    findings.push(Finding::error("points_off_scale", at, message));
                }
            }
            Cut::Bands { approve, refer, decline } => {
                let all = approve.iter().chain(refer).chain(decline);
                findings.extend(all.filter_map(|name| band(name, at.clone())));
            }
        }
    }
    for limit in &rules.limits {
        let at = || format!("/limits/{}/bands", limit.index);
        findings.extend(limit.bands.iter().filter_map(|name| band(name, at())));
    }
    findings
}
