//! Tokens: JWT signed with Ed25519, one algorithm, short leeway, every claim that matters required. Roles are opaque words here;
//! who may do what is the business of whoever asks.

use crate::clock;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{EncodePrivateKey, EncodePublicKey};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

/// Seconds by which clocks may differ.
const LEEWAY_S: u64 = 5;
/// The tenant of a token that is good for all of them.
pub const EVERY_TENANT: &str = "*";

/// Who a token was made by and for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Realm {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
}

impl Default for Realm {
    fn default() -> Self {
        Self { issuer: "defaultx".to_owned(), audience: "defaultx-api".to_owned() }
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
    /// `Admin`, `Officer`, `Reviewer`.
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

/// Why a token or a key is no good. Never says more to a stranger than that.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Not a PEM file of an Ed25519 key.
    #[error("not an Ed25519 key in PEM form")]
    Key,
    /// Forged, expired, for somebody else, or not a token.
    #[error("the token is not valid: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
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
    use ed25519_dalek::pkcs8::DecodePrivateKey;
    let key = SigningKey::from_pkcs8_pem(private_pem).map_err(|_| AuthError::Key)?;
    key.verifying_key().to_public_key_pem(LineEnding::LF).map_err(|_| AuthError::Key)
}

/// Makes a token that is good from now for `lifetime_s` seconds.
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
        exp: now + lifetime_s,
        nbf: now,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        tenant: tenant.to_owned(),
    };
    Ok(encode(&Header::new(Algorithm::EdDSA), &claims, &key)?)
}

/// Checks tokens.
#[derive(Clone)]
pub struct Verifier {
    key: DecodingKey,
    validation: Validation,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("validation", &self.validation).finish_non_exhaustive()
    }
}

impl Verifier {
    /// For tokens of a realm, signed by the private half of this key.
    ///
    /// # Errors
    /// [`AuthError::Key`].
    pub fn new(public_pem: &str, realm: &Realm) -> Result<Self, AuthError> {
        let key = DecodingKey::from_ed_pem(public_pem.as_bytes()).map_err(|_| AuthError::Key)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        validation.set_audience(&[&realm.audience]);
        validation.set_issuer(&[&realm.issuer]);
        validation.set_required_spec_claims(&["aud", "iss", "exp", "sub", "nbf"]);
        Ok(Self { key, validation })
    }

    /// The claims of a token that is good now.
    ///
    /// # Errors
    /// [`AuthError::Token`].
    pub fn verify(&self, token: &str) -> Result<Claims, AuthError> {
        Ok(decode(token, &self.key, &self.validation)?.claims)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    const WHO: (&str, &str, &[&str]) = ("ana", "bank-a", &["Officer"]);

    fn other() -> Realm {
        Realm { issuer: "elsewhere".to_owned(), audience: "others".to_owned() }
    }

    /// The same signature over other bytes.
    fn altered(token: &str) -> String {
        let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
        let body = String::from_utf8(URL_SAFE_NO_PAD.decode(&parts[1]).unwrap()).unwrap();
        parts[1] = URL_SAFE_NO_PAD.encode(body.replace("Officer", "Admin"));
        parts.join(".")
    }

    /// What a naive library takes: no algorithm, no signature.
    fn unsigned(token: &str) -> String {
        let body = token.split('.').nth(1).unwrap();
        format!("{}.{body}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#))
    }

    #[test]
    fn only_a_good_token_opens() {
        let (private, public) = generate().unwrap();
        let (stranger, _) = generate().unwrap();
        assert_eq!(public_of(&private).unwrap(), public);
        let (realm, verifier) = (Realm::default(), Verifier::new(&public, &Realm::default()).unwrap());
        let good = mint(&private, &realm, WHO, 60).unwrap();
        let wrong_audience = Realm { audience: other().audience, ..Realm::default() };
        let wrong_issuer = Realm { issuer: other().issuer, ..Realm::default() };
        let cases = [
            ("good", good.clone(), true),
            ("expired within the leeway", mint(&private, &realm, WHO, -2).unwrap(), true),
            ("expired", mint(&private, &realm, WHO, -30).unwrap(), false),
            ("another key", mint(&stranger, &realm, WHO, 60).unwrap(), false),
            ("another audience", mint(&private, &wrong_audience, WHO, 60).unwrap(), false),
            ("another issuer", mint(&private, &wrong_issuer, WHO, 60).unwrap(), false),
            ("altered", altered(&good), false),
            ("unsigned", unsigned(&good), false),
            ("nonsense", "a.b.c".to_owned(), false),
        ];
        for (name, token, opens) in cases {
            assert_eq!(verifier.verify(&token).is_ok(), opens, "{name}");
        }
        let claims = verifier.verify(&good).unwrap();
        assert!(claims.has_role("Officer") && !claims.has_role("Admin"));
        assert!(claims.opens("bank-a") && !claims.opens("bank-b"));
    }

    #[test]
    fn a_claim_left_out_is_a_refusal() {
        let (private, public) = generate().unwrap();
        let verifier = Verifier::new(&public, &Realm::default()).unwrap();
        let key = EncodingKey::from_ed_pem(private.as_bytes()).unwrap();
        let now = clock::now().timestamp();
        let whole = serde_json::json!({"sub": "ana", "iss": "defaultx", "aud": "defaultx-api", "exp": now + 60,
            "nbf": now, "roles": [], "tenant": "bank-a"});
        for claim in ["", "sub", "iss", "aud", "exp", "nbf", "roles", "tenant"] {
            let mut claims = whole.clone();
            claims.as_object_mut().unwrap().remove(claim);
            let token = encode(&Header::new(Algorithm::EdDSA), &claims, &key).unwrap();
            assert_eq!(verifier.verify(&token).is_ok(), claim.is_empty(), "without {claim:?}");
        }
    }
}
