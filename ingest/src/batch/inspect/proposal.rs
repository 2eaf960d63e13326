//! The text of a proposal. Pure: a sample and what is known become a mapping file.

mod columns;

use super::cells::{Numbers, Shape, date, is_missing, shape};
use super::facts::{Fact, fact};
use super::known::Known;
use super::names::{Meaning, key, meaning};
use super::sample::Sample;
use super::toml_text::{line, list, quoted};
use crate::published::Published;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A column, looked at.
struct Column<'s> {
    name: &'s str,
    meaning: Option<Meaning>,
    shape: Shape,
    /// The fact of the applicant that its name stands for.
    fact: Option<&'static Fact>,
    cells: Vec<&'s str>,
    /// Its key where it becomes an attribute; no two have the same.
    key: String,
}

/// A file, looked at.
pub(super) struct Proposal<'s> {
    sample: &'s Sample,
    known: &'s Known<'s>,
    published: &'s Published,
    columns: Vec<Column<'s>>,
    /// Whether the decimal is a comma, and whether nothing told.
    is_comma: bool,
    is_open: bool,
    thousands: String,
    signs: BTreeMap<&'static str, &'static [&'static str]>,
    date: Option<&'static str>,
    missing: BTreeSet<&'s str>,
}

impl<'s> Proposal<'s> {
    pub(super) fn of(sample: &'s Sample, known: &'s Known<'s>, published: &'s Published) -> Self {
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
                // The first of two columns with one fact has it.
                let fact = fact(name).filter(|fact| meaning.is_none() && taken.insert(format!("{fact:?}")));
                let spelt = Some(key(name)).filter(|key| !key.is_empty());
                let spelt = spelt.unwrap_or_else(|| format!("column_{}", at + 1));
                let numbered = (2..).map(|number| format!("{spelt}_{number}"));
                let mut keys = std::iter::once(spelt.clone()).chain(numbered);
                let key = keys.find(|key| taken.insert(format!("/{key}"))).unwrap_or(spelt.clone());
                Column { name, meaning, shape, fact, cells, key }
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
        Self { sample, known, published, columns, is_comma, is_open, thousands, signs, date, missing }
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

    /// The product that is proposed for all rows; none where a column says it.
    fn product(&self) -> Option<&str> {
        let is_constant = !self.has(Meaning::Product);
        let likely = self.known.products.iter().max_by_key(|(name, codes)| (self.fits(codes), Reverse(*name)));
        likely.filter(|_| is_constant).map(|(name, _)| name)
    }

    /// How well a product's currencies fit the signs of the cells: 2 for what a sign most often stands for, 1 for what it may.
    fn fits(&self, codes: &[String]) -> u8 {
        let is = |code: &&str| codes.iter().any(|own| own == code);
        let often = self.signs.values().filter_map(|codes| codes.first()).any(is);
        let may = || codes.is_empty() || self.signs.values().flat_map(|codes| codes.iter()).any(is);
        if often { 2 } else { u8::from(may()) }
    }

    /// The currencies of that product; none where it takes any.
    fn lent(&self) -> &[String] {
        let product = self.product();
        let of = self.known.products.iter().find(|(name, _)| Some(*name) == product);
        of.map(|(_, codes)| codes).unwrap_or_default()
    }

    fn write_product(&self, text: &mut String) {
        let shown = |(name, codes): (&str, &[String])| match codes {
            [] => format!("{name} (any currency)"),
            codes => format!("{name} ({})", codes.join(", ")),
        };
        let all = self.known.products.iter().map(shown).collect::<Vec<_>>().join(", ");
        let said: BTreeSet<&str> = self.signs.values().filter_map(|codes| codes.first().copied()).collect();
        let said = said.into_iter().collect::<Vec<_>>().join(" and ");
        let why = match (self.fits(self.lent()), said.is_empty()) {
            (_, true) => format!("the product; there are {all}."),
            (0, false) => format!(
                "no product is lent in {said}, which the cells name: every row would be refused. There are {all}."
            ),
            (_, false) => format!("the product; there are {all}. This one is lent in the file's currency."),
        };
        line(text, &format!("# DECIDE: {why}"));
        line(text, &format!("\"/product\" = {}", quoted(self.product().unwrap_or_default())));
    }

    /// The words of a closed list that the contract has at a place.
    fn words_of_contract(&self, pointer: &str) -> Vec<String> {
        self.published.words_at(pointer)
    }

    fn write_constants(&self, text: &mut String) {
        let Known { tenant, today, .. } = self.known;
        line(text, "[constants]");
        line(text, &format!("\"/tenant\" = {}", quoted(tenant)));
        line(text, "\"/revision\" = 1");
        if !self.has(Meaning::Product) {
            self.write_product(text);
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
            let currency = self.lent().first().map_or("EUR", String::as_str);
            line(text, &format!("\"/requested/amount\" = {{ amount_minor = 1, currency = \"{currency}\" }}"));
        }
        line(text, "\"/applicants/0/role\" = \"primary\"");
        line(text, "# DECIDE: person or organisation.");
        line(text, "\"/applicants/0/kind\" = \"person\"");
        if !self.columns.iter().any(|column| column.fact.is_some_and(|fact| fact.is("of_legal_age"))) {
            line(text, "# DECIDE: only if you know it of every applicant; a policy may ask for it.");
            line(text, "# \"/applicants/0/facts/of_legal_age\" = true");
        }
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
}
