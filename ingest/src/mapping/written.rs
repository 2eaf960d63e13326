//! How people's spreadsheets write cells: numbers with a decimal comma and thousands, amounts with a currency, dates in the order of
//! a country, truths in a language, words for nothing. Pure: a cell becomes its plain form, or is not written as its file says.

use super::date::DateForm;
use super::signs;
use serde::Deserialize;
use std::borrow::Cow;

/// What a person may say of a file, or of one of its columns; what a column leaves open, the file says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    /// Between whole and fraction; `.` by default.
    decimal: Option<char>,
    /// Between groups of three digits, each character one of them; none by default.
    thousands: Option<String>,
    /// What may stand before or behind a number, such as `€` and `EUR`; none by default.
    currency_signs: Option<Vec<String>>,
    /// `DD.MM.YYYY` and the like; `YYYY-MM-DD` by default.
    date: Option<DateForm>,
    /// Whether blanks around a cell are no part of it; false by default.
    trim: Option<bool>,
    /// Words for true, whatever their case.
    yes: Option<Vec<String>>,
    /// Words for false, whatever their case.
    no: Option<Vec<String>>,
    /// Words that mean the same as an empty cell, whatever their case.
    missing: Option<Vec<String>>,
}

/// How the cells of one column are written.
#[derive(Debug, Clone)]
pub(super) struct Habits {
    decimal: char,
    thousands: Vec<char>,
    /// Longest first: `EUR` is not `E` with a rest.
    signs: Vec<String>,
    date: Option<DateForm>,
    trim: bool,
    yes: Vec<String>,
    no: Vec<String>,
    missing: Vec<String>,
}

impl Default for Habits {
    fn default() -> Self {
        let none = Vec::new;
        let (date, trim) = (None, false);
        Self { decimal: '.', thousands: vec![], signs: none(), date, trim, yes: none(), no: none(), missing: none() }
    }
}

/// A number in its plain form.
#[derive(Debug)]
pub(super) struct Plain<'c> {
    /// As `-1234.5`, or as it stands there where nothing is said of numbers.
    pub(super) number: Cow<'c, str>,
    /// The sign of a currency that stood at it, as the mapping has it.
    pub(super) sign: Option<&'c str>,
}

impl Written {
    /// Between whole and fraction.
    pub(super) fn decimal(&self) -> char {
        self.decimal.unwrap_or('.')
    }

    /// The habits of a column of this file.
    ///
    /// # Errors
    /// What contradicts itself, in words.
    pub(super) fn habits(&self, column: &Self) -> Result<Habits, String> {
        let words = |column: &Option<Vec<String>>, file: &Option<Vec<String>>| -> Vec<String> {
            column.as_ref().or(file.as_ref()).into_iter().flatten().map(|word| word.trim().to_lowercase()).collect()
        };
        let mut signs = column.currency_signs.clone().or_else(|| self.currency_signs.clone()).unwrap_or_default();
        signs.sort_by_key(|sign| std::cmp::Reverse(sign.len()));
        let thousands = column.thousands.as_ref().or(self.thousands.as_ref());
        let habits = Habits {
            decimal: column.decimal.unwrap_or(self.decimal()),
            thousands: thousands.map(|text| text.chars().collect()).unwrap_or_default(),
            signs,
            date: column.date.clone().or_else(|| self.date.clone()),
            trim: column.trim.or(self.trim).unwrap_or_default(),
            yes: words(&column.yes, &self.yes),
            no: words(&column.no, &self.no),
            missing: words(&column.missing, &self.missing),
        };
        habits.checked()
    }

    /// Whether blanks around the names of the columns are no part of them.
    pub(super) fn trims(&self) -> bool {
        self.trim.unwrap_or_default()
    }
}

