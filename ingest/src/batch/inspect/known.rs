//! What a deployment knows beyond the file that a mapping is proposed for.

/// What a deployment knows beyond the file.
#[derive(Debug, Clone)]
pub struct Known<'k> {
    /// The sender.
    pub tenant: &'k str,
    /// Products that are taken.
    pub products: &'k [String],
    /// Today, `YYYY-MM-DD`.
    pub today: &'k str,
}
