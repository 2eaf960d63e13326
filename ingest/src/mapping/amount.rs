//! Numbers and amounts of their plain form, exactly. Pure.

use serde_json::{Number, Value};

/// A finite number.
pub(super) fn number(cell: &str) -> Option<Value> {
    let parsed: f64 = cell.parse().ok()?;
    Number::from_f64(parsed).map(Value::Number)
}

/// Major units to minor ones, exactly; a fraction of a minor unit is refused.
pub(super) fn minor_units(cell: &str, exponent: u32) -> Option<i64> {
    let (sign, digits) = cell.strip_prefix('-').map_or((1, cell), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let all_digits = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    let missing = exponent.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    if whole.is_empty() || !all_digits {
        return None;
    }
    let units: i64 = format!("{whole}{fraction}").parse().ok()?;
    units.checked_mul(10i64.checked_pow(missing)?)?.checked_mul(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_units_are_exact() {
        let rows = [
            ("0", 2, Some(0)),
            ("-165580", 2, Some(-16_558_000)),
            ("12.50", 1, Some(125)),
            ("12.55", 1, None),
            ("7", 0, Some(7)),
            ("7.0", 0, Some(7)),
            (".5", 2, None),
            ("1e3", 2, None),
            ("99999999999999999999", 2, None),
        ];
        for (cell, exponent, expected) in rows {
            assert_eq!(minor_units(cell, exponent), expected, "{cell}");
        }
    }
}
