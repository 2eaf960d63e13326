//! A closed word on the wire. A word that is not known here stays the text that it was, so that an event with a word of tomorrow is
//! handed on byte for byte, and a reader has to say what it does with one.

use domain::Worded;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;

/// A word of the list `T`, or another one. [`Word::parse`] and reading from the wire never make `Other` of a word of the list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Word<T> {
    /// It stands in the list.
    Known(T),
    /// It does not, as it was sent.
    Other(String),
}

impl<T: Worded> Word<T> {
    /// The word of a text.
    pub fn parse(text: &str) -> Self {
        T::parse(text).map_or_else(|| Self::Other(text.to_owned()), Self::Known)
    }

    /// The word as it stands on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(word) => word.as_str(),
            Self::Other(text) => text,
        }
    }

    /// The word, if it stands in the list.
    pub fn known(&self) -> Option<T> {
        match self {
            Self::Known(word) => Some(*word),
            Self::Other(_) => None,
        }
    }

    /// Whether it is that one.
    pub fn is(&self, word: T) -> bool {
        self.known() == Some(word)
    }
}

impl<T: Worded> From<T> for Word<T> {
    fn from(word: T) -> Self {
        Self::Known(word)
    }
}

impl<T: Worded> fmt::Display for Word<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<T: Worded> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, T: Worded> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Reader(PhantomData))
    }
}

struct Reader<T>(PhantomData<T>);

impl<T: Worded> Visitor<'_> for Reader<T> {
    type Value = Word<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Word<T>, E> {
        Ok(Word::parse(text))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Word<T>, E> {
        Ok(T::parse(&text).map_or_else(|| Word::Other(text), Word::Known))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use domain::Outcome;

    #[test]
    fn a_word_comes_back_byte_for_byte() {
        let rows: [(&str, Word<Outcome>); 8] = [
            (r#""approve""#, Word::Known(Outcome::Approve)),
            (r#""withdrawn""#, Outcome::Withdrawn.into()),
            (r#""postpone""#, Word::Other("postpone".into())),
            (r#""Approve""#, Word::Other("Approve".into())),
            (r#""approve ""#, Word::Other("approve ".into())),
            (r#""""#, Word::Other(String::new())),
            (r#""ü\"\n""#, Word::Other("ü\"\n".into())),
            (r#""unknown""#, Word::parse("unknown")),
        ];
        for (text, expected) in rows {
            let word: Word<Outcome> = serde_json::from_str(text).unwrap();
            assert_eq!(word, expected, "{text}");
            assert_eq!(serde_json::to_string(&word).unwrap(), text);
            let value: Word<Outcome> = serde_json::from_value(serde_json::to_value(&word).unwrap()).unwrap();
            assert_eq!((value.to_string(), value.known()), (word.as_str().to_owned(), Outcome::parse(word.as_str())));
        }
        assert_eq!(serde_json::from_str::<Word<Outcome>>(r#""\u0061pprove""#).unwrap(), Outcome::Approve.into());
    }

    #[test]
    fn only_a_text_is_a_word() {
        for text in ["null", "1", "true", "[]", "{}", r#"["approve"]"#] {
            assert!(serde_json::from_str::<Word<Outcome>>(text).is_err(), "{text}");
        }
        assert_eq!(serde_json::from_str::<Option<Word<Outcome>>>("null").unwrap(), None);
    }

    #[test]
    fn another_word_is_none_of_the_list() {
        let word = Word::<Outcome>::parse("postpone");
        assert!(Outcome::ALL.iter().all(|known| !word.is(*known)) && Word::from(Outcome::Refer).is(Outcome::Refer));
    }
}
