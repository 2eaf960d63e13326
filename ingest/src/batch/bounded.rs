//! Lines and CSV records of a file, each with a bound on its bytes: a compressed file of 2 MB may hold one line of 2 GB. What is
//! longer is cut, said to be cut, and read over, so that the next one comes whole.

use crate::mapping::dialect::Dialect;
use csv::ByteRecord;
use csv_core::ReadRecordResult;
use std::io::{BufRead, BufReader, Read, Result};

/// Most cells of a CSV record.
const MAX_CELLS: usize = 16_384;

/// A line or a record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece<T> {
    /// Line of the file at which it begins, from 1.
    pub line: u64,
    /// What it holds, or the beginning of that.
    pub content: T,
    /// Whether there was more.
    pub is_cut: bool,
    /// Lines of the file that it goes over.
    pub lines: u64,
    /// Whether its quotes end where a cell does.
    pub quotes: Quotes,
}

/// How the quotes of a record ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quotes {
    /// Each at the end of its cell.
    Closed,
    /// One in the middle of a cell: what it closed was opened elsewhere.
    Astray,
    /// One not at all: all that follows is in it.
    Open,
}

/// Lines without their ends.
pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    most: usize,
    line: u64,
}

impl<R: Read> Lines<R> {
    /// Lines of at most `most` bytes.
    pub(crate) fn new(reader: R, most: usize) -> Self {
        Self { reader: BufReader::new(reader), most, line: 0 }
    }

    /// The next line; none at the end.
    ///
    /// # Errors
    /// The reader's.
    pub(crate) fn next(&mut self) -> Result<Option<Piece<Vec<u8>>>> {
        let mut content = Vec::new();
        // The end of a line that just fits is one byte more.
        let worker = self.most as u64 + 1;
        if self.reader.by_ref().take(worker).read_until(b'\n', &mut content)? == 0 {
            return Ok(None);
        }
        self.line += 1;
        let is_whole = content.last() == Some(&b'\n');
        let is_cut = !is_whole && content.len() > self.most;
        if is_whole || is_cut {
            content.pop();
        }
        if is_cut {
            self.reader.skip_until(b'\n')?;
        }
        Ok(Some(Piece { line: self.line, content, is_cut, lines: 1, quotes: Quotes::Closed }))
    }
}

/// CSV records as the `csv` crate reads them, whose own readers grow without a bound. Their number of cells is not looked at.
pub(crate) struct Records<R> {
    reader: BufReader<R>,
    core: csv_core::Reader,
    /// The bytes of a record's cells, one after another.
    cells: Box<[u8]>,
    /// Where each cell ends.
    ends: Box<[usize]>,
    place: Place,
}

/// The line that the next byte stands on. A line ends as people's editors say: `\n`, `\r\n` or `\r`, in quotes too.
struct Place {
    line: u64,
    is_after_return: bool,
    delimiter: u8,
    quote: Option<u8>,
    within: Within,
    is_astray: bool,
    /// Whether the byte before it ended a line.
    is_fresh: bool,
}

/// Where in a cell the next byte stands, as far as quotes go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// At its beginning.
    Beginning,
    /// In quotes.
    Quotes,
    /// Behind a quote that closes the cell, or is the first of two that stand for one.
    Quote,
    /// In plain bytes.
    Plain,
}

impl Place {
    fn pass(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let ends = *byte == b'\r' || (*byte == b'\n' && !self.is_after_return);
            self.line += u64::from(ends);
            self.is_after_return = *byte == b'\r';
            self.is_fresh = matches!(byte, b'\r' | b'\n');
            let is_end = self.is_fresh || *byte == self.delimiter;
            let is_quote = self.quote == Some(*byte);
            self.within = match self.within {
                Within::Beginning | Within::Quote if is_quote => Within::Quotes,
                Within::Quotes => {
                    if is_quote {
                        Within::Quote
                    } else {
                        Within::Quotes
                    }
                }
                _ if is_end => Within::Beginning,
                before => {
                    self.is_astray |= before == Within::Quote;
                    Within::Plain
                }
            };
        }
    }

    /// How the quotes of the record that just ended did.
    fn quotes(&self) -> Quotes {
        match (self.within, self.is_astray) {
            (Within::Quotes, _) => Quotes::Open,
            (_, true) => Quotes::Astray,
            _ => Quotes::Closed,
        }
    }
}

impl<R: Read> Records<R> {
    /// Records whose cells have at most `most` bytes together.
    pub(crate) fn new(reader: R, most: usize, dialect: &Dialect) -> Self {
        let mut core = csv_core::ReaderBuilder::new();
        core.delimiter(dialect.delimiter).quoting(dialect.quote.is_some()).quote(dialect.quote.unwrap_or(b'"'));
        let (cells, ends) = (vec![0; most.max(1)].into(), vec![0; MAX_CELLS].into());
        let (delimiter, quote, within) = (dialect.delimiter, dialect.quote, Within::Beginning);
        let place =
            Place { line: 1, is_after_return: false, delimiter, quote, within, is_astray: false, is_fresh: true };
        Self { reader: BufReader::new(reader), core: core.build(), cells, ends, place }
    }

