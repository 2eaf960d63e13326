//! Rows, replies and decisions of one run, on disk: a file of millions of rows takes no more memory than a small one. The file has no
//! name, so nothing of it stays when the process ends.

use super::answer::{Answer, Lost, Replied, Told};
use super::table::{DEAD_LETTER, ResultRow, Said, UNANSWERED, UNDECIDED, state};
use crate::letters::Origin;
use anyhow::{Context, Result};
use domain::ReplyStatus;
use ingest::batch::fault::RowFault;
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
/// Application and revision → [`Aside`].
const ASIDE: TableDefinition<'_, Key, &[u8]> = TableDefinition::new("aside");
/// Where an original stood → whose it was; nobody's where it was published again.
const ORIGINS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("origins");

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
    warnings: Vec<String>,
    /// Why the stream will answer `conflict`, where an earlier row of the file is the reason.
    conflict: Option<String>,
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

/// What had become of a row was set aside.
#[derive(Serialize, Deserialize)]
struct Aside {
    reason: String,
    why: String,
    origin: String,
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

    /// Takes down what was set aside: nothing more comes of it, unless it is published again.
    pub(super) fn lost(&mut self, lost: &[Lost]) -> Result<()> {
        let (mut closed, mut opened) = (0, 0);
        self.write(|tables| {
            for letter in lost {
                match letter {
                    Lost::Aside { application_id, revision, reason, why, origin } => {
                        let (key, place) = ((application_id.as_str(), *revision), place(origin));
                        let Some(known) = tables.awaited.get(key)?.map(|known| known.value()) else { continue };
                        // Marks may be read before what they are of.
                        if tables.origins.get(place.as_str())?.is_some() {
                            continue;
                        }
                        tables.origins.insert(place.as_str(), json(&Some((application_id, revision))).as_slice())?;
                        let aside = Aside { reason: reason.clone(), why: why.clone(), origin: place };
                        tables.aside.insert(key, json(&aside).as_slice())?;
                        if known & OPEN > 0 {
                            tables.awaited.insert(key, CLOSED | (known & ONLY_SCORED))?;
                            closed += 1;
                        }
                    }
                    Lost::Again(origin) => {
                        let place = place(origin);
                        let whose: Option<Option<(String, u32)>> =
                            tables.origins.get(place.as_str())?.map(|whose| of_json(whose.value())).transpose()?;
                        tables.origins.insert(place.as_str(), json(&None::<(String, u32)>).as_slice())?;
                        let Some(Some((id, revision))) = whose else { continue };
                        opened += u64::from(tables.reopen((&id, revision), &place)?);
                    }
                }
            }
            Ok(())
        })?;
        self.open = self.open + opened - closed;
        Ok(())
    }

