//! Files become the same records whenever they are read, and the shipped data sets are applications that `receive` takes.

use crate::corpus::good;
use crate::stack::{NOW_MS, Stack, header, kafka};
use flate2::Compression;
use flate2::write::GzEncoder;
use ingest::Config;
use ingest::batch::report::{Report, Summary};
use ingest::batch::rows::{Row, Source};
use ingest::batch::{Batch, Options};
use ingest::mapping::Mapping;
use runtime::stream::Output;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

const MOST: usize = 1 << 20;

fn data_set(name: &str) -> (PathBuf, Mapping) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../training/data").join(name);
    (folder.join(format!("{name}.csv.gz")), Mapping::load(&folder.join("mapping.toml")).unwrap())
}

fn written(
    file: &Path,
    mapping: Option<&Mapping>,
    intent: Option<&str>,
    report: Option<&Path>,
) -> (Vec<Output>, Summary) {
    let source = Source::open(file).unwrap();
    let batch = Batch::new(&Options::default(), &Config::default(), &kafka(), source.digest(), || NOW_MS).unwrap();
    let mut report = Report::create(report).unwrap();
    let rows: Vec<Row> = source.rows(mapping, intent, MOST).unwrap().collect::<Result<_, _>>().unwrap();
    let records = rows.iter().flat_map(|row| batch.records(row, &mut report).unwrap()).collect();
    (records, report.finish().unwrap())
}

#[test]
fn the_shipped_data_sets_are_taken_whole() {
    for (name, rows) in [("taiwan", 30_000), ("sba_national_22k", 22_308), ("south_german", 1_000)] {
        let (file, mapping) = data_set(name);
        let source = Source::open(&file).unwrap();
        let batch = Batch::new(&Options::default(), &Config::default(), &kafka(), source.digest(), || NOW_MS).unwrap();
        let mut report = Report::create(None).unwrap();
        for row in source.rows(Some(&mapping), None, MOST).unwrap() {
            batch.records(&row.unwrap(), &mut report).unwrap();
        }
        let summary = report.finish().unwrap();
        assert_eq!((summary.rows, &summary.by_reason), (rows, &BTreeMap::new()), "{name}: {:?}", summary.first_refused);
    }
}

#[test]
fn a_file_read_twice_gives_the_same_events_and_the_second_is_duplicates() {
    let (file, mapping) = data_set("south_german");
    let (first, _) = written(&file, Some(&mapping), None, None);
    let (second, _) = written(&file, Some(&mapping), None, None);
    assert_eq!(first, second);
    let mut stack = Stack::new();
    let mut answers = |records: &[Output]| -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for record in records.iter().filter(|record| &*record.topic == "t.credit.intake.v1") {
            let (_, outputs) = stack.admit_record(&crate::stack::as_input(record, 0));
            let reply = outputs.iter().find(|output| &*output.topic == "t.loan.replies.v1").unwrap();
            let reply: serde_json::Value = serde_json::from_slice(reply.payload.as_deref().unwrap()).unwrap();
            assert_eq!(reply["origin"]["topic"], "batch");
            *counts.entry(reply["status"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        counts
    };
    assert_eq!(answers(&first), BTreeMap::from([("accepted".to_owned(), 1000)]));
    assert_eq!(answers(&second), BTreeMap::from([("duplicate".to_owned(), 1000)]));
}

#[test]
fn refused_lines_are_listed_answered_and_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loans.ndjson.gz");
    let mut gzip = GzEncoder::new(std::fs::File::create(&file).unwrap(), Compression::fast());
    let row = |id: &str| String::from_utf8(good(id).0.body.unwrap()).unwrap();
    let twice = row("L-2").replacen("\"revision\":1", "\"revision\":1,\"revision\":1", 1);
    let negative = row("L-3").replace("2000000", "-1");
    gzip.write_all([row("L-1"), String::new(), twice, negative].join("\n").as_bytes()).unwrap();
    gzip.finish().unwrap();
    let list = folder.path().join("rejects.csv");
    let (records, summary) = written(&file, None, None, Some(&list));
    assert_eq!((summary.rows, summary.published, summary.refused), (3, 1, 2));
    let text = std::fs::read_to_string(&list).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], "3,,duplicate_key,/revision,");
    assert_eq!(lines[2], "4,L-3,bad_amount,/requested/amount/amount_minor,");
    let on = |topic: &str| records.iter().filter(|record| &*record.topic == topic).collect::<Vec<_>>();
    assert_eq!((on("t.loan.replies.v1").len(), on("t.credit.dead-letters.v1").len()), (2, 2));
    let letter = on("t.credit.dead-letters.v1")[1];
    assert_eq!(header(letter, "dl_reason"), Some("bad_amount"));
    assert_eq!(header(letter, "dl_offset"), Some("3"));
    assert!(letter.payload.as_ref().unwrap().starts_with(b"{"));
}

