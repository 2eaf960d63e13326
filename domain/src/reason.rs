//! The catalogue of adverse-action reasons: sample Form C-1 of Regulation B (12 CFR 1002, Appendix C) with the denial
//! codes of HMDA (12 CFR 1003, Appendix A). A lender's own codes are data beside this list.

/// One reason of the built-in catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// The code that packages and policies name.
    pub code: &'static str,
    /// What the applicant is told.
    pub text: &'static str,
    /// HMDA reason for denial, 1..=9.
    pub hmda: u8,
}

const fn reason(code: &'static str, text: &'static str, hmda: u8) -> Reason {
    Reason { code, text, hmda }
}

/// Every built-in reason, in the order of the form.
pub(crate) const CATALOGUE: &[Reason] = &[
    reason("application_incomplete", "Credit application incomplete", 7),
    reason("insufficient_references", "Insufficient number of credit references provided", 3),
    reason("unacceptable_references", "Unacceptable type of credit references provided", 3),
    reason("references_unverified", "Unable to verify credit references", 6),
    reason("irregular_employment", "Temporary or irregular employment", 2),
    reason("employment_unverified", "Unable to verify employment", 6),
    reason("employment_length", "Length of employment", 2),
    reason("income_insufficient", "Income insufficient for amount of credit requested", 1),
    reason("excessive_obligations", "Excessive obligations in relation to income", 1),
    reason("income_unverified", "Unable to verify income", 6),
    reason("residence_length", "Length of residence", 9),
    reason("temporary_residence", "Temporary residence", 9),
    reason("residence_unverified", "Unable to verify residence", 6),
    reason("no_credit_file", "No credit file", 3),
    reason("limited_experience", "Limited credit experience", 3),
    reason("poor_performance_with_us", "Poor credit performance with us", 3),
    reason("delinquent_obligations", "Delinquent past or present credit obligations with others", 3),
    reason("collection_or_judgment", "Collection action or judgment", 3),
    reason("garnishment", "Garnishment or attachment", 3),
    reason("foreclosure_or_repossession", "Foreclosure or repossession", 3),
    reason("bankruptcy", "Bankruptcy", 3),
    reason("recent_inquiries", "Number of recent inquiries on credit bureau report", 3),
    reason("collateral_insufficient", "Value or type of collateral not sufficient", 4),
    reason("other", "Other", 9),
];

/// At most this many principal reasons are given (Comment 9(b)(2)-1 of Regulation B).
pub const MAX_PRINCIPAL_REASONS: usize = 4;

/// The code of inquiries: the one key factor of a score that is disclosed beyond the first four (FCRA 609(f)(9)).
pub const INQUIRIES: &str = "recent_inquiries";

/// Every built-in code, in the order of the form.
pub fn codes() -> impl Iterator<Item = &'static str> {
    CATALOGUE.iter().map(|reason| reason.code)
}

/// Looks a built-in code up.
pub fn find(code: &str) -> Option<&'static Reason> {
    CATALOGUE.iter().find(|reason| reason.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_hmda_codes_exist() {
        for (index, reason) in CATALOGUE.iter().enumerate() {
            assert!((1..=9).contains(&reason.hmda), "{}", reason.code);
            assert!(CATALOGUE[..index].iter().all(|other| other.code != reason.code), "{}", reason.code);
        }
        assert_eq!(find("bankruptcy").map(|reason| reason.hmda), Some(3));
        assert_eq!(find("bad_vibes"), None);
    }

    #[test]
    fn the_page_lists_the_catalogue() {
        let page = include_str!("../../docs/reasons.md");
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
        let row = |reason: &Reason| format!("| `{}` | {} | {} |", reason.code, reason.text, reason.hmda);
        assert_eq!(rows, CATALOGUE.iter().map(row).collect::<Vec<_>>());
    }
}
