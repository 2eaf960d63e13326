//! What became of it all, in numbers and in words.

use crate::args::Args;
use crate::faults::Struck;
use crate::senders::{HONEST_RUN, Sent};
use anyhow::{Context, Result, bail};
use audit_log::{DigestKey, notes_in, read_checkpoint};
use audit_sink::SignerConfig;
use audit_sink::verify;
use e2e::oracle::log::Log;
use e2e::oracle::{Fault, Findings};
use e2e::stage::{CHECKPOINT_KEY, DIGEST_KEY, Stage, Versions, hex, runtime};
use e2e::supervisor::Supervisor;
use e2e::truth::{Deployment, Truth, latency, log};
use schemas::Topic;
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The most that a misbehaving neighbour may make of the honest tenant's p99.
const NEIGHBOUR: f64 = 2.0;
/// Longer than this, and something hangs.
const PATIENCE: Duration = Duration::from_secs(300);
/// A door that answers 503 for longer than this after the broker is back has lost its way to it.
const DOOR_BACK: Duration = Duration::from_secs(60);
/// By then a note covers what the log has.
const UNDER_A_NOTE_WITHIN: Duration = Duration::from_secs(60);

/// Where the signers keep their notes, out of the database's reach.
pub fn notes_dir(stage: &Stage) -> PathBuf {
    stage.dir().join("notes")
}

/// Every note that was signed; none where there is no file yet.
fn kept(stage: &Stage) -> String {
    std::fs::read_to_string(notes_dir(stage).join("0.notes")).unwrap_or_default()
}

/// Entries under the newest note that is whole.
fn covered(stage: &Stage) -> u64 {
    notes_in(&kept(stage)).iter().rev().find_map(|note| read_checkpoint(note).ok()).map_or(0, |(_, head)| head.size)
}

/// What plain readers saw before the workers stopped.
pub struct Seen {
    truth: Truth,
    log: Log,
}

/// Where the run is.
///
/// # Errors
/// When a document cannot be read.
pub fn deployment(stage: &Stage, other: &str, versions: &Versions) -> Result<Deployment> {
    Ok(Deployment {
        kafka: stage.kafka.clone(),
        database_url: stage.stack.database_url().to_owned(),
        senders: vec![Topic::LoanApplications.base_name().to_owned(), other.to_owned()],
        policy: versions.first_policy.clone(),
        route: versions.first_route.clone(),
        uncounted: Vec::new(),
        ingest: ingest::Config::default(),
    })
}

