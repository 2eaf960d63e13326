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
    yield from attributes()
    yield stump(yes=1, no=1), "tree 0, node 1: is reached by two ways"
    yield stump(yes=0, no=2), "tree 0, node 0: is reached by two ways"
    yield stump(yes=1, no=9), "a node 9 in tree 0, which another leads to"
    yield stump(feature=7), "asks for feature 7 of an input that has 5"
    yield stump(value=float("nan")), "tree 0, node 0: its threshold is NaN"
    yield stump(target=3), "votes for target 3 of 1"
    yield stump(mode="BRANCH_MAYBE"), "there is no mode BRANCH_MAYBE"


def attributes():
    """What a graph asks and an engine could pass over."""
    unknown = "node it ({}): does not take attribute {}: leave it out, or export the graph with an opset that has it"
    yield node("Relu", "", alpha=0.5), unknown.format("Relu", "alpha")
    yield node("Scaler", ML, offset=[0.0], scale=[1.0], shift=[1.0]), unknown.format("Scaler", "shift")
    yield node("Clip", "", min=0.0), "node it (Clip): does not take attribute min in opset 17"
    yield node("ReduceSum", "", axes=[1]), "node it (ReduceSum): does not take attribute axes in opset 17"
    yield node("ReduceMean", "", opset=18, axes=[1]), "node it (ReduceMean): does not take attribute axes in opset 18"
    yield node("Add", "", inputs=["x", "x"], opset=6), "node it (Add): means something else before opset 7"
    yield node("Relu", "", opset=29), "is of opset 29; opsets up to 28 run here: export it"
    twice = node("LeakyRelu", "", alpha=0.5)
    twice.graph.node[0].attribute.append(helper.make_attribute("alpha", 0.25))
    yield twice, "node it (LeakyRelu): has two attributes alpha"
    five = [numpy_helper.from_array(np.ones(5, np.float32), name) for name in "abcd"]
    trains = node("BatchNormalization", "", inputs=["x", *"abcd"], constants=five, training_mode=1)
    yield trains, "node it (BatchNormalization): takes attribute training_mode only as 0, not as 1"
    for name in ("FastGelu", "QuickGelu", "SimplifiedLayerNormalization", "ScaledTanh", "GlobalLpPool"):
        yield node(name, ""), f"node it ({name}): this engine has no such operator"
    parts = node("Split", "", opset=13, axis=1)
    parts.graph.node[0].output[:] = ["", "y"]
    yield parts, "node it (Split): leaves out an output, and gives a later one"
    yield node("Concat", "", inputs=["x", "", "x"], axis=1), "node it (Concat): leaves out an input that it needs"
    kernel = numpy_helper.from_array(np.ones((1, 1, 2, 2), np.float32), "kernel")
    padded = node("Conv", "", inputs=["x", "kernel"], constants=[kernel], pads=[1, 1, 1, 1], auto_pad="SAME_UPPER")
    yield padded, "node it (Conv): has pads and auto_pad, which exclude each other"
    branch = helper.make_graph([helper.make_node("Relu", ["x"], ["z"], name="it", alpha=0.5)], "branch", [], [value("z")])
    flag = numpy_helper.from_array(np.array(True), "flag")
    yield node("If", "", inputs=["flag"], constants=[flag], then_branch=branch, else_branch=branch), unknown.format("Relu", "alpha")


def value(name):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


def node(operator, domain, inputs=("x",), constants=(), opset=17, **attributes):
    made = helper.make_node(operator, list(inputs), ["y"], domain=domain, name="it", **attributes)
    x, y = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 5]), value("y")
    graph = helper.make_graph([made], "case", [x], [y], initializer=list(constants))
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(ML, 3), helper.make_opsetid("com.acme", 1)]
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
