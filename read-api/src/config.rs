//! The knobs of read-api.

use runtime::auth::Realm;
use serde::{Deserialize, Serialize};

/// Section `[read-api]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port. Loopback by default: a deployment puts its TLS end in front.
    pub listen: String,
    /// Public key of tokens, PEM (`defaultx token` prints its own); required.
    pub token_key: String,
    /// `iss` that a token must carry.
    pub token_issuer: String,
    /// `aud` that a token must carry.
    pub token_audience: String,
    /// Milliseconds that a request may take before 503; the database gives up a little earlier.
    pub timeout_ms: u64,
    /// Requests answered at a time; one more gets 503 at once.
    pub concurrency: usize,
    /// Longest period of figures, in days: they are counted from rows.
    pub most_days: i64,
}

impl Default for Config {
    fn default() -> Self {
        let realm = Realm::default();
        Self {
            listen: "127.0.0.1:8090".to_owned(),
            token_key: String::new(),
            token_issuer: realm.issuer,
            token_audience: realm.audience,
            timeout_ms: 10_000,
            concurrency: 64,
            most_days: 400,
        }
    }
}

impl Config {
    /// Whose tokens are taken.
    pub fn realm(&self) -> Realm {
        Realm { issuer: self.token_issuer.clone(), audience: self.token_audience.clone() }
    }
}
