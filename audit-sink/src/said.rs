//! PURE. What a range of a log says in the projections: its entries become the records that they were, and those become rows by the one
//! function that the writer has. Entries with a digest in place of a body say nothing here, though their records may have rows.

use crate::project::{Position, Projections, tables_of};
use audit_log::{BadEntry, Codec, Entry};
use runtime::stream::{Offset, OwnedInput};
use schemas::Topic;
use std::collections::{BTreeMap, BTreeSet};

/// Entries after which what was gathered is held against the tables.
const MOST_ENTRIES: usize = 8_192;
/// Bytes of entries after which it is.
const MOST_BYTES: usize = 8 << 20;

/// What the log's entries from one number to another say.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub projections: Projections,
    /// Entries whose record had a body that no entry could hold, with their topics; none where nobody can read it.
    pub bodiless: BTreeMap<Position, Option<Topic>>,
    /// Entries that could not be read. From, to (not in it).
    pub holes: Vec<(i64, i64)>,
    entries: usize,
    bytes: usize,
}

impl Said {
    /// Adds an entry. `prefix` is that of the deployment's topics, which the id of an event without one of its own is made of.
    ///
    /// # Errors
    /// Bytes that are no entry.
    pub fn add(&mut self, at: Position, bytes: &[u8], prefix: &str) -> Result<(), BadEntry> {
        let entry = Entry::decode(bytes)?;
        (self.entries, self.bytes) = (self.entries + 1, self.bytes + bytes.len());
        // A topic that is not in the table is a sender's: its records say nothing here.
        let Some(topic) = Topic::of_name("", entry.topic) else { return Ok(()) };
        if entry.codec != Codec::Plain && topic.body_is_logged() {
            self.bodiless.insert(at, Some(topic));
            return Ok(());
        }
        self.projections.add(topic, &record(&entry, prefix).as_input(), at);
        Ok(())
    }

    /// Entries `from..to` cannot be read.
    pub(crate) fn add_hole(&mut self, from: i64, to: i64) {
        self.holes.push((from, to));
    }

    /// Entries whose record may have a row of a table, and no body to hold that against.
    pub(crate) fn bodiless_of(&self, table: &str) -> BTreeSet<Position> {
        let may_have = |topic: &Option<Topic>| topic.is_none_or(|topic| tables_of(topic).contains(&table));
        self.bodiless.iter().filter(|(_, topic)| may_have(topic)).map(|(at, _)| *at).collect()
    }

    /// Whether as much is gathered as should be held at once.
    pub fn is_full(&self) -> bool {
        self.entries >= MOST_ENTRIES || self.bytes >= MOST_BYTES || self.holes.len() >= MOST_ENTRIES
    }
}

/// The record of an entry, as far as the entry holds it.
fn record(entry: &Entry<'_>, prefix: &str) -> OwnedInput {
    let owned = |(name, value): &(&str, Option<&[u8]>)| ((*name).to_owned(), value.map(<[u8]>::to_vec));
    OwnedInput {
        topic: format!("{prefix}{}", entry.topic),
        partition: entry.partition,
        offset: Offset::new(entry.offset),
        timestamp_ms: entry.timestamp_ms,
        key: entry.key.map(<[u8]>::to_vec),
        payload: entry.value.filter(|_| entry.codec == Codec::Plain).map(<[u8]>::to_vec),
        headers: entry.headers.iter().map(owned).collect(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::seal::seal;
    use crate::source::Sources;
    use audit_log::DigestKey;
    use audit_log::Tree;
    use audit_log::entries;

    fn header(name: &str, value: &str) -> (String, Option<Vec<u8>>) {
        (name.to_owned(), Some(value.as_bytes().to_vec()))
    }

    fn record(topic: Topic, headers: Vec<(String, Option<Vec<u8>>)>, body: &str) -> OwnedInput {
        let payload = Some(body.as_bytes().to_vec());
        OwnedInput {
            topic: topic.name("t."),
            partition: 2,
            offset: Offset::new(7),
            timestamp_ms: 9,
            key: None,
            payload,
            headers,
        }
    }

    /// What the writer gathers of a record, and what its entry says.
    fn both(record: &OwnedInput, topic: Topic) -> (Projections, Said) {
        let at = Position { log: 0, seq: 0 };
        let mut written = Projections::default();
        written.add(topic, &record.as_input(), at);
        let key = DigestKey::new("k1", &[7; 32]).unwrap();
        let sealed = seal(std::slice::from_ref(record), &Sources::new("t.", &[]), &key, 1, Tree::default()).unwrap();
        let mut said = Said::default();
        said.add(at, entries(&sealed.segments[0].raw).next().unwrap().unwrap(), "t.").unwrap();
        (written, said)
    }

    #[test]
    fn an_entry_says_what_its_record_said() {
        let reply = r#"{"status":"accepted","origin":{"topic":"x","partition":0,"offset":1}}"#;
        let long = "0".repeat(2_000) + "9";
        let letter = |reason: &str, offset: &str| {
            let headers =
                [("dl_reason", "theirs"), ("dl_reason", reason), ("dl_stage", "receive"), ("dl_offset", offset)];
            record(Topic::DeadLetters, headers.map(|(name, value)| header(name, value)).into(), "{}")
        };
        let rows = [
            ("without an id", Topic::LoanReplies, record(Topic::LoanReplies, vec![], reply), 1),
            ("a body that is none", Topic::LoanReplies, record(Topic::LoanReplies, vec![], "{"), 0),
            ("a dead letter", Topic::DeadLetters, letter("schema_violation", "5"), 1),
            ("its words too long", Topic::DeadLetters, letter(&long, &long), 1),
            ("a topic without rows", Topic::Intake, record(Topic::Intake, vec![], reply), 0),
        ];
        for (what, topic, record, count) in rows {
            let (written, said) = both(&record, topic);
            assert_eq!(format!("{:?}", said.projections), format!("{written:?}"), "{what}");
            let rows: usize = written.tables().iter().map(|table| table.seqs.len()).sum();
            assert_eq!((rows, said.bodiless.len()), (count, 0), "{what}");
        }
    }

    #[test]
    fn a_record_that_no_entry_holds_says_nothing() {
        let headers = vec![header(&"n".repeat(70_000), "x")];
        let reply = r#"{"status":"accepted","origin":{"topic":"x","partition":0,"offset":1}}"#;
        let (written, said) = both(&record(Topic::LoanReplies, headers, reply), Topic::LoanReplies);
        assert_eq!((written.tables()[4].seqs.len(), said.projections.tables()[4].seqs.len()), (1, 0));
        assert_eq!(said.bodiless_of("replies"), BTreeSet::from([Position { log: 0, seq: 0 }]));
        assert_eq!(said.bodiless_of("decisions"), BTreeSet::new(), "a reply is no decision");
    }
}
