//! `up` and `migrate` on servers of this machine, given as often as people give them.

use crate::kafka;
use defaultx::database;
use schemas::logins::LOGINS;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Ends what `up` left running, also when the test fails.
struct Left<'a>(&'a Path);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        drop(local::Stack::stop_left_running(self.0));
    }
}

/// What `defaultx` prints; the broker is the one that all tests share.
fn said(stack: &Path, command: &str) -> Result<String, String> {
    let broker = kafka("up.");
    let output = Command::new(env!("CARGO_BIN_EXE_defaultx"))
        .args(command.split(' '))
        .args(["--kafka", &broker.bootstrap, "--prefix", &broker.topic_prefix])
        .args(["--set", "kafka.replication_factor=1", "--set", "kafka.partitions=1", "--stack"])
        .arg(stack)
        .envs(crate::login(&broker))
        .output()
        .unwrap();
    let (out, error) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    if output.status.success() { Ok(out) } else { Err(out + &error) }
}

async fn sql(stack: &Path, statements: &str) {
    let url = local::Stack::attach(stack).unwrap().database_url().to_owned();
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::select! {
        ended = connection => panic!("{ended:?}"),
        done = client.batch_execute(statements) => done.unwrap(),
    }
}

#[tokio::test]
async fn up_and_migrate_may_be_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let stack = dir.path().join("stack");
    let _left = Left(&stack);
    let first = said(&stack, "up").unwrap();
    assert!(first.contains("topics made") && !first.contains(" 0 migrations applied"), "{first}");
    assert!(first.contains(&format!("{} logins made, 0 renewed", LOGINS.len())), "{first}");
    let logins = stack.join(database::FILE);
    let kept = std::fs::read_to_string(&logins).unwrap();
    let second = said(&stack, "up").unwrap();
    assert!(
        second.contains("It runs already, in ") && second.contains("0 topics made, 0 migrations applied"),
        "{second}"
    );
    let where_it_is = |said: &str| said.lines().find(|line| line.starts_with("PostgreSQL")).unwrap().to_owned();
    assert_eq!(where_it_is(&first), where_it_is(&second));
    assert_eq!(std::fs::read_to_string(&logins).unwrap(), kept, "what workers log in with stays");
    let passwords: BTreeMap<String, String> = serde_json::from_str(&kept).unwrap();
    assert!(
        passwords.values().all(|password| !(first.clone() + &second).contains(password)),
        "no secret on the terminal"
    );
    // A directory of a version before has none.
    std::fs::remove_file(&logins).unwrap();
    assert!(said(&stack, "up").unwrap().contains(&format!("0 logins made, {} renewed", LOGINS.len())));
    let renewed = format!("0 logins made, {} renewed, 0 left out\n", LOGINS.len());
    assert!(said(&stack, "migrate --logins").unwrap().ends_with(&renewed));
    let url = local::Stack::attach(&stack).unwrap().database_url().to_owned();
    let password = url.split_once('@').unwrap().0.rsplit_once(':').unwrap().1.to_owned();
    assert!(
        where_it_is(&first).contains(":***@") && !(first + &second).contains(&password),
        "no secret on the terminal"
    );

    // What a second `migrate` used to leave behind: the login has the name of the schema that the first one made.
    sql(&stack, "CREATE TABLE defaultx.defaultx_migrations (LIKE public.defaultx_migrations)").await;
    assert_eq!(said(&stack, "migrate").unwrap(), "0 migrations applied\n");
    sql(&stack, "INSERT INTO defaultx.defaultx_migrations SELECT * FROM public.defaultx_migrations LIMIT 1").await;
    let error = said(&stack, "migrate").unwrap_err();
    assert!(error.contains("the schemas defaultx, public each hold a history"), "{error}");
}

/// A process that ends with this value.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn workers_print_the_ports_that_they_got() {
    let dir = tempfile::tempdir().unwrap();
    let stack = dir.path().join("stack");
    let _left = Left(&stack);
    said(&stack, "up").unwrap();
    let broker = kafka("up.");
    let mut command = Command::new(env!("CARGO_BIN_EXE_defaultx"));
    command.args(["run", "read-api", "ingest", "--ops", "127.0.0.1:0", "--set", "read-api.listen=127.0.0.1:0"]);
    command.args(["--set", "ingest.door_address=127.0.0.1:0", "--set", "kafka.replication_factor=1"]);
    command.args(["--kafka", &broker.bootstrap, "--prefix", &broker.topic_prefix, "--stack"]).arg(&stack);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).envs(crate::login(&broker));
    let mut child = Ended(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let places: BTreeMap<String, String> =
        lines.by_ref().take(3).map(|line| (line[..13].trim().to_owned(), line[13..].to_owned())).collect();
    for name in ["read-api", "HTTP door", "metrics"] {
        let place = places.get(name).unwrap_or_else(|| panic!("no {name} in {places:?}"));
        let host = place.strip_prefix("http://").unwrap().split('/').next().unwrap();
        assert!(!host.ends_with(":0"), "{places:?}");
        std::net::TcpStream::connect(host).unwrap();
    }
    assert_eq!(lines.next().as_deref(), Some("ready"), "once all of it is");
    assert!(Command::new("kill").arg(child.0.id().to_string()).status().unwrap().success());
    assert_eq!(lines.next().as_deref(), Some("stopped"));
}
