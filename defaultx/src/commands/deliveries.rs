//! `deliveries`: what `list`, `resend`, `enable` and `endpoints` print.

use crate::cli::{DeliveriesCommand, ListArgs, PlaceArgs, ResendArgs, WhoArgs};
use crate::place::{Needs, settle};
use crate::say::counted;
use crate::settings::Settings;
use crate::terminal;
use anyhow::{Result, bail};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use domain::DeliveryStatus;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use notifier::filters::nearest;
use notifier::listing::{self, EndpointState, Listed, Selection, Standing};
use notifier::resend::{Asked, Resent, Which, enable, resend};
use runtime::{clock, pg};
use schemas::rights::Principal;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::time::Duration;
use tokio_postgres::Client;

/// How long `resend` and `enable` wait for receipts that Kafka has yet to take. A sweep of the worker offers them every few seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// What did not arrive.
const NOT_ARRIVED: [DeliveryStatus; 2] = [DeliveryStatus::Failed, DeliveryStatus::Disabled];

/// Runs one of them.
pub async fn run(mut settings: Settings, place: &PlaceArgs, command: DeliveriesCommand) -> Result<i32> {
    settle(&mut settings, &place.stack, Needs::DATABASE)?;
    settings.database.statement_timeout_ms = 0; // a long queue takes as long as it takes
    let client = pg::connect(&settings.database.of(Principal::Notifier.name())).await?;
    match command {
        DeliveriesCommand::List(args) => list(&client, &settings, args).await,
        DeliveriesCommand::Resend(args) => send_again(&client, &settings, args).await,
        DeliveriesCommand::Enable { subscription, who } => enable_again(&client, &settings, subscription, &who).await,
        DeliveriesCommand::Endpoints { json } => endpoints(&client, &settings, json).await,
    }
}

async fn list(client: &Client, settings: &Settings, args: ListArgs) -> Result<i32> {
    let since = args.since.as_deref().map(|text| time(text, clock::now())).transpose()?;
    if let Some(subscription) = &args.subscription {
        known(client, settings, subscription).await?;
    }
    let selection = Selection { states: args.states, subscription: args.subscription, since };
    let mut found = listing::deliveries(client, &selection, i64::from(args.limit) + 1).await?;
    let has_more = found.len() > args.limit as usize;
    if has_more {
        found.remove(0);
    }
    if args.json {
        return lines_of_json(&found);
    }
    println!("{}", heading());
    found.iter().for_each(|delivery| println!("{}", line(delivery)));
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    found.iter().for_each(|delivery| *states.entry(&delivery.state).or_default() += 1);
    let states: Vec<String> = states.iter().map(|(state, count)| format!(", {count} {state}")).collect();
    println!("{} deliveries{}", found.len(), states.concat());
    if has_more {
        eprintln!("older ones are not listed: --limit, --since or --subscription");
    }
    Ok(0)
}

fn heading() -> String {
    format!(
        "{:<36} {:<20} {:<9} {:>8} {:>4} {:<17} {:<24} {:<24} {:<24} SENT AGAIN",
        "ID", "SUBSCRIPTION", "STATE", "ATTEMPTS", "HTTP", "REASON", "QUEUED", "ENDED OR NEXT", "APPLICATION"
    )
}

fn line(delivery: &Listed) -> String {
    let Listed { id, subscription, state, attempts, queued_at, tenant, application_id, revision, .. } = delivery;
    let http = delivery.http_status.map_or_else(String::new, |status| status.to_string());
    let reason = delivery.reason.as_deref().unwrap_or_default();
    let when = delivery.next_at.as_ref().or(delivery.ended_at.as_ref()).map_or("", String::as_str);
    let application = format!("{tenant}|{application_id}|{revision}");
    let again = match (&delivery.resent_at, &delivery.resent_by) {
        (Some(at), Some(by)) => format!(" {} times, last at {at} by {by}", delivery.resends),
        _ => String::new(),
    };
    terminal::line(&format!(
        "{id:<36} {subscription:<20} {state:<9} {attempts:>8} {http:>4} {reason:<17} {queued_at:<24} {when:<24} {application:<24}{again}"
    ))
}

