//! What whoever waits is shown meanwhile. What shows it is the caller's.

/// Shows how far something is.
pub trait Reporter {
    /// A line of text.
    fn line(&self, text: &str);
    /// A file is read from here on, of so many bytes or, where it is a Parquet file, so many rows.
    fn reading(&self, total: u64) -> Box<dyn Progress>;
}

/// How far a file is read.
pub trait Progress {
    /// So far, of the total; so many rows were read.
    fn at(&self, place: u64, rows: u64);
    /// To its end.
    fn end(&self);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Reporter for Silent {
    fn line(&self, _: &str) {}

    fn reading(&self, _: u64) -> Box<dyn Progress> {
        Box::new(Self)
    }
}

impl Progress for Silent {
    fn at(&self, _: u64, _: u64) {}

    fn end(&self) {}
}
