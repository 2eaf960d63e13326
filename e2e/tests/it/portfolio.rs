//! A file as people have it goes through the running stack by a mapping alone, and its result says what became of each row. The rows are
//! those of the public data set; only how they are written is made here.

mod written;

use crate::stack::{Whole, whole};
use e2e::stage::root;
use e2e::supervisor::{ALLOWED, AS_DEFAULTX};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use written::{Habits, MAPPING, ROWS};

type Row = BTreeMap<String, String>;

/// `defaultx batch` against the whole stack.
fn batch(whole: &Whole, arguments: &[&str]) -> (Output, String) {
    let kafka = whole.kafka();
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command.args([AS_DEFAULTX, "batch"]).args(arguments).envs(ALLOWED);
    command.args(["--kafka", &kafka.bootstrap, "--prefix", &kafka.topic_prefix]).current_dir(root());
    command.env("DEFAULTX__INGEST__DIGEST_KEY", whole.stage.settings.ingest.digest_key.expose());
    if let (Some(user), Some(password)) = (&kafka.sasl_username, &kafka.sasl_password) {
        command.env("DEFAULTX__KAFKA__SASL_USERNAME", user).env("DEFAULTX__KAFKA__SASL_PASSWORD", password.expose());
    }
    let output = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output, said)
}

/// Sends a file, and gives the exit code and the rows of its result.
fn sent(whole: &Whole, file: &Path, folder: &Path, more: &[&str]) -> (Option<i32>, Vec<Row>) {
    let (mapping, result) = (folder.join("mapping.toml"), folder.join("result.csv"));
    std::fs::write(&mapping, MAPPING).unwrap();
    let arguments = [file, Path::new("--mapping"), &mapping, Path::new("--result"), &result];
    let arguments: Vec<&str> =
        arguments.iter().map(|text| text.to_str().unwrap()).chain(more.iter().copied()).collect();
    let (output, said) = batch(whole, &arguments);
    assert!(result.exists(), "{said}");
    (output.status.code(), rows_of(&result))
}

/// As the spreadsheet that wrote the portfolio opens it: semicolons, a decimal comma, and a mark that says UTF-8.
fn rows_of(path: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.strip_prefix('\u{feff}').expect("a byte order mark");
    let mut rows = csv::ReaderBuilder::new().delimiter(b';').from_reader(text.as_bytes());
    rows.deserialize().collect::<Result<_, _>>().unwrap()
}

/// Whether a cell is a number with a decimal comma.
fn is_decimal(cell: &str) -> bool {
    cell.contains(',') && cell.replace(',', ".").parse::<f64>().is_ok()
}

fn count(rows: &[Row], column: &str, word: &str) -> usize {
    rows.iter().filter(|row| row[column] == word).count()
}

#[test]
fn a_file_with_the_habits_of_a_spreadsheet_is_decided_row_by_row_and_known_the_second_time() {
    let whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portfolio.csv");
    let faults = written::write(&file, &Habits { encoding: "windows-1252", prefix: "habit", changed: 0 });
    let good = ROWS - faults.len();

    let (code, first) = sent(whole, &file, folder.path(), &[]);
    assert_eq!((code, first.len()), (Some(1), ROWS), "some rows are refused");
    let lines: Vec<u64> = first.iter().map(|row| row["line"].parse().unwrap()).collect();
    assert_eq!(lines, written::lines_of(&file), "in order, each with the line at which an editor shows it");
    assert_eq!((count(&first, "reply", "accepted"), count(&first, "state", "decided")), (good, good));
    let mut declined = 0;
    for (number, row) in (1..).zip(&first) {
        if let Some((problem, columns)) = faults.get(&number) {
            assert_eq!((row["state"].as_str(), row["reply"].as_str()), ("refused", "rejected"), "{row:?}");
            assert_eq!(row["problem"], *problem);
            assert_eq!(row["pointers"].split_whitespace().count(), *columns, "every fault: {row:?}");
            assert!(row["outcome"].is_empty() && !row["why"].is_empty());
            continue;
        }
        assert!(row["score"].parse::<i32>().is_ok() && is_decimal(&row["pd"]), "{row:?}");
        assert!(!row["band"].is_empty() && !row["outcome"].is_empty() && !row["decision_id"].is_empty(), "{row:?}");
        declined += usize::from(row["outcome"] == "decline");
        assert!(row["outcome"] != "decline" || !row["reasons"].is_empty(), "{row:?}");
    }
    assert!(declined > 0, "some are declined, with reasons");
    // Three of its columns are read by no model of the product, of every row that is taken.
    let warned =
        first.iter().filter(|row| row["warnings"].contains("unknown_attribute /attributes/urban_rural")).count();
    assert_eq!(warned, good);

    let (code, second) = sent(whole, &file, folder.path(), &[]);
    assert_eq!(code, Some(1));
    assert_eq!((count(&second, "reply", "duplicate"), count(&second, "state", "decided_before")), (good, good));
    let shown = |row: &Row| {
        ["application_id", "score", "pd", "band", "outcome", "reasons", "decision_id"].map(|c| row[c].clone())
    };
    assert!(first.iter().zip(&second).all(|(one, other)| shown(one) == shown(other)), "what was decided, not anew");

    // Other amounts under the same ids and revisions, in another file.
    let changed = folder.path().join("changed.csv");
    written::write(&changed, &Habits { encoding: "windows-1252", prefix: "habit", changed: 40 });
    let (code, third) = sent(whole, &changed, folder.path(), &[]);
    let conflicts = count(&third, "reply", "conflict");
    assert_eq!((code, conflicts, count(&third, "problem", "conflict")), (Some(1), 40, 40));
    assert_eq!(count(&third, "reply", "duplicate"), good - conflicts);
    assert!(
        first.iter().zip(&third).all(|(one, other)| shown(one) == shown(other)),
        "the decision on what was accepted"
    );
}

