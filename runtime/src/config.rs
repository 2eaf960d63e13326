//! Configuration in layers: file, then environment, then flags; the later wins. An unknown key is an error that names it, a
//! secret never prints. Where each value comes from is kept. Does not know any key itself.

mod nearest;
mod origin;
mod place;
mod words;

pub use nearest::nearest;
pub use origin::{Origin, Origins};

use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::path::Path;
use toml::{Table, Value};

/// What stands in place of a secret wherever it would show.
pub(crate) const REDACTED: &str = "***";

/// A value that prints and serialises as [`REDACTED`].
#[derive(Clone, Default)]
pub struct Secret(SecretString);

impl Secret {
    /// The value itself, for whoever must use it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self(SecretString::from(value))
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(SecretString::from(value))
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.is_empty() { "" } else { REDACTED })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// Why a configuration does not load.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("reading {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// From the file system.
        source: std::io::Error,
    },
    /// The file is not TOML. Says where and what, and nothing of what stands there: it may be a secret.
    #[error("{path}, line {line}: {why}")]
    Syntax {
        /// The file.
        path: String,
        /// From 1.
        line: usize,
        /// In the parser's words.
        why: String,
    },
    /// A secret on the command line.
    #[error(
        "`{key}` holds a secret, and every process of this machine can read a command line: put it into the file of --config, or into \
         the environment as {variable}"
    )]
    SecretFlag {
        /// Dotted.
        key: String,
        /// What it is called in the environment.
        variable: String,
    },
    /// A key that is unknown, or a value that does not fit.
    #[error("configuration key `{key}` (from {place}): {why}")]
    Key {
        /// Dotted.
        key: String,
        /// Which layer set it; of a file its name, and the line where it is known.
        place: String,
        /// In the words of the type.
        why: String,
    },
    /// Several keys at once.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several(Vec<ConfigError>),
}

/// Loads a configuration from a file, the process's environment and flags. Variables are `PREFIX__SECTION__KEY`; overrides are
/// (`section.key`, value). Beside it stands where each key was set.
///
/// # Errors
/// [`ConfigError`], which names the file or the key.
pub fn load<T: DeserializeOwned + Serialize + Default>(
    file: Option<&Path>,
    env_prefix: &str,
    overrides: &[(String, String)],
) -> Result<(T, Origins), ConfigError> {
    let text = match file {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.display().to_string(), source })?,
        None => String::new(),
    };
    let name = file.map_or_else(String::new, |path| path.display().to_string());
    let variables = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    layered((&name, &text), env_prefix, variables, overrides)
}

/// The configuration as TOML. Secrets are redacted by their types.
///
/// # Errors
/// When the type cannot be written as TOML.
pub fn show<T: Serialize>(config: &T) -> Result<String, toml::ser::Error> {
    toml::to_string_pretty(config)
}

fn layered<T: DeserializeOwned + Serialize + Default>(
    (name, text): (&str, &str),
    env_prefix: &str,
    variables: impl Iterator<Item = (String, String)>,
    overrides: &[(String, String)],
) -> Result<(T, Origins), ConfigError> {
    let root: Table = text.parse().map_err(|error| syntax(name, text, &error))?;
    let known = Table::try_from(T::default()).unwrap_or_default();
    let origins = Origins::of_file(&root);
    let file = place::File { name, text };
    let mut layers = Layers { root, known: known.clone(), origins, file };
    let prefix = format!("{env_prefix}__");
    for (variable, value) in variables {
        if let Some(rest) = variable.strip_prefix(&prefix) {
            layers.put(&as_known(&known, rest), &value, Origin::Environment(variable.clone()))?;
        }
    }
    for (key, value) in overrides {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        layers.put(&path, value, Origin::Flag)?;
    }
    let (config, origins) = layers.read()?;
    refuse_secret_flags(&config, env_prefix, overrides)?;
    Ok((config, origins))
}

fn syntax(name: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let before = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = place::line(text, before);
    ConfigError::Syntax { path: name.to_owned(), line, why: words::without_values(error.message()) }
}

/// What a configuration shows as redacted was a secret when it came.
fn refuse_secret_flags<T: Serialize>(
    config: &T,
    env_prefix: &str,
    overrides: &[(String, String)],
) -> Result<(), ConfigError> {
    let shown = Table::try_from(config).unwrap_or_default();
    for (key, text) in overrides {
        let at = key.split('.').try_fold(&shown, |table, part| table.get(part)?.as_table());
        let value = match (at, key.rsplit_once('.')) {
            (Some(table), _) => Some(Value::Table(table.clone())),
            (None, Some((section, last))) => {
                let section = section.split('.').try_fold(&shown, |table, part| table.get(part)?.as_table());
                section.and_then(|table| table.get(last)).cloned()
            }
            (None, None) => None,
        };
        // Property names of librdkafka hold dots themselves, and are looked for below their section.
        let hides = value.is_some_and(|value| value.to_string().contains(REDACTED));
        if hides && !text.contains(REDACTED) {
            let variable = variable(env_prefix, key);
            return Err(ConfigError::SecretFlag { key: key.clone(), variable });
        }
    }
    Ok(())
}

