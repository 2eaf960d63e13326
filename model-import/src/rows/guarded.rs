//! The one door to the crate that reads Parquet: a panic of it over a damaged file is an answer like its errors.

use super::pages::Refused;
use crate::error::{Context, Result, bail};
use parquet::errors::ParquetError;
use std::cell::Cell as Slot;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether a panic on this thread is an answer to a file.
    static READS: Slot<bool> = const { Slot::new(false) };
}

/// What the crate says of a file. It panics at some that are damaged, which is then all there is to say.
pub fn guarded<T>(read: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let told = take_hook();
        set_hook(Box::new(move |panic| {
            if !READS.get() {
                told(panic)
            }
        }));
    });
    READS.set(true);
    let found = catch_unwind(AssertUnwindSafe(read));
    READS.set(false);
    match found {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(ParquetError::External(why))) if why.is::<Refused>() => bail!("{why}"),
        Ok(Err(why)) => Err(why).context("cannot be read, it may be damaged or cut short"),
        Err(_) => bail!("is damaged"),
    }
}
