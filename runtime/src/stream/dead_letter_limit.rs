//! The dead-letter limit: when too many of a source's newest records are dead letters, something at that source is broken, and going on
//! would drain its topic into the dead letters. Its topic is paused; every other one goes on.

use super::handler::RecordOutcome;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the loop holds of each source, which is an input topic.
pub(crate) struct DeadLetterLimits {
    window: usize,
    percent: u32,
    sources: BTreeMap<String, Window>,
    paused: BTreeSet<String>,
}

#[derive(Default)]
struct Window {
    newest: VecDeque<bool>,
    dead: usize,
}

impl DeadLetterLimits {
    /// Over how many of a source's records the share is taken, and the share in percent that is too much; 100 never is.
    pub fn new(window: usize, percent: u32) -> Self {
        Self { window: window.max(1), percent, sources: BTreeMap::new(), paused: BTreeSet::new() }
    }

    /// Takes a record in; whether its source has passed the limit with it. Never before the window is full, and once only.
    pub fn has_passed(&mut self, topic: &str, outcome: &RecordOutcome) -> bool {
        if !self.sources.contains_key(topic) {
            self.sources.insert(topic.to_owned(), Window::default());
        }
        let Some(source) = self.sources.get_mut(topic) else { return false };
        let dead = matches!(outcome, RecordOutcome::DeadLetter { .. });
        source.newest.push_back(dead);
        source.dead += usize::from(dead);
        if source.newest.len() > self.window && source.newest.pop_front() == Some(true) {
            source.dead -= 1;
        }
        let is_over = self.percent < 100
            && source.newest.len() >= self.window
            && source.dead * 100 > self.window * self.percent as usize;
        is_over && self.paused.insert(topic.to_owned())
    }

    /// Whether a source is paused.
    pub fn is_paused(&self, topic: &str) -> bool {
        self.paused.contains(topic)
    }

    /// The sources that are paused.
    pub fn paused(&self) -> impl Iterator<Item = &str> {
        self.paused.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(dead_letter_limits: &mut DeadLetterLimits, topic: &str, good: usize, dead: usize) -> bool {
        let bad = RecordOutcome::DeadLetter { reason: "bad", detail: String::new() };
        let outcomes = std::iter::repeat_n(RecordOutcome::Done("ok"), good).chain(std::iter::repeat_n(bad, dead));
        outcomes.filter(|outcome| dead_letter_limits.has_passed(topic, outcome)).count() > 0
    }

    #[test]
    fn the_share_counts_only_over_a_full_window() {
        for (good, dead, percent, over) in
            [(0, 99, 50, false), (0, 100, 50, true), (50, 50, 50, false), (49, 51, 50, true), (0, 200, 100, false)]
        {
            assert_eq!(
                feed(&mut DeadLetterLimits::new(100, percent), "t", good, dead),
                over,
                "{good} {dead} {percent}"
            );
        }
    }

    #[test]
    fn one_source_pauses_itself_alone_and_once() {
        let mut dead_letter_limits = DeadLetterLimits::new(100, 50);
        assert!(!feed(&mut dead_letter_limits, "honest", 100, 0));
        assert!(feed(&mut dead_letter_limits, "broken", 0, 100));
        assert!(!feed(&mut dead_letter_limits, "broken", 0, 100), "told once");
        assert_eq!(dead_letter_limits.paused().collect::<Vec<_>>(), ["broken"]);
        assert!(!dead_letter_limits.is_paused("honest"));
    }

    #[test]
    fn old_dead_letters_leave_the_window() {
        let mut dead_letter_limits = DeadLetterLimits::new(100, 50);
        assert!(!feed(&mut dead_letter_limits, "t", 50, 50));
        assert!(!feed(&mut dead_letter_limits, "t", 60, 10));
    }

    #[test]
    fn what_a_sender_may_do_wrong_never_counts() {
        let mut dead_letter_limits = DeadLetterLimits::new(100, 50);
        let conflict = RecordOutcome::Refused { reason: "conflict", detail: String::new() };
        assert!((0..1000).all(|_| !dead_letter_limits.has_passed("t", &conflict)));
    }
}
