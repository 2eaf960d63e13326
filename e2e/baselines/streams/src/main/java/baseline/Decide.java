package baseline;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.HexFormat;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.api.Record;
import baseline.Catalogue.Reason;

/** credit.risk.v1 → credit.decisions.v1. */
final class Decide extends Hop {
    private static final byte[] SOURCE = Ids.bytes("/defaultx/decision");
    private static final String MADE = "decision.made.v1";
    private static final Duration NOTICE = Duration.ofDays(30);

    private final String policy;

    Decide(String prefix, String policy) {
        super(prefix);
        this.policy = policy;
    }

    /** The policy's name, version and digest. */
    static String policy(Path root) throws IOException {
        byte[] text = Files.readAllBytes(root.resolve("policies/standard/1.0.0.yaml"));
        String digest = HexFormat.of().formatHex(Ids.of("SHA-256").digest(text));
        return "{\"name\":\"standard\",\"version\":\"1.0.0\",\"digest\":\"" + digest + "\"}";
    }

    @Override
    public void process(Record<byte[], Object> record) {
        Headers heads = record.headers();
        String type = Ids.textOf(heads, "ce_type");
        String decidedAt = moment(context.currentSystemTimeMs());
        if (type.equals(Score.COMPUTED)) {
            Risk risk = record.value() instanceof Risk handed ? handed : Risk.read((byte[]) record.value(), Ids.textOf(heads, "ce_id"));
            if (risk.intent.equals("score_only")) {
                return;
            }
            byte[] body = Json.written(3072, json -> write(json, risk, Policy.decide(risk), decidedAt));
            send(record, risk.tenant, risk.application, risk.revision, 1, body, decidedAt);
        } else if (type.equals(Admit.WITHDRAWN)) {
            withdraw(record, decidedAt);
        }
    }

    private void send(Record<byte[], Object> record, String tenant, String application, int revision, int number, byte[] body,
            String decidedAt) {
        String event = ids.event(MADE, tenant, application, revision, Integer.toString(number));
        RecordHeaders headers = Ids.child(record.headers(), SOURCE, MADE, event);
        headers.add("ce_time", Ids.bytes(decidedAt));
        headers.add("ce_tenant", Ids.bytes(tenant));
        headers.add("ce_revision", Ids.bytes(Integer.toString(revision)));
        emit("decisions", record.key(), body, record.timestamp(), headers);
    }

    private void write(JsonGenerator json, Risk risk, Policy.Verdict verdict, String decidedAt) throws IOException {
        json.writeStartObject();
        Score.writeAbout(json, risk);
        json.writeFieldName("subjects");
        json.writeTree(risk.subjects);
        json.writeNumberField("decision_number", 1);
        json.writeStringField("automation", "automatic");
        json.writeStringField("product", risk.product);
        json.writeStringField("intent", risk.intent);
        json.writeStringField("channel", risk.channel);
        json.writeStringField("jurisdiction", risk.jurisdiction);
        json.writeFieldName("requested");
        json.writeTree(risk.requested);
        writeRisk(json, risk);
        json.writeFieldName("policy");
        json.writeRawValue(policy);
        writeVerdict(json, risk, verdict);
        json.writeObjectFieldStart("inputs");
        json.writeStringField("route_digest", risk.routeDigest);
        json.writeNumberField("bucket", risk.bucket);
        json.writeEndObject();
        Score.writeTimes(json, risk);
        json.writeStringField("decided_at", decidedAt);
        json.writeEndObject();
    }

    private static void writeRisk(JsonGenerator json, Risk risk) throws IOException {
        json.writeObjectFieldStart("risk");
        json.writeStringField("event_id", risk.eventId);
        json.writeStringField("status", risk.isScored() ? "scored" : "unscorable");
        if (risk.unscorable != null) {
            json.writeArrayFieldStart("unscorable");
            json.writeString(risk.unscorable);
            json.writeEndArray();
        }
        if (risk.modelOfDecision != null) {
            json.writeFieldName("model");
            json.writeRawValue(risk.modelOfDecision);
        }
        if (risk.isScored()) {
            json.writeFieldName("score");
            json.writeRawValue(risk.score);
        }
        json.writeEndObject();
    }

