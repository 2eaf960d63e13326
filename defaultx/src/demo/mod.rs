//! The demonstration: everything is brought up, 53,308 public applications are published as origination systems would, and what
//! became of them is counted from `read_committed` records and the database alone. Touches no topic but those of its own prefix.
//!
//! Reading order: [`applications`] and [`faults`] (what is sent), [`plan`] (in which order), [`publish`] (by whom), [`live`] (what a
//! sender sees meanwhile), [`count`] and [`ledger`] (what became of it), [`risk`] and [`summary`] (what is said), [`stage`] (the
//! servers and workers), [`receiver`], [`progress`].

pub mod applications;
pub mod count;
pub mod explained;
pub mod faults;
pub mod ledger;
pub mod live;
pub mod plan;
pub mod progress;
pub mod publish;
pub mod receiver;
pub mod risk;
pub mod shot;
pub mod stage;
pub mod summary;

use crate::cli::DemoArgs;
use crate::say::counted;
use crate::settings::Settings;
use anyhow::{Result, anyhow, bail};
use ledger::Ledger;
use live::Live;
use plan::{Mix, Plan};
use progress::{Show, phase, wait};
use publish::{Publisher, send_paced};
use runtime::clock;
use schemas::Topic;
use schemas::rights::Principal;
use stage::Stage;
use std::sync::Arc;
use std::time::{Duration, Instant};
use summary::{Audit, Latency, Summary};

/// Records a second at a steady pace: far below what the stack can do, so that nobody queues.
const PACE_PER_S: f64 = 200.0;
/// How long nothing may move before the run counts what there is.
const PATIENCE: Duration = Duration::from_secs(90);

/// Runs it; gives 0 when every promise was kept, else 1.
///
/// # Errors
/// When it cannot be carried out.
pub async fn run(settings: Settings, args: &DemoArgs) -> Result<i32> {
    if !(args.scale > 0.0 && args.scale <= 1.0) {
        bail!("--scale must be above 0 and at most 1");
    }
    phase("reading the public data sets");
    let now = clock::now();
    let documents = applications::read(&args.data, args.scale, &clock::rfc3339(now))?;
    let plan = Plan::new(documents, Mix::of_scale(args.scale), args.seed);
    let stage = Stage::set(settings, &args.demo_stack, now, args.install.install_packages).await?;
    let result = tokio::select! {
        result = perform(&stage, plan, args) => result,
        () = stage.stop().cancelled() => Err(anyhow!("interrupted")),
    };
    if args.keep && result.is_ok() {
        stage.keep().await?;
    }
    stage.strike().await?;
    result
}

async fn perform(stage: &Stage, plan: Plan, args: &DemoArgs) -> Result<i32> {
    let plan = Arc::new(plan);
    let streamed = stream(stage, plan.clone()).await?;
    let ledger = stage.drained(PATIENCE).await?;
    let looking = stage.verify();
    let audit =
        wait("a walk over the whole audit log", || "the processor: it reads every entry again".to_owned(), looking)
            .await?;
    let summary = Summary::new(streamed.submitted, &ledger, audit, streamed.throughput_per_s, streamed.latency);
    summary.write(&args.out)?;
    println!("{}", summary.page(&ledger));
    let wrong = contradictions(&ledger, &plan, &summary, stage);
    wrong.iter().for_each(|what| println!("WRONG        {what}"));
    println!("Summary      {}", args.out.display());
    Ok(i32::from(!summary.is_true() || !wrong.is_empty()))
}

fn contradictions(ledger: &Ledger, plan: &Plan, summary: &Summary, stage: &Stage) -> Vec<String> {
    let mut wrong = ledger.contradictions(summary.submitted, &plan.refusals());
    let received = stage.receiver.count();
    if received != summary.notifications_delivered {
        wrong.push(format!("{received} webhooks arrived, {} have a receipt", summary.notifications_delivered));
    }
    let later = ledger.dead_later.iter();
    wrong.extend(
        later.map(|((worker, reason), count)| format!("{count} accepted applications set aside by {worker}: {reason}")),
    );
    wrong
}

struct Streamed {
    submitted: u64,
    throughput_per_s: f64,
    latency: Latency,
}

