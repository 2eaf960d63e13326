//! What the demonstration says at its end: a file for machines, a page for people. Counts nothing itself.

use super::ledger::{Ledger, Truth};
use super::risk::percent_of;
use crate::say::counted;
use anyhow::{Context, Result};
use domain::{Outcome, ReplyStatus};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

/// `summary.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Records that Kafka acknowledged to the senders.
    pub submitted: u64,
    /// Replies that say accepted.
    pub accepted: u64,
    /// Replies that say duplicate.
    pub duplicates: u64,
    /// Dead letters before acceptance: broken events and conflicts.
    pub dead_lettered: u64,
    /// Replies.
    pub replies: u64,
    /// Distinct score events.
    pub scored: u64,
    /// Automatic decisions.
    pub decided: u64,
    /// Applications that have one.
    pub decided_distinct: u64,
    /// Accepted and undecided, dead after acceptance, or unanswered.
    pub lost: u64,
    /// Accepted, decided or answered more than once.
    pub doubled: u64,
    /// Approved, countered or declined without a person, of the applications that are decided.
    pub automatic_share: f64,
    /// Automatic decisions by outcome.
    pub outcomes: Outcomes,
    /// Distinct webhooks that the receiver took, by their receipts.
    pub notifications_delivered: u64,
    /// Entries of the audit log.
    pub audit_entries: u64,
    /// Whether the log was walked whole, without a fault, and holds every record.
    pub audit_verified: bool,
    /// Decisions a second from the first record sent to the last decision seen, at full speed.
    pub throughput_per_s: f64,
    /// From when a record was due to when its decision was seen, at a steady pace.
    pub latency_ms: Latency,
}

/// Decisions by outcome.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Outcomes {
    pub approve: u64,
    pub refer: u64,
    pub decline: u64,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
}

impl Latency {
    /// Percentiles of sorted milliseconds.
    pub fn of(sorted_ms: &[f64]) -> Self {
        let at = |share: f64| {
            let rank = (share * sorted_ms.len() as f64).ceil() as usize;
            sorted_ms.get(rank.max(1) - 1).map_or(0.0, |ms| (ms * 10.0).round() / 10.0)
        };
        Self { p50: at(0.50), p99: at(0.99) }
    }
}

/// What the audit log said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Audit {
    /// Entries.
    pub entries: u64,
    /// Whether the walk found no fault.
    pub is_whole: bool,
}

impl Summary {
    /// Joins what was counted with what was measured.
    pub fn new(submitted: u64, ledger: &Ledger, audit: Audit, throughput_per_s: f64, latency_ms: Latency) -> Self {
        let Truth { decided_distinct, lost, doubled, .. } = ledger.truth(submitted);
        let outcome = |outcome: Outcome| ledger.outcomes.get(outcome.as_str()).copied().unwrap_or(0);
        Self {
            submitted,
            accepted: ledger.replied(ReplyStatus::Accepted),
            duplicates: ledger.replied(ReplyStatus::Duplicate),
            dead_lettered: ledger.refused(),
            replies: ledger.replies(),
            scored: ledger.scored(),
            decided: ledger.decided(),
            decided_distinct,
            lost,
            doubled,
            automatic_share: ledger.automatic_share(),
            outcomes: Outcomes {
                approve: outcome(Outcome::Approve),
                refer: outcome(Outcome::Refer),
                decline: outcome(Outcome::Decline),
            },
            notifications_delivered: ledger.delivered(),
            audit_entries: audit.entries,
            audit_verified: audit.is_whole && audit.entries == ledger.audited,
            throughput_per_s: throughput_per_s.round(),
            latency_ms,
        }
    }

    /// Whether every promise was kept.
    pub(crate) fn is_true(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.audit_verified && self.decided_distinct == self.accepted
    }

    /// Writes the file, and its folder where there is none.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }

    /// The page for people.
    pub fn page(&self, ledger: &Ledger) -> String {
        let mut page = format!("\n{}", ledger.risk.text());
        let mut line = |name: &str, text: String| {
            if writeln!(page, "{name:<12} {text}").is_err() {
                tracing::debug!("a text takes every line");
            }
        };
        let many = |count| counted(count, "");
        line(
            "Published",
            format!(
                "{} records: {} accepted, {} duplicates, {} set aside; {} answered",
                many(self.submitted),
                many(self.accepted),
                many(self.duplicates),
                many(self.dead_lettered),
                many(self.replies)
            ),
        );
        let reasons: Vec<String> = ledger.refused.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        line("Set aside", reasons.join(", "));
        line(
            "Decided",
            format!(
                "{} applications, {} of them automatic; lost {}, doubled {}",
                many(self.decided_distinct),
                percent_of(self.automatic_share),
                self.lost,
                self.doubled
            ),
        );
        let explained = &ledger.explained;
        let methods = explained.by_method.iter().map(|(method, count)| format!("{method} {}", many(*count)));
        let mut methods: Vec<String> = methods.collect();
        if explained.inexact > 0 {
            methods.push(format!("{} say why they do not add up", many(explained.inexact)));
        }
        let beside = format!("; {} scores of shadows beside", many(explained.shadows));
        line("Explained", methods.join(", ") + &beside);
        line("Told", format!("{} signed webhooks delivered", many(self.notifications_delivered)));
        let verified = if self.audit_verified { "walked and whole" } else { "NOT VERIFIED" };
        line("Audit log", format!("{} entries, {verified}", many(self.audit_entries)));
        line(
            "Speed",
            format!(
                "{} decisions a second at full speed; at a steady pace half within {} ms, 99 % within {} ms",
                many(self.throughput_per_s as u64),
                self.latency_ms.p50,
                self.latency_ms.p99
            ),
        );
        page
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ranks() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(Latency::of(&hundred), Latency { p50: 50.0, p99: 99.0 });
        assert_eq!(Latency::of(&[7.0]), Latency { p50: 7.0, p99: 7.0 });
        assert_eq!(Latency::of(&[]), Latency::default());
    }

    #[test]
    fn the_file_has_exactly_the_promised_keys() {
        let value = serde_json::to_value(Summary::default()).unwrap();
        let keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let mut promised = [
            "submitted",
            "accepted",
            "duplicates",
            "dead_lettered",
            "replies",
            "scored",
            "decided",
            "decided_distinct",
            "lost",
            "doubled",
            "automatic_share",
            "outcomes",
            "notifications_delivered",
            "audit_entries",
            "audit_verified",
            "throughput_per_s",
            "latency_ms",
        ];
        let mut keys = keys;
        keys.sort_unstable();
        promised.sort_unstable();
        assert_eq!(keys, promised);
    }

    #[test]
    fn any_broken_promise_fails_the_run() {
        let whole = Summary { accepted: 3, decided_distinct: 3, audit_verified: true, ..Summary::default() };
        assert!(whole.is_true());
        let broken = [
            Summary { lost: 1, ..whole.clone() },
            Summary { doubled: 1, ..whole.clone() },
            Summary { audit_verified: false, ..whole.clone() },
            Summary { decided_distinct: 2, ..whole },
        ];
        assert!(broken.iter().all(|summary| !summary.is_true()));
    }
}
