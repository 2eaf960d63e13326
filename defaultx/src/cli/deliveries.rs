//! What can be asked of webhooks. Does nothing.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use uuid::Uuid;

/// What a delivery can be.
const STATES: [&str; 4] = ["pending", "delivered", "failed", "disabled"];

/// Subcommands of `deliveries`.
#[derive(Debug, Clone, Subcommand)]
pub enum DeliveriesCommand {
    /// One line for each, newest last
    #[command(after_help = LIST)]
    List(ListArgs),
    /// Send again what did not arrive, under the same webhook-id; what waits already is left, so it may be given twice
    #[command(after_help = RESEND)]
    Resend(ResendArgs),
    /// Send to an endpoint again that had answered 410 Gone, with what came meanwhile
    #[command(after_help = ENABLE)]
    Enable {
        /// Id of the subscription
        #[arg(value_name = "SUBSCRIPTION")]
        subscription: String,
        /// Who asks and why
        #[command(flatten)]
        who: WhoArgs,
    },
    /// How each subscription stands, and what is wrong with those that are configured; ends with code 1 if one is disabled or refused
    #[command(visible_alias = "subscriptions")]
    Endpoints {
        /// Print each as a line of JSON
        #[arg(long)]
        json: bool,
    },
}

/// Options of `deliveries list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Only those in this state; as often as needed
    #[arg(long = "state", value_name = "STATE", value_parser = PossibleValuesParser::new(STATES))]
    pub states: Vec<String>,
    /// Only of this subscription
    #[arg(long, value_name = "ID")]
    pub subscription: Option<String>,
    /// Only those queued since then: a time as RFC 3339, a date (its midnight, UTC), or an age such as 90m, 24h or 7d
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// The newest so many
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub limit: u32,
    /// Print each as a line of JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `deliveries resend`.
#[derive(Debug, Clone, Args)]
pub struct ResendArgs {
    /// This delivery, its webhook-id; as often as needed
    #[arg(long = "id", value_name = "UUID", conflicts_with_all = ["subscription", "since"], value_parser = delivery_id)]
    pub ids: Vec<Uuid>,
    /// All of this subscription
    #[arg(long, value_name = "ID", requires = "since")]
    pub subscription: Option<String>,
    /// With --subscription: those queued since then, a time as RFC 3339, a date (its midnight, UTC) or an age such as 90m, 24h or 7d
    #[arg(long, value_name = "TIME", requires = "subscription")]
    pub since: Option<String>,
    /// Also what was delivered: for a receiver that lost what it had
    #[arg(long)]
    pub delivered: bool,
    /// Who asks and why
    #[command(flatten)]
    pub who: WhoArgs,
    /// Only say what would be sent
    #[arg(long)]
    pub dry_run: bool,
}

fn delivery_id(text: &str) -> Result<Uuid, String> {
    text.parse().map_err(|_| "a webhook-id is a UUID, such as 4f1cbb50-0d3b-5c8e-9a52-5f0b7b0f8a11".to_owned())
}

/// On whose word it is done.
#[derive(Debug, Clone, Args)]
pub struct WhoArgs {
    /// Who asks; recorded with each delivery
    #[arg(long, value_name = "NAME")]
    pub by: String,
    /// Why; recorded
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
}

const LIST: &str = "\
States: pending (waits for its first or next attempt, or is under way), delivered, failed (the last attempt of the schedule did not
arrive), disabled (kept until its endpoint is enabled).

Examples:
  defaultx deliveries list --state failed --since 24h
  defaultx deliveries list --subscription core-banking --json | jq -r 'select(.reason == \"timeout\").id'";

const RESEND: &str = "\
A delivery that is sent again has a whole schedule of attempts before it. The receiver sees the same webhook-id and the same body, and a
receipt stands on credit.notifications.v1 for each time that it ended. It uses the login `notifier`.

Ends with code 1 if an id has no delivery, or if Kafka has yet to take the receipt of how one ended: give it again then.

Examples:
  defaultx deliveries resend --subscription core-banking --since 24h --by operations --why \"their certificate had expired\"
  defaultx deliveries resend --id 4f1cbb50-0d3b-5c8e-9a52-5f0b7b0f8a11 --by operations";

const ENABLE: &str = "\
What came while the endpoint was disabled is kept for [notifier] keep_days, and sent now. If it answers 410 once more it is disabled
once more, and nothing is lost by that.

Example:
  defaultx deliveries enable core-banking --by operations --why \"they answered 410 by mistake\"";