async fn send_again(client: &Client, settings: &Settings, args: ResendArgs) -> Result<i32> {
    let ResendArgs { ids, subscription, since, delivered, who, dry_run } = args;
    if subscription.is_none() && ids.is_empty() {
        bail!("which deliveries? --subscription ID with --since TIME, or --id UUID for each");
    }
    let which = match (subscription, since) {
        (Some(subscription), since) => {
            let since = since.map(|text| time(&text, clock::now())).transpose()?;
            enabled(&known(client, settings, &subscription).await?)?;
            Which::Of { subscription, since }
        }
        (None, _) => {
            for subscription in listing::subscriptions_of(client, &ids).await? {
                enabled(&known(client, settings, &subscription).await?)?;
            }
            Which::Ids(ids)
        }
    };
    let ended: &[DeliveryStatus] = if delivered { DeliveryStatus::ALL } else { &NOT_ARRIVED };
    again(client, which, ended, &who, dry_run).await
}

/// Nothing is sent to an endpoint that is disabled, and what were put back would be kept once more.
fn enabled(Standing { subscription, endpoint, .. }: &Standing) -> Result<()> {
    if *endpoint == EndpointState::Disabled {
        bail!("{subscription} answered 410 Gone and is disabled: defaultx deliveries enable {subscription} --by NAME");
    }
    Ok(())
}

async fn enable_again(client: &Client, settings: &Settings, subscription: String, who: &WhoArgs) -> Result<i32> {
    check(who)?;
    known(client, settings, &subscription).await?;
    // First, and committed: whoever gives deliveries up from now on sees that the endpoint is enabled.
    let enabled = enable(client, &subscription, &who.by, who.why.as_deref()).await?;
    let what = if enabled > 0 { "is enabled" } else { "was not disabled" };
    println!("{} {what}", terminal::line(&subscription));
    again(client, Which::Of { subscription, since: None }, &[DeliveryStatus::Disabled], who, false).await
}

async fn again(client: &Client, which: Which, ended: &[DeliveryStatus], who: &WhoArgs, dry_run: bool) -> Result<i32> {
    check(who)?;
    let asked = Asked { which, ended, by: &who.by, why: who.why.as_deref(), dry_run, patience: PATIENCE };
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar.set_style(ProgressStyle::with_template("{bar:40} {percent:>3} %  {pos} of {len} deliveries, {eta} left")?);
    let progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let resent = resend(client, &asked, progress).await;
    bar.finish_and_clear();
    let resent = resent?;
    resent.unknown.iter().for_each(|id| println!("{id}: no delivery has this id; it may have been deleted by age"));
    println!("{}", summary(&resent, dry_run));
    Ok(i32::from(resent.held > 0 || !resent.unknown.is_empty()))
}

fn summary(resent: &Resent, dry_run: bool) -> String {
    let Resent { queued, pending, left, held, .. } = resent;
    let mut said =
        format!("{queued} {}", if dry_run { "would go back into the queue" } else { "go back into the queue" });
    for (count, what) in [
        (pending, "wait already"),
        (left, "had been delivered (--delivered sends them too)"),
        (held, "stay as they are until Kafka has the receipt of how they ended: give the command again"),
    ] {
        if *count > 0 {
            said += &format!(", {count} {what}");
        }
    }
    said
}

async fn endpoints(client: &Client, settings: &Settings, json: bool) -> Result<i32> {
    let config = settings.notifier_with_words();
    let found = listing::endpoints(client, &config.subscriptions).await?;
    if json {
        lines_of_json(&found)?;
    } else {
        println!(
            "{:<20} {:<14} {:<24} {:>8} {:<24} {:>8} {:>8}",
            "SUBSCRIPTION", "ENDPOINT", "DISABLED", "PENDING", "OLDEST PENDING", "FAILED", "KEPT"
        );
        found.iter().for_each(|standing| println!("{}", standing_line(standing)));
    }
    let disabled = found.iter().filter(|standing| standing.endpoint == EndpointState::Disabled).count();
    if !json {
        println!("{}, {disabled} disabled", counted(found.len() as u64, "subscription"));
    }
    if config.subscriptions.is_empty() {
        let known = listing::subscriptions(client).await?;
        let known = if known.is_empty() { "none".to_owned() } else { terminal::line(&known.join(", ")) };
        eprintln!("no subscription is configured here (--config FILE); the database has deliveries of: {known}");
    }
    let refused = config.check().err();
    if let Some(why) = &refused {
        eprintln!("no notifier starts with this configuration: {}", terminal::line(&why.to_string()));
    }
    Ok(i32::from(disabled > 0 || refused.is_some()))
}

