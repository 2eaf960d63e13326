//! The text of a proposal. Pure: a sample and what is known become a mapping file.

use super::cells::{Numbers, Shape, date, is_missing, shape};
use super::known::Known;
use super::names::{Meaning, key, meaning};
use super::sample::Sample;
use domain::ApplicationId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// A column, looked at.
struct Column<'s> {
    name: &'s str,
    meaning: Option<Meaning>,
    shape: Shape,
    cells: Vec<&'s str>,
}

/// A file, looked at.
pub(super) struct Proposal<'s> {
    sample: &'s Sample,
    known: &'s Known<'s>,
    columns: Vec<Column<'s>>,
    /// Whether the decimal is a comma, and whether nothing told.
    is_comma: bool,
    is_open: bool,
    thousands: String,
    signs: BTreeMap<&'static str, &'static str>,
    date: Option<&'static str>,
    missing: BTreeSet<&'s str>,
}

impl<'s> Proposal<'s> {
    pub(super) fn of(sample: &'s Sample, known: &'s Known<'s>) -> Self {
        let mut taken = BTreeSet::new();
        let mut missing = BTreeSet::new();
        let columns: Vec<Column<'s>> = sample
            .header
            .iter()
            .enumerate()
            .map(|(at, name)| {
                let name = name.trim();
                let (nothing, cells): (Vec<&str>, Vec<&str>) = sample
                    .rows
                    .iter()
                    .map(|row| row[at].trim())
                    .filter(|cell| !cell.is_empty())
                    .partition(|cell| is_missing(cell));
                missing.extend(nothing);
                // The first of two columns with one meaning has it.
                let meaning = meaning(name)
                    .filter(|meaning| *meaning == Meaning::Outcome || taken.insert(format!("{meaning:?}")));
                let shape = match (shape(&cells), meaning) {
                    (Shape::Number(_), Some(Meaning::Day)) => {
                        date(&cells).map_or(Shape::Text, |(form, other)| Shape::Date(form, other))
                    }
                    (shape, _) => shape,
                };
                Column { name, meaning, shape, cells }
            })
            .collect();
        let numbers = |count: fn(&Numbers) -> usize| -> usize {
            columns
                .iter()
                .filter_map(|column| if let Shape::Number(found) = &column.shape { Some(count(found)) } else { None })
                .sum()
        };
        let comma = numbers(|found| found.comma + found.grouping_point);
        let point = numbers(|found| found.point + found.grouping_comma);
        let (open_comma, open_point) = (numbers(|found| found.open_comma), numbers(|found| found.open_point));
        // Where nothing tells, `1.234` beside semicolons is of a country with a decimal comma.
        let is_comma = if comma + point == 0 { open_point > 0 && sample.delimiter == b';' } else { comma > point };
        let mut thousands = String::new();
        let grouping = if is_comma {
            numbers(|found| found.grouping_point) + open_point
        } else {
            numbers(|found| found.grouping_comma) + open_comma
        };
        if grouping > 0 {
            thousands.push(if is_comma { '.' } else { ',' });
        }
        if numbers(|found| found.spaces) > 0 {
            thousands.push(' ');
        }
        if numbers(|found| found.apostrophes) > 0 {
            thousands.push('\'');
        }
        let of_numbers = columns
            .iter()
            .filter_map(|column| if let Shape::Number(found) = &column.shape { Some(&found.signs) } else { None });
        let signs = of_numbers.flatten().map(|(sign, currency)| (*sign, *currency)).collect();
        let date =
            columns.iter().find_map(|column| if let Shape::Date(form, _) = column.shape { Some(form) } else { None });
        let is_open = comma + point == 0 && open_comma + open_point > 0;
        Self { sample, known, columns, is_comma, is_open, thousands, signs, date, missing }
    }

    pub(super) fn text(&self) -> String {
        let Sample { rows, ragged, .. } = self.sample;
        let mut text = format!(
            "# Proposed by `defaultx batch inspect` from the first {} rows. What a person has to decide is marked DECIDE.\n\
             # docs/batch.md has every key. To see what would be refused, and why:\n\
             #   defaultx batch FILE --mapping THIS --dry-run --rejects rejects.csv\n",
            rows.len() + ragged
        );
        if *ragged > 0 {
            line(
                &mut text,
                &format!(
                    "# {ragged} of these rows do not have one cell for each column; they will be refused, each with its line."
                ),
            );
        }
        text.push('\n');
        self.write_file(&mut text);
        self.write_habits(&mut text);
        self.write_constants(&mut text);
        self.write_templates(&mut text);
        for column in &self.columns {
            self.write_column(&mut text, column);
        }
        text
    }

