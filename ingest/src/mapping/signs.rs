//! Signs of currencies, and what they stand for. Pure.

use domain::Currency;

/// Each with the codes that it may stand for, first the one that it most often does. A sign that ends as another does stands before it.
pub(crate) const SIGNS: [(&str, &[&str]); 29] = [
    ("€", &["EUR"]),
    ("US$", &["USD"]),
    ("NT$", &["TWD"]),
    ("R$", &["BRL"]),
    (
        "$",
        &[
            "USD", "AUD", "CAD", "NZD", "SGD", "HKD", "TWD", "MXN", "ARS", "CLP", "COP", "BRL", "UYU", "BBD", "JMD",
            "TTD",
        ],
    ),
    ("£", &["GBP", "EGP", "GIP", "LBP", "SHP", "FKP"]),
    ("¥", &["JPY", "CNY"]),
    ("₺", &["TRY"]),
    ("₽", &["RUB"]),
    ("₴", &["UAH"]),
    ("₹", &["INR"]),
    ("₩", &["KRW"]),
    ("zł", &["PLN"]),
    ("Kč", &["CZK"]),
    ("Ft", &["HUF"]),
    ("kr.", &["DKK", "SEK", "NOK", "ISK"]),
    ("kr", &["SEK", "NOK", "DKK", "ISK"]),
    ("SFr.", &["CHF"]),
    ("Fr.", &["CHF"]),
    ("DM", &["DEM"]),
    ("EUR", &["EUR"]),
    ("USD", &["USD"]),
    ("GBP", &["GBP"]),
    ("CHF", &["CHF"]),
    ("SEK", &["SEK"]),
    ("PLN", &["PLN"]),
    ("CZK", &["CZK"]),
    ("DEM", &["DEM"]),
    ("TWD", &["TWD"]),
];

/// Whether a sign may stand for a currency, whatever its case. One that nobody knows stands for whatever its mapping says.
pub(super) fn may_be(sign: &str, currency: &str) -> bool {
    let sign = sign.trim();
    let is = |known: &str| known.to_lowercase() == sign.to_lowercase();
    match SIGNS.iter().find(|(known, _)| is(known)) {
        Some((_, codes)) => codes.contains(&currency),
        None => Currency::parse(&sign.to_uppercase()).is_err() || is(currency),
    }
}

/// Whether a text begins or ends as a sign that is known, such as `$ 12`.
pub(super) fn is_at(text: &str) -> bool {
    let text = text.trim();
    SIGNS.iter().any(|(sign, _)| text.starts_with(sign) || text.ends_with(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_stands_for_what_people_write_it_for() {
        let rows = [
            ("€", "EUR", true),
            ("€", "DEM", false),
            ("eur", "EUR", true),
            ("EUR", "DEM", false),
            ("DM", "DEM", true),
            ("$", "USD", true),
            ("$", "TWD", true),
            ("$", "EUR", false),
            ("US$", "TWD", false),
            ("NOK", "NOK", true),
            ("NOK", "SEK", false),
            (" kr ", "NOK", true),
            // Known to nobody but the author of the mapping.
            ("Taler", "DEM", true),
        ];
        for (sign, currency, expected) in rows {
            assert_eq!(may_be(sign, currency), expected, "{sign} {currency}");
        }
    }

    #[test]
    fn every_code_is_one_and_the_longer_sign_stands_first() {
        for (at, (sign, codes)) in SIGNS.iter().enumerate() {
            assert!(!codes.is_empty() && codes.iter().all(|code| Currency::parse(code).is_ok()), "{sign}");
            let hides = |(other, _): &(&str, &[&str])| sign.ends_with(other) || sign.starts_with(other);
            assert!(!SIGNS[..at].iter().any(hides), "{sign}");
        }
        assert!(is_at("$ 12") && is_at("12 zł") && !is_at("12"));
    }
}
