//! How a record came in, and what it was answered.

use crate::word::words;

words! {
    /// Where a record entered.
    Channel {
        /// A sender's topic.
        Kafka = "kafka",
        /// The HTTP door.
        Http = "http",
        /// A batch file.
        Batch = "batch",
    }
}

words! {
    /// The answer to one published record.
    ReplyStatus {
        /// New; it will be decided.
        Accepted = "accepted",
        /// The same revision with the same content was accepted before.
        Duplicate = "duplicate",
        /// A higher revision was accepted before.
        Superseded = "superseded",
        /// The same revision was accepted before with other content.
        Conflict = "conflict",
        /// Refused, with a problem type and pointers.
        Rejected = "rejected",
    }
}
