//! PURE. The value of a `ce-*` header as the HTTP binding of CloudEvents has it (3.1.3.2): quotes of older versions are taken off,
//! then one round of percent-decoding. What is no UTF-8 then is no attribute, and refused as such.

use percent_encoding::percent_decode;
use std::borrow::Cow;

/// The attribute that a header's value says.
pub(super) fn decoded(value: &[u8]) -> Cow<'_, [u8]> {
    match unquoted(value) {
        Some(text) => Cow::Owned(percent_decode(&text).collect()),
        None => percent_decode(value).into(),
    }
}

/// What is between the quotes of a value that is one quoted string (RFC 9110, 5.6.4), and nothing else.
fn unquoted(value: &[u8]) -> Option<Vec<u8>> {
    let inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut text = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return None,
            b'\\' => text.push(*bytes.next()?),
            byte => text.push(*byte),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_binding_and_what_is_none() {
        let rows: [(&str, &[u8]); 14] = [
            ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro \u{20ac} \u{1f600}".as_bytes()),
            ("plain", b"plain"),
            ("%41", b"A"),
            ("%2541", b"%41"),
            ("%c3%A9", "\u{e9}".as_bytes()),
            ("%C0%A0", b"\xc0\xa0"),
            ("100%", b"100%"),
            ("%4", b"%4"),
            ("%zz", b"%zz"),
            ("\"a b\"", b"a b"),
            (r#""a\"b\\c%20d""#, br#"a"b\c d"#),
            (r#""a" "b""#, br#""a" "b""#),
            (r#""open\""#, br#""open\""#),
            ("\"", b"\""),
        ];
        for (value, expected) in rows {
            assert_eq!(&*decoded(value.as_bytes()), expected, "{value}");
        }
    }
}
