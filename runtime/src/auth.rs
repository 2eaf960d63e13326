//! Tokens: JWT signed with Ed25519 and nothing else, as RFC 8725 asks: one algorithm, every claim that matters required, a bounded
//! life, an id by which one can be called back. Roles are opaque words here; who may do what is the business of whoever asks.
//!
//! [`keys`] are what tokens are checked with, and can be changed while a server runs; [`verifier`] says which token is good;
//! [`revocations`] are those that were called back.

mod error;
#[cfg(test)]
mod forgeries;
pub mod keys;
pub mod revocations;
pub mod verifier;

pub use error::AuthError;
pub use verifier::Verifier;

use crate::clock;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::{Deserialize, Serialize};

/// The tenant of a token that is good for all of them.
pub const EVERY_TENANT: &str = "*";
/// `aud` of tokens for read-api, unless it is configured otherwise.
pub const READ_AUDIENCE: &str = "defaultx-api";
/// `aud` of tokens for the HTTP door, unless it is configured otherwise.
pub const DOOR_AUDIENCE: &str = "defaultx-door";
/// Minutes that a token may be good for, unless it is configured otherwise.
pub const MAX_MINUTES: u32 = 720;
/// Seconds by which clocks may differ.
const LEEWAY_S: i64 = 5;
/// The longest subject, token id, role or tenant of a token, in bytes.
pub const LONGEST_NAME: usize = 128;

/// Who a token was made by and for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Realm {
    /// `iss`; empty: whoever holds the key may say anything.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
}

impl Default for Realm {
    fn default() -> Self {
        Self { issuer: "defaultx".to_owned(), audience: READ_AUDIENCE.to_owned() }
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The person or program.
    pub sub: String,
    /// Who made it.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// Seconds since 1970 after which it is worth nothing.
    pub exp: i64,
    /// Seconds since 1970 before which it is worth nothing.
    pub nbf: i64,
    /// Seconds since 1970 at which it was made.
    pub iat: i64,
    /// Its own id, by which it can be called back.
    pub jti: String,
    /// `Admin`, `Officer`, `Reviewer`, `Auditor`, `Originator`.
    pub roles: Vec<String>,
    /// The only tenant whose data it opens, or [`EVERY_TENANT`].
    pub tenant: String,
}

impl Claims {
    /// Whether the token has a role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }

    /// Whether the token opens a tenant's data.
    pub fn opens(&self, tenant: &str) -> bool {
        self.tenant == EVERY_TENANT || self.tenant == tenant
    }
}

/// The bearer token of a request. Two Authorization headers hold none: who reads the first and who the second would differ.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(only), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A fresh key pair as PEM: (private PKCS#8, public SPKI).
///
/// # Errors
/// [`AuthError::Key`] should it not encode.
pub fn generate() -> Result<(String, String), AuthError> {
    let key = SigningKey::from_bytes(&rand::random());
    let private = key.to_pkcs8_pem(LineEnding::LF).map_err(|_| AuthError::Key)?;
    let public = key.verifying_key().to_public_key_pem(LineEnding::LF).map_err(|_| AuthError::Key)?;
    Ok((private.to_string(), public))
}

/// The public half of a private key, both as PEM.
///
/// # Errors
/// [`AuthError::Key`].
pub fn public_of(private_pem: &str) -> Result<String, AuthError> {
    let key = SigningKey::from_pkcs8_pem(private_pem).map_err(|_| AuthError::Key)?;
    key.verifying_key().to_public_key_pem(LineEnding::LF).map_err(|_| AuthError::Key)
}

/// Makes a token that is good from now for `lifetime_s` seconds, under an id of its own, signed by a key that it names.
///
/// # Errors
/// [`AuthError`] when the key is none.
pub fn mint(
    private_pem: &str,
    realm: &Realm,
    (subject, tenant, roles): (&str, &str, &[&str]),
    lifetime_s: i64,
) -> Result<String, AuthError> {
    let key = EncodingKey::from_ed_pem(private_pem.as_bytes()).map_err(|_| AuthError::Key)?;
    let now = clock::now().timestamp();
    let claims = Claims {
        sub: subject.to_owned(),
        iss: realm.issuer.clone(),
        aud: realm.audience.clone(),
        exp: now.saturating_add(lifetime_s),
        nbf: now,
        iat: now,
        jti: format!("{:032x}", rand::random::<u128>()),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        tenant: tenant.to_owned(),
    };
    let header = Header { kid: Some(keys::thumbprint(&public_of(private_pem)?)?), ..Header::new(Algorithm::EdDSA) };
    Ok(encode(&header, &claims, &key)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_one_bearer_token_or_none() {
        let rows: [(&[&str], Option<&str>); 7] = [
            (&["Bearer a.b.c"], Some("a.b.c")),
            (&["bearer  a.b.c "], Some("a.b.c")),
            (&["Bearer a.b.c", "Bearer a.b.c"], None),
            (&["Basic eDp5", "Bearer a.b.c"], None),
            (&["Basic eDp5"], None),
            (&["Bearer"], None),
            (&[], None),
        ];
        for (sent, expected) in rows {
            let mut headers = HeaderMap::new();
            for value in sent {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            assert_eq!(bearer(&headers), expected, "{sent:?}");
        }
    }
}
