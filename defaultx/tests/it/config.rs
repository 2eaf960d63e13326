//! `config` and `audit key` as processes: what is in force and where it comes from, the page of all knobs, the signer's key.

use std::path::Path;
use std::process::{Command, Output};

/// The command, in a folder of its own and without our environment's configuration.
fn defaultx(dir: &Path, words: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_defaultx"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DEFAULTX_") {
            command.env_remove(name);
        }
    }
    command.args(words).envs(environment.iter().copied()).current_dir(dir).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "{}", said(output));
    String::from_utf8(output.stderr.clone()).unwrap()
}

const FILE: &str = "[ingest]\nmax_depth = 7\nproducts = ['credit_card']\n\n[audit-sink]\ncheckpoint_interval_s = 3\n\n\
                    [[notifier.subscriptions]]\nid = 'desk'\nurl = 'https://desk.example/hush-path'\nsecrets = ['whsec_hush']\n";

#[test]
fn each_value_says_what_it_is_for_and_where_it_comes_from() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("own.toml"), FILE).unwrap();
    let words =
        ["--config", "own.toml", "--set", "scorer.block=9", "--kafka", "broker:9092", "config", "show", "--explain"];
    let environment = [("DEFAULTX__DATABASE__POOL_SIZE", "3"), ("DEFAULTX__KAFKA__SASL_PASSWORD", "hush-password")];
    let output = defaultx(dir.path(), &words, &environment);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = said(&output);
    assert!(!told.contains("hush"), "{told}");
    let rows = [
        "# levels; from file; 32 by default\nmax_depth = 7\n",
        "# from file; [\"TWD\"] by default\ncurrencies = []\n",
        "# Bytes of one body. Larger ones are refused before they are parsed.\n# bytes; by default\nmax_body_bytes = 1048576\n",
        "# applications; from flag; 256 by default\nblock = 9\n",
        "# from flag; \"\" by default\nbootstrap = \"broker:9092\"\n",
        "# sessions; from environment, DEFAULTX__DATABASE__POOL_SIZE; 8 by default\npool_size = 3\n",
        "# from environment, DEFAULTX__KAFKA__SASL_PASSWORD\n# secret, set: sasl_password = \"***\"\n",
        "# seconds; from file, as audit-sink.checkpoint_interval_s; 10 by default\ninterval_s = 3\n",
        "id = \"desk\"\n",
        "# secret, set: url = \"***\"\n",
        "# by default\n# sasl_username is not set\n",
    ];
    for row in rows {
        assert!(told.contains(row), "{row}\nis not in\n{told}");
    }
    // It is TOML that loads again and says the same of what is no secret.
    let without_secrets = told.replace("[[notifier.subscriptions]]", "[[left.out]]");
    let without_secrets = without_secrets.split("\n[[left.out]]").next().unwrap().to_owned();
    let table: toml::Table = without_secrets.parse().unwrap_or_else(|error| panic!("{error}: {told}"));
    assert_eq!(table["ingest"]["max_depth"].as_integer(), Some(7));
}

#[test]
fn a_section_or_what_was_changed_is_shown_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("own.toml"), FILE).unwrap();
    let shown = |words: &[&str]| {
        said(&defaultx(dir.path(), &[&["--config", "own.toml", "config", "show"], words].concat(), &[]))
    };
    let changed = shown(&["--changed", "--section", "ingest"]);
    assert_eq!(changed, "[ingest]\nmax_depth = 7\n\n[ingest.products.credit_card]\ncurrencies = []\n");
    let changed = shown(&["--changed"]);
    assert!(changed.contains("[audit-signer]\ninterval_s = 3\n") && !changed.contains("[kafka]"), "{changed}");
    assert!(changed.contains("[[notifier.subscriptions]]\n") && !changed.contains("hush"), "{changed}");
    let section = shown(&["--section", "scorer"]);
    assert!(
        section.starts_with("[scorer]\n") && section.contains("[scorer.tuning]\n") && !section.contains('#'),
        "{section}"
    );
    let whole = said(&defaultx(dir.path(), &["config", "show"], &[]));
    assert!(whole.contains("[ingest]") && whole.parse::<toml::Table>().is_ok());
    let error = refused(&defaultx(dir.path(), &["config", "show", "--section", "audit_sing"], &[]));
    assert!(error.contains("the nearest is [audit-sink]"), "{error}");
}

#[test]
fn an_unknown_key_gets_the_nearest_that_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let rows = [
        (
            "[ingest]\nmax_dept = 7\n",
            vec![],
            "`ingest.max_dept` (from own.toml, line 2)",
            "the nearest is `ingest.max_depth`",
        ),
        ("[audit_sink]\nshards = 1\n", vec![], "`audit_sink` (from own.toml, line 1)", "the nearest is `audit-sink`"),
        ("", vec![("DEFAULTX__READ_API__LISTN", "x")], "DEFAULTX__READ_API__LISTN", "the nearest is `read-api.listen`"),
        ("[kafka]\nurl = 'x'\n", vec![], "`kafka.url`", "the nearest is `database.url`"),
        (
            "[kafka.principals.scorrer]\npassword = 'hush'\n",
            vec![],
            "kafka.principals.scorrer",
            "the nearest is `scorer`",
        ),
        ("[ingest]\nqqqqq = 'hush'\n", vec![], "`ingest.qqqqq`", "`max_depth`"),
    ];
    for (file, environment, names, near) in rows {
        std::fs::write(dir.path().join("own.toml"), file).unwrap();
        let error = refused(&defaultx(dir.path(), &["--config", "own.toml", "config", "show"], &environment));
        assert!(error.contains(names) && error.contains(near) && !error.contains("hush"), "{file}: {error}");
    }
}

