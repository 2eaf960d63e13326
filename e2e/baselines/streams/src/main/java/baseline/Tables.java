package baseline;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;

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
    /** Of each feature, every threshold in order: a value is known by how many of them it reaches. */
    private final float[][] thresholds;
    /** Three entries for each leaf and feature on its path: the feature, and the least and greatest rank that hold. */
    private final int[] asked;
    private final boolean[] takesMissing;
    /** By leaf, pattern of answers and feature. */
    private final float[] parts;

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
        thresholds = thresholds(trees, background[0].length);
        asked = new int[count * width * 3];
        takesMissing = new boolean[count * width];
        parts = new float[count * width << width];
        for (int number = 0; number < count; number++) {
            place(number, leaves.get(number));
        }
    }

    private static float[][] thresholds(Trees.Tree[] trees, int features) {
        List<TreeSet<Float>> found = new ArrayList<>();
        for (int i = 0; i < features; i++) {
            found.add(new TreeSet<>());
        }
        for (Trees.Tree tree : trees) {
            for (int node = 0; node < tree.left().length; node++) {
                if (tree.left()[node] >= 0) {
                    found.get(tree.feature()[node]).add(tree.value()[node]);
                }
            }
        }
        float[][] thresholds = new float[features][];
        for (int i = 0; i < features; i++) {
            thresholds[i] = new float[found.get(i).size()];
            int at = 0;
            for (float threshold : found.get(i)) {
                thresholds[i][at++] = threshold;
            }
        }
        return thresholds;
    }

    /** How many thresholds a value reaches. */
    private static int rank(float[] thresholds, float value) {
        int low = 0;
        int high = thresholds.length;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (thresholds[middle] <= value) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    private void place(int number, Leaf leaf) {
        int own = leaf.feature.length;
        for (int i = 0; i < width; i++) {
            int at = (number * width + i) * 3;
            asked[at + 2] = Integer.MAX_VALUE;
            takesMissing[number * width + i] = true;
            if (i < own) {
                float[] known = thresholds[leaf.feature[i]];
                asked[at] = leaf.feature[i];
                asked[at + 1] = leaf.from[i] == Float.NEGATIVE_INFINITY ? 0 : rank(known, leaf.from[i]);
                asked[at + 2] = leaf.below[i] == Float.POSITIVE_INFINITY ? known.length : rank(known, leaf.below[i]) - 1;
                takesMissing[number * width + i] = leaf.takesMissing[i];
            }
        }
        // What fills up contributes nothing, whatever the answer.
        for (int pattern = 0; pattern < 1 << width; pattern++) {
            int start = (pattern & (1 << own) - 1) * own;
            for (int i = 0; i < own; i++) {
                parts[((number << width) + pattern) * width + i] = (float) leaf.parts[start + i];
            }
        }
    }

    /** Fills the contributions of a row. */
    void explain(float[] row, double[] into) {
        Arrays.fill(into, 0.0);
        int[] ranks = new int[row.length];
        boolean holed = false;
        for (int i = 0; i < ranks.length; i++) {
            boolean missing = row[i] != row[i];
            holed |= missing;
            ranks[i] = missing ? -1 : rank(thresholds[i], row[i]);
        }
        if (width == 4) {
            ofFour(ranks, holed, into);
            return;
        }
        for (int number = 0, at = 0; number < count; number++, at += width) {
            int pattern = holed ? holedPattern(ranks, at) : 0;
            for (int i = 0, from = at * 3; i < width; i++, from += 3) {
                pattern |= answer(from, ranks[asked[from]]) << i;
            }
            int start = ((number << width) + pattern) * width;
            for (int i = 0, from = at * 3; i < width; i++, from += 3) {
                into[asked[from]] += parts[start + i];
            }
        }
    }

    /** The same without inner loops, for trees of depth four. */
    private void ofFour(int[] ranks, boolean holed, double[] into) {
        for (int number = 0, from = 0; number < count; number++, from += 12) {
            int a = asked[from];
            int b = asked[from + 3];
            int c = asked[from + 6];
            int d = asked[from + 9];
            int pattern = answer(from, ranks[a]) | answer(from + 3, ranks[b]) << 1 | answer(from + 6, ranks[c]) << 2
                | answer(from + 9, ranks[d]) << 3;
            if (holed) {
                pattern |= holedPattern(ranks, number << 2);
            }
            int start = (number << 4 | pattern) << 2;
            into[a] += parts[start];
            into[b] += parts[start + 1];
            into[c] += parts[start + 2];
            into[d] += parts[start + 3];
        }
    }

    /** One where the rank holds, without a jump: either difference is negative where it does not. */
    private int answer(int from, int rank) {
        return (rank - asked[from + 1] | asked[from + 2] - rank) >>> 31 ^ 1;
    }

    /** The answers of the features that are missing. */
    private int holedPattern(int[] ranks, int at) {
        int pattern = 0;
        for (int i = 0; i < width; i++) {
            if (ranks[asked[(at + i) * 3]] < 0 && takesMissing[at + i]) {
                pattern |= 1 << i;
            }
        }
        return pattern;
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
        Arrays.fill(leaf.from, Float.NEGATIVE_INFINITY);
        Arrays.fill(leaf.below, Float.POSITIVE_INFINITY);
        Arrays.fill(leaf.takesMissing, true);
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
