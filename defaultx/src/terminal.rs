//! PURE. Text that others wrote, as it may be printed: nothing in it steers a terminal, fakes a line, or turns the direction of what is read.

/// For one line: whatever would end it or steer a terminal is replaced.
pub fn line(text: &str) -> String {
    text.chars().map(|c| if is_plain(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// For several lines: the same, but line breaks stay.
pub fn lines(text: &str) -> String {
    text.chars().map(|c| if is_plain(c) || c == '\n' { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// Bytes for one line; what is no text as hexadecimal.
pub fn bytes(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| format!("(not UTF-8) {}", hex::encode(bytes)), line)
}

/// Bytes for several lines; what is no text as hexadecimal.
pub fn body(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| format!("(not UTF-8) {}", hex::encode(bytes)), lines)
}

/// Controls of both sets, line and paragraph separators, and what turns the direction of text.
fn is_plain(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !(c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_wrote_steers_a_terminal() {
        let rows = [
            ("plain, ä, 漢字", "plain, ä, 漢字"),
            ("\u{1b}[2Jgone", "\u{fffd}[2Jgone"),
            ("\u{9b}31m", "\u{fffd}31m"),
            ("a\u{7f}\u{8}\rb", "a\u{fffd}\u{fffd}\u{fffd}b"),
            ("\u{1b}]8;;http://evil\u{7}here", "\u{fffd}]8;;http://evil\u{fffd}here"),
            ("abc\u{202e}fed", "abc\u{fffd}fed"),
            ("one\u{2028}two", "one\u{fffd}two"),
            ("tab\there", "tab\u{fffd}here"),
        ];
        for (text, expected) in rows {
            assert_eq!(line(text), expected);
            assert_eq!(lines(text), expected);
        }
        assert_eq!((line("a\nb"), lines("a\nb")), ("a\u{fffd}b".to_owned(), "a\nb".to_owned()));
        assert_eq!(bytes(&[0xff, 0x00]), "(not UTF-8) ff00");
        assert_eq!(body(b"a\n\x1bb"), "a\n\u{fffd}b");
    }
}
