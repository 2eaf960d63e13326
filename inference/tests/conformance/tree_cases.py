"""Random trees for the three tree operators, over their attributes."""

import itertools

import cases
import numpy as np
import operators
from onnx import helper, numpy_helper

MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
WIDTH = 4


def every():
    for part in (regressors, binary, many, opset_5):
        yield from part(np.random.default_rng(11))


class Trees:
    """Full trees of random depth, as lists of nodes; leaves are to be given weights."""

    def __init__(self, rng, modes, missing, trees=6, depth=4):
        self.rng, self.modes, self.missing, self.depth = rng, modes, missing, depth
        self.lists = {key: [] for key in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")}
        self.tracks, self.leaves = [], []
        for tree in range(trees):
            self.next = 0
            self.grow(tree, 0)

    def grow(self, tree, level):
        number = self.next
        self.next += 1
        row = len(self.lists["treeids"])
        leaf = level == self.depth or (level > 0 and self.rng.random() < 0.25)
        given = (tree, number, 0, "LEAF", 0.0, 0, 0)
        for key, value in zip(self.lists, given):
            self.lists[key].append(value)
        self.tracks.append(0)
        if leaf:
            self.leaves.append((tree, number))
            return number
        self.lists["featureids"][row] = int(self.rng.integers(WIDTH))
        self.lists["modes"][row] = str(self.rng.choice(self.modes))
        self.lists["values"][row] = float(self.rng.integers(-8, 9) / 4)
        self.tracks[row] = int(self.rng.integers(2)) if self.missing else 0
        self.lists["truenodeids"][row] = self.grow(tree, level + 1)
        self.lists["falsenodeids"][row] = self.grow(tree, level + 1)
        return number

    def attributes(self, side, weights):
        """`weights` gives (target, weight) pairs for a leaf."""
        given = [(tree, node, target, weight) for tree, node in self.leaves for target, weight in weights()]
        columns = list(zip(*given))
        found = {f"nodes_{key}": values for key, values in self.lists.items()}
        names = ("treeids", "nodeids", "ids", "weights")
        found |= {f"{side}_{name}": list(column) for name, column in zip(names, columns)}
        if self.missing:
            found["nodes_missing_value_tracks_true"] = self.tracks
        return found


def in_double(attributes, side):
    """The same attributes as double tensors."""
    for name in ("nodes_values", f"{side}_weights", "base_values"):
        if name in attributes:
            attributes[f"{name}_as_tensor"] = numpy_helper.from_array(np.array(attributes.pop(name), np.float64))
    return attributes


def weight(rng):
    return float(np.float32(rng.normal()))


def regressors(rng):
    aggregates, types = ("SUM", "AVERAGE", "MIN", "MAX"), (np.float32, np.float64, np.int64)
    modes = [(mode,) for mode in MODES] + [MODES]
    for mode, missing, aggregate in itertools.product(modes, (False, True), aggregates):
        for dtype in types:
            targets = int(rng.integers(1, 4))
            trees = Trees(rng, mode, missing)
            attributes = trees.attributes("target", lambda: [(t, weight(rng)) for t in range(targets)])
            if rng.random() < 0.5:
                attributes["base_values"] = [weight(rng) for _ in range(targets)]
            x = operators.rows(rng, WIDTH, dtype)
            yield operators.case(
                "TreeEnsembleRegressor", x, 3, n_targets=targets, aggregate_function=aggregate, **attributes
            )
    for targets, post in itertools.product((1, 2, 3), operators.POSTS):
        trees = Trees(rng, MODES, True)
        probability = lambda: rng.random() / 10  # noqa: E731
        some = probability if post == "PROBIT" else lambda: weight(rng)
        attributes = trees.attributes("target", lambda: [(t, some()) for t in range(targets)])
        refused = targets == 1 and post not in ("NONE", "PROBIT")
        x = operators.rows(rng, WIDTH, np.float32)
        yield operators.case(
            "TreeEnsembleRegressor", x, 3, refused=refused, n_targets=targets, post_transform=post, **attributes
        )
    for targets in (1, 2):
        attributes = Trees(rng, MODES, True).attributes("target", lambda: [(t, rng.normal()) for t in range(targets)])
        x = operators.rows(rng, WIDTH, np.float64)
        yield operators.case("TreeEnsembleRegressor", x, 3, n_targets=targets, **in_double(attributes, "target"))


def classifier(x, labels, post, attributes, refused=False):
    text, ints, kind = operators.classes(labels)
    labelled = {**text, **({"classlabels_int64s": ints} if ints else {})}
    outputs = [("label", kind), ("scores", np.float32)]
    return operators.case(
        "TreeEnsembleClassifier", x, 3, outputs=outputs, refused=refused, post_transform=post, **labelled, **attributes
    )


def binary(rng):
    """Weights of class 0 alone, of class 1 alone, or of both; mixed signs or a probability; with and without base values."""
    schemes, signs, bases = ((0,), (1,), (0, 1)), (False, True), (0, 1, 2)
    for voted, positive, base, post in itertools.product(schemes, signs, bases, operators.POSTS):
        for labels, dtype in (([0, 1], np.float32), (["no", "yes"], np.float64)):
            trees = Trees(rng, MODES, True)
            some = (lambda: rng.random() / 6) if positive else (lambda: weight(rng))
            attributes = trees.attributes("class", lambda: [(c, some()) for c in voted])
            if base:
                attributes["base_values"] = [weight(rng) / 4 for _ in range(base)]
            single = voted == (0,)
            refused = (single and (base == 2 or post not in ("NONE", "LOGISTIC"))) or (not single and base > 0)
            yield classifier(operators.rows(rng, WIDTH, dtype), labels, post, attributes, refused)
    turns = itertools.cycle((0, 1))
    attributes = Trees(rng, MODES, True).attributes("class", lambda: [(next(turns), weight(rng))])
    yield classifier(operators.rows(rng, WIDTH, np.float32), [0, 1], "NONE", attributes, refused=True)


def many(rng):
    for all_vote, base, post in itertools.product((False, True), (0, 3), operators.POSTS):
        for labels, dtype in itertools.product(operators.LABELS[3], (np.float32, np.int64, np.float64)):
            trees = Trees(rng, MODES, True)
            some = (lambda: rng.random() / 20) if post == "PROBIT" else (lambda: weight(rng))
            votes = range(3) if all_vote else None
            attributes = trees.attributes("class", lambda: [(c, some()) for c in votes or [int(rng.integers(3))]])
            if base:
                attributes["base_values"] = [some() for _ in range(base)]
            if dtype == np.float64:
                attributes = in_double(attributes, "class")
            yield classifier(operators.rows(rng, WIDTH, dtype), labels, post, attributes)


def opset_5(rng):
    for dtype, missing, aggregate in itertools.product((np.float32, np.float64), (False, True), range(4)):
        for targets in (1, 3):
            for post in range(5):
                refused = post in (1, 2) or (targets == 1 and post == 3)
                probability = post == 4
                attributes = rooted(rng, dtype, missing, targets, probability)
                x = operators.rows(rng, WIDTH, dtype)
                yield operators.case(
                    "TreeEnsemble",
                    x,
                    5,
                    output=dtype,
                    refused=refused,
                    n_targets=targets,
                    aggregate_function=aggregate,
                    post_transform=post,
                    **attributes,
                )


def rooted(rng, dtype, missing, targets, probability):
    """Trees by their roots, with sets of members."""
    lists = {key: [] for key in ("featureids", "truenodeids", "falsenodeids", "trueleafs", "falseleafs")}
    modes, splits, members, tracks, leaf_targets, weights = [], [], [], [], [], []

    def leaf():
        leaf_targets.append(int(rng.integers(targets)))
        weights.append(rng.random() / 6 if probability else rng.normal())
        return len(weights) - 1

    def grow(level):
        row = len(modes)
        mode = int(rng.integers(7))
        modes.append(mode)
        splits.append(float(rng.integers(-8, 9) / 4))
        if mode == 6:
            members.append(sorted({float(rng.integers(0, 9) / 4) for _ in range(3)}))
        tracks.append(int(rng.integers(2)))
        for values in lists.values():
            values.append(0)
        lists["featureids"][row] = int(rng.integers(WIDTH))
        for side in ("true", "false"):
            end = level == 3 or rng.random() < 0.25
            lists[f"{side}leafs"][row] = int(end)
            lists[f"{side}nodeids"][row] = leaf() if end else grow(level + 1)
        return row

    roots = [grow(0) for _ in range(5)]
    tensor = lambda values: numpy_helper.from_array(np.array(values, dtype))  # noqa: E731
    attributes = {f"nodes_{key}": values for key, values in lists.items()}
    attributes |= {"tree_roots": roots, "leaf_targetids": leaf_targets, "leaf_weights": tensor(weights)}
    attributes |= {"nodes_splits": tensor(splits), "nodes_modes": helper.make_tensor("modes", 2, [len(modes)], modes)}
    if members:
        attributes["membership_values"] = tensor([v for members in members for v in (*members, np.nan)])
    if missing:
        attributes["nodes_missing_value_tracks_true"] = tracks
    return attributes
