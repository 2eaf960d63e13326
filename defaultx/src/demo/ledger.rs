//! PURE. What `read_committed` records say became of every application: counts, and the truth that follows from them. Believes
//! no metric.

use super::explained::Explained;
use super::risk::RiskBook;
use domain::{Automation, Outcome, ReplyStatus};
use schemas::Word;
use schemas::decision::Decision;
use std::collections::{BTreeMap, HashMap, HashSet};

/// (tenant, application id, revision).
pub type Triple = (String, String, u32);

/// Everything counted.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Replies by status.
    pub replies: BTreeMap<String, u64>,
    /// Replies by the record that they answer.
    answered: HashMap<(String, i32, i64), u64>,
    /// Accepted applications: records by triple.
    accepted: HashMap<Triple, u64>,
    /// Ids of score events.
    scored: HashSet<String>,
    /// Automatic decisions: records by triple.
    decided: HashMap<Triple, u64>,
    /// Outcome of each automatic decision.
    pub outcomes: BTreeMap<String, u64>,
    /// (tenant, application id) → revision and number of the decision that stands, and whether it is automatic.
    standing: HashMap<(String, String), ((u32, u32), bool)>,
    /// Dead letters of ingest, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Dead letters of any later worker, by worker and reason.
    pub dead_later: BTreeMap<(String, String), u64>,
    /// Ids of deliveries that a receiver took.
    delivered: HashSet<String>,
    /// What a risk officer asks.
    pub risk: RiskBook,
    /// How scores explain themselves.
    pub explained: Explained,
    /// Records on audited topics.
    pub audited: u64,
    /// Records that cannot be read: none should be.
    pub unreadable: u64,
}

/// What must hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Truth {
    /// Applications accepted.
    pub accepted: u64,
    /// Applications with an automatic decision.
    pub decided_distinct: u64,
    /// Accepted and undecided, dead after acceptance, or published and unanswered.
    pub lost: u64,
    /// Decided more than once, accepted more than once, answered more than once, or decided and never accepted.
    pub doubled: u64,
}

impl Ledger {
    /// A reply to the record at these coordinates.
    pub fn reply(&mut self, status: &Word<ReplyStatus>, origin: (String, i32, i64)) {
        *self.replies.entry(status.to_string()).or_default() += 1;
        *self.answered.entry(origin).or_default() += 1;
    }

    /// An accepted application.
    pub fn accept(&mut self, triple: Triple) {
        *self.accepted.entry(triple).or_default() += 1;
    }

    /// A score event.
    pub fn score(&mut self, event_id: &str) {
        self.scored.insert(event_id.to_owned());
    }

    /// An automatic decision.
    pub fn decide(&mut self, triple: Triple, outcome: &Word<Outcome>) {
        *self.decided.entry(triple).or_default() += 1;
        *self.outcomes.entry(outcome.to_string()).or_default() += 1;
    }

    /// A decision, of which the newest of an application stands.
    pub fn stand(&mut self, decision: &Decision) {
        let of = &decision.application;
        let at = (of.revision, decision.decision_number);
        let is_answer = Outcome::ANSWERS.iter().any(|answer| decision.outcome.is(*answer));
        let newest = (at, is_answer && decision.automation.is(Automation::Automatic));
        let standing = self.standing.entry((of.tenant.clone(), of.application_id.clone())).or_insert(newest);
        if at >= standing.0 {
            *standing = newest;
        }
    }

    /// Automatic, of the applications that are decided ([`Outcome::ANSWERS`]): what the read-api and the Risk dashboard show; 0 of none.
    pub fn automatic_share(&self) -> f64 {
        let automatic = self.standing.values().filter(|(_, is_automatic)| *is_automatic).count();
        automatic as f64 / self.standing.len().max(1) as f64
    }

