"""Writes fitted models as ONNX graphs of standard operators only, so that any runtime reads them.

No scaler, imputer or ml-domain operator: subtraction, comparison and matrix products do it all. Bytes depend on the fitted
numbers alone: no timestamp, no tool version.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from defaultx_training.net import Net
from defaultx_training.scorecard import Scorecard

OPSET = 17
IR_VERSION = 8
F32 = TensorProto.FLOAT


def scorecard_graph(card: Scorecard) -> bytes:
    """features -> partials (per feature) -> margin.

    Each constant is a multiple of 2^-14 and each margin is below 64, so every partial sum is an exact f32: the order in
    which a runtime adds does not matter.
    """
    count = len(card.features)
    deltas = np.zeros((len(card.edges), count), dtype=np.float32)
    deltas[np.arange(len(card.edges)), card.feature_of] = card.deltas
    constants = {
        "columns": card.feature_of.astype(np.int64),
        "edges": card.edges,
        "deltas": deltas,
        "missing": card.missing.astype(np.float32),
        "ones": np.ones((count, 1), dtype=np.float32),
        "intercept": np.array([card.intercept], dtype=np.float32),
    }
    nodes = [
        helper.make_node("Gather", ["features", "columns"], ["spread"], axis=1),
        helper.make_node("Greater", ["spread", "edges"], ["above"]),
        helper.make_node("Cast", ["above"], ["steps"], to=F32),
        helper.make_node("MatMul", ["steps", "deltas"], ["points"]),
        helper.make_node("Add", ["points", "missing"], ["partials"]),
        helper.make_node("MatMul", ["partials", "ones"], ["total"]),
        helper.make_node("Add", ["total", "intercept"], ["margin"]),
    ]
    return serialise("scorecard", nodes, constants, count, {"margin": 1, "partials": count})


def net_graph(net: Net) -> bytes:
    """features -> squash and steps -> 64 -> 32 -> margin."""
    constants = {"one": np.array([1.0], dtype=np.float32)}
    nodes, parts = [], []
    if len(net.smooth):
        constants |= {"smooth": net.smooth, "centre": net.centre, "rate": net.rate}
        nodes += [
            helper.make_node("Gather", ["features", "smooth"], ["amounts"], axis=1),
            helper.make_node("Sub", ["amounts", "centre"], ["centred"]),
            helper.make_node("Mul", ["centred", "rate"], ["t"]),
            helper.make_node("Sign", ["t"], ["sign"]),
            helper.make_node("Abs", ["t"], ["size"]),
            helper.make_node("Add", ["size", "one"], ["size_1"]),
            helper.make_node("Log", ["size_1"], ["log"]),
            helper.make_node("Mul", ["sign", "log"], ["squashed"]),
        ]
        parts.append("squashed")
    if len(net.edges):
        constants |= {"coded": net.edge_feature, "edges": net.edges}
        nodes += [
            helper.make_node("Gather", ["features", "coded"], ["codes"], axis=1),
            helper.make_node("Greater", ["codes", "edges"], ["above"]),
            helper.make_node("Cast", ["above"], ["steps"], to=F32),
        ]
        parts.append("steps")
    nodes.append(helper.make_node("Concat", parts, ["inputs"], axis=1))
    last, source = len(net.layers) - 1, "inputs"
    for layer, (weights, bias) in enumerate(net.layers):
        constants |= {f"w{layer}": weights, f"b{layer}": bias}
        out = "margin" if layer == last else f"sum{layer}"
        nodes.append(helper.make_node("Gemm", [source, f"w{layer}", f"b{layer}"], [out]))
        if layer != last:
            source = f"hidden{layer}"
            nodes.append(helper.make_node("Relu", [out], [source]))
    return serialise("net", nodes, constants, len(net.features), {"margin": 1})


def serialise(name: str, nodes: list, constants: dict[str, np.ndarray], count: int, outputs: dict[str, int]) -> bytes:
    """A checked model with one input `features` [N, count] and named outputs [N, width]."""
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("features", F32, ["N", count])],
        [helper.make_tensor_value_info(out, F32, ["N", width]) for out, width in outputs.items()],
        [numpy_helper.from_array(np.ascontiguousarray(value), key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, producer_name="defaultx", opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)
