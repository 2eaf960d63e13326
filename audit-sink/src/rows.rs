//! Rows of the projections, gathered by column and written by one COPY a table. Where a row's key is there already or the server
//! refuses one, they are inserted instead, which leaves such rows alone: events may come twice and in any order. A row with a
//! text that its column does not take is not gathered. Decides nothing else about what a row says.

use crate::copy::{Copy, Json, List};
use chrono::{DateTime, NaiveDate, Utc};
use runtime::pg::rows::{Rows, holds};
use std::ops::Range;
use tokio_postgres::Transaction;
use uuid::Uuid;

/// Defines a row, its columns, the COPY and the insert: `field: Rust type, "type of the array's elements", what the column is`,
/// where the last is left out for a value, `list` for texts joined by commas, `json` for jsonb.
macro_rules! projection {
    ($(#[$doc:meta])* $row:ident, $columns:ident, $table:literal { $($field:ident $(as $column:literal)? : $ty:ty, $sql:literal $(, $kind:ident)?;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        #[allow(missing_docs)] // columns are described where the table is made
        pub struct $row { $(pub $field: $ty),+ }

        #[doc = concat!("Rows of `", $table, "` by column.")]
        #[derive(Debug, Default)]
        pub struct $columns { $(pub(crate) $field: Vec<$ty>),+ }

        impl $columns {
            const FIELDS: [&str; [$(stringify!($field)),+].len()] = [$(column!($field $(as $column)?)),+];

            /// Adds a row; `None` when one of its texts is longer than its column takes, or has U+0000.
            pub fn push(&mut self, row: $row) -> Option<()> {
                let fits = true $(&& row.$field.fits(longest(stringify!($field))))+;
                if fits {
                    $(self.$field.push(row.$field);)+
                }
                fits.then_some(())
            }

            /// Writes all rows, if all of them are new and the server takes them.
            pub(crate) async fn copy(&self, tx: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
                if self.count() == 0 {
                    return Ok(());
                }
                let mut copy = Copy::new(Self::FIELDS.len() as i16);
                for row in 0..self.count() {
                    copy.row()$(.put(field!(&self.$field[row] $(, $kind)?)))+;
                }
                copy.send(tx, $table, &Self::FIELDS.join(", ")).await
            }
        }

        impl Rows for $columns {
            fn count(&self) -> usize {
                [$(self.$field.len()),+][0]
            }

            async fn insert(&self, tx: &Transaction<'_>, rows: Range<usize>) -> Result<u64, tokio_postgres::Error> {
                let columns = Self::FIELDS.join(", ");
                let values = [$(expression!($field $(, $kind)?)),+].join(", ");
                let names = [$(concat!("x_", stringify!($field))),+].join(", ");
                let types = [$($sql),+];
                let arrays: Vec<_> = types.iter().enumerate().map(|(n, sql)| format!("${}::{sql}[]", n + 1)).collect();
                let statement = format!(
                    "INSERT INTO {} ({columns}) SELECT {values} FROM unnest({}) AS r({names}) ON CONFLICT DO NOTHING",
                    $table, arrays.join(", "),
                );
                tx.execute(&statement, &[$(&self.$field.get(rows.clone()).unwrap_or_default()),+]).await
            }
        }
    };
}

macro_rules! column {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident as $column:literal) => {
        $column
    };
}

macro_rules! field {
    ($value:expr) => {
        $value
    };
    ($value:expr, list) => {
        List($value)
    };
    ($value:expr, json) => {
        Json($value)
    };
}

macro_rules! expression {
    ($field:ident) => {
        concat!("x_", stringify!($field))
    };
    ($field:ident, list) => {
        concat!("string_to_array(x_", stringify!($field), ", ',')")
    };
    ($field:ident, json) => {
        concat!("x_", stringify!($field), "::jsonb")
    };
}

type Time = DateTime<Utc>;

/// The longest text of a column, bytes. An index takes a key of 2,704 bytes; what our contracts allow is below each of these.
fn longest(column: &str) -> usize {
    match column {
        "tenant" | "application_id" | "origin_topic" | "outcome" | "kind" | "name" | "version" | "digest"
        | "data_digest" => 512,
        "reasons" | "rules" | "body" => 16 << 20,
        "unscorable" | "missing" | "clamped" | "unknown" | "report_status" => 1 << 20,
        _ => 4096,
    }
}

/// Whether a column takes a value.
trait Fits {
    fn fits(&self, most: usize) -> bool;
}

impl Fits for String {
    fn fits(&self, most: usize) -> bool {
        holds(self, most)
    }
}

impl<T: Fits> Fits for Option<T> {
    fn fits(&self, most: usize) -> bool {
        self.as_ref().is_none_or(|value| value.fits(most))
    }
}

/// Numbers, times and the like: their types are their columns' bounds.
macro_rules! always_fits {
    ($($ty:ty)+) => {
        $(impl Fits for $ty {
            fn fits(&self, _: usize) -> bool {
                true
            }
        })+
    };
}

always_fits!(bool i16 i32 i64 f64 Uuid Time NaiveDate);

