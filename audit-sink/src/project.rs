//! What a record says in the projections: the one function that makes rows, for the writer, for whoever holds the tables against the
//! log and for whoever rebuilds them. Parses each body once and only the fields that a row needs ([`schemas::logged`]); a record that says nothing there, or
//! nothing that can be read, still is in the log.

use crate::event::Event;
use crate::rows::{
    ActivationRow, Activations, ApplicationRow, Applications, DeadLetterRow, DeadLetters, Decisions, IdentityRow,
    ReceiptRow, Receipts, Replies, ReplyRow, Scores, WithdrawalRow, Withdrawals,
};
use crate::shape::{Columns, Shape};
use crate::{project_decision, project_score};
use domain::ApplicationKey;
use runtime::clock::time_of_ms;
use runtime::pg::rows::{Rows, all_or_none, insert_what_fits};
use runtime::stream::{Input, dead_letter_header};
use schemas::Topic;
use schemas::control::{ACTIVATED, Activation};
use schemas::intake;
use schemas::logged::{self, day, time};
use schemas::notification::Receipt;
use schemas::reply::Reply;
use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

pub use crate::event::Position;

/// What became of a record here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projected {
    /// A row was gathered.
    Row,
    /// Its topic has no projection.
    LogOnly,
    /// It is not what its topic promises, or holds what no column takes.
    Unreadable,
}

/// Rows of one table, on their way to a statement of its shape.
pub(crate) struct TableRows<'a> {
    pub shape: &'static Shape,
    pub arrays: Vec<&'a (dyn ToSql + Sync)>,
    /// The entry of each row.
    pub seqs: &'a [i64],
}

/// What became of a table's rows, but for those that were written. None where all of them were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Without its schema.
    pub name: &'static str,
    /// Rows that were there already.
    pub repeated: u64,
    /// Rows that the database refuses.
    pub refused: u64,
}

/// Rows of a batch.
#[derive(Debug, Default)]
#[allow(missing_docs)] // one for each table
pub struct Projections {
    pub applications: Applications,
    pub withdrawals: Withdrawals,
    pub scores: Scores,
    pub decisions: Decisions,
    pub replies: Replies,
    pub receipts: Receipts,
    pub dead_letters: DeadLetters,
    pub activations: Activations,
}

impl Projections {
    /// Gathers what a record says.
    pub fn add(&mut self, topic: Topic, record: &Input<'_>, at: Position) -> Projected {
        let event = Event::of(record, at);
        let gathered = match topic {
            // Control records count where ingest writes them and where the scorer passes them on. Anywhere else somebody made one
            // up: there it is a record of its topic like any other, a dead letter among them.
            Topic::Applications | Topic::Risk if event.kind == ACTIVATED => self.activation(&event),
            Topic::Applications if event.kind == schemas::application::WITHDRAWN => self.withdrawal(&event),
            Topic::Applications => self.application(&event),
            // A withdrawal goes the same way as an application, but has no score.
            Topic::Risk if event.kind == schemas::application::WITHDRAWN => return Projected::LogOnly,
            Topic::Risk | Topic::Shadow => {
                project_score::row(&event, topic == Topic::Shadow).and_then(|row| self.scores.push(row))
            }
            Topic::Decisions => project_decision::row(&event).and_then(|row| self.decisions.push(row)),
            Topic::LoanReplies => self.reply(&event),
            Topic::Notifications => self.receipt(&event),
            Topic::DeadLetters => self.dead_letter(&event),
            Topic::LoanApplications | Topic::Intake | Topic::Identities | Topic::Protected => {
                return Projected::LogOnly;
            }
            Topic::Access | Topic::Revocations | Topic::Checkpoints | Topic::Gaps => return Projected::LogOnly,
            Topic::AdmitState | Topic::ScorerState | Topic::DecisionState | Topic::Instances => {
                return Projected::LogOnly;
            }
        };
        gathered.map_or(Projected::Unreadable, |()| Projected::Row)
    }

    /// Gives each row the number of its entry, where they were gathered under others.
    pub(crate) fn number(&mut self, number: impl Fn(i64) -> i64) {
        macro_rules! tables {
            ($($name:ident)+) => {
                $(self.$name.seq.iter_mut().for_each(|seq| *seq = number(*seq));)+
            };
        }
        tables!(applications withdrawals scores decisions replies receipts dead_letters activations);
    }

