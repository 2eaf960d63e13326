//! Where each value of a configuration comes from. Holds what was typed, to read it again as a text; prints none of it.

use std::collections::BTreeMap;
use std::fmt;
use toml::{Table, Value};

/// The layer that set a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// No layer did.
    Default,
    /// The file.
    File,
    /// This variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File => f.write_str("file"),
            Self::Environment(variable) => write!(f, "environment, {variable}"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// Dotted keys with the last layer that set each.
#[derive(Default)]
pub struct Origins {
    file: Vec<String>,
    /// What environment and flags set: dotted key → (as typed, layer).
    texts: BTreeMap<String, (String, Origin)>,
}

impl fmt::Debug for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = self.texts.iter().map(|(key, (_, layer))| (key, layer));
        f.debug_map().entries(self.file.iter().map(|key| (key, &Origin::File)).chain(texts)).finish()
    }
}

impl Origins {
    /// Everything in the file.
    pub(super) fn of_file(root: &Table) -> Self {
        let mut file = Vec::new();
        leaves("", root, &mut file);
        Self { file, texts: BTreeMap::new() }
    }

    /// A later layer set this.
    pub(super) fn set(&mut self, key: String, text: &str, layer: Origin) {
        self.texts.insert(key, (text.to_owned(), layer));
    }

    /// A key as it was typed in environment or flags.
    pub(super) fn typed(&self, key: &str) -> Option<&str> {
        self.texts.get(key).map(|(text, _)| text.as_str())
    }

    /// Who set a key: itself, or the table that it stands in.
    pub fn of(&self, key: &str) -> Origin {
        let mut above = Some(key);
        while let Some(at) = above {
            if let Some((_, layer)) = self.texts.get(at) {
                return layer.clone();
            }
            above = at.rsplit_once('.').map(|(table, _)| table);
        }
        let mut above = Some(key);
        while let Some(at) = above {
            if self.file.iter().any(|set| set == at) {
                return Origin::File;
            }
            above = at.rsplit_once('.').map(|(table, _)| table);
        }
        Origin::Default
    }

    /// Who set a key or anything below it: whose mistake it is. What nobody else set stands in the file.
    pub(super) fn of_or_below(&self, key: &str) -> Origin {
        let below = |path: &str| path == key || path.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
        let set = self.texts.iter().find(|(path, _)| below(path));
        set.map_or(Origin::File, |(_, (_, layer))| layer.clone())
    }
}

fn leaves(above: &str, table: &Table, found: &mut Vec<String>) {
    for (name, value) in table {
        let key = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match value {
            Value::Table(below) => leaves(&key, below, found),
            _ => found.push(key),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_last_layer_is_named_for_a_key_and_for_what_stands_below_it() {
        let root: Table = "[a]\nx = 1\ny = 2\nz = [{ b = 1 }]\n[a.m]\nk = 'v'".parse().unwrap();
        let mut origins = Origins::of_file(&root);
        origins.set("a.y".to_owned(), "3", Origin::Environment("DX__A__Y".to_owned()));
        origins.set("a.m".to_owned(), "{k = 'w'}", Origin::Flag);
        let told = |key: &str| origins.of(key).to_string();
        let rows = [
            ("a.x", "file"),
            ("a.y", "environment, DX__A__Y"),
            ("a.z", "file"),
            ("a.m.k", "flag"),
            ("a.w", "default"),
            ("a.xx", "default"),
        ];
        for (key, wanted) in rows {
            assert_eq!(told(key), wanted, "{key}");
        }
        assert!(!format!("{origins:?}").contains("{k ="), "nothing that was typed is printed");
    }
}