impl Habits {
    fn checked(self) -> Result<Self, String> {
        let is_of_a_number = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '(' | ')');
        for separator in self.thousands.iter().chain([&self.decimal]) {
            if separator.is_alphanumeric() || is_of_a_number(*separator) {
                return Err(format!("{separator:?} cannot stand between digits"));
            }
        }
        if self.thousands.contains(&self.decimal) {
            return Err(format!("{:?} is said to be the decimal and to stand between thousands", self.decimal));
        }
        let is_no_sign = |sign: &&String| sign.trim().is_empty() || sign.contains(is_of_a_number);
        if let Some(sign) = self.signs.iter().find(is_no_sign) {
            return Err(format!("{sign:?} is no sign of a currency"));
        }
        match self.yes.iter().find(|word| self.no.contains(word)) {
            Some(word) => Err(format!("{word:?} is said to mean yes and no")),
            None => Ok(self),
        }
    }

    /// The cell without what its column says is no part of it; empty where it holds a word for nothing.
    pub(super) fn bare<'c>(&self, cell: &'c str) -> &'c str {
        let cell = if self.trim { cell.trim() } else { cell };
        if self.missing.is_empty() || !self.missing.contains(&cell.trim().to_lowercase()) { cell } else { "" }
    }

    /// The number in its plain form; none where it is not written as its column says.
    pub(super) fn plain_number<'c>(&'c self, cell: &'c str) -> Option<Plain<'c>> {
        if self.decimal == '.' && self.thousands.is_empty() && self.signs.is_empty() {
            return Some(Plain { number: Cow::Borrowed(cell), sign: None });
        }
        let Bare { is_negative, sign, digits } = self.unsigned(cell)?;
        let (whole, fraction) = digits.split_once(self.decimal).unwrap_or((digits, ""));
        // `12,-` is twelve.
        let fraction = if matches!(fraction, "-" | "--" | "–" | "—") { "" } else { fraction };
        if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (minus, point) = (if is_negative { "-" } else { "" }, if fraction.is_empty() { "" } else { "." });
        let number = Cow::Owned(format!("{minus}{}{point}{fraction}", self.joined(whole)?));
        Some(Plain { number, sign })
    }

    /// Why a cell is no number as its column says numbers are written. Never shows the cell.
    pub(super) fn why_not(&self, cell: &str) -> &'static str {
        let digits = self.unsigned(cell).map_or(cell.trim(), |bare| bare.digits);
        if !digits.contains(|c: char| c.is_ascii_digit()) {
            return "no number";
        }
        if signs::is_at(digits) {
            return "a sign that currency_signs does not list";
        }
        let is_of_a_number = |c: char| c.is_ascii_digit() || ".,'\u{2019}".contains(c) || c.is_whitespace();
        if !digits.chars().all(|c| is_of_a_number(c) || c == self.decimal || self.thousands.contains(&c)) {
            return "no number";
        }
        let (point, comma) = (digits.contains('.'), digits.contains(','));
        let is_twice = digits.matches(self.decimal).count() > 1;
        match self.decimal {
            ',' if is_twice => "the decimal comma stands there twice",
            '.' if is_twice => "the decimal point stands there twice",
            _ if point && self.thousands.contains(&'.') => "the point stands where the mapping says thousands",
            _ if comma && self.thousands.contains(&',') => "the comma stands where the mapping says thousands",
            ',' if point => "the point stands there, and the mapping gives it no meaning",
            '.' if comma => "the comma stands there, and the mapping gives it no meaning",
            _ => "digits are grouped otherwise than the mapping says",
        }
    }

    /// Without sign, currency and blanks around: `-1`, `1-`, `(1)`, `- € 1`, `€ -1`.
    fn unsigned<'c>(&'c self, cell: &'c str) -> Option<Bare<'c>> {
        let mut rest = cell.trim();
        let mut sign = None;
        let mut currency = None;
        if let Some(within) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            (sign, rest) = (Some(true), within);
        }
        loop {
            rest = rest.trim();
            let (bare, found) = if let Some(bare) = rest.strip_prefix(['-', '−']) {
                (bare, Some(true))
            } else if let Some(bare) = rest.strip_prefix('+') {
                (bare, Some(false))
            } else if let Some(bare) =
                rest.strip_suffix(['-', '−']).filter(|bare| bare.ends_with(|c: char| c.is_ascii_digit()))
            {
                (bare, Some(true))
            } else if let Some((bare, known)) =
                self.signs.iter().find_map(|sign| Some((without(rest, sign)?, sign.as_str())))
            {
                if currency.replace(known).is_some() {
                    return None;
                }
                (bare, None)
            } else {
                return Some(Bare { is_negative: sign.unwrap_or_default(), sign: currency, digits: rest });
            };
            if found.is_some() && std::mem::replace(&mut sign, found).is_some() {
                return None;
            }
            rest = bare;
        }
    }

    /// Digits without what stands between thousands: one kind of separator, and three digits behind each.
    fn joined(&self, whole: &str) -> Option<String> {
        let is_separator = |c: char| self.thousands.iter().any(|known| is_same(*known, c));
        let mut groups = whole.split(is_separator);
        let first = groups.next()?;
        let mut joined = first.to_owned();
        let mut is_grouped = false;
        for group in groups {
            if group.len() != 3 {
                return None;
            }
            is_grouped = true;
            joined.push_str(group);
        }
        let mut separators = whole.chars().filter(|c| is_separator(*c));
        let of_one_kind = separators.next().is_none_or(|first| separators.all(|other| other == first));
        let begins_well = if is_grouped { (1..=3).contains(&first.len()) } else { !first.is_empty() };
        let is_number = joined.bytes().all(|byte| byte.is_ascii_digit());
        (of_one_kind && begins_well && is_number).then_some(joined)
    }

    /// What a word of a language says.
    pub(super) fn truth(&self, cell: &str) -> Option<bool> {
        if self.yes.is_empty() && self.no.is_empty() {
            return None;
        }
        let word = cell.trim().to_lowercase();
        if self.yes.contains(&word) { Some(true) } else { self.no.contains(&word).then_some(false) }
    }

    /// How dates are written, where it is said.
    pub(super) fn date(&self) -> Option<&DateForm> {
        self.date.as_ref()
    }
}

