//! What a deployment knows beyond the file that a mapping is proposed for.

use crate::products::Products;
use domain::ProductAttributes;

/// What a deployment knows beyond the file.
#[derive(Debug, Clone)]
pub struct Known<'k> {
    /// The sender.
    pub tenant: &'k str,
    /// Products that are taken, each with its currencies.
    pub products: &'k Products,
    /// What the models of each product read.
    pub attributes: &'k ProductAttributes,
    /// Today, `YYYY-MM-DD`.
    pub today: &'k str,
}
