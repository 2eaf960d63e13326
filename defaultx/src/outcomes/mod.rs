//! What became of each row of a batch file: the replies and the decisions, awaited and written beside the rows. Holds nothing of a file
//! in memory but the few thousand records in hand; the rest stands in a [`ledger`] on disk, which is gone with the process.
//!
//! Where it reads: `loan.replies.v1` and `credit.decisions.v1` (for rows that are only scored `credit.risk.v1`) from where they ended
//! when the run began; and, where a reply says that a row was received before, `credit.decisions.v1` (`credit.risk.v1`) once from its
//! beginning up to there. `credit.dead-letters.v1` likewise: what stands there is not waited for.
//!
//! Reading order: [`Outcomes`], [`answer`] (what a record says), [`ledger`], [`table`] (the result file).

mod answer;
mod ledger;
mod table;

use crate::reader::{Follower, Place, ends, read_until};
use answer::{Answer, Lost, Replied};
use anyhow::Result;
use domain::ReplyStatus;
use indicatif::{ProgressBar, ProgressStyle};
use ingest::batch::report::Verdict;
use ingest::mapping::Spelling;
use ledger::Ledger;
use rdkafka::message::{BorrowedMessage, Message};
use runtime::kafka::KafkaConfig;
use runtime::stream::Input;
use schemas::Topic;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use table::{ResultRow, Table};

/// Records that are in hand before they go to the ledger.
const IN_HAND: usize = 4_096;
/// Their bytes.
const BYTES_IN_HAND: usize = 8 << 20;

/// The rows of one run, and what is heard of them.
pub(crate) struct Outcomes {
    kafka: KafkaConfig,
    tenant: String,
    run: String,
    path: PathBuf,
    spelling: Spelling,
    ledger: Ledger,
    verdicts: Vec<Verdict>,
    places: Vec<Place>,
}

/// Rows that are named; the result has all of them.
const NAMED: usize = 20;

/// A row that somebody has to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// Its state, or its reply.
    pub(crate) word: String,
    pub(crate) line: u64,
    pub(crate) application_id: Option<String>,
    pub(crate) why: String,
}

/// What became of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Rows by what became of them.
    pub(crate) states: BTreeMap<String, u64>,
    /// Rows by the status of their reply.
    pub(crate) replies: BTreeMap<String, u64>,
    /// Rows by the outcome of their decision.
    pub(crate) outcomes: BTreeMap<String, u64>,
    /// The first rows in conflict, and the first that were set aside after they were accepted.
    pub(crate) named: Vec<Named>,
    /// How many more there are.
    pub(crate) unnamed: u64,
}

impl Counts {
    /// Whether nothing is decided on some row.
    pub(crate) fn has_refused(&self) -> bool {
        let is_refused = [table::REFUSED, table::DEAD_LETTER].iter().any(|state| self.states.contains_key(*state));
        is_refused || self.replies.contains_key(ReplyStatus::Conflict.as_str())
    }

    /// Rows of which something is still to come.
    pub(crate) fn open(&self) -> u64 {
        [table::UNANSWERED, table::UNDECIDED].iter().filter_map(|state| self.states.get(*state)).sum()
    }
}

impl Counts {
    fn add(&mut self, row: &ResultRow) {
        count(&mut self.states, Some(row.state));
        count(&mut self.replies, row.reply.as_deref());
        count(&mut self.outcomes, row.outcome.as_deref());
        let conflict = row.reply.as_deref().filter(|reply| *reply == ReplyStatus::Conflict.as_str());
        let Some(word) = conflict.or((row.state == table::DEAD_LETTER).then_some(row.state)) else { return };
        if self.named.len() == NAMED {
            self.unnamed += 1;
            return;
        }
        let why = match (word, row.why.as_str()) {
            (table::DEAD_LETTER, why) => format!("{} {why}", row.problem.as_deref().unwrap_or_default()),
            (_, "") => "other content was accepted before under this id and revision".to_owned(),
            (_, why) => why.to_owned(),
        };
        let (word, line, application_id) = (word.to_owned(), row.line, row.application_id.clone());
        self.named.push(Named { word, line, application_id, why });
    }
}

/// What a record of a topic may say.
enum Heard {
    Reply(Replied),
    Answer(Answer),
    Lost(Lost),
}

impl Outcomes {
    /// Notes where the topics end, before the first row is published. `run` is what the run's events carry as their correlation id.
    ///
    /// # Errors
    /// When Kafka cannot be asked, or the result file can be neither CSV nor Parquet, or not be written.
    pub(crate) fn begin(
        kafka: &KafkaConfig,
        (tenant, run): (&str, &str),
        path: &Path,
        spelling: Spelling,
    ) -> Result<Self> {
        let ledger = Ledger::beside(path)?;
        Table::check(path)?;
        let topics = [Topic::LoanReplies, Topic::Decisions, Topic::Risk, Topic::DeadLetters];
        let topics = topics.map(|topic| kafka.topic(topic.base_name()));
        let places = ends(kafka, topics.iter().map(AsRef::as_ref))?;
        let (tenant, run, path, verdicts) = (tenant.to_owned(), run.to_owned(), path.to_owned(), Vec::new());
        Ok(Self { kafka: kafka.clone(), tenant, run, path, spelling, ledger, verdicts, places })
    }

