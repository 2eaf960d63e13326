//! PURE. A dead letter as it stands on its topic: why and where it was set aside, its original to the byte; or the mark that an
//! original was published again. Reads headers only; a body is never looked into.

use crate::cli::LettersArgs;
use anyhow::{Context, Result, bail};
use rdkafka::message::{BorrowedMessage, Message};
use runtime::stream::{Input, dead_letter_header as header};
use schemas::control::ACTIVATED;
use schemas::envelope::header as ce;
use std::collections::HashSet;

/// On a mark: who had the original published again.
pub(crate) const REDRIVEN_BY: &str = "dl_redriven_by";
/// On a mark: when, RFC 3339.
pub(crate) const REDRIVEN_AT: &str = "dl_redriven_at";

/// The headers of a mark, and no other.
const MARK: [&str; 5] = [header::TOPIC, header::PARTITION, header::OFFSET, REDRIVEN_BY, REDRIVEN_AT];
const OWN: [&str; 6] =
    [header::REASON, header::STAGE, header::DETAIL, header::TOPIC, header::PARTITION, header::OFFSET];

/// Where an original stood, topic with prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

/// A record of the dead-letter topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter {
    /// Something set aside.
    Dead(Dead),
    /// The original that stood there was published again.
    Mark(Origin),
    /// Not written by a worker of ours.
    Foreign,
}

/// Something set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// Partition on the dead-letter topic.
    pub partition: i32,
    /// Offset on the dead-letter topic.
    pub offset: i64,
    /// Milliseconds since 1970, the broker's clock.
    pub at_ms: i64,
    /// A stable word.
    pub reason: String,
    /// The worker.
    pub stage: String,
    /// For people.
    pub detail: String,
    /// Where the original stood.
    pub origin: Origin,
    /// Without the original's value, which no topic of ours takes: it stands where it was read, and nowhere else.
    pub is_cut: bool,
    /// The original says that it is an activation. Only where a worker reads activations is it one.
    pub is_activation: bool,
}

type Header<'a> = (&'a str, Option<&'a [u8]>);

impl Letter {
    /// Reads a record.
    pub fn of(message: &BorrowedMessage<'_>) -> Self {
        let at_ms = message.timestamp().to_millis().unwrap_or_default();
        Self::read(message.partition(), message.offset(), at_ms, &headers_of(message))
    }

    /// The same of a record as a worker takes it.
    pub(crate) fn of_input(input: &Input<'_>) -> Self {
        Self::read(input.partition, input.offset.get(), input.timestamp_ms, &input.headers())
    }

    fn read(partition: i32, offset: i64, at_ms: i64, headers: &[Header<'_>]) -> Self {
        let text = |name: &str| {
            let last = headers.iter().rev().find(|(key, _)| *key == name)?;
            std::str::from_utf8(last.1?).ok()
        };
        let origin = || {
            let topic = text(header::TOPIC)?.to_owned();
            let (partition, offset) = (text(header::PARTITION)?.parse().ok()?, text(header::OFFSET)?.parse().ok()?);
            Some(Origin { topic, partition, offset })
        };
        let Some(origin) = origin() else { return Self::Foreign };
        // A letter carries its original's headers, which may say anything; a mark carries its own and no other.
        if headers.iter().map(|(name, _)| *name).eq(MARK) {
            return Self::Mark(origin);
        }
        let word = |name| text(name).unwrap_or_default().to_owned();
        let (reason, stage, detail) = (word(header::REASON), word(header::STAGE), word(header::DETAIL));
        // A cut letter has no header of its original, so that none of a sender's can make a whole one look like it.
        let is_cut = headers.len() == OWN.len() + 2 && text(header::LENGTH).is_some() && text(header::DIGEST).is_some();
        let is_activation = text(ce::TYPE) == Some(ACTIVATED);
        Self::Dead(Dead { partition, offset, at_ms, reason, stage, detail, origin, is_cut, is_activation })
    }
}

/// Every header of a record, in order.
pub fn headers_of<'m>(message: &'m BorrowedMessage<'_>) -> Vec<Header<'m>> {
    Input::of(message).headers()
}

/// The headers that the original had: without the last of each name that the setting aside added behind them.
pub(crate) fn original_headers<'a>(headers: &[Header<'a>]) -> Vec<Header<'a>> {
    let mut original = headers.to_vec();
    for name in OWN {
        if let Some(at) = original.iter().rposition(|(key, _)| *key == name) {
            original.remove(at);
        }
    }
    original
}

/// Which letters are meant.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    reason: Option<String>,
    stage: Option<String>,
    at: HashSet<(i32, i64)>,
}

impl Selection {
    /// From the command line.
    ///
    /// # Errors
    /// When a place is not `PARTITION:OFFSET`.
    pub fn of(args: &LettersArgs) -> Result<Self> {
        let at = args.at.iter().map(|text| place(text)).collect::<Result<_>>()?;
        Ok(Self { reason: args.reason.clone(), stage: args.stage.clone(), at })
    }