#[test]
fn a_json_report_is_one_document() {
    let folder = tempfile::tempdir().unwrap();
    let (file, list) = (folder.path().join("loans.jsonl"), folder.path().join("rejects.json"));
    std::fs::write(&file, "{\n[\n").unwrap();
    written(&file, None, None, Some(&list));
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(&list).unwrap()).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[1]["line"], rows[1]["reason"].as_str()), (&2.into(), Some("not_json")));
}

#[test]
fn a_row_that_does_not_map_is_refused_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loans.csv");
    std::fs::write(&file, "LIMIT_BAL\n20000\ntwenty\n").unwrap();
    let mapping = "[[column]]\nname = 'LIMIT_BAL'\npointer = '/requested/amount'\nkind = 'money'\ncurrency = 'TWD'";
    let (_, summary) = written(&file, Some(&Mapping::parse(mapping).unwrap()), None, None);
    assert_eq!(summary.first_refused[0].reason, "missing_field");
    let second = &summary.first_refused[1];
    assert_eq!((second.line, second.reason.as_str(), second.pointers[0].as_str()), (3, "unmapped_row", "/LIMIT_BAL"));
}

#[test]
fn a_record_that_is_no_row_is_refused_alone_and_its_line_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (file, list) = (folder.path().join("loans.csv"), folder.path().join("rejects.csv"));
    let rows: [&[u8]; 6] = [b"A,B", b"1,2", b"1", b"1,2,3", b"\xff,2", b"3,4"];
    std::fs::write(&file, rows.join(&b'\n')).unwrap();
    let mapping = "[[column]]\nname = 'B'\npointer = '/application_id'\nkind = 'string'";
    let (records, summary) = written(&file, Some(&Mapping::parse(mapping).unwrap()), None, Some(&list));
    assert_eq!((summary.rows, summary.by_reason["missing_field"]), (5, 2), "the first and the last are read");
    let text = std::fs::read_to_string(&list).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[2], "3,,unmapped_row,,\"1 cells, where the header has 2\"");
    assert_eq!(lines[3], "4,,unmapped_row,,\"3 cells, where the header has 2\"");
    assert_eq!(lines[4], "5,,not_utf8,,not UTF-8");
    let letters: Vec<_> = records.iter().filter(|record| &*record.topic == "t.credit.dead-letters.v1").collect();
    assert_eq!(letters.len(), 5);
    assert_eq!(header(letters[1], "dl_detail"), Some("line 3; 1 cells, where the header has 2"));
    assert_eq!(letters[3].payload.as_deref(), Some(&b"\xff,2\n"[..]));
}

#[test]
fn a_portfolio_can_be_scored_without_being_decided() {
    let (file, mapping) = data_set("south_german");
    let (records, _) = written(&file, Some(&mapping), Some("score_only"), None);
    let intake = records.iter().find(|record| &*record.topic == "t.credit.intake.v1").unwrap();
    let body: serde_json::Value = serde_json::from_slice(intake.payload.as_deref().unwrap()).unwrap();
    assert_eq!(body["intent"], "score_only");
}

#[test]
fn a_name_that_says_nothing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loans.xlsx");
    std::fs::write(&file, "x").unwrap();
    assert!(Source::open(&file).is_err());
}
