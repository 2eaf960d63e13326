//! What a command prints. [`println!`], [`print!`] and [`eprintln!`] of this crate are these: a reader that has gone away (`| head -1`) is no
//! failure of ours. A command that only tells ends with it, as any tool in a pipe; one that acts goes on in silence, and nothing is left half done.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code of a process that SIGPIPE ends, as shells show it.
pub(crate) const READER_GONE: i32 = 141;

/// Whether the command only tells.
static ONLY_TELLS: AtomicBool = AtomicBool::new(false);
/// Why standard output took no more, other than that its reader is gone.
static FAULT: OnceLock<String> = OnceLock::new();

macro_rules! println {
    () => { $crate::say::out(format_args!("\n")) };
    ($($text:tt)*) => { $crate::say::out(format_args!("{}\n", format_args!($($text)*))) };
}

macro_rules! print {
    ($($text:tt)*) => { $crate::say::out(format_args!($($text)*)) };
}

macro_rules! eprintln {
    () => { $crate::say::error(format_args!("\n")) };
    ($($text:tt)*) => { $crate::say::error(format_args!("{}\n", format_args!($($text)*))) };
}

/// From here on the command may end where nobody reads it.
pub(crate) fn only_tell() {
    ONLY_TELLS.store(true, Ordering::Relaxed);
}

/// An error with what is behind it. What repeats its source in its own words, as many do, says it once.
pub(crate) fn told(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if said.is_empty() {
            said = cause;
        } else if !said.ends_with(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

/// `30,000 applications`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match what {
        "" => grouped,
        _ if count == 1 => format!("{grouped} {what}"),
        _ => format!("{grouped} {what}s"),
    }
}

/// Prints on standard output.
pub(crate) fn out(text: Arguments<'_>) {
    // In one piece: a line is not cut between two writes.
    drop(Out.write_all(text.to_string().as_bytes()));
}

/// Prints on standard error, which nobody may read.
pub(crate) fn error(text: Arguments<'_>) {
    drop(io::stderr().write_all(text.to_string().as_bytes()));
}

/// The exit code of a command that ended with `code`: a failure too where what it told did not reach anybody.
pub(crate) fn ended(code: i32) -> i32 {
    drop(Out.flush());
    match FAULT.get() {
        Some(why) => {
            eprintln!("error: standard output: {why}");
            code.max(1)
        }
        None => code,
    }
}

/// Standard output as a writer, by the same rules.
pub(crate) struct Out;

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        take(io::stdout().lock().write_all(bytes));
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        take(io::stdout().lock().flush());
        Ok(())
    }
}

fn take(written: io::Result<()>) {
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            if ONLY_TELLS.load(Ordering::Relaxed) {
                std::process::exit(READER_GONE);
            }
        }
        Err(error) => drop(FAULT.set(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::{counted, told};
    use anyhow::Context;
    use local::LocalError;

    #[test]
    fn numbers_read_well() {
        for (count, wanted) in [(0, "0"), (999, "999"), (1000, "1,000"), (53_308, "53,308"), (1_234_567, "1,234,567")] {
            assert_eq!(counted(count, ""), wanted);
        }
        assert_eq!((counted(1, "letter"), counted(2, "letter")), ("1 letter".to_owned(), "2 letters".to_owned()));
    }

    #[test]
    fn what_stands_behind_an_error_is_said_once() {
        let gone = || std::io::Error::from_raw_os_error(2);
        let error =
            anyhow::Error::new(LocalError::Io { doing: "reading x".to_owned(), source: gone() }).context("starting");
        assert_eq!(told(&error), "starting: reading x: No such file or directory (os error 2)");
        let plain = Err::<(), _>(gone()).context("reading y").expect_err("an error");
        assert_eq!(told(&plain), "reading y: No such file or directory (os error 2)");
    }
}
