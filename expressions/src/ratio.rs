//! PURE. What debts and incomes come to in a month, and their ratio. Refuses rather than guesses: an amount in another currency, a
//! debt without a payment, or incomes before and after taxes beside each other leave the ratio unknown.

/// Months of a year, and weeks of one.
const MONTHS: f64 = 12.0;
const WEEKS: f64 = 52.0;

/// An amount that comes or goes again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow<'a> {
    /// Minor units.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: &'a str,
    /// `week`, `month` or `year`.
    pub period: &'a str,
}

impl Flow<'_> {
    /// Minor units a month; `None` in another currency or period than are known.
    pub fn monthly_minor(self, currency: &str) -> Option<f64> {
        let amount = self.amount_minor as f64;
        match self.period {
            _ if self.currency != currency => None,
            "week" => Some(amount * WEEKS / MONTHS),
            "month" => Some(amount),
            "year" => Some(amount / MONTHS),
            _ => None,
        }
    }
}

/// Monthly payments of all debts by monthly incomes, both in `currency`. Each debt is its payment, `None` where it has none or no
/// period; each income stands with its basis, `gross` or `net`.
///
/// `None` where a payment is not known, an amount is in another currency, the incomes are of more than one basis, or there is no
/// income above zero. No debts at all are a ratio of 0: who asks has to know that they were asked for.
pub fn debt_to_income<'a>(
    debts: impl Iterator<Item = Option<Flow<'a>>>,
    incomes: impl Iterator<Item = (Flow<'a>, &'a str)>,
    currency: &str,
) -> Option<f64> {
    let mut owed = 0.0;
    for debt in debts {
        owed += debt?.monthly_minor(currency)?;
    }
    let (mut earned, mut of) = (0.0, None);
    for (income, basis) in incomes {
        if *of.get_or_insert(basis) != basis {
            return None;
        }
        earned += income.monthly_minor(currency)?;
    }
    (earned > 0.0).then(|| owed / earned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(amount_minor: i64, currency: &'static str, period: &'static str) -> Flow<'static> {
        Flow { amount_minor, currency, period }
    }

    #[test]
    fn amounts_become_monthly_in_one_currency() {
        for (found, expected) in [
            (flow(1_200, "USD", "month"), Some(1_200.0)),
            (flow(1_200, "USD", "year"), Some(100.0)),
            (flow(300, "USD", "week"), Some(1_300.0)),
            (flow(1_200, "EUR", "month"), None),
            (flow(1_200, "USD", "fortnight"), None),
        ] {
            assert_eq!(found.monthly_minor("USD"), expected, "{found:?}");
        }
    }

    #[test]
    fn the_ratio_is_known_or_nothing_is_said() {
        let (pay, salary) = (flow(500, "USD", "month"), flow(24_000, "USD", "year"));
        let rows: [(&[Option<Flow<'_>>], &[(Flow<'_>, &str)], Option<f64>); 9] = [
            (&[Some(pay)], &[(salary, "gross")], Some(0.25)),
            (&[Some(pay), Some(pay)], &[(salary, "gross"), (salary, "gross")], Some(0.25)),
            (&[], &[(salary, "net")], Some(0.0)),
            (&[Some(pay), None], &[(salary, "gross")], None),
            (&[Some(pay)], &[], None),
            (&[], &[], None),
            (&[Some(pay)], &[(salary, "gross"), (salary, "net")], None),
            (&[Some(flow(5, "EUR", "month"))], &[(salary, "gross")], None),
            (&[Some(pay)], &[(flow(0, "USD", "month"), "gross")], None),
        ];
        for (debts, incomes, expected) in rows {
            let found = debt_to_income(debts.iter().copied(), incomes.iter().copied(), "USD");
            assert_eq!(found, expected, "{debts:?} {incomes:?}");
        }
    }
}
