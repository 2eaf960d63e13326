//! What can be asked of the audit log. Does nothing.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Subcommands of `audit`.
#[derive(Debug, Clone, Subcommand)]
pub enum AuditCommand {
    /// Walk the whole log again: every entry, leaf, tile, head and checkpoint, and every row of the projections; ends with code 1 if anything
    /// does not hold
    #[command(after_help = VERIFY)]
    Verify(VerifyArgs),
    /// Make the projections what the log says, while their writer and readers go on
    #[command(after_help = REBUILD)]
    Rebuild(RebuildArgs),
    /// Show the entry of one record: where it stands, its leaf hash, and what the log holds of it; ends with code 1 if there is none
    Find {
        /// Topic without prefix
        topic: String,
        /// Partition
        partition: i32,
        /// Offset
        offset: i64,
    },
    /// Print the verifier keys (`name+id+key`) of the configured signer, the present one first: give them to whoever verifies; or make a
    /// signer's key
    #[command(after_help = KEY)]
    Key {
        /// File with the signer's seed, 64 hexadecimal digits: made if it is not there, never overwritten. The verifier key printed is its own
        #[arg(long, value_name = "FILE")]
        seed: Option<PathBuf>,
        /// Name of the key, in place of [audit-signer] origin: a domain and path that no other log uses
        #[arg(long, value_name = "NAME", requires = "seed")]
        origin: Option<String>,
    },
    /// Signed checkpoints
    #[command(subcommand)]
    Checkpoint(CheckpointCommand),
    /// Restores from a backup, on record under the signer's key
    #[command(subcommand)]
    Epoch(EpochCommand),
    /// Run a witness: a small server that cosigns checkpoints of logs that only grew (C2SP tlog-witness)
    #[command(after_help = WITNESS)]
    Witness(WitnessArgs),
}

/// Options of `audit verify`.
#[derive(Debug, Clone, Default, Args)]
pub struct VerifyArgs {
    /// Verifier key of a signer of the log (`name+id+key`), as often as needed; without any, the configured signer's, and where there is
    /// none signatures are not checked
    #[arg(long = "key", value_name = "KEY")]
    pub keys: Vec<String>,
    /// Verifier key of a witness, besides those of [audit-signer] witnesses
    #[arg(long = "witness-key", value_name = "KEY")]
    pub witness_keys: Vec<String>,
    /// What was kept elsewhere: files of signed notes, one or many each
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Vec<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `audit rebuild`.
#[derive(Debug, Clone, Default, Args)]
pub struct RebuildArgs {
    /// Only this projection: applications, withdrawals, scores, decisions, replies, receipts, dead_letters or activations
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
}

/// Subcommands of `audit checkpoint`.
#[derive(Debug, Clone, Subcommand)]
pub enum CheckpointCommand {
    /// Print the newest signed note of each log, with the witnesses' lines: keep it where the database's owner cannot reach it
    Export {
        /// Only this log
        #[arg(long)]
        log: Option<i32>,
    },
}

/// Subcommands of `audit epoch`.
#[derive(Debug, Clone, Subcommand)]
pub enum EpochCommand {
    /// Say that a log was restored from a backup, so that the signer goes on and kept notes of before are not taken for forgery's proof
    #[command(after_help = EPOCH)]
    Open {
        /// The log
        #[arg(long, default_value_t = 0)]
        log: i32,
        /// Who says so; signed
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Why; signed
        #[arg(long, value_name = "TEXT")]
        why: String,
        /// Notes that were kept elsewhere, where [audit-signer] notes_dir has none
        #[arg(long, value_name = "FILE")]
        checkpoint: Vec<PathBuf>,
    },
    /// The epochs that were opened
    List,
}

/// Options of `audit witness`.
#[derive(Debug, Clone, Args)]
pub struct WitnessArgs {
    /// Address to listen at; put TLS in front of it
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9480")]
    pub listen: String,
    /// Its name: a domain and path that nobody else signs under
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// File with its seed, 64 hexadecimal digits; made if it is not there
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Directory of the newest head of each log that it saw: its memory, so keep it
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// Verifier key of a deployment whose logs it watches, as `defaultx audit key` prints it
    #[arg(long = "log-key", value_name = "KEY", required = true)]
    pub log_keys: Vec<String>,
}

const VERIFY: &str = "\
The report says what was checked and what was not. Without a note from outside, whoever owns the database can have emptied, cut or
rewritten the whole log unseen; so keep notes (`defaultx audit checkpoint export`, [audit-signer] notes_dir, a witness).

Examples:
  defaultx audit verify --key bank.example/audit+1a2b3c4d+AQ… --checkpoint kept/0.notes
  curl https://witness.example/checkpoints > seen.notes
  defaultx audit verify --key KEY --witness-key witness.example/w1+5e6f…+BA… --checkpoint seen.notes --json";

const REBUILD: &str = "\
Rows that are what their entries say are left alone; the others are taken away and written again, a part of the log in a transaction. It
believes the log, so verify that first, and keep a copy of a table that somebody changed: it is evidence. Each rebuild is a row of
defaultx.projection_rebuilds. It uses the login `rebuilder`, or sets role defaultx_rebuild where there is none.

Examples:
  defaultx audit rebuild --dry-run
  defaultx audit rebuild --table decisions";

const KEY: &str = "\
Examples:
  defaultx audit key
  defaultx audit key --seed audit-signer.seed --origin bank.example/audit

The seed is the secret. The signer reads it from [audit-signer] key:
  DEFAULTX__AUDIT_SIGNER__KEY=$(cat audit-signer.seed) DEFAULTX__AUDIT_SIGNER__ORIGIN=bank.example/audit defaultx run audit-signer
A new key beside an old one: put the verifier key of the old one into [audit-signer] former_keys.";

const EPOCH: &str = "\
The signer signs no log that is not the one it signed before: it says `is not the one that was signed`. After a restore from a
backup that is so, because records are read again from Kafka and may stand in another order. Find out that it was a restore; then
open the epoch. It names size and root of the newest note, the note itself, and the size up to which the log is still the same.
It needs the signer's key.

Example:
  defaultx audit epoch open --by operations --why \"disk lost; restored the backup of 2 a.m.\"";

const WITNESS: &str = "\
POST /add-checkpoint cosigns; GET /checkpoints gives the newest note of each log with the cosignature. Run it where whoever runs
the log has no rights, and give its key to whoever verifies.

Example:
  defaultx audit witness --name witness.example/w1 --key seed --state seen --log-key bank.example/audit+1a2b3c4d+AQ…
  [[audit-signer.witnesses]] url = \"https://witness.example\", key = as printed at its start";
