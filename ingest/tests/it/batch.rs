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
    assert_eq!(lines[0], "line,application_id,reason,pointers,detail,column");
    assert_eq!(lines[1], "3,,duplicate_key,/revision,A key stands twice in one object,");
    assert!(lines[2].starts_with("4,L-3,bad_amount,/requested/amount/amount_minor,\"An amount is"), "{}", lines[2]);
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
    assert_eq!((second.line, second.reason.as_str()), (3, "unmapped_row"));
    let fault = &second.faults[0];
    assert_eq!((fault.pointer.as_str(), fault.column.as_deref()), ("/requested/amount", Some("LIMIT_BAL")));
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
    for told in [
        "3,,unmapped_row,,\"1 cells, where the header has 2\",",
        "4,2,unmapped_row,,\"3 cells, where the header has 2\",",
        "5,2,not_utf8,,not UTF-8,",
    ] {
        assert!(lines.contains(&told), "{told} is not in {lines:?}");
    }
    let letters: Vec<_> = records.iter().filter(|record| &*record.topic == "t.credit.dead-letters.v1").collect();
    assert_eq!(letters.len(), 5);
    assert_eq!(header(letters[1], "dl_detail"), Some("line 3; 1 cells, where the header has 2"));
    assert_eq!(letters[3].payload.as_deref(), Some(&b"\xff,2\n"[..]));
}

/// Rows behind a quote that somebody forgot are in no application, and the file is said to have lost them.
#[test]
fn a_quote_that_is_not_closed_swallows_no_row_unseen() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loans.csv");
    let mapping = "[[column]]\nname = 'id'\npointer = '/application_id'\nkind = 'string'\n\
                   [[column]]\nname = 'note'\npointer = '/attributes/note'\nkind = 'string'";
    let mapping = Mapping::parse(mapping).unwrap();
    let told = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let (_, summary) = written(&file, Some(&mapping), None, None);
        let unmapped = summary.first_refused.iter().filter(|row| row.reason == "unmapped_row");
        let unmapped: Vec<_> = unmapped.map(|row| (row.line, row.detail.clone().unwrap_or_default())).collect();
        (summary.rows, unmapped)
    };
    let open = "a quote is opened and never closed: 3 lines, to the end of the file, are in this row";
    assert_eq!(told("id,note\nL-1,x\nL-2,\"said\nL-3,x\nL-4,x\n"), (2, vec![(3, open.to_owned())]));
    let astray = "a quote is closed in the middle of a cell; the row goes over 2 lines, so one may be missing";
    assert_eq!(told("id,note\nL-1,\"a\nL-2,\"b\nL-3,x\n"), (2, vec![(2, astray.to_owned())]));
    assert_eq!(told("id,note\nL-1,\"a\n b\"\nL-2,5\" pipe\n"), (2, vec![]));
}

#[test]
fn a_mapping_fills_no_place_twice() {
    let column =
        |name: &str, pointer: &str| format!("[[column]]\nname = '{name}'\npointer = '{pointer}'\nkind = 'string'\n");
    let said = |text: String| Mapping::parse(&text).err().map(|error| error.to_string()).unwrap_or_default();
    let (a, b) = (column("a", "/attributes/x"), column("b", "/attributes/x"));
    assert!(said(format!("{a}{b}")).contains("a and b both fill /attributes/x"), "{}", said(format!("{a}{b}")));
    let (amount, currency) = (column("a", "/requested/amount"), column("b", "/requested/amount/currency"));
    assert!(said(format!("{currency}{amount}")).contains("both fill /requested/amount/currency"));
    let template = "[[template]]\npointer = '/application_id'\nvalue = '{id}'\n";
    assert!(said(format!("{template}{}", column("id", "/application_id"))).contains("a template and id both fill"));
    assert!(said(column("a", "/applicants/400000000/kind")).contains("no list has more than 256"));
    let constant = "[constants]\n'/attributes/x' = 'usual'\n".to_owned();
    assert_eq!(said(constant + &a + &column("b", "/attributes/xy")), "", "a constant is what an empty cell leaves");
}

