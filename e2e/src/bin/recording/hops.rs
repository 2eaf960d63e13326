//! The hops of a recording: which worker reads what, what of its outputs is kept, and what of that a clock wrote.

use crate::mask::Mask;
use schemas::Topic;

/// How a hop is fed, and what is kept beside its topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Kafka to Kafka.
    Stream,
    /// Requests over HTTP to the door, whose answers are kept.
    Door,
    /// Decisions to webhooks, which are kept.
    Webhooks,
    /// Everything into the audit log: leaves, projections and the answers over them are kept.
    Log,
}

/// A worker with what it reads and writes.
#[derive(Debug, Clone, Copy)]
pub struct Hop {
    /// Its name in the recording.
    pub name: &'static str,
    /// How it is fed.
    pub way: Way,
    /// The worker, as `run` knows it.
    pub worker: &'static str,
    /// The topics that are published to it.
    pub inputs: &'static [Topic],
    /// The topics that are kept of what it writes.
    pub outputs: &'static [Output],
}

impl Hop {
    /// Whether it needs PostgreSQL.
    pub fn needs_database(&self) -> bool {
        matches!(self.way, Way::Webhooks | Way::Log)
    }
}

/// A topic of a hop's outputs.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// The topic.
    pub topic: Topic,
    /// Which of its records are kept, and in which order.
    pub keep: Keep,
    /// What a clock wrote.
    pub masks: &'static [Mask],
}

/// Which records of a topic are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All, partition by partition in their order.
    All,
    /// All, in an order of their own: several senders write them side by side.
    Sorted,
    /// The newest value of each key of a partition, which is what a changelog restores. How many records it took is a matter of batches
    /// and of a clock.
    Table,
    /// What `receive` alone wrote: `admit` runs in the same worker, and reads what stands at other offsets in each run.
    OfReceive,
}

const fn all(topic: Topic) -> Output {
    Output { topic, keep: Keep::All, masks: &[] }
}

const fn table(topic: Topic) -> Output {
    Output { topic, keep: Keep::Table, masks: &[] }
}

const fn of_receive(topic: Topic) -> Output {
    Output { topic, keep: Keep::OfReceive, masks: &[] }
}

/// `decided_at` is the only time in a decision that a clock gives (ARCHITECTURE.md); its envelope repeats it.
const DECIDED: &[Mask] = &[Mask::Header("ce_time"), Mask::Time("decided_at")];
/// When a delivery ended.
const ENDED: &[Mask] = &[Mask::Header("ce_time"), Mask::Time("at")];
/// When an instance last said what it holds, and the id that is made of it.
const ANNOUNCED: &[Mask] = &[Mask::Header("ce_id"), Mask::Header("ce_time"), Mask::Time("announced_at")];
/// When a checkpoint was signed.
const SIGNED: &[Mask] = &[Mask::Cosignature];

/// What a sender's record becomes: what `receive` keeps of it.
const RECEIVED: &[Output] = &[
    all(Topic::Intake),
    all(Topic::Identities),
    all(Topic::Protected),
    of_receive(Topic::LoanReplies),
    of_receive(Topic::DeadLetters),
];

/// Along the stream.
pub const HOPS: &[Hop] = &[
    Hop { name: "receive", way: Way::Stream, worker: "ingest", inputs: &[Topic::LoanApplications], outputs: RECEIVED },
    Hop { name: "door", way: Way::Door, worker: "ingest", inputs: &[], outputs: RECEIVED },
    Hop {
        name: "admit",
        way: Way::Stream,
        worker: "ingest",
        inputs: &[Topic::Intake],
        outputs: &[
            all(Topic::Applications),
            all(Topic::LoanReplies),
            all(Topic::DeadLetters),
            table(Topic::AdmitState),
        ],
    },
    Hop {
        name: "scorer",
        way: Way::Stream,
        worker: "scorer",
        inputs: &[Topic::Applications],
        outputs: &[
            all(Topic::Risk),
            all(Topic::Shadow),
            all(Topic::DeadLetters),
            table(Topic::ScorerState),
            Output { topic: Topic::Instances, keep: Keep::Table, masks: ANNOUNCED },
        ],
    },
    Hop {
        name: "decision",
        way: Way::Stream,
        worker: "decision",
        inputs: &[Topic::Risk],
        outputs: &[
            Output { topic: Topic::Decisions, keep: Keep::All, masks: DECIDED },
            all(Topic::DeadLetters),
            table(Topic::DecisionState),
        ],
    },
    Hop {
        name: "notifier",
        way: Way::Webhooks,
        worker: "notifier",
        inputs: &[Topic::Decisions],
        outputs: &[Output { topic: Topic::Notifications, keep: Keep::Sorted, masks: ENDED }],
    },
    Hop {
        name: "log",
        way: Way::Log,
        worker: "audit-sink",
        inputs: &[
            Topic::LoanApplications,
            Topic::LoanReplies,
            Topic::Intake,
            Topic::Identities,
            Topic::Protected,
            Topic::Applications,
            Topic::Risk,
            Topic::Shadow,
            Topic::Decisions,
            Topic::Notifications,
            Topic::DeadLetters,
        ],
        outputs: &[Output { topic: Topic::Checkpoints, keep: Keep::All, masks: SIGNED }],
    },
];

/// Everything that is masked in records, in words.
pub fn masked() -> Vec<String> {
    let outputs = HOPS.iter().flat_map(|hop| hop.outputs.iter().map(move |output| (hop.name, output)));
    let masked = outputs.filter(|(_, output)| !output.masks.is_empty());
    let words = |masks: &[Mask]| masks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    masked.map(|(hop, output)| format!("{hop}/{}: {}", output.topic.base_name(), words(output.masks))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_topic_of_events_is_kept_by_some_hop() {
        let kept: BTreeSet<Topic> = HOPS.iter().flat_map(|hop| hop.outputs).map(|output| output.topic).collect();
        // What senders, operators and readers write is no output of a worker that a record makes.
        let others = [Topic::LoanApplications, Topic::Gaps, Topic::Access, Topic::Revocations];
        for topic in Topic::ALL {
            assert_ne!(kept.contains(topic), others.contains(topic), "{}", topic.base_name());
        }
    }

    #[test]
    fn what_is_masked_is_said() {
        let masked = masked().join("\n");
        assert!(masked.contains("decision/credit.decisions.v1: header ce_time, decided_at"), "{masked}");
        assert_eq!(masked.lines().count(), 4);
    }
}
