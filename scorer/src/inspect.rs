//! A route's document → a checked [`Route`], or everything that is wrong with it, each with its entry and key. Pure; the library
//! is asked which packages there are.

use crate::condition::Condition;
use crate::document::{Document, Entry as Written};
use crate::finding::Finding;
use crate::library::Library;
use crate::route::{BUCKETS, Entry, MAX_SHADOWS, Package, Route};
use domain::{Digest, ModelRole, Tenant};
use expressions::Total;
use scoring::lookup::Lookup;

/// The longest document, in bytes.
const MAX_BYTES: usize = 256 << 10;
/// Entries of one route, at most.
const MAX_ENTRIES: usize = 1_000;
/// So much is found before the rest is only counted.
const MAX_FINDINGS: usize = 200;

/// The document is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Rejected(pub Vec<Finding>);

impl Route {
    /// Checks the bytes of a document against the packages of a library.
    ///
    /// # Errors
    /// [`Rejected`] with every finding.
    pub fn load(bytes: &[u8], library: &Library) -> Result<Self, Rejected> {
        let one = |why: String| Rejected(vec![Finding { at: String::new(), why }]);
        if bytes.len() > MAX_BYTES {
            return Err(one(format!("{} bytes, at most {MAX_BYTES} are allowed", bytes.len())));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| one("is not UTF-8".to_owned()))?;
        let document = Document::parse(text).map_err(|why| one(expressions::cut(&why)))?;
        if document.entry.len() > MAX_ENTRIES {
            return Err(one(format!("{} entries, at most {MAX_ENTRIES} are allowed", document.entry.len())));
        }
        let (lookup, total) = (Lookup::default(), Total::default());
        let mut inspector = Inspector { library, lookup, total, findings: Vec::new(), warnings: Vec::new(), more: 0 };
        inspector.header(&document);
        let entries: Vec<Entry> =
            document.entry.iter().enumerate().map(|(at, entry)| inspector.entry(at, entry)).collect();
        inspector.across(&document.entry);
        let Inspector { lookup, mut findings, warnings, more, total, .. } = inspector;
        if more > 0 {
            findings.push(Finding { at: String::new(), why: format!("{more} more are not listed: mend these first") });
        }
        if !findings.is_empty() {
            return Err(Rejected(findings));
        }
        let digest = Digest::of(bytes).to_string();
        let (name, version, cost) = (document.name, document.version, total.steps());
        Ok(Self { name, version, digest, entries, lookup, cost, warnings })
    }
}

struct Inspector<'l> {
    library: &'l Library,
    lookup: Lookup,
    total: Total,
    findings: Vec<Finding>,
    /// What should be written otherwise although it is taken.
    warnings: Vec<Finding>,
    /// Findings beyond the first ones.
    more: usize,
}