/// Digits with what stands between them, and what stood around.
struct Bare<'c> {
    is_negative: bool,
    sign: Option<&'c str>,
    digits: &'c str,
}

/// A space stands for the no-break spaces too, and a straight apostrophe for the typographer's.
fn is_same(said: char, found: char) -> bool {
    said == found
        || (said == ' ' && matches!(found, '\u{a0}' | '\u{202f}' | '\u{2009}'))
        || (said == '\'' && found == '\u{2019}')
}

/// Without a sign of a currency at either end, whatever its case.
fn without<'t>(text: &'t str, sign: &str) -> Option<&'t str> {
    let is_sign = |part: &str| part.to_lowercase() == sign.to_lowercase();
    if text.get(..sign.len()).is_some_and(is_sign) {
        return Some(&text[sign.len()..]);
    }
    let from = text.len().checked_sub(sign.len())?;
    text.get(from..).is_some_and(is_sign).then(|| &text[..from])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn habits(text: &str) -> Result<Habits, String> {
        toml::from_str::<Written>(text).unwrap().habits(&Written::default())
    }

    #[test]
    fn numbers_of_many_countries_become_plain() {
        let german = "decimal = ','\nthousands = \".' \"\ncurrency_signs = ['€', 'EUR']";
        let english = "thousands = ','\ncurrency_signs = ['$', 'US$']";
        let rows = [
            (german, "1.234.567,80", Some("1234567.80")),
            (german, "1234,5", Some("1234.5")),
            (german, "0,5", Some("0.5")),
            (german, "€ 1.234", Some("1234")),
            (german, "1\u{a0}234,00\u{a0}€", Some("1234.00")),
            (german, "1\u{202f}234 eur", Some("1234")),
            (german, "1\u{2019}234,5", Some("1234.5")),
            (german, "-€ 12,50", Some("-12.50")),
            (german, "EUR -12,50", Some("-12.50")),
            (german, "\u{2212}12", Some("-12")),
            (german, "12,50-", Some("-12.50")),
            (german, "(1.000)", Some("-1000")),
            (german, "12,- €", Some("12")),
            (english, "$1,234.50", Some("1234.50")),
            (english, "US$ 1,234,567", Some("1234567")),
            // Not as the file says: never guessed at.
            (german, "1.50", None),
            (german, "1.2345,00", None),
            (german, ".123", None),
            (german, "1234.567", None),
            (german, "1.234 567", None),
            (german, "1,5,0", None),
            (german, "1,234.50", None),
            (german, ",5", None),
            (german, "--1", None),
            (german, "-(1)", None),
            (german, "€ 1 €", None),
            (german, "$ 1", None),
            (german, "1e3", None),
            (german, "", None),
            (english, "1,23", None),
            (english, "1.234,50", None),
        ];
        for (text, cell, expected) in rows {
            let habits = habits(text).unwrap();
            let plain = habits.plain_number(cell).map(|plain| plain.number);
            assert_eq!(plain.as_deref(), expected, "{cell:?}");
        }
        let nothing_said = Habits::default();
        let plain = nothing_said.plain_number("1e3").map(|plain| plain.number);
        assert_eq!(plain.as_deref(), Some("1e3"), "as before, where nothing is said");
    }

    #[test]
    fn words_are_of_the_language_that_the_mapping_says() {
        let habits = habits("trim = true\nyes = ['ja', 'oui', 'да']\nno = ['nein']\nmissing = ['k.A.', '-']").unwrap();
        let rows = [(" JA ", Some(true)), ("Да", Some(true)), ("nein", Some(false)), ("no", None), ("", None)];
        for (cell, expected) in rows {
            assert_eq!(habits.truth(cell), expected, "{cell}");
        }
        assert_eq!((habits.bare(" K.a.\u{a0}"), habits.bare("-"), habits.bare(" a b ")), ("", "", "a b"));
        assert_eq!(Habits::default().bare(" a "), " a ", "as before, where nothing is said");
    }

    #[test]
    fn what_contradicts_itself_is_said() {
        let rows = [
            ("decimal = ','\nthousands = ','", "decimal"),
            ("thousands = '1'", "between digits"),
            ("decimal = '-'", "between digits"),
            ("currency_signs = ['']", "no sign"),
            ("yes = ['Ja']\nno = ['ja']", "yes and no"),
        ];
        for (text, word) in rows {
            let why = habits(text).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
        }
    }
}
