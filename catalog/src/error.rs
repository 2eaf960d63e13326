//! Why a folder is not taken, and why what is demanded cannot be served.

use crate::finding::{Finding, Rejected};
use crate::in_force::InForce;
use crate::kind::Kind;
use crate::label::Label;
use std::path::PathBuf;

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder or file cannot be read.
    #[error("{path}: {cause}")]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// The operating system's reason.
        cause: std::io::Error,
    },
    /// The document that is wanted is not taken.
    #[error("{0}")]
    Rejected(Rejected),
    /// The version that is in force before a first activation is not in the folder.
    #[error("{kind} {default:?} names no document: there is none of that name and version under {folder}")]
    NoDefault {
        /// Of what.
        kind: Kind,
        /// `name@version`, as it was configured.
        default: String,
        /// The folder.
        folder: PathBuf,
    },
}

/// What an activation demands, and this instance cannot serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {version} ({digest}) {why}")]
pub struct NotHeld {
    /// Of what.
    pub kind: Kind,
    /// `name@version`.
    pub version: String,
    /// Its digest.
    pub digest: String,
    /// Why not.
    pub why: Why,
}

/// Why something cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// It is in no folder of this instance, and its activation carried no document.
    #[error("is not held: add it to {}", .0.folder())]
    Missing(Kind),
    /// Its document is not taken here; the first thing that is wrong.
    #[error("may not serve: {0}")]
    Faulty(Box<Finding>),
    /// Its document is another version's.
    #[error("says that it is {0}")]
    OtherLabel(Label),
    /// A package that it names is not held, or with another digest.
    #[error("names package {package} ({digest}), which is not held: add it to {}", Kind::Model.folder())]
    Package {
        /// `name@version`.
        package: String,
        /// Its digest.
        digest: String,
    },
}

impl NotHeld {
    /// What is in force of a kind that is named in full, and why it cannot be served.
    pub fn new(kind: Kind, wanted: &InForce, why: Why) -> Self {
        Self { kind, version: wanted.version.clone(), digest: wanted.digest.clone(), why }
    }
}

impl Why {
    /// The first thing that keeps a document from being taken.
    pub(crate) fn faulty(findings: Vec<Finding>) -> Self {
        let first = findings.into_iter().find(Finding::is_error);
        Self::Faulty(Box::new(first.unwrap_or_else(|| Finding::error("malformed", "", "is not taken"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn what_is_not_held_says_why_and_what_to_do() {
        let warning = Finding { severity: crate::Severity::Warning, ..Finding::error("odd", "", "is odd") };
        let package = Why::Package { package: "m@1".into(), digest: "11".into() };
        let rows = [
            (Why::Missing(Kind::Policy), "is not held: add it to policy_dir"),
            (Why::faulty(vec![]), "may not serve: error [malformed] is not taken"),
            (
                Why::faulty(vec![warning, Finding::error("bad", "/a", "is bad")]),
                "may not serve: error [bad] /a: is bad",
            ),
            (Why::OtherLabel(Label::new("b", "2")), "says that it is b@2"),
            (package, "names package m@1 (11), which is not held: add it to models_dir"),
        ];
        let wanted = InForce { version: "a@1".into(), digest: "00".into(), carried: Default::default() };
        for (why, expected) in rows {
            let told = NotHeld::new(Kind::Policy, &wanted, why).to_string();
            assert_eq!(told, format!("policy a@1 (00) {expected}"));
        }
    }
}
