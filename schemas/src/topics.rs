//! Every topic: its name, who writes it, how it is keyed and kept. `topics apply|check` and the tidy test read this table.

/// A topic of the deployment. Names carry the deployment's prefix in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Applications as origination systems publish them.
    LoanApplications,
    /// One reply for each published record.
    LoanReplies,
    /// Parsed, normalised, stripped of personal data, re-keyed.
    Intake,
    /// What was stripped from `identity`.
    Identities,
    /// What was stripped from `protected`.
    Protected,
    /// Accepted and deduplicated.
    Applications,
    /// Score events.
    Risk,
    /// Score events of shadow models.
    Shadow,
    /// Decisions.
    Decisions,
    /// Receipts of deliveries.
    Notifications,
    /// Signed checkpoints of the audit log.
    Checkpoints,
    /// Who looked at what.
    Access,
    /// Tokens that were called back.
    Revocations,
    /// What could not be handled, byte for byte.
    DeadLetters,
    /// Gaps in what a group reads that somebody has accepted.
    Gaps,
    /// What each instance of the scorer holds.
    Instances,
    /// Changelog of ingest's deduplication state.
    AdmitState,
    /// Changelog of the version in force per partition, kept by the scorer.
    ScorerState,
    /// Changelog of the version in force per partition, kept by the decision worker.
    DecisionState,
}

/// How long a topic keeps its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// For this many days.
    Days(u32),
    /// The newest record of each key, without end.
    Compacted,
}

impl Topic {
    /// Every topic, in the order in which `topics apply` makes them.
    pub const ALL: &'static [Self] = &[
        Self::LoanApplications,
        Self::LoanReplies,
        Self::Intake,
        Self::Identities,
        Self::Protected,
        Self::Applications,
        Self::Risk,
        Self::Shadow,
        Self::Decisions,
        Self::Notifications,
        Self::Checkpoints,
        Self::DeadLetters,
        Self::Gaps,
        Self::AdmitState,
        Self::ScorerState,
        Self::DecisionState,
        Self::Access,
        Self::Revocations,
        Self::Instances,
    ];

    /// The name without prefix.
    pub fn base_name(self) -> &'static str {
        match self {
            Self::LoanApplications => "loan.applications.v1",
            Self::LoanReplies => "loan.replies.v1",
            Self::Intake => "credit.intake.v1",
            Self::Identities => "credit.identities.v1",
            Self::Protected => "credit.protected.v1",
            Self::Applications => "credit.applications.v1",
            Self::Risk => "credit.risk.v1",
            Self::Shadow => "credit.shadow.v1",
            Self::Decisions => "credit.decisions.v1",
            Self::Notifications => "credit.notifications.v1",
            Self::Checkpoints => "credit.checkpoints.v1",
            Self::Access => "credit.access.v1",
            Self::Revocations => "credit.revocations.v1",
            Self::DeadLetters => "credit.dead-letters.v1",
            Self::Gaps => "credit.gaps.v1",
            Self::Instances => "credit.instances.v1",
            Self::AdmitState => "credit.admit-state.v1",
            Self::ScorerState => "credit.scorer-state.v1",
            Self::DecisionState => "credit.decision-state.v1",
        }
    }

    /// The name under a deployment's prefix, which may be empty.
    pub fn name(self, prefix: &str) -> String {
        format!("{prefix}{}", self.base_name())
    }

    /// The topic that `name` stands for under `prefix`.
    pub fn of_name(prefix: &str, name: &str) -> Option<Self> {
        let base = name.strip_prefix(prefix)?;
        Self::ALL.iter().copied().find(|topic| topic.base_name() == base)
    }

    /// The only worker that writes it; dead letters are any worker's.
    pub fn writer(self) -> &'static str {
        match self {
            Self::LoanApplications => "origination",
            Self::LoanReplies | Self::Intake | Self::Identities | Self::Protected => "ingest",
            Self::Applications | Self::AdmitState => "ingest",
            Self::Risk | Self::Shadow | Self::ScorerState | Self::Instances => "scorer",
            Self::Decisions | Self::DecisionState => "decision",
            Self::Notifications => "notifier",
            Self::Checkpoints => "audit-signer",
            Self::Access => "read-api",
            Self::DeadLetters => "any worker",
            Self::Gaps | Self::Revocations => "an operator",
        }
    }

    /// How long records stay.
    pub fn keep(self) -> Keep {
        match self {
            Self::AdmitState | Self::ScorerState | Self::DecisionState => Keep::Compacted,
            Self::Revocations | Self::Instances => Keep::Compacted,
            Self::Intake | Self::DeadLetters => Keep::Days(14),
            Self::Checkpoints | Self::Gaps => Keep::Days(3650),
            _ => Keep::Days(7),
        }
    }

    /// Whether the audit log takes its records; changelogs are private, checkpoints are the log's own, and what an instance holds
    /// is said every ten seconds.
    pub fn is_audited(self) -> bool {
        let is_private = matches!(self, Self::AdmitState | Self::ScorerState | Self::DecisionState);
        !is_private && !matches!(self, Self::Checkpoints | Self::Instances)
    }

    /// Whether the log may keep the body. Topics with personal data leave coordinates and a keyed digest only.
    pub fn body_is_logged(self) -> bool {
        !matches!(self, Self::LoanApplications | Self::Intake | Self::Identities | Self::Protected | Self::DeadLetters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found_again() {
        for topic in Topic::ALL {
            assert_eq!(Topic::of_name("t1.", &topic.name("t1.")), Some(*topic));
        }
        assert_eq!(Topic::of_name("t1.", "t2.credit.risk.v1"), None);
    }
}
