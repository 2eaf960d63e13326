//! The one binary of the stack as a library, so that tests and benchmarks drive the same code: the command line, the whole
//! configuration, the workers in one process, topics, dead letters, the demonstration. Scores, decides and writes nothing itself.
//!
//! Reading order: [`cli`] (what can be asked for), [`settings`] with [`knobs`] and `judge`, [`place`] and [`database`] (with what, and where), `attributes` (what senders may send), [`workers`] and [`run`]
//! (the stack), [`topics`], [`gaps`], [`activations`] and [`scorers`], `product` with `product_skeleton`, [`letters`] and [`redrive`], [`rows`], `outcomes`, [`reader`], [`say`], [`terminal`], [`witness`], [`commands`],
//! [`demo`].

#[macro_use]
mod say; // first: it is what every other file prints with

pub mod activations;
mod attributes;
pub mod cli;
mod commands;
mod data_digest_key;
pub mod database;
pub mod demo;
pub mod gaps;
mod judge;
mod knobs;
pub mod letters;
mod outcomes;
pub mod place;
mod product;
mod product_skeleton;
pub mod reader;
pub mod redrive;
pub mod rows;
pub mod run;
pub mod scorers;
pub mod settings;
mod terminal;
pub mod topics;
pub mod witness;
pub mod workers;

use clap::Parser;
use std::ffi::OsString;
use std::time::Duration;

/// How long threads may take to end once the command has.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Exit code of a failure.
const FAILED: i32 = 1;

/// Runs a command line whose first word is the program's name; gives the exit code.
pub fn main_with(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> i32 {
    let cli = match cli::Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            return match error.print() {
                Ok(()) => error.exit_code(),
                Err(why) if why.kind() == std::io::ErrorKind::BrokenPipe => say::READER_GONE,
                Err(_) => FAILED,
            };
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return FAILED;
        }
    };
    let ended = runtime.block_on(commands::dispatch(cli));
    // Whatever still blocks a thread has nobody left to answer to.
    runtime.shutdown_timeout(LAST_WORDS);
    match ended {
        Ok(code) => say::ended(code),
        Err(error) => {
            // It may cite a file or a record.
            eprintln!("error: {}", terminal::lines(&say::told(&error)));
            FAILED
        }
    }
}
