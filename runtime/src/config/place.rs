//! PURE. Where a key stands in a file: its line; and whose it is, where it stands in a list of things with ids.

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

/// The file of a configuration.
pub(super) struct File<'f> {
    pub(super) name: &'f str,
    pub(super) text: &'f str,
}

impl File<'_> {
    /// `own.toml, line 7`: where the key stands, or what holds it.
    pub(super) fn place_of(&self, key: &str) -> String {
        match self.line_of(key) {
            Some(line) => format!("{}, line {line}", self.name),
            None if self.name.is_empty() => "file".to_owned(),
            None => self.name.to_owned(),
        }
    }

    fn line_of(&self, key: &str) -> Option<usize> {
        let root = DeTable::parse(self.text).ok()?;
        let (mut level, mut at) = (Level::Table(root.get_ref()), None);
        for step in steps(key) {
            let (start, below) = match (level, step) {
                (Level::Table(table), Step::Key(name)) => {
                    let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref().as_ref() == name) else {
                        break;
                    };
                    (key.span().start, value)
                }
                (Level::List(list), Step::Index(index)) => {
                    let Some(value) = list.get(index) else { break };
                    (value.span().start, value)
                }
                _ => break,
            };
            at = Some(start);
            level = match below.get_ref() {
                DeValue::Table(table) => Level::Table(table),
                DeValue::Array(list) => Level::List(list),
                _ => break,
            };
        }
        at.map(|at| line(self.text, at))
    }
}

enum Level<'t> {
    Table(&'t DeTable<'t>),
    List(&'t [Spanned<DeValue<'t>>]),
}

enum Step<'k> {
    Key(&'k str),
    Index(usize),
}

/// `a.b[2].c` in steps.
fn steps(key: &str) -> impl Iterator<Item = Step<'_>> {
    key.split('.').flat_map(|part| {
        let (name, indexes) = part.split_once('[').unwrap_or((part, ""));
        let indexes = indexes.split(['[', ']']).filter_map(|index| index.parse().ok()).map(Step::Index);
        [Step::Key(name)].into_iter().chain(indexes)
    })
}

/// Takes a key out of a configuration, or the list that it stands in; false where it is not there.
pub(super) fn leave_out(root: &mut Table, key: &str) -> bool {
    let plain = key.split('[').next().unwrap_or(key);
    let (above, name) = plain.rsplit_once('.').unwrap_or(("", plain));
    let above = above.split('.').filter(|part| !part.is_empty());
    let table = above.into_iter().try_fold(root, |table, part| table.get_mut(part)?.as_table_mut());
    table.is_some_and(|table| table.remove(name).is_some())
}

/// The line of a byte, from 1.
pub(super) fn line(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

/// The `id` of the thing in a list that a key belongs to.
pub(super) fn named<'t>(root: &'t Table, key: &str) -> Option<&'t str> {
    let (mut table, mut list, mut id) = (Some(root), None::<&Vec<Value>>, None);
    for step in steps(key) {
        let below = match step {
            Step::Key(name) => table?.get(name)?,
            Step::Index(index) => {
                let item = list?.get(index)?;
                id = item.get("id").and_then(Value::as_str).filter(|id| is_plain(id));
                item
            }
        };
        (table, list) = (below.as_table(), below.as_array());
        if table.is_none() && list.is_none() {
            break;
        }
    }
    id
}

fn is_plain(id: &str) -> bool {
    id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte))
}
