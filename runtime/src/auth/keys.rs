//! The public keys that tokens are checked with: one in PEM form, or a set of named ones (RFC 7517) of which a token says which. From
//! a file they are read again when it changes, so that a key is added, used and withdrawn without a restart.

use super::error::AuthError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::DecodePublicKey;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// Most keys of a set.
const MAX_KEYS: usize = 64;

/// Keys as configured, and as they are now.
pub struct Keys {
    file: Option<PathBuf>,
    current: RwLock<Loaded>,
}

struct Loaded {
    text: String,
    set: Arc<KeySet>,
}

/// Keys of one moment.
#[derive(Clone)]
pub enum KeySet {
    /// One without a name: whatever a token says about its key, it is this one.
    One(DecodingKey),
    /// By `kid`. A token must name one of them.
    Named(BTreeMap<String, DecodingKey>),
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Keys {
    /// A public key in PEM form, a JWK set, or the path of a file that holds one of them.
    ///
    /// # Errors
    /// [`AuthError`] when it is neither, or cannot be read.
    pub fn configured(text: &str) -> Result<Self, AuthError> {
        let text = text.trim();
        let is_inline = text.starts_with("-----BEGIN") || text.starts_with('{');
        let file = (!is_inline).then(|| PathBuf::from(text));
        let text = match &file {
            None => text.to_owned(),
            Some(path) => read(path)?,
        };
        let set = Arc::new(KeySet::parse(&text)?);
        Ok(Self { file, current: RwLock::new(Loaded { text, set }) })
    }

    /// The keys of now.
    pub fn current(&self) -> Arc<KeySet> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).set.clone()
    }

    /// Reads the file again; true when there are other keys now. What cannot be used changes nothing.
    ///
    /// # Errors
    /// Why the file cannot be used.
    pub fn reload(&self) -> Result<bool, AuthError> {
        let Some(path) = &self.file else { return Ok(false) };
        let text = read(path)?;
        if self.current.read().unwrap_or_else(PoisonError::into_inner).text == text {
            return Ok(false);
        }
        let set = Arc::new(KeySet::parse(&text)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Loaded { text, set };
        Ok(true)
    }
}

fn read(path: &PathBuf) -> Result<String, AuthError> {
    std::fs::read_to_string(path).map_err(|source| AuthError::Read { path: path.display().to_string(), source })
}

/// What of a key in a set is read (RFC 8037). Members that are not known mean nothing, as RFC 7517 asks.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    /// The private half: it has no place here.
    #[serde(default)]
    d: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

impl KeySet {
    fn parse(text: &str) -> Result<Self, AuthError> {
        let text = text.trim();
        if text.starts_with('{') {
            return Self::named(text);
        }
        // By way of the curve's own type, so that a key of another kind is told here and not with the first token.
        let key = VerifyingKey::from_public_key_pem(text).map_err(|_| AuthError::Key)?;
        Ok(Self::One(decoding(&key)))
    }

    fn named(text: &str) -> Result<Self, AuthError> {
        let wrong = |why: String| AuthError::KeySet(why);
        let set: Jwks = serde_json::from_str(text)
            .map_err(|error| wrong(format!("not JSON of a key set, at line {}", error.line())))?;
        if set.keys.len() > MAX_KEYS {
            return Err(wrong(format!("more than {MAX_KEYS} keys")));
        }
        let mut named = BTreeMap::new();
        for (index, jwk) in set.keys.into_iter().enumerate() {
            let at = |why: &str| wrong(format!("key {}: {why}", index + 1));
            if jwk.d.is_some() {
                return Err(at("is a private key: keep it where tokens are made, and put its public half here"));
            }
            // Sets hold keys of other kinds and for other ends; those sign no token of ours.
            let is_ours = jwk.kty == "OKP" && jwk.crv.as_deref() == Some("Ed25519");
            let may_sign = jwk.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
            let is_alg = jwk.alg.as_deref().is_none_or(|alg| alg == "EdDSA" || alg == "Ed25519");
            if !(is_ours && may_sign && is_alg) {
                continue;
            }
            let kid = jwk.kid.filter(|kid| !kid.is_empty()).ok_or_else(|| at("has no kid"))?;
            let x = jwk.x.and_then(|x| BASE64.decode(x).ok()).and_then(|x| <[u8; 32]>::try_from(x).ok());
            let key =
                x.and_then(|x| VerifyingKey::from_bytes(&x).ok()).ok_or_else(|| at("x is no point of Ed25519"))?;
            if named.insert(kid, decoding(&key)).is_some() {
                return Err(at("has the kid of another one"));
            }
        }
        if named.is_empty() {
            return Err(wrong("holds no Ed25519 key for signatures".to_owned()));
        }
        Ok(Self::Named(named))
    }

