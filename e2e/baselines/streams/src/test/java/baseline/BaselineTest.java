package baseline;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.test.TestRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The baseline gives the packages' own answers, and writes what the published schemas allow. */
class BaselineTest {
    private static final Path ROOT = Path.of("../../..");
    private static final List<String> TOPICS = List.of(
        "credit.intake.v1", "credit.identities.v1", "credit.protected.v1", "credit.applications.v1", "loan.replies.v1", "credit.risk.v1",
        "credit.decisions.v1");

    private static final List<String> TYPES = List.of(
        "application.received.v1", "identity.received.v1", "protected.received.v1", "application.accepted.v1", "application.replied.v1",
        "score.computed.v1", "decision.made.v1");

    private static JsonNode golden(String name) throws Exception {
        return Json.parse(Files.readAllBytes(ROOT.resolve("models").resolve(name).resolve("1.0.0/golden.json")));
    }

    private static ModelPackage loaded(String name, Trees.Explainer explainer) throws Exception {
        return new ModelPackage(ROOT, name, explainer);
    }

    @ParameterizedTest
    @ValueSource(strings = {"taiwan-xgboost", "sba-xgboost", "german-scorecard"})
    void rowsAndApplicationsScoreAsThePackageSays(String name) throws Exception {
        ModelPackage model = loaded(name, Trees.Explainer.EXACT);
        JsonNode golden = golden(name);
        for (JsonNode row : golden.get("rows")) {
            double margin = model.engine.explain(ModelPackage.row(row.get("features")), null);
            // Sums of trees have one order and no excuse to differ.
            assertEquals(row.get("margin").doubleValue(), margin, name.endsWith("xgboost") ? 0.0 : 1e-5);
            if (model.engine instanceof Trees trees) {
                assertEquals(margin, trees.marginOfXgboost(ModelPackage.row(row.get("features"))), 0.0);
            }
            double pd = model.pd(margin);
            assertEquals(row.get("pd").doubleValue(), pd, 1e-6);
            assertEquals(row.get("score").intValue(), model.points(pd));
            assertEquals(row.get("band").textValue(), model.band(model.points(pd)));
        }
        for (JsonNode each : golden.get("applications")) {
            Contract.Row row = model.contract.row(each.get("data"));
            assertArrayEquals(ModelPackage.row(each.get("features")), row.values);
            ModelPackage.Scored scored = model.score(row);
            assertEquals(each.get("pd").doubleValue(), scored.pd, 1e-6);
            assertEquals(each.get("score").intValue(), scored.points);
            double sum = 0.0;
            for (double part : scored.parts) {
                sum += part;
            }
            assertEquals(scored.margin, model.base + sum, 1e-4);
            assertEquals(0.0, scored.residual, 1e-5);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"taiwan-xgboost", "sba-xgboost"})
    void theRebuiltBoosterExplainsByCoversAsTheTrainedOneDid(String name) throws Exception {
        ModelPackage model = loaded(name, Trees.Explainer.PATH_DEPENDENT);
        int told = 0;
        for (JsonNode row : golden(name).get("rows")) {
            if (row.has("path_parts")) {
                double[] parts = new double[row.get("features").size()];
                model.engine.explain(ModelPackage.row(row.get("features")), parts);
                for (int i = 0; i < parts.length; i++) {
                    assertEquals(row.get("path_parts").get(i).doubleValue(), parts[i], 1e-5);
                }
                told++;
            }
        }
        assertTrue(told >= 8);
    }

    /** Of a row with a hole and of one without: Shapley values over all subsets of the features, against each row of the background. */
    @ParameterizedTest
    @ValueSource(strings = {"sba-xgboost"})
    void contributionsOfTreesAreShapleyValuesAgainstTheReference(String name) throws Exception {
        ModelPackage model = loaded(name, Trees.Explainer.EXACT);
        JsonNode golden = golden(name);
        assertEquals(golden.get("base").doubleValue(), model.base, 1e-6);
        JsonNode reference = Json.parse(Files.readAllBytes(ROOT.resolve("models").resolve(name).resolve("1.0.0/reference.json")));
        JsonNode background = reference.get(model.reference).get("background");
        List<float[]> rows = new ArrayList<>();
        float[] holed = null;
        float[] whole = null;
        for (JsonNode each : golden.get("rows")) {
            float[] row = ModelPackage.row(each.get("features"));
            boolean hole = false;
            for (float value : row) {
                hole |= Float.isNaN(value);
            }
            holed = hole ? row : holed;
            whole = hole ? whole : row;
        }
        rows.add(whole);
        if (holed != null) {
            rows.add(holed);
        }
        for (float[] row : rows) {
            double[] parts = new double[row.length];
            model.engine.explain(row, parts);
            assertArrayEquals(byDefinition(model.engine, row, background), parts, 1e-5);
        }
    }