    /// Takes a row down.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub(crate) fn row(&mut self, verdict: Verdict) -> Result<()> {
        self.verdicts.push(verdict);
        if self.verdicts.len() < IN_HAND { Ok(()) } else { self.ledger.rows(&std::mem::take(&mut self.verdicts)) }
    }

    /// Waits until every row has its reply, and its decision where one comes, or for so long; then writes the result. Blocks.
    ///
    /// # Errors
    /// When Kafka cannot be read, or the file not be written.
    pub(crate) fn finish(mut self, patience: Duration, quiet: bool) -> Result<Counts> {
        let rows = std::mem::take(&mut self.verdicts);
        self.ledger.rows(&rows)?;
        let until = Instant::now() + patience;
        let bar = bar(self.ledger.published(), quiet);
        let follower = Follower::from(&self.kafka, &self.places)?;
        self.follow(&follower, until, &bar, |ledger| ledger.is_answered() && ledger.open() <= ledger.known_before())?;
        if self.ledger.known_before() > 0 {
            self.look_back()?;
            self.follow(&follower, until, &bar, |ledger| ledger.is_answered() && ledger.open() == 0)?;
        }
        bar.finish_and_clear();
        let mut table = Table::create(&self.path, self.spelling)?;
        let mut counts = Counts::default();
        self.ledger.each(|row| {
            counts.add(&row);
            table.write(row)
        })?;
        table.finish()?;
        Ok(counts)
    }

    /// Takes in what comes until it is enough or too late.
    fn follow(
        &mut self,
        follower: &Follower,
        until: Instant,
        bar: &ProgressBar,
        is_enough: impl Fn(&Ledger) -> bool,
    ) -> Result<()> {
        let mut hand = Hand::default();
        while !is_enough(&self.ledger) {
            let is_late = Instant::now() >= until;
            let message = follower.next()?;
            if let Some(message) = &message {
                self.hear(message, &mut hand);
            }
            if message.is_none() || hand.is_full() || is_late {
                hand.put(&mut self.ledger)?;
                bar.set_position(self.ledger.replied());
                bar.set_message(format!("{} to be decided", self.ledger.open()));
            }
            if is_late {
                break;
            }
        }
        hand.put(&mut self.ledger)
    }

    /// Reads what was decided before this run.
    fn look_back(&mut self) -> Result<()> {
        let mut topics = vec![Topic::Decisions, Topic::DeadLetters];
        topics.extend(self.ledger.has_only_scored().then_some(Topic::Risk));
        for topic in topics {
            let name = self.kafka.topic(topic.base_name());
            let until: Vec<Place> = self.places.iter().filter(|place| place.topic == *name).cloned().collect();
            let kafka = self.kafka.clone();
            let mut hand = Hand::default();
            read_until(&kafka, &until, |message| {
                self.hear(message, &mut hand);
                if hand.is_full() { hand.put(&mut self.ledger) } else { Ok(()) }
            })?;
            hand.put(&mut self.ledger)?;
        }
        Ok(())
    }

    fn hear(&self, message: &BorrowedMessage<'_>, hand: &mut Hand) {
        let input = Input::of(message);
        let topic = Topic::of_name(&self.kafka.topic_prefix, message.topic());
        let heard = match topic {
            Some(Topic::LoanReplies) => Replied::of(&input, &self.run).map(Heard::Reply),
            Some(Topic::Decisions) => Answer::of_decision(&input, &self.tenant).map(Heard::Answer),
            Some(Topic::Risk) if self.ledger.has_only_scored() => {
                Answer::of_score(&input, &self.tenant).map(Heard::Answer)
            }
            Some(Topic::DeadLetters) => Lost::of(&input, &self.tenant).map(Heard::Lost),
            _ => None,
        };
        match heard {
            Some(Heard::Reply(reply)) => hand.replies.push(reply),
            Some(Heard::Answer(answer)) => {
                hand.bytes += answer.bytes;
                hand.answers.push(answer);
            }
            Some(Heard::Lost(lost)) => hand.lost.push(lost),
            None => {}
        }
    }
}

/// What was heard and is not in the ledger yet.
#[derive(Default)]
struct Hand {
    replies: Vec<Replied>,
    answers: Vec<Answer>,
    lost: Vec<Lost>,
    bytes: usize,
}

impl Hand {
    fn is_full(&self) -> bool {
        self.replies.len() + self.answers.len() + self.lost.len() >= IN_HAND || self.bytes >= BYTES_IN_HAND
    }

    fn put(&mut self, ledger: &mut Ledger) -> Result<()> {
        let Self { replies, answers, lost, .. } = std::mem::take(self);
        if !replies.is_empty() {
            ledger.replies(&replies)?;
        }
        if !lost.is_empty() {
            ledger.lost(&lost)?;
        }
        if answers.is_empty() { Ok(()) } else { ledger.answers(&answers) }
    }
}

fn count(counts: &mut BTreeMap<String, u64>, word: Option<&str>) {
    if let Some(word) = word {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
}

fn bar(rows: u64, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} replies, {msg} {elapsed}");
    let bar = ProgressBar::new(rows);
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}
