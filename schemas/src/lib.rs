//! The contracts: what crosses a process border, as Rust structs that mirror the published JSON Schemas, and the schemas,
//! topics and migrations themselves. Decides nothing and talks to nobody.
//!
//! Reading order: [`topics`], [`rights`], [`envelope`], [`word`], [`application`], [`intake`], [`reply`], [`attributes`], [`risk`], [`decision`],
//! [`notification`], [`control`], [`instance`], [`access`], [`token`], [`logged`], [`migrations`], [`logins`], [`catalogue`], [`openapi`].

pub mod access;
pub mod application;
pub mod attributes;
pub mod catalogue;
pub mod control;
pub mod decision;
pub mod envelope;
pub mod event_id;
pub mod gap;
pub mod instance;
pub mod intake;
pub mod logged;
pub mod logins;
pub mod migrations;
pub mod notification;
pub mod openapi;
pub mod reply;
pub mod rights;
pub mod risk;
pub mod token;
pub mod topics;
pub mod word;

pub use envelope::Envelope;
pub use topics::Topic;
pub use word::Word;
