"""An exported tree ensemble read back from its ONNX: its sums exactly as the scoring side adds them, and its nodes' order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

LEAF = "LEAF"


@dataclass(frozen=True)
class Forest:
    """Nodes of all trees in one list. Votes are for the positive class."""

    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    strict: np.ndarray  # x < t instead of x <= t
    missing_yes: np.ndarray
    yes: np.ndarray
    no: np.ndarray
    leaf: np.ndarray
    weight: np.ndarray
    base: np.float32

    def margins(self, x: np.ndarray) -> np.ndarray:
        """Log-odds in f32: votes added tree by tree, the base last. Another engine has no excuse to differ in a bit."""
        x = np.asarray(x, dtype=np.float32)
        rows = np.arange(len(x))
        total = np.zeros(len(x), dtype=np.float32)
        for root in self.roots:
            at = np.full(len(x), root)
            while not self.leaf[at].all():
                value, threshold = x[rows, self.feature[at]], self.threshold[at]
                met = np.where(self.strict[at], value < threshold, value <= threshold)
                met = np.where(np.isnan(value), self.missing_yes[at], met)
                at = np.where(self.leaf[at], at, np.where(met, self.yes[at], self.no[at]))
            total = total + self.weight[at]
        return total + self.base

    def order(self, tree: int) -> list[int]:
        """Nodes of a tree, breadth first, yes before no: the order in which a package lists covers."""
        found = [int(self.roots[tree])]
        for node in found:
            if not self.leaf[node]:
                found += [int(self.yes[node]), int(self.no[node])]
        return found


def read(graph: bytes) -> Forest:
    """The one tree ensemble of a graph with two classes and one vote a leaf."""
    nodes = [node for node in onnx.load_from_string(graph).graph.node if node.op_type == "TreeEnsembleClassifier"]
    (node,) = nodes
    given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    trees, ids = given["nodes_treeids"], given["nodes_nodeids"]
    place = {pair: at for at, pair in enumerate(zip(trees, ids, strict=True))}
    modes = [mode.decode() for mode in given["nodes_modes"]]
    assert set(modes) <= {LEAF, "BRANCH_LT", "BRANCH_LEQ"} and given["post_transform"] == b"LOGISTIC"
    weight = np.zeros(len(modes), dtype=np.float32)
    voters = list(zip(given["class_treeids"], given["class_nodeids"], strict=True))
    assert len(set(voters)) == len(voters) and len(set(given["class_ids"])) == 1
    for voter, vote in zip(voters, given["class_weights"], strict=True):
        weight[place[voter]] = np.float32(vote)
    leaf = np.array([mode == LEAF for mode in modes])

    def child(name: str) -> np.ndarray:
        pairs = zip(trees, given[name], leaf, strict=True)
        return np.array([0 if end else place[(tree, number)] for tree, number, end in pairs])

    return Forest(
        roots=np.unique(np.array(trees), return_index=True)[1],
        feature=np.array(given["nodes_featureids"]),
        threshold=np.array(given["nodes_values"], dtype=np.float32),
        strict=np.array([mode == "BRANCH_LT" for mode in modes]),
        missing_yes=np.array(given["nodes_missing_value_tracks_true"], dtype=bool),
        yes=child("nodes_truenodeids"),
        no=child("nodes_falsenodeids"),
        leaf=leaf,
        weight=weight,
        base=np.float32((given.get("base_values") or [0.0])[0]),
    )
