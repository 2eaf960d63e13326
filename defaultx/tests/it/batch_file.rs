//! What `batch` says of a file that somebody knows only from the docs: warnings, open places, faults by cause, what a spreadsheet
//! can open. All of it without a server.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A German table of consumer loans, as a bank's clerk exports it.
const HEADER: &str = "Antragsnummer;Antragsdatum;Kreditbetrag;Laufzeit;Girokonto;Wohnsituation;Volljährig;Bemerkung";

/// The mapping that `inspect` would propose for it, with two places still open.
const MAPPING: &str = r#"
[file]
delimiter = ";"
encoding = "windows-1252"
[written]
trim = true
decimal = ","
thousands = "."
currency_signs = ["DM", "€"]
date = "DD.MM.YYYY"
yes = ["ja"]
no = ["nein"]
[constants]
"/tenant" = "demo"
"/revision" = 1
# DECIDE: the product; there are others.
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
value = "customer-{Antragsnummer}"
[[column]]
name = "Antragsnummer"
pointer = "/application_id"
kind = "string"
[[column]]
name = "Antragsdatum"
pointer = "/as_of"
kind = "date"
[[column]]
name = "Kreditbetrag"
pointer = "/requested/amount"
kind = "money"
currency = "DEM"
exponent = 2
[[column]]
name = "Laufzeit"
pointer = "/requested/term_months"
kind = "integer"
# DECIDE: a name that is not known here.
[[column]]
name = "Girokonto"
pointer = "/attributes/girokonto"
kind = "string"
"#;

/// As windows-1252 has the letters that stand here.
fn western(text: &str) -> Vec<u8> {
    text.chars().map(|c| if c == '€' { 0x80 } else { u8::try_from(u32::from(c)).unwrap() }).collect()
}

fn of_western(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| if *byte == 0x80 { '€' } else { char::from(*byte) }).collect()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name).display().to_string()
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8(std::fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// A table in the code page of its country, and its mapping.
    fn table(&self, rows: &[&str]) -> [String; 3] {
        let text = std::iter::once(HEADER).chain(rows.iter().copied()).map(|row| format!("{row}\r\n"));
        let file = self.put("portfolio.csv", western(&text.collect::<String>()));
        [file, "--mapping".to_owned(), self.put("mapping.toml", MAPPING)]
    }
}

/// The exit code, and what was said on both ways.
fn batch(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_defaultx"));
    command.arg("batch").args(arguments).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

fn dry(of: &[String], more: &[&str]) -> (Option<i32>, String) {
    let all: Vec<&str> = of.iter().map(String::as_str).chain(["--dry-run"]).chain(more.iter().copied()).collect();
    batch(&all)
}

fn row(id: &str, amount: &str) -> String {
    format!("{id};28.02.2020;{amount};24;gut;Miete;ja;")
}

fn has(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} is not in\n{said}");
    }
}

#[test]
fn a_dry_run_tells_what_no_model_reads_and_what_the_mapping_leaves_open() {
    let folder = Folder::new();
    let (one, two) = (row("a-1", "1.234,50"), row("a-2", "2.000,00 DM"));
    let (code, said) = dry(&folder.table(&[&one, &two]), &[]);
    assert_eq!(code, Some(0), "{said}");
    has(
        &said,
        &[
            "2 rows: 2 would be published, 0 refused",
            "2 rows, the first in line 2 (a-1): unknown_attribute: /attributes/girokonto (column Girokonto) is read by no model of consumer_instalment",
            "2 places of the mapping are still DECIDE: lines 16, 46",
        ],
    );
}

#[test]
fn a_misspelt_attribute_of_one_document_is_a_warning_too() {
    let folder = Folder::new();
    let body = r#"{"tenant":"demo","application_id":"a-1","revision":1,"product":"credit_card","intent":"decide","request_type":"new","channel":"branch","jurisdiction":"TW-TPE","requested":{"amount":{"amount_minor":2000000,"currency":"TWD"}},"submitted_at":"2026-11-02T09:00:00Z","as_of":"2005-09-30","applicants":[{"role":"primary","kind":"person","customer_ref":"c-1"}],"attributes":{"payment_amount1":{"amount_minor":1,"currency":"TWD"}}}"#;
    let (code, said) = dry(&[folder.put("one.ndjson", body)], &[]);
    assert_eq!(code, Some(0), "{said}");
    has(
        &said,
        &[
            "1 row, line 1 (a-1): unknown_attribute: /attributes/payment_amount1 is read by no model of credit_card; did you mean payment_amount_1?",
        ],
    );
}

