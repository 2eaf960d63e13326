//! PURE. Which topics the log takes: the audited ones of the table, and the senders' own, which follow the rules of
//! `loan.applications.v1`.

use schemas::Topic;
use std::borrow::Cow;
use std::sync::Arc;

/// Name of the worker: its consumer, its label in metrics, its line in health.
pub const WORKER: &str = "audit-sink";

/// The topics of a deployment that the log takes.
#[derive(Debug, Clone)]
pub struct Sources {
    prefix: Arc<str>,
    senders: Arc<[String]>,
}

/// A topic that the log takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Without prefix.
    pub name: Cow<'static, str>,
    /// The topic of the table whose rules it follows.
    pub topic: Topic,
}

impl Sources {
    /// Under a prefix; `senders` are the topics of senders, without it. One that is in the table is what the table says.
    pub fn new(prefix: &str, senders: &[String]) -> Self {
        let senders = senders.iter().filter(|name| Topic::of_name("", name).is_none());
        Self { prefix: prefix.into(), senders: senders.cloned().collect() }
    }

    /// The consumer that writes the log of this deployment.
    pub fn consumer(&self) -> String {
        format!("{}{WORKER}", self.prefix)
    }

    /// Every one of them, with prefix.
    pub fn names(&self) -> impl Iterator<Item = Arc<str>> {
        let senders = self.senders.iter().map(|name| format!("{}{name}", self.prefix).into());
        audited_topics().map(|topic| topic.name(&self.prefix).into()).chain(senders)
    }

    /// Those that are not written in transactions alone, with prefix: what senders write, the receipts of deliveries
    /// and the records of access.
    pub fn plain(&self) -> impl Iterator<Item = Arc<str>> {
        let ours = [Topic::LoanApplications, Topic::Notifications, Topic::Access];
        let ours = ours.map(|topic| topic.name(&self.prefix).into());
        ours.into_iter().chain(self.senders.iter().map(|name| format!("{}{name}", self.prefix).into()))
    }

    /// What a topic, with prefix, is to the log; `None` when it is not taken.
    pub fn of(&self, topic: &str) -> Option<Source> {
        let base = topic.strip_prefix(&*self.prefix)?;
        match Topic::of_name("", base) {
            Some(topic) => topic.is_audited().then(|| Source { name: topic.base_name().into(), topic }),
            None => {
                let name = self.senders.iter().find(|name| *name == base)?;
                Some(Source { name: name.clone().into(), topic: Topic::LoanApplications })
            }
        }
    }
}

/// Topics of the table that the log takes.
pub fn audited_topics() -> impl Iterator<Item = Topic> {
    Topic::ALL.iter().copied().filter(|topic| topic.is_audited())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_senders_topic_is_taken_as_applications_are_and_nothing_else_is() {
        let sources =
            Sources::new("t.", &["bank-b.v1", "loan.applications.v1", "credit.checkpoints.v1"].map(str::to_owned));
        let rows = [
            ("t.bank-b.v1", Some(("bank-b.v1", Topic::LoanApplications))),
            ("t.loan.applications.v1", Some(("loan.applications.v1", Topic::LoanApplications))),
            ("t.credit.risk.v1", Some(("credit.risk.v1", Topic::Risk))),
            ("t.credit.checkpoints.v1", None),
            ("t.bank-c.v1", None),
            ("bank-b.v1", None),
        ];
        for (topic, expected) in rows {
            let expected = expected.map(|(name, topic)| Source { name: name.into(), topic });
            assert_eq!(sources.of(topic), expected, "{topic}");
        }
        assert_eq!(sources.names().count(), audited_topics().count() + 1);
    }
}