/// What a dotted key is called in the environment.
pub fn variable(env_prefix: &str, key: &str) -> String {
    format!("{env_prefix}__{}", key.replace('.', "__").replace('-', "_").to_uppercase())
}

/// `AUDIT_SINK__BATCH` as the path that the defaults spell `audit-sink.batch`.
fn as_known(known: &Table, variable: &str) -> Vec<String> {
    let mut level = Some(known);
    let mut path = Vec::new();
    for part in variable.split("__") {
        let part = part.to_lowercase();
        let spelt = level.and_then(|table| table.keys().find(|key| key.replace('-', "_") == part));
        let part = spelt.cloned().unwrap_or(part);
        level = level.and_then(|table| table.get(&part)).and_then(Value::as_table);
        path.push(part);
    }
    path
}

struct Layers<'f> {
    root: Table,
    /// The defaults: the keys that there are.
    known: Table,
    origins: Origins,
    file: place::File<'f>,
}

impl Layers<'_> {
    fn put(&mut self, path: &[String], text: &str, layer: Origin) -> Result<(), ConfigError> {
        let key = path.join(".");
        let wrong = |why: &str| ConfigError::Key { key: key.clone(), place: layer.to_string(), why: why.to_owned() };
        let (last, sections) = path.split_last().ok_or_else(|| wrong("no key"))?;
        if let Some(list) = list_above(&self.known, sections) {
            return Err(wrong(&format!(
                "`{list}` is a list, and a list is set whole: write it into the file of --config"
            )));
        }
        let mut table = &mut self.root;
        for section in sections {
            let entry = table.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
            table = entry.as_table_mut().ok_or_else(|| wrong("stands below a value"))?;
        }
        table.insert(last.clone(), guess(text));
        self.origins.set(key, text, layer);
        Ok(())
    }

    /// Reads the type. A text that was taken for a number or a flag where a text is wanted is handed over as text. What does not fit is
    /// left out, and the rest is read all the same, so that all of it is told at once.
    fn read<T: DeserializeOwned>(mut self) -> Result<(T, Origins), ConfigError> {
        let mut faults = Vec::new();
        loop {
            let error = match serde_path_to_error::deserialize(Value::Table(self.root.clone())) {
                Ok(config) if faults.is_empty() => return Ok((config, self.origins)),
                Ok(_) => return Err(all_of(faults)),
                Err(error) => error,
            };
            let key = error.path().to_string();
            let typed = self.origins.typed(&key).map(str::to_owned);
            match typed {
                Some(text) if self.replace(&key, &text) => {}
                _ => {
                    let place = match self.origins.of_or_below(&key) {
                        Origin::File => self.file.place_of(&key),
                        layer => layer.to_string(),
                    };
                    let why = words::told(&key, error.into_inner().message(), &self.known);
                    let whose = place::named(&self.root, &key).map(|id| format!(", of {id:?}")).unwrap_or_default();
                    let is_out = place::leave_out(&mut self.root, &key);
                    faults.push(ConfigError::Key { key, place: place + &whose, why });
                    if !is_out {
                        return Err(all_of(faults));
                    }
                }
            }
        }
    }

    /// Puts a text where something else was guessed; false when it is a text already.
    fn replace(&mut self, key: &str, text: &str) -> bool {
        let mut parts = key.split('.').peekable();
        let mut table = &mut self.root;
        while let Some(part) = parts.next() {
            let Some(value) = table.get_mut(part) else { return false };
            if parts.peek().is_none() {
                let was_text = value.is_str();
                *value = Value::String(text.to_owned());
                return !was_text;
            }
            let Some(below) = value.as_table_mut() else { return false };
            table = below;
        }
        false
    }
}

fn all_of(mut faults: Vec<ConfigError>) -> ConfigError {
    match faults.pop() {
        Some(only) if faults.is_empty() => only,
        last => ConfigError::Several(faults.into_iter().chain(last).collect()),
    }
}

/// The list that a path would go into.
fn list_above(known: &Table, sections: &[String]) -> Option<String> {
    let mut table = known;
    for (depth, section) in sections.iter().enumerate() {
        match table.get(section)? {
            Value::Table(below) => table = below,
            Value::Array(_) => return Some(sections[..=depth].join(".")),
            _ => return None,
        }
    }
    None
}

