//! The page for senders, tried as it stands: every `curl` of `docs/sending.md` is run against a door, and ends as the page says.

use crate::stack::{is_of, whole};
use e2e::stage::root;
use schemas::reply::Reply;
use std::process::{Command, Stdio};

/// A block of the page that asks a door something, and the status that it says comes of it.
fn commands(page: &str) -> Vec<(&str, &str)> {
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let asking = blocks.map(|(block, _)| block.trim()).filter(|block| block.contains("curl"));
    asking.map(|block| (block, block.rsplit_once("# ").expect("a command says what comes of it").1)).collect()
}

#[test]
fn every_command_of_the_page_for_senders_does_what_it_says() {
    let whole = whole();
    let page = std::fs::read_to_string(root().join("docs/sending.md")).unwrap();
    let commands = commands(&page);
    assert!(commands.len() >= 10, "{}", commands.len());
    for (command, status) in &commands {
        let mut shell = Command::new("sh");
        shell.args(["-euc", command]).current_dir(root()).stdin(Stdio::null());
        shell.env("DOOR", format!("http://{}", whole.stage.settings.ingest.door_address)).env("TOKEN", whole.token());
        let ended = shell.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        let told = format!("{command}\n{said}\n{}", String::from_utf8_lossy(&ended.stderr));
        assert!(ended.status.success(), "{told}");
        assert_eq!(said.trim_end().lines().last(), Some(*status), "{told}");
    }
    let mut statuses: Vec<&str> = commands.iter().map(|(_, status)| *status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(statuses, ["200", "202", "207", "401", "422"]);
    // What it sends is answered: the first application once as new, and each time after as one that is known.
    let of_card = |reply: &Reply| {
        is_of(reply, "taiwan-1") && reply.origin_id.as_deref().is_some_and(|id| id != "withdraw:taiwan-1")
    };
    let replies = whole.wait_replies(of_card, 3);
    let accepted = replies.iter().filter(|reply| reply.status.to_string() == "accepted").count();
    assert_eq!(accepted, 1, "{replies:?}");
}
