//! `token`: what can be asked for.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = "\
Examples:
  curl -H \"Authorization: Bearer $(defaultx token --role Officer)\" http://127.0.0.1:8090/v1/applications
  defaultx token --for door --role Originator --tenant bank-a --minutes 60
  defaultx token revoke --jti 0f2b7c5d9e4a41c8b6d3e1f0a2c4b6d8 --by operations --why \"lost laptop\"
  defaultx token revoke --subject ana --by operations
  defaultx token jwks new.pub.pem old.pub.pem > keys.json

A key of your own: openssl genpkey -algorithm ed25519 -out token.pem && openssl pkey -in token.pem -pubout -out token.pub.pem
Servers read the public half: [read-api] token_key and [ingest] door_token_key name the PEM file, or a JWK set.
A new key without an outage: put both into the set, sign with the new one, and take the old one out once its tokens have expired.";

/// Roles that a server of ours knows.
const ROLES: [&str; 5] = ["Admin", "Officer", "Reviewer", "Auditor", "Originator"];

/// Options of `token`.
#[derive(Debug, Clone, Args)]
pub struct TokenArgs {
    /// Instead of minting one
    #[command(subcommand)]
    pub command: Option<TokenCommand>,
    /// Which server takes it
    #[arg(long = "for", value_name = "SERVER", value_enum, default_value_t = Server::ReadApi)]
    pub server: Server,
    /// What it allows; as often as needed. At read-api Admin and Officer see all, Reviewer and Auditor all but who applied; at the door
    /// Originator, Officer and Admin send
    #[arg(long = "role", value_name = "ROLE", default_value = "Officer", value_parser = PossibleValuesParser::new(ROLES))]
    pub roles: Vec<String>,
    /// The tenant whose data it opens; at read-api `*` is all
    #[arg(long, default_value = "demo")]
    pub tenant: String,
    /// Who it is for
    #[arg(long, default_value = "demo-user")]
    pub subject: String,
    /// Minutes for which it is good, at most what its server takes (`token_max_minutes`)
    #[arg(long, default_value_t = 60)]
    pub minutes: u32,
    /// Private Ed25519 key (PEM); without it the one of the local stack
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

/// A server that takes tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Server {
    /// Answers questions
    ReadApi,
    /// Takes applications by HTTP
    Door,
}

/// Subcommands of `token`.
#[derive(Debug, Clone, Subcommand)]
pub enum TokenCommand {
    /// Call tokens back before they expire: one by its id, or all of a subject made before a time. Servers hear of it at once
    Revoke {
        /// Id of the token (`jti`)
        #[arg(long, value_name = "ID", conflicts_with = "subject", required_unless_present = "subject")]
        jti: Option<String>,
        /// The person or program (`sub`), of whatever tenant
        #[arg(long, value_name = "NAME")]
        subject: Option<String>,
        /// With --subject: tokens made before this time, RFC 3339; now without it
        #[arg(long, value_name = "TIME", requires = "subject")]
        not_before: Option<String>,
        /// Who revokes; recorded
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Why; recorded
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Print a JWK set of public keys, each named by its RFC 7638 thumbprint, as tokens minted here name theirs
    Jwks {
        /// Public keys in PEM form
        #[arg(required = true, value_name = "FILE")]
        keys: Vec<PathBuf>,
    },
}