    /// Every row in order, with all that is known of it.
    pub(super) fn each(&self, mut take: impl FnMut(ResultRow) -> Result<()>) -> Result<()> {
        let read = self.db.begin_read()?;
        let (rows, replies) = (read.open_table(ROWS)?, read.open_table(REPLIES)?);
        let (told, aside) = (read.open_table(TOLD)?, read.open_table(ASIDE)?);
        for entry in rows.iter()? {
            let (number, row) = entry?;
            let row: Row = of_json(row.value())?;
            let reply: Option<Reply> = replies.get(number.value())?.map(|reply| of_json(reply.value())).transpose()?;
            let key = row.application_id.as_deref().zip(row.revision);
            let told: Option<Told> = match key.filter(|_| row.refused.is_none()) {
                Some(key) => told.get(key)?.map(|told| of_json(told.value())).transpose()?,
                None => None,
            };
            let aside: Option<Aside> = match key.filter(|_| told.is_none()) {
                Some(key) => aside.get(key)?.map(|aside| of_json(aside.value())).transpose()?,
                None => None,
            };
            take(joined(number.value(), row, reply, (told, aside)))?;
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
                aside: transaction.open_table(ASIDE)?,
                origins: transaction.open_table(ORIGINS)?,
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
    aside: Table<'t, Key, &'static [u8]>,
    origins: Table<'t, &'static str, &'static [u8]>,
}

impl Tables<'_> {
    /// What was set aside from there is awaited again; whether it was not.
    fn reopen(&mut self, key: (&str, u32), place: &str) -> Result<bool> {
        let aside: Option<Aside> = self.aside.get(key)?.map(|aside| of_json(aside.value())).transpose()?;
        if aside.is_none_or(|aside| aside.origin != place) {
            return Ok(false);
        }
        self.aside.remove(key)?;
        let known = self.awaited.get(key)?.map_or(0, |known| known.value());
        let is_closed = known & CLOSED > 0;
        if is_closed {
            self.awaited.insert(key, OPEN | (known & ONLY_SCORED))?;
        }
        Ok(is_closed)
    }
}

fn place(origin: &Origin) -> String {
    format!("{}|{}|{}", origin.topic, origin.partition, origin.offset)
}

impl Row {
    fn of(verdict: &Verdict) -> Self {
        let Verdict { line, application_id, revision, is_only_scored, refused, warnings, conflict, .. } = verdict;
        let refused = refused.as_ref().map(|RefusedRow { reason, pointers, faults, .. }| Refused {
            problem: reason.clone(),
            pointers: pointers.clone(),
            why: faults.iter().map(|fault| fault.why.clone()).collect(),
        });
        let (application_id, revision) = (application_id.clone(), *revision);
        let warnings = warnings.iter().map(|RowFault { reason, pointer, .. }| format!("{reason} {pointer}")).collect();
        let conflict = conflict.as_ref().map(|fault| fault.why.clone());
        Self { line: *line, application_id, revision, is_only_scored: *is_only_scored, refused, warnings, conflict }
    }
}

fn joined(number: u64, row: Row, reply: Option<Reply>, (told, aside): (Option<Told>, Option<Aside>)) -> ResultRow {
    let Row { line, application_id, revision, refused, warnings, conflict, .. } = row;
    let (reply, mut why) = match refused {
        // It was answered in the transaction that set it aside.
        Some(Refused { problem, pointers, why }) => {
            (Some(Reply { status: "rejected".to_owned(), problem: Some(problem), pointers }), why)
        }
        None => (reply, Vec::new()),
    };
    let is_conflict = reply.as_ref().is_some_and(|reply| reply.status == ReplyStatus::Conflict.as_str());
    why.extend(conflict.filter(|_| is_conflict));
    let mut state = reply
        .as_ref()
        .map_or(UNANSWERED, |reply| state(&reply.status, DECIDED.contains(&reply.status.as_str()), told.is_some()));
    let (reply, mut problem, pointers) =
        reply.map_or((None, None, Vec::new()), |reply| (Some(reply.status), reply.problem, reply.pointers));
    if let Some(Aside { reason, why: set_aside, .. }) = aside.filter(|_| state == UNDECIDED) {
        state = DEAD_LETTER;
        problem = Some(reason);
        why.push(set_aside);
    }
    let said = Said { reply, problem, pointers, why, warnings };
    ResultRow::new((line, number), (application_id, revision), state, said, told.unwrap_or_default())
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
        Verdict {
            line: number + 1,
            number,
            application_id,
            revision,
            is_only_scored: false,
            refused: None,
            warnings: Vec::new(),
            conflict: None,
        }
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

    #[test]
    fn a_row_that_was_set_aside_is_not_waited_for_until_it_is_published_again() {
        let mut ledger = ledger();
        let rows: Vec<Verdict> = ["a", "b", "c", "d"].iter().zip(1..).map(|(id, number)| row(number, id)).collect();
        ledger.rows(&rows).unwrap();
        ledger.replies(&[1, 2, 3, 4].map(|number| reply(number, "accepted"))).unwrap();
        let origin = |offset| Origin { topic: "t.credit.risk.v1".to_owned(), partition: 0, offset };
        let aside = |id: &str, offset| Lost::Aside {
            application_id: id.to_owned(),
            revision: 1,
            reason: "unidentified".to_owned(),
            why: "set aside by decision".to_owned(),
            origin: origin(offset),
        };
        ledger.lost(&[aside("a", 1), aside("b", 2), aside("stranger", 3), aside("a", 1)]).unwrap();
        assert_eq!((ledger.open(), states(&ledger)), (2, vec!["dead_letter", "dead_letter", "undecided", "undecided"]));
        let mut told = Vec::new();
        ledger
            .each(|row| {
                told.push((row.problem, row.why));
                Ok(())
            })
            .unwrap();
        assert_eq!(told[0], (Some("unidentified".to_owned()), "set aside by decision".to_owned()));
        // A mark opens it again, whichever of the two is read first; a decision counts for more.
        ledger.lost(&[Lost::Again(origin(1)), Lost::Again(origin(4)), aside("c", 4)]).unwrap();
        assert_eq!((ledger.open(), states(&ledger)), (3, vec!["undecided", "dead_letter", "undecided", "undecided"]));
        ledger.answers(&[Answer::decided("a", 1, 1), Answer::decided("b", 1, 1)]).unwrap();
        assert_eq!((ledger.open(), states(&ledger)), (2, vec!["decided", "decided", "undecided", "undecided"]));
        ledger.lost(&[Lost::Again(origin(2))]).unwrap();
        assert_eq!(ledger.open(), 2, "it was decided meanwhile");
    }
}