projection! {
    /// An accepted application.
    ApplicationRow, Applications, "defaultx.applications" {
        tenant: String, "text"; application_id: String, "text"; revision: i32, "int4"; event_id: Uuid, "uuid";
        product: String, "text"; intent: String, "text"; request_type: String, "text"; channel: String, "text";
        jurisdiction: String, "text"; amount_minor: i64, "int8"; currency: String, "text";
        term_months: Option<i32>, "int4"; purpose: Option<String>, "text"; subject: Option<String>, "text";
        as_of: Option<NaiveDate>, "date"; submitted_at: Option<Time>, "timestamptz";
        completed_at: Option<Time>, "timestamptz"; received_at: Time, "timestamptz"; accepted_at: Time, "timestamptz";
        log: i32, "int4"; seq: i64, "int8";
    }
}

projection! {
    /// An application that the applicant ended.
    WithdrawalRow, Withdrawals, "defaultx.withdrawals" {
        tenant: String, "text"; application_id: String, "text"; event_id: Uuid, "uuid";
        withdrawn_at: Option<Time>, "timestamptz"; accepted_at: Time, "timestamptz";
        log: i32, "int4"; seq: i64, "int8";
    }
}

projection! {
    /// A score event. Lists of names travel joined by commas.
    ScoreRow, Scores, "defaultx.scores" {
        tenant: String, "text"; application_id: String, "text"; revision: i32, "int4"; event_id: Uuid, "uuid";
        shadow: bool, "bool"; product: String, "text"; intent: String, "text"; channel: String, "text";
        jurisdiction: String, "text"; status: String, "text";
        unscorable: String, "text", list;
        model: Option<String>, "text"; model_version: Option<String>, "text"; model_role: Option<String>, "text";
        bucket: Option<i32>, "int4"; pd: Option<f64>, "float8"; score: Option<i32>, "int4"; band: Option<String>, "text";
        class: Option<i16>, "int2"; scale_id: Option<String>, "text";
        missing: String, "text", list;
        clamped: String, "text", list;
        unknown: String, "text", list;
        features: i32, "int4";
        report_status: String, "text", list;
        report_age_days: Option<i32>, "int4";
        received_at: Time, "timestamptz"; scored_at: Time, "timestamptz";
        log: i32, "int4"; seq: i64, "int8";
    }
}

projection! {
    /// A decision. Reasons and rules are JSON arrays as the event has them.
    DecisionRow, Decisions, "defaultx.decisions" {
        tenant: String, "text"; application_id: String, "text"; revision: i32, "int4"; decision_number: i32, "int4";
        event_id: Uuid, "uuid"; outcome: String, "text"; is_final: bool, "bool"; automation: String, "text";
        step: String, "text"; referral: Option<String>, "text"; product: String, "text"; intent: String, "text";
        channel: String, "text"; jurisdiction: String, "text"; amount_minor: Option<i64>, "int8";
        approved_minor: Option<i64>, "int8"; currency: Option<String>, "text"; score_status: Option<String>, "text";
        model: Option<String>, "text"; model_version: Option<String>, "text"; model_role: Option<String>, "text";
        pd: Option<f64>, "float8"; score: Option<i32>, "int4"; band: Option<String>, "text"; class: Option<i16>, "int2";
        scale_id: Option<String>, "text"; policy: String, "text"; policy_version: String, "text";
        policy_digest: String, "text"; reasons: String, "text", json; rules: String, "text", json;
        adverse_action: bool, "bool"; notice_due_by: Option<Time>, "timestamptz"; received_at: Time, "timestamptz";
        decided_at: Time, "timestamptz"; log: i32, "int4"; seq: i64, "int8";
    }
}

projection! {
    /// The answer to a published record.
    ReplyRow, Replies, "defaultx.replies" {
        event_id: Uuid, "uuid"; tenant: Option<String>, "text"; application_id: Option<String>, "text";
        revision: Option<i32>, "int4"; status: String, "text"; problem: Option<String>, "text"; origin_topic: String, "text";
        origin_partition: i32, "int4"; origin_offset: i64, "int8"; replied_at: Time, "timestamptz";
        log: i32, "int4"; seq: i64, "int8";
    }
}

projection! {
    /// A delivery that ended.
    ReceiptRow, Receipts, "defaultx.receipts" {
        tenant: String, "text"; application_id: String, "text"; revision: i32, "int4"; event_id: Uuid, "uuid";
        delivery_id: String, "text"; subscription: String, "text"; told_of: String, "text"; status: String, "text";
        attempts: i32, "int4"; http_status: Option<i32>, "int4"; ended_at: Time, "timestamptz";
        log: i32, "int4"; seq: i64, "int8";
    }
}

projection! {
    /// A record that was set aside.
    DeadLetterRow, DeadLetters, "defaultx.dead_letters" {
        partition: i32, "int4"; offset as "\"offset\"": i64, "int8"; worker as "room": String, "text"; reason: String, "text";
        origin_topic: Option<String>, "text"; origin_partition: Option<i32>, "int4"; origin_offset: Option<i64>, "int8";
        set_aside_at: Time, "timestamptz"; log: i32, "int4"; seq: i64, "int8";
    }
}

projection! {
    /// A version that came into force.
    ActivationRow, Activations, "defaultx.activations" {
        kind: String, "text"; name: String, "text"; version: String, "text"; digest: String, "text";
        activated_by: String, "text"; activated_at: Time, "timestamptz"; log: i32, "int4"; seq: i64, "int8";
    }
}

projection! {
    /// What was stripped from an application: for the identity store alone.
    IdentityRow, Identities, "identity.identities" {
        tenant: String, "text"; application_id: String, "text"; revision: i32, "int4"; event_id: Uuid, "uuid";
        data_digest: String, "text"; body: String, "text", json; received_at: Time, "timestamptz";
    }
}