    fn write_file(&self, text: &mut String) {
        let Sample { encoding, told_by, is_guess, delimiter, .. } = self.sample;
        line(text, "[file]");
        let delimiter = if *delimiter == b'\t' { "tab".to_owned() } else { char::from(*delimiter).to_string() };
        line(text, &format!("delimiter = {}", quoted(&delimiter)));
        match is_guess {
            true => {
                line(text, &format!("# DECIDE: a guess {told_by}. Look whether letters with accents come out right."))
            }
            false => line(text, &format!("# Told {told_by}.")),
        }
        line(text, &format!("encoding = {}\n", quoted(&encoding.name().to_lowercase())));
    }

    fn write_habits(&self, text: &mut String) {
        line(text, "[written]");
        line(text, "# Blanks around cells and names are no part of them.");
        line(text, "trim = true");
        if self.is_open {
            let (one, other) = if self.is_comma { ("1234", "1.234") } else { ("1.234", "1234") };
            line(
                text,
                &format!("# DECIDE: no number tells whether 1.234 is {one} or {other}, or which of the two 1,234 is."),
            );
        }
        line(text, &format!("decimal = {}", quoted(if self.is_comma { "," } else { "." })));
        if !self.thousands.is_empty() {
            line(text, &format!("thousands = {}", quoted(&self.thousands)));
        }
        if !self.signs.is_empty() {
            line(text, &format!("currency_signs = {}", list(self.signs.keys())));
        }
        if let Some(form) = self.date {
            line(text, &format!("date = {}", quoted(form)));
        }
        let truths: BTreeSet<(&str, &str)> = self
            .columns
            .iter()
            .filter_map(|column| if let Shape::Truth(yes, no) = column.shape { Some((yes, no)) } else { None })
            .collect();
        if !truths.is_empty() {
            line(text, &format!("yes = {}", list(truths.iter().map(|(yes, _)| yes))));
            line(text, &format!("no = {}", list(truths.iter().map(|(_, no)| no))));
        }
        if !self.missing.is_empty() {
            line(text, "# Words that mean the same as an empty cell.");
            line(text, &format!("missing = {}", list(self.missing.iter())));
        }
        text.push('\n');
    }

    fn has(&self, wanted: Meaning) -> bool {
        self.columns.iter().any(|column| column.meaning == Some(wanted))
    }

    fn write_constants(&self, text: &mut String) {
        let Known { tenant, products, today } = self.known;
        line(text, "[constants]");
        line(text, &format!("\"/tenant\" = {}", quoted(tenant)));
        line(text, "\"/revision\" = 1");
        if !self.has(Meaning::Product) {
            let is_lent = |codes: &[String]| {
                codes.is_empty() || self.signs.values().any(|currency| codes.iter().any(|code| code == currency))
            };
            let (lent, others): (Vec<_>, Vec<_>) = products.iter().partition(|(_, codes)| is_lent(codes));
            let names: Vec<&str> = lent.iter().chain(&others).map(|(name, _)| *name).collect();
            let (first, others) = names.split_first().map_or(("", &[][..]), |(first, others)| (*first, others));
            let why = if lent.is_empty() { "" } else { ", the first that may be in the file's currency" };
            line(text, &format!("# DECIDE: the product{why}; there are also {}.", others.join(", ")));
            line(text, &format!("\"/product\" = {}", quoted(first)));
        }
        line(text, "# DECIDE: decide, prequalify, or score_only for loans that are there already.");
        line(text, "\"/intent\" = \"decide\"");
        line(text, "# DECIDE: new, or existing_review where it is no new loan.");
        line(text, "\"/request_type\" = \"new\"");
        if !self.has(Meaning::Channel) {
            line(text, "\"/channel\" = \"batch\"");
        }
        line(text, "# DECIDE: ISO 3166-2, country and region of the applicants: rules of law go by it.");
        line(text, "\"/jurisdiction\" = \"DE-BE\"");
        if !self.has(Meaning::Day) {
            line(text, "# DECIDE: no column is a day. When it was asked, and the day that the facts describe.");
            line(text, &format!("\"/submitted_at\" = \"{today}T00:00:00Z\""));
            line(text, &format!("\"/as_of\" = \"{today}\""));
        }
        if !self.has(Meaning::Amount) {
            line(
                text,
                "# DECIDE: no column is the amount. A money column for /requested/amount has to be named, or this is the same for all.",
            );
            line(text, "\"/requested/amount\" = { amount_minor = 1, currency = \"EUR\" }");
        }
        line(text, "\"/applicants/0/role\" = \"primary\"");
        line(text, "# DECIDE: person or organisation.");
        line(text, "\"/applicants/0/kind\" = \"person\"");
        line(text, "# DECIDE: only if you know it of every applicant; a policy may ask for it.");
        line(text, "# \"/applicants/0/facts/of_legal_age\" = true");
        if self.has(Meaning::Income) {
            line(text, "# DECIDE: the period and the kind of the income, and how it was shown.");
            for (member, word) in [("period", "month"), ("basis", "net"), ("evidence", "stated")] {
                line(text, &format!("\"/applicants/0/facts/income/0/{member}\" = \"{word}\""));
            }
        }
        text.push('\n');
    }

