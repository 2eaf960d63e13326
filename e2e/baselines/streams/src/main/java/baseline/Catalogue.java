package baseline;

import java.util.List;

/** The built-in catalogue of adverse-action reasons, as in domain/src/reason.rs. */
final class Catalogue {
    static final List<Reason> ALL = List.of(
        of("application_incomplete", "Credit application incomplete", 7),
        of("insufficient_references", "Insufficient number of credit references provided", 3),
        of("unacceptable_references", "Unacceptable type of credit references provided", 3),
        of("references_unverified", "Unable to verify credit references", 6),
        of("irregular_employment", "Temporary or irregular employment", 2),
        of("employment_unverified", "Unable to verify employment", 6),
        of("employment_length", "Length of employment", 2),
        of("income_insufficient", "Income insufficient for amount of credit requested", 1),
        of("excessive_obligations", "Excessive obligations in relation to income", 1),
        of("income_unverified", "Unable to verify income", 6),
        of("residence_length", "Length of residence", 9),
        of("temporary_residence", "Temporary residence", 9),
        of("residence_unverified", "Unable to verify residence", 6),
        of("no_credit_file", "No credit file", 3),
        of("limited_experience", "Limited credit experience", 3),
        of("poor_performance_with_us", "Poor credit performance with us", 3),
        of("delinquent_obligations", "Delinquent past or present credit obligations with others", 3),
        of("collection_or_judgment", "Collection action or judgment", 3),
        of("garnishment", "Garnishment or attachment", 3),
        of("foreclosure_or_repossession", "Foreclosure or repossession", 3),
        of("bankruptcy", "Bankruptcy", 3),
        of("recent_inquiries", "Number of recent inquiries on credit bureau report", 3),
        of("collateral_insufficient", "Value or type of collateral not sufficient", 4),
        of("other", "Other", 9));

    private Catalogue() {}

    /** A reason's words. */
    record Reason(String code, String text, String formC1, int hmda) {}

    private static Reason of(String code, String text, int hmda) {
        return new Reason(code, text, code, hmda);
    }
}