/// Whatever a table holds, the mapping that is proposed can be read, sends no two columns to one place, and shows nobody's numbers.
#[test]
fn a_proposal_is_a_mapping() {
    use ingest::batch::inspect::{Known, propose};
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loans.csv");
    let config = Config::default();
    let attributes = domain::ProductAttributes::default();
    let known = Known { tenant: "demo", products: &config.products, attributes: &attributes, today: "2026-11-30" };
    let rows = |cells: [&str; 2]| (0..8).map(|row| format!("{}\n", cells[row % 2])).collect::<String>();
    let proposed = |header: &str, cells: [&str; 2]| {
        std::fs::write(&file, format!("{header}\n{}", rows(cells))).unwrap();
        propose(&file, &known).unwrap().text
    };
    let names = proposed("Доход;Возраст;a b;a-b;A_B", ["x;1;u;p;k", "y;2;v;q;l"]);
    assert!(Mapping::parse(&names).is_ok(), "{names}");
    for place in ["column_1", "column_2", "a_b", "a_b_2", "a_b_3"] {
        assert!(names.contains(&format!("\"/attributes/{place}\"")), "{place}: {names}");
    }
    let words = proposed("a;b", ["\"x\ny\";\"c\"\"'d\"", "z;e"]);
    assert!(Mapping::parse(&words).is_ok(), "{words}");
    let numbers = proposed("Kontakt;b", ["0171/555-1234;e", "123-45-6789;f"]);
    assert!(!numbers.contains("555") && !numbers.contains("6789"), "{numbers}");
    for bytes in [vec![0xe9; 1 << 20], vec![], b"a,b".to_vec(), vec![b','; 100_000]] {
        std::fs::write(&file, bytes).unwrap();
        if let Ok(proposed) = propose(&file, &known) {
            assert!(Mapping::parse(&proposed.text).is_ok(), "{}", proposed.text);
        }
    }
}

/// A small bank's table with everything in it, and its mapping.
const TABLE: &str = "Antrag;Größe;Betrag;Vom;Neu\r\nL-1;\"1\r\n2\"; 1.234,50 € ;31.12.1999;JA\r\n\r\n;;;;\r\nL-2;3;12;01.01.2000;nein\r\n";
const TABLE_MAPPING: &str = r#"
    [file]
    delimiter = ";"
    encoding = "windows-1252"
    [written]
    trim = true
    decimal = ","
    thousands = "."
    currency_signs = ["€"]
    date = "DD.MM.YYYY"
    yes = ["ja"]
    no = ["nein"]
    [constants]
    "/tenant" = "demo"
    "/revision" = 1
    "/product" = "consumer_instalment"
    "/intent" = "decide"
    "/request_type" = "new"
    "/channel" = "branch"
    "/jurisdiction" = "DE-BE"
    "/submitted_at" = "2026-11-02T09:00:00Z"
    "/applicants/0/role" = "primary"
    "/applicants/0/kind" = "person"
    [[template]]
    pointer = "/applicants/0/customer_ref"
    value = "customer-{Antrag}"
    [[column]]
    name = "Antrag"
    pointer = "/application_id"
    kind = "string"
    [[column]]
    name = "Größe"
    pointer = "/attributes/size"
    kind = "string"
    [[column]]
    name = "Betrag"
    pointer = "/requested/amount"
    kind = "money"
    currency = "EUR"
    exponent = 2
    [[column]]
    name = "Vom"
    pointer = "/as_of"
    kind = "date"
    [[column]]
    name = "Neu"
    pointer = "/attributes/new"
    kind = "boolean"
"#;