    fn write_templates(&self, text: &mut String) {
        let id = self.columns.iter().find(|column| column.meaning == Some(Meaning::ApplicationId));
        let template = |text: &mut String, pointer: &str, value: &str| {
            line(text, &format!("[[template]]\npointer = {}\nvalue = {}\n", quoted(pointer), quoted(value)));
        };
        if id.is_none() {
            line(
                text,
                "# DECIDE: no column names the application. The number of the row does only as long as the file is never sorted again,",
            );
            line(text, "# and no other file of yours has the same numbers.");
            template(text, "/application_id", "row-{row}");
        }
        if !self.has(Meaning::CustomerRef) {
            let value = id.map_or_else(|| "customer-{row}".to_owned(), |id| format!("customer-{{{}}}", id.name));
            line(
                text,
                "# DECIDE: no column names the customer. One customer with two applications is two customers here.",
            );
            template(text, "/applicants/0/customer_ref", &value);
        }
    }

    fn write_column(&self, text: &mut String, column: &Column<'_>) {
        let Column { name, meaning, shape, cells } = column;
        let left_out = match (meaning, shape) {
            _ if name.is_empty() => Some("A column without a name"),
            (Some(Meaning::Outcome), _) => Some("What came after the decision is not known of an applicant"),
            (_, Shape::Nothing) => Some("Holds nothing in these rows"),
            _ if self.sample.header.iter().filter(|other| other.trim() == *name).count() > 1 => {
                Some("DECIDE: two columns have this name; rename one of them to use it")
            }
            _ => None,
        };
        if let Some(why) = left_out {
            line(text, &format!("# Left out: {name:?}. {why}.\n"));
            return;
        }
        let mut body = String::new();
        let places = self.places(column, &mut body);
        for (pointer, kind) in places {
            line(text, body.trim_end());
            line(text, "[[column]]");
            line(text, &format!("name = {}\npointer = {}\nkind = \"{kind}\"", quoted(name), quoted(&pointer)));
            self.write_kind(text, column, kind, cells);
            text.push('\n');
            body.clear();
        }
    }

    /// Where the column goes and as what; comments go before it.
    fn places(&self, column: &Column<'_>, comment: &mut String) -> Vec<(String, &'static str)> {
        let kind = match &column.shape {
            Shape::Number(numbers) if !numbers.signs.is_empty() => "money",
            Shape::Number(numbers) if numbers.are_whole() => "integer",
            Shape::Number(_) => "number",
            Shape::Date(..) => "date",
            Shape::Truth(..) => "boolean",
            Shape::Words(_) => "category",
            Shape::Text | Shape::Nothing => "string",
        };
        let is_number = matches!(column.shape, Shape::Number(_));
        let one = |pointer: &str, kind| vec![(pointer.to_owned(), kind)];
        match column.meaning {
            Some(Meaning::ApplicationId) => {
                if column.cells.iter().any(|cell| ApplicationId::new(cell).is_err()) {
                    line(comment, "# DECIDE: an id is 1 to 64 of A-Z a-z 0-9 . _ : - and some cells are not.");
                }
                if column.cells.iter().collect::<BTreeSet<_>>().len() < column.cells.len() {
                    line(
                        comment,
                        "# DECIDE: some ids stand there twice. An id and a revision are one application: the second is a duplicate or a conflict.",
                    );
                }
                one("/application_id", "string")
            }
            Some(Meaning::CustomerRef) => one("/applicants/0/customer_ref", "string"),
            Some(Meaning::Amount) if is_number => one("/requested/amount", "money"),
            Some(Meaning::TermMonths) if kind == "integer" => {
                line(comment, "# DECIDE: months, not years.");
                one("/requested/term_months", "integer")
            }
            Some(Meaning::Purpose) if kind == "category" => one("/requested/purpose", "category"),
            Some(Meaning::Product) if kind == "category" => one("/product", "category"),
            Some(Meaning::Channel) if kind == "category" => one("/channel", "category"),
            Some(Meaning::Day) if kind == "date" => {
                line(
                    comment,
                    "# DECIDE: one column for two things: when it was asked, and the day that the facts describe.",
                );
                vec![("/submitted_at".to_owned(), "datetime"), ("/as_of".to_owned(), "date")]
            }
            Some(Meaning::Identity(member)) => {
                line(comment, "# Says whose row it is: it is kept apart, and no model and no rule sees it.");
                one(&format!("/applicants/0/identity/{member}"), "string")
            }
            Some(Meaning::Protected(member)) => {
                line(comment, "# Protected: kept apart for tests of fairness; no model and no rule sees it.");
                one(&format!("/applicants/0/protected/{member}"), kind)
            }
            Some(Meaning::Income) if is_number => one("/applicants/0/facts/income/0/amount", "money"),
            Some(Meaning::Dependants) if kind == "integer" => one("/applicants/0/facts/dependants", "integer"),
            Some(Meaning::Telephone) if kind == "boolean" => one("/applicants/0/facts/telephone", "boolean"),
            _ => {
                line(
                    comment,
                    "# DECIDE: a name that is not known here. As a free attribute it counts only where a model reads it under this key.",
                );
                one(&format!("/attributes/{}", key(column.name)), kind)
            }
        }
    }

