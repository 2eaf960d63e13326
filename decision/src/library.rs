//! The policies that this instance knows: those of its directory, and those that activations carry. How they are held is
//! [`catalog`]'s; that they are policies is told here.

use catalog::{Document, Finding, InForce, Kind, Label, NotHeld, Rejected, Severity, Version, Versions};
use policy::Compiled;
use std::path::Path;
use std::sync::Arc;

/// Compiled policies.
#[derive(Debug, Clone)]
pub struct Library(Versions<Compiled>);

impl Library {
    /// Reads every `<name>/<version>.yaml` under `directory`; `default` is the `name@version` in force where no activation
    /// record came before. A directory without any is taken: then a partition that has seen no activation waits for one.
    ///
    /// # Errors
    /// [`catalog::Error`] when the directory cannot be read or the default cannot be used.
    pub fn read(directory: &Path, default: &str) -> Result<Self, catalog::Error> {
        Versions::read(Kind::Policy, directory, default, load).map(Self)
    }

    /// A library of one, for tests and benchmarks.
    pub fn of(compiled: Compiled) -> Self {
        Self(Versions::of(Kind::Policy, vec![version(compiled)]))
    }

    /// A library of none, as of an empty directory.
    pub fn empty() -> Self {
        Self(Versions::of(Kind::Policy, Vec::new()))
    }

    /// Adds a policy.
    #[must_use]
    pub fn with(self, compiled: Compiled) -> Self {
        Self(self.0.with(version(compiled)))
    }

    /// The policy of a version that an activation names: its document, or the one of the directory.
    ///
    /// # Errors
    /// [`NotHeld`].
    pub(crate) fn demanded(&mut self, wanted: &InForce) -> Result<Arc<Compiled>, NotHeld> {
        let found = self.0.hold(wanted, load);
        self.0.trim();
        found
    }

    /// The policy in force where nothing was activated.
    pub fn default_policy(&self) -> Option<&Arc<Compiled>> {
        self.0.default_version()
    }

    /// Every policy of the directory.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Compiled>> {
        self.0.all()
    }

    /// The files that were left out, with their findings.
    pub fn rejected(&self) -> &[Rejected] {
        self.0.rejected()
    }
}

fn load(document: &Document) -> Result<Version<Compiled>, Vec<Finding>> {
    let compiled = Compiled::load(document.as_str().as_bytes());
    compiled.map(version).map_err(|rejected| rejected.findings.into_iter().map(finding).collect())
}

fn version(policy: Compiled) -> Version<Compiled> {
    Version::new(Label::new(policy.name(), policy.version()), policy.digest().to_owned(), policy)
}

/// What is wrong with a policy, as the catalog tells it.
pub fn finding(found: policy::Finding) -> Finding {
    let policy::Finding { severity, code, path, line, column, rule, message, .. } = found;
    let message = rule.map_or(message.clone(), |rule| format!("{rule}: {message}"));
    let severity = match severity {
        policy::Severity::Error => Severity::Error,
        policy::Severity::Warning => Severity::Warning,
    };
    Finding { severity, code, line, column, at: path, message }
}
