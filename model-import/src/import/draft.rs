//! What is known of a package while it is made.

use super::answers::{Answers, Native};
use super::contract::Feature;
use super::engine::Engine;
use super::platt::Platt;
use super::sample::Sample;
use super::spread::evenly;
use domain::pd::Pd;
use domain::scale::Scale;

/// Version of every package that is imported.
pub const VERSION: &str = "1.0.0";

/// What is known of a package while it is made.
pub struct Draft {
    pub(super) name: String,
    pub(super) product: String,
    pub(super) scale: Scale,
    /// The sample's file and column.
    pub(super) source: String,
    pub(super) label: String,
    pub(super) horizon_months: u32,
    pub(super) sample: Sample,
    pub(super) engine: Engine,
    pub(super) features: Vec<Feature>,
    /// Of the sample's columns.
    pub(super) medians: Vec<f32>,
    /// The sample as the contract settles it.
    pub(super) rows: Vec<Vec<f32>>,
    pub(super) platt: Platt,
    /// One for each row.
    pub(super) pds: Vec<Pd>,
    pub(super) threshold: f64,
    /// What was changed in the graph, and why.
    pub(super) repaired: Option<String>,
    /// The library's own answers.
    pub(super) answers: Option<Answers>,
    /// What they say, once they were compared.
    pub(super) native: Option<Native>,
}

impl Draft {
    /// Of each row.
    pub(super) fn scores(&self) -> impl Iterator<Item = i32> {
        self.pds.iter().map(|pd| self.scale.score(*pd))
    }

    /// Rows of the sample from the safest to the riskiest, spread evenly.
    pub(super) fn spread(&self, most: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by_key(|row| self.pds[*row]);
        evenly(order.len(), most).map(|at| order[at]).collect()
    }

    /// A row as the contract makes it of an application; nothing of one that lacks what it must have.
    pub(super) fn settled(&self, row: &[f32]) -> Option<Vec<f32>> {
        self.features.iter().zip(row).map(|(feature, value)| feature.settled(*value)).collect()
    }
}
