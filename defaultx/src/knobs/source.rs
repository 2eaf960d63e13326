//! PURE. The structs that read the configuration, out of their sources, as a JSON Schema. The sources stand in the binary for it: a derive would be one
//! more dependency and one more attribute at every key, and a file that is generated beforehand could fall behind. What it reads is what `rustfmt` writes.

use serde_json::{Map, Value, json};

/// Where structs stand: a name looks in its own group first.
const SOURCES: [(&str, &str); 14] = [
    ("defaultx", include_str!("../settings.rs")),
    ("tls", include_str!("../../../runtime/src/http/tls.rs")),
    ("kafka", include_str!("../../../runtime/src/kafka.rs")),
    ("kafka", include_str!("../../../runtime/src/kafka/login.rs")),
    ("pg", include_str!("../../../runtime/src/pg/config.rs")),
    ("pg", include_str!("../../../runtime/src/pg/login.rs")),
    ("telemetry", include_str!("../../../runtime/src/telemetry.rs")),
    ("stream", include_str!("../../../runtime/src/stream/spec.rs")),
    ("ingest", concat!(include_str!("../../../ingest/src/config.rs"), include_str!("../../../ingest/src/products.rs"))),
    ("scorer", include_str!("../../../scorer/src/config.rs")),
    ("decision", include_str!("../../../decision/src/config.rs")),
    ("notifier", include_str!("../../../notifier/src/config.rs")),
    (
        "audit_sink",
        concat!(
            include_str!("../../../audit-sink/src/config.rs"),
            include_str!("../../../audit-sink/src/signer/config.rs")
        ),
    ),
    ("read_api", include_str!("../../../read-api/src/config.rs")),
];

/// The whole configuration. A type that is not found here has the type `unknown`; a test finds none.
pub(super) fn schema() -> Value {
    of_struct("defaultx", "Settings").unwrap_or_default()
}

/// The lines of `pub struct NAME {` or `pub enum NAME {`, with the group that it was found in.
fn body(group: &str, kind: &str, name: &str) -> Option<(&'static str, Vec<&'static str>)> {
    let opens = format!("pub {kind} {name} {{");
    let own = SOURCES.iter().filter(|(at, _)| *at == group);
    let mut all = own.chain(SOURCES.iter().filter(|(at, _)| *at != group));
    all.find_map(|(at, text)| {
        let mut lines = text.lines().skip_while(|line| *line != opens);
        lines.next()?;
        Some((*at, lines.take_while(|line| *line != "}").map(str::trim).collect()))
    })
}

fn of_struct(group: &str, name: &str) -> Option<Value> {
    let (group, lines) = body(group, "struct", name)?;
    let (mut fields, mut docs, mut attributes) = (Map::new(), Vec::new(), String::new());
    for line in lines {
        if let Some(doc) = line.strip_prefix("///") {
            docs.push(doc.trim());
        } else if line.starts_with("#[") {
            attributes += line;
        } else if let Some((key, of_type)) = line.strip_prefix("pub ").and_then(|field| field.split_once(": ")) {
            if !attributes.contains("(skip)") {
                let renamed = attributes.split_once("rename = \"").and_then(|(_, rest)| rest.split('"').next());
                let mut schema = of_type_named(group, of_type.trim_end_matches(','));
                schema["description"] = docs.join(" ").into();
                fields.insert(renamed.unwrap_or(key).to_owned(), schema);
            }
            (docs, attributes) = (Vec::new(), String::new());
        }
    }
    Some(json!({ "type": "object", "properties": fields }))
}

fn of_type_named(group: &str, name: &str) -> Value {
    let within = |start: &str| name.strip_prefix(start).and_then(|rest| rest.strip_suffix('>'));
    if let Some(inner) = within("Option<") {
        return of_type_named(group, inner);
    }
    if let Some(inner) = within("Vec<") {
        return json!({ "type": "array", "items": of_type_named(group, inner) });
    }
    if let Some(inner) = within("BTreeMap<String, ") {
        return json!({ "type": "object", "additionalProperties": of_type_named(group, inner) });
    }
    match name {
        "bool" => json!({ "type": "boolean" }),
        "f64" => json!({ "type": "number" }),
        "u16" | "u32" | "u64" | "usize" | "i32" | "i64" => json!({ "type": "integer" }),
        "String" | "PathBuf" => json!({ "type": "string" }),
        // Written as a list of names as well.
        "Products" => of_type_named(group, "BTreeMap<String, Product>"),
        "Secret" => json!({ "type": "string", "writeOnly": true }),
        _ if within("Word<").is_some() => json!({ "type": "string" }),
        _ => {
            let (group, name) = name.split_once("::").unwrap_or((group, name));
            of_struct(group, name).or_else(|| of_enum(group, name)).unwrap_or_else(|| json!({ "type": "unknown" }))
        }
    }
}

/// Words in lower case, as serde is told to write them.
fn of_enum(group: &str, name: &str) -> Option<Value> {
    let (_, lines) = body(group, "enum", name)?;
    let is_word = |line: &&&str| line.starts_with(char::is_alphabetic);
    let words: Vec<String> =
        lines.iter().filter(is_word).map(|line| line.trim_end_matches(',').to_lowercase()).collect();
    Some(json!({ "type": "string", "enum": words }))
}
