package baseline;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * A published JSON Schema (draft 2020-12), compiled: the keywords that the events use, and an error for any other. The validators on
 * Maven Central interpret; this one is measured against the product, so it is as quick as it can be made simply.
 */
final class Schema {
    private static final Set<String> ANNOTATIONS =
        Set.of("$schema", "$id", "title", "description", "examples", "$defs", "default", "$comment", "deprecated");

    private final List<Rule> rules = new ArrayList<>();

    /** One keyword. {@code found} collects pointers of what is wrong; without it the first fault ends the look. */
    private interface Rule {
        boolean holds(JsonNode node, String at, List<String> found);
    }

    /** Schemas of event types, by type. */
    static Map<String, Schema> of(Path folder, List<String> types) throws IOException {
        Compiler compiler = new Compiler(folder);
        Map<String, Schema> found = new HashMap<>();
        for (String type : types) {
            found.put(type, compiler.at(type + ".json", ""));
        }
        return found;
    }

    boolean holds(JsonNode node) {
        return check(node, "", null);
    }

    /** Pointers of what is wrong. */
    List<String> faults(JsonNode node) {
        List<String> found = new ArrayList<>();
        check(node, "", found);
        return found;
    }

    private boolean check(JsonNode node, String at, List<String> found) {
        boolean good = true;
        for (Rule rule : rules) {
            if (!rule.holds(node, at, found)) {
                good = false;
                if (found == null) {
                    return false;
                }
            }
        }
        return good;
    }

    private void own(java.util.function.Predicate<JsonNode> test) {
        rules.add((node, at, found) -> {
            boolean good = test.test(node);
            if (!good && found != null) {
                found.add(at);
            }
            return good;
        });
    }

    /** Compiles, and remembers what was compiled by its address, so that definitions are shared and may refer to themselves. */
    private static final class Compiler {
        private final Path folder;
        private final Map<String, JsonNode> documents = new HashMap<>();
        private final Map<String, Schema> made = new HashMap<>();

        Compiler(Path folder) {
            this.folder = folder;
        }

        Schema at(String document, String pointer) throws IOException {
            Schema known = made.get(document + "#" + pointer);
            if (known != null) {
                return known;
            }
            JsonNode root = documents.get(document);
            if (root == null) {
                root = Json.parse(Files.readAllBytes(folder.resolve(document)));
                documents.put(document, root);
            }
            Schema schema = new Schema();
            made.put(document + "#" + pointer, schema);
            fill(schema, document, root.at(pointer));
            return schema;
        }

        private Schema of(String document, JsonNode said) throws IOException {
            Schema schema = new Schema();
            fill(schema, document, said);
            return schema;
        }

        private void fill(Schema schema, String document, JsonNode said) throws IOException {
            if (said.isBoolean()) {
                schema.own(node -> said.booleanValue());
                return;
            }
            if (!said.isObject()) {
                throw new IOException(document + ": no schema: " + said);
            }
            for (Map.Entry<String, JsonNode> entry : said.properties()) {
                JsonNode value = entry.getValue();
                switch (entry.getKey()) {
                    case "type" -> types(schema, value);
                    case "enum" -> {
                        Set<JsonNode> words = new HashSet<>();
                        value.forEach(words::add);
                        schema.own(words::contains);
                    }
                    case "const" -> schema.own(value::equals);
                    case "pattern" -> {
                        String text = value.textValue();
                        Pattern pattern = Pattern.compile(text.endsWith("$") ? text.substring(0, text.length() - 1) + "\\z" : text);
                        schema.own(node -> !node.isTextual() || pattern.matcher(node.textValue()).find());
                    }
                    case "format" -> format(schema, value.textValue());
                    case "minimum" -> schema.own(bound(value, 1));
                    case "maximum" -> schema.own(bound(value, -1));
                    case "exclusiveMinimum" -> {
                        double least = value.doubleValue();
                        schema.own(node -> !node.isNumber() || node.doubleValue() > least);
                    }
                    case "minLength" -> {
                        int least = value.intValue();
                        schema.own(node -> !node.isTextual() || length(node) >= least);
                    }
                    case "maxLength" -> {
                        int most = value.intValue();
                        schema.own(node -> !node.isTextual() || length(node) <= most);
                    }
                    case "minItems" -> schema.own(node -> !node.isArray() || node.size() >= value.intValue());
                    case "maxItems" -> schema.own(node -> !node.isArray() || node.size() <= value.intValue());
                    case "maxProperties" -> schema.own(node -> !node.isObject() || node.size() <= value.intValue());
                    case "minProperties" -> schema.own(node -> !node.isObject() || node.size() >= value.intValue());
                    case "required" -> {
                        List<String> names = new ArrayList<>();
                        value.forEach(name -> names.add(name.textValue()));
                        schema.own(node -> !node.isObject() || names.stream().allMatch(node::has));
                    }
                    case "properties" -> properties(schema, document, said);
                    case "additionalProperties" -> {
                        if (!said.has("properties")) {
                            properties(schema, document, said);
                        }
                    }
                    case "prefixItems", "items" -> {
                        if (entry.getKey().equals("items") || !said.has("items")) {
                            items(schema, document, said);
                        }
                    }
                    case "allOf" -> {
                        for (JsonNode each : value) {
                            Schema part = of(document, each);
                            schema.rules.add(part::check);
                        }
                    }
                    case "anyOf", "oneOf" -> {
                        List<Schema> parts = new ArrayList<>();
                        for (JsonNode each : value) {
                            parts.add(of(document, each));
                        }
                        boolean one = entry.getKey().equals("oneOf");
                        schema.own(node -> {
                            long count = parts.stream().filter(part -> part.holds(node)).count();
                            return one ? count == 1 : count > 0;
                        });
                    }
                    case "not" -> {
                        Schema part = of(document, value);
                        schema.own(node -> !part.holds(node));
                    }
                    case "if" -> {
                        Schema condition = of(document, value);
                        Schema then = said.has("then") ? of(document, said.get("then")) : new Schema();
                        Schema otherwise = said.has("else") ? of(document, said.get("else")) : new Schema();
                        schema.rules.add((node, at, found) -> (condition.holds(node) ? then : otherwise).check(node, at, found));
                    }
                    case "then", "else" -> { }
                    case "$ref" -> {
                        String[] to = value.textValue().split("#", 2);
                        Schema part = at(to[0].isEmpty() ? document : to[0], to.length > 1 ? to[1] : "");
                        schema.rules.add(part::check);
                    }
                    default -> {
                        if (!ANNOTATIONS.contains(entry.getKey())) {
                            throw new IOException(document + ": unknown keyword " + entry.getKey());
                        }
                    }
                }
            }
        }