    private static double[] byDefinition(Engine engine, float[] row, JsonNode background) {
        int width = row.length;
        double[] means = new double[1 << width];
        float[] mixed = new float[width];
        for (JsonNode each : background) {
            float[] other = ModelPackage.row(each);
            for (int set = 0; set < means.length; set++) {
                for (int i = 0; i < width; i++) {
                    mixed[i] = (set >> i & 1) == 1 ? row[i] : other[i];
                }
                means[set] += engine.explain(mixed, null) / background.size();
            }
        }
        double[] parts = new double[width];
        for (int i = 0; i < width; i++) {
            for (int set = 0; set < means.length; set++) {
                if ((set >> i & 1) == 0) {
                    double ways = 1.0;
                    int size = Integer.bitCount(set);
                    for (int k = 1; k <= size; k++) {
                        ways *= (double) (width - k) / k;
                    }
                    parts[i] += (means[set | 1 << i] - means[set]) / (width * ways);
                }
            }
        }
        return parts;
    }

    @ParameterizedTest
    @ValueSource(strings = {"application.submitted.v1", "application.withdrawn.v1"})
    void theSchemaHoldsGoodExamplesAndRefusesBadOnes(String type) throws Exception {
        Schema schema = Schema.of(ROOT.resolve("schemas/json"), List.of(type)).get(type);
        Set<Boolean> seen = new HashSet<>();
        try (Stream<Path> files = Files.list(ROOT.resolve("schemas/examples").resolve(type))) {
            for (Path file : files.filter(path -> path.toString().endsWith(".json")).toList()) {
                if (file.endsWith("faults.json")) {
                    continue; // says what is wrong with the bad ones
                }
                boolean good = !file.getFileName().toString().startsWith("bad");
                JsonNode body = Json.parse(Files.readAllBytes(file));
                assertEquals(good, schema.holds(body), file.toString());
                assertEquals(good, schema.faults(body).isEmpty(), file.toString());
                seen.add(good);
            }
        }
        assertEquals(2, seen.size());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '~', value = {
        "double(data.a.b) > 0.0 ? 1.0 : 0.0 ~ 0.0",
        "(double(data.a.c) > 0.0 ? 1.0 : 0.0) + (double(data.a.b) > -9.0 ? 2.0 : 3.0) ~ 3.0",
        "double(data.list[1]) / (double(data.a.c) + 1.0) ~ 2.0",
        "data.s + (data.t == \"no\" ? \"/line\" : \"\") ~ CA",
        "\"US-\" + data.s == data.t ~ true",
        "data.a.c > 1 && data.a.b > 0 || data.a.c == 4 ~ true",
    })
    void expressionsMeanWhatTheyMeanInCel(String cel, String expected) throws Exception {
        JsonNode data = Json.parse(Ids.bytes("{\"a\":{\"b\":-1,\"c\":4},\"s\":\"CA\",\"t\":\"US-CA\",\"list\":[1,10]}"));
        Expression made = Expression.compile(cel);
        Object value = made.isText() ? made.text(data) : made.isTruth() ? made.truth(data) : (Object) made.number(data);
        assertEquals(expected, value.toString());
    }

    @Test
    void idsAreThoseOfTheStandard() {
        // As Python's uuid.uuid5 of the same namespace.
        assertEquals("351d274e-c834-5b42-a0e7-57a91f0539b5", new Ids().uuid5(""));
        assertEquals("b8f58933-731f-594e-ab6f-d85b11e3afe0", new Ids().uuid5("a\u001fb"));
    }

    /** A topology at work without a broker. */
    private static final class Product implements AutoCloseable {
        final TopologyTestDriver driver;
        private final TestInputTopic<byte[], byte[]> applications;
        private final Map<String, Schema> schemas;

        Product(boolean fused) throws Exception {
            Properties properties = new Properties();
            properties.put(StreamsConfig.APPLICATION_ID_CONFIG, "test");
            properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "nowhere:1");
            properties.put(StreamsConfig.STATE_DIR_CONFIG, Files.createTempDirectory("baseline").toString());
            driver = new TopologyTestDriver(Hops.build(ROOT, "p.", Trees.Explainer.EXACT, fused, false), properties);
            applications = driver.createInputTopic("p.loan.applications.v1", new ByteArraySerializer(), new ByteArraySerializer());
            schemas = Schema.of(ROOT.resolve("schemas/json"), TYPES);
        }

