//! `audit`: walks the log again and says what it found, rebuilds projections, shows the entry of one record, prints keys and notes, opens epochs, runs a
//! witness.

use crate::cli::{AuditCommand, CheckpointCommand, EpochCommand, PlaceArgs, RebuildArgs, VerifyArgs, WitnessArgs};
use crate::place::{Needs, settle};
use crate::settings::Settings;
use crate::terminal;
use crate::witness;
use anyhow::{Context, Result, bail};
use audit_log::{Codec, Entry, NoteVerifier, Signer};
use audit_sink::checkpoint::Signing;
use audit_sink::epoch::{self, Asked};
use audit_sink::rebuild::{Asked as Rebuild, Rebuilt, rebuild};
use audit_sink::signer::notes::Notes;
use audit_sink::verify::{Options, walk};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use runtime::{clock, pg, shutdown};
use schemas::logins::{REBUILDER, VERIFIER};
use schemas::rights::Principal;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio_postgres::Client;

/// Rows that are looked at for the newest one with a valid signature.
const ROWS_LOOKED_AT: i64 = 100;

/// Runs it; code 1 when anything does not hold, or nothing is found.
pub async fn run(mut settings: Settings, place: &PlaceArgs, command: AuditCommand) -> Result<i32> {
    if let AuditCommand::Witness(args) = command {
        return serve(args).await;
    }
    if let AuditCommand::Key { seed: Some(seed), origin } = &command {
        return key_of(&settings, seed, origin.as_deref());
    }
    let needs_none = matches!(command, AuditCommand::Key { .. }) && !settings.audit_signer.key.is_empty();
    if !needs_none {
        settle(&mut settings, &place.stack, Needs::DATABASE)?;
    }
    match command {
        AuditCommand::Verify(args) => verify(settings, args).await,
        AuditCommand::Rebuild(args) => rebuild_projections(settings, args).await,
        AuditCommand::Find { topic, partition, offset } => find(&settings, &topic, partition, offset).await,
        AuditCommand::Key { .. } => key(&settings),
        AuditCommand::Checkpoint(CheckpointCommand::Export { log }) => export(&settings, log).await,
        AuditCommand::Epoch(EpochCommand::List) => epochs(&settings).await,
        AuditCommand::Epoch(EpochCommand::Open { log, by, why, checkpoint }) => {
            let kept = read(&checkpoint)?;
            open(&settings, log, Asked { by: &by, why: &why, kept: &kept }).await
        }
        AuditCommand::Witness(args) => serve(args).await,
    }
}

fn read(files: &[PathBuf]) -> Result<Vec<String>> {
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        if text.trim().is_empty() {
            bail!("{} holds no note, so the log would be held against nothing", path.display());
        }
        Ok(text)
    };
    files.iter().map(read).collect()
}

async fn verify(mut settings: Settings, args: VerifyArgs) -> Result<i32> {
    let signer = &settings.audit_signer;
    let keys = if args.keys.is_empty() { signer.verifier_keys()? } else { args.keys };
    let witnesses = signer.witnesses.iter().map(|witness| witness.key.clone()).chain(args.witness_keys).collect();
    let options = Options { keys, witnesses, kept: read(&args.checkpoint)? };
    settings.database.statement_timeout_ms = 0; // a long log takes as long as it takes
    let mut client = pg::connect(&settings.database.of(VERIFIER)).await?;
    let report = walk(&mut client, &options).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", terminal::lines(&report.to_string()));
    }
    Ok(i32::from(!report.is_whole()))
}

async fn rebuild_projections(mut settings: Settings, args: RebuildArgs) -> Result<i32> {
    settings.database.statement_timeout_ms = 0; // a long log takes as long as it takes
    let mut client = pg::connect(&settings.database.of(REBUILDER)).await?;
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar.set_style(ProgressStyle::with_template("{bar:40} {percent:>3} %  {pos} of {len} entries, {eta} left")?);
    let progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let asked = Rebuild { table: args.table, dry_run: args.dry_run };
    let rebuilt = rebuild(&mut client, &asked, progress).await;
    bar.finish_and_clear();
    let (takes, writes) = if asked.dry_run { ("would go", "would be written") } else { ("taken away", "written") };
    for Rebuilt { table, rows, removed, written, refused, unheld } in rebuilt? {
        println!(
            "{table}: {rows} rows held against the log, {removed} {takes}, {written} {writes}; {refused} are refused by the database, \
             {unheld} have no record to hold them against"
        );
    }
    Ok(0)
}

fn key(settings: &Settings) -> Result<i32> {
    let keys = settings.audit_signer.verifier_keys()?;
    if keys.is_empty() {
        bail!("[audit-signer] key is empty: nothing signs");
    }
    keys.iter().for_each(|key| println!("{key}"));
    Ok(0)
}

/// The verifier key of a seed in a file, which is made if it is not there.
fn key_of(settings: &Settings, path: &Path, origin: Option<&str>) -> Result<i32> {
    let origin = origin.unwrap_or(&settings.audit_signer.origin);
    // What is wrong with the name is told before anything is made.
    Signer::new(origin, &[0; 32]).with_context(|| format!("--origin {origin:?}"))?;
    let was_there = path.exists();
    let signer = Signer::new(origin, &witness::seed_in(path)?)?;
    println!("{}", signer.verifier_key());
    match was_there {
        true => eprintln!("of the seed in {}, which was there and is as it was", path.display()),
        false => eprintln!(
            "the seed is in {}, new and readable by you alone: keep it; [audit-signer] key takes it",
            path.display()
        ),
    }
    Ok(0)
}

