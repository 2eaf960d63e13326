//! What a deployment knows beyond the file that a mapping is proposed for.

use crate::products::Products;
use domain::ProductAttributes;
use std::collections::{BTreeMap, BTreeSet};

/// What a deployment knows beyond the file.
#[derive(Debug, Clone)]
pub struct Known<'k> {
    /// The sender.
    pub tenant: &'k str,
    /// Products that are taken, each with its currencies.
    pub products: &'k Products,
    /// What the models of each product read of `attributes`.
    pub attributes: &'k ProductAttributes,
    /// Of each product whose models are here: the places below `facts` of the first applicant that they read.
    pub facts: &'k BTreeMap<String, BTreeSet<String>>,
    /// Today, `YYYY-MM-DD`.
    pub today: &'k str,
}
