//! Which workers there are, and how each is started. The only place that names them all.

use crate::judge;
use crate::settings::Settings;
use anyhow::{Context, Result, bail};
use runtime::service::ServiceContext;
use runtime::task::WorkerHandle;

/// A worker of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Worker {
    Ingest,
    Scorer,
    Decision,
    Notifier,
    AuditSink,
    AuditSigner,
    ReadApi,
}

impl Worker {
    /// Every worker, in the order in which they start. The scorer is last: it proves its packages before it joins its group, and the
    /// others join theirs meanwhile.
    pub const ALL: [Self; 7] =
        [Self::ReadApi, Self::AuditSigner, Self::AuditSink, Self::Notifier, Self::Decision, Self::Ingest, Self::Scorer];

    /// Its name on the command line and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Scorer => "scorer",
            Self::Decision => "decision",
            Self::Notifier => "notifier",
            Self::AuditSink => "audit-sink",
            Self::AuditSigner => "audit-signer",
            Self::ReadApi => "read-api",
        }
    }

    /// Whether it cannot do without PostgreSQL.
    pub fn needs_database(self) -> bool {
        matches!(self, Self::Notifier | Self::AuditSink | Self::AuditSigner | Self::ReadApi)
    }

    /// The workers that words on the command line mean; each once, in the order of [`Self::ALL`].
    ///
    /// # Errors
    /// When a word is no worker.
    pub fn parse(words: &[String]) -> Result<Vec<Self>> {
        let names = || Self::ALL.map(Self::name).join(", ");
        if let Some(word) = words.iter().find(|word| *word != "all" && Self::ALL.iter().all(|r| r.name() != *word)) {
            bail!("{word} is no worker: there are {}, or all", names());
        }
        let is_meant = |worker: &Self| words.iter().any(|word| word == "all" || word == worker.name());
        Ok(Self::ALL.into_iter().filter(is_meant).collect())
    }

    /// Starts it.
    ///
    /// # Errors
    /// Why it cannot run with this configuration.
    pub async fn start(self, settings: &Settings, service: ServiceContext) -> Result<Vec<WorkerHandle>> {
        let service = service.acting_as(self.name());
        let started: Result<Vec<WorkerHandle>> = match self {
            Self::Ingest => ingest::start(settings.ingest_with_classes()?, service).map_err(Into::into),
            Self::Scorer => {
                let config = &settings.scorer;
                judge::folders(&[
                    ("[scorer] models_dir", &config.models_dir),
                    ("[scorer] routes_dir", &config.routes_dir),
                ])
                .and_then(|()| scorer::start(config.clone(), service).map_err(Into::into))
            }
            Self::Decision => judge::folders(&[("[decision] policy_dir", &settings.decision.policy_dir)])
                .and_then(|()| decision::start(settings.decision.clone(), service).map_err(Into::into)),
            Self::Notifier => notifier::start(settings.notifier_with_words(), service).map_err(Into::into),
            Self::AuditSink => {
                let sender_topics = settings.ingest.sender_topics();
                let mut config = audit_sink::Config { sender_topics, ..settings.audit_sink.clone() };
                if config.models_dir.is_empty() {
                    config.models_dir = settings.scorer.models_dir.display().to_string();
                }
                audit_sink::start(config, service).map_err(Into::into)
            }
            Self::AuditSigner => audit_sink::signer::start(&settings.audit_signer, service).map_err(Into::into),
            Self::ReadApi => {
                let (classes, attributes) = (settings.classes()?, settings.attributes()?);
                let config = read_api::Config { classes, attributes, ..settings.read_api.clone() };
                read_api::start(config, service).await.map_err(Into::into)
            }
        };
        started.with_context(|| format!("starting {}", self.name()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_workers() {
        let parse = |words: &[&str]| Worker::parse(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert_eq!(parse(&["all"]).unwrap(), Worker::ALL);
        assert_eq!(parse(&["ingest", "scorer", "ingest"]).unwrap(), [Worker::Ingest, Worker::Scorer]);
        assert!(parse(&["scorrer"]).unwrap_err().to_string().contains("audit-sink"));
    }
}
