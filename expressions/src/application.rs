//! The names of an application, the same in policies, routes and feature contracts, with their types. Whoever publishes fewer
//! names to its authors declares a vocabulary of fewer.

use crate::sizes::Container;
use crate::vocabulary::{Kind, Name, Shape, Type};

const BOOL: Type = Type::Known(Kind::Bool);
const INT: Type = Type::Known(Kind::Int);
const DOUBLE: Type = Type::Known(Kind::Double);
const TEXT: Type = Type::Known(Kind::Text);

/// What is asked for.
pub const REQUEST: &[Name] = &[
    ("product", TEXT),
    ("intent", TEXT),
    ("request_type", TEXT),
    ("channel", TEXT),
    ("jurisdiction", TEXT),
    ("amount_minor", INT),
    ("currency", TEXT),
    ("term_months", INT),
    ("purpose", TEXT),
];

/// Who applies: the primary's facts, all parties, and what they owe and earn together.
pub const PARTIES: &[Name] = &[
    ("facts", Type::Map(&FACTS)),
    ("parties", Type::List(&PARTY)),
    ("co_applicants", Type::List(&PARTY)),
    ("guarantors", Type::List(&PARTY)),
    ("incomes", Type::List(&INCOME)),
    ("debts", Type::List(&DEBT)),
    ("debt_to_income", DOUBLE),
];

/// The groups of facts; each is always there as a map, empty where nothing is known.
pub const GROUPS: [&str; 5] = ["employment", "housing", "accounts", "obligations", "assets"];

/// The facts that are lists of maps, always there.
pub const LISTS: [&str; 2] = ["income", "debts"];

/// Facts of one party.
pub(crate) static FACTS: Shape = Shape::Named(&[
    ("of_legal_age", BOOL),
    ("telephone", BOOL),
    ("dependants", INT),
    ("dependants_band", TEXT),
    ("employment", Type::Map(&EMPLOYMENT)),
    ("housing", Type::Map(&HOUSING)),
    ("accounts", Type::Map(&ACCOUNTS)),
    ("obligations", Type::Map(&OBLIGATIONS)),
    ("assets", Type::Map(&ASSETS)),
    ("income", Type::List(&Shape::Open)),
    ("debts", Type::List(&Shape::Open)),
]);

static EMPLOYMENT: Shape =
    Shape::Named(&[("status", TEXT), ("tenure_months", INT), ("tenure_band", TEXT), ("occupation", TEXT)]);

static HOUSING: Shape = Shape::Named(&[("status", TEXT), ("residence_months", INT), ("residence_band", TEXT)]);

static ACCOUNTS: Shape = Shape::Named(&[("checking_band", TEXT), ("savings_band", TEXT)]);

static OBLIGATIONS: Shape = Shape::Named(&[
    ("credit_history", TEXT),
    ("instalment_rate_band", TEXT),
    ("other_instalment_plans", TEXT),
    ("existing_credits_band", TEXT),
    ("other_debtors", TEXT),
]);

static ASSETS: Shape = Shape::Named(&[("most_valuable", TEXT)]);

/// A party: `primary`, `co_applicant` or `guarantor`.
pub(crate) static PARTY: Shape = Shape::Named(&[("role", TEXT), ("kind", TEXT), ("facts", Type::Map(&FACTS))]);

static MONEY: Shape = Shape::Named(&[("amount_minor", INT), ("currency", TEXT)]);

/// An income of any party. `monthly_minor` is there where the amount is in the currency of the request.
pub(crate) static INCOME: Shape = Shape::Named(&[
    ("role", TEXT),
    ("amount", Type::Map(&MONEY)),
    ("period", TEXT),
    ("basis", TEXT),
    ("evidence", TEXT),
    ("monthly_minor", DOUBLE),
]);

/// A debt of any party. `monthly_minor` is its payment, where that is known and in the currency of the request.
pub(crate) static DEBT: Shape = Shape::Named(&[
    ("role", TEXT),
    ("kind", TEXT),
    ("balance", Type::Map(&MONEY)),
    ("payment", Type::Map(&MONEY)),
    ("period", TEXT),
    ("evidence", TEXT),
    ("monthly_minor", DOUBLE),
]);

/// How large the lists of all parties are at most, by the bounds of the contract: 16 parties. Their debts and incomes together are
/// held to what one party may have, and to `SLACK` times that where there are more.
pub const LISTS_OF_ALL: [Container; 5] = [
    Container { name: "parties", len: 16, item: 2_048, weight: 16_384 },
    Container { name: "co_applicants", len: 16, item: 2_048, weight: 16_384 },
    Container { name: "guarantors", len: 16, item: 2_048, weight: 16_384 },
    Container { name: "incomes", len: 64, item: 32, weight: 2_048 },
    Container { name: "/debts", len: 256, item: 32, weight: 8_192 },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'s>(shape: &'s Shape, name: &str) -> Option<&'s Type> {
        let Shape::Named(names) = shape else { return None };
        names.iter().find(|(known, _)| *known == name).map(|(_, of)| of)
    }

    #[test]
    fn groups_and_lists_of_facts_are_among_them() {
        for group in GROUPS {
            assert!(matches!(of(&FACTS, group), Some(Type::Map(Shape::Named(_)))), "{group}");
        }
        for list in LISTS {
            assert!(matches!(of(&FACTS, list), Some(Type::List(_))), "{list}");
        }
    }

    #[test]
    fn nothing_of_who_somebody_is_has_a_name() {
        let words = ["identity", "protected", "customer_ref", "subject", "sex", "age", "name"];
        for shape in [&FACTS, &PARTY, &INCOME, &DEBT] {
            assert!(words.iter().all(|word| of(shape, word).is_none()));
        }
    }
}