    /// The rows of every table, in a fixed order.
    pub(crate) fn tables(&self) -> [TableRows<'_>; 8] {
        macro_rules! table {
            ($name:ident: $columns:ident) => {
                TableRows { shape: &$columns::SHAPE, arrays: self.$name.arrays(), seqs: &self.$name.seq }
            };
        }
        [
            table!(applications: Applications),
            table!(withdrawals: Withdrawals),
            table!(scores: Scores),
            table!(decisions: Decisions),
            table!(replies: Replies),
            table!(receipts: Receipts),
            table!(dead_letters: DeadLetters),
            table!(activations: Activations),
        ]
    }

    /// Writes what was gathered and the database takes: all of it at once, or table by table where a row came before or is refused. Of
    /// rows with one key the first in the log is written, and a refusal is on record.
    ///
    /// # Errors
    /// The database's, where it refuses more than values of a row.
    pub async fn insert(&mut self, tx: &Transaction<'_>) -> Result<Vec<Table>, tokio_postgres::Error> {
        if all_or_none(tx, self.copy(tx)).await? {
            return Ok(Vec::new());
        }
        macro_rules! table {
            ($name:ident) => {{
                let mut order: Vec<usize> = (0..self.$name.count()).collect();
                order.sort_by_key(|row| self.$name.seq[*row]);
                self.$name.reorder(&order);
                let inserted = insert_what_fits(tx, &self.$name).await?;
                for (row, word) in &inserted.refused {
                    let at = Position { log: self.$name.log[*row], seq: self.$name.seq[*row] };
                    refuse(tx, stringify!($name), at, word).await?;
                }
                let refused = inserted.refused.len() as u64;
                let repeated = (self.$name.count() as u64).saturating_sub(inserted.written + refused);
                Table { name: stringify!($name), repeated, refused }
            }};
        }
        Ok(vec![
            table!(applications),
            table!(withdrawals),
            table!(scores),
            table!(decisions),
            table!(replies),
            table!(receipts),
            table!(dead_letters),
            table!(activations),
        ])
    }

    async fn copy(&self, tx: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
        self.applications.copy(tx).await?;
        self.withdrawals.copy(tx).await?;
        self.scores.copy(tx).await?;
        self.decisions.copy(tx).await?;
        self.replies.copy(tx).await?;
        self.receipts.copy(tx).await?;
        self.dead_letters.copy(tx).await?;
        self.activations.copy(tx).await
    }

    fn application(&mut self, event: &Event<'_>) -> Option<()> {
        let body: logged::Application = event.body()?;
        let received_at = event.header_number(intake::header::RECEIVED_AT).map_or(event.at, time_of_ms);
        self.applications.push(ApplicationRow {
            tenant: body.tenant,
            application_id: body.application_id,
            revision: body.revision,
            event_id: event.id,
            product: body.product,
            intent: body.intent,
            request_type: body.request_type,
            channel: body.channel,
            jurisdiction: body.jurisdiction,
            amount_minor: body.requested.amount.amount_minor,
            currency: body.requested.amount.currency,
            term_months: body.requested.term_months.and_then(|months| months.try_into().ok()),
            purpose: body.requested.purpose,
            subject: body.applicants.into_iter().next().and_then(|first| first.subject).map(|subject| subject.subject),
            as_of: day(&body.as_of),
            submitted_at: time(&body.submitted_at),
            completed_at: body.completed_at.as_deref().and_then(time),
            received_at,
            accepted_at: event.at,
            log: event.position.log,
            seq: event.position.seq,
        })
    }

    fn withdrawal(&mut self, event: &Event<'_>) -> Option<()> {
        let body: logged::Withdrawal = event.body()?;
        self.withdrawals.push(WithdrawalRow {
            tenant: body.tenant,
            application_id: body.application_id,
            event_id: event.id,
            withdrawn_at: time(&body.withdrawn_at),
            accepted_at: event.at,
            log: event.position.log,
            seq: event.position.seq,
        })
    }

    fn reply(&mut self, event: &Event<'_>) -> Option<()> {
        let body: Reply = event.body()?;
        self.replies.push(ReplyRow {
            event_id: event.id,
            tenant: body.tenant,
            application_id: body.application_id,
            revision: body.revision.and_then(|revision| revision.try_into().ok()),
            status: body.status.to_string(),
            problem: body.problem.map(|problem| problem.kind),
            origin_topic: body.origin.topic,
            origin_partition: body.origin.partition,
            origin_offset: body.origin.offset,
            replied_at: event.at,
            log: event.position.log,
            seq: event.position.seq,
        })
    }

