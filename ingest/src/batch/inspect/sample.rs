//! The first rows of a file that nobody has described yet: which bytes stand for which letters, and what stands between cells.

use crate::batch::bounded::Records;
use crate::mapping::dialect::Dialect;
use chardetng::EncodingDetector;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::io::{self, Read};

/// Bytes that are looked at.
const SAMPLE_BYTES: u64 = 1 << 20;
/// Rows that are looked at.
const SAMPLE_ROWS: usize = 2_000;
/// Rows by which the delimiter is chosen.
const TRIED_ROWS: usize = 200;
/// Bytes of a record, as of a body.
const RECORD_BYTES: usize = 1 << 20;

/// What may stand between cells. Of two that fit alike the first: a comma stands in numbers and text too.
const DELIMITERS: [u8; 4] = [b'\t', b';', b'|', b','];

/// The beginning of a file.
pub(super) struct Sample {
    pub(super) encoding: &'static Encoding,
    /// By what the encoding was told.
    pub(super) told_by: &'static str,
    /// Whether a person has to look at it.
    pub(super) is_guess: bool,
    pub(super) delimiter: u8,
    pub(super) header: Vec<String>,
    /// As wide as the header, untrimmed.
    pub(super) rows: Vec<Vec<String>>,
    /// Rows of another width.
    pub(super) ragged: usize,
}

/// Takes the beginning of a file apart; none where it holds no header with two columns.
pub(super) fn sample(file: impl Read) -> io::Result<Option<Sample>> {
    let mut bytes = Vec::new();
    file.take(SAMPLE_BYTES).read_to_end(&mut bytes)?;
    let is_cut = bytes.len() as u64 == SAMPLE_BYTES;
    let (encoding, told_by, is_guess) = encoding_of(&bytes);
    let mut best: Option<(Tried, u8)> = None;
    for delimiter in DELIMITERS {
        let tried = tried(&bytes, Dialect::new(delimiter, encoding), is_cut)?;
        if tried.width > 1 && best.as_ref().is_none_or(|(known, _)| tried.rank() > known.rank()) {
            best = Some((tried, delimiter));
        }
    }
    let Some((Tried { mut records, ragged, .. }, delimiter)) = best else { return Ok(None) };
    let header = records.remove(0);
    Ok(Some(Sample { encoding, told_by, is_guess, delimiter, header, rows: records, ragged }))
}

/// A file as one delimiter takes it apart.
struct Tried {
    width: usize,
    /// Header first; those of its width.
    records: Vec<Vec<String>>,
    ragged: usize,
    /// Of the first rows, the share in a thousand that is as wide as the header.
    even: usize,
}

impl Tried {
    fn rank(&self) -> (usize, usize) {
        (self.even, self.width)
    }
}

fn tried(bytes: &[u8], dialect: Dialect, is_cut: bool) -> io::Result<Tried> {
    let mut reader = Records::new(dialect.decoded(bytes), RECORD_BYTES, &dialect);
    let mut all = Vec::new();
    while all.len() <= SAMPLE_ROWS
        && let Some(piece) = reader.next()?
    {
        let cells: Vec<String> = piece.content.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
        let is_hint = all.is_empty() && cells.len() <= 2 && cells.first().is_some_and(|cell| cell.starts_with("sep="));
        if !is_hint && cells.iter().any(|cell| !cell.trim().is_empty()) {
            all.push(cells);
        }
    }
    // The last one may go on behind what was read.
    if is_cut && all.len() <= SAMPLE_ROWS {
        all.pop();
    }
    let width = all.first().map_or(0, Vec::len);
    let first = &all[..all.len().min(TRIED_ROWS)];
    let even = first.iter().filter(|cells| cells.len() == width).count() * 1_000 / first.len().max(1);
    let count = all.len();
    let records: Vec<_> = all.into_iter().filter(|cells| cells.len() == width).collect();
    Ok(Tried { width, ragged: count - records.len(), records, even })
}

/// The encoding, by what it was told, and whether that is a guess.
fn encoding_of(bytes: &[u8]) -> (&'static Encoding, &'static str, bool) {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return (encoding, "by its byte order mark", false);
    }
    let pairs = bytes.chunks_exact(2).take(4_096);
    let count = pairs.len();
    let (mut high, mut low) = (0, 0);
    for pair in pairs {
        high += usize::from(pair[0] == 0);
        low += usize::from(pair[1] == 0);
    }
    // Text of Latin letters has a zero in every second byte of UTF-16, and none anywhere else.
    if low > count / 2 && high < count / 20 {
        return (UTF_16LE, "by its zeros; it has no byte order mark", false);
    }
    if high > count / 2 && low < count / 20 {
        return (UTF_16BE, "by its zeros; it has no byte order mark", false);
    }
    match std::str::from_utf8(bytes) {
        Ok(_) => (UTF_8, "by its bytes", false),
        // Cut in the middle of a letter.
        Err(error) if error.error_len().is_none() => (UTF_8, "by its bytes", false),
        Err(_) => {
            let mut detector = EncodingDetector::new();
            detector.feed(bytes, true);
            (detector.guess(None, false), "by its bytes, which are no UTF-8", true)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_by_itself_how_it_is_written() {
        let german = "Antrag;Straße;Betrag\r\n1;Größe, Öl;1.234,50 €\r\n2;\"A;B\";0,50 €\r\n3;c\r\n";
        let utf_16 = |order: fn(u16) -> [u8; 2]| german.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        let (cp1252, _, _) = encoding_rs::WINDOWS_1252.encode(german);
        let rows: [(&str, Vec<u8>); 5] = [
            ("UTF-8", german.into()),
            ("UTF-8", format!("\u{feff}{german}").into()),
            ("windows-1252", cp1252.into_owned()),
            ("UTF-16LE", utf_16(u16::to_le_bytes)),
            ("UTF-16BE", [b"\xfe\xff".to_vec(), utf_16(u16::to_be_bytes)].concat()),
        ];
        for (encoding, bytes) in rows {
            let sample = sample(bytes.as_slice()).unwrap().unwrap();
            assert_eq!((sample.encoding.name(), sample.delimiter, sample.ragged), (encoding, b';', 1));
            assert_eq!(sample.header, ["Antrag", "Straße", "Betrag"]);
            assert_eq!(sample.rows[1], ["2", "A;B", "0,50 €"]);
        }
        for (text, delimiter) in
            [("a,b\n1,\"2;3\"\n", b','), ("a\tb c,d\n1\t2,3\n", b'\t'), ("sep=|\na|b\n1|2\n", b'|')]
        {
            assert_eq!(sample(text.as_bytes()).unwrap().unwrap().delimiter, delimiter, "{text}");
        }
        for text in ["", "a\n1\n2\n", "\n\n"] {
            assert!(sample(text.as_bytes()).unwrap().is_none(), "{text:?}");
        }
    }
}