impl Inspector<'_> {
    fn find(&mut self, at: impl Into<String>, why: impl Into<String>) {
        match self.findings.len() < MAX_FINDINGS {
            true => self.findings.push(Finding { at: at.into(), why: expressions::cut(&why.into()) }),
            false => self.more += 1,
        }
    }

    fn header(&mut self, document: &Document) {
        if !is_token(&document.name) {
            self.find("name", format!("{:?} is not of a-z, 0-9, _ and -", document.name));
        }
        let number = |part: &str| !part.is_empty() && part.len() <= 9 && part.bytes().all(|b| b.is_ascii_digit());
        let parts: Vec<_> = document.version.split('.').collect();
        if parts.len() != 3 || !parts.into_iter().all(number) {
            self.find("version", format!("{:?} is not three numbers such as 1.0.0", document.version));
        }
        if document.entry.is_empty() {
            self.find("entry", "there is none, so nothing would be scored: add one for each product");
        }
    }

    fn entry(&mut self, at: usize, written: &Written) -> Entry {
        let key = |key: &str| key_of(at, written, key);
        if !is_token(&written.id) {
            self.find(key("id"), format!("{:?} is not of a-z, 0-9, _ and -", written.id));
        }
        if let Some(tenant) = written.tenant.as_deref().filter(|tenant| Tenant::new(tenant).is_err()) {
            let what = if tenant.is_empty() { "is empty" } else { "is no tenant's name, so it applies to nobody" };
            self.find(key("tenant"), format!("{what}: leave it out where the entry is for all"));
        }
        let when = written.when.as_deref().and_then(|source| self.condition(&key("when"), source));
        self.shares(at, written);
        if written.shadows.len() > MAX_SHADOWS {
            self.find(key("shadows"), format!("{}, at most {MAX_SHADOWS} are allowed", written.shadows.len()));
        }
        let mut packages = Vec::new();
        self.package(at, written, &mut packages, ("champion", ModelRole::Champion), &written.champion, 0);
        for challenger in &written.challengers {
            let place = ("challengers", ModelRole::Challenger);
            self.package(at, written, &mut packages, place, &challenger.package, challenger.buckets);
        }
        for shadow in &written.shadows {
            self.package(at, written, &mut packages, ("shadows", ModelRole::Shadow), shadow, 0);
        }
        Entry {
            id: written.id.clone(),
            product: written.product.clone(),
            tenant: written.tenant.clone(),
            when,
            packages,
            holdout: written.holdout,
            parties: written.parties,
        }
    }

    fn condition(&mut self, key: &str, source: &str) -> Option<Condition> {
        let compiled = Condition::compile(source, &mut self.lookup);
        let counted = compiled.and_then(|condition| match self.total.add(condition.compiled()) {
            Ok(()) => Ok(condition),
            Err(why) => Err(vec![why]),
        });
        match counted {
            Ok(condition) => {
                let written = condition.compiled().warnings().iter().map(ToString::to_string);
                let room = MAX_FINDINGS.saturating_sub(self.warnings.len());
                self.warnings.extend(written.take(room).map(|why| Finding { at: key.to_owned(), why }));
                Some(condition)
            }
            Err(faults) => {
                faults.iter().for_each(|fault| self.find(key, fault.to_string()));
                None
            }
        }
    }

    fn shares(&mut self, at: usize, written: &Written) {
        if written.challengers.iter().any(|challenger| challenger.buckets == 0) {
            let why = "buckets are 0, so it would decide on nobody: give it some, or list it in shadows";
            self.find(key_of(at, written, "challengers"), why);
        }
        let buckets = written.challengers.iter().map(|challenger| u64::from(challenger.buckets));
        let all = buckets.sum::<u64>() + u64::from(written.holdout);
        if all > u64::from(BUCKETS) {
            let why = format!("buckets of challengers and holdout are {all} together, and there are {BUCKETS}");
            self.find(key_of(at, written, "holdout"), why);
        }
    }

    fn package(
        &mut self,
        at: usize,
        entry: &Written,
        packages: &mut Vec<Package>,
        (key, role): (&str, ModelRole),
        text: &str,
        buckets: u32,
    ) {
        let key = key_of(at, entry, key);
        match self.library.find(&entry.product, text) {
            Err(why) => self.find(key, why.to_string()),
            Ok((name, _)) if packages.iter().any(|known| known.name == name) => {
                self.find(key, format!("{name} is there twice: a package speaks once of an application"));
            }
            Ok((name, model)) => packages.push(Package { role, name: name.to_owned(), buckets, model }),
        }
    }

    /// What only shows when entries are held side by side.
    fn across(&mut self, entries: &[Written]) {
        for (at, entry) in entries.iter().enumerate() {
            let before = || entries[..at].iter();
            if before().any(|earlier| earlier.id == entry.id) {
                self.find(key_of(at, entry, "id"), "is there twice: score events name it");
            }
            let same_group = |other: &&Written| (&other.product, &other.tenant) == (&entry.product, &entry.tenant);
            if let Some(earlier) = before().filter(same_group).find(|earlier| earlier.when.is_none()) {
                let (whose, id) = (whose(entry), &earlier.id);
                let (key, why) = match entry.when {
                    None => ("product", format!("{whose} is there twice: {id} has it for all of them")),
                    Some(_) => ("when", format!("can never apply: {id} before it takes all of {whose}; put it first")),
                };
                self.find(key_of(at, entry, key), why);
            } else if entry.when.is_some() && before().filter(same_group).any(|earlier| earlier.when == entry.when) {
                self.find(key_of(at, entry, "when"), "can never apply: an entry before it has the same condition");
            }
            let of_tenant = |other: &&Written| other.product == entry.product && is_for(other, entry.tenant.as_deref());
            let is_last = !entries[at + 1..].iter().any(|other| same_group(&other));
            if is_last && !entries.iter().filter(of_tenant).any(|other| other.when.is_none()) {
                let why = format!(
                    "{} would have no model where no condition holds: end it with an entry without `when`",
                    whose(entry)
                );
                self.find(key_of(at, entry, "when"), why);
            }
        }
    }
}

fn is_for(entry: &Written, tenant: Option<&str>) -> bool {
    entry.tenant.is_none() || entry.tenant.as_deref() == tenant
}

fn whose(entry: &Written) -> String {
    match &entry.tenant {
        Some(tenant) => format!("product {} of tenant {tenant}", entry.product),
        None => format!("product {}", entry.product),
    }
}

fn key_of(at: usize, entry: &Written, key: &str) -> String {
    format!("entry {} ({}), {key}", at + 1, expressions::cut(&entry.id))
}

fn is_token(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}
