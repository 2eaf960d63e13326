package baseline;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** loan.applications.v1 → credit.intake.v1, identities, protected; refusals → a reply and a dead letter. */
final class Receive extends Hop {
    static final byte[] SOURCE = Ids.bytes("/defaultx/ingest");
    static final String TENANT = "demo";
    private static final byte[] TENANT_BYTES = Ids.bytes(TENANT);
    private static final String KEY_ID = "demo-1";
    private static final byte[] KEY = HexFormat.of().parseHex("00112233445566778899aabbccddeeff".repeat(2));
    private static final Set<String> PRODUCTS = Set.of("credit_card", "small_business_term", "consumer_instalment");
    private static final int MAX_BODY = 1 << 20;
    private static final long SLACK_MS = 300_000;
    private static final String SUBMITTED = "application.submitted.v1";
    private static final String WITHDRAWN = "application.withdrawn.v1";

    static final List<String> TYPES = List.of(SUBMITTED, WITHDRAWN);

    private final Schema submitted;
    private final Schema withdrawn;
    private final Mac mac;

    Receive(String prefix, Map<String, Schema> schemas) {
        super(prefix);
        submitted = schemas.get(SUBMITTED);
        withdrawn = schemas.get(WITHDRAWN);
        try {
            mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(KEY, "HmacSHA256"));
        } catch (GeneralSecurityException cause) {
            throw new IllegalStateException(cause);
        }
    }

    /** A record that is not taken. */
    private static final class Refused extends Exception {
        private static final long serialVersionUID = 1;
        final transient List<String> pointers;
        final transient List<String> attributes;

        Refused(String word, List<String> pointers, List<String> attributes) {
            super(word, null, false, false);
            this.pointers = pointers;
            this.attributes = attributes;
        }
    }

    @Override
    public void process(Record<byte[], Object> record) {
        try {
            take(record);
        } catch (Refused refusal) {
            refuse(record, refusal);
        }
    }

    private void take(Record<byte[], Object> record) throws Refused {
        byte[] body = (byte[]) record.value();
        if (body == null || body.length == 0) {
            throw new Refused("empty", List.of(), List.of());
        }
        if (body.length > MAX_BODY) {
            throw new Refused("body_too_large", List.of(), List.of());
        }
        RecordHeaders heads = new RecordHeaders(record.headers());
        if (!"1.0".equals(Ids.textOf(heads, "ce_specversion"))) {
            throw new Refused("bad_envelope", List.of(), List.of("specversion"));
        }
        for (String name : List.of("ce_id", "ce_source", "ce_type")) {
            byte[] value = Ids.value(heads, name);
            if (value == null || value.length == 0) {
                throw new Refused("bad_envelope", List.of(), List.of(name.substring(3)));
            }
        }
        JsonNode parsed;
        try {
            parsed = Json.parse(body);
        } catch (IOException cause) {
            throw new Refused("not_json", List.of(""), List.of());
        }
        String type = Ids.textOf(heads, "ce_type");
        Schema schema = switch (type) {
            case SUBMITTED -> submitted;
            case WITHDRAWN -> withdrawn;
            default -> throw new Refused("unknown_event_type", List.of(), List.of("type"));
        };
        if (!schema.holds(parsed)) {
            throw new Refused("bad_value", schema.faults(parsed), List.of());
        }
        ObjectNode data = (ObjectNode) parsed;
        String application = data.get("application_id").textValue();
        if (!TENANT.equals(data.get("tenant").textValue())) {
            throw new Refused("wrong_tenant", List.of("/tenant"), List.of());
        }
        String subject = Ids.textOf(heads, "ce_subject");
        if (subject != null && !subject.equals(application)) {
            throw new Refused("subject_mismatch", List.of("/application_id"), List.of());
        }
        pass(record, heads, type, data, application);
    }

    private void pass(Record<byte[], Object> record, RecordHeaders heads, String type, ObjectNode data, String application)
            throws Refused {
        RecordMetadata place = place();
        String topic = base(place);
        int partition = place.partition();
        long offset = place.offset();
        long at = record.timestamp();
        byte[] key = Ids.bytes(TENANT + '|' + application);
        heads.remove("ce_subject").add("ce_subject", Ids.bytes(application));
        heads.remove("ce_partitionkey").add("ce_partitionkey", key);
        if (type.equals(WITHDRAWN)) {
            RecordHeaders headers = Ids.child(heads, SOURCE, type, ids.coordinates(type, topic, partition, offset));
            headers.add("ce_tenant", TENANT_BYTES);
            origin(headers, heads, topic, partition, offset, at);
            emit("intake", key, Json.bytes(data), at, headers);
            return;
        }
        if (!PRODUCTS.contains(data.get("product").textValue())) {
            throw new Refused("unknown_product", List.of("/product"), List.of());
        }
        for (String moment : List.of("submitted_at", "completed_at")) {
            if (isAfter(data.get(moment), at + SLACK_MS)) {
                throw new Refused("bad_time", List.of("/" + moment), List.of());
            }
        }
        String digest = ids.hex256(Json.bytes(data));
        int revision = data.get("revision").intValue();
        ArrayNode identities = data.arrayNode();
        ArrayNode protectedFacts = data.arrayNode();
        strip(data, identities, protectedFacts);
        byte[] revisionBytes = Ids.bytes(Integer.toString(revision));
        byte[] digestBytes = Ids.bytes(digest);
        stripped("identities", "identity.received.v1", identities, application, digest, revision, key, place, at, heads);
        if (!protectedFacts.isEmpty()) {
            stripped("protected", "protected.received.v1", protectedFacts, application, digest, revision, key, place, at, heads);
        }
        String received = "application.received.v1";
        RecordHeaders headers = Ids.child(heads, SOURCE, received, ids.coordinates(received, topic, partition, offset));
        headers.add("ce_tenant", TENANT_BYTES);
        headers.add("ce_revision", revisionBytes);
        headers.add("ce_datadigest", digestBytes);
        origin(headers, heads, topic, partition, offset, at);
        emit("intake", key, Json.bytes(data), at, headers);
    }

    private void stripped(String sink, String type, ArrayNode taken, String application, String digest, int revision, byte[] key,
            RecordMetadata place, long at, RecordHeaders heads) {
        ObjectNode body = Json.object();
        body.set("applicants", taken);
        body.put("application_id", application).put("data_digest", digest).put("revision", revision).put("tenant", TENANT);
        RecordHeaders headers = Ids.child(heads, SOURCE, type, ids.coordinates(type, base(place), place.partition(), place.offset()));
        headers.add("ce_tenant", TENANT_BYTES);
        headers.add("ce_revision", Ids.bytes(Integer.toString(revision)));
        headers.add("ce_datadigest", Ids.bytes(digest));
        emit(sink, key, Json.bytes(body), at, headers);
    }

    private static void origin(RecordHeaders headers, RecordHeaders heads, String topic, int partition, long offset, long at) {
        headers.add("ce_originid", Ids.value(heads, "ce_id"));
        headers.add("ce_originchannel", Ids.bytes("kafka"));
        headers.add("ce_receivedat", Ids.bytes(Long.toString(at)));
        headers.add("ce_origintopic", Ids.bytes(topic));
        headers.add("ce_originpartition", Ids.bytes(Integer.toString(partition)));
        headers.add("ce_originoffset", Ids.bytes(Long.toString(offset)));
    }

    private static boolean isAfter(JsonNode moment, long most) {
        if (moment == null || moment.isNull()) {
            return false;
        }
        try {
            return Instant.parse(moment.textValue()).toEpochMilli() > most;
        } catch (DateTimeException cause) {
            return true;
        }
    }

    /** Takes personal data out of {@code data} in place. */
    private void strip(ObjectNode data, ArrayNode identities, ArrayNode protectedFacts) {
        for (String list : List.of("collateral", "documents")) {
            if (!data.has(list)) {
                data.putArray(list);
            }
        }
        for (JsonNode each : data.get("applicants")) {
            ObjectNode applicant = (ObjectNode) each;
            String reference = applicant.remove("customer_ref").textValue();
            String subject = HexFormat.of().formatHex(mac.doFinal(Ids.bytes(reference)));
            applicant.putObject("subject").put("key_id", KEY_ID).put("subject", subject);
            ObjectNode who = identities.addObject();
            describe(who, applicant, subject);
            who.put("customer_ref", reference);
            JsonNode identity = applicant.remove("identity");
            who.set("identity", identity == null ? Json.object() : identity);
            JsonNode taken = applicant.remove("protected");
            if (taken != null && !taken.isEmpty()) {
                ObjectNode facts = protectedFacts.addObject();
                describe(facts, applicant, subject);
                facts.set("protected", taken);
            }
            for (String list : List.of("consents", "reports")) {
                if (!applicant.has(list)) {
                    applicant.putArray(list);
                }
            }
        }
    }

    private static void describe(ObjectNode who, ObjectNode applicant, String subject) {
        who.put("key_id", KEY_ID).put("subject", subject);
        who.set("kind", applicant.get("kind"));
        who.set("role", applicant.get("role"));
    }

    /** One reply and one dead letter. */
    private void refuse(Record<byte[], Object> record, Refused refusal) {
        RecordMetadata place = place();
        String topic = base(place);
        ObjectNode reply = Json.object();
        reply.put("status", "rejected").put("tenant", TENANT);
        String id = Ids.textOf(record.headers(), "ce_id");
        if (id != null) {
            reply.put("origin_id", id);
        }
        reply.putObject("origin").put("topic", topic).put("partition", place.partition()).put("offset", place.offset());
        ObjectNode problem = reply.putObject("problem").put("type", refusal.getMessage());
        if (!refusal.pointers.isEmpty()) {
            refusal.pointers.forEach(problem.putArray("pointers")::add);
        }
        if (!refusal.attributes.isEmpty()) {
            refusal.attributes.forEach(problem.putArray("attributes")::add);
        }
        String type = "application.replied.v1";
        RecordHeaders headers =
            Ids.child(record.headers(), SOURCE, type, ids.coordinates(type, topic, place.partition(), place.offset()));
        headers.add("ce_tenant", TENANT_BYTES);
        emit("replies-of-receive", null, Json.bytes(reply), record.timestamp(), headers);
        setAside("dead-letters-of-receive", record, "receive", refusal.getMessage());
    }
}
