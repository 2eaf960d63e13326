//! One function for each command: settings in, the work called, the result printed. Logic lives elsewhere.

mod audit;
mod batch;
mod dead_letters;
mod deliveries;
mod gaps;
mod in_force;
mod model;
mod policy;
mod product;
mod route;
mod schemas;
mod stack;
pub mod token;

use crate::cli::{Cli, Command, ConfigCommand, PlaceArgs, RunArgs, TopicsCommand};
use crate::database::{self, Applied};
use crate::place::{self, Needs};
use crate::settings::{self, Settings};
use crate::topics::rights;
use crate::workers::Worker;
use crate::{demo, run, topics};
use anyhow::Result;
use runtime::{shutdown, telemetry};

/// Runs a command; gives the exit code.
///
/// # Errors
/// What went wrong, for people.
pub(crate) async fn dispatch(cli: Cli) -> Result<i32> {
    let Cli { place, command } = cli;
    let settings = settings::load(&place)?;
    let is_service = matches!(command, Command::Run(_));
    let filter = if is_service { &settings.process.log_filter } else { "warn,librdkafka=off,tract=error" };
    telemetry::init(settings.process.log_format, std::env::var("RUST_LOG").as_deref().unwrap_or(filter))?;
    match command {
        Command::Run(args) => run_workers(settings, &place, &args).await,
        Command::Demo(args) => demo::run(settings, &args).await,
        Command::Up(args) => stack::up(settings, &place, &args).await,
        Command::Down => stack::down(&place).await,
        Command::Topics(command) => topics_of(settings, &place, &command).await,
        Command::Migrate { logins } => migrate(settings, &place, logins).await,
        Command::Batch(args) => batch::run(settings, &place, args).await,
        Command::DeadLetters(command) => dead_letters::run(settings, &place, command).await,
        Command::Deliveries(command) => deliveries::run(settings, &place, command).await,
        Command::Gaps(command) => gaps::run(settings, &place, command).await,
        Command::Audit(command) => audit::run(settings, &place, command).await,
        Command::Pass(args) => in_force::pass_by(settings, &place, args).await,
        Command::Policy(command) => policy::run(settings, &place, command).await,
        Command::Model(command) => model::run(settings, &place, command).await,
        Command::Route(command) => route::run(settings, &place, command).await,
        Command::Product(command) => product::run(&settings, command),
        Command::Schemas(command) => schemas::run(&settings, command),
        Command::Config(ConfigCommand::Show) => {
            println!("{}", runtime::config::show(&settings)?);
            Ok(0)
        }
        Command::Token(args) => token::run(settings, &place, args).await,
    }
}

async fn run_workers(mut settings: Settings, place: &PlaceArgs, args: &RunArgs) -> Result<i32> {
    let workers = Worker::parse(&args.workers)?;
    if let Some(instance) = &args.instance {
        settings.process.instance.clone_from(instance);
    }
    if let Some(ops) = &args.ops {
        settings.process.ops_listen.clone_from(ops);
    }
    place::settle(&mut settings, &place.stack, Needs::of(true, workers.iter().any(|worker| worker.needs_database())))?;
    let running = run::start(&settings, &workers, shutdown::on_signal()?).await?;
    running.wait().await?;
    Ok(0)
}

async fn topics_of(mut settings: Settings, place: &PlaceArgs, command: &TopicsCommand) -> Result<i32> {
    place::settle(&mut settings, &place.stack, Needs::KAFKA)?;
    let senders = settings.ingest.sender_topics();
    match command {
        TopicsCommand::Apply { acls } => {
            let applied = topics::apply(&settings.kafka, &senders).await?;
            applied.made.iter().for_each(|name| println!("made {name}"));
            applied.altered.iter().for_each(|setting| println!("{setting}"));
            applied.left.iter().for_each(|finding| println!("left as it is: {finding}"));
            let topics::Applied { made, altered, left } = applied;
            println!("{} topics made, {} settings raised, {} findings left", made.len(), altered.len(), left.len());
            if *acls {
                let kafka = settings.kafka.clone();
                let given = tokio::task::spawn_blocking(move || rights::apply(&kafka, &senders)).await??;
                given.left.iter().for_each(|finding| println!("left as it is: {finding}"));
                println!("{} rights given, {} findings left", given.added, given.left.len());
            }
            Ok(0)
        }
        TopicsCommand::Check => {
            let findings = topics::check(&settings.kafka, &senders).await?;
            findings.iter().for_each(|finding| println!("{finding}"));
            println!("{} findings", findings.len());
            Ok(i32::from(!findings.is_empty()))
        }
    }
}

async fn migrate(mut settings: Settings, place: &PlaceArgs, logins: bool) -> Result<i32> {
    place::settle(&mut settings, &place.stack, Needs::DATABASE)?;
    let applied = database::migrate(&settings.database).await?;
    applied.iter().for_each(|name| println!("applied {name}"));
    println!("{} migrations applied", applied.len());
    if logins {
        let Applied { made, renewed, left, is_closed } = database::apply(&settings.database).await?;
        made.iter().for_each(|user| println!("made login {user}"));
        renewed.iter().for_each(|user| println!("login {user} has the configured password"));
        left.iter().for_each(|name| println!("left out: [database.logins.{name}] has no password"));
        if !is_closed {
            println!(
                "left open: any login of the server may connect to the database; give this command as the database's owner"
            );
        }
        println!("{} logins made, {} renewed, {} left out", made.len(), renewed.len(), left.len());
    }
    Ok(0)
}
