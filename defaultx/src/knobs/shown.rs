//! PURE. What is in force, as TOML that loads again; with comments that say of each value what it is for, its unit and where it comes from.

use super::page::one_line;
use super::{Knob, Shape};
use crate::settings::Settings;
use anyhow::{Result, bail};
use runtime::config::{Origin, Origins, nearest};
use std::fmt::Write as _;
use toml::{Table, Value};

/// Characters of a line of comment.
const WIDTH: usize = 110;

const HEAD: &str = "\
# What is in force. What a stack on this machine fills in when a worker starts (servers, logins, keys) is not here.
";

/// Which knobs are shown, and how.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// With comments.
    pub(crate) explain: bool,
    /// Only this section.
    pub(crate) section: Option<String>,
    /// Only what is not as by default.
    pub(crate) changed: bool,
}

/// Former places of knobs: what was set there counts here.
const FORMER: [(&str, &str); 4] = [
    ("audit-signer.origin", "audit-sink.checkpoint_origin"),
    ("audit-signer.key", "audit-sink.checkpoint_key"),
    ("audit-signer.interval_s", "audit-sink.checkpoint_interval_s"),
    ("audit-signer.verify_interval_s", "audit-sink.verify_interval_s"),
];

/// The settings, as asked.
///
/// # Errors
/// When there is no such section.
pub(crate) fn shown(settings: &Settings, origins: &Origins, asked: &Asked) -> Result<String> {
    let (values, defaults) = (Table::try_from(settings)?, Table::try_from(Settings::default())?);
    let sections = Knob::sections();
    let names = || sections.iter().map(Knob::name);
    if let Some(name) = asked.section.as_deref().filter(|name| names().all(|known| known != *name)) {
        match nearest(name, names()) {
            Some(near) => bail!("there is no section [{name}]; the nearest is [{near}]"),
            None => bail!("there is no section [{name}]; there are {}", names().collect::<Vec<_>>().join(", ")),
        }
    }
    let mut page = Page { text: String::new(), origins, asked };
    if asked.explain {
        page.text.push_str(HEAD);
    }
    for section in sections.iter().filter(|knob| asked.section.as_deref().is_none_or(|name| name == knob.name())) {
        let Shape::Table(knobs) = section.shape() else { continue };
        page.table(section.name(), &knobs, of(&values, section.name()), of(&defaults, section.name()));
    }
    Ok(page.text)
}

fn of<'t>(table: &'t Table, name: &str) -> Option<&'t Table> {
    table.get(name).and_then(Value::as_table)
}

struct Page<'p> {
    text: String,
    origins: &'p Origins,
    asked: &'p Asked,
}

