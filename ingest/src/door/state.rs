//! What every request of the door needs: rules, who may send, where records go, and what is taken of its limits.

use super::keys::Keys;
use super::limits::{Bucket, Limits, Patience, Shares};
use crate::config::Config;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::outputs::Topics;
use crate::publisher::Publisher;
use crate::rules::{Rules, TenantRule, Tenants};
use axum::body::Bytes;
use runtime::auth::Verifier;
use runtime::service::ServiceContext;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Roles of a token that may send: an origination system's own, the people who take applications in, and Admin. A Reviewer
/// only looks.
pub const SENDER_ROLES: &[&str] = &["Originator", "Officer", "Admin"];

/// What every request needs. Shared, immutable but for what is taken of its limits.
pub struct Door {
    pub(super) rules: Rules,
    pub(super) tenants: Tenants,
    pub(super) topics: Topics,
    pub(super) publisher: Publisher,
    pub(super) metrics: Metrics,
    pub(super) verifier: Option<Verifier>,
    pub(super) open_tenant: Option<Arc<TenantRule>>,
    pub(super) shares: Arc<Shares>,
    /// Requests a second over all senders.
    pub(super) bucket: Mutex<Bucket>,
    /// A body's tree is many times its bytes, so that few are made at once.
    pub(super) parsing: Arc<Semaphore>,
    pub(super) patience: Patience,
    pub(super) keys: Arc<Keys>,
    pub(super) max_request_bytes: usize,
    pub(super) max_lines: usize,
    /// OpenAPI, as JSON.
    pub(super) description: Bytes,
    /// Milliseconds since 1970.
    pub(super) clock: fn() -> i64,
}

impl Door {
    /// Joins configuration and publisher.
    ///
    /// # Errors
    /// [`Error`] when a key, a tenant or a binding is no good.
    pub fn new(
        config: &Config,
        service: &ServiceContext,
        publisher: Publisher,
        metrics: Metrics,
        clock: fn() -> i64,
    ) -> Result<Self, Error> {
        let tenants = Tenants::new(config, &service.kafka.topic_prefix)?;
        let verifier = config.door_verifier()?;
        let named = |tenant: &str| {
            tenants.named(tenant).cloned().ok_or_else(|| Error::Door(format!("tenant {tenant:?} has no subject key")))
        };
        let open = Some(config.door_tenant.as_str()).filter(|tenant| verifier.is_none() && !tenant.is_empty());
        Ok(Self {
            rules: Rules::new(config)?,
            open_tenant: open.map(named).transpose()?,
            verifier,
            topics: Topics::new(&service.kafka),
            shares: Shares::new(limits(config)?),
            bucket: Mutex::new(Bucket::new(config.door_requests_per_second, 1)),
            parsing: Arc::new(Semaphore::new(config.door_max_parsing.max(1))),
            patience: Patience {
                grace: Duration::from_millis(config.door_body_grace_ms),
                bytes_per_second: config.door_body_bytes_per_second,
            },
            keys: Keys::new(config.door_idempotency_keys),
            max_request_bytes: config.door_max_request_bytes,
            max_lines: config.door_max_lines,
            description: description()?,
            tenants,
            publisher,
            metrics,
            clock,
        })
    }
}

fn description() -> Result<Bytes, Error> {
    let door = schemas::openapi::door().map_err(|error| Error::Door(error.to_string()))?;
    Ok(Bytes::from(door.to_string()))
}

fn limits(config: &Config) -> Result<Limits, Error> {
    let limits = Limits {
        places: config.door_max_concurrent,
        places_per_tenant: config.door_max_concurrent_per_tenant,
        bytes: config.door_max_held_bytes,
        bytes_per_tenant: config.door_max_held_bytes_per_tenant,
        records_per_second: config.door_records_per_second_per_tenant,
        burst_seconds: config.door_burst_seconds,
    };
    if limits.bytes.min(limits.bytes_per_tenant) < config.door_max_request_bytes {
        let why =
            "door_max_held_bytes and door_max_held_bytes_per_tenant must hold one request of door_max_request_bytes";
        return Err(Error::Door(why.to_owned()));
    }
    Ok(limits)
}
