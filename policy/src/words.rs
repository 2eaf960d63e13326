//! The closed words behind the names of the language, the bounds of its numbers, and which of them may be absent: as the contract says
//! (`schemas/json/common.v1.json`).

use crate::models::Routed;
use domain::facts::*;
use domain::money::MAX_MINOR;
use domain::{ApplicantKind, Intent, ReportStatus, RequestType, Role, Worded};

fn all<T: Worded>() -> Vec<&'static str> {
    T::ALL.iter().map(|word| word.as_str()).collect()
}

/// Lists of all parties.
const OF_ALL: [&str; 5] = ["parties", "co_applicants", "guarantors", "incomes", "debts"];

/// The name of a fact, whoever's it is: `co_applicants[].facts.dependants` is `facts.dependants`.
fn plain(name: &str) -> &str {
    match name.split_once("[].facts.") {
        Some((_, rest)) => &name[name.len() - rest.len() - "facts.".len()..],
        None => name,
    }
}

/// The words that a name may have; none where its texts are free.
pub(crate) fn words(name: &str) -> Option<Vec<&'static str>> {
    let name = plain(name);
    let of_list = |list: &str, member: &str| {
        name == format!("{list}[].{member}") || name == format!("facts.{list}[].{member}") || {
            list == "incomes" && name == format!("facts.income[].{member}")
        }
    };
    Some(match name {
        "intent" => all::<Intent>(),
        "request_type" => all::<RequestType>(),
        "facts.dependants_band" => all::<DependantsBand>(),
        "facts.employment.status" => all::<EmploymentStatus>(),
        "facts.employment.tenure_band" => all::<TenureBand>(),
        "facts.employment.occupation" => all::<Occupation>(),
        "facts.housing.status" => all::<HousingStatus>(),
        "facts.housing.residence_band" => all::<ResidenceBand>(),
        "facts.accounts.checking_band" => all::<CheckingBand>(),
        "facts.accounts.savings_band" => all::<SavingsBand>(),
        "facts.obligations.credit_history" => all::<CreditHistory>(),
        "facts.obligations.instalment_rate_band" => all::<InstalmentRateBand>(),
        "facts.obligations.other_instalment_plans" => all::<OtherInstalmentPlans>(),
        "facts.obligations.existing_credits_band" => all::<ExistingCreditsBand>(),
        "facts.obligations.other_debtors" => all::<OtherDebtors>(),
        "facts.assets.most_valuable" => all::<MostValuable>(),
        "reports[].status" => all::<ReportStatus>(),
        name if name.ends_with("[].role") => all::<Role>(),
        "parties[].kind" | "co_applicants[].kind" | "guarantors[].kind" => all::<ApplicantKind>(),
        _ if of_list("incomes", "period") || of_list("debts", "period") => all::<Period>(),
        _ if of_list("incomes", "basis") => all::<IncomeBasis>(),
        _ if of_list("incomes", "evidence") || of_list("debts", "evidence") => all::<Evidence>(),
        _ => return None,
    })
}

/// Whether a name is a code of a currency.
pub(crate) fn is_currency(name: &str) -> bool {
    name == "currency" || name.ends_with(".currency")
}

/// Lowest and highest value of a number, and whether it is whole; none where nothing bounds it.
pub(crate) fn range(name: &str) -> Option<(f64, f64, bool)> {
    Some(match name {
        "amount_minor" => (0.0, MAX_MINOR as f64, true),
        "term_months" => (1.0, 600.0, true),
        "pd" => (0.0, 1.0, false),
        "class" => (0.0, 1.0, true),
        "debt_to_income" => (0.0, f64::MAX, false),
        "facts.dependants" => (0.0, 100.0, true),
        "facts.employment.tenure_months" | "facts.housing.residence_months" => (0.0, f64::from(u32::MAX), true),
        _ => return None,
    })
}

/// Whether a name is of all parties, and so absent from an application of several whose event does not carry the others.
pub(crate) fn is_of_all(name: &str) -> bool {
    let top = name.split(['.', '[']).next().unwrap_or_default();
    OF_ALL.contains(&top) || top == "debt_to_income"
}

/// Whether a name may be absent from an application that has a score; features are the models' affair.
pub(crate) fn may_be_absent(name: &str, routed: Option<&Routed>) -> bool {
    let name = plain(name);
    let in_element = ["monthly_minor", "balance", "payment"];
    match name {
        "term_months" | "purpose" | "debt_to_income" => true,
        name if OF_ALL.contains(&name) => routed.is_none_or(|routed| !routed.without_parties.is_empty()),
        name if name.contains("[]") && !name.starts_with("facts.") || name.starts_with("facts.debts[]") => {
            name.split('.').any(|part| in_element.contains(&part)) || name.ends_with("debts[].period")
        }
        // An element that is named by its number.
        name if name.contains('[') && !name.contains("[]") => true,
        name => name.starts_with("facts.") && !name.starts_with("facts.income") && !name.starts_with("facts.debts"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::VOCABULARY;
    use expressions::vocabulary::Kind;

    /// Texts that are not of a closed list.
    const FREE: [&str; 6] = ["product", "channel", "jurisdiction", "currency", "purpose", "band"];

    #[test]
    fn every_text_of_the_language_has_its_words_or_is_free() {
        for (name, kind) in VOCABULARY.values() {
            let is_closed = words(&name).is_some();
            assert_eq!(is_closed, kind == Kind::Text && !FREE.contains(&name.as_str()), "{name}");
        }
        for name in
            ["co_applicants[].facts.employment.status", "debts[].period", "facts.income[].basis", "parties[].role"]
        {
            assert!(words(name).is_some_and(|words| !words.is_empty()), "{name}");
        }
        assert!(words("debts[].kind").is_none() && is_currency("debts[].payment.currency") && !is_currency("kind"));
    }

    #[test]
    fn what_may_be_absent_is_what_the_contract_does_not_require() {
        let rows = [
            ("term_months", true),
            ("amount_minor", false),
            ("facts.of_legal_age", true),
            ("facts.employment.status", true),
            ("facts.debts", false),
            ("facts.debts[].kind", false),
            ("facts.debts[].payment.amount_minor", true),
            ("debts[].monthly_minor", true),
            ("debts[].period", true),
            ("incomes[].period", false),
            ("co_applicants[].facts.dependants", true),
            ("reports", false),
            ("reports[].status", false),
            ("reports[0].status", true),
            ("debts", true),
            ("score", false),
        ];
        for (name, expected) in rows {
            assert_eq!(may_be_absent(name, None), expected, "{name}");
        }
        let routed = Routed { product: "card".into(), without_parties: Vec::new(), packages: Vec::new() };
        assert!(!may_be_absent("debts", Some(&routed)) && may_be_absent("debt_to_income", Some(&routed)));
    }
}