    /// The next record; none at the end. Lines without a byte are passed over.
    ///
    /// # Errors
    /// The reader's.
    pub(crate) fn next(&mut self) -> Result<Option<Piece<ByteRecord>>> {
        self.pass_empty_lines()?;
        let line = self.place.line;
        self.place.is_astray = false;
        let (mut filled, mut ended) = (0, 0);
        let mut beginning = None;
        loop {
            let input = self.reader.fill_buf()?;
            let (result, read, wrote, ends) =
                self.core.read_record(input, &mut self.cells[filled..], &mut self.ends[ended..]);
            self.place.pass(&input[..read]);
            self.reader.consume(read);
            (filled, ended) = (filled + wrote, ended + ends);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    beginning.get_or_insert_with(|| record(&self.cells[..filled], &self.ends[..ended]));
                    (filled, ended) = (0, 0);
                }
                ReadRecordResult::Record => {
                    let is_cut = beginning.is_some();
                    let content = beginning.unwrap_or_else(|| record(&self.cells, &self.ends[..ended]));
                    let quotes = self.place.quotes();
                    let lines = (self.place.line - line + u64::from(!self.place.is_fresh)).max(1);
                    return Ok(Some(Piece { line, content, is_cut, lines, quotes }));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    /// What `csv-core` would pass over too, without saying how many lines that were; and the `\n` of a record's `\r\n`, which it leaves.
    fn pass_empty_lines(&mut self) -> Result<()> {
        loop {
            let input = self.reader.fill_buf()?;
            let count = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if count == 0 {
                return Ok(());
            }
            self.place.pass(&input[..count]);
            self.reader.consume(count);
        }
    }
}

/// The cells that have an end.
fn record(cells: &[u8], ends: &[usize]) -> ByteRecord {
    let mut record = ByteRecord::with_capacity(ends.last().copied().unwrap_or_default(), ends.len());
    let mut from = 0;
    for end in ends {
        record.push_field(&cells[from..*end]);
        from = *end;
    }
    record
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_over_the_bound_is_cut_and_the_next_one_is_whole() {
        let text = "12345\n123456\n\nlong and longer\nx";
        let mut lines = Lines::new(text.as_bytes(), 5);
        let mut found = Vec::new();
        while let Some(piece) = lines.next().unwrap() {
            found.push((piece.line, String::from_utf8(piece.content).unwrap(), piece.is_cut));
        }
        let expected = [(1, "12345", false), (2, "12345", true), (3, "", false), (4, "long ", true), (5, "x", false)];
        assert_eq!(found, expected.map(|(line, text, is_cut)| (line, text.to_owned(), is_cut)));
    }

    #[test]
    fn a_record_over_the_bound_is_cut_and_the_next_one_is_whole() {
        let text = "\u{feff}a,b\n1,\"2\n2\"\n\n123,45678901234\n\"\"\"\",\n9\n1,2,3\r\n";
        let mut records = Records::new(text.as_bytes(), 8, &Dialect::default());
        let mut found = Vec::new();
        while let Some(piece) = records.next().unwrap() {
            let cells: Vec<String> = piece.content.iter().map(|c| String::from_utf8(c.to_vec()).unwrap()).collect();
            found.push((piece.line, cells.join("|"), piece.is_cut));
        }
        let expected = [
            (1, "a|b", false),
            (2, "1|2\n2", false),
            (5, "123", true),
            (6, "\"|", false),
            (7, "9", false),
            (8, "1|2|3", false),
        ];
        assert_eq!(found, expected.map(|(line, text, is_cut)| (line, text.to_owned(), is_cut)));
    }

    #[test]
    fn a_line_is_the_one_that_an_editor_shows() {
        let lines_of = |text: &str| {
            let mut records = Records::new(text.as_bytes(), 64, &Dialect::default());
            std::iter::from_fn(|| records.next().unwrap().map(|piece| piece.line)).collect::<Vec<_>>()
        };
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "1,2", "", "", "3,\"4", "4\"", "5,6", "", "7,8"].join(end);
            assert_eq!(lines_of(&text), [1, 2, 5, 7, 9], "{end:?}");
            assert_eq!(lines_of(&format!("{end}{end}{text}{end}")), [3, 4, 7, 9, 11], "{end:?}");
        }
    }

    #[test]
    fn a_quote_ends_where_its_cell_does_or_is_told() {
        let found = |text: &str| {
            let mut records = Records::new(text.as_bytes(), 64, &Dialect::default());
            std::iter::from_fn(|| records.next().unwrap().map(|piece| (piece.line, piece.lines, piece.quotes)))
                .collect::<Vec<_>>()
        };
        let (closed, astray, open) = (Quotes::Closed, Quotes::Astray, Quotes::Open);
        assert_eq!(found("a,\"b\"\n\"c\"\"d\",e\n"), [(1, 1, closed), (2, 1, closed)]);
        assert_eq!(found("a,\"b\nc\"\nd,5\" pipe\n\"\",\n"), [(1, 2, closed), (3, 1, closed), (4, 1, closed)]);
        assert_eq!(found("a,\"b\nc,\"d\ne,f\n"), [(1, 2, astray), (3, 1, closed)]);
        assert_eq!(found("a,b\nc,\"d\ne,f\ng,h\n"), [(1, 1, closed), (2, 3, open)]);
        assert_eq!(found("a,\"b"), [(1, 1, open)]);
        assert_eq!(found("a,\"b\""), [(1, 1, closed)]);
        let long = format!("a,\"{}\n1,2\n3,4", "x".repeat(100));
        assert_eq!(found(&long), [(1, 3, open)], "also of one that is cut");
    }

    #[test]
    fn a_record_without_end_has_a_bounded_number_of_cells() {
        let text = [vec![b','; 3 * MAX_CELLS], b"\n1,2\n".to_vec()].concat();
        let mut records = Records::new(&text[..], 8, &Dialect::default());
        let wide = records.next().unwrap().unwrap();
        assert_eq!((wide.is_cut, wide.content.len()), (true, MAX_CELLS));
        assert_eq!(records.next().unwrap().unwrap().content, ByteRecord::from(vec!["1", "2"]));
    }
}
