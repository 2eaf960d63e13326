package baseline;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import baseline.Catalogue.Reason;

/** What a decision needs of a score event: handed on in memory where the hops are one, else read from its body. */
final class Risk {
    String eventId;
    String tenant;
    String application;
    int revision;
    String product;
    String intent;
    String channel;
    String jurisdiction;
    JsonNode subjects;
    JsonNode requested;
    Boolean ofLegalAge;
    String submittedAt;
    String receivedAt;
    String asOf;
    String completedAt;
    String unscorable;
    /** Null where no model was found. */
    String modelOfDecision;
    /** Null where nothing was scored. */
    String score;
    int points;
    int floor;
    int cap;
    String scaleId;
    String band;
    /** Two features that the policy looks at, where they are known. */
    Float repaymentStatus1;
    Float monthsLate;
    List<Reason> reasons = List.of();
    String routeDigest;
    int bucket;

    boolean isScored() {
        return score != null;
    }

    static Risk read(byte[] body, String eventId) {
        JsonNode event;
        try {
            event = Json.parse(body);
        } catch (IOException cause) {
            throw new IllegalArgumentException(cause);
        }
        Risk risk = new Risk();
        risk.eventId = eventId;
        JsonNode about = event.get("application");
        risk.tenant = about.get("tenant").textValue();
        risk.application = about.get("application_id").textValue();
        risk.revision = about.get("revision").intValue();
        risk.product = event.get("product").textValue();
        risk.intent = event.get("intent").textValue();
        risk.channel = event.get("channel").textValue();
        risk.jurisdiction = event.get("jurisdiction").textValue();
        risk.subjects = event.get("subjects");
        risk.requested = event.get("requested");
        risk.legalAge(event.get("facts"));
        JsonNode times = event.get("times");
        risk.submittedAt = times.get("submitted_at").textValue();
        risk.receivedAt = times.get("received_at").textValue();
        risk.asOf = times.get("as_of").textValue();
        risk.completedAt = times.path("completed_at").textValue();
        risk.unscorable = event.path("unscorable").path(0).textValue();
        if (event.get("model") instanceof ObjectNode model) {
            risk.modelOfDecision = model.without(List.of("engine", "kernel")).toString();
        }
        JsonNode score = event.get("score");
        if (score != null) {
            risk.score = score.toString();
            risk.points = score.get("score").intValue();
            risk.floor = score.get("range").get(0).intValue();
            risk.cap = score.get("range").get(1).intValue();
            risk.scaleId = score.get("scale_id").textValue();
            risk.band = score.get("band").textValue();
        }
        for (JsonNode feature : event.get("features")) {
            String flag = feature.path("flag").asText();
            if (!flag.equals("missing") && !flag.equals("unknown")) {
                risk.feature(feature.get("name").textValue(), (float) feature.get("value").doubleValue());
            }
        }
        List<Reason> reasons = new ArrayList<>();
        for (JsonNode reason : event.get("reasons")) {
            reasons.add(new Reason(reason.get("code").textValue(), reason.get("text").textValue(), reason.get("form_c1").textValue(),
                reason.get("hmda").intValue()));
        }
        risk.reasons = reasons;
        risk.routeDigest = event.get("route").get("digest").textValue();
        risk.bucket = event.get("route").get("bucket").intValue();
        return risk;
    }

    void legalAge(JsonNode facts) {
        JsonNode told = facts == null ? null : facts.get("of_legal_age");
        ofLegalAge = told == null || !told.isBoolean() ? null : told.booleanValue();
    }

    void feature(String name, float value) {
        if (name.equals("repayment_status_1")) {
            repaymentStatus1 = value;
        } else if (name.equals("months_late")) {
            monthsLate = value;
        }
    }
}
