//! One attempt over HTTP: signed as Standard Webhooks say, to an address that the filter lets through, without redirects or
//! proxies, within a time and with a bounded answer. Decides nothing: [`crate::deliver`] does.

use crate::address::{self, Forbidden, PublicOnly, System};
use crate::config::{Config, Subscription};
use crate::deliver::{Attempt, Cause};
use crate::error::Error;
use crate::retry_after;
use chrono::{DateTime, Utc};
use reqwest::dns::Resolve;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, Url, redirect};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Where one subscription's webhooks go, and how they are signed.
pub struct Endpoint {
    /// The subscription.
    pub subscription: String,
    /// SHA-256 of the URL, under which it is disabled.
    pub url_sha256: [u8; 32],
    url: Url,
    signers: Vec<Webhook>,
}

impl Endpoint {
    /// Of a subscription.
    ///
    /// # Errors
    /// [`Error::Config`] where [`Config::check`] would refuse it too.
    pub fn new(subscription: &Subscription, allow_private: bool) -> Result<Self, Error> {
        let refused = |why: String| Error::Config(format!("subscription {:?} {why}", subscription.id));
        let url = address::endpoint(subscription.url.expose(), allow_private).map_err(refused)?;
        let signers = subscription.secrets.iter().map(|secret| Webhook::new(secret.expose()));
        let signers = signers.collect::<Result<_, _>>().map_err(|_| refused("has a bad secret".to_owned()))?;
        Ok(Self { subscription: subscription.id.clone(), url_sha256: subscription.url_sha256(), url, signers })
    }

    /// The signatures of all secrets, newest first, as receivers expect them during a rotation.
    fn signature(&self, id: &str, timestamp: i64, body: &str) -> String {
        let signed = self.signers.iter().filter_map(|signer| signer.sign(id, timestamp, body.as_bytes()).ok());
        signed.collect::<Vec<_>>().join(" ")
    }
}

/// Posts.
#[derive(Debug, Clone)]
pub struct Poster {
    client: Client,
    response_max_bytes: usize,
}

impl Poster {
    /// A client by the knobs. Makes ring the TLS provider of the process, unless it has one.
    ///
    /// # Errors
    /// [`Error::Client`].
    pub fn new(config: &Config) -> Result<Self, Error> {
        Self::resolving(config, Arc::new(System))
    }

    /// The same with a resolver of one's own.
    ///
    /// # Errors
    /// [`Error::Client`].
    pub fn resolving(config: &Config, resolver: Arc<dyn Resolve>) -> Result<Self, Error> {
        if rustls::crypto::ring::default_provider().install_default().is_err() {
            tracing::debug!("the process has a TLS provider already");
        }
        let client = Client::builder()
            .user_agent(concat!("DefaultX/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy() // a proxy would resolve names behind the filter's back
            .referer(false)
            .dns_resolver(Arc::new(PublicOnly { resolver, allow_private: config.allow_private_addresses }))
            .timeout(Duration::from_millis(config.request_timeout_ms))
            .connect_timeout(Duration::from_millis(config.connect_timeout_ms))
            .pool_max_idle_per_host(config.concurrency)
            .build()
            .map_err(Error::Client)?;
        Ok(Self { client, response_max_bytes: config.response_max_bytes })
    }

    /// One attempt. `at` is the time that is signed; receivers refuse what is minutes old.
    pub async fn post(
        &self,
        endpoint: &Endpoint,
        id: Uuid,
        traceparent: Option<&str>,
        body: String,
        at: DateTime<Utc>,
    ) -> Attempt {
        let (id, timestamp) = (id.to_string(), at.timestamp());
        let mut request = self
            .client
            .post(endpoint.url.clone())
            .header(CONTENT_TYPE, schemas::envelope::JSON)
            .header(HEADER_WEBHOOK_ID, &id)
            .header(HEADER_WEBHOOK_TIMESTAMP, timestamp)
            .header(HEADER_WEBHOOK_SIGNATURE, endpoint.signature(&id, timestamp, &body));
        if let Some(traceparent) = traceparent {
            request = request.header(schemas::envelope::header::TRACEPARENT, traceparent);
        }
        match request.body(body).send().await {
            Ok(response) => self.read(response, at).await,
            Err(error) => Attempt::Unanswered(cause(&error)),
        }
    }

    /// The status counts whatever becomes of the body, which is only read so that the connection can serve again.
    async fn read(&self, mut response: Response, at: DateTime<Utc>) -> Attempt {
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|value| retry_after::wait(value, at));
        let attempt = Attempt::Answered { status: response.status().as_u16(), retry_after };
        let mut bytes = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            bytes += chunk.len();
            if bytes > self.response_max_bytes {
                break;
            }
        }
        attempt
    }
}

fn cause(error: &reqwest::Error) -> Cause {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = source {
        if inner.is::<Forbidden>() {
            return Cause::AddressForbidden;
        }
        source = inner.source();
    }
    match error {
        error if error.is_timeout() => Cause::Timeout,
        error if error.is_dns() => Cause::Dns,
        error if error.is_connect() => Cause::Connect,
        _ => Cause::Broken,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_signs_so_that_receivers_may_change_theirs() {
        let secrets = [
            "whsec_bmV3LXNlY3JldC1uZXctc2VjcmV0LW5ldy1zZWNyZXQ=",
            "whsec_b2xkLXNlY3JldC1vbGQtc2VjcmV0LW9sZC1zZWNyZXQ=",
        ];
        let text = r#"{"id":"los","url":"https://a.example/","secrets":["whsec_bmV3LXNlY3JldC1uZXctc2VjcmV0LW5ldy1zZWNyZXQ=","whsec_b2xkLXNlY3JldC1vbGQtc2VjcmV0LW9sZC1zZWNyZXQ="]}"#;
        let endpoint = Endpoint::new(&serde_json::from_str(text).unwrap(), false).unwrap();
        let signature = endpoint.signature("id", 1_700_000_000, "{}");
        let each = secrets.map(|secret| Webhook::new(secret).unwrap().sign("id", 1_700_000_000, b"{}").unwrap());
        assert_eq!(signature, each.join(" "));
        assert!(each[0].starts_with("v1,") && each[0] != each[1]);
    }
}
