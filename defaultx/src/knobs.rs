//! PURE. Every knob there is, as the structs that read the configuration and the comments on them say: for the page of all knobs ([`page`]) and
//! for what is in force ([`shown`]). Knows no knob itself, so it says no more and no less than the code.

pub(crate) mod page;
pub(crate) mod shown;
mod source;

use serde_json::Value;

/// Units of numbers by the end of their keys; the longest end counts.
const UNITS: [(&str, &str); 36] = [
    ("_ms", "milliseconds"),
    ("_s", "seconds"),
    ("_seconds", "seconds"),
    ("_minutes", "minutes"),
    ("_days", "days"),
    ("days_max", "days"),
    ("_bytes", "bytes"),
    ("_bytes_per_tenant", "bytes"),
    ("_bytes_per_second", "bytes a second"),
    ("_kb", "kilobytes"),
    ("_percent", "percent"),
    ("_records", "records"),
    ("_rows", "rows"),
    ("_lines", "lines"),
    ("_entries", "entries"),
    ("_keys", "keys"),
    ("records_per_second_per_tenant", "applications a second"),
    ("requests_per_second", "requests a second"),
    ("requests_per_minute", "requests a minute"),
    ("quota_per_day", "applications a day"),
    ("concurrent", "requests"),
    ("concurrent_per_tenant", "requests"),
    ("concurrency", "requests"),
    ("concurrency_per_tenant", "requests"),
    ("max_parsing", "requests"),
    ("connections_per_address", "connections"),
    ("max_depth", "levels"),
    ("dead_letter_limit_window", "records"),
    ("state_cap", "entries"),
    ("block", "applications"),
    ("page_size", "applications"),
    ("page_size_max", "applications"),
    ("partitions", "partitions"),
    ("replicas", "copies"),
    ("replication_factor", "copies"),
    ("pool_size", "sessions"),
];
/// Numbers that count nothing.
const PLAIN: [(&str, &str); 3] = [("jitter", "share, 0 to 1"), ("shards", "writers"), ("zstd_level", "level")];

/// A struct of the configuration, or a key in one.
pub(crate) struct Knob {
    name: String,
    schema: Value,
}

/// What may stand at a key.
pub(crate) enum Shape {
    /// One value, or a list of such.
    Leaf,
    /// Keys of their own.
    Table(Vec<Knob>),
    /// A table of such tables, by names that whoever configures chooses.
    Named(Vec<Knob>),
    /// A list of such tables.
    List(Vec<Knob>),
}

impl Knob {
    /// The sections.
    pub(crate) fn sections() -> Vec<Self> {
        fields(&source::schema())
    }

    /// The key.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What it is for, in one line.
    pub(crate) fn why(&self) -> String {
        let text = self.schema["description"].as_str().unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        // A link of the code's documentation is a name here.
        words.join(" ").replace("[`", "`").replace("`]", "`")
    }

    /// Whether it is never shown.
    pub(crate) fn is_secret(&self) -> bool {
        self.schema["writeOnly"] == true
            || [&self.schema["items"], &self.schema["additionalProperties"]].iter().any(|of| of["writeOnly"] == true)
    }

    /// What it is counted in; a number has one.
    pub(crate) fn unit(&self) -> Option<&'static str> {
        let ends = UNITS.iter().chain(&PLAIN).filter(|(end, _)| self.is_number() && self.name.ends_with(end));
        ends.max_by_key(|(end, _)| end.len()).map(|(_, unit)| *unit)
    }

    /// Whether it is a number, or a list of such.
    pub(crate) fn is_number(&self) -> bool {
        matches!(self.kind().trim_start_matches("list of "), "whole number" | "number")
    }

    /// The type, in words.
    pub(crate) fn kind(&self) -> String {
        match self.shape() {
            Shape::Leaf => kind(&self.schema),
            Shape::Table(_) => "table".to_owned(),
            Shape::Named(_) => "tables by name".to_owned(),
            Shape::List(_) => "list of tables".to_owned(),
        }
    }

    /// What may stand below it.
    pub(crate) fn shape(&self) -> Shape {
        let below = |of: &Value| Some(fields(of)).filter(|fields| !fields.is_empty());
        if let Some(fields) = below(&self.schema) {
            Shape::Table(fields)
        } else if let Some(fields) = below(&self.schema["additionalProperties"]) {
            Shape::Named(fields)
        } else if let Some(fields) = below(&self.schema["items"]) {
            Shape::List(fields)
        } else {
            Shape::Leaf
        }
    }
}

