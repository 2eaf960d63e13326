//! Money in minor units with its ISO 4217 currency. Never a float, never two currencies in one sum.

use std::cmp::Ordering;
use std::fmt;

/// The largest amount: every JSON reader keeps integers up to 2^53−1 exact.
pub const MAX_MINOR: i64 = (1 << 53) - 1;

/// Active ISO 4217 codes, three letters each.
const CURRENCIES: &str = "AEDAFNALLAMDAOAARSAUDAWGAZNBAMBBDBDTBHDBIFBMDBNDBOBBRLBSDBTNBWPBYNBZDCADCDFCHFCLPCNYCOPCRCCUPCVECZKDJFDKKDOPDZDEGPERNETBEURFJDFKPGBPGELGHSGIPGMDGNFGTQGYDHKDHNLHTGHUFIDRILSINRIQDIRRISKJMDJODJPYKESKGSKHRKMFKPWKRWKWDKYDKZTLAKLBPLKRLRDLSLLYDMADMDLMGAMKDMMKMNTMOPMRUMURMVRMWKMXNMYRMZNNADNGNNIONOKNPRNZDOMRPABPENPGKPHPPKRPLNPYGQARRONRSDRUBRWFSARSBDSCRSDGSEKSGDSHPSLESOSSRDSSPSTNSVCSYPSZLTHBTJSTMTTNDTOPTRYTTDTWDTZSUAHUGXUSDUYUUZSVEDVESVNDVUVWSTXAFXCDXCGXOFXPFYERZARZMWZWGDEM";

/// An ISO 4217 currency, three capital letters. `DEM` is kept: historic portfolios are scored too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

/// Why an amount or currency is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMoney {
    /// Not in ISO 4217.
    #[error("{0:?} is not an ISO 4217 currency code in capitals")]
    UnknownCurrency(String),
    /// Beyond ±(2^53−1).
    #[error("amount_minor {0} is beyond ±(2^53−1)")]
    TooLarge(i64),
}

impl Currency {
    /// Looks a code up.
    ///
    /// # Errors
    /// [`BadMoney::UnknownCurrency`].
    pub fn parse(code: &str) -> Result<Self, BadMoney> {
        let unknown = || BadMoney::UnknownCurrency(code.chars().take(8).collect());
        let letters: [u8; 3] = code.as_bytes().try_into().map_err(|_| unknown())?;
        Self(letters).entry().map(|_| Self(letters)).ok_or_else(unknown)
    }

    /// The three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    fn entry(self) -> Option<&'static [u8]> {
        CURRENCIES.as_bytes().chunks_exact(3).find(|entry| **entry == self.0)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    amount_minor: i64,
    currency: Currency,
}

impl Money {
    /// Joins an amount and its currency.
    ///
    /// # Errors
    /// [`BadMoney::TooLarge`] beyond ±(2^53−1).
    pub fn new(amount_minor: i64, currency: Currency) -> Result<Self, BadMoney> {
        if amount_minor.unsigned_abs() > MAX_MINOR as u64 {
            return Err(BadMoney::TooLarge(amount_minor));
        }
        Ok(Self { amount_minor, currency })
    }

    /// Minor units.
    pub fn amount_minor(&self) -> i64 {
        self.amount_minor
    }

    /// Its currency.
    pub fn currency(&self) -> Currency {
        self.currency
    }
}

/// Amounts of one currency have an order; those of two have none.
impl PartialOrd for Money {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.currency == other.currency).then(|| self.amount_minor.cmp(&other.amount_minor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_are_those_of_the_standard() {
        assert_eq!(CURRENCIES.len() % 3, 0);
        for code in ["USD", "JPY", "KWD", "TWD", "DEM"] {
            assert_eq!(Currency::parse(code).map(|currency| currency.to_string()), Ok(code.to_owned()));
        }
        for bad in ["usd", "US", "USDX", "XXX", "SD2", ""] {
            assert!(Currency::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_amounts_of_one_currency_have_an_order() {
        let money = |amount, code| Money::new(amount, Currency(code));
        let rows = [
            (money(1, *b"USD"), money(2, *b"USD"), Some(Ordering::Less)),
            (money(2, *b"USD"), money(2, *b"USD"), Some(Ordering::Equal)),
            (money(3, *b"USD"), money(-2, *b"USD"), Some(Ordering::Greater)),
            (money(1, *b"USD"), money(2, *b"EUR"), None),
            (money(2, *b"USD"), money(2, *b"EUR"), None),
        ];
        for (left, right, expected) in rows {
            assert_eq!(left.ok().zip(right.ok()).and_then(|(left, right)| left.partial_cmp(&right)), expected);
        }
    }

    #[test]
    fn amounts_stay_exact_in_json() {
        let usd = Currency(*b"USD");
        assert!(Money::new(MAX_MINOR, usd).is_ok());
        assert_eq!(Money::new(MAX_MINOR + 1, usd), Err(BadMoney::TooLarge(MAX_MINOR + 1)));
        assert!(Money::new(i64::MIN, usd).is_err());
    }
    #[test]
    fn the_edges_of_an_amount() {
        let rows = [
            (0, true),
            (-1, true),
            (MAX_MINOR, true),
            (-MAX_MINOR, true),
            (MAX_MINOR + 1, false),
            (-MAX_MINOR - 1, false),
            (i64::MIN, false),
        ];
        for (amount, is_taken) in rows {
            let money = Money::new(amount, Currency(*b"USD"));
            let expected = if is_taken { Ok(amount) } else { Err(BadMoney::TooLarge(amount)) };
            assert_eq!(money.map(|money| money.amount_minor()), expected, "{amount}");
        }
    }

    #[test]
    fn what_is_told_of_a_code_is_short() {
        let told = Currency::parse("dollars and cents").map_err(|error| error.to_string());
        assert_eq!(told, Err("\"dollars \" is not an ISO 4217 currency code in capitals".to_owned()));
    }
}
