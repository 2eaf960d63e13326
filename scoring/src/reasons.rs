//! Candidate reasons: what counted against an applicant, as codes, strongest first. Whether and how they are told is policy.

use crate::contract::{Contract, Feature};
use crate::explain::millionths;
use crate::manifest::Monotone;
use crate::mapping::{FeatureVector, Flag};
use domain::reason::{INQUIRIES, MAX_PRINCIPAL_REASONS};

/// A code with the features behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Index of the reason in [`crate::model::Model::reasons`].
    pub reason: usize,
    /// Indices of the features, in the contract's order.
    pub features: Vec<usize>,
    /// Their summed contribution, to 1e-6.
    pub contribution: f64,
}

/// Ranks what is adverse in a row by code: the four strongest, and inquiries as a fifth where they are weaker. A feature counts
/// for itself, or together with the others of its group: what speaks for the applicant there is taken off what speaks against.
/// `contributions` are the published ones, `typical` is the reference's usual
/// value of each feature.
pub fn candidates(
    contract: &Contract,
    row: &FeatureVector,
    contributions: &[f64],
    typical: &[Option<f32>],
) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for group in &contract.groups {
        let sum = group.features.iter().map(|at| contributions[*at]).sum();
        // The code is that of the feature that counts most against; of equal ones the first.
        let strongest = group.features.iter().rev().max_by(|a, b| contributions[**a].total_cmp(&contributions[**b]));
        let Some(index) = strongest.copied().filter(|_| millionths(sum) > 0.0) else { continue };
        let feature = &contract.features[index];
        let reason = feature.reasons[side(feature, row.values[index], row.flags[index], typical[index]) as usize];
        match found.iter_mut().find(|candidate| candidate.reason == reason) {
            Some(candidate) => {
                candidate.features.extend(&group.features);
                candidate.features.sort_unstable();
                candidate.contribution += sum;
            }
            None => found.push(Candidate { reason, features: group.features.clone(), contribution: sum }),
        }
    }
    found.iter_mut().for_each(|candidate| candidate.contribution = millionths(candidate.contribution));
    let code = |candidate: &Candidate| &contract.codes[candidate.reason].code;
    found.sort_by(|a, b| b.contribution.total_cmp(&a.contribution).then_with(|| code(a).cmp(code(b))));
    // Inquiries are disclosed as a fifth key factor of a score where they are one (FCRA 609(f)(9)), so they go on beyond four.
    let mut rank = 0..;
    found.retain(|candidate| {
        rank.next().is_some_and(|at| at < MAX_PRINCIPAL_REASONS) || **code(candidate) == *INQUIRIES
    });
    found
}

/// Which of a feature's three codes speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Low = 0,
    High = 1,
    Missing = 2,
}

