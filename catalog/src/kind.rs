//! The kinds of documents that an activation puts in force. A new kind begins here; the compiler leads to what it needs.

use std::fmt;

/// What an activation switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// What is decided. Travels by value.
    Policy,
    /// Which package scores whom. Travels by value, with the digests of the packages that it names.
    Route,
    /// One version of a package. Travels by digest.
    Model,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Policy, Self::Route, Self::Model];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Route => "route",
            Self::Model => "model",
        }
    }

    /// Reads the word; none where it is of another version of this code.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The knob that names the folder of its versions.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Policy => "policy_dir",
            Self::Route => "routes_dir",
            Self::Model => "models_dir",
        }
    }

    /// The ending of a version's file; none where a version is a folder.
    pub fn extension(self) -> Option<&'static str> {
        match self {
            Self::Policy => Some("yaml"),
            Self::Route => Some("toml"),
            Self::Model => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_read_back_and_no_other() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(["", "Policy", "scales"].map(Kind::parse), [None; 3]);
    }
}
