//! The closed words of an application: what is wanted, who applies, what a bureau found.

use crate::word::words;

words! {
    /// What the sender wants.
    Intent {
        /// A decision.
        Decide = "decide",
        /// What a decision would be; an approval of it is not final.
        Prequalify = "prequalify",
        /// A score and no decision.
        ScoreOnly = "score_only",
    }
}

words! {
    /// What kind of request it is.
    RequestType {
        /// New credit.
        New = "new",
        /// More of the credit that there is.
        Increase = "increase",
        /// The same credit for another term.
        Renewal = "renewal",
        /// A look at credit that was granted.
        ExistingReview = "existing_review",
    }
}

words! {
    /// The part of an applicant in an application.
    Role {
        /// Who is judged; exactly one, and the first.
        Primary = "primary",
        /// Applies too.
        CoApplicant = "co_applicant",
        /// Stands in for the others.
        Guarantor = "guarantor",
    }
}

words! {
    /// What an applicant is.
    ApplicantKind {
        /// A natural person.
        Person = "person",
        /// A company, an association, an authority.
        Organisation = "organisation",
    }
}

words! {
    /// What a bureau found.
    ReportStatus {
        /// A file.
        Hit = "hit",
        /// No file.
        NoHit = "no_hit",
        /// A file with too little in it.
        Thin = "thin",
        /// A file that its owner has closed.
        Frozen = "frozen",
        /// The bureau failed.
        Error = "error",
    }
}
