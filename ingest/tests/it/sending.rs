//! The limits of the page for senders (`docs/sending.md`) are those of the configuration: each with its default, none left out.

use ingest::Config;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

#[test]
fn every_limit_of_a_sender_is_told_with_its_default() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/sending.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let told: BTreeMap<&str, &str> =
        rows.filter_map(|(setting, rest)| Some((setting, rest.split_once(" |")?.0))).collect();
    let config = serde_json::to_value(Config::default()).unwrap();
    for (setting, default) in &told {
        assert_eq!(config[setting].to_string(), *default, "{setting}");
    }
    let numbers = config.as_object().unwrap().iter().filter(|(_, value)| matches!(value, Value::Number(_)));
    for (setting, _) in numbers {
        assert!(told.contains_key(setting.as_str()), "{setting} is not told");
    }
}