    /// Whether a letter is meant.
    pub fn takes(&self, letter: &Dead) -> bool {
        self.reason.as_ref().is_none_or(|reason| *reason == letter.reason)
            && self.stage.as_ref().is_none_or(|stage| *stage == letter.stage)
            && (self.at.is_empty() || self.at.contains(&(letter.partition, letter.offset)))
    }
}

/// `PARTITION:OFFSET`.
///
/// # Errors
/// When it is something else.
pub fn place(text: &str) -> Result<(i32, i64)> {
    let (partition, offset) = text.split_once(':').with_context(|| format!("{text}: expected PARTITION:OFFSET"))?;
    match (partition.parse(), offset.parse()) {
        (Ok(partition), Ok(offset)) => Ok((partition, offset)),
        _ => bail!("{text}: expected PARTITION:OFFSET, such as 3:1207"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const DEAD: [Header<'static>; 9] = [
        ("ce_id", Some(b"1")),
        ("dl_reason", Some(b"the sender's own")),
        ("ce_id", None),
        ("dl_reason", Some(b"not_json")),
        ("dl_stage", Some(b"receive")),
        ("dl_detail", Some(b"")),
        ("dl_topic", Some(b"t.loan.applications.v1")),
        ("dl_partition", Some(b"2")),
        ("dl_offset", Some(b"17")),
    ];

    #[test]
    fn a_letter_gives_back_exactly_what_came() {
        let Letter::Dead(dead) = Letter::read(0, 5, 9, &DEAD) else { panic!("a dead letter") };
        assert_eq!((dead.reason.as_str(), dead.origin.partition, dead.origin.offset), ("not_json", 2, 17));
        assert_eq!(original_headers(&DEAD), DEAD[..3], "also a header of the sender's that looks like ours");
    }

    #[test]
    fn an_activation_is_told_from_other_records() {
        let says = |types: &[&'static [u8]]| {
            let own = types.iter().map(|word| ("ce_type", Some(*word)));
            let headers: Vec<Header<'_>> = own.chain(DEAD).collect();
            matches!(Letter::read(0, 5, 9, &headers), Letter::Dead(dead) if dead.is_activation)
        };
        assert!(says(&[b"control.activated.v1"]));
        assert!(says(&[b"application.accepted.v1", b"control.activated.v1"]), "the last one counts, as for a worker");
        assert!(!says(&[b"control.activated.v1", b"application.accepted.v1"]) && !says(&[]));
    }

    #[test]
    fn a_cut_letter_is_told_from_a_whole_one() {
        let is_cut =
            |headers: &[Header<'_>]| matches!(Letter::read(0, 5, 9, headers), Letter::Dead(dead) if dead.is_cut);
        let said: [Header<'_>; 2] = [("dl_length", Some(b"9")), ("dl_digest", Some(b"00"))];
        assert!(is_cut(&[&DEAD[3..], &said[..]].concat()));
        assert!(!is_cut(&[&said[..], &DEAD[3..], &[("dl_more", None)]].concat()), "a sender's headers");
        assert!(!is_cut(&DEAD));
    }

    #[test]
    fn a_mark_and_a_stranger_are_no_letters() {
        let by: [Header<'_>; 2] = [(REDRIVEN_BY, Some(b"ana")), (REDRIVEN_AT, Some(b"2026-11-29T09:15:00.000Z"))];
        let mark = [&DEAD[6..], &by[..]].concat();
        assert!(matches!(Letter::read(0, 5, 9, &mark), Letter::Mark(origin) if origin.offset == 17));
        let claimed = [&mark[..], &DEAD[3..]].concat();
        assert!(
            matches!(Letter::read(0, 5, 9, &claimed), Letter::Dead(dead) if dead.reason == "not_json"),
            "a sender's headers do not hide its letter"
        );
        assert_eq!(original_headers(&claimed), mark, "and go back with it");
        assert_eq!(Letter::read(0, 5, 9, &DEAD[..3]), Letter::Foreign);
    }

    #[test]
    fn a_selection_takes_what_all_its_parts_take() {
        let Letter::Dead(dead) = Letter::read(0, 5, 9, &DEAD) else { panic!("a dead letter") };
        let args = |reason: Option<&str>, stage: Option<&str>, at: &[&str]| LettersArgs {
            reason: reason.map(str::to_owned),
            stage: stage.map(str::to_owned),
            at: at.iter().map(|text| (*text).to_owned()).collect(),
        };
        let cases = [
            (args(None, None, &[]), true),
            (args(Some("not_json"), Some("receive"), &["0:5"]), true),
            (args(Some("not_json"), Some("scorer"), &[]), false),
            (args(None, None, &["0:6", "1:5"]), false),
        ];
        for (args, wanted) in cases {
            assert_eq!(Selection::of(&args).unwrap().takes(&dead), wanted, "{args:?}");
        }
        assert!(Selection::of(&args(None, None, &["5"])).is_err());
    }
}
