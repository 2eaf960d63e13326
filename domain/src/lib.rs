//! PURE. The nouns and arithmetic of credit risk: identities, money, probability, points, reasons, outcomes.
//!
//! No input or output, no clock, no environment, no logging. Nothing here serialises: wire forms live in `schemas`.
//! Reading order: [`ids`], [`money`], [`digest`], [`pd`], [`scale`], [`reason`], [`outcome`], [`field_class`].

pub mod digest;
pub mod field_class;
pub mod ids;
pub mod money;
pub mod outcome;
pub mod pd;
pub mod reason;
pub mod scale;

pub use digest::Digest;
pub use field_class::{FieldClass, FieldClasses, Free};
pub use ids::{ApplicationId, ApplicationKey, Revision, Tenant};
pub use money::{Currency, Money};
pub use pd::Pd;
