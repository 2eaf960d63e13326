package baseline;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.toml.TomlMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import baseline.Catalogue.Reason;

/** A model package at work: an application in; score, contributions and reasons out. Shared by the tasks: holds no state of a row. */
final class ModelPackage {
    private static final TomlMapper TOML = new TomlMapper();
    private static final int MAX_REASONS = 4;
    private static final double CLAMP = 1.0e-6;

    final String name;
    final Engine engine;
    final Contract contract;
    final String reference;
    final double base;
    final double threshold;
    final int floor;
    final int cap;
    final String scaleId;
    /** The model as a score event has it, and as a decision has it. */
    final String model;
    final String modelOfDecision;
    private final boolean explains;
    private final JsonNode calibration;
    private final double[] margins;
    private final double[] pds;
    private final double a;
    private final double b;
    private final double baseScore;
    private final double perDoubling;
    private final double baseLogOdds;
    private final String[] bands;
    private final Reason[] reasons;
    private final int[][] codes;
    private final int[] fixed;
    private final float[] typical;

    /** What is said of one application. */
    static final class Scored {
        Contract.Row row;
        double margin;
        double pdRaw;
        double pd;
        int points;
        double[] parts;
        double residual;
        List<Found> reasons = List.of();
    }

    /** A candidate reason with the features behind it. */
    record Found(Reason reason, long features, double contribution) {}

    ModelPackage(Path root, String name, Trees.Explainer explainer) throws IOException {
        this.name = name;
        Path folder = root.resolve("models").resolve(name).resolve("1.0.0");
        byte[] text = Files.readAllBytes(folder.resolve("manifest.toml"));
        JsonNode manifest = TOML.readTree(text);
        byte[] graph = proven(folder.resolve("model.onnx"), manifest.get("graph_sha256").textValue());
        JsonNode document = Json.parse(proven(folder.resolve("reference.json"), manifest.get("reference_sha256").textValue()));
        reference = manifest.get("reasons").get("reference").textValue();
        JsonNode against = document.get(reference);
        float[][] background = rows(against.get("background"));
        Onnx onnx = Onnx.parse(graph);
        boolean trees = manifest.get("kind").textValue().equals("trees");
        engine = trees
            ? new Trees(onnx, document.get("covers"), background, explainer)
            : new Scorecard(onnx, manifest.get("graph").get("intercept").doubleValue(), against.get("mean_partials"));
        explains = !trees || explainer != Trees.Explainer.NONE;
        base = millionths(engine.base());
        JsonNode features = manifest.get("feature");
        contract = new Contract(features);
        calibration = manifest.get("calibration");
        a = calibration.path("a").asDouble();
        b = calibration.path("b").asDouble();
        margins = doubles(calibration.path("margins"));
        pds = doubles(calibration.path("pds"));
        threshold = manifest.get("classification").get("threshold").doubleValue();
        JsonNode scale = scale(root, manifest.get("scale_id").textValue());
        scaleId = scale.get("id").textValue();
        floor = scale.get("floor").intValue();
        cap = scale.get("cap").intValue();
        baseScore = scale.get("base_score").doubleValue();
        perDoubling = scale.get("pdo").doubleValue();
        baseLogOdds = Math.log(scale.get("base_odds").doubleValue());
        bands = bands(scale);
        Map<String, Reason> texts = new TreeMap<>();
        Catalogue.ALL.forEach(reason -> texts.put(reason.code(), reason));
        manifest.path("reason").forEach(said -> texts.put(said.get("code").textValue(), new Reason(said.get("code").textValue(),
            said.get("text").textValue(), said.get("form_c1").textValue(), said.get("hmda").intValue())));
        String[] sides = {"reason_low", "reason_high", "reason_missing"};
        List<String> spoken = new ArrayList<>();
        features.forEach(feature -> Arrays.stream(sides).map(side -> feature.get(side).textValue()).forEach(spoken::add));
        // In the order of their codes: the first of equals then is the product's.
        List<String> ordered = spoken.stream().distinct().sorted().toList();
        reasons = ordered.stream().map(texts::get).toArray(Reason[]::new);
        codes = new int[features.size()][];
        fixed = new int[features.size()];
        typical = new float[features.size()];
        for (int i = 0; i < features.size(); i++) {
            JsonNode feature = features.get(i);
            codes[i] = Arrays.stream(sides).mapToInt(side -> ordered.indexOf(feature.get(side).textValue())).toArray();
            fixed[i] = switch (feature.get("monotone").textValue()) {
                case "increasing" -> 1;
                case "decreasing" -> 0;
                default -> -1;
            };
            typical[i] = typical(background, i, feature.get("missing"));
        }
        ObjectNode short_ = TOML.createObjectNode();
        short_.put("name", name).put("version", manifest.get("version").textValue());
        short_.put("digest", HexFormat.of().formatHex(Ids.of("SHA-256").digest(text))).put("role", "champion");
        ObjectNode target = short_.putObject("target");
        for (String key : List.of("definition", "horizon_months", "population", "prior_correction")) {
            target.set(key, manifest.get("target").get(key));
        }
        modelOfDecision = short_.toString();
        model = short_.put("engine", engine.name()).put("kernel", engine.kernel()).toString();
    }

