//! Why a token or a key is not taken.

/// Why a token or a key is no good. Never says more to a stranger than that.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Not a PEM file of an Ed25519 key.
    #[error("not an Ed25519 key in PEM form")]
    Key,
    /// Not a set of keys that tokens can be checked with.
    #[error("JWK set: {0}")]
    KeySet(String),
    /// The file of the keys cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// As configured.
        path: String,
        /// From the file system.
        source: std::io::Error,
    },
    /// Forged, expired, for somebody else, or not a token.
    #[error("the token is not valid: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
    /// Signed, but not what this server takes.
    #[error("the token is not valid: {0}")]
    Refused(&'static str),
    /// Whether it was called back is not known yet: the server has only just started.
    #[error("it is not known yet which tokens were revoked")]
    NotReady,
}
