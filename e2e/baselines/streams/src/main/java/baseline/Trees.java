package baseline;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import ml.dmlc.xgboost4j.java.Booster;
import ml.dmlc.xgboost4j.java.DMatrix;
import ml.dmlc.xgboost4j.java.XGBoost;
import ml.dmlc.xgboost4j.java.XGBoostError;

/**
 * Boosted trees, rebuilt from a package's exported graph and its covers: the booster that was trained, node for node. XGBoost explains by
 * covers. Margins are walked here: a call of XGBoost for one row costs tens of times as much, and a test holds the two to the same bits.
 */
final class Trees implements Engine {
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final int NO_CHILD = -1;

    private final Booster booster;
    private final Tree[] trees;
    private final float intercept;
    private final Explainer explainer;
    private final Tables tables;
    private final double base;

    /** How contributions are made. */
    enum Explainer {
        /** Shapley values against the package's reference: the product's own. */
        EXACT("treeshap_interventional"),
        /** XGBoost's own. */
        PATH_DEPENDENT("treeshap_path_dependent"),
        /** Not at all: margins alone. */
        NONE("none");

        final String method;

        Explainer(String method) {
            this.method = method;
        }

        static Explainer of(String word) {
            return valueOf(word.toUpperCase(java.util.Locale.ROOT).replace('-', '_'));
        }
    }

    /** One tree in XGBoost's own order: breadth first, two children side by side. */
    record Tree(int[] left, int[] right, int[] parent, int[] feature, float[] value, boolean[] missingLeft) {
        float at(float[] row) {
            int node = 0;
            while (left[node] >= 0) {
                float found = row[feature[node]];
                node = (found != found ? missingLeft[node] : found < value[node]) ? left[node] : right[node];
            }
            return value[node];
        }
    }

    Trees(Onnx graph, JsonNode covers, float[][] background, Explainer explainer) {
        this.explainer = explainer;
        Map<String, Onnx.Attribute> given = attributes(graph);
        // The graph adds its base last, XGBoost would begin with it: added here, margins are the graph's to the bit.
        intercept = given.get("base_values").floats.get(0);
        trees = trees(given);
        try {
            booster = XGBoost.loadModel(Ids.bytes(document(trees, covers, background[0].length).toString()));
            booster.setParam("nthread", 1);
        } catch (XGBoostError | java.io.IOException cause) {
            throw new IllegalStateException(cause);
        }
        tables = explainer == Explainer.EXACT ? new Tables(trees, background) : null;
        base = switch (explainer) {
            case PATH_DEPENDENT -> intercept + byCovers(background[0])[background[0].length];
            default -> Arrays.stream(background).mapToDouble(row -> explain(row, null)).average().orElseThrow();
        };
    }

    @Override
    public String name() {
        return explainer == Explainer.PATH_DEPENDENT ? "xgboost 3.4.0" : "java " + Runtime.version().feature();
    }

    @Override
    public String kernel() {
        return System.getProperty("os.arch") + " trees";
    }

    @Override
    public String method() {
        return explainer.method;
    }

    @Override
    public double base() {
        return base;
    }

    @Override
    public double explain(float[] row, double[] parts) {
        if (parts != null && explainer == Explainer.EXACT) {
            tables.explain(row, parts);
        } else if (parts != null && explainer == Explainer.PATH_DEPENDENT) {
            float[] found = byCovers(row);
            for (int i = 0; i < parts.length; i++) {
                parts[i] = found[i];
            }
        }
        float margin = 0.0f;
        for (Tree tree : trees) {
            margin += tree.at(row);
        }
        return margin + intercept;
    }

    /** The same from XGBoost. */
    double marginOfXgboost(float[] row) throws XGBoostError {
        return booster.inplace_predict(row, 1, row.length, Float.NaN, new int[] {0, 0}, Booster.PredictionType.kMargin, null)[0][0]
            + intercept;
    }

    private float[] byCovers(float[] row) {
        // A booster takes matrices from one thread at a time.
        synchronized (booster) {
            try {
                DMatrix matrix = new DMatrix(row, 1, row.length, Float.NaN);
                try {
                    return booster.predictContrib(matrix, 0)[0];
                } finally {
                    matrix.dispose();
                }
            } catch (XGBoostError cause) {
                throw new IllegalStateException(cause);
            }
        }
    }

    private static Map<String, Onnx.Attribute> attributes(Onnx graph) {
        List<Onnx.Node> ensembles = graph.nodes.stream().filter(node -> node.type.equals("TreeEnsembleClassifier")).toList();
        Map<String, Onnx.Attribute> given = ensembles.get(0).attributes;
        boolean known = Set.copyOf(given.get("nodes_modes").strings).equals(Set.of("LEAF", "BRANCH_LT"))
            && given.get("post_transform").strings.equals(List.of("LOGISTIC"));
        if (ensembles.size() != 1 || !known) {
            throw new IllegalArgumentException("not trees as XGBoost has them");
        }
        return given;
    }