    fn receipt(&mut self, event: &Event<'_>) -> Option<()> {
        let body: Receipt = event.body()?;
        self.receipts.push(ReceiptRow {
            tenant: body.tenant,
            application_id: body.application_id,
            revision: body.revision.try_into().ok()?,
            event_id: event.id,
            delivery_id: body.delivery_id,
            subscription: body.subscription,
            told_of: body.event_id,
            status: body.status.to_string(),
            attempts: body.attempts.try_into().ok()?,
            http_status: body.http_status.map(i32::from),
            ended_at: time(&body.at).unwrap_or(event.at),
            log: event.position.log,
            seq: event.position.seq,
        })
    }

    fn dead_letter(&mut self, event: &Event<'_>) -> Option<()> {
        let input = event.input;
        let text = |name| event.header_text(name);
        self.dead_letters.push(DeadLetterRow {
            partition: input.partition,
            offset: input.offset.get(),
            worker: text(dead_letter_header::STAGE).unwrap_or_else(|| "unknown".to_owned()),
            reason: text(dead_letter_header::REASON).unwrap_or_else(|| "unknown".to_owned()),
            origin_topic: text(dead_letter_header::TOPIC),
            origin_partition: event.header_number(dead_letter_header::PARTITION).and_then(|n| n.try_into().ok()),
            origin_offset: event.header_number(dead_letter_header::OFFSET),
            set_aside_at: event.at,
            log: event.position.log,
            seq: event.position.seq,
        })
    }

    fn activation(&mut self, event: &Event<'_>) -> Option<()> {
        let body: Activation = event.body().filter(Activation::fits)?;
        self.activations.push(ActivationRow {
            kind: body.kind,
            name: body.name,
            version: body.version,
            digest: body.digest,
            activated_by: body.activated_by,
            activated_at: time(&body.activated_at)?,
            log: event.position.log,
            seq: event.position.seq,
        })
    }
}

/// The names of the tables in which records of a topic have rows.
pub(crate) fn tables_of(topic: Topic) -> &'static [&'static str] {
    match topic {
        Topic::Applications => &["applications", "withdrawals", "activations"],
        Topic::Risk => &["scores", "activations"],
        Topic::Shadow => &["scores"],
        Topic::Decisions => &["decisions"],
        Topic::LoanReplies => &["replies"],
        Topic::Notifications => &["receipts"],
        Topic::DeadLetters => &["dead_letters"],
        Topic::LoanApplications | Topic::Intake | Topic::Identities | Topic::Protected => &[],
        Topic::Access | Topic::Revocations | Topic::Checkpoints | Topic::Gaps => &[],
        Topic::AdmitState | Topic::ScorerState | Topic::DecisionState | Topic::Instances => &[],
    }
}

/// Puts on record that the database refuses a row: it is lawfully absent.
pub(crate) async fn refuse(
    tx: &Transaction<'_>,
    table: &str,
    Position { log, seq }: Position,
    word: &SqlState,
) -> Result<(), tokio_postgres::Error> {
    let word = word.code();
    tracing::error!(table, log, seq, word, "row is refused: the log has its record");
    let insert = "INSERT INTO defaultx.projection_refusals (projection, log, seq, word) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    tx.execute(insert, &[&table, &log, &seq, &word]).await.map(drop)
}

/// The identity store's row of a record of `credit.identities.v1`; `None` when it cannot be read.
pub fn identity(record: &Input<'_>) -> Option<IdentityRow> {
    let event = Event::of(record, Position { log: 0, seq: 0 });
    let (tenant, application_id) = ApplicationKey::split(std::str::from_utf8(record.key?).ok()?)?;
    let body: serde_json::Value = event.body()?;
    Some(IdentityRow {
        tenant: tenant.to_owned(),
        application_id: application_id.to_owned(),
        revision: event.header_number(intake::header::REVISION)?.try_into().ok()?,
        event_id: event.id,
        data_digest: event.header_text(intake::header::DATA_DIGEST)?,
        body: body.to_string(),
        received_at: event.header_number(intake::header::RECEIVED_AT).map_or(event.at, time_of_ms),
    })
}