/// A TOML scalar or array if it reads as one, else the text itself.
fn guess(text: &str) -> Value {
    let line = format!("v = {text}");
    let parsed = line.parse::<Table>().ok().filter(|table| table.len() == 1).and_then(|mut table| table.remove("v"));
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Worker {
        block: u32,
        name: String,
        password: Option<Secret>,
        kinds: Vec<String>,
        parts: Vec<Part>,
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Part {
        id: String,
        to: String,
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Whole {
        scorer: Worker,
        #[serde(rename = "audit-sink")]
        audit_sink: Worker,
    }

    fn read(file: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Whole, String> {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let flags: Vec<_> = flags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        layered(("x.toml", file), "DX", env, &flags).map(|(whole, _)| whole).map_err(|e| e.to_string())
    }

    #[test]
    fn the_later_layer_wins() {
        let file = "[scorer]\nblock = 1\nname = 'file'\n[audit-sink]\nblock = 7";
        let read = read(file, &[("DX__SCORER__BLOCK", "2"), ("DX__AUDIT_SINK__NAME", "env")], &[("scorer.block", "3")]);
        let read = read.unwrap();
        assert_eq!((read.scorer.block, read.scorer.name.as_str()), (3, "file"));
        assert_eq!((read.audit_sink.block, read.audit_sink.name.as_str()), (7, "env"));
    }

    #[test]
    fn a_text_may_look_like_anything() {
        for text in ["123", "true", "1979-05-27", "a = b", "'quoted", "x # y"] {
            let read = read("", &[("DX__SCORER__PASSWORD", text), ("DX__SCORER__NAME", text)], &[]).unwrap();
            assert_eq!(read.scorer.name, text);
            assert_eq!(read.scorer.password.unwrap().expose(), text);
        }
        let read = read("", &[("DX__SCORER__KINDS", "['a', 'b']")], &[]).unwrap();
        assert_eq!(read.scorer.kinds, ["a", "b"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_layer() {
        let cases: [(Result<Whole, String>, &[&str]); 8] = [
            (read("[scorrer]\nblock = 1", &[], &[]), &["scorrer", "x.toml, line 1"]),
            (read("[scorer]\nblok = 1", &[], &[]), &["scorer.blok", "x.toml, line 2"]),
            (read("", &[("DX__SCORER__BLOK", "1")], &[]), &["scorer.blok", "environment"]),
            (read("", &[], &[("scorer.block", "many")]), &["scorer.block", "flag", "a whole number"]),
            (read("[scorer", &[], &[]), &["x.toml"]),
            (read("", &[], &[("scorer.kinds.0", "a")]), &["scorer.kinds.0", "`scorer.kinds` is a list", "--config"]),
            (read("", &[("DX__SCORER__KINDS__0", "a")], &[]), &["DX__SCORER__KINDS__0", "set whole"]),
            (
                read("[scorer]\nparts = [\n  { id = 'one', to = 'x' },\n  { id = 'two' },\n]", &[], &[]),
                &["`scorer.parts[1]`", "x.toml, line 4, of \"two\"", "`to`"],
            ),
        ];
        for (read, wanted) in cases {
            let error = read.unwrap_err();
            for word in wanted {
                assert!(error.contains(word), "{error:?} lacks {word:?}");
            }
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let file = "[scorer]\nblok = 1\nname = 7\n[audit-sink]\nblock = 'x'\nkinds = 'y'\n[other]\n";
        let error = read(file, &[("DX__SCORER__BLOCK", "many")], &[]).unwrap_err();
        assert_eq!(error.lines().count(), 6, "{error}");
        for key in ["scorer.blok", "scorer.name", "scorer.block", "audit-sink.block", "audit-sink.kinds", "other"] {
            assert!(error.contains(&format!("`{key}`")), "{key}: {error}");
        }
    }

    #[test]
    fn errors_do_not_repeat_what_may_be_a_secret() {
        let rows: [(Result<Whole, String>, &str); 8] = [
            (read("[scorer]\npassword = hush", &[], &[]), "line 2"),
            (read("[scorer]\npassword = 'hush", &[], &[]), "line 2"),
            (read("password hush", &[], &[]), "line 1"),
            (read("[scorer]\npassword = 'x'\npassword = 'hush'", &[], &[]), "line"),
            (read("[scorer]\nblock = 'hush'", &[], &[]), "wants a whole number, and this is text"),
            (read("", &[("DX__SCORER__BLOCK", "hush")], &[]), "wants a whole number, and this is text"),
            (read("[scorer]\npassword = ['hush']", &[], &[]), "wants text, and this is a list"),
            (read("scorer = 'hush'", &[], &[]), "wants a table, and this is text"),
        ];
        for (read, wanted) in rows {
            let error = read.unwrap_err();
            assert!(!error.contains("hush") && error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn a_secret_is_not_taken_from_the_command_line() {
        let refused = read("", &[], &[("scorer.password", "hush")]).unwrap_err();
        assert!(refused.contains("scorer.password") && refused.contains("DX__SCORER__PASSWORD"), "{refused}");
        assert!(!refused.contains("hush"), "{refused}");
        for (key, text) in [("scorer.password", ""), ("scorer.name", "hush"), ("audit-sink.block", "7")] {
            assert!(read("", &[], &[(key, text)]).is_ok(), "{key}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let config = read("[scorer]\npassword = 'hush'", &[], &[]).unwrap();
        let shown = show(&config).unwrap() + &format!("{config:?}");
        assert!(!shown.contains("hush") && shown.contains(REDACTED), "{shown}");
    }
}
