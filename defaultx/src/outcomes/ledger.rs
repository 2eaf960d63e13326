//! Rows, replies and decisions of one run, on disk: a file of millions of rows takes no more memory than a small one. The file has no
//! name, so nothing of it stays when the process ends.

use super::answer::{Answer, Replied, Told};
use super::table::{ResultRow, UNANSWERED, state};
use anyhow::{Context, Result};
use ingest::batch::report::{RefusedRow, Verdict};
use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Bytes of the ledger that are held in memory.
const CACHE_BYTES: usize = 32 << 20;

type Key = (&'static str, u32);
/// Row → [`Row`].
const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");
/// Row → [`Reply`].
const REPLIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("replies");
/// Application and revision → whether it is awaited.
const AWAITED: TableDefinition<'_, Key, u8> = TableDefinition::new("awaited");
/// Application and revision → [`Told`].
const TOLD: TableDefinition<'_, Key, &[u8]> = TableDefinition::new("told");

/// A decision or a score is to come, as far as is known; the last bit says that a score is enough.
const OPEN: u8 = 2;
/// Nothing will come.
const CLOSED: u8 = 4;
/// It has come.
const FOUND: u8 = 8;
const ONLY_SCORED: u8 = 1;

/// The statuses after which a decision comes, or came.
const DECIDED: [&str; 3] = ["accepted", "duplicate", "conflict"];
/// Those that say that there was something before.
const BEFORE: [&str; 3] = ["duplicate", "conflict", "superseded"];

#[derive(Serialize, Deserialize)]
struct Row {
    line: u64,
    application_id: Option<String>,
    revision: Option<u32>,
    is_only_scored: bool,
    refused: Option<Refused>,
}

#[derive(Serialize, Deserialize)]
struct Refused {
    problem: String,
    pointers: Vec<String>,
    why: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Reply {
    status: String,
    problem: Option<String>,
    pointers: Vec<String>,
}

/// The ledger of a run.
pub(super) struct Ledger {
    db: Database,
    published: u64,
    replied: u64,
    open: u64,
    known_before: u64,
    has_only_scored: bool,
}

impl Ledger {
    /// A new one, in the folder of a file.
    pub(super) fn beside(path: &Path) -> Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let why = || format!("a temporary file in {}", folder.display());
        let file = tempfile::tempfile_in(folder).with_context(why)?;
        let db = Database::builder().set_cache_size(CACHE_BYTES).create_file(file).with_context(why)?;
        let ledger = Self { db, published: 0, replied: 0, open: 0, known_before: 0, has_only_scored: false };
        ledger.write(|_| Ok(()))?;
        Ok(ledger)
    }

    /// Rows that were published.
    pub(super) fn published(&self) -> u64 {
        self.published
    }

    /// Of these, rows with a reply.
    pub(super) fn replied(&self) -> u64 {
        self.replied
    }

    pub(super) fn is_answered(&self) -> bool {
        self.replied >= self.published
    }

    /// Applications of which a decision or a score is to come.
    pub(super) fn open(&self) -> u64 {
        self.open
    }

    /// Replies that say that there was something before.
    pub(super) fn known_before(&self) -> u64 {
        self.known_before
    }

    pub(super) fn has_only_scored(&self) -> bool {
        self.has_only_scored
    }

    /// Takes rows down.
    pub(super) fn rows(&mut self, verdicts: &[Verdict]) -> Result<()> {
        let (mut published, mut open, mut has_only_scored) = (0, 0, false);
        self.write(|tables| {
            for verdict in verdicts {
                tables.rows.insert(verdict.number, json(&Row::of(verdict)).as_slice())?;
                if verdict.refused.is_some() {
                    continue;
                }
                published += 1;
                has_only_scored |= verdict.is_only_scored;
                if let (Some(id), Some(revision)) = (&verdict.application_id, verdict.revision) {
                    let key = (id.as_str(), revision);
                    if tables.awaited.get(key)?.is_none() {
                        tables.awaited.insert(key, OPEN | if verdict.is_only_scored { ONLY_SCORED } else { 0 })?;
                        open += 1;
                    }
                }
            }
            Ok(())
        })?;
        self.published += published;
        self.open += open;
        self.has_only_scored |= has_only_scored;
        Ok(())
    }

    /// Takes replies down; the first to a row counts.
    pub(super) fn replies(&mut self, replies: &[Replied]) -> Result<()> {
        let (mut replied, mut closed, mut before) = (0, 0, 0);
        self.write(|tables| {
            for Replied { number, status, problem, pointers } in replies {
                if tables.replies.get(number)?.is_some() {
                    continue;
                }
                let reply = Reply { status: status.clone(), problem: problem.clone(), pointers: pointers.clone() };
                tables.replies.insert(number, json(&reply).as_slice())?;
                replied += 1;
                before += u64::from(BEFORE.contains(&status.as_str()));
                let row: Option<Row> = tables.rows.get(number)?.map(|row| of_json(row.value())).transpose()?;
                let Some(Row { application_id: Some(id), revision: Some(revision), .. }) = row else { continue };
                let key = (id.as_str(), revision);
                let known = tables.awaited.get(key)?.map_or(0, |known| known.value());
                if !DECIDED.contains(&status.as_str()) && known & OPEN > 0 {
                    tables.awaited.insert(key, CLOSED | (known & ONLY_SCORED))?;
                    closed += 1;
                }
            }
            Ok(())
        })?;
        self.replied += replied;
        self.open -= closed;
        self.known_before += before;
        Ok(())
    }

    /// Takes down those that are of rows; of two decisions on one application and revision the later act.
    pub(super) fn answers(&mut self, answers: &[Answer]) -> Result<()> {
        let mut found = 0;
        self.write(|tables| {
            for answer in answers {
                let key = (answer.application_id.as_str(), answer.revision);
                let Some(known) = tables.awaited.get(key)?.map(|known| known.value()) else { continue };
                let is_wanted = answer.is_decision || known & ONLY_SCORED > 0;
                if !is_wanted {
                    continue;
                }
                let told = answer.told()?;
                let before: Option<Told> = tables.told.get(key)?.map(|told| of_json(told.value())).transpose()?;
                if before.is_none_or(|before| told.number >= before.number) {
                    tables.told.insert(key, json(&told).as_slice())?;
                }
                if known & OPEN > 0 {
                    found += 1;
                }
                tables.awaited.insert(key, FOUND | (known & ONLY_SCORED))?;
            }
            Ok(())
        })?;
        self.open -= found;
        Ok(())
    }

    /// Every row in order, with all that is known of it.
    pub(super) fn each(&self, mut take: impl FnMut(ResultRow) -> Result<()>) -> Result<()> {
        let read = self.db.begin_read()?;
        let (rows, replies) = (read.open_table(ROWS)?, read.open_table(REPLIES)?);
        let told = read.open_table(TOLD)?;
        for entry in rows.iter()? {
            let (number, row) = entry?;
            let row: Row = of_json(row.value())?;
            let reply: Option<Reply> = replies.get(number.value())?.map(|reply| of_json(reply.value())).transpose()?;
            let key = row.application_id.as_deref().zip(row.revision);
            let told: Option<Told> = match key.filter(|_| row.refused.is_none()) {
                Some(key) => told.get(key)?.map(|told| of_json(told.value())).transpose()?,
                None => None,
            };
            take(joined(number.value(), row, reply, told))?;
        }
        Ok(())
    }

    /// One transaction over all tables.
    fn write(&self, step: impl FnOnce(&mut Tables<'_>) -> Result<()>) -> Result<()> {
        let transaction = self.db.begin_write()?;
        {
            let mut tables = Tables {
                rows: transaction.open_table(ROWS)?,
                replies: transaction.open_table(REPLIES)?,
                awaited: transaction.open_table(AWAITED)?,
                told: transaction.open_table(TOLD)?,
            };
            step(&mut tables)?;
        }
        Ok(transaction.commit()?)
    }
}

struct Tables<'t> {
    rows: Table<'t, u64, &'static [u8]>,
    replies: Table<'t, u64, &'static [u8]>,
    awaited: Table<'t, Key, u8>,
    told: Table<'t, Key, &'static [u8]>,
}

impl Row {
    fn of(verdict: &Verdict) -> Self {
        let Verdict { line, application_id, revision, is_only_scored, refused, .. } = verdict;
        let refused = refused.as_ref().map(|RefusedRow { reason, pointers, faults, .. }| Refused {
            problem: reason.clone(),
            pointers: pointers.clone(),
            why: faults.iter().map(|fault| fault.why.clone()).collect(),
        });
        let (application_id, revision) = (application_id.clone(), *revision);
        Self { line: *line, application_id, revision, is_only_scored: *is_only_scored, refused }
    }
}

fn joined(number: u64, row: Row, reply: Option<Reply>, told: Option<Told>) -> ResultRow {
    let Row { line, application_id, revision, refused, .. } = row;
    let (reply, why) = match refused {
        // It was answered in the transaction that set it aside.
        Some(Refused { problem, pointers, why }) => {
            (Some(Reply { status: "rejected".to_owned(), problem: Some(problem), pointers }), why)
        }
        None => (reply, Vec::new()),
    };
    let state = reply
        .as_ref()
        .map_or(UNANSWERED, |reply| state(&reply.status, DECIDED.contains(&reply.status.as_str()), told.is_some()));
    let (status, problem, pointers) =
        reply.map_or((None, None, Vec::new()), |reply| (Some(reply.status), reply.problem, reply.pointers));
    ResultRow::new(
        line,
        number,
        (application_id, revision),
        state,
        (status, problem, pointers, why),
        told.unwrap_or_default(),
    )
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("words and numbers are always JSON")
}

fn of_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).context("the ledger holds what was written into it")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn row(number: u64, id: &str) -> Verdict {
        let (application_id, revision) = (Some(id.to_owned()), Some(1));
        Verdict { line: number + 1, number, application_id, revision, is_only_scored: false, refused: None }
    }

    fn reply(number: u64, status: &str) -> Replied {
        Replied { number, status: status.to_owned(), problem: None, pointers: Vec::new() }
    }

    fn ledger() -> Ledger {
        Ledger::beside(&std::env::temp_dir().join("result.csv")).unwrap()
    }

    fn states(ledger: &Ledger) -> Vec<&'static str> {
        let mut states = Vec::new();
        ledger
            .each(|row| {
                states.push(row.state);
                Ok(())
            })
            .unwrap();
        states
    }

    #[test]
    fn a_row_is_awaited_until_its_decision_or_the_word_that_none_comes() {
        let mut ledger = ledger();
        ledger
            .rows(&["a", "b", "c", "d", "a"].iter().zip(1..).map(|(id, number)| row(number, id)).collect::<Vec<_>>())
            .unwrap();
        assert_eq!((ledger.published(), ledger.open(), ledger.is_answered()), (5, 4, false));
        ledger.replies(&[reply(1, "accepted"), reply(2, "superseded"), reply(3, "duplicate")]).unwrap();
        ledger
            .replies(&[reply(4, "rejected"), reply(5, "conflict"), reply(5, "accepted"), reply(1, "rejected")])
            .unwrap();
        assert_eq!((ledger.open(), ledger.known_before(), ledger.is_answered()), (2, 3, true));
        let decision = |id: &str, revision, number| Answer::decided(id, revision, number);
        ledger.answers(&[decision("a", 1, 2), decision("a", 1, 1), decision("b", 2, 1), decision("e", 1, 1)]).unwrap();
        assert_eq!(ledger.open(), 1, "c is still awaited; another revision and a stranger are not looked at");
        assert_eq!(states(&ledger), ["decided", "refused", "undecided", "refused", "decided_before"]);
        ledger.answers(&[decision("c", 1, 1), decision("b", 1, 1)]).unwrap();
        assert_eq!(ledger.open(), 0);
        assert_eq!(states(&ledger), ["decided", "decided_before", "decided_before", "refused", "decided_before"]);
        let mut acts = Vec::new();
        ledger
            .each(|row| {
                acts.push(row.decision_id().map(str::to_owned));
                Ok(())
            })
            .unwrap();
        assert_eq!(acts[0].as_deref(), Some("a.1.2"), "the later act");
    }

    #[test]
    fn nothing_heard_is_not_an_answer() {
        let mut ledger = ledger();
        ledger.rows(&[row(1, "a"), row(2, "b")]).unwrap();
        ledger.replies(&[reply(2, "accepted")]).unwrap();
        assert_eq!(states(&ledger), ["unanswered", "undecided"]);
    }
}
