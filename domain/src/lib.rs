//! PURE. The nouns and arithmetic of credit risk: identities, closed words, money, probability, points, reasons, outcomes.
//!
//! No input or output, no clock, no environment, no logging. Nothing here serialises: wire forms live in `schemas`.
//! Reading order: [`word`], [`ids`], [`money`], [`digest`], [`application`], [`facts`], [`intake`], [`pd`], [`scale`], [`score`], [`reason`],
//! [`outcome`], [`delivery`], [`field_class`], [`attributes`].

pub mod application;
pub mod attributes;
pub mod delivery;
pub mod digest;
pub mod facts;
pub mod field_class;
pub mod ids;
pub mod intake;
pub mod money;
pub mod outcome;
pub mod pd;
pub mod reason;
pub mod scale;
pub mod score;
pub mod word;

pub use application::{ApplicantKind, Intent, ReportStatus, RequestType, Role};
pub use attributes::{Attribute, Attributes, ProductAttributes};
pub use delivery::DeliveryStatus;
pub use digest::Digest;
pub use field_class::{FieldClass, FieldClasses, Free};
pub use ids::{ApplicationId, ApplicationKey, Revision, Tenant};
pub use intake::{Channel, ReplyStatus};
pub use money::{Currency, Money};
pub use outcome::{Automation, Comparator, Outcome, ReasonSource, Referral, Step};
pub use pd::Pd;
pub use score::{FeatureFlag, ModelRole, Population, ScoreStatus};
pub use word::Worded;
