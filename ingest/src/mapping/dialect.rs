//! How a CSV file holds its cells: what stands between them, what they are quoted with, which bytes stand for which letters.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use encoding_rs_io::DecodeReaderBytesBuilder;
use serde::Deserialize;
use std::borrow::Cow;
use std::io::Read;

/// A file's dialect; by default comma, double quotes and UTF-8.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Said")]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    /// None where a quote is a letter like any other.
    pub(crate) quote: Option<u8>,
    encoding: &'static Encoding,
}

/// As a mapping file says it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    delimiter: Option<String>,
    quote: Option<String>,
    encoding: Option<String>,
}

impl Default for Dialect {
    fn default() -> Self {
        Self { delimiter: b',', quote: Some(b'"'), encoding: UTF_8 }
    }
}

impl TryFrom<Said> for Dialect {
    type Error = String;

    fn try_from(said: Said) -> Result<Self, String> {
        let plain = Self::default();
        let delimiter = match said.delimiter.as_deref() {
            None => plain.delimiter,
            Some("tab") => b'\t',
            Some(text) => one_of(text, |byte| byte == b'\t' || byte.is_ascii_punctuation())
                .ok_or_else(|| format!("delimiter {text:?} is not one character such as , ; | or \"tab\""))?,
        };
        let quote = match said.quote.as_deref() {
            None => plain.quote,
            Some("none") => None,
            Some(text) => Some(
                one_of(text, |byte| matches!(byte, b'"' | b'\''))
                    .ok_or_else(|| format!("quote {text:?} is neither \" nor ' nor \"none\""))?,
            ),
        };
        let encoding = match said.encoding {
            None => plain.encoding,
            Some(label) => Encoding::for_label(label.as_bytes()).ok_or_else(|| {
                format!("encoding {label:?} is none of the WHATWG's, such as windows-1252 or utf-16le")
            })?,
        };
        if quote == Some(delimiter) {
            return Err("delimiter and quote are the same".to_owned());
        }
        Ok(Self { delimiter, quote, encoding })
    }
}

fn one_of(text: &str, may_be: impl Fn(u8) -> bool) -> Option<u8> {
    let [byte] = text.as_bytes() else { return None };
    may_be(*byte).then_some(*byte)
}

impl Dialect {
    /// With double quotes.
    pub(crate) fn new(delimiter: u8, encoding: &'static Encoding) -> Self {
        Self { delimiter, encoding, ..Self::default() }
    }

    /// The file as UTF-8. A byte order mark wins over what is said, and is left out; bytes of UTF-8 stay as they are, and whatever is no
    /// text in another encoding becomes U+FFFD.
    pub(crate) fn decoded<'r>(&self, bytes: impl Read + 'r) -> Box<dyn Read + 'r> {
        let said = (self.encoding != UTF_8).then_some(self.encoding);
        let mut builder = DecodeReaderBytesBuilder::new();
        builder.encoding(said).bom_override(true).strip_bom(true).utf8_passthru(said.is_none());
        Box::new(builder.build(bytes))
    }

    /// The same where a file begins with a byte order mark, which knows better; none where it does not.
    pub(crate) fn marked(&self, beginning: &[u8]) -> Option<Self> {
        let (encoding, _) = Encoding::for_bom(beginning)?;
        Some(Self { encoding, ..self.clone() })
    }

    /// A text of the file, as its bytes are there. What was no text is a question mark.
    pub(crate) fn encoded<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        if self.encoding == UTF_8 {
            return Cow::Borrowed(text);
        }
        let text = String::from_utf8_lossy(text).replace(char::REPLACEMENT_CHARACTER, "?");
        if self.encoding == UTF_16LE {
            text.encode_utf16().flat_map(u16::to_le_bytes).collect()
        } else if self.encoding == UTF_16BE {
            text.encode_utf16().flat_map(u16::to_be_bytes).collect()
        } else {
            Cow::Owned(self.encoding.encode(&text).0.into_owned())
        }
    }

    pub(crate) fn is_utf_8(&self) -> bool {
        self.encoding == UTF_8
    }

    /// The name of the encoding, as it is said.
    pub(crate) fn encoding(&self) -> &'static str {
        self.encoding.name()
    }

    /// Whether a row that was decoded holds what is no text.
    pub(crate) fn is_damaged(&self, mut cells: impl Iterator<Item = impl AsRef<[u8]>>) -> bool {
        let mark = char::REPLACEMENT_CHARACTER.to_string();
        self.encoding != UTF_8
            && cells.any(|cell| cell.as_ref().windows(mark.len()).any(|window| window == mark.as_bytes()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn decoded(encoding: &str, bytes: &[u8]) -> String {
        let said = Said { encoding: Some(encoding.to_owned()), ..Said::default() };
        let mut text = Vec::new();
        Dialect::try_from(said).unwrap().decoded(bytes).read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }

    #[test]
    fn text_is_the_same_whatever_bytes_stand_for_it() {
        let utf_16 = |text: &str, order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        let (big, little) = (utf_16("ä;€", u16::to_be_bytes), utf_16("ä;€", u16::to_le_bytes));
        let rows: [(&str, Vec<u8>); 10] = [
            ("utf-8", "ä;€".into()),
            ("utf-8", "\u{feff}ä;€".into()),
            ("windows-1252", b"\xe4;\x80".to_vec()),
            ("cp1252", b"\xe4;\x80".to_vec()),
            ("iso-8859-15", b"\xe4;\xa4".to_vec()),
            ("utf-16le", little.clone()),
            ("utf-16be", big.clone()),
            ("utf-16le", utf_16("\u{feff}ä;€", u16::to_le_bytes)),
            // The mark knows better.
            ("utf-8", utf_16("\u{feff}ä;€", u16::to_be_bytes)),
            ("windows-1252", "\u{feff}ä;€".into()),
        ];
        for (encoding, bytes) in rows {
            assert_eq!(decoded(encoding, &bytes), "ä;€", "{encoding} {bytes:?}");
            let said = Said { encoding: Some(encoding.to_owned()), ..Said::default() };
            let said = Dialect::try_from(said).unwrap();
            let (dialect, text) = match said.marked(&bytes) {
                Some(marked) => (marked, "\u{feff}ä;€"),
                None => (said, "ä;€"),
            };
            assert_eq!(&*dialect.encoded(text.as_bytes()), bytes, "and back: {encoding}");
        }
        assert_eq!(decoded("utf-16le", b"\x00\xd8;\0"), "\u{fffd};", "half a pair");
    }
}