/// Where the direction is known, an adverse value is on its adverse side; else the usual value of the reference divides.
fn side(feature: &Feature, value: f32, flag: Option<Flag>, typical: Option<f32>) -> Side {
    match (flag, feature.monotone) {
        (Some(Flag::Missing | Flag::Unknown), _) => Side::Missing,
        (_, Monotone::Increasing) => Side::High,
        (_, Monotone::Decreasing) => Side::Low,
        (_, Monotone::None) if typical.is_some_and(|typical| value < typical) => Side::Low,
        (_, Monotone::None) => Side::High,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::contract::tests::contract as contract_of;

    /// Features f0, f1 … with the given codes and direction; a direction such as `none in months` names a group too.
    fn contract(features: &[(&str, &str, &str, &str)]) -> Contract {
        let feature = |(index, (low, high, missing, monotone)): (usize, &(&str, &str, &str, &str))| {
            let (monotone, group) = monotone.split_once(" in ").unwrap_or((monotone, ""));
            let group = if group.is_empty() { String::new() } else { format!("group = \"{group}\"\n") };
            format!(
                "[[feature]]\nname = \"f{index}\"\ntype = \"number\"\npointer = \"/attributes/f{index}\"\n\
                 missing = {{ policy = \"value\", value = 0.0 }}\nreason_low = \"{low}\"\nreason_high = \"{high}\"\n\
                 reason_missing = \"{missing}\"\nactionable = true\nmonotone = \"{monotone}\"\n{group}"
            )
        };
        contract_of(&features.iter().enumerate().map(feature).collect::<String>()).unwrap()
    }

    fn check(
        features: &[(&str, &str, &str, &str)],
        row: &[(f32, Option<Flag>, f64)],
        expected: &[(&str, &[usize], f64)],
    ) {
        let contract = contract(features);
        let (values, flags) = (row.iter().map(|r| r.0).collect(), row.iter().map(|r| r.1).collect());
        let contributions: Vec<_> = row.iter().map(|r| r.2).collect();
        let typical = vec![Some(10.0); row.len()];
        let found = candidates(&contract, &FeatureVector { values, flags }, &contributions, &typical);
        let found: Vec<_> =
            found.iter().map(|c| (&*contract.codes[c.reason].code, c.features.as_slice(), c.contribution)).collect();
        assert_eq!(found, expected);
    }

    const LOW_HIGH: (&str, &str, &str, &str) =
        ("income_insufficient", "excessive_obligations", "income_unverified", "none");

    #[test]
    fn the_side_chooses_the_code() {
        let up = ("income_insufficient", "excessive_obligations", "income_unverified", "increasing");
        let down = ("income_insufficient", "excessive_obligations", "income_unverified", "decreasing");
        let rows: &[(_, f32, _, &str)] = &[
            (LOW_HIGH, 9.0, None, "income_insufficient"),
            (LOW_HIGH, 11.0, None, "excessive_obligations"),
            (LOW_HIGH, 10.0, None, "excessive_obligations"),
            (LOW_HIGH, 9.0, Some(Flag::Clamped), "income_insufficient"),
            (LOW_HIGH, 9.0, Some(Flag::Missing), "income_unverified"),
            (LOW_HIGH, 11.0, Some(Flag::Unknown), "income_unverified"),
            (up, 9.0, None, "excessive_obligations"),
            (down, 11.0, None, "income_insufficient"),
            (down, 11.0, Some(Flag::Missing), "income_unverified"),
        ];
        for (feature, value, flag, code) in rows {
            check(&[*feature], &[(*value, *flag, 0.5)], &[(code, &[0], 0.5)]);
        }
    }

    #[test]
    fn only_what_counts_against_is_told() {
        check(&[LOW_HIGH, LOW_HIGH], &[(9.0, None, -0.5), (9.0, None, 0.0)], &[]);
    }

    #[test]
    fn features_of_one_code_speak_together_and_the_strongest_comes_first() {
        let other = ("bankruptcy", "garnishment", "no_credit_file", "none");
        check(
            &[LOW_HIGH, other, LOW_HIGH, LOW_HIGH],
            &[(9.0, None, 0.2), (9.0, None, 0.3), (9.0, None, 0.2), (9.0, None, -5.0)],
            &[("income_insufficient", &[0, 2], 0.4), ("bankruptcy", &[1], 0.3)],
        );
    }

    #[test]
    fn features_of_a_group_count_together() {
        let month = ("income_insufficient", "excessive_obligations", "income_unverified", "none in months");
        let other = ("bankruptcy", "garnishment", "no_credit_file", "none");
        let rows: [(&[_], &[(&str, &[usize], f64)]); 4] = [
            // What is for the applicant is taken off; the strongest month says which code.
            (
                &[(9.0, None, 0.1), (9.0, None, 0.3), (11.0, None, 0.5), (9.0, None, -0.4)],
                &[("bankruptcy", &[1], 0.3), ("excessive_obligations", &[0, 2, 3], 0.2)],
            ),
            (&[(9.0, None, 0.5), (9.0, None, 0.3), (9.0, None, 0.0), (9.0, None, -0.6)], &[("bankruptcy", &[1], 0.3)]),
            // Nothing is left but what rounding leaves.
            (&[(9.0, None, 0.1), (9.0, None, -1.0), (9.0, None, 0.2), (9.0, None, -0.3)], &[]),
            (
                &[(9.0, Some(Flag::Missing), 0.2), (9.0, None, 0.1), (9.0, None, 0.2), (9.0, None, 0.2)],
                &[("income_unverified", &[0, 2, 3], 0.6), ("bankruptcy", &[1], 0.1)],
            ),
        ];
        for (row, told) in rows {
            check(&[month, other, month, month], row, told);
        }
        // A group and a feature of one code speak together too.
        let alone = ("income_insufficient", "excessive_obligations", "income_unverified", "none");
        check(
            &[month, alone, month],
            &[(9.0, None, 0.1), (9.0, None, 0.2), (9.0, None, 0.3)],
            &[("income_insufficient", &[0, 1, 2], 0.6)],
        );
    }

    #[test]
    fn inquiries_are_a_fifth_and_nothing_else_is() {
        let one = |code: &'static str| (code, code, code, "none");
        let codes = ["garnishment", "other", "bankruptcy", "employment_length", "no_credit_file", "recent_inquiries"];
        let row = [0.6, 0.5, 0.4, 0.3, 0.2, 0.1].map(|contribution| (9.0, None, contribution));
        let told: [(&str, &[usize], f64); 5] = [
            ("garnishment", &[0], 0.6),
            ("other", &[1], 0.5),
            ("bankruptcy", &[2], 0.4),
            ("employment_length", &[3], 0.3),
            ("recent_inquiries", &[5], 0.1),
        ];
        check(&codes.map(one), &row, &told);
    }

    #[test]
    fn at_most_four_and_ties_by_code() {
        let one = |code: &'static str| (code, code, code, "none");
        let features = ["garnishment", "other", "bankruptcy", "employment_length", "no_credit_file"].map(one);
        let row = [0.1, 0.1, 0.1, 0.1, 0.2].map(|contribution| (9.0, None, contribution));
        check(
            &features,
            &row,
            &[
                ("no_credit_file", &[4], 0.2),
                ("bankruptcy", &[2], 0.1),
                ("employment_length", &[3], 0.1),
                ("garnishment", &[0], 0.1),
            ],
        );
    }
}
