//! Whether a server that speaks plain HTTP may listen where others can read along.

use std::net::SocketAddr;

/// What is said of listening without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover {
    /// Nothing: on loopback only.
    Bare,
    /// That it may be anywhere.
    BareByChoice,
}

impl Cover {
    /// As [`crate::service::ServiceContext::allow_plaintext_listeners`] says.
    pub fn of(allowed: bool) -> Self {
        if allowed { Self::BareByChoice } else { Self::Bare }
    }

    /// Whether a server without TLS may listen there.
    ///
    /// # Errors
    /// What to set.
    pub fn check(self, address: SocketAddr) -> std::io::Result<()> {
        if self == Self::BareByChoice || address.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        Err(std::io::Error::other(
            "is beyond loopback, and tokens and personal data would cross the network readable: set [tls] certificate and key, listen on \
             127.0.0.1 behind a TLS end, or set [process] allow_plaintext_listeners = true where the network is trusted as a whole",
        ))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{Bounds, serve_within};
    use super::*;
    use axum::Router;
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn beyond_loopback_nothing_listens_bare_unless_somebody_said_so() {
        let rows = [
            ("127.0.0.1:0", Cover::Bare, true),
            ("127.8.8.8:0", Cover::Bare, true),
            ("[::ffff:127.0.0.1]:0", Cover::Bare, true),
            ("0.0.0.0:0", Cover::Bare, false),
            ("[::]:0", Cover::Bare, false),
            ("192.0.2.1:0", Cover::Bare, false),
            ("0.0.0.0:0", Cover::BareByChoice, true),
        ];
        for (address, cover, good) in rows {
            let bounds = Bounds { cover, ..Bounds::default() };
            let (address, stop) = (address.parse::<SocketAddr>().unwrap(), CancellationToken::new());
            let served = serve_within("test", address, Router::new(), stop.clone(), bounds).await;
            assert_eq!(served.is_ok(), good, "{address} {cover:?}: {:?}", served.err());
            stop.cancel();
        }
        let refused = Cover::Bare.check(([0, 0, 0, 0], 80).into()).unwrap_err().to_string();
        assert!(refused.contains("allow_plaintext_listeners") && refused.contains("[tls]"), "{refused}");
    }
}
