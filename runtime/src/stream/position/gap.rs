//! A place that was lost, in words, and that somebody takes it as it is.

use crate::stream::offset::{NextOffset, Offset};
use crate::stream::record::Input;
use serde::Deserialize;
use std::fmt;

/// How a place was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The group has no offset for a partition that holds records, or has held some: it expired, was deleted, or never was.
    NoOffset,
    /// Retention deleted records before they were read.
    Expired,
    /// The topic ends before the offset: it was restored from an older copy, or a power cut took its end.
    BeyondEnd,
    /// Another topic stands under the name.
    Recreated,
    /// The changelog ends before the offset, or is another one: what the worker remembered is gone.
    StateLost,
    /// The changelog is ahead of the offset: what lies between was handled, and would be handled again.
    OffsetBehind,
    /// The client cannot unpack a batch: it is damaged, or would be too large.
    Unreadable,
}

impl Lost {
    /// The word of the record that accepts it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoOffset => "no_offset",
            Self::Expired => "expired",
            Self::BeyondEnd => "beyond_end",
            Self::Recreated => "recreated",
            Self::StateLost => "state_lost",
            Self::OffsetBehind => "offset_behind",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A partition that a group cannot read on where it left off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Consumer group, with prefix.
    pub group: String,
    /// Topic, with prefix.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// How its place was lost.
    pub kind: Lost,
    /// Where it left off, as it has committed; none where it has not.
    pub from: Option<NextOffset>,
    /// Where it can go on without leaving out a record that the topic still holds.
    pub to: NextOffset,
    /// The topic's id, base64, where the broker tells it.
    pub topic_id: Option<String>,
}

impl Gap {
    /// What is wrong, without what to do.
    pub fn what(&self) -> String {
        let Self { group, topic, partition, kind, from, to, .. } = self;
        let from = from.unwrap_or(NextOffset::START);
        let how = match kind {
            Lost::NoOffset => format!("group {group} has no offset for it, and it has held records"),
            Lost::Expired => {
                format!("records {from} to {} were deleted before group {group} read them", to.last_before())
            }
            Lost::BeyondEnd => format!("group {group} is at {from}, and it ends at {to}"),
            Lost::Recreated => format!("it is not the topic that group {group} read up to {from}"),
            Lost::StateLost => format!("the changelog of group {group} has lost what was handled before {from}"),
            Lost::Unreadable => {
                format!("the batch up to {} cannot be unpacked: it is damaged or too large", to.last_before())
            }
            Lost::OffsetBehind => format!("group {group} is at {from}, and has handled all before {to}"),
        };
        format!("{topic}/{partition} is held: {how}")
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, topic, partition, to, .. } = self;
        write!(
            f,
            "{}; find out why, then `defaultx gaps accept --group {group} --topic {topic} --partition {partition}` goes on at \
             {to} and puts it on record",
            self.what()
        )
    }
}

/// That somebody takes a gap as it is: what a worker reads of a record of the gaps topic.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AcceptedGap {
    pub(super) group: String,
    pub(super) topic: String,
    pub(super) partition: i32,
    kind: String,
    #[serde(default)]
    pub(super) from: Option<NextOffset>,
    pub(super) to: NextOffset,
    #[serde(default)]
    pub(super) topic_id: Option<String>,
    pub(super) accepted_by: String,
}

impl AcceptedGap {
    /// Whether the group reads something again.
    pub(crate) fn goes_back(&self) -> bool {
        self.from.is_some_and(|from| self.to < from)
    }

    /// Whether it is of this gap.
    pub(super) fn is_of(&self, gap: &Gap) -> bool {
        let Self { group, topic, partition, kind, from, topic_id, .. } = self;
        let same = (group, topic, partition, from, topic_id)
            == (&gap.group, &gap.topic, &gap.partition, &gap.from, &gap.topic_id)
            && *kind == gap.kind.as_str();
        // Retention may have taken more since than anybody has accepted.
        same && match gap.kind {
            Lost::Expired => self.to >= gap.to,
            Lost::Unreadable => Some(self.to) > gap.from,
            _ => true,
        }
    }
}

/// That somebody passes a control record by: what a worker reads of a record of the gaps topic.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Passed {
    pub group: String,
    pub topic: String,
    pub partition: i32,
    /// Where the control record stands.
    pub offset: Offset,
}

/// What may stand in the gaps topic; neither has all that the other must have.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OnRecord {
    Accepted(AcceptedGap),
    Passed(Passed),
}

impl OnRecord {
    /// What a record says. One that says neither is named: somebody believes that it was heard.
    pub(super) fn of(record: &Input<'_>) -> Option<Self> {
        let Input { topic, partition, offset, .. } = *record;
        let read = serde_json::from_slice(record.payload.unwrap_or_default());
        read.map_err(
            |error| tracing::error!(%error, topic, partition, %offset, "neither a gap nor an activation is named"),
        )
        .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::record::OwnedInput;

    #[test]
    fn a_record_accepts_a_gap_or_passes_an_activation_by_or_says_nothing() {
        let place = r#""group":"g","topic":"t","partition":1"#;
        let rows = [
            (format!(r#"{{{place},"kind":"expired","from":5,"to":7,"accepted_by":"a"}}"#), "accepted"),
            (format!(r#"{{{place},"offset":5,"kind":"policy","passed_by":"a"}}"#), "passed"),
            (format!("{{{place}}}"), "nothing"),
            ("{".to_owned(), "nothing"),
            (String::new(), "nothing"),
        ];
        for (body, expected) in rows {
            let record = OwnedInput { payload: Some(body.clone().into_bytes()), ..OwnedInput::default() };
            let told = match OnRecord::of(&record.as_input()) {
                Some(OnRecord::Accepted(_)) => "accepted",
                Some(OnRecord::Passed(_)) => "passed",
                None => "nothing",
            };
            assert_eq!(told, expected, "{body}");
        }
    }
}
