package baseline;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import baseline.Catalogue.Reason;

/** policies/standard/1.0.0.yaml by hand: knockouts, limits, cutoffs. A score event → what is decided. */
final class Policy {
    private static final int MAX_REASONS = 4;

    private Policy() {}

    /** A product's rules. */
    private record Product(String scale, String currency, int approveAt, int declineBelow, String cutoff, List<Limit> limits) {}

    /** Most in minor units, for some bands or all; the reason of a decline, or a referral. */
    private record Limit(String id, Set<String> bands, long most, String reason) {}

    /** A rule that held. */
    record Rule(String id, String step, String value, String threshold) {}

    /** What is decided. */
    record Verdict(String outcome, boolean isFinal, String step, String referral, List<Rule> rules, String source,
            List<Reason> reasons, boolean scoreUsed) {}

    private static final Map<String, Product> PRODUCTS = Map.of(
        "credit_card", new Product("credit_card.v1", "TWD", 560, 500, "card_score", List.of(
            new Limit("card_large", Set.of("B", "C", "D", "E"), 50_000_000, null),
            new Limit("card_very_large", Set.of(), 80_000_000, null))),
        "small_business_term", new Product("small_business_term.v1", "USD", 570, 540, "business_score", List.of(
            new Limit("business_large", Set.of(), 150_000_000, null),
            new Limit("business_above_programme", Set.of(), 500_000_000, "amount_not_offered"))),
        "consumer_instalment", new Product("consumer_instalment.v1", "DEM", 530, 480, "instalment_score", List.of(
            new Limit("instalment_large", Set.of(), 1_200_000, null))));

    private static final Map<String, Reason> REASONS = Map.of(
        "not_of_legal_age",
        new Reason("not_of_legal_age", "Applicant is not of legal age to enter into a binding contract", "other", 9),
        "term_not_offered", new Reason("term_not_offered", "We do not offer credit for the term requested", "other", 9),
        "amount_not_offered", new Reason("amount_not_offered", "We do not offer credit in the amount requested", "other", 9),
        "poor_performance_with_us",
        new Reason("poor_performance_with_us", "Poor credit performance with us", "poor_performance_with_us", 3));

    static Verdict decide(Risk risk) {
        List<Rule> rules = new ArrayList<>();
        Product product = PRODUCTS.get(risk.product);
        if (product == null) {
            return refer("fallback", "unknown_product", rules);
        }
        Set<String> knocked = knockouts(risk, rules);
        if (!knocked.isEmpty()) {
            return declineByPolicy(risk, "knockout", rules, knocked);
        }
        if (!risk.isScored()) {
            return refer("fallback", "unscorable", rules);
        }
        JsonNode amount = risk.requested.get("amount");
        if (!risk.scaleId.equals(product.scale)) {
            return refer("fallback", "scale_mismatch", rules);
        }
        if (!amount.get("currency").textValue().equals(product.currency)) {
            return refer("fallback", "unknown_currency", rules);
        }
        return limits(risk, product, amount.get("amount_minor").longValue(), rules);
    }

    private static Set<String> knockouts(Risk risk, List<Rule> rules) {
        Set<String> reasons = new TreeSet<>();
        if (Boolean.FALSE.equals(risk.ofLegalAge)) {
            rules.add(new Rule("not_of_legal_age", "knockout", "false", "false"));
            reasons.add("not_of_legal_age");
        }
        if (risk.product.equals("credit_card")) {
            if (risk.repaymentStatus1 != null && risk.repaymentStatus1 >= 3.0f) {
                rules.add(new Rule("card_three_months_late", "knockout", plain(risk.repaymentStatus1), "3"));
                reasons.add("poor_performance_with_us");
            }
            if (risk.monthsLate != null && risk.monthsLate >= 6.0f) {
                rules.add(new Rule("card_always_late", "knockout", plain(risk.monthsLate), "6"));
                reasons.add("poor_performance_with_us");
            }
        } else if (risk.product.equals("consumer_instalment")) {
            JsonNode term = risk.requested.get("term_months");
            if (term != null && term.isNumber() && term.intValue() > 72) {
                rules.add(new Rule("instalment_too_long", "knockout", term.asText(), "72"));
                reasons.add("term_not_offered");
            }
        }
        return reasons;
    }

    private static Verdict limits(Risk risk, Product product, long minor, List<Rule> rules) {
        Set<String> declined = new TreeSet<>();
        boolean limited = false;
        for (Limit limit : product.limits) {
            if (minor > limit.most && (limit.bands.isEmpty() || limit.bands.contains(risk.band))) {
                rules.add(new Rule(limit.id, "limit", Long.toString(minor), Long.toString(limit.most)));
                limited = true;
                if (limit.reason != null) {
                    declined.add(limit.reason);
                }
            }
        }
        if (!declined.isEmpty()) {
            return declineByPolicy(risk, "limit", rules, declined);
        }
        return limited ? refer("limit", "amount_limit", rules) : cutoff(risk, product, rules);
    }

    private static Verdict cutoff(Risk risk, Product product, List<Rule> rules) {
        String points = Integer.toString(risk.points);
        if (risk.points >= product.approveAt) {
            rules.add(new Rule(product.cutoff, "cutoff", points, Integer.toString(product.approveAt)));
            return new Verdict("approve", !risk.intent.equals("prequalify"), "cutoff", null, rules, null, List.of(), false);
        }
        if (risk.points < product.declineBelow) {
            rules.add(new Rule(product.cutoff, "cutoff", points, Integer.toString(product.declineBelow)));
            return decline(risk, "cutoff", rules, "model", risk.reasons, true);
        }
        rules.add(new Rule(product.cutoff, "zone", points, product.declineBelow + ".." + product.approveAt));
        return refer("zone", "grey_zone", rules);
    }

    private static Verdict refer(String step, String word, List<Rule> rules) {
        return new Verdict("refer", false, step, word, rules, null, List.of(), false);
    }

    private static Verdict declineByPolicy(Risk risk, String step, List<Rule> rules, Set<String> codes) {
        return decline(risk, step, rules, "policy", codes.stream().limit(MAX_REASONS).map(REASONS::get).toList(), false);
    }

    private static Verdict decline(
            Risk risk, String step, List<Rule> rules, String source, List<Reason> reasons, boolean scoreUsed) {
        if (reasons.isEmpty()) {
            return refer(step, "explanation_unavailable", rules);
        }
        return new Verdict("decline", !risk.intent.equals("prequalify"), step, null, rules, source, reasons, scoreUsed);
    }

    private static String plain(float value) {
        return value == Math.rint(value) ? Long.toString((long) value) : Float.toString(value);
    }
}
