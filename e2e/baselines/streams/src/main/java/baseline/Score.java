package baseline;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** credit.applications.v1 → credit.risk.v1, one application after the other: what Streams hands over. */
final class Score extends Hop {
    static final String COMPUTED = "score.computed.v1";
    private static final byte[] SOURCE = Ids.bytes("/defaultx/scorer");
    private static final Map<String, String> ROUTE = new TreeMap<>(Map.of(
        "consumer_instalment", "german-scorecard", "credit_card", "taiwan-xgboost", "small_business_term", "sba-xgboost"));

    private final Models models;
    private final boolean fused;

    /** The packages that the route names, loaded once. */
    static final class Models {
        final Map<String, ModelPackage> byProduct = new TreeMap<>();
        final String routeDigest;

        Models(Path root, Trees.Explainer explainer) throws IOException {
            StringBuilder table = new StringBuilder();
            for (Map.Entry<String, String> entry : ROUTE.entrySet()) {
                byProduct.put(entry.getKey(), new ModelPackage(root, entry.getValue(), explainer));
                table.append(entry.getKey()).append('=').append(entry.getValue()).append("@1.0.0\n");
            }
            routeDigest = HexFormat.of().formatHex(Ids.of("SHA-256").digest(Ids.bytes(table.toString())));
        }
    }

    /** {@code fused}: what is scored goes straight on to the decision too. */
    Score(String prefix, Models models, boolean fused) {
        super(prefix);
        this.models = models;
        this.fused = fused;
    }

    @Override
    public void process(Record<byte[], Object> record) {
        Headers heads = record.headers();
        if (!Admit.ACCEPTED.equals(Ids.textOf(heads, "ce_type"))) {
            emit("risk", record.key(), record.value(), record.timestamp(), heads);
            if (fused) {
                emit("decide", record.key(), record.value(), record.timestamp(), heads);
            }
            return;
        }
        byte[] body = (byte[]) record.value();
        JsonNode data;
        try {
            data = Json.parse(body);
        } catch (IOException cause) {
            throw new IllegalArgumentException(cause);
        }
        Risk risk = risk(data, heads);
        ModelPackage model = models.byProduct.get(risk.product);
        ModelPackage.Scored scored = model == null ? null : scored(model, data, risk);
        String ordinal = model == null ? "none" : "champion:" + model.name;
        risk.eventId = ids.event(COMPUTED, risk.tenant, risk.application, risk.revision, ordinal);
        RecordMetadata place = place();
        byte[] event = Json.written(body.length + 4096, json -> write(json, data, heads, place, risk, model, scored));
        emit("risk", record.key(), event, record.timestamp(), Ids.child(heads, SOURCE, COMPUTED, risk.eventId));
        if (fused) {
            emit("decide", record.key(), risk, record.timestamp(), Ids.child(heads, SOURCE, COMPUTED, risk.eventId));
        }
    }

    private ModelPackage.Scored scored(ModelPackage model, JsonNode data, Risk risk) {
        risk.modelOfDecision = model.modelOfDecision;
        ModelPackage.Scored scored;
        try {
            scored = model.score(model.contract.row(data));
        } catch (Contract.Unscorable cause) {
            risk.unscorable = cause.getMessage();
            return null;
        }
        risk.score = model.scoreText(scored);
        risk.points = scored.points;
        risk.floor = model.floor;
        risk.cap = model.cap;
        risk.scaleId = model.scaleId;
        risk.band = model.band(scored.points);
        risk.reasons = scored.reasons.stream().map(ModelPackage.Found::reason).toList();
        for (int i = 0; i < model.contract.names.length; i++) {
            if (((scored.row.missing | scored.row.unknown) >> i & 1) == 0) {
                risk.feature(model.contract.names[i], scored.row.values[i]);
            }
        }
        return scored;
    }

