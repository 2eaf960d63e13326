//! Rights that brokers hold: asked for, and added. Knows no topic and no worker.

mod error;
mod right;

pub use error::AddError;
pub use right::{Acl, CLUSTER, Kind, Operation};

use crate::ffi;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::time::Duration;

/// Every right of a cluster; `None` where it holds none, because it has no authorizer and everybody may do everything.
///
/// # Errors
/// When the cluster does not answer, or does not show them to this client.
pub fn all<C: ClientContext>(client: &Client<C>, timeout: Duration) -> Result<Option<Vec<Acl>>, KafkaError> {
    match ffi::acls(client, timeout) {
        Err(KafkaError::AdminOp(RDKafkaErrorCode::SecurityDisabled)) => Ok(None),
        found => found.map(Some),
    }
}

/// Adds rights; one that is there already stays as it is.
///
/// # Errors
/// [`AddError`] when the cluster does not answer, or refuses one, with its words.
pub fn add<C: ClientContext>(client: &Client<C>, acls: &[Acl], timeout: Duration) -> Result<(), AddError> {
    match acls {
        [] => Ok(()),
        acls => ffi::add_acls(client, acls, timeout),
    }
}