impl Page<'_> {
    /// A section or a table of one: values first, then the tables below it.
    fn table(&mut self, path: &str, knobs: &[Knob], values: Option<&Table>, defaults: Option<&Table>) {
        let mut body = String::new();
        for knob in knobs {
            let value = values.and_then(|values| values.get(knob.name()));
            let default = defaults.and_then(|defaults| defaults.get(knob.name()));
            if matches!(knob.shape(), Shape::Leaf) {
                body += &self.value(&format!("{path}.{}", knob.name()), knob, value, default);
            }
        }
        if !body.is_empty() {
            self.push(&format!("\n[{path}]\n{body}"));
        }
        for knob in knobs {
            let value = values.and_then(|values| values.get(knob.name()));
            let default = defaults.and_then(|defaults| of(defaults, knob.name()));
            let path = format!("{path}.{}", knob.name());
            match knob.shape() {
                Shape::Leaf => {}
                Shape::Table(below) => self.table(&path, &below, value.and_then(Value::as_table), default),
                Shape::Named(below) => {
                    for (name, named) in value.and_then(Value::as_table).into_iter().flatten() {
                        self.table(
                            &format!("{path}.{name}"),
                            &below,
                            named.as_table(),
                            default.and_then(|all| of(all, name)),
                        );
                    }
                }
                Shape::List(below) => {
                    for item in value.and_then(Value::as_array).into_iter().flatten() {
                        self.item(&path, knob, &below, item.as_table());
                    }
                }
            }
        }
    }

    /// An entry of a list of tables: it has no default, and comes from where the list does.
    fn item(&mut self, path: &str, list: &Knob, knobs: &[Knob], values: Option<&Table>) {
        let mut text = format!("\n[[{path}]]\n");
        if self.asked.explain {
            text += &comment(&list.why());
            text += &comment(&told(&self.origin(path), None, None));
        }
        for knob in knobs {
            if let Some(value) = values.and_then(|values| values.get(knob.name())) {
                if self.asked.explain {
                    text += &comment(&knob.why());
                }
                text += &assigned(knob, value, self.asked.explain);
            }
        }
        self.push(&text);
    }

    fn push(&mut self, text: &str) {
        let text = if self.text.is_empty() { text.trim_start() } else { text };
        self.text.push_str(text);
    }

    fn value(&self, key: &str, knob: &Knob, value: Option<&Value>, default: Option<&Value>) -> String {
        let origin = self.origin(key);
        if value.is_none() && FORMER.iter().any(|(_, former)| *former == key) {
            return String::new(); // it counts, and is shown, where it stands now
        }
        if self.asked.changed && origin == Origin::Default.to_string() && value == default {
            return String::new();
        }
        if !self.asked.explain {
            return value.map(|value| assigned(knob, value, false)).unwrap_or_default();
        }
        let default = default.filter(|default| !knob.is_secret() && Some(*default) != value);
        let mut text = comment(&knob.why());
        text += &comment(&told(&origin, knob.unit(), default));
        text += &match value {
            Some(value) => assigned(knob, value, true),
            None => format!("# {} is not set\n", knob.name()),
        };
        text
    }

    /// Who set a key: under its name, under a former one, or by a file that holds it.
    fn origin(&self, key: &str) -> String {
        let of = |key: &str| Some(self.origins.of(key)).filter(|origin| *origin != Origin::Default);
        if let Some(origin) = of(key) {
            return origin.to_string();
        }
        let former = FORMER.iter().find(|(now, _)| *now == key).map(|(_, former)| (*former).to_owned());
        // Names of logins may be spelt with underscores, as in the environment.
        let spelt = key.rsplit_once('.').map(|(table, name)| {
            let (above, login) = table.rsplit_once('.').unwrap_or(("", table));
            format!("{above}.{}.{name}", login.replace('-', "_"))
        });
        let others = former.into_iter().chain([format!("{key}_file")]).chain(spelt);
        let found = others.into_iter().find_map(|other| Some((of(&other)?, other)));
        found.map_or_else(|| Origin::Default.to_string(), |(origin, other)| format!("{origin}, as {other}"))
    }
}

/// `bytes; from file; 7 by default`.
fn told(origin: &str, unit: Option<&str>, default: Option<&Value>) -> String {
    let origin = if origin == "default" { "by default".to_owned() } else { format!("from {origin}") };
    let default = default.map(|default| format!("{} by default", one_line(default)));
    unit.map(str::to_owned).into_iter().chain([origin]).chain(default).collect::<Vec<_>>().join("; ")
}

/// The line of a value. A secret that is set is a comment where people read it: its stars are no value to load.
fn assigned(knob: &Knob, value: &Value, explain: bool) -> String {
    let is_set = match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Table(items) => !items.is_empty(),
        _ => true,
    };
    let hidden = if explain && is_set && knob.is_secret() { "# secret, set: " } else { "" };
    format!("{hidden}{} = {}\n", knob.name(), one_line(value))
}

fn comment(text: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::from("#"));
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines += &(line + "\n");
            line = String::from("#");
        }
        if write!(line, " {word}").is_err() {
            break;
        }
    }
    if line == "#" { lines } else { lines + &line + "\n" }
}