    /// The key that a token of that `kid` is checked with.
    pub fn find(&self, kid: Option<&str>) -> Option<&DecodingKey> {
        match self {
            Self::One(key) => Some(key),
            Self::Named(named) => named.get(kid?),
        }
    }
}

fn decoding(key: &VerifyingKey) -> DecodingKey {
    DecodingKey::from_ed_der(key.as_bytes())
}

/// The name of a key that follows from the key itself (RFC 7638), of the public PEM.
///
/// # Errors
/// [`AuthError::Key`].
pub fn thumbprint(public_pem: &str) -> Result<String, AuthError> {
    let x = point(public_pem)?;
    Ok(BASE64.encode(Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#))))
}

/// Public keys in PEM form as a JWK set, each named by its [`thumbprint`].
///
/// # Errors
/// [`AuthError::Key`].
pub fn jwks(public_pems: &[String]) -> Result<String, AuthError> {
    let keys = public_pems.iter().map(|pem| {
        let (kid, x) = (thumbprint(pem)?, point(pem)?);
        Ok(serde_json::json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": x}))
    });
    let keys: Vec<_> = keys.collect::<Result<_, AuthError>>()?;
    Ok(format!("{:#}", serde_json::json!({ "keys": keys })))
}

fn point(public_pem: &str) -> Result<String, AuthError> {
    let key = VerifyingKey::from_public_key_pem(public_pem).map_err(|_| AuthError::Key)?;
    Ok(BASE64.encode(key.as_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::generate;
    use super::*;

    #[test]
    fn a_thumbprint_is_that_of_rfc_8037() {
        // RFC 8037, appendix A.3.
        let x = BASE64.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let key = VerifyingKey::from_bytes(&x.try_into().unwrap()).unwrap();
        use ed25519_dalek::pkcs8::EncodePublicKey;
        let pem = key.to_public_key_pem(ed25519_dalek::pkcs8::spki::der::pem::LineEnding::LF).unwrap();
        assert_eq!(thumbprint(&pem).unwrap(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn what_is_no_set_of_keys_is_said_to_be_none() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let good = format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"a","x":"{x}"}}"#);
        let private = format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"a","x":"{x}","d":"AA"}}"#);
        let nameless = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
        let sealing = format!(r#"{{"kty":"OKP","crv":"Ed25519","use":"enc","kid":"a","x":"{x}"}}"#);
        let set = |keys: &[&str]| format!(r#"{{"keys":[{}]}}"#, keys.join(","));
        let rows = [
            (set(&[&good]), ""),
            (set(&[&good, r#"{"kty":"RSA","kid":"b","n":"AA","e":"AQAB"}"#]), ""),
            (set(&[&good, &good]), "the kid of another"),
            (set(&[&private]), "private key"),
            (set(&[&nameless]), "no kid"),
            (set(&[&sealing]), "no Ed25519 key"),
            (set(&[r#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"AA"}"#]), "no point"),
            (set(&[]), "no Ed25519 key"),
            ("{".to_owned(), "not JSON"),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----".to_owned(), "PEM"),
            ("/no/such/file".to_owned(), "/no/such/file"),
        ];
        for (text, wanted) in rows {
            match Keys::configured(&text) {
                Ok(_) => assert_eq!(wanted, "", "{text}"),
                Err(error) => assert!(!wanted.is_empty() && error.to_string().contains(wanted), "{text}: {error}"),
            }
        }
    }

    #[test]
    fn a_file_that_changes_is_read_again_and_one_that_breaks_is_not_taken() {
        let (first, second) = (generate().unwrap().1, generate().unwrap().1);
        let kid = |pem: &str| thumbprint(pem).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let put = |text: &str| std::fs::write(file.path(), text).unwrap();
        put(&jwks(std::slice::from_ref(&first)).unwrap());
        let keys = Keys::configured(file.path().to_str().unwrap()).unwrap();
        let knows = |pem: &str| keys.current().find(Some(&kid(pem))).is_some();
        assert!(!keys.reload().unwrap() && knows(&first) && !knows(&second));
        put(&jwks(&[first.clone(), second.clone()]).unwrap());
        assert!(keys.reload().unwrap() && knows(&first) && knows(&second), "both are good while they overlap");
        put("{");
        assert!(keys.reload().is_err() && knows(&first) && knows(&second), "the last good ones stand");
        put(&jwks(std::slice::from_ref(&second)).unwrap());
        assert!(keys.reload().unwrap() && !knows(&first) && knows(&second), "the first is withdrawn");
    }
}