    private static Tree[] trees(Map<String, Onnx.Attribute> given) {
        int[] ids = given.get("nodes_treeids").intArray();
        int count = Arrays.stream(ids).max().orElseThrow() + 1;
        int[] numbers = given.get("nodes_nodeids").intArray();
        List<Map<Integer, Integer>> places = new java.util.ArrayList<>();
        List<Map<Integer, Float>> votes = new java.util.ArrayList<>();
        for (int tree = 0; tree < count; tree++) {
            places.add(new HashMap<>());
            votes.add(new HashMap<>());
        }
        int[] first = new int[count];
        for (int at = ids.length - 1; at >= 0; at--) {
            places.get(ids[at]).put(numbers[at], at);
            first[ids[at]] = at;
        }
        int[] leafTrees = given.get("class_treeids").intArray();
        int[] leafNodes = given.get("class_nodeids").intArray();
        float[] weights = given.get("class_weights").floatArray();
        for (int i = 0; i < leafTrees.length; i++) {
            votes.get(leafTrees[i]).put(leafNodes[i], weights[i]);
        }
        Columns columns = new Columns(
            given.get("nodes_modes").strings, given.get("nodes_truenodeids").intArray(), given.get("nodes_falsenodeids").intArray(),
            given.get("nodes_featureids").intArray(), given.get("nodes_values").floatArray(),
            given.get("nodes_missing_value_tracks_true").intArray(), numbers);
        Tree[] trees = new Tree[count];
        for (int tree = 0; tree < count; tree++) {
            trees[tree] = columns.tree(first[tree], places.get(tree), votes.get(tree));
        }
        return trees;
    }

    /** The graph's columns, one entry for each node. */
    private record Columns(
            List<String> modes, int[] yes, int[] no, int[] features, float[] values, int[] missingYes, int[] numbers) {
        Tree tree(int root, Map<Integer, Integer> places, Map<Integer, Float> votes) {
            int size = places.size();
            int[] order = new int[size];
            Tree tree = new Tree(new int[size], new int[size], new int[size], new int[size], new float[size], new boolean[size]);
            order[0] = root;
            tree.parent[0] = Integer.MAX_VALUE;
            int known = 1;
            for (int node = 0; node < size; node++) {
                int at = order[node];
                tree.feature[node] = features[at];
                tree.missingLeft[node] = missingYes[at] == 1;
                if (modes.get(at).equals("LEAF")) {
                    tree.left[node] = tree.right[node] = NO_CHILD;
                    tree.value[node] = votes.get(numbers[at]);
                    continue;
                }
                tree.value[node] = values[at];
                tree.left[node] = known;
                tree.right[node] = known + 1;
                tree.parent[known] = tree.parent[known + 1] = node;
                order[known++] = places.get(yes[at]);
                order[known++] = places.get(no[at]);
            }
            return tree;
        }
    }

    /** The booster, without its base, as XGBoost reads it. */
    private static ObjectNode document(Tree[] trees, JsonNode covers, int width) {
        ObjectNode learner = NODES.objectNode();
        learner.putObject("attributes");
        learner.putArray("feature_names");
        learner.putArray("feature_types");
        ObjectNode model = learner.putObject("gradient_booster").put("name", "gbtree").putObject("model");
        model.putObject("gbtree_model_param").put("num_parallel_tree", "1").put("num_trees", Integer.toString(trees.length));
        ArrayNode starts = model.putArray("iteration_indptr").add(0);
        ArrayNode info = model.putArray("tree_info");
        ArrayNode list = model.putArray("trees");
        for (int number = 0; number < trees.length; number++) {
            starts.add(number + 1);
            info.add(0);
            list.add(tree(number, trees[number], covers.get(number), width));
        }
        // Of a probability of one half the log-odds are nothing.
        learner.putObject("learner_model_param").put("base_score", "0.5").put("boost_from_average", "1").put("num_class", "0")
            .put("num_feature", Integer.toString(width)).put("num_target", "1");
        learner.putObject("objective").put("name", "binary:logistic").putObject("reg_loss_param").put("scale_pos_weight", "1");
        ObjectNode document = NODES.objectNode();
        document.putArray("version").add(3).add(2).add(0);
        document.set("learner", learner);
        return document;
    }

    private static ObjectNode tree(int number, Tree tree, JsonNode covers, int width) {
        ObjectNode made = NODES.objectNode().put("id", number);
        ints(made, "left_children", tree.left);
        ints(made, "right_children", tree.right);
        ints(made, "parents", tree.parent);
        ints(made, "split_indices", tree.feature);
        ArrayNode conditions = made.putArray("split_conditions");
        ArrayNode types = made.putArray("split_type");
        ArrayNode missing = made.putArray("default_left");
        ArrayNode weights = made.putArray("base_weights");
        ArrayNode changes = made.putArray("loss_changes");
        for (int node = 0; node < tree.left.length; node++) {
            conditions.add(tree.value[node]);
            types.add(0);
            missing.add(tree.missingLeft[node] ? 1 : 0);
            weights.add(0.0f);
            changes.add(0.0f);
        }
        ArrayNode hessians = made.putArray("sum_hessian");
        covers.forEach(cover -> hessians.add(cover.floatValue()));
        for (String empty : List.of("categories", "categories_nodes", "categories_segments", "categories_sizes")) {
            made.putArray(empty);
        }
        made.putObject("tree_param").put("num_deleted", "0").put("num_feature", Integer.toString(width))
            .put("num_nodes", Integer.toString(tree.left.length)).put("size_leaf_vector", "1");
        return made;
    }

    private static void ints(ObjectNode made, String name, int[] values) {
        ArrayNode array = made.putArray(name);
        for (int value : values) {
            array.add(value);
        }
    }
}
