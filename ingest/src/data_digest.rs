//! PURE. The digest of a body as it leaves `receive`: an HMAC under a key of the tenant's own, over the first half of the body's
//! SHA-256. Whoever reads it without the key can neither try values until one fits nor tell two tenants' bodies alike. The key of
//! a tenant comes from the one secret of the deployment and the tenant's name; during a rotation there are two secrets, and a
//! record carries a digest under each. A body that is not in its [shortest spelling](crate::meaning) has a second digest, of that.

use crate::config::Config;
use crate::error::Error;
use crate::meaning;
use crate::strict::{Node, canonical_bytes};
use domain::Digest;
use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// Sets the keys of tenants apart from whatever else the secret may be used for.
const PURPOSE: &[u8] = b"defaultx data digest 1\0";
/// Sets names apart from digests: whoever may have things named cannot have a digest made.
const NAME: &[u8] = b"name\0";
/// Bytes of a secret, at least.
const SECRET_BYTES: usize = 32;
/// Characters of a key's id, at most: it travels with every record.
const ID_CHARS: usize = 32;

/// Which key made a digest, in the one byte that the state has for it. Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u8);

impl Mark {
    /// The mark of a key's id: the first byte of its SHA-256, folded to 1..=255. Two ids may share one; a configuration where they
    /// do is refused.
    pub fn of(key_id: &str) -> Self {
        Self(1 + Sha256::digest(key_id)[0] % 255)
    }

    /// As the changelog has it.
    pub fn byte(self) -> u8 {
        self.0
    }

    /// From the changelog; none for 0.
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        (byte > 0).then_some(Self(byte))
    }
}

/// A keyed digest as the state holds it: which key, and the first 15 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyed {
    /// Its key.
    pub mark: Mark,
    /// Its front.
    pub front: [u8; 15],
}

impl Keyed {
    /// The state's form of a digest that travelled under a key's id.
    pub fn of(key_id: &str, digest: &[u8; 32]) -> Self {
        Self::under(Mark::of(key_id), digest)
    }

    fn under(mark: Mark, digest: &[u8; 32]) -> Self {
        let mut front = [0; 15];
        front.copy_from_slice(&digest[..15]);
        Self { mark, front }
    }
}

/// A key of one tenant.
#[derive(Clone)]
pub struct TenantKey {
    id: Arc<str>,
    mark: Mark,
    mac: Hmac<Sha256>,
}

impl TenantKey {
    /// Names the key wherever a digest of it travels.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// HMAC-SHA-256 over the first 16 bytes of a SHA-256: a state of before holds no more of it.
    pub fn digest(&self, short: &[u8; 16]) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(short);
        mac.finalize().into_bytes().into()
    }

    /// 64 hexadecimal digits that name bytes without giving them away: what a body or a file without an id is called by.
    pub fn name(&self, digest: &Digest) -> String {
        let mut mac = self.mac.clone();
        mac.update(NAME);
        mac.update(&digest.0);
        hex::encode(mac.finalize().into_bytes())
    }

    /// The same as the state holds it.
    pub fn keyed(&self, short: &[u8; 16]) -> Keyed {
        Keyed::under(self.mark, &self.digest(short))
    }
}

/// The keys of one tenant.
#[derive(Clone)]
pub struct TenantKeys {
    /// Makes the digest that is kept.
    pub kept: TenantKey,
    /// During a rotation: the other one.
    pub also: Option<TenantKey>,
}

impl TenantKeys {
    /// The key with that mark.
    pub fn marked(&self, mark: Mark) -> Option<&TenantKey> {
        std::iter::once(&self.kept).chain(&self.also).find(|key| key.mark == mark)
    }

    /// The digests of a checked application. In its shortest spelling it needs to be written once.
    pub(crate) fn of_application(&self, data: &Node<'_>) -> DataDigest {
        let (shortest, is_as_sent) = meaning::shortest(data);
        if is_as_sent {
            return DataDigest { sent: self.of_bytes(&shortest), meant: None };
        }
        DataDigest { sent: self.of_bytes(&canonical_bytes(data)), meant: Some(self.of_bytes(&shortest)) }
    }

    /// The digests of a form of a body.
    fn of_bytes(&self, form: &[u8]) -> UnderKeys<Told> {
        let short = Digest::of(form).short();
        let told = |key: &TenantKey| Told { key_id: key.id.clone(), digest: hex::encode(key.digest(&short)) };
        UnderKeys { kept: told(&self.kept), also: self.also.as_ref().map(told) }
    }
}

/// A digest as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Id of its key.
    pub key_id: Arc<str>,
    /// 64 lower-case hexadecimal digits.
    pub digest: String,
}

/// A digest under each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnderKeys<D> {
    /// Under the key that is kept.
    pub kept: D,
    /// During a rotation: under the other key, for what was remembered under it.
    pub also: Option<D>,
}

/// The digests of one body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDigest {
    /// Of its RFC 8785 form as it was sent. The kept one names the body from here on.
    pub sent: UnderKeys<Told>,
    /// Of its shortest spelling, where it was sent in another.
    pub meant: Option<UnderKeys<Told>>,
}

impl Told {
    /// `id:digest`, in one header.
    pub fn joined(&self) -> String {
        format!("{}:{}", self.key_id, self.digest)
    }

    /// `form:id:digest`, in one header, of a shortest spelling.
    pub(crate) fn joined_with_form(&self) -> String {
        format!("{}:{}:{}", meaning::FORM, self.key_id, self.digest)
    }
}

