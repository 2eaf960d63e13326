//! What became of it all: the judges of the long run, and every position handled once more.

use anyhow::{Context, Result, bail};
use audit_sink::verify;
use decision::metrics::Metrics;
use decision::{DecisionHandler, Library};
use defaultx::letters::{Dead, Letter};
use defaultx::reader::{header, read_to_end};
use domain::Digest;
use e2e::oracle::Findings;
use e2e::stage::{Stage, root, runtime};
use e2e::supervisor::Supervisor;
use e2e::truth::{Deployment, Truth};
use prometheus::Registry;
use rdkafka::message::Message;
use runtime::clock;
use runtime::stream::harness::Harness;
use runtime::stream::{Input, OwnedInput};
use schemas::Topic;
use schemas::control::ACTIVATED;
use schemas::decision::Decision;
use schemas::envelope::header as ce;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

/// Longer than this, and something hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// Where the run is.
///
/// # Errors
/// When a document cannot be read.
pub fn deployment(stage: &Stage) -> Result<Deployment> {
    let digest = |file: &str| anyhow::Ok(Digest::of(&std::fs::read(root().join(file))?).to_string());
    Ok(Deployment {
        kafka: stage.kafka.clone(),
        database_url: stage.stack.database_url().to_owned(),
        senders: vec![Topic::LoanApplications.base_name().to_owned()],
        policy: digest("policies/standard/1.0.0.yaml")?,
        route: digest("routes/standard/1.0.0.toml")?,
        uncounted: Vec::new(),
        ingest: ingest::Config::default(),
    })
}

/// Waits until everything is answered and stored.
///
/// # Errors
/// When a server cannot be read.
pub fn drained(from: &Deployment, stack: &mut Supervisor) -> Result<Truth> {
    let started = Instant::now();
    loop {
        stack.tend()?;
        let truth = Truth::read(from)?;
        let is_stored = || anyhow::Ok(runtime()?.block_on(stored(&from.database_url))? >= truth.decided() as i64);
        if started.elapsed() > PATIENCE || (truth.is_answered() && is_stored()?) {
            return Ok(truth);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

async fn stored(url: &str) -> Result<i64> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    let connection = runtime::task::spawn("count", connection);
    let row = client.query_one("SELECT count(*) FROM defaultx.decisions WHERE decision_number = 1", &[]).await?;
    drop(client);
    connection.await??;
    Ok(row.get(0))
}

/// Holds everything against everything, and writes the result.
///
/// # Errors
/// When something does not fit.
pub fn judge(out: &Path, from: &Deployment, mut truth: Truth, sent: usize, told: Vec<String>) -> Result<()> {
    let report = runtime()?.block_on(async {
        truth.complete(from).await?;
        anyhow::Ok(verify::run(&from.database_url, &verify::Options::default()).await?)
    })?;
    let mut findings = Findings::default();
    truth.judge(&mut findings);
    let (replayed, differing) = replay(from)?;
    let result = json!({
        "submitted": sent,
        "published": truth.published,
        "accepted": truth.accepted(),
        "decided_distinct": truth.decided(),
        "decided_in_database": truth.stored(),
        "lost": findings.lost,
        "doubled": findings.doubled,
        "skipped": findings.skipped,
        "wrong": findings.wrong,
        "told": findings.told,
        "policies_used": truth.policy.uses(),
        "routes_used": truth.route.uses(),
        "replayed": replayed,
        "replayed_differently": differing,
        "steps": told,
        "audit_verified": report.is_whole(),
    });
    std::fs::write(out, serde_json::to_vec_pretty(&result)?).context("writing the result")?;
    println!("{result:#}");
    if !findings.is_clean() || !report.is_whole() || !differing.is_empty() {
        bail!("the stack did not keep its word");
    }
    Ok(())
}

/// Handles the score events and activations of every position once more, with nothing on the disk but the policy of the start, and
/// gives how many decisions came of it, and those that name another version than they did.
fn replay(from: &Deployment) -> Result<(usize, Vec<String>)> {
    let prefix = &from.kafka.topic_prefix;
    let shipped = Library::read(&root().join("policies"), &decision::Config::default().default_policy)?;
    let metrics = Metrics::new(&Registry::new())?;
    let mut worker = Harness::new(DecisionHandler::new(shipped, "again".into(), clock::now, metrics));
    let (risk, letters) = (Topic::Risk.name(prefix), Topic::DeadLetters.name(prefix));
    let mut passed_by: BTreeSet<(i32, i64)> = BTreeSet::new();
    read_to_end(&from.kafka, [letters.as_str()], |message| {
        if let Letter::Dead(Dead { reason, origin, .. }) = Letter::of(message)
            && reason == runtime::stream::PASSED_BY
            && origin.topic == risk
        {
            passed_by.insert((origin.partition, origin.offset));
        }
        Ok(())
    })?;
    let mut again: BTreeMap<String, String> = BTreeMap::new();
    read_to_end(&from.kafka, [risk.as_str()], |message| {
        let input = OwnedInput::from(&Input::of(message));
        let place = (input.partition, input.offset.get());
        let fed = match header(message, ce::TYPE) {
            Some(ACTIVATED) if passed_by.contains(&place) => worker.passed_by(&input),
            Some(ACTIVATED) => worker.control(&input),
            _ => worker.feed(std::slice::from_ref(&input)),
        };
        let (_, outputs) = fed.map_err(|error| anyhow::anyhow!("{risk}/{place:?}: {error}"))?;
        for (_, output) in outputs {
            let id = output.headers.iter().find(|(name, _)| *name == ce::ID).map(|(_, id)| id.clone());
            let decision: Decision = serde_json::from_slice(output.payload.as_deref().unwrap_or_default())?;
            again.insert(String::from_utf8(id.context("a decision without an id")?)?, decision.policy.digest);
        }
        Ok(())
    })?;
    let mut first: HashMap<String, String> = HashMap::new();
    let decisions = Topic::Decisions.name(prefix);
    read_to_end(&from.kafka, [decisions.as_str()], |message| {
        let decision: Decision = serde_json::from_slice(message.payload().unwrap_or_default())?;
        let id = header(message, ce::ID).context("a decision without an id")?;
        first.insert(id.to_owned(), decision.policy.digest);
        Ok(())
    })?;
    let differing = again.iter().filter(|(id, digest)| first.get(*id) != Some(*digest));
    Ok((again.len(), differing.map(|(id, _)| id.clone()).take(8).collect()))
}