#[test]
fn a_table_is_the_same_applications_in_whatever_bytes_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let utf_16 =
        |mark: &str, order: fn(u16) -> [u8; 2]| format!("{mark}{TABLE}").encode_utf16().flat_map(order).collect();
    let latin: Vec<u8> =
        TABLE.chars().map(|c| if c == '€' { 0x80 } else { u8::try_from(u32::from(c)).unwrap() }).collect();
    let files: [(&str, &str, Vec<u8>); 6] = [
        ("plain.csv", "utf-8", TABLE.into()),
        ("marked.txt", "utf-8", format!("\u{feff}{TABLE}").into()),
        ("western.csv", "windows-1252", latin),
        ("wide.tsv", "utf-16le", utf_16("", u16::to_le_bytes)),
        ("marked_wide.csv", "windows-1252", utf_16("\u{feff}", u16::to_be_bytes)),
        ("hinted.csv", "utf-8", format!("sep=;\r\n{TABLE}").into()),
    ];
    for (name, encoding, bytes) in files {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        let mapping = Mapping::parse(&TABLE_MAPPING.replace("windows-1252", encoding)).unwrap();
        let source = Source::open(&file).unwrap();
        let rows: Vec<Row> = source.rows(Some(&mapping), None, MOST).unwrap().collect::<Result<_, _>>().unwrap();
        let from = if name == "hinted.csv" { 1 } else { 0 };
        assert_eq!(
            rows.iter().map(|row| (row.number, row.line - from)).collect::<Vec<_>>(),
            [(1, 2), (2, 6)],
            "{name}"
        );
        let body: serde_json::Value = serde_json::from_slice(&rows[0].body).unwrap();
        assert_eq!(
            body["requested"]["amount"],
            serde_json::json!({"amount_minor": 123_450, "currency": "EUR"}),
            "{name}"
        );
        assert_eq!((&body["as_of"], &body["attributes"]["new"]), (&"1999-12-31".into(), &true.into()), "{name}");
        assert_eq!(body["attributes"]["size"], "1\r\n2");
    }
}

#[test]
fn every_fault_of_a_row_is_told_at_once_with_its_column() {
    let folder = tempfile::tempdir().unwrap();
    let (file, list) = (folder.path().join("loans.csv"), folder.path().join("rejects.json"));
    let rows = [
        "Antrag;Größe;Betrag;Vom;Neu",
        "L 1;1;viel;1999-12-31;vielleicht",
        "L-2;1;12;01.01.2999;ja",
        "L-3;\"1;2;3",
        "4",
    ];
    std::fs::write(&file, rows.join("\r\n")).unwrap();
    let mapping = Mapping::parse(&TABLE_MAPPING.replace("windows-1252", "utf-8")).unwrap();
    let (records, summary) = written(&file, Some(&mapping), None, Some(&list));
    assert_eq!((summary.rows, summary.refused), (3, 3));
    let told = |row: usize| -> Vec<(&str, &str, &str)> {
        let faults = summary.first_refused[row].faults.iter();
        faults
            .map(|fault| (fault.reason.as_str(), fault.pointer.as_str(), fault.column.as_deref().unwrap_or("")))
            .collect()
    };
    let mapped = [
        ("unmapped_row", "/requested/amount", "Betrag"),
        ("unmapped_row", "/as_of", "Vom"),
        ("unmapped_row", "/attributes/new", "Neu"),
    ];
    // Cells that do not fit hide nothing: the id is wrong as well.
    assert_eq!(told(0)[..3], mapped);
    assert_eq!(told(0)[3..], [("bad_identifier", "/application_id", "Antrag")]);
    let found = [("currency_not_of_product", "/requested/amount/currency", "Betrag"), ("future_time", "/as_of", "Vom")];
    assert_eq!(told(1), found);
    assert_eq!(summary.first_refused[2].application_id.as_deref(), Some("L-3"));
    assert!(summary.first_refused[2].faults[0].why.contains("over 2 lines"), "{:?}", summary.first_refused[2]);
    let text = std::fs::read_to_string(&list).unwrap() + &format!("{summary:?}");
    assert!(
        ["viel\"", "vielleicht", "2999", "L 1"].iter().all(|value| !text.contains(value)),
        "no value of a row: {text}"
    );
    let reply = records.iter().find(|record| &*record.topic == "t.loan.replies.v1").unwrap();
    let reply: serde_json::Value = serde_json::from_slice(reply.payload.as_deref().unwrap()).unwrap();
    let pointers = ["/requested/amount", "/as_of", "/attributes/new", "/application_id"];
    assert_eq!(
        (&reply["problem"]["type"], &reply["problem"]["pointers"]),
        (&"unmapped_row".into(), &serde_json::json!(pointers))
    );
}

#[test]
fn documents_may_begin_with_a_byte_order_mark() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loans.ndjson");
    let body = String::from_utf8(good("L-1").0.body.unwrap()).unwrap();
    std::fs::write(&file, format!("\u{feff}{body}\r\n\r\n{body}\r\n")).unwrap();
    let (_, summary) = written(&file, None, None, None);
    assert_eq!((summary.rows, summary.refused), (2, 0), "{:?}", summary.first_refused);
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