/// The secrets of a deployment, of which the tenants' keys are made.
#[derive(Clone)]
pub struct Secrets {
    kept: Secret,
    also: Option<Secret>,
}

#[derive(Clone)]
struct Secret {
    id: Arc<str>,
    mac: Hmac<Sha256>,
}

impl Secrets {
    /// Reads both secrets of a configuration.
    ///
    /// # Errors
    /// [`Error::Config`] where one is no key, or the two cannot be told apart.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let kept = Secret::parse("digest_key", config.digest_key.expose())?;
        let other = Some(config.digest_key_also.expose()).filter(|key| !key.is_empty());
        let also = other.map(|key| Secret::parse("digest_key_also", key)).transpose()?;
        if also.as_ref().is_some_and(|also| Mark::of(&also.id) == Mark::of(&kept.id)) {
            let why = "[ingest] digest_key and digest_key_also have ids that deduplication cannot tell apart: give the new key another id";
            return Err(Error::Config(why.to_owned()));
        }
        Ok(Self { kept, also })
    }

    /// The keys of a tenant.
    pub fn of_tenant(&self, tenant: &str) -> TenantKeys {
        TenantKeys {
            kept: self.kept.of_tenant(tenant),
            also: self.also.as_ref().map(|secret| secret.of_tenant(tenant)),
        }
    }
}

impl Secret {
    fn parse(setting: &str, text: &str) -> Result<Self, Error> {
        let refused = |why: &str| {
            Error::Config(format!(
                "[ingest] {setting} {why}; it is `key_id:hexadecimal` with {SECRET_BYTES} bytes or more"
            ))
        };
        let (id, digits) = text.split_once(':').ok_or_else(|| refused("has no key_id"))?;
        let is_named = (1..=ID_CHARS).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !is_named {
            return Err(refused("has a key_id that is not 1 to 32 letters, digits, dots, dashes and underscores"));
        }
        let bytes = hex::decode(digits).map_err(|_| refused("is not hexadecimal"))?;
        if bytes.len() < SECRET_BYTES {
            return Err(refused("is too short"));
        }
        let mac = Hmac::new_from_slice(&bytes).map_err(|_| refused("is no HMAC key"))?;
        Ok(Self { id: id.into(), mac })
    }

    fn of_tenant(&self, tenant: &str) -> TenantKey {
        let mut derive = self.mac.clone();
        derive.update(PURPOSE);
        derive.update(tenant.as_bytes());
        // A key shorter than the hash's block stands in it with zeros behind (RFC 2104).
        let mut block = [0; 64];
        block[..32].copy_from_slice(&derive.finalize().into_bytes());
        TenantKey { id: self.id.clone(), mark: Mark::of(&self.id), mac: Hmac::new(&block.into()) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn config(kept: &str, also: &str) -> Config {
        Config { digest_key: kept.into(), digest_key_also: also.into(), ..Config::default() }
    }

    fn key(id: &str, byte: &str) -> String {
        format!("{id}:{}", byte.repeat(32))
    }

    #[test]
    fn a_digest_depends_on_secret_tenant_and_body_and_on_nothing_else() {
        let digest = |kept: &str, tenant: &str, body: &[u8]| {
            Secrets::new(&config(kept, "")).unwrap().of_tenant(tenant).of_bytes(body).kept.digest
        };
        let (one, other) = (key("k1", "01"), key("k1", "02"));
        let first = digest(&one, "bank", b"{}");
        assert_eq!(first, digest(&key("k2", "01"), "bank", b"{}"), "an id is a name, and no part of a key");
        for differs in [digest(&other, "bank", b"{}"), digest(&one, "rival", b"{}"), digest(&one, "bank", b"[]")] {
            assert_ne!(first, differs);
        }
        assert_eq!(first.len(), 64);
    }

    #[test]
    fn a_rotation_has_a_digest_under_each_key() {
        let (old, new) = (key("2026-11", "01"), key("2026-12", "02"));
        let keys = |kept: &str, also: &str| Secrets::new(&config(kept, also)).unwrap().of_tenant("bank");
        let both = keys(&new, &old).of_bytes(b"{}");
        let before = keys(&old, "").of_bytes(b"{}");
        assert_eq!((&*both.kept.key_id, both.also.as_ref()), ("2026-12", Some(&before.kept)));
        assert_eq!(keys(&old, &new).of_bytes(b"{}").also, Some(both.kept));
        assert_eq!(before.kept.joined(), format!("2026-11:{}", before.kept.digest));
    }

    #[test]
    fn what_is_no_key_is_refused_by_its_setting_and_without_being_shown() {
        let good = key("k1", "01");
        for bad in
            ["", "k1", "k1:00", "k1:zz", ":00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "k 1:0"]
        {
            let error = Secrets::new(&config(bad, "")).map(drop).unwrap_err().to_string();
            assert!(error.contains("[ingest] digest_key ") && (bad.len() < 9 || !error.contains(bad)), "{error}");
        }
        assert!(Secrets::new(&config(&good, "k2:00")).map(drop).unwrap_err().to_string().contains("digest_key_also "));
        let same = Secrets::new(&config(&good, &key("k1", "02"))).map(drop).unwrap_err().to_string();
        assert!(same.contains("another id"), "{same}");
    }

    #[test]
    fn marks_are_never_zero() {
        assert!((0..1000).all(|n| Mark::of(&n.to_string()).byte() > 0));
        assert_eq!((Mark::from_byte(0), Mark::from_byte(7).map(Mark::byte)), (None, Some(7)));
    }
}
