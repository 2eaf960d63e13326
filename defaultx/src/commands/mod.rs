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

use crate::cli::{
    AuditCommand, Cli, Command, ConfigCommand, DeadLettersCommand, EpochCommand, GapsCommand, ModelCommand, PlaceArgs,
    PolicyCommand, RouteCommand, RunArgs, TopicsCommand,
};
use crate::database::{self, Applied};
use crate::knobs::page::page;
use crate::knobs::shown::{Asked, shown};
use crate::place::{self, Needs};
use crate::settings::{self, Settings};
use crate::topics::rights;
use crate::workers::Worker;
use crate::{demo, judge, run, say, terminal, topics};
use anyhow::Result;
use runtime::config::Origins;
use runtime::{shutdown, task, telemetry};

/// Runs a command; gives the exit code.
///
/// # Errors
/// What went wrong, for people.
pub(crate) async fn dispatch(cli: Cli) -> Result<i32> {
    let Cli { place, command } = cli;
    let (settings, origins) = settings::load_traced(&place)?;
    let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    settings::near_variables(variables).iter().for_each(|line| eprintln!("warning: {line}"));
    if only_tells(&command) {
        say::only_tell();
    }
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
        Command::InForce => in_force::show(settings, &place).await,
        Command::Pass(args) => in_force::pass_by(settings, &place, args).await,
        Command::Policy(command) => policy::run(settings, &place, command).await,
        Command::Model(command) => model::run(settings, &place, command).await,
        Command::Route(command) => route::run(settings, &place, command).await,
        Command::Product(command) => product::run(settings, &place, command).await,
        Command::Schemas(command) => schemas::run(&settings, command),
        Command::Config(command) => config(settings, &place, &origins, command),
        Command::Token(args) => token::run(settings, &place, args).await,
    }
}

/// Whether a command only says what is: it may end where nobody reads on.
fn only_tells(command: &Command) -> bool {
    match command {
        Command::Config(_) | Command::InForce => true,
        Command::Topics(command) => matches!(command, TopicsCommand::Check),
        Command::DeadLetters(command) => {
            matches!(command, DeadLettersCommand::List(_) | DeadLettersCommand::Show { .. })
        }
        Command::Gaps(command) => matches!(command, GapsCommand::List),
        Command::Audit(command) => matches!(
            command,
            AuditCommand::Verify(_)
                | AuditCommand::Find { .. }
                | AuditCommand::Checkpoint(_)
                | AuditCommand::Epoch(EpochCommand::List)
        ),
        Command::Policy(command) => matches!(command, PolicyCommand::Check { .. }),
        Command::Route(command) => matches!(command, RouteCommand::Check { .. }),
        Command::Model(command) => {
            !matches!(command, ModelCommand::Import(_) | ModelCommand::Activate { .. } | ModelCommand::Golden { .. })
        }
        _ => false,
    }
}

fn config(mut settings: Settings, place: &PlaceArgs, origins: &Origins, command: ConfigCommand) -> Result<i32> {
    match command {
        ConfigCommand::Show { explain: false, section: None, changed: false } => {
            println!("{}", runtime::config::show(&settings)?);
        }
        ConfigCommand::Show { explain, section, changed } => {
            print!("{}", shown(&settings, origins, &Asked { explain, section, changed })?);
        }
        ConfigCommand::Check => {
            place::fill_in(&mut settings, &place.stack)?;
            let faults = judge::faults(&settings);
            faults.iter().for_each(|fault| println!("{}", terminal::lines(fault)));
            println!("{}", say::counted(faults.len() as u64, "fault"));
            return Ok(i32::from(!faults.is_empty()));
        }
        ConfigCommand::Page => print!("{}", page()),
    }
    Ok(0)
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
    let (addresses, all_ready) = (running.addresses(&settings, &workers), running.all_ready());
    // Beside the workers: one that cannot listen ends the process, and is not waited for here.
    drop(task::spawn("addresses", async move {
        addresses.await.lines(&settings).iter().for_each(|line| println!("{line}"));
        all_ready.await;
        println!("ready");
    }));
    running.wait().await?;
    println!("stopped");
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