    /// A dead letter: of ingest, or of a later worker.
    pub fn dead(&mut self, stage: &str, reason: &str, is_before_acceptance: bool) {
        if is_before_acceptance {
            *self.refused.entry(reason.to_owned()).or_default() += 1;
        } else {
            *self.dead_later.entry((stage.to_owned(), reason.to_owned())).or_default() += 1;
        }
    }

    /// A delivery that ended well.
    pub fn deliver(&mut self, delivery_id: &str) {
        self.delivered.insert(delivery_id.to_owned());
    }

    /// Replies, each counted.
    pub fn replies(&self) -> u64 {
        self.replies.values().sum()
    }

    /// Replies of a status.
    pub fn replied(&self, status: ReplyStatus) -> u64 {
        self.replies.get(status.as_str()).copied().unwrap_or(0)
    }

    /// Distinct score events.
    pub fn scored(&self) -> u64 {
        self.scored.len() as u64
    }

    /// Automatic decisions, each record counted.
    pub fn decided(&self) -> u64 {
        self.decided.values().sum()
    }

    /// Dead letters of ingest.
    pub fn refused(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Distinct deliveries that ended well.
    pub fn delivered(&self) -> u64 {
        self.delivered.len() as u64
    }

    /// What follows, when so many records were acknowledged.
    pub fn truth(&self, submitted: u64) -> Truth {
        let again = |counts: &HashMap<Triple, u64>| counts.values().map(|count| count - 1).sum::<u64>();
        let undecided = self.accepted.keys().filter(|triple| !self.decided.contains_key(*triple)).count() as u64;
        let invented = self.decided.keys().filter(|triple| !self.accepted.contains_key(*triple)).count() as u64;
        let answered_again: u64 = self.answered.values().map(|count| count - 1).sum();
        let unanswered = submitted.saturating_sub(self.answered.len() as u64);
        Truth {
            accepted: self.accepted.len() as u64,
            decided_distinct: self.decided.len() as u64,
            // An application that died on its way is undecided too: it is counted once.
            lost: undecided.max(self.dead_later.values().sum()) + unanswered,
            doubled: again(&self.decided) + again(&self.accepted) + answered_again + invented,
        }
    }

    /// What does not add up, in words; empty when everything does.
    pub(crate) fn contradictions(&self, submitted: u64, refusals: &BTreeMap<&str, u64>) -> Vec<String> {
        let truth = self.truth(submitted);
        let [accepted, duplicates] = [ReplyStatus::Accepted, ReplyStatus::Duplicate].map(|status| self.replied(status));
        let refused = self.refused();
        let mut found = Vec::new();
        let mut must = |holds: bool, what: String| {
            if !holds {
                found.push(what);
            }
        };
        must(self.replies() == submitted, format!("{} replies for {submitted} records", self.replies()));
        must(
            accepted + duplicates + refused == submitted,
            format!("{accepted} accepted + {duplicates} duplicates + {refused} dead letters are not {submitted}"),
        );
        must(
            accepted == truth.accepted,
            format!("{accepted} replies say accepted, {} applications are", truth.accepted),
        );
        must(
            self.scored() == truth.accepted,
            format!("{} scores for {} accepted applications", self.scored(), truth.accepted),
        );
        let unexplained = self.explained.unexplained;
        must(unexplained == 0, format!("{unexplained} scores do not explain themselves"));
        must(self.unreadable == 0, format!("{} records cannot be read", self.unreadable));
        for reason in refusals.keys().copied().chain(self.refused.keys().map(String::as_str)) {
            let (wanted, is) =
                (refusals.get(reason).copied().unwrap_or(0), self.refused.get(reason).copied().unwrap_or(0));
            must(wanted == is, format!("{is} records refused as {reason}, {wanted} were broken that way"));
        }
        found.sort();
        found.dedup();
        found
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn triple(id: u32) -> Triple {
        ("demo".to_owned(), id.to_string(), 1)
    }

    /// Two accepted and decided, one duplicate, one refused.
    fn whole() -> Ledger {
        let mut ledger = Ledger::default();
        use ReplyStatus::{Accepted, Duplicate, Rejected};
        for (offset, status) in [(0, Accepted), (1, Accepted), (2, Duplicate), (3, Rejected)] {
            ledger.reply(&status.into(), ("loan.applications.v1".to_owned(), 0, offset));
        }
        for id in [1, 2] {
            ledger.accept(triple(id));
            ledger.score(&id.to_string());
            ledger.decide(triple(id), &Outcome::Approve.into());
        }
        ledger.dead("receive", "not_json", true);
        ledger
    }

    fn refusals() -> BTreeMap<&'static str, u64> {
        [("not_json", 1)].into()
    }

    #[test]
    fn a_whole_run_has_no_contradiction() {
        let ledger = whole();
        assert_eq!(ledger.truth(4), Truth { accepted: 2, decided_distinct: 2, lost: 0, doubled: 0 });
        assert_eq!(ledger.contradictions(4, &refusals()), Vec::<String>::new());
    }

    #[test]
    fn what_is_lost_or_doubled_is_counted() {
        type Change = fn(&mut Ledger);
        let cases: [(&str, Change, u64, u64); 6] = [
            ("decided twice", |l| l.decide(triple(1), &Outcome::Refer.into()), 0, 1),
            ("accepted twice, undecided the second time", |l| l.accept(triple(1)), 0, 1),
            ("accepted and undecided", |l| l.accept(triple(3)), 1, 0),
            (
                "dead after acceptance and undecided",
                |l| {
                    l.accept(triple(3));
                    l.dead("scorer", "handler_failed", false)
                },
                1,
                0,
            ),
            ("decided and never accepted", |l| l.decide(triple(9), &Outcome::Approve.into()), 0, 1),
            (
                "answered twice",
                |l| l.reply(&ReplyStatus::Accepted.into(), ("loan.applications.v1".to_owned(), 0, 0)),
                0,
                1,
            ),
        ];
        for (name, change, lost, doubled) in cases {
            let mut ledger = whole();
            change(&mut ledger);
            let truth = ledger.truth(4);
            assert_eq!((truth.lost, truth.doubled), (lost, doubled), "{name}");
        }
        assert_eq!(whole().truth(5).lost, 1, "published and unanswered");
    }

    #[test]
    fn automatic_is_answered_without_a_person() {
        let text = include_str!("../../../schemas/examples/decision.made.v1/good-approve.json");
        let approved: Decision = serde_json::from_str(text).unwrap();
        let mut ledger = Ledger::default();
        assert_eq!(ledger.automatic_share(), 0.0);
        let rows = [
            ("a", 1, "approve", "automatic"),
            ("b", 1, "refer", "automatic"),
            ("b", 2, "decline", "human"),
            ("c", 1, "refer", "automatic"),
            ("d", 2, "withdrawn", "automatic"),
            ("d", 1, "approve", "automatic"),
            ("e", 1, "decline", "automatic"),
        ];
        for (id, number, outcome, automation) in rows {
            let mut decision = approved.clone();
            decision.application.application_id = id.to_owned();
            decision.decision_number = number;
            (decision.outcome, decision.automation) = (Word::parse(outcome), Word::parse(automation));
            ledger.stand(&decision);
        }
        assert_eq!(ledger.automatic_share(), 0.4, "a and e of five");
    }

    #[test]
    fn a_wrong_reason_is_a_contradiction() {
        let wrong = [("unknown_field", 1)].into();
        assert_eq!(whole().contradictions(4, &wrong).len(), 2, "one reason too many, one too few");
        assert!(!whole().contradictions(6, &refusals()).is_empty());
        let mut silent = whole();
        silent.explained.unexplained = 1;
        assert_eq!(silent.contradictions(4, &refusals()), ["1 scores do not explain themselves"]);
    }
}