    private Risk risk(JsonNode data, Headers heads) {
        Risk risk = new Risk();
        risk.tenant = data.get("tenant").textValue();
        risk.application = data.get("application_id").textValue();
        risk.revision = data.get("revision").intValue();
        risk.product = data.get("product").textValue();
        risk.intent = data.get("intent").textValue();
        risk.channel = data.get("channel").textValue();
        risk.jurisdiction = data.get("jurisdiction").textValue();
        risk.requested = data.get("requested");
        JsonNode primary = data.get("applicants").get(0);
        risk.legalAge(primary.get("facts"));
        com.fasterxml.jackson.databind.node.ArrayNode subjects = Json.MAPPER.createArrayNode();
        for (JsonNode applicant : data.get("applicants")) {
            JsonNode subject = applicant.get("subject");
            com.fasterxml.jackson.databind.node.ObjectNode who = subjects.addObject();
            who.set("role", applicant.get("role"));
            who.set("kind", applicant.get("kind"));
            who.set("key_id", subject.get("key_id"));
            who.set("subject", subject.get("subject"));
        }
        risk.subjects = subjects;
        risk.submittedAt = data.get("submitted_at").textValue();
        risk.receivedAt = moment(Long.parseLong(Ids.textOf(heads, "ce_receivedat")));
        risk.asOf = data.get("as_of").textValue();
        risk.completedAt = data.path("completed_at").textValue();
        if (!models.byProduct.containsKey(risk.product)) {
            risk.unscorable = "no_model:" + risk.product;
        }
        risk.routeDigest = models.routeDigest;
        byte[] digest = ids.sha256(Ids.bytes(primary.get("subject").get("subject").textValue()));
        risk.bucket = (int) Long.remainderUnsigned(ByteBuffer.wrap(digest).getLong(), 10_000);
        return risk;
    }

    private void write(JsonGenerator json, JsonNode data, Headers heads, RecordMetadata place, Risk risk, ModelPackage model,
            ModelPackage.Scored scored) throws IOException {
        json.writeStartObject();
        writeAbout(json, risk);
        json.writeFieldName("subjects");
        json.writeTree(risk.subjects);
        json.writeObjectFieldStart("input");
        json.writeStringField("event_id", Ids.textOf(heads, "ce_id"));
        json.writeStringField("topic", base(place));
        json.writeNumberField("partition", place.partition());
        json.writeNumberField("offset", place.offset());
        json.writeStringField("data_digest", Ids.textOf(heads, "ce_datadigest"));
        json.writeEndObject();
        json.writeStringField("product", risk.product);
        json.writeStringField("intent", risk.intent);
        json.writeStringField("request_type", data.get("request_type").textValue());
        json.writeStringField("channel", risk.channel);
        json.writeStringField("jurisdiction", risk.jurisdiction);
        json.writeFieldName("requested");
        json.writeTree(risk.requested);
        json.writeFieldName("facts");
        JsonNode facts = data.get("applicants").get(0).get("facts");
        json.writeTree(facts == null ? Json.object() : facts);
        writeTimes(json, risk);
        json.writeStringField("status", scored == null ? "unscorable" : "scored");
        if (risk.unscorable != null) {
            json.writeArrayFieldStart("unscorable");
            json.writeString(risk.unscorable);
            json.writeEndArray();
        }
        if (model != null) {
            json.writeFieldName("model");
            json.writeRawValue(model.model);
        }
        json.writeObjectFieldStart("route");
        json.writeStringField("digest", risk.routeDigest);
        json.writeNumberField("bucket", risk.bucket);
        json.writeEndObject();
        if (scored == null) {
            json.writeArrayFieldStart("features");
            json.writeEndArray();
            json.writeArrayFieldStart("reasons");
            json.writeEndArray();
        } else {
            model.write(json, scored);
        }
        json.writeEndObject();
    }

    static void writeAbout(JsonGenerator json, Risk risk) throws IOException {
        json.writeObjectFieldStart("application");
        json.writeStringField("tenant", risk.tenant);
        json.writeStringField("application_id", risk.application);
        json.writeNumberField("revision", risk.revision);
        json.writeEndObject();
    }

    static void writeTimes(JsonGenerator json, Risk risk) throws IOException {
        json.writeObjectFieldStart("times");
        json.writeStringField("submitted_at", risk.submittedAt);
        json.writeStringField("received_at", risk.receivedAt);
        json.writeStringField("as_of", risk.asOf);
        if (risk.completedAt != null) {
            json.writeStringField("completed_at", risk.completedAt);
        }
        json.writeEndObject();
    }
}
