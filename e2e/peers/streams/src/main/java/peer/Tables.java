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

    /** Features on every path; shorter ones are filled up with questions that every row answers. */
    private final int width;
    private final int count;
    /** One entry for each leaf and feature on its path: what is asked. */
    private final int[] feature;
    private final float[] from;
    private final float[] below;
    private final boolean[] takesMissing;
    /** By leaf, pattern of answers and feature. */
    private final double[] parts;

    /** A leaf: what it asks of each feature on its path, and what each pattern of answers contributes. */
    private static final class Leaf {
        int[] feature;
        float[] from;
        float[] below;
        boolean[] takesMissing;
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
        List<Leaf> leaves = new ArrayList<>();
        for (Trees.Tree tree : trees) {
            for (int node = 0; node < tree.left().length; node++) {
                if (tree.left()[node] < 0) {
                    leaves.add(leaf(tree, node, background));
                }
            }
        }
        width = leaves.stream().mapToInt(leaf -> leaf.feature.length).max().orElseThrow();
        count = leaves.size();
        feature = new int[count * width];
        from = new float[count * width];
        below = new float[count * width];
        takesMissing = new boolean[count * width];
        parts = new double[count * width << width];
        java.util.Arrays.fill(from, Float.NEGATIVE_INFINITY);
        java.util.Arrays.fill(below, Float.POSITIVE_INFINITY);
        for (int number = 0; number < count; number++) {
            place(number, leaves.get(number));
        }
    }

    private void place(int number, Leaf leaf) {
        int own = leaf.feature.length;
        for (int i = 0; i < own; i++) {
            feature[number * width + i] = leaf.feature[i];
            from[number * width + i] = leaf.from[i];
            below[number * width + i] = leaf.below[i];
            takesMissing[number * width + i] = leaf.takesMissing[i];
        }
        // What fills up contributes nothing, whatever the answer.
        for (int pattern = 0; pattern < 1 << width; pattern++) {
            int start = pattern & (1 << own) - 1;
            System.arraycopy(leaf.parts, start * own, parts, ((number << width) + pattern) * width, own);
        }
    }

    /** Fills the contributions of a row. */
    void explain(float[] row, double[] into) {
        java.util.Arrays.fill(into, 0.0);
        for (int number = 0, at = 0; number < count; number++, at += width) {
            int pattern = 0;
            for (int i = 0; i < width; i++) {
                float value = row[feature[at + i]];
                boolean holds = value >= from[at + i] && value < below[at + i] || value != value && takesMissing[at + i];
                pattern |= (holds ? 1 : 0) << i;
            }
            int start = ((number << width) + pattern) * width;
            for (int i = 0; i < width; i++) {
                into[feature[at + i]] += parts[start + i];
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
