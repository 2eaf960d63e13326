//! What end-to-end tests, chaos and benchmarks share: servers, traffic, processes, and a plain reader that says what is true.
//!
//! Reading order: [`stage`], [`traffic`], [`wire`], [`hostile`], [`supervisor`], [`door`], [`oracle`], [`truth`], [`watch`], [`ceiling`].

pub mod ceiling;
pub mod door;
pub mod hostile;
pub mod oracle;
pub mod stage;
pub mod supervisor;
pub mod traffic;
pub mod truth;
pub mod watch;
pub mod wire;
