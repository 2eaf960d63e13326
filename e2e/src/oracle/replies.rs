//! PURE. One reply for each published record, by the record's own coordinates.

use super::{Fault, Findings, Place};
use std::collections::HashMap;

/// Published records and the replies that name them.
#[derive(Default)]
pub struct Replies {
    by_place: HashMap<Place, Counts>,
    published: u64,
    answered: u64,
}

#[derive(Default)]
struct Counts {
    published: u32,
    answered: u32,
}

impl Replies {
    /// A record was published here. A row of a file that was sent twice is published twice.
    pub fn published(&mut self, place: Place) {
        self.by_place.entry(place).or_default().published += 1;
        self.published += 1;
    }

    /// A reply names this place.
    pub fn answered(&mut self, place: Place) {
        self.by_place.entry(place).or_default().answered += 1;
        self.answered += 1;
    }

    /// Records published.
    pub fn count(&self) -> u64 {
        self.published
    }

    /// Whether every published record has a reply.
    pub(crate) fn are_complete(&self) -> bool {
        self.by_place.values().all(|counts| counts.answered >= counts.published)
    }

    /// Holds replies against records.
    pub fn judge(&self, findings: &mut Findings) {
        let mut places: Vec<_> = self.by_place.iter().filter(|(_, c)| c.published != c.answered).collect();
        places.sort_by_key(|(place, _)| *place);
        for (place, Counts { published, answered }) in places {
            let fault = match (*published, *answered) {
                (0, _) => Fault::Wrong,
                (published, answered) if answered < published => Fault::Skipped,
                _ => Fault::Doubled,
            };
            findings.take(fault, || format!("{place}: published {published} times, answered {answered} times"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn judged(doctor: impl FnOnce(&mut Replies, &dyn Fn(i64) -> Place)) -> [u64; 4] {
        let topic: Arc<str> = "loan.applications.v1".into();
        let place = |offset| Place::new(&topic, 2, offset);
        let mut replies = Replies::default();
        for offset in 0..10 {
            replies.published(place(offset));
            replies.answered(place(offset));
        }
        doctor(&mut replies, &place);
        let mut findings = Findings::default();
        replies.judge(&mut findings);
        findings.counts()
    }

    #[test]
    fn a_missing_and_a_second_reply_do_not_cancel() {
        assert_eq!(judged(|_, _| {}), [0, 0, 0, 0]);
        assert_eq!(judged(|replies, place| replies.published(place(10))), [0, 0, 1, 0]);
        assert_eq!(judged(|replies, place| replies.answered(place(4))), [0, 1, 0, 0]);
        let sums_agree = |replies: &mut Replies, place: &dyn Fn(i64) -> Place| {
            replies.published(place(10));
            replies.answered(place(4));
            assert_eq!(replies.published, replies.answered);
            assert!(!replies.are_complete());
        };
        assert_eq!(judged(sums_agree), [0, 1, 1, 0]);
        let elsewhere = |replies: &mut Replies, place: &dyn Fn(i64) -> Place| {
            replies.published(place(10));
            replies.answered(Place { partition: 3, ..place(10) });
        };
        assert_eq!(judged(elsewhere), [0, 0, 1, 1], "a reply to another partition's record");
    }

    #[test]
    fn a_row_that_was_sent_twice_is_answered_twice() {
        let twice = |replies: &mut Replies, place: &dyn Fn(i64) -> Place| {
            replies.published(place(3));
            replies.answered(place(3));
        };
        assert_eq!(judged(twice), [0, 0, 0, 0]);
    }
}
