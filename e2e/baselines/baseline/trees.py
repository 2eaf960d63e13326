"""Boosted trees under XGBoost, rebuilt from a package's exported graph and its covers: the booster that was trained, node for node.

Contributions come from whichever library is asked for; each takes whole blocks of rows and uses every processor.
"""

import multiprocessing
import os
import platform
import signal
from itertools import groupby, pairwise

import numpy as np
import onnx
import orjson
import xgboost

# Exact Shapley values against the reference, as the product's; the last kind has the training data for its baseline.
SHAP, WOODELF, PATH_DEPENDENT = "shap", "woodelf", "path-dependent"
EXPLAINERS = (WOODELF, SHAP, PATH_DEPENDENT)
PROCESSORS = len(os.sched_getaffinity(0))
NO_CHILD, NO_PARENT = -1, 2**31 - 1


class Trees:
    """A booster that gives margins and contributions."""

    name = f"xgboost {xgboost.__version__}"
    kernel = f"{platform.machine()} hist"

    def __init__(self, graph: bytes, covers: list, reference: dict, explainer: str):
        given = attributes(graph)
        background = np.array(reference["background"], dtype=np.float32)
        # The graph adds its base last, XGBoost would begin with it: added here, margins are the graph's to the bit.
        self.intercept = np.float32(given["base_values"][0])
        self.booster = rebuilt(given, covers, background.shape[1])
        if explainer == PATH_DEPENDENT:
            self.method = "treeshap_path_dependent"
            self.contributions = lambda x: self.by_covers(x)[:, :-1]
            self.base = float(self.intercept) + float(self.by_covers(background[:1])[0, -1])
        else:
            self.method = "treeshap_interventional"
            self.contributions = Shared(explainer, self.booster, background)
            self.base = float(self.margins(background).mean())

    def margins(self, x: np.ndarray) -> np.ndarray:
        """Log-odds of default."""
        return (self.booster.inplace_predict(x, predict_type="margin") + self.intercept).astype(np.float64)

    def explained(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Margins and contributions of rows."""
        return self.margins(x), self.contributions(x)

    def by_covers(self, x: np.ndarray) -> np.ndarray:
        """XGBoost's own path-dependent contributions, and what they begin with in the last column."""
        matrix = xgboost.DMatrix(x, nthread=PROCESSORS)
        return self.booster.predict(matrix, pred_contribs=True).astype(np.float64)


class Shared:
    """An explainer in as many processes as there are processors, each with its share of the trees: contributions add up."""

    def __init__(self, explainer: str, booster: xgboost.Booster, background: np.ndarray):
        # Not forked: threads of OpenMP do not live on in a child.
        context = multiprocessing.get_context("spawn")
        shares = np.linspace(0, booster.num_boosted_rounds(), PROCESSORS + 1).astype(int).tolist()
        self.ends = []
        for start, stop in pairwise(shares):
            end, other = context.Pipe()
            share = bytes(booster[start:stop].save_raw("ubj"))
            context.Process(target=serve, args=(other, explainer, share, background), daemon=True).start()
            # With the only copy of it in the child, the child ends when this process does, however that ends.
            other.close()
            self.ends.append(end)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        for end in self.ends:
            end.send(x)
        return sum(end.recv() for end in self.ends)


def serve(end, explainer: str, share: bytes, background: np.ndarray) -> None:
    """Explains blocks until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    booster = xgboost.Booster()
    booster.load_model(bytearray(share))
    explain = MAKERS[explainer](booster, background)
    try:
        while True:
            end.send(explain(end.recv()))
    except EOFError:
        pass


def by_shap(booster: xgboost.Booster, background: np.ndarray):
    """The reference implementation: each row against each row of the background, in C."""
    import shap

    explainer = shap.TreeExplainer(booster, background, feature_perturbation="interventional")
    return lambda x: explainer.shap_values(x, check_additivity=False)


def by_woodelf(booster: xgboost.Booster, background: np.ndarray):
    """Tables of the background's patterns, made anew in each call, then looked up: dear for few rows, cheap for many."""
    import pandas
    from woodelf import WoodelfExplainer

    columns = [f"f{i}" for i in range(background.shape[1])]
    explainer = WoodelfExplainer(booster, pandas.DataFrame(background, columns=columns))
    return lambda x: explainer.shap_values(pandas.DataFrame(x, columns=columns), verbose=False)


MAKERS = {SHAP: by_shap, WOODELF: by_woodelf}


def attributes(graph: bytes) -> dict:
    """What the graph's one ensemble is made of."""
    (node,) = (node for node in onnx.load_from_string(graph).graph.node if node.op_type == "TreeEnsembleClassifier")
    given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    if set(given["nodes_modes"]) != {b"LEAF", b"BRANCH_LT"} or given["post_transform"] != b"LOGISTIC":
        raise ValueError("not trees as XGBoost has them")
    return given


def rebuilt(given: dict, covers: list, width: int) -> xgboost.Booster:
    """The booster, without its base."""
    votes = dict(zip(zip(given["class_treeids"], given["class_nodeids"], strict=True), given["class_weights"], strict=True))
    places = range(len(given["nodes_treeids"]))
    grouped = groupby(places, key=given["nodes_treeids"].__getitem__)
    trees = [tree(number, list(own), given, votes, covers[number], width) for number, (_, own) in enumerate(grouped)]
    document = {
        "version": [3, 2, 0],
        "learner": {
            "attributes": {}, "feature_names": [], "feature_types": [],
            "gradient_booster": {"name": "gbtree", "model": {
                "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(len(trees))},
                "iteration_indptr": list(range(len(trees) + 1)), "tree_info": [0] * len(trees), "trees": trees,
            }},
            "learner_model_param": {
                # Of a probability of one half the log-odds are nothing.
                "base_score": "0.5", "boost_from_average": "1", "num_class": "0", "num_feature": str(width), "num_target": "1",
            },
            "objective": {"name": "binary:logistic", "reg_loss_param": {"scale_pos_weight": "1"}},
        },
    }
    booster = xgboost.Booster()
    booster.load_model(bytearray(orjson.dumps(document)))
    booster.set_param({"nthread": PROCESSORS})
    return booster


def tree(number: int, places: list[int], given: dict, votes: dict, covers: list, width: int) -> dict:
    """One tree in XGBoost's own form and order: breadth first, two children side by side, which its explainer takes for granted."""
    place = {given["nodes_nodeids"][at]: at for at in places}
    order = [places[0]]
    left, right, parents = [], [], [NO_PARENT]
    for node, at in enumerate(order):
        if given["nodes_modes"][at] == b"LEAF":
            left.append(NO_CHILD)
            right.append(NO_CHILD)
            continue
        left.append(len(order))
        right.append(len(order) + 1)
        parents += [node, node]
        order += [place[given["nodes_truenodeids"][at]], place[given["nodes_falsenodeids"][at]]]
    nothing = [0.0] * len(order)
    values = [
        votes[given["nodes_treeids"][at], given["nodes_nodeids"][at]] if child == NO_CHILD else given["nodes_values"][at]
        for at, child in zip(order, left, strict=True)
    ]
    return {
        "id": number, "left_children": left, "right_children": right, "parents": parents,
        "split_indices": [given["nodes_featureids"][at] for at in order],
        "split_conditions": values, "split_type": [0] * len(order),
        "default_left": [given["nodes_missing_value_tracks_true"][at] for at in order],
        "sum_hessian": covers, "base_weights": nothing, "loss_changes": nothing,
        "categories": [], "categories_nodes": [], "categories_segments": [], "categories_sizes": [],
        "tree_param": {
            "num_deleted": "0", "num_feature": str(width), "num_nodes": str(len(order)), "size_leaf_vector": "1",
        },
    }