    fn write_kind(&self, text: &mut String, column: &Column<'_>, kind: &str, cells: &[&str]) {
        match (&column.shape, kind) {
            (Shape::Number(numbers), "money") => {
                let currencies: BTreeSet<_> = numbers.signs.values().collect();
                let of_file: BTreeSet<_> = self.signs.values().collect();
                let currency = currencies.first().or(of_file.first()).map_or("EUR", |currency| **currency);
                match currencies.len() {
                    0 => line(text, "# DECIDE: the currency; no cell of the column names one."),
                    1 => {}
                    _ => line(text, "# DECIDE: cells name several currencies, and a column has one."),
                }
                if numbers.signs.contains_key("$") {
                    line(text, "# DECIDE: $ is the sign of many currencies.");
                }
                line(text, &format!("currency = \"{currency}\"\nexponent = {}", if currency == "JPY" { 0 } else { 2 }));
                self.write_other_decimal(text, numbers);
            }
            (Shape::Number(numbers), "integer" | "number") => self.write_other_decimal(text, numbers),
            (Shape::Date(form, other), "date" | "datetime") => {
                if let Some(other) = other {
                    line(text, &format!("# DECIDE: every day here can also be read as {other}."));
                }
                if self.date != Some(*form) {
                    line(text, &format!("written = {{ date = {} }}", quoted(form)));
                }
            }
            (Shape::Words(words), "category") if !is_personal(column.meaning) => {
                line(text, "# DECIDE: what each word of the file is called in the contract.");
                let map: Vec<_> =
                    words.keys().map(|word| format!("{} = {}", quoted(word), quoted(&key(word)))).collect();
                line(text, &format!("map = {{ {} }}", map.join(", ")));
            }
            (Shape::Words(_), "category") => {
                line(
                    text,
                    &format!(
                        "# DECIDE: what each of the {} words of the column means; they are not shown.",
                        words_of(cells)
                    ),
                );
                line(text, "map = {}\ndefault = \"undisclosed\"");
            }
            _ => {}
        }
    }

    /// Where a column writes numbers otherwise than the file.
    fn write_other_decimal(&self, text: &mut String, numbers: &Numbers) {
        let (comma, point) = (numbers.comma + numbers.grouping_point, numbers.point + numbers.grouping_comma);
        let is_other = if self.is_comma { point > comma } else { comma > point };
        if is_other {
            let (decimal, thousands) = if self.is_comma { (".", ",") } else { (",", ".") };
            line(text, "# Written otherwise than the other numbers of the file.");
            line(text, &format!("written = {{ decimal = \"{decimal}\", thousands = \"{thousands}\" }}"));
        }
    }
}

fn is_personal(meaning: Option<Meaning>) -> bool {
    matches!(meaning, Some(Meaning::Identity(_) | Meaning::Protected(_)))
}

fn words_of(cells: &[&str]) -> usize {
    cells.iter().collect::<BTreeSet<_>>().len()
}

fn line(text: &mut String, line: &str) {
    if !line.is_empty() {
        writeln!(text, "{line}").expect("a string takes all");
    }
}

/// As TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list<'t, T: AsRef<str> + 't + ?Sized>(words: impl Iterator<Item = &'t T>) -> String {
    format!("[{}]", words.map(|word| quoted(word.as_ref())).collect::<Vec<_>>().join(", "))
}
