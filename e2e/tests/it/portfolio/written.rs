//! Writes the first rows of the public data set of small-business loans as a German spreadsheet would.

use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// Rows of the file.
pub const ROWS: usize = 2_000;

/// How the file is read: its habits, and the places of its columns.
pub const MAPPING: &str = r#"
[file]
delimiter = ";"
encoding = "windows-1252"

[written]
trim = true
decimal = ","
thousands = ". '"
currency_signs = ["$", "USD"]
date = "DD.MM.YYYY"
yes = ["ja"]
no = ["nein"]
missing = ["k. A."]

[constants]
"/tenant" = "demo"
"/revision" = 1
"/product" = "small_business_term"
"/intent" = "decide"
"/request_type" = "new"
"/channel" = "branch"
"/requested/purpose" = "business_loan"
"/submitted_at" = "2026-11-02T09:00:00Z"
"/completed_at" = "2026-11-02T09:00:00Z"
"/applicants/0/role" = "primary"
"/applicants/0/kind" = "organisation"

[[column]]
name = "Antragsnummer"
pointer = "/application_id"
kind = "string"

[[template]]
pointer = "/applicants/0/customer_ref"
value = "borrower-{Antragsnummer}"

[[template]]
pointer = "/jurisdiction"
value = "US-{Bundesstaat}"

[[column]]
name = "Antragsdatum"
pointer = "/as_of"
kind = "date"

[[column]]
name = "Kreditbetrag"
pointer = "/requested/amount"
kind = "money"
currency = "USD"
exponent = 2

[[column]]
name = "Bürgschaft"
pointer = "/attributes/guaranteed_amount"
kind = "money"
currency = "USD"
exponent = 2

[[column]]
name = "Branche"
pointer = "/attributes/naics"
kind = "integer"
written = { thousands = "" }

[[column]]
name = "Beschäftigte"
pointer = "/attributes/employees"
kind = "integer"

[[column]]
name = "Neugründung"
pointer = "/attributes/business_stage"
kind = "category"
map = { "ja" = "new", "nein" = "existing" }
default = "unknown"

[[column]]
name = "Neue Stellen"
pointer = "/attributes/jobs_created"
kind = "integer"

[[column]]
name = "Erhaltene Stellen"
pointer = "/attributes/jobs_retained"
kind = "integer"

[[column]]
name = "Franchise"
pointer = "/attributes/franchise"
kind = "boolean"

[[column]]
name = "Lage"
pointer = "/attributes/urban_rural"
kind = "category"
map = { "städtisch" = "urban", "ländlich" = "rural" }
default = "undefined"

[[column]]
name = "Kreditlinie"
pointer = "/attributes/revolving"
kind = "category"
map = { "ja" = "yes", "nein" = "no" }
default = "undocumented"

[[column]]
name = "Kurzantrag"
pointer = "/attributes/low_doc"
kind = "boolean"
default = false

[[column]]
name = "Bank in"
pointer = "/attributes/bank_state"
kind = "string"
"#;

const HEADER: [&str; 16] = [
    "Antragsnummer",
    "Antragsdatum",
    " Kreditbetrag ",
    "Bürgschaft",
    "Branche",
    "Beschäftigte",
    "Neugründung",
    "Neue Stellen",
    "Erhaltene Stellen",
    "Franchise",
    "Lage",
    "Kreditlinie",
    "Kurzantrag",
    "Bank in",
    "Bundesstaat",
    "Anmerkung",
];

/// What differs from file to file.
pub struct Habits<'h> {
    pub encoding: &'h str,
    /// In front of each application's id.
    pub prefix: &'h str,
    /// Good rows whose amount is another one.
    pub changed: usize,
}

