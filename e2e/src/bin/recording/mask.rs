//! PURE. What comes from a clock, and is therefore put out of sight before anything is compared: named members, and no others. A
//! mask changes a value only where it has the form that such a value has, so that a change of the form is a difference.

use crate::record::{Bytes, Record};
use std::fmt;

/// In place of every time that is masked; itself a time, so that a masked record can be published to the next worker.
pub const STAND_IN: &str = "2025-06-02T09:00:00.000Z";
/// A time of ours: a digit where this has one, the same character elsewhere.
const FORM: &str = "0000-00-00T00:00:00.000Z";
/// An id of ours: a hexadecimal digit where this has one. Stands in for one that is made of a time.
const ID_FORM: &str = "00000000-0000-0000-0000-000000000000";
/// Begins a line of a signature in a signed note.
const SIGNATURE: &str = "\u{2014} ";

/// One thing to put out of sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// The time, or the id that is made of one, in every header of this name.
    Header(&'static str),
    /// The time in every member of this name of a JSON text.
    Time(&'static str),
    /// The time in the first member of this name.
    FirstTime(&'static str),
    /// The whole number in every member of this name.
    Number(&'static str),
    /// The words in every member of this name.
    Words(&'static str),
    /// The second signature of a checkpoint, which is over the time too.
    Cosignature,
}

impl Mask {
    /// Masks a record.
    pub fn in_record(self, record: &mut Record) {
        if let Self::Header(name) = self {
            let of_name = record.headers.iter_mut().filter(|(key, _)| key.0 == name.as_bytes());
            for value in of_name.filter_map(|(_, value)| value.as_mut()) {
                match std::str::from_utf8(&value.0) {
                    Ok(text) if is_time(text) => *value = Bytes(STAND_IN.into()),
                    Ok(text) if is_id(text) => *value = Bytes(ID_FORM.into()),
                    _ => {}
                }
            }
        } else if let Some(Bytes(value)) = &mut record.value
            && let Ok(text) = std::str::from_utf8(value)
        {
            *value = self.in_text(text).into_bytes();
        }
    }

    /// Masks a text.
    pub fn in_text(self, text: &str) -> String {
        match self {
            Self::Header(_) => text.to_owned(),
            Self::Time(name) => replaced(text, name, usize::MAX, time),
            Self::FirstTime(name) => replaced(text, name, 1, time),
            Self::Number(name) => replaced(text, name, usize::MAX, number),
            Self::Words(name) => replaced(text, name, usize::MAX, words),
            Self::Cosignature => without_second_signature(text),
        }
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header {name}"),
            Self::FirstTime(name) => write!(f, "the first {name}"),
            Self::Time(name) | Self::Number(name) | Self::Words(name) => f.write_str(name),
            Self::Cosignature => f.write_str("the checkpoint's second signature"),
        }
    }
}

/// The bytes of a value at the front of a text, and what stands in for it; none where it has another form.
type StandIn = Option<(usize, String)>;

/// Replaces the values of the first `most` members of a name. Works on the text, because reading and writing it again would hide a
/// change of order, spelling or space.
fn replaced(text: &str, name: &str, most: usize, stand_in: impl Fn(&str) -> StandIn) -> String {
    let mark = format!("\"{name}\":");
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut done) = (text, 0);
    while let Some(at) = rest.find(&mark).filter(|_| done < most) {
        let (before, value) = rest.split_at(at + mark.len());
        out.push_str(before);
        let (length, with) = stand_in(value).unwrap_or_default();
        out.push_str(&with);
        rest = &value[length..];
        done += 1;
    }
    out + rest
}

fn time(value: &str) -> StandIn {
    let quoted = value.get(..FORM.len() + 2)?.strip_prefix('"')?.strip_suffix('"')?;
    is_time(quoted).then(|| (FORM.len() + 2, format!("\"{STAND_IN}\"")))
}

fn number(value: &str) -> StandIn {
    let length = value.bytes().take_while(u8::is_ascii_digit).count();
    (length > 0).then(|| (length, "0".to_owned()))
}

fn words(value: &str) -> StandIn {
    let mut escaped = false;
    let is_end = |byte: u8| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    };
    let length = value.strip_prefix('"')?.bytes().position(is_end)? + 2;
    Some((length, "\"\"".to_owned()))
}

fn is_time(text: &str) -> bool {
    let fits = |(form, byte): (u8, u8)| if form == b'0' { byte.is_ascii_digit() } else { byte == form };
    text.len() == FORM.len() && FORM.bytes().zip(text.bytes()).all(fits)
}

fn is_id(text: &str) -> bool {
    let fits = |(form, byte): (u8, u8)| if form == b'0' { byte.is_ascii_hexdigit() } else { byte == form };
    text.len() == ID_FORM.len() && ID_FORM.bytes().zip(text.bytes()).all(fits)
}

fn without_second_signature(note: &str) -> String {
    let mut signatures = 0;
    let lines = note.split_inclusive('\n').map(|line| {
        signatures += usize::from(line.starts_with(SIGNATURE));
        if signatures == 2 && line.starts_with(SIGNATURE) { "\u{2014} masked\n" } else { line }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_hides_what_it_names_and_nothing_else() {
        let now = "2026-11-30T12:00:00.123Z";
        let rows = [
            (Mask::Time("at"), format!(r#"{{"at":"{now}","b":1}}"#), format!(r#"{{"at":"{STAND_IN}","b":1}}"#)),
            (Mask::Time("at"), format!(r#"{{"made_at":"{now}"}}"#), format!(r#"{{"made_at":"{now}"}}"#)),
            (Mask::Time("at"), r#"{"at":"2026-11-30"}"#.into(), r#"{"at":"2026-11-30"}"#.into()),
            (Mask::Time("at"), r#"{"at":null}"#.into(), r#"{"at":null}"#.into()),
            (Mask::Time("at"), r#"{"x":"\"at\":\""}"#.into(), r#"{"x":"\"at\":\""}"#.into()),
            (
                Mask::FirstTime("at"),
                format!(r#"["at":"{now}","at":"{now}"]"#),
                format!(r#"["at":"{STAND_IN}","at":"{now}"]"#),
            ),
            (Mask::Number("age_s"), r#"{"age_s":1234,"b":12}"#.into(), r#"{"age_s":0,"b":12}"#.into()),
            (Mask::Words("d"), r#"{"d":"a \"b\" \\","e":"f"}"#.into(), r#"{"d":"","e":"f"}"#.into()),
            (Mask::Words("d"), r#"{"d":{"d":"x"}}"#.into(), r#"{"d":{"d":""}}"#.into()),
            (
                Mask::Cosignature,
                "o\n1\nr\n\n\u{2014} o A\n\u{2014} o B\n".into(),
                "o\n1\nr\n\n\u{2014} o A\n\u{2014} masked\n".into(),
            ),
        ];
        for (mask, text, expected) in rows {
            assert_eq!(mask.in_text(&text), expected, "{mask:?} of {text}");
        }
    }

    #[test]
    fn a_header_is_masked_where_it_is_a_time_or_an_id() {
        let header = |name: &str, value: &str| (Bytes(name.into()), Some(Bytes(value.into())));
        let mut record = Record {
            headers: vec![
                header("ce_time", "2026-11-30T12:00:00.123Z"),
                header("ce_time", "2026"),
                header("ce_id", "2026-11-30T12:00:00.123Z"),
            ],
            ..Record::default()
        };
        Mask::Header("ce_time").in_record(&mut record);
        assert_eq!(
            record.headers,
            [header("ce_time", STAND_IN), header("ce_time", "2026"), header("ce_id", "2026-11-30T12:00:00.123Z")]
        );
        let id = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
        record.headers = vec![header("ce_id", id), header("ce_id", &id[1..]), header("ce_causationid", id)];
        Mask::Header("ce_id").in_record(&mut record);
        assert_eq!(record.headers, [header("ce_id", ID_FORM), header("ce_id", &id[1..]), header("ce_causationid", id)]);
    }
}