    private static byte[] proven(Path file, String digest) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        if (!HexFormat.of().formatHex(Ids.of("SHA-256").digest(bytes)).equals(digest)) {
            throw new IOException(file + " is another file than the manifest says");
        }
        return bytes;
    }

    private static float[][] rows(JsonNode said) {
        float[][] rows = new float[said.size()][];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = row(said.get(i));
        }
        return rows;
    }

    /** A row of features; what is missing is null. */
    static float[] row(JsonNode said) {
        float[] row = new float[said.size()];
        for (int i = 0; i < row.length; i++) {
            row[i] = said.get(i).isNull() ? Float.NaN : (float) said.get(i).doubleValue();
        }
        return row;
    }

    private static double[] doubles(JsonNode said) {
        double[] all = new double[said.size()];
        for (int i = 0; i < all.length; i++) {
            all[i] = said.get(i).doubleValue();
        }
        return all;
    }

    private static JsonNode scale(Path root, String id) throws IOException {
        for (JsonNode scale : TOML.readTree(Files.readAllBytes(root.resolve("models/scales.toml"))).get("scale")) {
            if (scale.get("id").textValue().equals(id)) {
                return scale;
            }
        }
        throw new IOException("no scale " + id);
    }

    private String[] bands(JsonNode scale) {
        String[] found = new String[cap - floor + 1];
        for (int points = floor; points <= cap; points++) {
            int best = Integer.MIN_VALUE;
            for (JsonNode band : scale.get("bands")) {
                int start = band.get("min_score").intValue();
                if (start <= points && start > best) {
                    best = start;
                    found[points - floor] = band.get("name").textValue();
                }
            }
        }
        return found;
    }

    private static float typical(float[][] background, int i, JsonNode missing) {
        float standIn = missing.get("policy").textValue().equals("value") ? (float) missing.get("value").doubleValue() : Float.NaN;
        double[] known = Arrays.stream(background).mapToDouble(row -> row[i])
            .filter(value -> !Double.isNaN(value) && (float) value != standIn).sorted().toArray();
        return known.length == 0 ? Float.NEGATIVE_INFINITY : (float) known[(known.length - 1) / 2];
    }

    static double millionths(double value) {
        return Math.rint(value * 1.0e6) / 1.0e6 + 0.0;
    }

    double pd(double margin) {
        double calibrated;
        if (calibration.get("method").textValue().equals("isotonic")) {
            int at = Arrays.binarySearch(margins, margin);
            int after = at >= 0 ? at : -at - 1;
            if (after == 0) {
                calibrated = pds[0];
            } else if (after == margins.length) {
                calibrated = pds[after - 1];
            } else {
                double share = (margin - margins[after - 1]) / (margins[after] - margins[after - 1]);
                calibrated = pds[after - 1] + share * (pds[after] - pds[after - 1]);
            }
        } else {
            calibrated = 1.0 / (1.0 + Math.exp(-(a * margin + b)));
        }
        return Math.floor(1.0e6 * calibrated + 0.5) / 1.0e6;
    }

    int points(double pd) {
        double bounded = Math.min(Math.max(pd, CLAMP), 1.0 - CLAMP);
        double logOdds = Math.log((1.0 - bounded) / bounded) - baseLogOdds;
        double points = Math.floor(baseScore + perDoubling / Math.log(2.0) * logOdds + 0.5);
        return (int) Math.min(Math.max(points, floor), cap);
    }

    String band(int points) {
        return bands[points - floor];
    }

    Scored score(Contract.Row row) {
        Scored scored = new Scored();
        scored.row = row;
        double[] parts = explains ? new double[row.values.length] : null;
        scored.margin = engine.explain(row.values, parts);
        scored.pd = pd(scored.margin);
        scored.pdRaw = millionths(1.0 / (1.0 + Math.exp(-scored.margin)));
        scored.points = points(scored.pd);
        if (parts != null) {
            double sum = 0.0;
            for (int i = 0; i < parts.length; i++) {
                sum += parts[i];
                parts[i] = millionths(parts[i]);
            }
            scored.residual = millionths(scored.margin - engine.base() - sum);
            scored.parts = parts;
            scored.reasons = ranked(row, parts);
        }
        return scored;
    }

    /** At most four candidate reasons: adverse features grouped by code, strongest first. */
    private List<Found> ranked(Contract.Row row, double[] parts) {
        double[] totals = new double[reasons.length];
        long[] behind = new long[reasons.length];
        for (int i = 0; i < parts.length; i++) {
            if (parts[i] <= 0.0) {
                continue;
            }
            int side = fixed[i] >= 0 ? fixed[i] : row.values[i] < typical[i] ? 0 : 1;
            int code = codes[i][((row.missing | row.unknown) >> i & 1) == 1 ? 2 : side];
            totals[code] += parts[i];
            behind[code] |= 1L << i;
        }
        List<Found> found = new ArrayList<>(MAX_REASONS);
        for (int rank = 0; rank < MAX_REASONS; rank++) {
            int best = -1;
            for (int code = 0; code < totals.length; code++) {
                if (behind[code] != 0 && (best < 0 || millionths(totals[code]) > millionths(totals[best]))) {
                    best = code;
                }
            }
            if (best < 0) {
                break;
            }
            found.add(new Found(reasons[best], behind[best], millionths(totals[best])));
            behind[best] = 0;
        }
        return found;
    }

    /** The parts of a score event that follow a scored application. */
    void write(JsonGenerator json, Scored scored) throws IOException {
        json.writeFieldName("score");
        writeScore(json, scored);
        json.writeArrayFieldStart("features");
        for (int i = 0; i < contract.names.length; i++) {
            json.writeStartObject();
            json.writeStringField("name", contract.names[i]);
            json.writeFieldName("value");
            float value = scored.row.values[i];
            if (Float.isNaN(value)) {
                json.writeNull();
            } else {
                json.writeNumber(value);
            }
            json.writeFieldName("contribution");
            json.writeNumber(scored.parts == null ? 0.0 : scored.parts[i]);
            String flag = scored.row.flag(i);
            if (flag != null) {
                json.writeStringField("flag", flag);
            }
            json.writeEndObject();
        }
        json.writeEndArray();
        json.writeObjectFieldStart("explanation");
        json.writeStringField("method", engine.method());
        json.writeStringField("reference", reference);
        json.writeNumberField("base", base);
        json.writeNumberField("residual", scored.residual);
        json.writeEndObject();
        json.writeArrayFieldStart("reasons");
        int rank = 1;
        for (Found found : scored.reasons) {
            json.writeStartObject();
            json.writeNumberField("rank", rank++);
            json.writeStringField("code", found.reason.code());
            json.writeStringField("text", found.reason.text());
            json.writeStringField("form_c1", found.reason.formC1());
            json.writeNumberField("hmda", found.reason.hmda());
            json.writeArrayFieldStart("features");
            for (int i = 0; i < contract.names.length; i++) {
                if ((found.features >> i & 1) == 1) {
                    json.writeString(contract.names[i]);
                }
            }
            json.writeEndArray();
            json.writeNumberField("contribution", found.contribution);
            json.writeEndObject();
        }
        json.writeEndArray();
    }

    private void writeScore(JsonGenerator json, Scored scored) throws IOException {
        json.writeStartObject();
        json.writeNumberField("margin", scored.margin);
        json.writeNumberField("pd_raw", scored.pdRaw);
        json.writeNumberField("pd", scored.pd);
        json.writeNumberField("class", scored.pd >= threshold ? 1 : 0);
        json.writeNumberField("threshold", threshold);
        json.writeNumberField("score", scored.points);
        json.writeArrayFieldStart("range");
        json.writeNumber(floor);
        json.writeNumber(cap);
        json.writeEndArray();
        json.writeStringField("scale_id", scaleId);
        json.writeStringField("band", band(scored.points));
        json.writeEndObject();
    }

    /** The score as it stands in both events. */
    String scoreText(Scored scored) {
        return Ids.text(Json.written(256, json -> writeScore(json, scored)));
    }
}