/// Writes the file, and gives the rows that are not good: number → (problem, columns that are wrong; 0 for the row itself).
pub fn write(path: &Path, habits: &Habits<'_>) -> BTreeMap<u64, (&'static str, usize)> {
    let source = e2e::stage::root().join("training/data/sba_national_22k/sba_national_22k.csv.gz");
    let mut source = csv::Reader::from_reader(GzDecoder::new(File::open(source).unwrap()));
    let header = source.headers().unwrap().clone();
    let mut faults = BTreeMap::new();
    let mut changed = habits.changed;
    let mut text = format!("{}\r\n", HEADER.join(";"));
    for (number, row) in (1..=ROWS as u64).zip(source.records()) {
        let row = row.unwrap();
        let cell = |name: &str| &row[header.iter().position(|known| known == name).unwrap()];
        let mut cells = cells(number, habits.prefix, cell);
        match number % 250 {
            17 => {
                cells.pop();
                faults.insert(number, ("unmapped_row", 0));
            }
            18 => {
                cells.insert(3, "zu viel".to_owned());
                faults.insert(number, ("unmapped_row", 0));
            }
            19 => {
                cells[1] = "1997-02-28".to_owned();
                cells[2] = "60,000.00".to_owned();
                cells[9] = "vielleicht".to_owned();
                faults.insert(number, ("unmapped_row", 3));
            }
            rest if rest >= 100 && changed > 0 => {
                cells[2] = "12.345,00 $".to_owned();
                changed -= 1;
            }
            _ => {}
        }
        text.push_str(&format!("{}\r\n", cells.join(";")));
        // A blank line, and a row of a spreadsheet that holds nothing.
        if number % 333 == 0 {
            text.push_str("\r\n");
            text.push_str(&format!("{}\r\n", ";".repeat(HEADER.len() - 1)));
        }
    }
    std::fs::write(path, encoded(&text, habits.encoding)).unwrap();
    faults
}

fn cells<'r>(number: u64, prefix: &str, cell: impl Fn(&str) -> &'r str) -> Vec<String> {
    let truth = |is: bool| if is { "ja" } else { "nein" }.to_owned();
    let date: Vec<&str> = cell("ApprovalDate").split('-').collect();
    let stage = match cell("NewExist") {
        "1" => "nein",
        "2" => "ja",
        _ => "k. A.",
    };
    let place = match cell("UrbanRural") {
        "1" => "städtisch",
        "2" => "ländlich",
        _ => "unbekannt",
    };
    let line = match cell("RevLineCr") {
        "Y" => "ja",
        "N" => "nein",
        _ => "?",
    };
    vec![
        format!(" {prefix}-{}", cell("LoanNr_ChkDgt")),
        format!("{}.{}.{}", date[2], date[1], date[0]),
        amount(number, cell("GrAppv")),
        format!("  {}", amount(number + 1, cell("SBA_Appv"))),
        cell("NAICS").to_owned(),
        format!("{} ", cell("NoEmp")),
        stage.to_owned(),
        cell("CreateJob").to_owned(),
        cell("RetainedJob").to_owned(),
        truth(!matches!(cell("FranchiseCode"), "0" | "1")),
        place.to_owned(),
        line.to_owned(),
        truth(cell("LowDoc") == "Y").to_uppercase(),
        cell("BankState").to_owned(),
        cell("State").to_owned(),
        format!("\"PLZ {};\r\nGeschäftsjahr \"\"{}\"\"\"", cell("Zip"), cell("ApprovalFY")),
    ]
}

/// One of the ways in which an amount is written.
fn amount(number: u64, units: &str) -> String {
    let separator = [".", "'", "\u{a0}", ""][(number % 4) as usize];
    let (whole, fraction) = units.split_once('.').unwrap_or((units, "00"));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push_str(separator);
        }
        grouped.push(digit);
    }
    match number % 3 {
        0 => format!("{grouped},{fraction} $"),
        1 => format!("USD {grouped},{fraction}"),
        _ => grouped,
    }
}

/// Letters as bytes; UTF-16 with its mark.
fn encoded(text: &str, encoding: &str) -> Vec<u8> {
    match encoding {
        "utf-8" => text.as_bytes().to_vec(),
        "utf-16le" => [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
        // These letters are where Latin-1 has them.
        _ => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect(),
    }
}

/// The lines at which rows begin, as an editor counts them: none in quotes, none that hold nothing.
pub fn lines_of(path: &Path) -> Vec<u64> {
    let bytes = std::fs::read(path).unwrap();
    let text: String = match bytes.first_chunk() {
        Some([0xff, 0xfe]) => {
            let units: Vec<u16> =
                bytes[2..].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            String::from_utf16(&units).unwrap()
        }
        _ => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    let mut lines = Vec::new();
    let mut is_quoted = false;
    for (line, content) in (1..).zip(text.split("\r\n")) {
        let holds_something = !content.chars().all(|c| c == ';');
        if line > 1 && !is_quoted && holds_something {
            lines.push(line);
        }
        is_quoted ^= content.matches('"').count() % 2 == 1;
    }
    lines
}
