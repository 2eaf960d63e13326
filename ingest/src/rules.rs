//! What this deployment takes: products, tenants with their keys, limits. Built once from [`crate::Config`]; immutable after.

use crate::config::Config;
use crate::data_digest::{Secrets, TenantKeys};
use crate::error::Error;
use crate::meaning;
use crate::published::Published;
use domain::{Currency, FieldClasses, Free, Tenant};
use hmac::{Hmac, Mac};
use runtime::kafka::RECORD_MAX_BYTES;
use runtime::latest::Latest;
use schemas::attributes;
use sha2::Sha256;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Limits that are part of the contract and no deployment's choice. The published schemas say the same numbers.
pub mod limit {
    /// Applicants of one application.
    pub(crate) const APPLICANTS: usize = 16;
    /// Documents of one application.
    pub const DOCUMENTS: usize = 256;
    /// Debts of one applicant.
    pub(crate) const DEBTS: usize = 256;
    /// Elements of any other list.
    pub(crate) const ELEMENTS: usize = 64;
    /// Members of `attributes`, and of the `fields` of a report.
    pub(crate) const ATTRIBUTES: usize = 1024;
    /// Characters of a customer reference.
    pub(crate) const CUSTOMER_REF_CHARS: usize = 256;
    /// Characters of a sender's id of a report or document.
    pub(crate) const ID_CHARS: usize = 128;
    /// Characters of a bureau's name or a version.
    pub(crate) const NAME_CHARS: usize = 64;
    /// Longest term, in months.
    pub(crate) const TERM_MONTHS: u32 = 600;
}

/// What bodies are held against.
#[derive(Clone)]
pub struct Rules {
    /// Products of the deployment, each with the currencies that it is lent in; none where it takes any.
    pub(crate) products: BTreeMap<String, Vec<Currency>>,
    /// Bytes of a body.
    pub max_body_bytes: usize,
    /// Levels of a body.
    pub max_depth: usize,
    /// Whether a body may come with Confluent's framing, which is taken off.
    pub accept_framing: bool,
    /// How far a sender's clock may run ahead, in milliseconds.
    pub clock_skew_ms: i64,
    /// How old a submission may be, in milliseconds.
    pub oldest_submission_ms: i64,
    /// Which free members are personal; none where no contract says so.
    pub personal: Option<Arc<FieldClasses>>,
    /// What the models of each product read.
    pub attributes: Latest<attributes::Published>,
    /// Tenants whose applications may hold no attribute that no model reads.
    pub strict_attributes: BTreeSet<String>,
    /// The published schemas, asked only about a body that is refused.
    pub published: Arc<Published>,
}

impl Rules {
    /// Takes the rules out of the configuration.
    ///
    /// # Errors
    /// [`Error::Config`] when a body at its limit would not fit into the topics behind, or a published schema is broken, which
    /// the tests of the schemas exclude.
    pub fn new(config: &Config) -> Result<Self, Error> {
        // A worker may add as much again to what it was given.
        let most = RECORD_MAX_BYTES as usize / 2;
        if config.max_body_bytes > most {
            let found = config.max_body_bytes;
            return Err(Error::Config(format!(
                "[ingest] max_body_bytes is {found}, at most {most}: the topics behind take records of {RECORD_MAX_BYTES} bytes"
            )));
        }
        if let Some(stranger) = config.strict_attributes.iter().find(|one| !config.subject_keys.contains_key(*one)) {
            return Err(Error::Config(format!("[ingest] strict_attributes: tenant {stranger:?} has no subject key")));
        }
        Ok(Self {
            products: config.products.currencies()?,
            max_body_bytes: config.max_body_bytes,
            max_depth: config.max_depth,
            accept_framing: config.accept_schema_registry_framing,
            clock_skew_ms: i64::from(config.clock_skew_seconds) * 1000,
            oldest_submission_ms: i64::from(config.oldest_submission_days) * 86_400_000,
            personal: has_personal(&config.classes).then(|| Arc::new(config.classes.clone())),
            attributes: config.attributes.clone(),
            strict_attributes: config.strict_attributes.iter().cloned().collect(),
            published: Arc::new(Published::new()?),
        })
    }

    /// Whether a product is one of the deployment.
    pub(crate) fn has_product(&self, product: &str) -> bool {
        self.products.contains_key(product)
    }

    /// The currencies that a product is lent in; none where it takes any, or is not known.
    pub(crate) fn currencies_of(&self, product: &str) -> &[Currency] {
        self.products.get(product).map_or(&[], Vec::as_slice)
    }
}

fn has_personal(classes: &FieldClasses) -> bool {
    classes.has_personal(Free::Attribute) || classes.has_personal(Free::ReportField)
}

/// A tenant with the key that makes pseudonyms of its customers' references, and those of its digests.
#[derive(Clone)]
pub struct TenantRule {
    tenant: Tenant,
    key_id: String,
    mac: Hmac<Sha256>,
    digests: TenantKeys,
}