/// Publishes everything, first at full speed, then at a steady pace.
async fn stream(stage: &Stage, plan: Arc<Plan>) -> Result<Streamed> {
    let kafka = &stage.settings.kafka;
    let live = Live::start(kafka)?;
    let sender = kafka.of(Principal::Sender.name());
    let publisher = Arc::new(Publisher::new(&sender, kafka.topic(Topic::LoanApplications.base_name()))?);
    let total = plan.shots().count() as u64;
    phase(&format!("publishing {} records", counted(total, "")));
    let show = Show::start(publisher.acks(), live.seen().clone(), total);

    let started = Instant::now();
    let (bulk, sender) = (plan.clone(), publisher.clone());
    let sent = tokio::task::spawn_blocking(move || {
        bulk.bulk.iter().try_for_each(|shot| sender.send(shot)).and_then(|()| sender.finish())
    });
    let submitted = sent.await??;
    let lag = || format!("{}, and docs/runbooks/DefaultXWorkerLag.md", stage.metrics("defaultx_lag_seconds"));
    let stalled = wait("replies and decisions on all of them", &lag, live.settled(submitted, PATIENCE)).await.err();
    let decided = live.seen().decided();
    let took = live.seen().newest_decision().map_or(Duration::MAX, |at| at.duration_since(started));

    // Nobody's backlog may stand in the way of what is timed.
    let backlog = || format!("{}, and docs/runbooks/DefaultXAuditLag.md", stage.metrics("defaultx_lag_seconds"));
    wait("the audit log and the webhooks to catch up", backlog, stage.quiet(PATIENCE)).await?;
    phase(&format!(
        "publishing {} records more, {PACE_PER_S} a second, to measure how long one takes",
        plan.paced.len()
    ));
    let (paced, sender) = (plan.clone(), publisher.clone());
    let sent = tokio::task::spawn_blocking(move || {
        let due = send_paced(&sender, &paced.paced, PACE_PER_S)?;
        Ok::<_, anyhow::Error>((sender.finish()?, due))
    });
    let (submitted, due) = sent.await??;
    let waited = wait("replies and decisions on these", &lag, live.settled(submitted, PATIENCE)).await;
    let stalled = stalled.or(waited.err());
    drop(show);
    if let Some(why) = stalled {
        eprintln!("  {why}"); // the summary will say what is lost
    }
    let seen = live.stop()?;
    let latency = Latency::of(&seen.latencies_ms(&due));
    Ok(Streamed { submitted, throughput_per_s: decided as f64 / took.as_secs_f64(), latency })
}

impl Stage {
    /// Counts once the deliveries have ended and the log holds what the topics hold.
    async fn drained(&self, patience: Duration) -> Result<Ledger> {
        let pending = "SELECT count(*) FROM defaultx.deliveries WHERE status = 'pending' OR receipt_due";
        let look =
            || format!("{}, and docs/runbooks/DefaultXDeliveryBacklog.md", self.metrics("defaultx_deliveries_backlog"));
        if !wait("webhooks", look, self.until(pending, patience, |pending| pending == 0)).await? {
            eprintln!("  some webhooks are still pending");
        }
        let kafka = self.settings.kafka.clone();
        let topics = || format!("Kafka at {}", self.settings.kafka.bootstrap);
        let counting = tokio::task::spawn_blocking(move || count::count(&kafka));
        let ledger = wait("a count of every record on every topic", topics, counting).await??;
        let wanted = ledger.audited;
        let look = || format!("{}, and docs/runbooks/DefaultXAuditLag.md", self.metrics("defaultx_lag_seconds"));
        if !wait("the audit log", look, self.until(ENTRIES, patience, |entries| entries as u64 >= wanted)).await? {
            eprintln!("  the audit log is behind");
        }
        Ok(ledger)
    }

    /// Where a metric is.
    fn metrics(&self, name: &str) -> String {
        format!("{name} at http://{}/metrics", self.settings.process.ops_listen)
    }

    async fn verify(&self) -> Result<Audit> {
        let keys = self.settings.audit_signer.verifier_keys()?;
        let options = audit_sink::verify::Options { keys, ..Default::default() };
        let mut client = self.unhurried().await?;
        let entries: i64 = client.query_one(ENTRIES, &[]).await?.get(0);
        let report = audit_sink::verify::walk(&mut client, &options).await?;
        report.faults.iter().take(5).for_each(|fault| eprintln!("  {fault}"));
        Ok(Audit { entries: entries as u64, is_whole: report.is_whole() })
    }
}

const ENTRIES: &str = "SELECT coalesce(sum(size), 0)::bigint FROM defaultx.audit_logs";