    private void writeVerdict(JsonGenerator json, Risk risk, Policy.Verdict verdict) throws IOException {
        boolean declined = verdict.outcome().equals("decline");
        json.writeStringField("outcome", verdict.outcome());
        json.writeBooleanField("final", verdict.isFinal());
        json.writeStringField("step", verdict.step());
        if (verdict.referral() != null) {
            json.writeStringField("referral", verdict.referral());
        }
        json.writeArrayFieldStart("rules");
        for (Policy.Rule rule : verdict.rules()) {
            json.writeStartObject();
            json.writeStringField("id", rule.id());
            json.writeStringField("step", rule.step());
            json.writeStringField("value", rule.value());
            json.writeStringField("threshold", rule.threshold());
            json.writeEndObject();
        }
        json.writeEndArray();
        json.writeArrayFieldStart("principal_reasons");
        int rank = 1;
        for (Reason reason : verdict.reasons()) {
            json.writeStartObject();
            json.writeNumberField("rank", rank++);
            json.writeStringField("code", reason.code());
            json.writeStringField("source", verdict.source());
            json.writeStringField("text", reason.text());
            json.writeStringField("form_c1", reason.formC1());
            json.writeNumberField("hmda", reason.hmda());
            json.writeEndObject();
        }
        json.writeEndArray();
        json.writeBooleanField("adverse_action", declined);
        if (verdict.outcome().equals("approve")) {
            writeOffer(json, risk);
        }
        if (declined) {
            writeNotice(json, risk, verdict);
        }
    }

    private static void writeOffer(JsonGenerator json, Risk risk) throws IOException {
        JsonNode amount = risk.requested.get("amount");
        JsonNode term = risk.requested.get("term_months");
        json.writeObjectFieldStart("offer");
        json.writeNumberField("amount_minor", amount.get("amount_minor").longValue());
        json.writeStringField("currency", amount.get("currency").textValue());
        if (term != null && term.isNumber()) {
            json.writeNumberField("term_months", term.intValue());
        }
        json.writeEndObject();
    }

    private static void writeNotice(JsonGenerator json, Risk risk, Policy.Verdict verdict) throws IOException {
        String completed = risk.completedAt == null ? risk.receivedAt : risk.completedAt;
        json.writeObjectFieldStart("notice");
        json.writeStringField("due_by", moment(OffsetDateTime.parse(completed).plus(NOTICE).toInstant().toEpochMilli()));
        json.writeArrayFieldStart("recipients");
        json.writeString("primary");
        json.writeEndArray();
        json.writeEndObject();
        if (!verdict.scoreUsed()) {
            return;
        }
        json.writeArrayFieldStart("score_disclosure");
        json.writeStartObject();
        json.writeNumberField("score", risk.points);
        json.writeArrayFieldStart("range");
        json.writeNumber(risk.floor);
        json.writeNumber(risk.cap);
        json.writeEndArray();
        json.writeStringField("date", risk.receivedAt.substring(0, 10));
        json.writeStringField("agency", risk.tenant);
        json.writeArrayFieldStart("key_factors");
        for (Reason reason : verdict.reasons()) {
            json.writeString(reason.text());
        }
        json.writeEndArray();
        json.writeEndObject();
        json.writeEndArray();
    }

    /** The decision that a withdrawal is. */
    private void withdraw(Record<byte[], Object> record, String decidedAt) {
        JsonNode body;
        try {
            body = Json.parse((byte[]) record.value());
        } catch (IOException cause) {
            throw new IllegalArgumentException(cause);
        }
        String tenant = body.get("tenant").textValue();
        String application = body.get("application_id").textValue();
        int revision = Integer.parseInt(Ids.textOf(record.headers(), "ce_revision"));
        byte[] decision = Json.written(1024, json -> {
            json.writeStartObject();
            json.writeObjectFieldStart("application");
            json.writeStringField("tenant", tenant);
            json.writeStringField("application_id", application);
            json.writeNumberField("revision", revision);
            json.writeEndObject();
            for (String empty : java.util.List.of("subjects", "rules", "principal_reasons")) {
                json.writeArrayFieldStart(empty);
                json.writeEndArray();
            }
            json.writeNumberField("decision_number", 2);
            json.writeNumberField("supersedes", 1);
            json.writeStringField("outcome", "withdrawn");
            json.writeBooleanField("final", true);
            json.writeStringField("automation", "automatic");
            json.writeStringField("step", "withdrawal");
            for (String unknown : java.util.List.of("product", "intent", "channel")) {
                json.writeStringField(unknown, "unknown");
            }
            json.writeStringField("jurisdiction", "ZZ-ZZZ");
            json.writeFieldName("policy");
            json.writeRawValue(policy);
            json.writeBooleanField("adverse_action", false);
            json.writeObjectFieldStart("inputs");
            json.writeEndObject();
            json.writeStringField("decided_at", decidedAt);
            json.writeEndObject();
        });
        send(record, tenant, application, revision, 2, decision, decidedAt);
    }
}
