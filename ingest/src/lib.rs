//! Ingest: everything that comes in comes through here. `receive` parses, checks, strips and re-keys; `admit` deduplicates.
//! Invariants: each published record gets exactly one reply; an application is admitted once for each revision; no value of
//! `identity` or `protected` leaves for any topic but their own.
//!
//! Reading order: [`config`], [`refusal`] (the words), [`strict`] (JSON), [`headers`] and [`sender`] (envelopes), [`products`],
//! [`rules`] and [`check`] (the contract), `amounts` and `attributes` (what models read otherwise, or not), [`published`] (what a refusal says), [`strip`], [`meaning`],
//! [`data_digest`], [`receive`] and its handler, [`remembered`], [`admit`] and its handler, [`id_form`], [`outputs`]; then the other ways in: [`publisher`],
//! [`door`], [`mapping`] and [`batch`]; [`activate`]; and [`start`].

pub mod activate;
pub mod admit;
pub mod admit_handler;
mod amounts;
mod attributes;
pub mod batch;
pub mod check;
mod check_applicant;
pub mod config;
pub mod data_digest;
pub mod door;
pub mod error;
mod expected;
pub mod headers;
pub mod id_form;
pub mod mapping;
pub mod meaning;
pub mod metrics;
pub mod outputs;
pub mod products;
pub mod published;
pub mod publisher;
pub mod receive;
pub mod receive_handler;
pub mod refusal;
pub mod remembered;
pub mod rules;
pub mod sender;
mod shape;
pub mod start;
pub mod strict;
pub mod strip;

pub use admit_handler::AdmitHandler;
pub use config::Config;
pub use error::Error;
pub use metrics::Metrics;
pub use receive_handler::ReceiveHandler;
pub use start::start;
