"""Operators over the values at which engines differ: what is no number, infinities, both zeros, subnormal numbers, the edges of
exponentials, very large numbers, and rows of which some or all are missing. Against onnxruntime."""

import itertools
from pathlib import Path

import cases
import numpy as np
from onnx import TensorProto, helper

NAN, INF = float("nan"), float("inf")
EDGES = [
    *(NAN, INF, -INF, 0.0, -0.0, 1e-42, -1e-42, 1e-8, -1e-8, 0.3, -0.7, 1.0, -1.0, 5.0, 20.0, -20.0, 87.9, 88.0, 88.5, 89.0, 90.0),
    *(-87.9, -88.5, -90.0, -104.0, 1000.0, -1000.0, 3e38, -3e38),
]
"""One row each."""

ROWS = [
    *([1.0, NAN, 3.0], [NAN, 1.0, 2.0], [3.0, 2.0, NAN], [NAN, NAN, NAN], [INF, NAN, 1.0], [INF, 1.0, -INF], [INF, INF, 1.0]),
    *([-INF, -INF, -INF], [-INF, 2.0, 1.0], [88.5, 90.0, 89.0], [1000.0, 999.0, 998.0], [-1000.0, -999.0, -1001.0], [3e38, 3e38, 1.0]),
    *([0.0, -0.0, 0.0], [1e-42, -1e-42, 0.0], [2.0, 2.0, 1.0], [1000.0, 0.0, -1000.0], [-104.0, 0.0, 1e-8]),
]

EACH = [
    *("Abs", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Celu", "Cos", "Cosh", "Elu", "Erf", "Exp", "Floor", "Gelu"),
    *("HardSigmoid", "HardSwish", "LeakyRelu", "Log", "Mish", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid"),
    *("Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh", "ThresholdedRelu", "IsNaN", "IsInf"),
]
FOLDS = [
    *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"),
    "ReduceSumSquare",
]
ALONG = ["ArgMax", "ArgMin", "Hardmax", "LogSoftmax", "Softmax"]
PAIRS = ["Add", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mul", "Pow", "PRelu", "Sub"]
CASTS = {
    "bool": TensorProto.BOOL,
    "double": TensorProto.DOUBLE,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "int8": TensorProto.INT8,
    "uint64": TensorProto.UINT64,
    "uint8": TensorProto.UINT8,
}


def write(out: Path) -> int:
    """Writes a case for each operator and type that onnxruntime has."""
    return cases.write_answered(out, every(), absent=("is invalid",), rtol=2e-6, atol=1e-37)


def every():
    for operator, dtype in itertools.product(EACH, (np.float32, np.float64)):
        x = np.array(EDGES, dtype).reshape(-1, 1)
        yield graph(operator, dtype, {"x": x})
    for operator, dtype in itertools.product(FOLDS, (np.float32, np.float64)):
        yield graph(operator, dtype, {"x": np.array(ROWS, dtype)}, constants=[np.array([1])], keepdims=1)
    for operator in ALONG:
        yield graph(operator, np.float32, {"x": np.array(ROWS, np.float32)}, axis=1)
    for operator in PAIRS:
        x, y = (np.array(side, np.float32).reshape(-1, 1) for side in zip(*itertools.product(EDGES, EDGES)))
        yield graph(operator, np.float32, {"x": x, "y": y})
    for name, kind in CASTS.items():
        yield graph("Cast", np.float32, {"x": np.array(EDGES, np.float32).reshape(-1, 1)}, name=f"Cast_{name}", to=kind)
    x = np.array(EDGES, np.float32).reshape(-1, 1)
    yield graph("Clip", np.float32, {"x": x}, constants=[np.float32(-1.0), np.float32(2.0)])
    rows = np.array(ROWS, np.float32)
    weights = np.array([[1.0, -1.0], [0.5, 0.0], [0.0, 2.0]], np.float32)
    yield graph("MatMul", np.float32, {"x": rows}, constants=[weights])
    yield graph("Gemm", np.float32, {"x": rows}, constants=[weights, np.float32([0.5, -0.5])])
    ones = np.ones(3, np.float32)
    yield graph("LayerNormalization", np.float32, {"x": rows}, constants=[ones, 0 * ones], axis=1)
    yield graph("TopK", np.float32, {"x": np.array(ROWS[9:], np.float32)}, constants=[np.array([2])], outputs=2, axis=1)


def graph(operator, dtype, feeds, constants=(), name=None, outputs=1, **attributes):
    """A graph of one node whose first inputs are given and whose others are constants."""
    given = list(feeds)
    named = {f"c{at}": np.asarray(value) for at, value in enumerate(constants)}
    gives = [f"out{at}" for at in range(outputs)]
    node = helper.make_node(operator, [*given, *named], gives, name="it", **attributes)
    value = helper.make_tensor_value_info
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    tensors = [
        helper.make_tensor(key, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape, array.ravel().tolist())
        for key, array in named.items()
    ]
    body = helper.make_graph(
        [node],
        "case",
        [value(key, kind, [None, array.shape[1]]) for key, array in feeds.items()],
        [helper.make_empty_tensor_value_info(key) for key in gives],
        tensors,
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    suffix = "" if np.dtype(dtype) == np.float32 else "_double"
    return f"{name or operator}{suffix}", model, feeds