impl TenantRule {
    /// Reads `key_id:hexadecimal` with at least 16 bytes of key.
    ///
    /// # Errors
    /// [`Error::Config`] without the key.
    pub fn new(tenant: &str, key: &str, secrets: &Secrets) -> Result<Self, Error> {
        let refused = |why: &str| Error::Config(format!("subject key of tenant {tenant:?}: {why}"));
        let name = Tenant::new(tenant).map_err(|error| Error::Config(error.to_string()))?;
        let (key_id, digits) = key.split_once(':').ok_or_else(|| refused("must be key_id:hexadecimal"))?;
        let bytes = hex::decode(digits).map_err(|_| refused("is not hexadecimal"))?;
        if bytes.len() < 16 || key_id.is_empty() {
            return Err(refused("has no id or fewer than 16 bytes"));
        }
        let mac = Hmac::new_from_slice(&bytes).map_err(|_| refused("is no HMAC key"))?;
        Ok(Self { tenant: name, key_id: key_id.to_owned(), mac, digests: secrets.of_tenant(tenant) })
    }

    /// The tenant.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Which key makes the pseudonyms.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The keys of its digests.
    pub fn digests(&self) -> &TenantKeys {
        &self.digests
    }

    /// The pseudonym of a customer: HMAC-SHA-256(tenant key, reference in NFC without white space around it), hexadecimal.
    pub fn subject(&self, customer_ref: &str) -> String {
        let mut mac = self.mac.clone();
        mac.update(meaning::reference(customer_ref).as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

/// Tenants by name and by the topic that is bound to them.
#[derive(Clone)]
pub struct Tenants {
    by_name: BTreeMap<String, Arc<TenantRule>>,
    by_topic: HashMap<String, Arc<TenantRule>>,
}

impl Tenants {
    /// Joins the configured keys and bindings; topics carry `prefix`.
    ///
    /// # Errors
    /// [`Error::Config`] for a bad key, or a topic whose tenant has none.
    pub fn new(config: &Config, prefix: &str) -> Result<Self, Error> {
        let secrets = Secrets::new(config)?;
        let mut by_name = BTreeMap::new();
        for (tenant, key) in &config.subject_keys {
            by_name.insert(tenant.clone(), Arc::new(TenantRule::new(tenant, key.expose(), &secrets)?));
        }
        let mut by_topic = HashMap::new();
        for (topic, tenant) in &config.tenant_of_topic {
            let rule =
                by_name.get(tenant).ok_or_else(|| Error::Config(format!("tenant {tenant:?} has no subject key")))?;
            by_topic.insert(format!("{prefix}{topic}"), rule.clone());
        }
        Ok(Self { by_name, by_topic })
    }

    /// The tenant that a topic, with its prefix, is bound to.
    pub fn of_topic(&self, topic: &str) -> Option<&Arc<TenantRule>> {
        self.by_topic.get(topic)
    }

    /// A tenant by name.
    pub fn named(&self, tenant: &str) -> Option<&Arc<TenantRule>> {
        self.by_name.get(tenant)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets::new(&Config::default()).unwrap()
    }

    #[test]
    fn a_pseudonym_is_the_standard_mac() {
        // RFC 4231, test case 1.
        let rule = TenantRule::new("bank", &format!("k1:{}", "0b".repeat(20)), &secrets()).unwrap();
        assert_eq!(rule.subject("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    }

    #[test]
    fn a_customer_has_one_pseudonym_however_the_reference_is_written() {
        let rule = TenantRule::new("bank", &format!("k1:{}", "0b".repeat(20)), &secrets()).unwrap();
        let subject = rule.subject("Ange\u{301}lique 7");
        for same in ["Ang\u{e9}lique 7", " Ang\u{e9}lique 7\u{a0}", "\u{3000}Ange\u{301}lique 7\u{2003}"] {
            assert_eq!(rule.subject(same), subject, "{same:?}");
        }
        for other in [
            "Angelique 7",
            "ang\u{e9}lique 7",
            "Ang\u{e9}lique  7",
            "Ang\u{e9}lique\u{a0}7",
            "\u{200b}Ang\u{e9}lique 7",
        ] {
            assert_ne!(rule.subject(other), subject, "{other:?}");
        }
        // As it was before, for a reference that needed nothing.
        assert_eq!(rule.subject(" Hi There "), rule.subject("Hi There"));
    }

    #[test]
    fn a_limit_that_no_topic_takes_is_refused_at_the_start() {
        let config = |max_body_bytes| Config { max_body_bytes, ..Config::default() };
        let refused = |max_body_bytes| Rules::new(&config(max_body_bytes)).map(drop).map_err(|error| error.to_string());
        assert_eq!(refused(2 << 20), Ok(()));
        let error = refused((2 << 20) + 1).unwrap_err();
        assert!(error.contains("max_body_bytes is 2097153, at most 2097152"), "{error}");
    }

    #[test]
    fn weak_or_malformed_keys_are_refused_without_being_shown() {
        for key in ["", "k1", "k1:zz", "k1:00", ":000102030405060708090a0b0c0d0e0f"] {
            let error = TenantRule::new("bank", key, &secrets()).map(|_| ()).unwrap_err().to_string();
            assert!(key.len() < 4 || !error.contains(key), "{error}");
        }
    }
}
