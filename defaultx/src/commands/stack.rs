//! `up` and `down`: servers of this machine that stay between commands.

use crate::cli::{PlaceArgs, UpArgs};
use crate::database::{self, Applied};
use crate::place::{Keys, give_rights, lasting_stack, point};
use crate::settings::Settings;
use crate::topics;
use anyhow::{Context, Result, bail};
use local::{Found, Stack};
use runtime::pg;
use std::path::Path;

/// Starts the servers, makes topics and tables, and leaves the servers running. What is there already stays as it is, so that
/// the command may be given again; a server that has ended is started beside the one that runs.
pub async fn up(mut settings: Settings, place: &PlaceArgs, args: &UpArgs) -> Result<i32> {
    let dir = place.stack.clone();
    let (asked, install) = (settings.clone(), args.install_packages);
    let stack = tokio::task::spawn_blocking(move || lasting_stack(&asked, &dir, install)).await??;
    let Some((stack, found)) = stack else { bail!("both servers are yours already: --kafka and --database are set") };
    Keys::of(&place.stack)?;
    let has_database = settings.database.url.is_empty();
    point(&mut settings, &stack);
    let applied = topics::apply(&settings.kafka, &settings.ingest.sender_topics()).await?;
    let given = give_rights(&settings, &stack).await?;
    let migrated = database::migrate(&settings.database).await?;
    let logins = match has_database {
        true => database::give_logins(&mut settings.database, &place.stack).await?,
        false => Applied::default(),
    };
    match found {
        Found::Nothing => {}
        Found::All => println!("It runs already, in {}", place.stack.display()),
        Found::AllBut(name) => {
            println!("{name} had ended and is started; the rest ran on, in {}", place.stack.display())
        }
    }
    println!("Kafka       {}", stack.bootstrap());
    println!("PostgreSQL  {}", pg::shown(stack.database_url()));
    println!("            the superuser's password is in {}", place.stack.join("house.json").display());
    let (made, applied_migrations) = (applied.made.len(), migrated.len());
    println!("            {made} topics made, {applied_migrations} migrations applied, {given} rights given");
    if !stack.passwords().is_empty() {
        println!("            users and passwords of Kafka: {}", place.stack.join("kafka/logins.json").display());
    }
    if has_database {
        println!("            users and passwords of PostgreSQL: {}", place.stack.join(database::FILE).display());
        println!("            {} logins made, {} renewed", logins.made.len(), logins.renewed.len());
    }
    applied.left.iter().for_each(|finding| println!("            {finding}"));
    println!("\nNow `defaultx run all`; `defaultx down` stops the servers.");
    tokio::task::spawn_blocking(|| stack.leave_running()).await??;
    Ok(0)
}

/// Stops them; the data stays.
pub async fn down(place: &PlaceArgs) -> Result<i32> {
    stop(&place.stack).await?;
    println!("stopped; the data stays in {}", place.stack.display());
    Ok(0)
}

async fn stop(dir: &Path) -> Result<()> {
    let dir = dir.to_owned();
    let stopped = tokio::task::spawn_blocking(move || Stack::stop_left_running(&dir)).await?;
    stopped.context("stopping the servers")
}