        private void properties(Schema schema, String document, JsonNode said) throws IOException {
            Map<String, Schema> known = new HashMap<>();
            for (Map.Entry<String, JsonNode> entry : said.path("properties").properties()) {
                known.put(entry.getKey(), of(document, entry.getValue()));
            }
            JsonNode more = said.get("additionalProperties");
            Schema others = more == null ? null : of(document, more);
            schema.rules.add((node, at, found) -> {
                if (!node.isObject()) {
                    return true;
                }
                boolean good = true;
                for (Map.Entry<String, JsonNode> entry : node.properties()) {
                    Schema rule = known.getOrDefault(entry.getKey(), others);
                    String below = found == null ? "" : at + "/" + entry.getKey().replace("~", "~0").replace("/", "~1");
                    if (rule != null && !rule.check(entry.getValue(), below, found)) {
                        good = false;
                        if (found == null) {
                            return false;
                        }
                    }
                }
                return good;
            });
        }

        private void items(Schema schema, String document, JsonNode said) throws IOException {
            List<Schema> first = new ArrayList<>();
            for (JsonNode each : said.path("prefixItems")) {
                first.add(of(document, each));
            }
            Schema others = said.has("items") ? of(document, said.get("items")) : null;
            schema.rules.add((node, at, found) -> {
                if (!node.isArray()) {
                    return true;
                }
                boolean good = true;
                for (int i = 0; i < node.size(); i++) {
                    Schema rule = i < first.size() ? first.get(i) : others;
                    if (rule != null && !rule.check(node.get(i), found == null ? "" : at + "/" + i, found)) {
                        good = false;
                        if (found == null) {
                            return false;
                        }
                    }
                }
                return good;
            });
        }
    }

    private static void types(Schema schema, JsonNode value) {
        Set<String> words = new HashSet<>();
        if (value.isArray()) {
            value.forEach(word -> words.add(word.textValue()));
        } else {
            words.add(value.textValue());
        }
        boolean integer = words.contains("integer") && !words.contains("number");
        boolean number = words.contains("number") || integer;
        Set<JsonNodeType> types = new HashSet<>();
        words.stream().filter(word -> !word.equals("integer"))
            .forEach(word -> types.add(JsonNodeType.valueOf(word.toUpperCase(java.util.Locale.ROOT))));
        schema.own(node -> {
            if (node.isNumber()) {
                return number && (!integer || node.isIntegralNumber() || Math.rint(node.doubleValue()) == node.doubleValue());
            }
            return types.contains(node.getNodeType());
        });
    }

    private static java.util.function.Predicate<JsonNode> bound(JsonNode value, int sign) {
        if (value.isIntegralNumber()) {
            long most = value.longValue();
            return node -> !node.isNumber()
                || (node.canConvertToLong() && node.isIntegralNumber()
                    ? sign * Long.compare(node.longValue(), most) >= 0
                    : sign * Double.compare(node.doubleValue(), most) >= 0);
        }
        double most = value.doubleValue();
        return node -> !node.isNumber() || sign * Double.compare(node.doubleValue(), most) >= 0;
    }

    private static int length(JsonNode node) {
        String text = node.textValue();
        return text.codePointCount(0, text.length());
    }

    private static void format(Schema schema, String name) throws IOException {
        switch (name) {
            case "date" -> schema.own(node -> !node.isTextual() || isDate(node.textValue()));
            case "date-time" -> schema.own(node -> !node.isTextual() || isMoment(node.textValue()));
            default -> throw new IOException("unknown format " + name);
        }
    }

    private static boolean isDate(String text) {
        try {
            return text.length() == 10 && LocalDate.parse(text) != null;
        } catch (DateTimeParseException cause) {
            return false;
        }
    }

    private static boolean isMoment(String text) {
        try {
            // Seconds are no option in RFC 3339.
            return text.length() >= 20 && text.charAt(16) == ':' && OffsetDateTime.parse(text) != null;
        } catch (DateTimeParseException cause) {
            return false;
        }
    }
}
