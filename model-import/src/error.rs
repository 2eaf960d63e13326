//! Why a model cannot be read, imported or checked. An error names its place and says what to do; what stands behind it is kept
//! as its source.

use inference::{EngineError, GraphError};
use scoring::LoadError;
use std::error::Error as _;

/// What this crate's functions give.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something cannot be done with a graph, its rows or its package.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something does not hold: what it is, and what to do.
    #[error("{0}")]
    Refused(String),
    /// At a place something went wrong, which is the source.
    #[error("{place}")]
    At {
        /// A file, a line, an option.
        place: String,
        /// What went wrong there.
        source: Box<Error>,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// A file is not of its form.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// A Parquet file cannot be read.
    #[error(transparent)]
    Parquet(#[from] parquet::errors::ParquetError),
    /// A document is not of its form.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A text is no number.
    #[error(transparent)]
    Number(#[from] std::num::ParseFloatError),
    /// A number of a file is out of range.
    #[error(transparent)]
    Range(#[from] std::num::TryFromIntError),
    /// A graph does not load.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A graph that loaded has no answer.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A package does not load.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl Error {
    /// It and all that stands behind it, in one line.
    pub fn told(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            text += &format!(": {error}");
            source = error.source();
        }
        text
    }
}

/// Says where something went wrong.
pub(crate) trait Context<T> {
    /// At this place.
    fn context(self, place: impl Into<String>) -> Result<T>;
    /// At a place that is only worked out when something went wrong.
    fn with_context<P: Into<String>>(self, place: impl FnOnce() -> P) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, place: impl Into<String>) -> Result<T> {
        self.with_context(|| place)
    }

    fn with_context<P: Into<String>>(self, place: impl FnOnce() -> P) -> Result<T> {
        self.map_err(|error| Error::At { place: place().into(), source: Box::new(error.into()) })
    }
}

impl<T> Context<T> for Option<T> {
    fn context(self, place: impl Into<String>) -> Result<T> {
        self.with_context(|| place)
    }

    fn with_context<P: Into<String>>(self, place: impl FnOnce() -> P) -> Result<T> {
        self.ok_or_else(|| Error::Refused(place().into()))
    }
}

/// Ends with [`Error::Refused`].
macro_rules! bail {
    ($($text:tt)*) => {
        return Err($crate::error::Error::Refused(format!($($text)*)))
    };
}

/// Ends with [`Error::Refused`] unless something holds.
macro_rules! ensure {
    ($holds:expr, $($text:tt)*) => {
        {
            let holds: bool = $holds;
            if !holds {
                $crate::error::bail!($($text)*);
            }
        }
    };
}

pub(crate) use {bail, ensure};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_its_places_from_the_outside_in() {
        let number: Result<f32> = "x".parse::<f32>().context("line 2");
        let told = number.context("rows.csv").map_err(|error| error.told());
        assert_eq!(told, Err("rows.csv: line 2: invalid float literal".to_owned()));
        assert_eq!(None::<u8>.context("there is none").map_err(|error| error.told()), Err("there is none".to_owned()));
    }
}