/// Every fault of every section, as `run` would say it, and at once.
#[test]
fn a_configuration_is_judged_as_a_start_would() {
    let dir = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let check = |file: &str, folder: &Path, environment: &[(&str, &str)]| {
        std::fs::write(dir.path().join("own.toml"), file).unwrap();
        let path = dir.path().join("own.toml").display().to_string();
        let output = defaultx(folder, &["--config", &path, "--stack", "no-stack", "config", "check"], environment);
        (output.status.code(), said(&output) + &String::from_utf8(output.stderr).unwrap())
    };
    let key = "0f".repeat(32);
    let good = format!(
        "[kafka]\nbootstrap = '127.0.0.1:9092'\n[database]\nurl = 'postgres://u:hush@127.0.0.1/d'\n\
         [ingest]\ndigest_key = 'd1:{key}'\n[ingest.subject_keys]\ndemo = 'k1:{key}'\n\
         [audit-sink]\ndigest_key = '{key}'\n[read-api]\ntoken_key = \"\"\"{}\"\"\"\n",
        runtime::auth::generate().unwrap().1
    );
    assert_eq!(check(&good, &root, &[]), (Some(0), "0 faults\n".to_owned()));

    // From another folder its own are not there.
    let (code, elsewhere) = check(&good, dir.path(), &[]);
    for knob in ["[scorer] models_dir = models", "[decision] policy_dir = policies", "the current folder"] {
        assert!(code == Some(1) && elsewhere.contains(knob), "{knob}: {elsewhere}");
    }
    assert!(!elsewhere.contains("(os error 2): No such file"), "{elsewhere}");

    let bad = good.replace("[audit-sink]", "[audit-sink]\nshards = 0")
        + "[process]\nops_listen = '19464'\nlog_filter = 'in=fo=x'\n\
           [[notifier.subscriptions]]\nid = 'desk'\nurl = 'http://desk.example/hush'\nsecrets = ['whsec_aHVzaCE=']\ntenants = ['demo']\n\
           [[notifier.subscriptions]]\nid = 'los'\nurl = 'los.example/hush'\nsecrets = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']\n";
    let (code, told) = check(&bad, &root, &[("DEFAULTX_KAFKA_BOOTSTRAP", "elsewhere:9092")]);
    let wanted = [
        "such as 127.0.0.1:19464",
        "log filter",
        "[audit-sink] shards",
        "\"desk\" has a url with http",
        "allow_private_addresses = true",
        "\"los\" has a url without a scheme",
        "5 faults",
        "DEFAULTX__KAFKA__BOOTSTRAP",
    ];
    for wanted in wanted {
        assert!(code == Some(1) && told.contains(wanted), "{wanted}: {told}");
    }
    assert!(!told.contains("hush"), "{told}");

    // What does not even load names its line, and whose it is.
    let (code, told) = check(
        "[notifier]\nrequest_timeout_ms = '15s'\n[[notifier.subscriptions]]\nid = 'desk'\nurl = 'x'\n",
        &root,
        &[],
    );
    let wanted = ["own.toml, line 2", "a whole number of milliseconds", "of \"desk\"", "`secrets`"];
    assert!(code == Some(1) && wanted.iter().all(|wanted| told.contains(wanted)), "{told}");
}

#[test]
fn the_page_of_all_knobs_is_what_the_command_prints() {
    let dir = tempfile::tempdir().unwrap();
    let page = said(&defaultx(dir.path(), &["config", "page"], &[("DEFAULTX__INGEST__MAX_DEPTH", "7")]));
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let committed = std::fs::read_to_string(committed).unwrap();
    assert!(page == committed, "write it anew: defaultx config page > docs/configuration.md");
    for row in [
        "| `max_depth` | whole number, levels | `32` | `DEFAULTX__INGEST__MAX_DEPTH` |",
        "| `sasl_password` | text; **secret** | none | `DEFAULTX__KAFKA__SASL_PASSWORD` |",
        "| `principals.NAME.password` | text; **secret** | none | `DEFAULTX__KAFKA__PRINCIPALS__NAME__PASSWORD` |",
        "| `subscriptions[].secrets` | list of text; **secret** | none |  |",
    ] {
        assert!(page.contains(row), "{row}");
    }
}

#[test]
fn a_signers_key_is_made_once_and_shown_ever_after() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let make = ["audit", "key", "--seed", "signer.seed", "--origin", "bank.example/audit"];
    let first = defaultx(dir.path(), &make, &[]);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let key = said(&first);
    assert!(key.starts_with("bank.example/audit+") && key.lines().count() == 1, "{key}");
    let path = dir.path().join("signer.seed");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let seed = std::fs::read_to_string(&path).unwrap();
    assert!(!(key.clone() + &String::from_utf8_lossy(&first.stderr)).contains(&seed), "the secret is not printed");
    // The second time it is shown, and the configured signer has the same.
    assert_eq!(said(&defaultx(dir.path(), &make, &[])), key);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), seed);
    let configured =
        [("DEFAULTX__AUDIT_SIGNER__KEY", seed.as_str()), ("DEFAULTX__AUDIT_SIGNER__ORIGIN", "bank.example/audit")];
    assert_eq!(said(&defaultx(dir.path(), &["audit", "key"], &configured)), key);
    // What is no seed is refused, and stays.
    std::fs::write(&path, "a letter").unwrap();
    assert!(refused(&defaultx(dir.path(), &make, &[])).contains("64 hexadecimal digits"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a letter");
    let odd = ["audit", "key", "--seed", "other.seed", "--origin", "a b+c"];
    assert!(refused(&defaultx(dir.path(), &odd, &[])).contains("--origin"));
    assert!(!dir.path().join("other.seed").exists(), "nothing is made for a name that does not fit");
}