#[test]
fn faults_are_told_by_cause_and_column_with_how_many_and_where() {
    let folder = Folder::new();
    let mut rows: Vec<String> = (0..30).map(|number| row(&format!("a-{number}"), "12.50")).collect();
    rows.push(row("b-1", "zwölftausend DM"));
    rows.push(row("b-2", "12,50 €"));
    rows.push(row("b-3", "12,50 $"));
    rows.push(row("b-4", "12,505"));
    rows.push(row("b-5", "12").replace("28.02.2020", "2020-02-28"));
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let rejects = folder.path("rejects.csv").display().to_string();
    let (code, said) = dry(&folder.table(&rows), &["--rejects", &rejects]);
    assert_eq!(code, Some(1), "{said}");
    has(
        &said,
        &[
            "35 rows: 0 would be published, 35 refused",
            "30 rows, the first in line 2 (a-0): unmapped_row: /requested/amount (column Kreditbetrag) the point stands where the mapping says thousands",
            "1 row, line 32 (b-1): unmapped_row: /requested/amount (column Kreditbetrag) no number",
            "1 row, line 33 (b-2): unmapped_row: /requested/amount (column Kreditbetrag) the sign of another currency than the column's",
            "1 row, line 34 (b-3): unmapped_row: /requested/amount (column Kreditbetrag) a sign that currency_signs does not list",
            "1 row, line 35 (b-4): unmapped_row: /requested/amount (column Kreditbetrag) a fraction of a minor unit",
            "1 row, line 36 (b-5): unmapped_row: /as_of (column Antragsdatum) not a date as the mapping says dates are written",
        ],
    );
}

#[test]
fn causes_that_are_cut_are_counted_and_the_file_with_all_is_named() {
    let folder = Folder::new();
    let rows: Vec<String> = (0..25).map(|number| format!("{{\"member_{number}\": 1}}")).collect();
    let (file, rejects) =
        (folder.put("many.ndjson", rows.join("\n")), folder.path("rejects.csv").display().to_string());
    let (_, said) = dry(std::slice::from_ref(&file), &["--rejects", &rejects]);
    assert!(said.lines().count() < 30, "{said}");
    has(&said, &["more: see", "rejects.csv"]);
    let (_, said) = dry(&[file], &[]);
    has(&said, &["more: --rejects FILE lists them"]);
}

#[test]
fn an_id_that_stands_twice_is_told_with_both_lines() {
    let folder = Folder::new();
    let (one, other, again) = (row("a-1", "100"), row("a-1", "200"), row("a-2", "5"));
    let rejects = folder.path("rejects.csv").display().to_string();
    let (code, said) = dry(&folder.table(&[&one, &again, &other, &again]), &["--rejects", &rejects]);
    assert_eq!(code, Some(1), "{said}");
    has(
        &said,
        &[
            "4 rows: 4 would be published, 0 refused, 1 in conflict with a row before it",
            "1 row, line 4 (a-1): conflict: /application_id (column Antragsnummer) line 2 has the same id and revision with other content",
            "duplicate: /application_id (column Antragsnummer) stands in an earlier row with the same content, and counts once",
        ],
    );
    let text = folder.text("rejects.csv");
    has(&text, &["4;a-1;conflict;/application_id;"]);
}

#[test]
fn rejects_open_in_the_spreadsheet_that_wrote_the_file_unless_plain_is_asked_for() {
    let folder = Folder::new();
    let (bad, good) = (row("a-1", "viel"), row("a-2", "1,50"));
    let table = folder.table(&[&bad, &good]);
    let rejects = folder.path("rejects.csv").display().to_string();
    dry(&table, &["--rejects", &rejects]);
    assert!(
        folder.text("rejects.csv").starts_with("\u{feff}line;application_id;reason;pointers;detail;column\n2;a-1;"),
        "{}",
        folder.text("rejects.csv")
    );
    dry(&table, &["--rejects", &rejects, "--plain"]);
    assert!(folder.text("rejects.csv").starts_with("line,application_id,"), "{}", folder.text("rejects.csv"));
}