fn verifiers(settings: &Settings) -> Result<Vec<NoteVerifier>> {
    let keys = settings.audit_signer.verifier_keys()?;
    Ok(keys.iter().map(|key| NoteVerifier::parse(key)).collect::<Result<_, _>>()?)
}

/// Without a key each row is taken at its word: whoever keeps the note checks it with one.
async fn export(settings: &Settings, log: Option<i32>) -> Result<i32> {
    let (client, verifiers) = (pg::connect(&settings.database.of(VERIFIER)).await?, verifiers(settings)?);
    let logs = "SELECT DISTINCT log FROM defaultx.audit_checkpoints WHERE $1::int IS NULL OR log = $1 ORDER BY log";
    let mut exported = 0;
    for row in client.query(logs, &[&log]).await? {
        let Some((size, mut note)) = newest(&client, &verifiers, row.get(0)).await? else { continue };
        let lines = "SELECT line FROM defaultx.audit_cosignatures WHERE log = $1 AND size = $2 ORDER BY witness";
        for line in client.query(lines, &[&row.get::<_, i32>(0), &size]).await? {
            note += &format!("{}\n", line.get::<_, &str>(0));
        }
        print!("{note}");
        exported += 1;
    }
    if exported == 0 {
        eprintln!("no signed checkpoint is there; audit-signer makes them");
    }
    Ok(i32::from(exported == 0))
}

async fn newest(client: &Client, verifiers: &[NoteVerifier], log: i32) -> Result<Option<(i64, String)>> {
    let query = "SELECT size, note FROM defaultx.audit_checkpoints WHERE log = $1 ORDER BY size DESC LIMIT $2";
    let rows = client.query(query, &[&log, &ROWS_LOOKED_AT]).await?;
    let is_signed = |note: &str| verifiers.is_empty() || verifiers.iter().any(|verifier| verifier.open(note).is_ok());
    Ok(rows.iter().find(|row| is_signed(row.get(1))).map(|row| (row.get(0), row.get(1))))
}

async fn open(settings: &Settings, log: i32, asked: Asked<'_>) -> Result<i32> {
    let config = &settings.audit_signer;
    let signer = config.signer()?.context("[audit-signer] key is empty: only its holder can open an epoch")?;
    let signing = Signing { signer, verifiers: verifiers(settings)?, notes: Notes::open(&config.notes_dir)? };
    let mut client = pg::connect(&settings.database.of(Principal::AuditSigner.name())).await?;
    let epoch = epoch::open(&mut client, &signing, log, asked, clock::now().timestamp()).await?;
    println!("epoch {} of log {log} is open: it goes on from entry {}", epoch.epoch, epoch.from.0);
    println!("{} entries were signed before; keep this statement where you keep the notes:\n", epoch.old.0);
    print!("{}", epoch.sign(&signing.signer)?);
    Ok(0)
}

async fn epochs(settings: &Settings) -> Result<i32> {
    let client = pg::connect(&settings.database.of(VERIFIER)).await?;
    let (epochs, junk) = epoch::list(&client, &verifiers(settings)?).await?;
    for epoch in &epochs {
        let at = chrono::DateTime::from_timestamp(epoch.at, 0).map(clock::rfc3339).unwrap_or_default();
        let (from, old) = (epoch.from.0, epoch.old.0);
        println!(
            "log {} epoch {} at {at} by {}: {}; from {from}, {old} were signed",
            epoch.log, epoch.epoch, epoch.by, epoch.why
        );
    }
    println!("{} epochs; {junk} rows without a valid signature", epochs.len());
    Ok(0)
}

async fn serve(args: WitnessArgs) -> Result<i32> {
    let cosigner = witness::cosigner(&args.name, &args.key)?;
    let listen: SocketAddr = args.listen.parse().with_context(|| format!("--listen {:?}: host:port", args.listen))?;
    let key = cosigner.verifier_key();
    let stop = shutdown::on_signal()?;
    let (address, handle) = witness::serve(cosigner, &args.log_keys, &args.state, listen, stop).await?;
    println!("listening on {address}\n{key}");
    handle.join().await?;
    Ok(0)
}

async fn find(settings: &Settings, topic: &str, partition: i32, offset: i64) -> Result<i32> {
    let client = pg::connect(&settings.database.of(VERIFIER)).await?;
    let Some(found) = audit_sink::find(&client, topic, partition, offset).await? else {
        eprintln!("the log has no entry of {topic}/{partition}@{offset}");
        return Ok(1);
    };
    let entry = Entry::decode(&found.bytes)?;
    let text = |bytes: Option<&[u8]>| bytes.map_or_else(String::new, terminal::bytes);
    println!("log {} entry {} leaf {}", found.log, found.seq, hex::encode(found.leaf));
    println!("{topic}/{partition}@{offset} at {} ms, key {:?}", entry.timestamp_ms, text(entry.key));
    for (name, value) in &entry.headers {
        println!("{}: {}", terminal::line(name), text(*value));
    }
    match entry.codec {
        Codec::Plain => println!("\n{}", entry.value.map_or_else(String::new, terminal::body)),
        Codec::DigestOnly | Codec::Sealed => println!("\n{}", hex::encode(entry.value.unwrap_or_default())),
    }
    Ok(0)
}
