package peer;

import java.util.ArrayList;
import java.util.List;

/**
 * Exact Shapley values of trees against a background. For each leaf and each set of the features on its path that a row agrees with,
 * the mean contribution over the background is made once, at load; a row then costs a look into a table for each leaf.
 */
final class Tables {
    /** Most features on the way to a leaf: the tables grow with two to its power. */
    private static final int MOST = 10;

    private final Leaf[] leaves;

    /** A leaf: what it asks of each feature on its path, and what each pattern of answers contributes. */
    private static final class Leaf {
        int[] feature;
        float[] from;
        float[] below;
        boolean[] takesMissing;
        /** By pattern, then by feature. */
        double[] parts;

        int pattern(float[] row) {
            int pattern = 0;
            for (int i = 0; i < feature.length; i++) {
                float value = row[feature[i]];
                if (value != value ? takesMissing[i] : value >= from[i] && value < below[i]) {
                    pattern |= 1 << i;
                }
            }
            return pattern;
        }
    }

    Tables(Trees.Tree[] trees, float[][] background) {
        List<Leaf> found = new ArrayList<>();
        for (Trees.Tree tree : trees) {
            for (int node = 0; node < tree.left().length; node++) {
                if (tree.left()[node] < 0) {
                    found.add(leaf(tree, node, background));
                }
            }
        }
        leaves = found.toArray(Leaf[]::new);
    }

    /** Fills the contributions of a row. */
    void explain(float[] row, double[] parts) {
        java.util.Arrays.fill(parts, 0.0);
        for (Leaf leaf : leaves) {
            int width = leaf.feature.length;
            int start = leaf.pattern(row) * width;
            for (int i = 0; i < width; i++) {
                parts[leaf.feature[i]] += leaf.parts[start + i];
            }
        }
    }

    private static Leaf leaf(Trees.Tree tree, int node, float[][] background) {
        List<Integer> features = new ArrayList<>();
        for (int at = node; tree.parent()[at] != Integer.MAX_VALUE; at = tree.parent()[at]) {
            int feature = tree.feature()[tree.parent()[at]];
            if (!features.contains(feature)) {
                features.add(feature);
            }
        }
        int width = features.size();
        if (width > MOST) {
            throw new IllegalArgumentException("too many features on one path");
        }
        Leaf leaf = new Leaf();
        leaf.feature = features.stream().mapToInt(Integer::intValue).toArray();
        leaf.from = new float[width];
        leaf.below = new float[width];
        leaf.takesMissing = new boolean[width];
        java.util.Arrays.fill(leaf.from, Float.NEGATIVE_INFINITY);
        java.util.Arrays.fill(leaf.below, Float.POSITIVE_INFINITY);
        java.util.Arrays.fill(leaf.takesMissing, true);
        for (int at = node; tree.parent()[at] != Integer.MAX_VALUE; at = tree.parent()[at]) {
            int parent = tree.parent()[at];
            int i = features.indexOf(tree.feature()[parent]);
            boolean left = tree.left()[parent] == at;
            if (left) {
                leaf.below[i] = Math.min(leaf.below[i], tree.value()[parent]);
            } else {
                leaf.from[i] = Math.max(leaf.from[i], tree.value()[parent]);
            }
            leaf.takesMissing[i] &= tree.missingLeft()[parent] == left;
        }
        double[] share = new double[1 << width];
        for (float[] row : background) {
            share[leaf.pattern(row)] += 1.0 / background.length;
        }
        leaf.parts = parts(width, tree.value()[node], share);
        return leaf;
    }

    /**
     * The leaf is reached by a mixture where every feature agrees. A feature in which only the row agrees must be the row's; one in
     * which only the background does must be the background's; the rest is the Shapley value of that small game.
     */
    private static double[] parts(int width, double value, double[] share) {
        double[] parts = new double[width << width];
        int all = (1 << width) - 1;
        for (int own = 0; own <= all; own++) {
            for (int other = 0; other <= all; other++) {
                if (share[other] == 0.0 || (own | other) != all) {
                    continue;
                }
                int mine = Integer.bitCount(own & ~other);
                int theirs = Integer.bitCount(other & ~own);
                for (int i = 0; i < width; i++) {
                    int bit = 1 << i;
                    if ((own & bit) != 0 && (other & bit) == 0) {
                        parts[own * width + i] += share[other] * value * weight(mine - 1, theirs);
                    } else if ((other & bit) != 0 && (own & bit) == 0) {
                        parts[own * width + i] -= share[other] * value * weight(mine, theirs - 1);
                    }
                }
            }
        }
        return parts;
    }

    /** {@code a! b! / (a + b + 1)!} */
    private static double weight(int a, int b) {
        double weight = 1.0 / (a + b + 1);
        for (int i = 1; i <= a; i++) {
            weight *= (double) i / (b + i);
        }
        return weight;
    }
}