#[test]
fn refused_rows_can_be_corrected_and_sent_again_by_the_same_mapping() {
    let folder = Folder::new();
    let rows = [
        row("a-1", "viel"),
        row("a-2", "1,50"),
        "a-3;28.02.2020;3;12;\"Straße; \"\"neu\"\"\";Miete;ja".to_owned(),
        row("a-4", "4").replace("gut", "größer €"),
        row("a-2", "2,50"),
    ];
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let table = folder.table(&rows);
    let again = folder.path("again.csv").display().to_string();
    let (_, said) = dry(&table, &["--to-correct", &again]);
    has(&said, &["5 rows: 3 would be published, 2 refused, 1 in conflict"]);
    let text = of_western(&std::fs::read(&again).unwrap());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert_eq!(lines[0], format!("rejected_line;rejected_reason;rejected_why;{HEADER}"));
    assert_eq!(lines[1], format!("2;unmapped_row;Kreditbetrag: no number;{}", rows[0]));
    assert!(lines[2].starts_with("4;unmapped_row;"), "{}", lines[2]);
    assert!(lines[2].ends_with(rows[2]), "as it came: {}", lines[2]);
    // As a person corrects it, in the same program.
    let mended = text.replace("viel", "1.000,00").replace(rows[2], &format!("{};", rows[2])).replace("a-2", "a-5");
    std::fs::write(&again, western(&mended)).unwrap();
    let (code, said) = dry(&[again.clone(), table[1].clone(), table[2].clone()], &[]);
    assert_eq!(code, Some(0), "{said}");
    has(&said, &["3 rows: 3 would be published, 0 refused"]);
    // Corrected wrongly, it is listed anew with the columns that say why once.
    std::fs::write(&again, western(&text)).unwrap();
    let other = folder.path("other.csv").display().to_string();
    dry(&[again, table[1].clone(), table[2].clone()], &["--to-correct", &other]);
    let text = of_western(&std::fs::read(&other).unwrap());
    assert!(text.starts_with(&format!("rejected_line;rejected_reason;rejected_why;{HEADER}\n")), "{text}");
    // A row's number is another in the new file, so an id made of it would name somebody else's application.
    let numbered = folder.put("numbered.toml", MAPPING.replace("customer-{Antragsnummer}", "customer-{row}"));
    let (code, said) = dry(&[table[0].clone(), "--mapping".into(), numbered], &["--to-correct", &other]);
    assert_eq!(code, Some(1));
    has(&said, &["{row}"]);
}

#[test]
fn rows_to_correct_keep_the_bytes_of_their_file_and_documents_their_lines() {
    let folder = Folder::new();
    let text = format!("\u{feff}{HEADER}\r\n{}\r\n", row("ж-1", "viel"));
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let again = folder.path("again.csv").display().to_string();
    let mapping = folder.put("mapping.toml", MAPPING);
    for (bytes, mark) in [(little, &b"\xff\xfe"[..]), (text.clone().into_bytes(), &b"\xef\xbb\xbf"[..])] {
        // The mark knows better than the mapping what the file is written in.
        let file = folder.put("marked.csv", bytes);
        let told =
            |file: &str| dry(&[file.to_owned(), "--mapping".into(), mapping.clone()], &["--to-correct", &again]).1;
        let first = told(&file);
        has(
            &first,
            &["1 rows: 0 would be published, 1 refused", "(column Antragsnummer)", "(column Kreditbetrag) no number"],
        );
        assert!(std::fs::read(&again).unwrap().starts_with(mark));
        let copy = folder.put("copy.csv", std::fs::read(&again).unwrap());
        assert_eq!(told(&copy), first, "read as the file was, with the same faults");
    }
    let lines = "{\"a\": 1}\n[]\n";
    let again = folder.path("again.ndjson").display().to_string();
    dry(&[folder.put("lines.ndjson", lines)], &["--to-correct", &again]);
    assert_eq!(folder.text("again.ndjson"), lines);
}

#[test]
fn what_an_author_of_a_file_wrote_is_no_formula() {
    let folder = Folder::new();
    let mapping = "[[column]]\nname = '=1+1'\npointer = '/application_id'\nkind = 'string'";
    let file = folder.put("formulas.csv", "=1+1\n-2\n");
    let rejects = folder.path("rejects.csv").display().to_string();
    dry(&[file, "--mapping".into(), folder.put("m.toml", mapping)], &["--rejects", &rejects]);
    let text = folder.text("rejects.csv");
    assert!(text.contains(",'-2,"), "{text}");
    assert!(
        text.lines().flat_map(|line| line.split(',')).all(|cell| !cell.starts_with(['=', '+', '-', '@'])),
        "{text}"
    );
}