#[test]
fn what_a_dry_run_says_is_what_the_stream_says_and_nothing_is_published() {
    let whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let (file, list) = (folder.path().join("portfolio.csv"), folder.path().join("rejects.csv"));
    let mapping = folder.path().join("mapping.toml");
    std::fs::write(&mapping, MAPPING.replace("windows-1252", "utf-16le")).unwrap();
    let faults = written::write(&file, &Habits { encoding: "utf-16le", prefix: "dry", changed: 0 });
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let arguments =
        [text(&file), "--mapping".into(), text(&mapping), "--dry-run".into(), "--rejects".into(), text(&list)];
    let (output, said) = batch(whole, &arguments.each_ref().map(String::as_str));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.starts_with(&format!("{ROWS} rows: {} would be published, {} refused", ROWS - faults.len(), faults.len())),
        "{said}"
    );
    let told = rows_of(&list);
    assert_eq!(
        told.len(),
        faults.values().map(|(_, columns)| (*columns).max(1)).sum::<usize>(),
        "a line for each fault"
    );
    let lines = written::lines_of(&file);
    for (number, (problem, columns)) in &faults {
        let line = lines[*number as usize - 1].to_string();
        let of_row: Vec<&Row> = told.iter().filter(|fault| fault["line"] == line).collect();
        assert_eq!(of_row.len(), (*columns).max(1), "line {line}");
        for fault in of_row {
            assert_eq!(fault["reason"], *problem);
            assert!(fault["application_id"].starts_with("dry-"), "{fault:?}");
            assert_eq!(fault["column"].is_empty(), *columns == 0);
            assert!(!fault["detail"].is_empty());
        }
    }
    let replies = whole.wait_replies(|_| true, 1);
    assert!(!replies.iter().any(|reply| crate::stack::is_of(reply, "dry-")));
}

#[test]
fn what_is_not_decided_in_time_is_marked_so_and_the_exit_code_says_it() {
    let whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portfolio.csv");
    let faults = written::write(&file, &Habits { encoding: "windows-1252", prefix: "hasty", changed: 0 });
    let (code, rows) = sent(whole, &file, folder.path(), &["--wait", "0"]);
    let open = count(&rows, "state", "unanswered") + count(&rows, "state", "undecided");
    assert_eq!((code, rows.len()), (Some(3), ROWS));
    assert!(open > 0 && count(&rows, "state", "refused") == faults.len());
    // The next run waits for what the first one left.
    let (code, rows) = sent(whole, &file, folder.path(), &[]);
    assert_eq!((code, count(&rows, "reply", "duplicate")), (Some(1), ROWS - faults.len()));
    assert!(rows.iter().all(|row| row["state"] == "refused" || !row["outcome"].is_empty()));
}

#[test]
fn rows_that_are_only_scored_come_back_with_their_score() {
    let whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portfolio.csv");
    let faults = written::write(&file, &Habits { encoding: "windows-1252", prefix: "scored", changed: 0 });
    for reply in ["accepted", "duplicate"] {
        let (_, rows) = sent(whole, &file, folder.path(), &["--intent", "score_only"]);
        assert_eq!(count(&rows, "reply", reply), ROWS - faults.len());
        let good = rows.iter().filter(|row| row["reply"] == reply);
        assert!(
            good.clone()
                .all(|row| !row["score"].is_empty() && row["outcome"].is_empty() && row["decision_id"].is_empty())
        );
    }
}

#[test]
fn a_mapping_is_proposed_that_works_once_a_person_has_decided() {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    for encoding in ["windows-1252", "utf-16le", "utf-8"] {
        let (file, mapping) = (folder.path().join("portfolio.csv"), folder.path().join("proposed.toml"));
        let faults = written::write(&file, &Habits { encoding, prefix: "asked", changed: 0 });
        let (output, said) = batch(whole, &["inspect", &text(&file), "--output", &text(&mapping)]);
        assert!(output.status.success(), "{said}");
        let proposed = std::fs::read_to_string(&mapping).unwrap();
        for habit in [
            "delimiter = \";\"",
            &format!("encoding = \"{encoding}\""),
            "decimal = \",\"",
            "date = \"DD.MM.YYYY\"",
            "yes = [\"ja\"]",
            "no = [\"nein\"]",
            "pointer = \"/application_id\"",
            "pointer = \"/requested/amount\"",
            "currency = \"USD\"",
            "pointer = \"/as_of\"",
        ] {
            assert!(proposed.contains(habit), "{encoding}: {habit} is not in\n{proposed}");
        }
        for value in ["60.000", "28.02.1997", "1000014003"] {
            assert!(!proposed.contains(value), "no value of a row: {value}");
        }
        // What the comments ask for: the days are too old to be when it was asked; the rest may stay as it is.
        assert!(proposed.contains("DECIDE: one column for two things"));
        let decided =
            proposed.replace("\"/revision\" = 1", "\"/revision\" = 1\n\"/submitted_at\" = \"2026-11-02T09:00:00Z\"");
        let submitted = decided.find("pointer = \"/submitted_at\"").unwrap();
        let (from, to) =
            (decided[..submitted].rfind("[[column]]").unwrap(), decided[submitted..].find("[[column]]").unwrap());
        let decided = format!("{}{}", &decided[..from], &decided[submitted + to..]);
        std::fs::write(&mapping, decided).unwrap();
        let (_, said) = batch(whole, &[&text(&file), "--mapping", &text(&mapping), "--dry-run"]);
        let expected = format!("{ROWS} rows: {} would be published, {} refused", ROWS - faults.len(), faults.len());
        assert!(said.starts_with(&expected), "{encoding}: {said}\n{proposed}");
    }
}
