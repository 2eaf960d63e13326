//! Which token is good: the header before the signature, the signature before the claims, and then whether it was called back.

use super::error::AuthError;
use super::keys::Keys;
use super::revocations::{Revocations, UNREADABLE};
use super::{Claims, LEEWAY_S, LONGEST_NAME, Realm};
use crate::clock;
use crate::metrics::registered;
use crate::service::ServiceContext;
use crate::task::WorkerHandle;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, Validation, decode};
use prometheus::{IntGauge, Opts};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest token, in bytes.
const LONGEST: usize = 8 << 10;
/// Most roles of a token.
const MOST_ROLES: usize = 16;
/// Between two looks at the file of the keys.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Checks tokens. Clones share keys and revocations.
#[derive(Clone)]
pub struct Verifier {
    keys: Arc<Keys>,
    validation: Validation,
    max_lifetime_s: i64,
    revocations: Arc<Revocations>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("keys", &self.keys)
            .field("validation", &self.validation)
            .finish_non_exhaustive()
    }
}

/// What of a token's header is read. A member that is there twice is an error.
#[derive(Deserialize)]
struct Head {
    alg: String,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<IgnoredAny>,
    #[serde(default)]
    b64: Option<IgnoredAny>,
    #[serde(default)]
    zip: Option<IgnoredAny>,
}

impl Verifier {
    /// For tokens of a realm that are good for `max_minutes` at most, none of them called back. `key` is a public key in PEM form, a
    /// JWK set, or the path of a file that holds one of them.
    ///
    /// # Errors
    /// [`AuthError`] when the key is none.
    pub fn new(key: &str, realm: &Realm, max_minutes: u32) -> Result<Self, AuthError> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = LEEWAY_S.unsigned_abs();
        validation.validate_nbf = true;
        validation.set_audience(&[&realm.audience]);
        if !realm.issuer.is_empty() {
            validation.set_issuer(&[&realm.issuer]);
        }
        validation.set_required_spec_claims(&["aud", "iss", "exp", "sub", "nbf"]);
        let max_lifetime_s = i64::from(max_minutes.max(1)) * 60;
        let revocations = Arc::new(Revocations::none());
        Ok(Self { keys: Arc::new(Keys::configured(key)?), validation, max_lifetime_s, revocations })
    }

    /// The claims of a token that is good now.
    ///
    /// # Errors
    /// [`AuthError`]; [`AuthError::NotReady`] says nothing about the token.
    pub fn verify(&self, token: &str) -> Result<Claims, AuthError> {
        let head = head_of(token)?;
        let keys = self.keys.current();
        let key = keys.find(head.kid.as_deref()).ok_or(AuthError::Refused("no key of that kid"))?;
        let claims: Claims = decode(token, key, &self.validation)?.claims;
        self.check(&claims, clock::now().timestamp())?;
        self.revocations.check(&claims)?;
        Ok(claims)
    }

    /// What the library does not ask.
    fn check(&self, claims: &Claims, now_s: i64) -> Result<(), AuthError> {
        let is_name = |text: &str| (1..=LONGEST_NAME).contains(&text.len()) && !text.chars().any(char::is_control);
        let lifetime_s = claims.exp.checked_sub(claims.iat);
        let rules = [
            (lifetime_s.is_some_and(|lifetime_s| lifetime_s <= self.max_lifetime_s), "it lives longer than it may"),
            (claims.iat <= now_s.saturating_add(LEEWAY_S), "it was made in the future"),
            (is_name(&claims.sub), "sub is no name"),
            (is_name(&claims.jti), "jti is no name"),
            (is_name(&claims.tenant), "tenant is no name"),
            (claims.roles.len() <= MOST_ROLES && claims.roles.iter().all(|role| is_name(role)), "roles are no names"),
        ];
        rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(AuthError::Refused(why)))
    }

    /// From now on follows the topic of revocations, and reads the keys again when their file changes. Until everything that the topic
    /// holds has been read, no token is good.
    ///
    /// # Errors
    /// When there is no thread to be had, or this server is watched already.
    pub fn watch(
        &self,
        service: &ServiceContext,
        topic: Arc<str>,
        name: &'static str,
    ) -> std::io::Result<WorkerHandle> {
        self.revocations.await_all();
        let (keys, revocations) = (self.keys.clone(), self.revocations.clone());
        let (kafka, component, stop) =
            (service.kafka.clone(), service.health.component(name), service.shutdown.clone());
        let max_lifetime_s = self.max_lifetime_s + LEEWAY_S;
        let unreadable = Opts::new(UNREADABLE, "Revocations that stand and cannot be read").const_label("server", name);
        let unreadable = IntGauge::with_opts(unreadable).and_then(|gauge| registered(&service.registry, gauge));
        let unreadable = unreadable.map_err(std::io::Error::other)?;
        let mut looked = Instant::now();
        let between = move |revocations: &Revocations| {
            unreadable.set(i64::try_from(revocations.unreadable()).unwrap_or(i64::MAX));
            if looked.elapsed() < LOOK_EVERY {
                return;
            }
            looked = Instant::now();
            revocations.forget_before(clock::now().timestamp().saturating_sub(max_lifetime_s));
            match keys.reload() {
                Ok(true) => tracing::info!(server = name, "token keys read again"),
                Ok(false) => {}
                Err(error) => tracing::error!(server = name, %error, "token keys cannot be read; the last ones stand"),
            }
        };
        let body = move || revocations.follow(&kafka, &topic, &component, &stop, between);
        WorkerHandle::thread(name, body)
    }
}

/// The header of a token, if it is one that may be looked at further.
fn head_of(token: &str) -> Result<Head, AuthError> {
    let refused = AuthError::Refused;
    if token.len() > LONGEST {
        return Err(refused("it is too long"));
    }
    let first = token.split('.').next().unwrap_or_default();
    let bytes = BASE64.decode(first).map_err(|_| refused("its header is not base64url"))?;
    let head: Head = serde_json::from_slice(&bytes).map_err(|_| refused("its header is none"))?;
    let typ = head.typ.as_deref().unwrap_or("JWT");
    let typ = typ
        .get(.."application/".len())
        .filter(|front| front.eq_ignore_ascii_case("application/"))
        .map_or(typ, |_| &typ["application/".len()..]);
    let rules = [
        (head.alg == "EdDSA", "its algorithm is not EdDSA"),
        (["jwt", "at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known)), "its type is not JWT"),
        (head.crit.is_none(), "it has critical extensions, of which none is known"),
        (head.b64.is_none() && head.zip.is_none(), "its body is not in the usual form"),
    ];
    rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err(refused(why)))?;
    Ok(head)
}
