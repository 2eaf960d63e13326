//! PURE. The page of all knobs, docs/configuration.md.

use super::{Knob, Shape};
use crate::settings::{ENV_PREFIX, Settings};
use runtime::config::variable;
use std::fmt::Write as _;
use toml::{Table, Value};

const HEAD: &str = "\
# Configuration

Every knob, by section of the configuration file. This page is written by `defaultx config page`, out of the comments of the code that reads
the knobs; a test compares.

A value comes from the file of `--config`, from the environment, or from `--set section.key=value`; the later wins. An unknown key is refused, with the
nearest that there is. `defaultx config show --explain` says of each value where it comes from; `defaultx config check` says everything that keeps a
worker from its start. The configuration is read at a start only: what changes in it, a secret too, counts after a restart.

* *Environment* is the variable's name. A list or a table is written as in TOML, `[\"a\", \"b\"]`. `NAME` stands for a name of yours.
* *Secrets* are never shown, and not taken from the command line: put them into the file or the environment.
* A key in a list of tables has no variable of its own; the list has. A list is set whole, and one that holds secrets in the file.
";

/// The page.
pub(crate) fn page() -> String {
    let defaults = Table::try_from(Settings::default()).unwrap_or_default();
    let mut text = HEAD.to_owned();
    let sections = Knob::sections();
    for section in &sections {
        let Shape::Table(knobs) = section.shape() else { continue };
        let empty = Table::new();
        let defaults = defaults.get(section.name()).and_then(Value::as_table).unwrap_or(&empty);
        text.push_str(&format!("\n## [{}]\n\n", section.name()));
        text.push_str("| key | type, unit | default | environment | why |\n|---|---|---|---|---|\n");
        rows(
            &mut text,
            &knobs,
            &Place { section: section.name(), above: "", in_list: false, sections: &sections },
            Some(defaults),
        );
    }
    text
}

/// Where a row stands.
struct Place<'p> {
    section: &'p str,
    /// Dotted, with its last dot; below the section.
    above: &'p str,
    in_list: bool,
    sections: &'p [Knob],
}

fn rows(text: &mut String, knobs: &[Knob], place: &Place<'_>, defaults: Option<&Table>) {
    for knob in knobs {
        let key = format!("{}{}", place.above, knob.name());
        let default = defaults.and_then(|defaults| defaults.get(knob.name()));
        let twin = place.sections.iter().find(|section| same_keys(section, knob));
        let mut kind = knob.kind();
        if let Some(unit) = knob.unit() {
            kind = format!("{kind}, {unit}");
        }
        if knob.is_secret() {
            kind += "; **secret**";
        }
        let mut why = knob.why();
        if let Some(twin) = twin {
            why = format!("{why} Its keys are those of `[{}]`.", twin.name());
        }
        let variable = match (place.in_list, knob.shape()) {
            (true, _) | (_, Shape::Table(_) | Shape::Named(_)) => String::new(),
            _ => format!("`{}`", variable(ENV_PREFIX, &format!("{}.{key}", place.section))),
        };
        let cells = [format!("`{key}`"), kind, default_of(knob, default), variable, why];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        if writeln!(text, "| {} |", cells.join(" | ")).is_err() || twin.is_some() {
            continue;
        }
        let (below, step, in_list) = match knob.shape() {
            Shape::Leaf => continue,
            Shape::Table(below) => (below, ".", place.in_list),
            Shape::Named(below) => (below, ".NAME.", place.in_list),
            Shape::List(below) => (below, "[].", true),
        };
        let above = format!("{key}{step}");
        let default = default.and_then(Value::as_table).filter(|_| step == ".");
        rows(text, &below, &Place { above: &above, in_list, ..*place }, default);
    }
}

fn default_of(knob: &Knob, default: Option<&Value>) -> String {
    match (knob.shape(), default) {
        (Shape::Table(_), _) => String::new(),
        (_, None) => "none".to_owned(),
        (_, Some(Value::String(text))) if text.is_empty() => "empty".to_owned(),
        (_, Some(Value::Array(items))) if items.is_empty() => "empty".to_owned(),
        (_, Some(Value::Table(items))) if items.is_empty() => "empty".to_owned(),
        (Shape::Leaf, Some(_)) if knob.is_secret() => "the demonstration's, which is public".to_owned(),
        (_, Some(value)) => format!("`{}`", one_line(value)),
    }
}

/// As TOML, on one line.
pub(super) fn one_line(value: &Value) -> String {
    value.to_string().replace('\n', " ")
}

/// Whether a table has the keys of a section.
fn same_keys(section: &Knob, knob: &Knob) -> bool {
    let names = |knob: &Knob| match knob.shape() {
        Shape::Table(below) => below.iter().map(|knob| knob.name().to_owned()).collect(),
        _ => Vec::new(),
    };
    let of = names(knob);
    !of.is_empty() && of == names(section)
}