fn standing_line(standing: &Standing) -> String {
    let Standing { subscription, pending, failed, kept, disabled_at, oldest_pending_at, .. } = standing;
    let endpoint = match standing.endpoint {
        EndpointState::Enabled => "enabled",
        EndpointState::Disabled => "disabled",
        EndpointState::Off => "off",
        EndpointState::NotConfigured => "not configured",
    };
    let (since, oldest) =
        (disabled_at.as_deref().unwrap_or_default(), oldest_pending_at.as_deref().unwrap_or_default());
    terminal::line(&format!(
        "{subscription:<20} {endpoint:<14} {since:<24} {pending:>8} {oldest:<24} {failed:>8} {kept:>8}"
    ))
}

/// A subscription that is configured or that the queue knows.
async fn known(client: &Client, settings: &Settings, subscription: &str) -> Result<Standing> {
    let found = listing::endpoints(client, &settings.notifier.subscriptions).await?;
    if let Some(standing) = found.iter().find(|standing| standing.subscription == subscription) {
        return Ok(standing.clone());
    }
    let mut names: Vec<String> = found.into_iter().map(|standing| standing.subscription).collect();
    names.extend(listing::subscriptions(client).await?);
    if names.iter().any(|name| name == subscription) {
        return Ok(Standing::unknown(subscription)); // all that it had was delivered
    }
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let names: Vec<&str> = names.into_iter().collect();
    match nearest(subscription, &names) {
        Some(near) => bail!("no subscription has the id {subscription:?}; did you mean {near:?}?"),
        None if names.is_empty() => {
            bail!(
                "no subscription has the id {subscription:?}: none is configured here (--config FILE), and none has a delivery"
            )
        }
        None => bail!("no subscription has the id {subscription:?}; there are {}", names.join(", ")),
    }
}

fn check(who: &WhoArgs) -> Result<()> {
    for (flag, text, most) in [("--by", Some(&who.by), 256), ("--why", who.why.as_ref(), 1024)] {
        let fits = |text: &String| (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if text.is_some_and(|text| !fits(text)) {
            bail!("{flag}: must be 1 to {most} letters without control characters");
        }
    }
    Ok(())
}

fn lines_of_json<T: Serialize>(all: &[T]) -> Result<i32> {
    for one in all {
        println!("{}", serde_json::to_string(one)?);
    }
    Ok(0)
}

/// A time, or an age before `now`.
fn time(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let age = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        let number = number.parse::<u32>().ok()?;
        now.checked_sub_signed(TimeDelta::try_seconds(i64::from(number).checked_mul(seconds)?)?)
    };
    if let Some(at) = age() {
        return Ok(at);
    }
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Ok(date.and_time(NaiveTime::MIN).and_utc());
    }
    let Ok(at) = DateTime::parse_from_rfc3339(text) else {
        bail!(
            "--since {text}: expected a time as RFC 3339, such as {}, a date such as {}, or an age such as 24h",
            clock::rfc3339(now),
            now.date_naive()
        );
    };
    Ok(at.to_utc())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_an_age() {
        let now = DateTime::parse_from_rfc3339("2026-11-30T12:00:00Z").unwrap().to_utc();
        let rows = [
            ("24h", Some("2026-11-29T12:00:00.000Z")),
            ("90m", Some("2026-11-30T10:30:00.000Z")),
            ("7d", Some("2026-11-23T12:00:00.000Z")),
            ("30s", Some("2026-11-30T11:59:30.000Z")),
            ("2026-11-30T10:00:00+01:00", Some("2026-11-30T09:00:00.000Z")),
            ("2026-11-30", Some("2026-11-30T00:00:00.000Z")),
            ("2026-11-31", None),
            ("-1h", None),
            ("h", None),
            ("", None),
            ("1ä", None),
            ("4294967295d", None),
        ];
        for (text, wanted) in rows {
            let read = time(text, now).ok().map(clock::rfc3339);
            assert_eq!(read.as_deref(), wanted, "{text:?}");
        }
    }

    #[test]
    fn a_line_of_the_list_is_one_line_whatever_stands_in_it() {
        let evil = || "\u{1b}[2J\nall is well".to_owned();
        let delivery = Listed {
            id: evil(),
            subscription: evil(),
            state: evil(),
            attempts: 7,
            resends: 2,
            http_status: Some(500),
            reason: Some(evil()),
            tenant: evil(),
            application_id: evil(),
            revision: 1,
            event_id: evil(),
            queued_at: evil(),
            next_at: None,
            ended_at: Some(evil()),
            resent_at: Some(evil()),
            resent_by: Some(evil()),
            resent_why: Some(evil()),
        };
        let printed = line(&delivery);
        assert!(!printed.contains(char::is_control) && printed.contains("2 times"), "{printed:?}");
    }
}
