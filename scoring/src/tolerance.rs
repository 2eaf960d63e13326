//! How far two answers to one question may be apart.

/// How far a number may be from its golden one: absolutely, or relative to it where it is above one.
pub const TOLERANCE: f64 = 1e-6;
/// The same for contributions, which other libraries reckon in single precision.
pub(crate) const CONTRIBUTION_TOLERANCE: f64 = 1e-5;
