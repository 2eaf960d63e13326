package baseline;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.HashMap;
import java.util.Map;

/** A feature contract: application → values and flags. */
final class Contract {
    final String[] names;
    private final Feature[] features;

    /** An application that the contract says cannot be scored. */
    static final class Unscorable extends Exception {
        private static final long serialVersionUID = 1;

        Unscorable(String word, String feature) {
            super(word + ':' + feature, null, false, false);
        }
    }

    /** Values, and three sets of bits by feature. */
    static final class Row {
        final float[] values;
        long missing;
        long unknown;
        long clamped;

        Row(int width) {
            values = new float[width];
        }

        String flag(int i) {
            long bit = 1L << i;
            if ((clamped & bit) != 0) {
                return "clamped";
            }
            if ((unknown & bit) != 0) {
                return "unknown";
            }
            return (missing & bit) != 0 ? "missing" : null;
        }
    }

    private enum Kind { MONEY, CATEGORY, BOOLEAN, NUMBER }

    private static final class Feature {
        String name;
        Kind kind;
        Object[] steps;
        Expression expression;
        String currency;
        double scale;
        Map<String, Integer> codes;
        double low;
        double high;
        boolean hasRange;
        boolean mustBeThere;
        float standIn;
    }

    Contract(JsonNode said) {
        features = new Feature[said.size()];
        names = new String[features.length];
        for (int i = 0; i < features.length; i++) {
            features[i] = feature(said.get(i));
            names[i] = features[i].name;
        }
    }

    private static Feature feature(JsonNode said) {
        Feature feature = new Feature();
        feature.name = said.get("name").textValue();
        feature.kind = switch (said.get("type").textValue()) {
            case "money" -> Kind.MONEY;
            case "category" -> Kind.CATEGORY;
            case "boolean" -> Kind.BOOLEAN;
            default -> Kind.NUMBER;
        };
        if (said.has("expr")) {
            feature.expression = Expression.compile(said.get("expr").textValue());
        } else {
            feature.steps = Expression.steps(said.get("pointer").textValue());
        }
        feature.currency = said.path("unit").asText("").replaceFirst("^minor:", "");
        feature.scale = said.path("scale").asDouble(1.0);
        feature.codes = new HashMap<>();
        said.path("categories").forEach(word -> feature.codes.put(word.textValue(), feature.codes.size()));
        feature.hasRange = said.has("range");
        feature.low = said.path("range").path(0).asDouble();
        feature.high = said.path("range").path(1).asDouble();
        JsonNode missing = said.get("missing");
        feature.mustBeThere = missing.get("policy").textValue().equals("unscorable");
        feature.standIn = missing.get("policy").textValue().equals("value") ? (float) missing.path("value").asDouble() : Float.NaN;
        return feature;
    }

    Row row(JsonNode data) throws Unscorable {
        Row row = new Row(features.length);
        for (int i = 0; i < features.length; i++) {
            Feature feature = features[i];
            try {
                double value = value(feature, data, row, i);
                if (feature.hasRange && value < feature.low) {
                    value = feature.low;
                    row.clamped |= 1L << i;
                } else if (feature.hasRange && value > feature.high) {
                    value = feature.high;
                    row.clamped |= 1L << i;
                }
                row.values[i] = (float) value;
            } catch (Expression.Absent absent) {
                if (feature.mustBeThere) {
                    throw new Unscorable("missing", feature.name);
                }
                row.values[i] = feature.standIn;
                row.missing |= 1L << i;
            }
        }
        return row;
    }

    private static double value(Feature feature, JsonNode data, Row row, int i) throws Unscorable {
        if (feature.expression != null) {
            return switch (feature.kind) {
                case CATEGORY -> code(feature, feature.expression.text(data), row, i);
                case BOOLEAN -> feature.expression.truth(data) ? 1.0 : 0.0;
                default -> feature.expression.number(data);
            };
        }
        JsonNode raw = Expression.at(data, feature.steps);
        switch (feature.kind) {
            case MONEY -> {
                JsonNode amount = raw.get("amount_minor");
                JsonNode currency = raw.get("currency");
                if (amount == null || currency == null) {
                    throw Expression.Absent.IT;
                }
                if (!feature.currency.equals(currency.textValue())) {
                    throw new Unscorable("wrong_currency", feature.name);
                }
                return amount.doubleValue() * feature.scale;
            }
            case CATEGORY -> {
                return code(feature, raw.textValue(), row, i);
            }
            case BOOLEAN -> {
                if (!raw.isBoolean()) {
                    throw new Unscorable("wrong_type", feature.name);
                }
                return raw.booleanValue() ? 1.0 : 0.0;
            }
            default -> {
                if (!raw.isNumber()) {
                    throw new Unscorable("wrong_type", feature.name);
                }
                return raw.doubleValue();
            }
        }
    }

    private static double code(Feature feature, String word, Row row, int i) throws Unscorable {
        Integer code = feature.codes.get(word);
        if (code != null) {
            return code;
        }
        if (feature.mustBeThere) {
            throw new Unscorable("unknown_category", feature.name);
        }
        row.unknown |= 1L << i;
        return feature.standIn;
    }
}
