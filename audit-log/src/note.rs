//! The text of signed notes (C2SP signed-note): lines that are signed, an empty line, a line for each signature. Says where a note ends
//! and how numbers and hashes stand in one; who signed it, those say who have a key.

use crate::tree::Hash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Starts a signature line: an em dash and a space.
pub(crate) const DASH: &str = "\u{2014} ";
/// The longest text of a person in a note, bytes. Who keeps notes looks for the newest in the last 64 KiB of a file, and for half of one
/// in the last 4 KiB: no note that is signed is larger. One that was signed before there was this bound is read.
pub(crate) const MAX_LINE_BYTES: usize = 1024;

/// Why a text is not a note that can be believed, or cannot be made one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadNote {
    /// No empty line with signatures behind it.
    #[error("no signatures")]
    NoSignatures,
    /// A line is not what it is in a checkpoint.
    #[error("not a checkpoint: {0}")]
    Checkpoint(&'static str),
    /// A checkpoint of another deployment.
    #[error("the note is of {found}, not of {wanted}")]
    Origin {
        /// Which.
        found: String,
        /// The one of the key.
        wanted: String,
    },
    /// Nobody of that name signed it.
    #[error("no valid signature of {0}")]
    NotSigned(String),
    /// Text that is no verifier key.
    #[error("{text:?}: a verifier key is name+id+key, of type {kind}")]
    Key {
        /// The text.
        text: String,
        /// The type of signature that was asked for.
        kind: u8,
    },
    /// A name that cannot stand in a verifier key.
    #[error("{0:?} is no name of a key: no spaces, no plus signs")]
    Name(String),
    /// Nobody's signature would count.
    #[error("no key to check it with")]
    NoKey,
    /// Signed, and not a statement of this kind.
    #[error("it is no {0}")]
    Kind(&'static str),
    /// A line is not what it is in the opening of an epoch.
    #[error("not the opening of an epoch")]
    Epoch,
    /// The opening of an epoch names something else than the newest note of before.
    #[error("the note that it names is not of the epoch before")]
    EpochBefore,
    /// A text that does not fit a line of a statement.
    #[error("{0} must be one line of text, at most {MAX_LINE_BYTES} bytes")]
    Line(&'static str),
}

/// Decimal, without a sign or leading zeros; sizes fit the database's numbers.
pub(crate) fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|number| is_plain && *number <= i64::MAX as u64)
}

/// 32 bytes in base64.
pub(crate) fn hash_of(text: &str) -> Option<Hash> {
    BASE64.decode(text).ok()?.try_into().ok()
}

/// The notes of a text that holds one after another.
pub fn notes_in(text: &str) -> Vec<String> {
    let (mut notes, mut is_signed): (Vec<String>, bool) = (Vec::new(), true);
    for line in text.lines() {
        if line.is_empty() && is_signed {
            continue; // between two notes
        }
        let is_signature = line.starts_with(DASH);
        match notes.last_mut() {
            Some(note) if is_signature || !is_signed => note.extend([line, "\n"]),
            _ => notes.push(format!("{line}\n")),
        }
        is_signed = is_signature;
    }
    notes
}

/// How many bytes of a file of notes are whole notes: up to the end of its last signature line. What stands behind is half of a note.
pub fn end_of_notes(file: &[u8]) -> usize {
    let mut end = file.len();
    while let Some(newline) = file[..end].iter().rposition(|byte| *byte == b'\n') {
        let start = file[..newline].iter().rposition(|byte| *byte == b'\n').map_or(0, |before| before + 1);
        if start > 0 && file[start..newline].starts_with(DASH.as_bytes()) {
            return newline + 1;
        }
        end = newline;
    }
    0
}

/// What is signed in a note, with its last newline, whoever signed it.
///
/// # Errors
/// [`BadNote::NoSignatures`].
pub fn signed_text(note: &str) -> Result<&str, BadNote> {
    split(note).map(|(text, _)| text)
}

/// The signed text with its last newline, and the signature lines.
pub(crate) fn split(note: &str) -> Result<(&str, &str), BadNote> {
    let at = note.rfind("\n\n").ok_or(BadNote::NoSignatures)?;
    Ok((&note[..=at], &note[at + 2..]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NOTE: &str = "a.example/2\n77\nBQ==\n\n\u{2014} a.example AA==\n\u{2014} a.example BB==\n";

    #[test]
    fn a_note_comes_apart_before_its_signatures() {
        let signatures = "\u{2014} a.example AA==\n\u{2014} a.example BB==\n";
        for (note, expected) in [
            (NOTE, Ok(("a.example/2\n77\nBQ==\n", signatures))),
            ("a\n\nb\n\nc", Ok(("a\n\nb\n", "c"))),
            ("\n\n", Ok(("\n", ""))),
            ("a\nb\n", Err(BadNote::NoSignatures)),
            ("", Err(BadNote::NoSignatures)),
        ] {
            assert_eq!(split(note), expected, "{note:?}");
            assert_eq!(signed_text(note).ok(), expected.ok().map(|(text, _)| text), "{note:?}");
        }
    }

    #[test]
    fn numbers_and_hashes_are_written_in_one_way() {
        for (text, expected) in [
            ("0", Some(0)),
            ("77", Some(77)),
            ("9223372036854775807", Some(i64::MAX as u64)),
            ("9223372036854775808", None),
            ("00", None),
            ("077", None),
            ("+7", None),
            ("-7", None),
            (" 7", None),
            ("", None),
        ] {
            assert_eq!(number(text), expected, "{text:?}");
        }
        let hash = BASE64.encode([5; 32]);
        for (text, expected) in
            [(&hash[..], Some([5; 32])), (&hash[1..], None), ("BQ==", None), ("", None), (&format!("{hash} "), None)]
        {
            assert_eq!(hash_of(text), expected, "{text:?}");
        }
    }

    #[test]
    fn notes_stand_one_after_another() {
        let (first, second) = (NOTE.to_owned(), NOTE.replace("77", "78"));
        for text in [format!("{first}{second}"), format!("\n{first}\n\n{second}\n")] {
            assert_eq!(notes_in(&text), [first.clone(), second.clone()], "{text:?}");
        }
        assert!(notes_in("").is_empty() && notes_in("\n").is_empty());
        assert_eq!(notes_in("junk"), ["junk\n"]);
    }

    #[test]
    fn half_a_note_is_not_one() {
        let note = NOTE.to_owned();
        let first_line = note.rfind(DASH).unwrap();
        for (what, file, expected) in [
            ("nothing", String::new(), 0),
            ("a note", note.clone(), note.len()),
            ("two notes", note.repeat(2), 2 * note.len()),
            ("a head behind one", format!("{note}a.example/2\n78"), note.len()),
            ("a text behind one", format!("{note}a.example/2\n78\nBQ==\n\n"), note.len()),
            ("half a signature behind one", format!("{note}a.example/2\n78\nBQ==\n\n{DASH}a.exam"), note.len()),
            ("a note without its last newline", note[..note.len() - 1].to_owned(), first_line),
            ("no note", "half".to_owned(), 0),
            ("no signature", "a text\n".repeat(3), 0),
            ("a signature of nothing", format!("{DASH}a.example BQ==\n"), 0),
        ] {
            assert_eq!(end_of_notes(file.as_bytes()), expected, "{what}");
        }
        assert_eq!(end_of_notes(b"\xff\n\n\xff\n"), 0);
    }
}
