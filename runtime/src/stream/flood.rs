//! The flood limit: when too many of the newest records are dead letters, something upstream or in here is broken, and a room
//! that goes on would drain its topic into the dead letters.

use super::handler::Verdict;
use std::collections::VecDeque;

/// The share of dead letters in a window of records.
pub(crate) struct Flood {
    window: usize,
    percent: u32,
    newest: VecDeque<bool>,
    dead: usize,
}

impl Flood {
    pub fn new(window: usize, percent: u32) -> Self {
        Self { window, percent, newest: VecDeque::new(), dead: 0 }
    }

    /// Takes a batch in; whether the limit is now passed. Never before the window is full.
    pub fn is_over(&mut self, verdicts: &[Verdict]) -> bool {
        for verdict in verdicts {
            let dead = matches!(verdict, Verdict::DeadLetter { .. });
            self.newest.push_back(dead);
            self.dead += usize::from(dead);
            if self.newest.len() > self.window && self.newest.pop_front() == Some(true) {
                self.dead -= 1;
            }
        }
        self.percent < 100 && self.newest.len() >= self.window && self.dead * 100 > self.window * self.percent as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(good: usize, dead: usize) -> Vec<Verdict> {
        let mut all = vec![Verdict::Done("ok"); good];
        all.extend(vec![Verdict::DeadLetter { reason: "bad", detail: String::new() }; dead]);
        all
    }

    #[test]
    fn the_share_counts_only_over_a_full_window() {
        for (good, dead, percent, over) in
            [(0, 99, 50, false), (0, 100, 50, true), (50, 50, 50, false), (49, 51, 50, true), (0, 200, 100, false)]
        {
            assert_eq!(Flood::new(100, percent).is_over(&verdicts(good, dead)), over, "{good} {dead} {percent}");
        }
    }

    #[test]
    fn old_dead_letters_leave_the_window() {
        let mut flood = Flood::new(100, 50);
        assert!(flood.is_over(&verdicts(0, 100)));
        assert!(!flood.is_over(&verdicts(60, 0)));
    }
}
