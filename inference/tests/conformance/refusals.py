"""Graphs that must not load, each with a part of what the refusal must say: the node, and the way out."""

from pathlib import Path

import cases
import numpy as np
from onnx import TensorProto, helper, numpy_helper

ML = cases.ML


def write(out: Path) -> int:
    for index, (model, says) in enumerate(every()):
        cases.write(out / f"refusal_{index:02}", model, [], [], refused=True, says=says)
    return index + 1


def every():
    yield node("TfIdfVectorizer", ML), "node it (TfIdfVectorizer): this engine has no such operator; make text into numbers"
    yield node("DictVectorizer", ML), "node it (DictVectorizer): this engine has no such operator; give the features as a tensor"
    yield node("Scaler", "com.acme"), "node it (Scaler): is of domain com.acme; export with operators of ai.onnx and ai.onnx.ml"
    yield node("Scaler", ""), "node it (Scaler): this engine has no such operator"
    yield node("Scaler", ML, inputs=["nowhere"]), "node it (Scaler): nothing gives its input nowhere"
    yield node("TreeEnsembleRegressor", ML), "Node it (TreeEnsembleRegressor): expected attribute 'n_targets'"
    yield node("LinearClassifier", ML), "needs its labels in either classlabels_strings or classlabels_ints"
    huge = numpy_helper.from_array(np.array([1 << 40, 5], np.int64), "huge")
    yield node("Expand", "", inputs=["x", "huge"], constants=[huge]), "node it (Expand): makes a tensor of more than"
    short = helper.make_tensor("short", TensorProto.FLOAT, [2], np.zeros(2, np.float32).tobytes(), raw=True)
    short.dims[0] = 1 << 30
    yield node("Add", "", inputs=["x", "short"], constants=[short]), "tensor short: its dimensions [1073741824] do not fit"
    twice = node("Abs", "")
    twice.graph.node.append(twice.graph.node[0])
    yield twice, "two of its values are named y"
    lost = node("Abs", "")
    lost.graph.output[0].name = "z"
    yield lost, "nothing gives its output z"
    yield stump(yes=1, no=1), "tree 0, node 1: is reached by two ways"
    yield stump(yes=0, no=2), "tree 0, node 0: is reached by two ways"
    yield stump(yes=1, no=9), "a node 9 in tree 0, which another leads to"
    yield stump(feature=7), "asks for feature 7 of an input that has 5"
    yield stump(value=float("nan")), "tree 0, node 0: its threshold is NaN"
    yield stump(target=3), "votes for target 3 of 1"
    yield stump(mode="BRANCH_MAYBE"), "there is no mode BRANCH_MAYBE"


def node(operator, domain, inputs=("x",), constants=(), **attributes):
    made = helper.make_node(operator, list(inputs), ["y"], domain=domain, name="it", **attributes)
    value = helper.make_tensor_value_info
    x, y = value("x", TensorProto.FLOAT, [4, 5]), value("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([made], "case", [x], [y], initializer=list(constants))
    imports = [helper.make_opsetid("", 17), helper.make_opsetid(ML, 3), helper.make_opsetid("com.acme", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def stump(yes=1, no=2, feature=0, value=0.5, target=0, mode="BRANCH_LEQ"):
    return node(
        "TreeEnsembleRegressor",
        ML,
        n_targets=1,
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[feature, 0, 0],
        nodes_modes=[mode, "LEAF", "LEAF"],
        nodes_values=[value, 0.0, 0.0],
        nodes_truenodeids=[yes, 0, 0],
        nodes_falsenodeids=[no, 0, 0],
        target_treeids=[0, 0],
        target_nodeids=[1, 2],
        target_ids=[0, target],
        target_weights=[1.0, 2.0],
    )