        void send(JsonNode data) {
            Headers headers = new RecordHeaders();
            headers.add("ce_specversion", Ids.bytes("1.0"));
            headers.add("ce_id", Ids.bytes("e-1"));
            headers.add("ce_source", Ids.bytes("/los"));
            headers.add("ce_type", Ids.bytes("application.submitted.v1"));
            applications.pipeInput(new TestRecord<>(Ids.bytes("run-7"), Json.bytes(data), headers, 1_800_000_000_000L));
        }

        List<TestRecord<byte[], byte[]>> written(String topic) {
            var output = driver.createOutputTopic("p." + topic, new ByteArrayDeserializer(), new ByteArrayDeserializer());
            return output.readRecordsToList();
        }

        JsonNode lastReply() throws Exception {
            List<TestRecord<byte[], byte[]>> replies = written("loan.replies.v1");
            return Json.parse(replies.get(replies.size() - 1).value());
        }

        /** The one record of a topic, allowed by its schema. */
        JsonNode one(String topic) throws Exception {
            List<TestRecord<byte[], byte[]>> records = written(topic);
            assertEquals(1, records.size(), topic);
            String type = Ids.textOf(records.get(0).headers(), "ce_type");
            String text = Ids.text(records.get(0).value());
            JsonNode body = Json.parse(records.get(0).value());
            assertEquals(List.of(), schemas.get(type).faults(body), text);
            if (!topic.equals("credit.identities.v1") && !topic.equals("credit.protected.v1")) {
                assertTrue(!text.contains("nobody-by-name") && !text.contains("not-told"), topic);
            }
            return body;
        }

        @Override
        public void close() {
            driver.close();
        }
    }

    private static ObjectNode application(String name, int row) throws Exception {
        ObjectNode data = (ObjectNode) golden(name).get("applications").get(row).get("data");
        ObjectNode primary = (ObjectNode) data.get("applicants").get(0);
        primary.putObject("identity").put("name", "nobody-by-name");
        primary.putObject("protected").put("sex", "not-told");
        return data.put("application_id", "run-7").put("submitted_at", "2026-11-01T00:00:00Z");
    }

    @ParameterizedTest
    @CsvSource({"taiwan-xgboost,true", "sba-xgboost,true", "german-scorecard,true", "taiwan-xgboost,false", "sba-xgboost,false"})
    void everyHopWritesWhatThePublishedSchemasAllowAndNoPersonalData(String name, boolean fused) throws Exception {
        Set<String> outcomes = new HashSet<>();
        for (int row = 0; row < golden(name).get("applications").size(); row++) {
            try (Product product = new Product(fused)) {
                product.send(application(name, row));
                if (product.written("credit.dead-letters.v1").isEmpty()) {
                    for (String topic : TOPICS) {
                        JsonNode body = product.one(topic);
                        if (topic.equals("credit.decisions.v1")) {
                            outcomes.add(body.get("outcome").textValue());
                        }
                    }
                } // golden vectors also hold applications that no sender may send
            }
        }
        assertTrue(outcomes.size() > 1);
    }

    @Test
    void whatCameBeforeIsADuplicateAndWhatDiffersAConflict() throws Exception {
        ObjectNode data = application("taiwan-xgboost", 0);
        try (Product product = new Product(true)) {
            for (String expected : List.of("accepted", "duplicate")) {
                product.send(data);
                assertEquals(expected, product.lastReply().get("status").textValue());
            }
            assertEquals(1, product.written("credit.decisions.v1").size());
            product.send(data.deepCopy().put("channel", "branch"));
            assertEquals("conflict", product.lastReply().get("status").textValue());
            assertEquals(1, product.written("credit.dead-letters.v1").size());
            product.send(data.deepCopy().put("revision", 2));
            assertEquals("accepted", product.lastReply().get("status").textValue());
            product.send(data);
            assertEquals("superseded", product.lastReply().get("status").textValue());
            assertEquals(1, product.written("credit.decisions.v1").size());
        }
    }

    @ParameterizedTest
    @CsvSource({"tenant,other,wrong_tenant", "unknown,1,bad_value", "product,car,unknown_product",
        "submitted_at,2099-01-01T00:00:00Z,bad_time"})
    void aBadApplicationIsAnsweredAndKept(String field, String value, String word) throws Exception {
        try (Product product = new Product(true)) {
            product.send(application("taiwan-xgboost", 0).put(field, value));
            assertEquals(word, product.lastReply().get("problem").get("type").textValue());
            TestRecord<byte[], byte[]> dead = product.written("credit.dead-letters.v1").get(0);
            assertEquals(word, Ids.textOf(dead.headers(), "dl_reason"));
            assertNull(Ids.value(dead.headers(), "ce_causationid"));
        }
    }
}
