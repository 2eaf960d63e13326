package client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cloudevents.CloudEvent;
import io.cloudevents.core.builder.CloudEventBuilder;
import io.cloudevents.core.message.Encoding;
import io.cloudevents.core.provider.EventFormatProvider;
import io.cloudevents.jackson.JsonFormat;
import io.cloudevents.kafka.CloudEventSerializer;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.Normalizer;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Publishes one application in each of the ways that Java senders have, and prints the reply to each record as one line of JSON. */
final class Sender {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String TYPE = "application.submitted.v1";
    private static final String TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    private final Map<String, String> said;
    private final Properties client = new Properties();
    private final JsonNode template;
    /** Kept for the whole run, so that two bodies differ only where they are meant to. */
    private final Instant now = Instant.now().truncatedTo(ChronoUnit.SECONDS);
    /** Event id → how it was sent. */
    private final Map<String, String> sent = new LinkedHashMap<>();

    private Sender(Map<String, String> said) throws Exception {
        this.said = said;
        try (var reader = Files.newBufferedReader(Path.of(said.get("--properties")))) {
            client.load(reader);
        }
        template = JSON.readTree(Path.of(said.get("--body")).toFile());
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> said = new HashMap<>();
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            said.put(arguments[i], arguments[i + 1]);
        }
        new Sender(said).run();
    }

    private void run() throws Exception {
        Map<TopicPartition, Long> from = ends();
        try (var binary = events(Encoding.BINARY); var structured = events(Encoding.STRUCTURED); var plain = plain()) {
            // The same application in both modes and in each spelling of the same content: accepted once.
            ObjectNode body = body("same");
            send(binary, "binary", event("same", body).build());
            send(structured, "structured", event("same", body).build());
            ObjectNode millis = body.deepCopy();
            millis.put("submitted_at", now.toString().replace("Z", ".000Z"));
            send(binary, "time with milliseconds", event("same", millis).build());
            ObjectNode lists = body.deepCopy();
            lists.putArray("collateral");
            lists.putArray("documents");
            send(binary, "empty lists", event("same", lists).build());
            ObjectNode changed = body.deepCopy();
            changed.put("channel", "branch_office");
            send(binary, "other content", event("same", changed).build());

            ObjectNode composed = body("normal");
            ((ObjectNode) composed.path("applicants").get(0)).put("customer_ref", "Kündin-1");
            send(binary, "composed", event("normal", composed).build());
            ObjectNode decomposed = composed.deepCopy();
            ((ObjectNode) decomposed.path("applicants").get(0)).put("customer_ref",
                Normalizer.normalize("Kündin-1", Normalizer.Form.NFD));
            send(binary, "decomposed", event("normal", decomposed).build());

            send(binary, "media type with charset", event("charset", body("charset"))
                .withDataContentType("application/json; charset=utf-8").build());
            send(structured, "media type with a suffix", event("suffix", body("suffix"))
                .withDataContentType("application/vnd.lender.application+json").build());
            // The SDK writes data that it does not know as JSON in base64.
            sendStructuredBase64(plain);
            send(binary, "ce_traceparent", event("traced", body("traced")).withExtension("traceparent", TRACE).build());

            // What Java clients get wrong, and what they are told.
            sendPlain(plain, "no content type", structuredBytes("untyped"), Map.of());
            sendPlain(plain, "HTTP's spelling", bytes(body("http-spelling")), attributes("ce-", "http-spelling"));
            sendPlain(plain, "upper case", bytes(body("upper")), attributes("CE_", "upper"));
            sendPlain(plain, "JMS spelling", bytes(body("jms")), attributes("cloudEvents:", "jms"));
            Map<String, String> bare = new HashMap<>(attributes("ce_", "bare"));
            bare.keySet().removeIf(name -> !name.equals("ce_id"));
            sendPlain(plain, "only an id", bytes(body("bare")), bare);
            ObjectNode wrong = body("wrong");
            wrong.put("submitted_at", OffsetDateTime.ofInstant(now, ZoneOffset.UTC).withSecond(0).toString());
            wrong.put("intent", "DECIDE");
            wrong.remove("product");
            send(binary, "three faults", event("wrong", wrong).build());
            for (var producer : List.of(binary, structured, plain)) {
                producer.flush();
            }
        }
        listen(from);
    }

    private ObjectNode body(String name) {
        ObjectNode body = template.deepCopy();
        body.put("application_id", said.get("--run") + "-" + name);
        body.put("submitted_at", now.toString());
        body.put("completed_at", now.toString());
        return body;
    }

    private static byte[] bytes(JsonNode body) throws Exception {
        return JSON.writeValueAsBytes(body);
    }

    private CloudEventBuilder event(String name, JsonNode body) throws Exception {
        return CloudEventBuilder.v1()
            .withId(id())
            .withSource(URI.create("/los/java"))
            .withType(TYPE)
            .withSubject(said.get("--run") + "-" + name)
            .withTime(OffsetDateTime.ofInstant(now, ZoneOffset.UTC))
            .withDataContentType("application/json")
            .withData(bytes(body));
    }

    private String id() {
        return said.get("--run") + "-event-" + sent.size();
    }

    private Map<String, String> attributes(String prefix, String name) {
        return Map.of(prefix + "id", id(), prefix + "source", "/los/java", prefix + "type", TYPE, prefix + "specversion", "1.0",
            "content-type", "application/json");
    }

    private byte[] structuredBytes(String name) throws Exception {
        var format = EventFormatProvider.getInstance().resolveFormat(JsonFormat.CONTENT_TYPE);
        return format.serialize(event(name, body(name)).build());
    }

    private void sendStructuredBase64(KafkaProducer<String, byte[]> plain) throws Exception {
        ObjectNode event = (ObjectNode) JSON.readTree(structuredBytes("base64"));
        JsonNode data = event.remove("data");
        event.put("data_base64", JSON.writeValueAsBytes(data));
        event.putNull("subject");
        sendPlain(plain, "data_base64 and a null attribute", bytes(event), Map.of("content-type", JsonFormat.CONTENT_TYPE));
    }

    private void send(KafkaProducer<String, CloudEvent> producer, String how, CloudEvent event) throws Exception {
        sent.put(event.getId(), how);
        producer.send(new ProducerRecord<>(said.get("--applications"), event.getSubject(), event)).get();
    }

    /** Without the SDK: headers and a value. The id is the one that comes next, wherever it stands. */
    private void sendPlain(KafkaProducer<String, byte[]> producer, String how, byte[] value, Map<String, String> headers) throws Exception {
        var record = new ProducerRecord<String, byte[]>(said.get("--applications"), null, value);
        headers.forEach((name, text) -> record.headers().add(name, text.getBytes(StandardCharsets.UTF_8)));
        sent.put(id(), how);
        producer.send(record).get();
    }

    private KafkaProducer<String, CloudEvent> events(Encoding encoding) {
        Map<String, Object> settings = new HashMap<>();
        settings.put(CloudEventSerializer.ENCODING_CONFIG, encoding);
        settings.put(CloudEventSerializer.EVENT_FORMAT_CONFIG, JsonFormat.CONTENT_TYPE);
        var serializer = new CloudEventSerializer();
        serializer.configure(settings, false);
        return new KafkaProducer<>(client, new StringSerializer(), serializer);
    }

    private KafkaProducer<String, byte[]> plain() {
        return new KafkaProducer<>(client, new StringSerializer(), new ByteArraySerializer());
    }

    private KafkaConsumer<byte[], byte[]> consumer() {
        Properties properties = new Properties();
        properties.putAll(client);
        properties.put("isolation.level", "read_committed");
        properties.put("enable.auto.commit", "false");
        return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** Where the topic of replies ends before anything is sent. */
    private Map<TopicPartition, Long> ends() {
        try (var consumer = consumer()) {
            var partitions = consumer.partitionsFor(said.get("--replies")).stream()
                .map(info -> new TopicPartition(info.topic(), info.partition())).toList();
            return consumer.endOffsets(partitions);
        }
    }

    private void listen(Map<TopicPartition, Long> from) throws Exception {
        var missing = new TreeSet<>(sent.keySet());
        try (var consumer = consumer()) {
            consumer.assign(from.keySet());
            from.forEach(consumer::seek);
            long until = System.nanoTime() + Duration.ofSeconds(120).toNanos();
            while (!missing.isEmpty() && System.nanoTime() < until) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    JsonNode reply = JSON.readTree(record.value());
                    String id = reply.path("origin_id").asText();
                    if (missing.remove(id)) {
                        ObjectNode line = JSON.createObjectNode();
                        line.put("how", sent.get(id));
                        line.set("reply", reply);
                        var trace = record.headers().lastHeader("traceparent");
                        line.put("traceparent", trace == null ? null : new String(trace.value(), StandardCharsets.UTF_8));
                        System.out.println(JSON.writeValueAsString(line));
                    }
                }
            }
        }
        if (!missing.isEmpty()) {
            System.err.println("no reply to " + missing.stream().map(sent::get).toList());
            System.exit(1);
        }
    }
}