#[test]
fn a_file_that_is_not_there_or_not_readable_is_said_once_and_with_what_to_do() {
    let folder = Folder::new();
    let missing = folder.path("nix.toml").display().to_string();
    let table = folder.table(&[]);
    let (_, said) = dry(&[table[0].clone(), "--mapping".into(), missing.clone()], &[]);
    assert_eq!(said.trim_end(), format!("error: {missing}: No such file or directory (os error 2)"));
    let (_, said) = batch(&[&folder.path("nix.xlsx").display().to_string(), "--dry-run"]);
    has(&said, &["nix.xlsx: No such file or directory"]);
    for (name, words) in [
        ("book.xlsx", ["save the sheet as CSV", "book.xlsx"]),
        ("book.xls", ["save the sheet as CSV", "book.xls"]),
        ("rows.parquet", ["export it as CSV", "rows.parquet"]),
        ("rows.doc", ["must end in .csv", "rows.doc"]),
    ] {
        let (code, said) = batch(&[&folder.put(name, "PK"), "--dry-run"]);
        assert_eq!(code, Some(1));
        has(&said, &words);
    }
    let (_, said) = dry(&table, &["--tenant", "bank-a"]);
    has(&said, &["tenant \"bank-a\" is not configured", "[ingest.subject_keys]", "demo"]);
}

/// Rows with the words and signs of `HEADER`, enough of each to be shown.
fn many(sign: &str) -> Vec<String> {
    let words = [("Miete", "gut", "ja"), ("Eigentum", "schlecht", "nein")];
    let of = |number: usize| {
        let (home, account, adult) = words[number % 2];
        format!("a-{number};28.02.2020;1.{number:03},50{sign};24;{account};{home};{adult};")
    };
    (100..140).map(of).collect()
}

fn proposed(sign: &str) -> String {
    let folder = Folder::new();
    let rows = many(sign);
    let [file, ..] = folder.table(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    let (code, said) = batch(&["inspect", &file]);
    assert_eq!(code, Some(0), "{said}");
    said
}

#[test]
fn a_proposal_shows_the_currencies_of_products_and_says_where_the_cells_contradict() {
    let euros = proposed(" €");
    has(
        &euros,
        &[
            "# DECIDE: no product is lent in EUR, which the cells name: every row would be refused. There are consumer_instalment (DEM), credit_card (TWD), small_business_term (USD).",
            "# DECIDE: the cells say EUR, and consumer_instalment is lent in DEM alone: every row would be refused.",
        ],
    );
    let marks = proposed(" DM");
    has(
        &marks,
        &[
            "# DECIDE: the product; there are consumer_instalment (DEM), credit_card (TWD), small_business_term (USD). This one is lent in the file's currency.",
            "\"/product\" = \"consumer_instalment\"",
            "currency = \"DEM\"",
        ],
    );
    let none = proposed("");
    has(&none, &["# DECIDE: the currency; no cell of the column names one. It is the product's.\ncurrency = \"DEM\""]);
    let dollars = proposed(" $");
    has(&dollars, &["# DECIDE: $ is the sign of many currencies."]);
}

#[test]
fn a_proposal_knows_facts_by_their_names_and_says_what_models_read() {
    let said = proposed(" DM");
    has(
        &said,
        &[
            "name = \"Volljährig\"\npointer = \"/applicants/0/facts/of_legal_age\"\nkind = \"boolean\"",
            "name = \"Girokonto\"\npointer = \"/applicants/0/facts/accounts/checking_band\"\nkind = \"category\"",
            "name = \"Wohnsituation\"\npointer = \"/applicants/0/facts/housing/status\"\nkind = \"category\"",
            "what each word of the file is called in the contract: own, rent, free.",
            "# Models of consumer_instalment read it.",
            "# No model of consumer_instalment reads it; a policy may.",
        ],
    );
    assert!(!said.contains("# \"/applicants/0/facts/of_legal_age\" = true"), "a column says it: {said}");
    let folder = Folder::new();
    let rows: Vec<String> = (0..9).map(|number| format!("a-{number},{number}5,x{number}")).collect();
    let file = folder.put("plain.csv", format!("id,amount,shoe_size\n{}\n", rows.join("\n")));
    let (_, said) = batch(&["inspect", &file]);
    has(
        &said,
        &[
            "# DECIDE: a name that is not known here. No model of consumer_instalment reads any attribute: it counts for nothing.",
        ],
    );
    assert!(!said.contains("it counts only where a model reads it"), "{said}");
}
