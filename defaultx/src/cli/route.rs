//! What can be asked of routes. Does nothing.

use clap::Subcommand;
use std::path::PathBuf;

/// Subcommands of `route`.
#[derive(Debug, Clone, Subcommand)]
pub enum RouteCommand {
    /// Say everything that is wrong with route files, against the packages of [scorer] models_dir
    #[command(after_help = CHECK)]
    Check {
        /// TOML files such as routes/standard/1.0.0.toml
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Put a checked route version in force, in every partition at one position
    #[command(after_help = ACTIVATE)]
    Activate {
        /// A version of [scorer] routes_dir, or the TOML file; it travels with the activation, and every scorer that runs must hold its packages
        #[arg(value_name = "NAME@VERSION|FILE")]
        route: String,
        /// Who asks
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Also where a member of the scorers' group has not announced what it holds
        #[arg(long)]
        unasked: bool,
        /// Although `route check` finds errors in conditions
        #[arg(long)]
        force: bool,
    },
}

const CHECK: &str = "\
A route says which packages score an application, and which of them decides. Everything is checked that the scorer checks
when it reads the document: keys, packages, shares, conditions, entries that no application can reach.

Conditions are reviewed as those of policies: words that do not exist, attributes that no package reads, what may be absent, what
never or always holds. docs/policies.md says what each finding means.

Ends with code 1 if there is an error.

Example:
  defaultx route check routes/*/*.toml";

const ACTIVATE: &str = "\
Model versions that were activated before give way to those that the route names: the newest record counts.

Example:
  defaultx route activate standard@1.1.0 --by risk-team";
