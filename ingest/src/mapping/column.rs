//! A column of a mapping file: a cell becomes the value of its place, or why it is none. Pure.

use super::amount::{minor_units, number};
use super::signs;
use super::written::{Habits, Written};
use chrono::{NaiveDateTime, NaiveTime};
use serde::Deserialize;
use serde_json::{Number, Value};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) pointer: String,
    kind: Kind,
    #[serde(default)]
    map: BTreeMap<String, Value>,
    default: Option<Value>,
    empty: Option<Empty>,
    currency: Option<String>,
    #[serde(default)]
    exponent: u32,
    /// What is written otherwise than the file says.
    #[serde(default)]
    pub(super) written: Written,
    #[serde(skip)]
    pub(super) habits: Habits,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    String,
    Integer,
    Number,
    Boolean,
    Category,
    Money,
    Date,
    Datetime,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Empty {
    Null,
}

impl Column {
    /// The value of a cell; none where an empty cell leaves the key out.
    pub(super) fn value(&self, cell: &str) -> Result<Option<Value>, &'static str> {
        let cell = self.habits.bare(cell);
        if cell.is_empty() {
            return Ok(self.empty.map(|Empty::Null| Value::Null));
        }
        let value = match self.kind {
            Kind::String => cell.into(),
            Kind::Integer => self.whole(cell)?.into(),
            Kind::Number => {
                let plain = self.habits.plain_number(cell).map(|plain| plain.number);
                plain.and_then(|plain| number(&plain)).ok_or_else(|| self.habits.why_not(cell))?
            }
            Kind::Boolean => self.truth(cell).ok_or("neither in the map nor a yes or a no")?,
            Kind::Category => self.map.get(cell).or(self.default.as_ref()).cloned().ok_or("not in the map")?,
            Kind::Money => self.money(cell)?,
            Kind::Date => self.day(cell)?.format("%Y-%m-%d").to_string().into(),
            Kind::Datetime => self.day(cell)?.format("%Y-%m-%dT%H:%M:%SZ").to_string().into(),
        };
        Ok(Some(value))
    }

    fn whole(&self, cell: &str) -> Result<i64, &'static str> {
        let plain = self.habits.plain_number(cell).ok_or_else(|| self.habits.why_not(cell))?;
        let is_number = number(&plain.number).is_some();
        plain.number.parse().map_err(|_| if is_number { "not a whole number" } else { self.habits.why_not(cell) })
    }

    fn money(&self, cell: &str) -> Result<Value, &'static str> {
        let plain = self.habits.plain_number(cell).ok_or_else(|| self.habits.why_not(cell))?;
        let currency = self.currency.as_deref().ok_or("the column has no currency")?;
        if plain.sign.is_some_and(|sign| !signs::may_be(sign, currency)) {
            return Err("the sign of another currency than the column's");
        }
        let amount_minor = minor_units(&plain.number, self.exponent).ok_or_else(|| {
            let has_fraction = plain.number.contains('.');
            match number(&plain.number) {
                Some(_) if plain.number.contains(['e', 'E']) => "no number",
                Some(_) if has_fraction => "a fraction of a minor unit",
                Some(_) => "too large an amount",
                None => self.habits.why_not(cell),
            }
        })?;
        Ok(serde_json::json!({"amount_minor": amount_minor, "currency": currency}))
    }

    fn truth(&self, cell: &str) -> Option<Value> {
        let said = || self.habits.truth(cell).map(Value::Bool);
        self.map.get(cell).cloned().or_else(said).or_else(|| self.default.clone())
    }

    fn day(&self, cell: &str) -> Result<NaiveDateTime, &'static str> {
        match self.habits.date() {
            Some(form) => form.read(cell).ok_or("not a date as the mapping says dates are written"),
            None => crate::check::parse_date(cell).map(|date| date.and_time(NaiveTime::MIN)).ok_or("not a date"),
        }
    }

    /// A value that would fit, in the place of a cell that does not.
    pub(super) fn stand_in(&self) -> Option<Value> {
        match self.kind {
            Kind::String => None,
            Kind::Integer => Some(1.into()),
            Kind::Number => Number::from_f64(1.0).map(Value::Number),
            Kind::Boolean => Some(true.into()),
            Kind::Category => self.map.values().next().cloned(),
            Kind::Money => {
                let currency = self.currency.as_deref()?;
                Some(serde_json::json!({"amount_minor": 1, "currency": currency}))
            }
            Kind::Date => Some("2000-01-01".into()),
            Kind::Datetime => Some("2000-01-01T00:00:00Z".into()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn why(written: &str, kind: &str, cell: &str) -> &'static str {
        let text = format!("name = 'a'\npointer = '/a'\nkind = '{kind}'\ncurrency = 'EUR'\nexponent = 2");
        let mut column: Column = toml::from_str(&text).unwrap();
        column.habits = toml::from_str::<Written>(written).unwrap().habits(&Written::default()).unwrap();
        column.value(cell).unwrap_err()
    }

    #[test]
    fn a_cell_that_is_no_number_says_why() {
        let german = "decimal = ','\nthousands = \".' \"\ncurrency_signs = ['€', '$', 'Taler']";
        let bare = "decimal = ','";
        let rows = [
            (german, "money", "12.50 €", "the point stands where the mapping says thousands"),
            (german, "money", "1,234.50", "the point stands where the mapping says thousands"),
            (german, "money", "zwölftausend €", "no number"),
            (german, "money", "1 Haus", "no number"),
            (german, "money", "12 £", "a sign that currency_signs does not list"),
            (german, "money", "12 $", "the sign of another currency than the column's"),
            (german, "money", "12,505", "a fraction of a minor unit"),
            (german, "money", "99999999999999999999", "too large an amount"),
            (german, "money", "1,5,0", "the decimal comma stands there twice"),
            (german, "money", "1 23", "digits are grouped otherwise than the mapping says"),
            (german, "integer", "1,5", "not a whole number"),
            (german, "integer", "12.5", "the point stands where the mapping says thousands"),
            (german, "number", "viel", "no number"),
            (bare, "money", "12.50", "the point stands there, and the mapping gives it no meaning"),
            ("thousands = ','", "money", "1,23", "the comma stands where the mapping says thousands"),
            ("", "money", "12,50", "the comma stands there, and the mapping gives it no meaning"),
            ("", "money", "twelve", "no number"),
            ("", "money", "1e3", "no number"),
            ("", "money", "€ 12", "a sign that currency_signs does not list"),
            ("", "integer", "1.5", "not a whole number"),
        ];
        for (written, kind, cell, expected) in rows {
            assert_eq!(why(written, kind, cell), expected, "{cell} by {written:?}");
        }
    }
}
