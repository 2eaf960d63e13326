//! Model packages, for those who make and look after them: a bare graph and a sample of rows become a package, and a package is
//! checked beyond what loading proves. Reads files and writes a new package; knows no Kafka, no database and no command line.
//!
//! Reading order: [`import`] makes a package of a graph, with [`rows`] and [`cells`] (files of rows) below it; [`check`] with
//! [`golden`], [`parity`] and [`native`] looks at one; [`explain`] shows the parts of a score; [`renew()`] makes the golden file of an edited manifest; [`error`], [`reporter`].

mod cells;
mod check;
mod error;
pub mod explain;
mod golden;
mod import;
mod native;
mod parity;
mod renew;
mod reporter;
mod rows;

pub use cells::{Cell, Cells, Misfit, Written};
pub use check::{Report, check};
pub use error::Error;
pub use golden::Golden;
pub use import::{Imported, Options, import};
pub use renew::renew;
pub use reporter::{Progress, Reporter, Silent};
pub use rows::{Rows, places};
