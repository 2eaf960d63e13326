//! The page for senders (`docs/sending.md`), tried as it stands: every `curl` of it is run against a door and ends as the page says,
//! and its limits are those of the configuration.

use crate::cluster::{Cluster, header};
use crate::door::realm;
use crate::http::Running;
use ingest::Config;
use runtime::auth::{generate, mint};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page() -> String {
    std::fs::read_to_string(root().join("docs/sending.md")).unwrap()
}

/// The blocks of the page that ask a door something, each with the status that it says comes of it.
fn commands(page: &str) -> Vec<(&str, &str)> {
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let asking = blocks.map(|(block, _)| block.trim()).filter(|block| block.contains("curl"));
    asking.map(|block| (block, block.rsplit_once("# ").expect("a command says what comes of it").1)).collect()
}

#[tokio::test]
async fn every_command_of_the_page_does_what_it_says() {
    let (private, public) = generate().unwrap();
    let token = mint(&private, &realm(), ("los-1", "demo", &["Originator"]), 600).unwrap();
    let cluster = Cluster::start();
    let door = Running::with(&Config { door_token_key: public, ..Config::default() }, &cluster).await;
    let page = page();
    let commands = commands(&page);
    for (command, status) in &commands {
        let mut shell = Command::new("sh");
        shell.args(["-euc", *command]).current_dir(root()).stdin(Stdio::null());
        shell.env("DOOR", door.address.to_string()).env("TOKEN", &token);
        let ended = shell.output().await.unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        let told = format!("{command}\n{said}\n{}", String::from_utf8_lossy(&ended.stderr));
        assert!(ended.status.success(), "{told}");
        assert_eq!(said.trim_end().lines().last(), Some(*status), "{told}");
    }
    let statuses: BTreeSet<&str> = commands.iter().map(|(_, status)| *status).collect();
    assert_eq!(statuses.into_iter().collect::<Vec<_>>(), ["200", "202", "207", "401", "422"]);
    // One, its withdrawal, one in structured mode, one packed, two lines.
    let mut subjects: Vec<_> = cluster.intake(6).iter().map(|record| header(record, "ce_subject").unwrap()).collect();
    subjects.sort();
    assert_eq!(subjects.iter().filter(|subject| subject.ends_with("-taiwan-1")).count(), 4, "{subjects:?}");
    assert!(!subjects.contains(&"taiwan-1".to_owned()), "an id of the demonstration: {subjects:?}");
}

#[test]
fn every_limit_of_a_sender_is_told_with_its_default() {
    let page = page();
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
