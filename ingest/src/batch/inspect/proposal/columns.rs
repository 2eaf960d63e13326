//! A column of a proposal: where it goes, as what, and what a person has to decide of it. Pure.

use super::super::super::fault::is_within;
use super::super::cells::{Numbers, Shape};
use super::super::facts::Fact;
use super::super::names::{Meaning, key};
use super::super::toml_text::{line, quoted};
use super::{Column, Proposal};
use crate::attributes::nearest;
use domain::{ApplicationId, Attributes};
use std::collections::BTreeSet;

/// Where the facts of the first applicant stand.
const FACTS: &str = "/applicants/0/facts/";

impl Proposal<'_> {
    pub(super) fn write_column(&self, text: &mut String, column: &Column<'_>) {
        let Column { name, meaning, shape, fact, cells, .. } = column;
        let left_out = match (meaning, shape) {
            _ if name.is_empty() => Some("A column without a name".to_owned()),
            (Some(Meaning::Outcome), _) => Some("What came after the decision is not known of an applicant".to_owned()),
            (_, Shape::Nothing) => Some("Holds nothing in these rows".to_owned()),
            _ if self.sample.header.iter().filter(|other| other.trim() == *name).count() > 1 => {
                Some("DECIDE: two columns have this name; rename one of them to use it".to_owned())
            }
            _ => fact.filter(|fact| placed(fact, column).is_none()).map(|fact| self.misfit(fact)),
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
            self.write_kind(text, column, &pointer, kind, cells);
            text.push('\n');
            body.clear();
        }
    }

    /// Of a column that is called as a fact is and is written otherwise.
    fn misfit(&self, fact: &Fact) -> String {
        let takes = |place: &str| match self.words_of_contract(&format!("{FACTS}{place}")) {
            words if !words.is_empty() => format!("{FACTS}{place} ({})", words.join(", ")),
            _ if fact.truth == Some(place) => format!("{FACTS}{place} (true or false)"),
            _ => format!("{FACTS}{place} (a whole number)"),
        };
        let places: Vec<String> = fact.places().map(takes).collect();
        format!(
            "DECIDE: it may be {}, and its cells are written otherwise: name it there as a category with a map of them",
            places.join(" or ")
        )
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
            _ => match column.fact.and_then(|fact| placed(fact, column)) {
                Some((place, kind)) => {
                    let pointer = format!("{FACTS}{place}");
                    if place.ends_with("_months") {
                        line(comment, "# DECIDE: months, not years.");
                    }
                    line(comment, &self.read_by_models(&pointer));
                    one(&pointer, kind)
                }
                None => {
                    let name = &column.key;
                    if *name != key(column.name) {
                        line(comment, "# DECIDE: a key that is made up; the name has none of its own here.");
                    }
                    line(comment, &self.as_attribute(name));
                    one(&format!("/attributes/{name}"), kind)
                }
            },
        }
    }

    /// What the models of the product read; none where that is not known.
    fn read(&self) -> Option<(&str, &Attributes)> {
        let product = self.product().unwrap_or_default();
        let read = self.known.attributes.of(product, self.known.tenant).filter(|known| !known.is_open)?;
        Some((product, read))
    }

    /// Whether models of the product read a fact.
    fn read_by_models(&self, pointer: &str) -> String {
        let Some((product, read)) = self.read() else { return String::new() };
        match read.each_elsewhere().any(|(place, _)| is_within(place, pointer) || is_within(pointer, place)) {
            true => format!("# Models of {product} read it."),
            false => format!("# No model of {product} reads it; a policy may."),
        }
    }

    /// What becomes of a column that is called as nothing here is.
    fn as_attribute(&self, name: &str) -> String {
        let unknown = "# DECIDE: a name that is not known here.";
        let Some((product, known)) = self.read() else {
            return format!("{unknown} As a free attribute it counts only where a model reads it under this key.");
        };
        let names = known.names();
        if names.is_empty() {
            return format!("{unknown} No model of {product} reads any attribute: it counts for nothing.");
        }
        if names.contains_key(name) {
            return format!("# Models of {product} read it.");
        }
        let meant = nearest(name, names.into_keys()).map(|name| format!(" The nearest that one reads is {name}."));
        format!("{unknown} No model of {product} reads it under this key.{}", meant.unwrap_or_default())
    }

    fn write_kind(&self, text: &mut String, column: &Column<'_>, pointer: &str, kind: &str, cells: &[&str]) {
        match (&column.shape, kind) {
            (Shape::Number(numbers), "money") => {
                let currency = self.write_doubts(text, numbers, pointer);
                line(text, &format!("currency = \"{currency}\"\nexponent = {}", if currency == "JPY" { 0 } else { 2 }));
                self.write_other_decimal(text, numbers);
            }
            (Shape::Number(_), "boolean") => line(text, "map = { \"1\" = true, \"0\" = false }"),
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
                let taken = self.words_of_contract(pointer);
                if words.keys().any(|word| !taken.contains(word)) {
                    let list = if taken.is_empty() { String::new() } else { format!(": {}", taken.join(", ")) };
                    line(text, &format!("# DECIDE: what each word of the file is called in the contract{list}."));
                }
                let named = |word: &String| if taken.contains(word) { word.clone() } else { key(word) };
                let map: Vec<_> =
                    words.keys().map(|word| format!("{} = {}", quoted(word), quoted(&named(word)))).collect();
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

    /// The currency of a column, with what contradicts it or leaves it open.
    fn write_doubts(&self, text: &mut String, numbers: &Numbers, pointer: &str) -> String {
        let lent = self.lent();
        let in_all = |code: &str| numbers.signs.values().all(|codes| codes.contains(&code));
        let of_product = lent.iter().find(|code| !numbers.signs.is_empty() && in_all(code));
        let first = numbers.signs.values().chain(self.signs.values()).find_map(|codes| codes.first());
        let currency = match (of_product, first) {
            (Some(code), _) => code.clone(),
            (None, Some(code)) => (*code).to_owned(),
            (None, None) => lent.first().cloned().unwrap_or_else(|| "EUR".to_owned()),
        };
        if numbers.signs.is_empty() {
            let whose = if first.is_none() && !lent.is_empty() { " It is the product's." } else { "" };
            line(text, &format!("# DECIDE: the currency; no cell of the column names one.{whose}"));
        } else if !in_all(&currency) {
            line(text, "# DECIDE: cells name several currencies, and a column has one.");
        }
        if let Some(product) = self.product()
            && pointer == "/requested/amount"
            && !lent.is_empty()
            && !lent.contains(&currency)
        {
            let of = lent.join(", ");
            line(
                text,
                &format!(
                    "# DECIDE: the cells say {currency}, and {product} is lent in {of} alone: every row would be refused."
                ),
            );
        }
        for (sign, _) in numbers.signs.iter().filter(|(_, codes)| codes.len() > 1) {
            line(text, &format!("# DECIDE: {sign} is the sign of many currencies."));
        }
        currency
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

/// The place of a fact that takes what the cells hold, and as what.
fn placed(fact: &Fact, column: &Column<'_>) -> Option<(&'static str, &'static str)> {
    match &column.shape {
        Shape::Truth(..) => fact.truth.map(|place| (place, "boolean")),
        Shape::Number(_) if column.cells.iter().all(|cell| ["0", "1"].contains(cell)) && fact.truth.is_some() => {
            fact.truth.map(|place| (place, "boolean"))
        }
        Shape::Number(numbers) if numbers.are_whole() && numbers.signs.is_empty() => {
            fact.count.map(|place| (place, "integer"))
        }
        Shape::Words(_) => fact.word.map(|place| (place, "category")),
        _ => None,
    }
}

fn is_personal(meaning: Option<Meaning>) -> bool {
    matches!(meaning, Some(Meaning::Identity(_) | Meaning::Protected(_)))
}

fn words_of(cells: &[&str]) -> usize {
    cells.iter().collect::<BTreeSet<_>>().len()
}