/// What the number at a dotted key is counted in.
pub(crate) fn unit_of(key: &str) -> Option<&'static str> {
    let (mut level, mut found) = (Knob::sections(), None);
    for step in key.split('.').map(|step| step.split('[').next().unwrap_or(step)) {
        let Some(at) = level.iter().position(|knob| knob.name == step) else {
            // A name that whoever configures chose stands between a table of tables and their keys.
            continue;
        };
        let knob = level.swap_remove(at);
        level = match knob.shape() {
            Shape::Leaf => Vec::new(),
            Shape::Table(below) | Shape::Named(below) | Shape::List(below) => below,
        };
        found = Some(knob);
    }
    found?.unit()
}

fn fields(schema: &Value) -> Vec<Knob> {
    let properties = schema["properties"].as_object();
    let knob = |(name, schema): (&String, &Value)| Knob { name: name.clone(), schema: schema.clone() };
    properties.map(|properties| properties.iter().map(knob).collect()).unwrap_or_default()
}

fn kind(schema: &Value) -> String {
    let words: Vec<&str> = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !words.is_empty() {
        return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
    }
    match schema["type"].as_str() {
        Some("string") => "text".to_owned(),
        Some("integer") => "whole number".to_owned(),
        Some("number") => "number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => format!("list of {}", kind(&schema["items"])),
        Some("object") => format!("{} by name", kind(&schema["additionalProperties"])),
        of => of.unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(knobs: Vec<Knob>, above: &str, see: &mut impl FnMut(&str, &Knob)) {
        for knob in knobs {
            let key = if above.is_empty() { knob.name.clone() } else { format!("{above}.{}", knob.name) };
            see(&key, &knob);
            match knob.shape() {
                Shape::Leaf => {}
                Shape::Table(below) | Shape::Named(below) | Shape::List(below) => walk(below, &key, see),
            }
        }
    }

    #[test]
    fn every_knob_says_why_and_every_number_its_unit() {
        let mut silent = Vec::new();
        walk(Knob::sections(), "", &mut |key, knob| {
            if key.contains('.') && knob.why().is_empty() {
                silent.push(format!("{key} has no comment"));
            }
            if knob.kind().contains("unknown") {
                silent.push(format!("{key} has a type that knobs/source.rs does not find"));
            }
            if knob.is_number() && knob.unit().is_none() {
                silent.push(format!("{key} has no unit: end its name with one, or name it in UNITS"));
            }
        });
        assert!(silent.is_empty(), "{}", silent.join("\n"));
    }

    #[test]
    fn they_are_the_keys_that_the_structs_read() {
        let mut keys = std::collections::BTreeSet::new();
        walk(Knob::sections(), "", &mut |key, _| {
            keys.insert(key.to_owned());
        });
        let mut missing = Vec::new();
        let defaults = toml::Table::try_from(crate::settings::Settings::default()).expect("defaults are TOML");
        for (section, table) in &defaults {
            for key in table.as_table().into_iter().flat_map(toml::Table::keys) {
                missing.extend(Some(format!("{section}.{key}")).filter(|key| !keys.contains(key)));
            }
        }
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn secrets_and_shapes_are_told_apart() {
        let mut seen = std::collections::BTreeMap::new();
        walk(Knob::sections(), "", &mut |key, knob| {
            seen.insert(key.to_owned(), (knob.kind(), knob.is_secret()));
        });
        let rows = [
            ("process.log_format", "`text` or `json`", false),
            ("process.drain_seconds", "whole number", false),
            ("kafka.sasl_password", "text", true),
            ("kafka.principals", "tables by name", false),
            ("kafka.principals.password", "text", true),
            ("ingest.subject_keys", "text by name", true),
            ("ingest.products", "tables by name", false),
            ("ingest.products.currencies", "list of text", false),
            ("notifier.retry_after_s", "list of whole number", false),
            ("notifier.subscriptions", "list of tables", false),
            ("notifier.subscriptions.secrets", "list of text", true),
            ("notifier.jitter", "number", false),
            ("scorer.models_dir", "text", false),
        ];
        for (key, kind, is_secret) in rows {
            assert_eq!(seen.get(key), Some(&(kind.to_owned(), is_secret)), "{key}");
        }
        assert!(!seen.contains_key("ingest.classes"), "what is no knob");
    }
}
