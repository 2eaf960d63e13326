//! `name@version`: how people, routes and activations name a version.

use schemas::control::Activation;
use std::cmp::Ordering;
use std::fmt;

/// Longest name, in characters.
const MAX_NAME: usize = 128;
/// Longest version, in characters.
const MAX_VERSION: usize = 64;

/// A version by its name. Ordered by name, then by the numbers of the version: 1.9.0 is before 1.10.0.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Label {
    /// Name of the document or package.
    pub name: String,
    /// Its version, such as `1.0.0`.
    pub version: String,
}

/// A text that names no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not name@version")]
pub struct NotALabel(String);

impl Label {
    /// A label of parts that were checked elsewhere.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { name: name.into(), version: version.into() }
    }

    /// Reads what a person or a route wrote. Each part is the name of a file too, so that neither leads out of a folder.
    ///
    /// # Errors
    /// [`NotALabel`].
    pub fn parse(text: &str) -> Result<Self, NotALabel> {
        let label = Self::split(text).filter(|label| fits(&label.name, MAX_NAME) && fits(&label.version, MAX_VERSION));
        label.ok_or_else(|| NotALabel(text.chars().take(MAX_NAME + MAX_VERSION).collect()))
    }

    /// Reads what is in a record: parts of any form.
    pub(crate) fn split(text: &str) -> Option<Self> {
        text.split_once('@').map(|(name, version)| Self::new(name, version))
    }

    /// What an activation names. It is split where its text would be, so that it is the same label after a restart.
    pub(crate) fn of(activation: &Activation) -> Self {
        Self::split(&activation.label()).unwrap_or_else(|| Self::new(&activation.name, &activation.version))
    }
}

fn fits(part: &str, most: usize) -> bool {
    let is_allowed = |c: char| !c.is_control() && !matches!(c, '@' | '/' | '\\');
    (1..=most).contains(&part.chars().count()) && part.chars().all(is_allowed) && !part.starts_with('.')
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// Numbers are before words.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'l> {
    Number(u64),
    Word(&'l str),
}

impl Ord for Label {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_parts = || parts(&self.version).cmp(parts(&other.version));
        self.name.cmp(&other.name).then_with(by_parts).then_with(|| self.version.cmp(&other.version))
    }
}

fn parts(version: &str) -> impl Iterator<Item = Part<'_>> {
    version.split('.').map(|part| part.parse().map_or(Part::Word(part), Part::Number))
}

impl PartialOrd for Label {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_a_name_and_a_version_and_leads_nowhere_else() {
        for text in ["standard@1.0.0", "a@1", "taiwan-net@2026-11"] {
            assert_eq!(Label::parse(text).unwrap().to_string(), text);
        }
        let long = format!("{}@1.0.0", "n".repeat(MAX_NAME + 1));
        let long_version = format!("a@{}", "1".repeat(MAX_VERSION + 1));
        for text in [
            "",
            "standard",
            "@1.0.0",
            "standard@",
            "a@b@c",
            "../policies@1",
            "a@..",
            "a\\b@1",
            "a@1\n2",
            &long,
            &long_version,
        ] {
            assert!(Label::parse(text).unwrap_err().to_string().ends_with("is not name@version"), "{text}");
        }
    }

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let sorted = ["a@1.0.0", "a@1.9.0", "a@1.10.0", "a@01.x.0", "a@1.x.0", "b@0.1.0"];
        let mut labels: Vec<Label> = sorted.iter().rev().map(|text| Label::parse(text).unwrap()).collect();
        labels.sort();
        assert_eq!(labels.iter().map(Label::to_string).collect::<Vec<_>>(), sorted);
    }
}