/// Waits until every record has its reply, every accepted application its decision, the log an entry of every record, and a note
/// covers it.
///
/// # Errors
/// When a server cannot be read.
pub fn drained(stage: &Stage, from: &Deployment, stack: &mut Supervisor) -> Result<Seen> {
    let started = Instant::now();
    let is_late = || started.elapsed() > PATIENCE;
    let truth = loop {
        stack.tend()?;
        let truth = Truth::read(from)?;
        if truth.is_answered() || is_late() {
            break truth;
        }
        std::thread::sleep(Duration::from_secs(1));
    };
    let config = audit_sink::Config::default();
    let log = log::records(from, &DigestKey::new(&config.digest_key_id, &DIGEST_KEY)?)?;
    let runtime = runtime()?;
    while runtime.block_on(log::size(from))? < log.records() && !is_late() {
        stack.tend()?;
        std::thread::sleep(Duration::from_secs(1));
    }
    let (size, since) = (runtime.block_on(log::size(from))? as u64, Instant::now());
    while covered(stage) < size && since.elapsed() < UNDER_A_NOTE_WITHIN {
        stack.tend()?;
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(Seen { truth, log })
}

/// Holds everything against everything once nothing runs any more, and writes the result.
///
/// # Errors
/// When something does not fit.
pub fn judge(
    args: &Args,
    (stage, from): (&Stage, &Deployment),
    seen: Seen,
    sent: &Sent,
    struck: &Struck,
    restarts: u32,
) -> Result<()> {
    let Seen { mut truth, mut log } = seen;
    let signer = SignerConfig { key: hex(&CHECKPOINT_KEY).into(), ..SignerConfig::default() };
    let options = verify::Options { keys: signer.verifier_keys()?, kept: vec![kept(stage)], ..Default::default() };
    let report = runtime()?.block_on(async {
        truth.complete(from).await?;
        log::entries(from, &mut log).await?;
        anyhow::Ok(verify::run(&from.database_url, &options).await?)
    })?;
    let mut findings = Findings::default();
    truth.judge(&mut findings);
    log.judge(&mut findings);
    for log in report.logs.iter().filter(|log| log.uncovered > 0) {
        findings.take(Fault::Wrong, || {
            format!("log {}: {} of {} entries are under no note", log.log, log.uncovered, log.size)
        });
    }
    let door_back: Vec<_> = struck.broker_back.iter().map(|back| sent.posted.back_after(*back)).collect();
    judge_door(&truth, sent, &door_back, &mut findings);
    let acknowledged: u64 = sent.records.iter().map(|records| records.acknowledged).sum();
    let given_up: u64 = sent.records.iter().map(|records| records.failed).sum();
    // What a client gave up may be there or not; what was acknowledged is.
    let submitted = acknowledged + struck.hostile as u64 + truth.redriven_to(&from.senders);
    if !(submitted..=submitted + given_up).contains(&truth.published) {
        let found = truth.published;
        findings.take(Fault::Lost, || format!("{submitted} records were acknowledged, {found} are on the topics"));
    }
    let [quiet, beside] = phases(args, from, sent)?;
    let ratio = quiet.zip(beside).map(|(quiet, beside)| beside as f64 / quiet.max(1) as f64);
    if ratio.is_some_and(|ratio| ratio > NEIGHBOUR) {
        findings.take(Fault::Wrong, || {
            format!("the honest tenant's p99 beside the other is {beside:?} ms, alone {quiet:?}")
        });
    }
    let result = json!({
        "submitted": submitted,
        "given_up_by_senders": given_up,
        "given_up_why": sent.records.iter().filter_map(|records| records.why.as_deref()).collect::<Vec<_>>(),
        "published": truth.published,
        "accepted": truth.accepted(),
        "decided_distinct": truth.decided(),
        "decided_in_database": truth.stored(),
        "lost": findings.lost,
        "doubled": findings.doubled,
        "skipped": findings.skipped,
        "wrong": findings.wrong,
        "told": findings.told,
        "replies": truth.statuses,
        "policies_used": truth.policy.uses(),
        "routes_used": truth.route.uses(),
        "state_entries": truth.state.entries(),
        "hostile_records": struck.hostile,
        "redriven": truth.redriven(),
        "door_acknowledged": sent.posted.acknowledged.len(),
        "door_unanswered": sent.posted.unanswered,
        "door_back_ms": door_back.iter().map(|back| back.map(|back| back.as_millis() as u64)).collect::<Vec<_>>(),
        "quiet_p99_ms": quiet,
        "p99_ms_beside_the_rowdy": beside,
        "p99_ratio": ratio,
        "kills": struck.kills,
        "faults": struck.faults,
        "ended_by_themselves": restarts,
        "audited_records": log.records(),
        "audit_entries": report.entries(),
        "audit_covered": report.logs.iter().map(|log| log.covered).sum::<u64>(),
        "audit_verified": report.is_whole(),
    });
    std::fs::write(&args.out, serde_json::to_vec_pretty(&result)?).context("writing the result")?;
    println!("{result:#}");
    if !findings.is_clean() || !report.is_whole() {
        bail!("the stack did not keep its word: {report}");
    }
    Ok(())
}

/// What was answered 202 is decided, and the door comes back once the broker has.
fn judge_door(truth: &Truth, sent: &Sent, back: &[Option<Duration>], findings: &mut Findings) {
    for id in &sent.posted.acknowledged {
        if !truth.is_decided(&("demo".to_owned(), id.clone(), 1)) {
            findings.take(Fault::Lost, || format!("{id}: answered 202, not decided"));
        }
    }
    for back in back.iter().filter(|back| back.is_none_or(|back| back > DOOR_BACK)) {
        findings.take(Fault::Wrong, || format!("the door's first 202 after the broker was back: {back:?}"));
    }
}

fn phases(args: &Args, from: &Deployment, sent: &Sent) -> Result<[Option<i64>; 2]> {
    if args.phase_seconds == 0 {
        return Ok([None; 2]);
    }
    let all = latency::p99_ms(from, HONEST_RUN, &sent.phases)?;
    Ok([all.first().copied().flatten(), all.get(1).copied().flatten()])
}
