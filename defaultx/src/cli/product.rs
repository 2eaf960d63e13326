//! What can be asked of products, and of the schemas of their attributes. Does nothing.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Subcommands of `product`.
#[derive(Debug, Clone, Subcommand)]
pub enum ProductCommand {
    /// Say for each place that a product needs what is there, and what to write where something lacks
    #[command(after_help = CHECK)]
    Check {
        /// The product's name, as applications write it
        #[arg(value_name = "PRODUCT")]
        product: String,
    },
    /// Write the scale, the route and the policy of a new product, after those of another one
    #[command(after_help = ADD)]
    Add(AddArgs),
}

/// Options of `product add`.
#[derive(Debug, Clone, Args)]
pub struct AddArgs {
    /// The new product's name, `[a-z0-9_]`, as applications will write it
    #[arg(value_name = "PRODUCT")]
    pub product: String,
    /// The product that it is like: its scale, limits and cutoffs are copied
    #[arg(long, value_name = "PRODUCT")]
    pub like: String,
    /// ISO 4217 code that it is lent in; without it that of the other product
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
    /// The policy to build on; without it the newest file of [decision] default_policy's name
    #[arg(long, value_name = "NAME@VERSION")]
    pub from: Option<String>,
    /// The route to build on; without it the newest file of [scorer] route's name
    #[arg(long, value_name = "NAME@VERSION")]
    pub from_route: Option<String>,
}

/// Subcommands of `schemas`.
#[derive(Debug, Clone, Subcommand)]
pub enum SchemasCommand {
    /// The JSON Schemas of `attributes`, of the feature contracts of the packages that the routes name
    #[command(after_help = ATTRIBUTES)]
    Attributes {
        /// Print this product's
        #[arg(value_name = "PRODUCT", required_unless_present = "to")]
        product: Option<String>,
        /// With what the entries of this tenant's own read
        #[arg(long, value_name = "TENANT", requires = "product")]
        tenant: Option<String>,
        /// Write every product's below this folder, as products/PRODUCT.attributes.json
        #[arg(long, value_name = "DIR", conflicts_with = "product")]
        to: Option<PathBuf>,
        /// Write nothing, and end with code 1 if a file is not what would be written
        #[arg(long, requires = "to")]
        check: bool,
    },
}

const CHECK: &str = "\
A product has five places: [ingest] products, its scale in scales.toml beside the packages, a package that proves itself, an entry
of the newest route, and the newest policy with a cutoff. Nothing is asked of a broker: what is in force is the stream's affair.

Ends with code 1 if something lacks. docs/add-a-product.md has the whole way.

Example:
  defaultx product check credit_card";

const ADD: &str = "\
Appends the scale to scales.toml; makes a new version of a policy and, once a package of the product proves itself, of a route: of the
newest file, or of the one that --from and --from-route name. Says from which, and where a stack can be asked, whether another one is in
force (`defaultx in-force`). Writes no file that is there but scales.toml, and nothing that would not be taken. Then says, as `product check` does,
what is still to be done. It may be run again after each step.

Example:
  defaultx product add boat_loan --like consumer_instalment --currency EUR";

const ATTRIBUTES: &str = "\
Reads [scorer] models_dir and routes_dir. What the door and read-api serve is the same, of the folders of their own machine.

Examples:
  defaultx schemas attributes credit_card
  defaultx schemas attributes --to schemas/json          after a change of a contract or a route
  defaultx schemas attributes --to schemas/json --check  in CI";
