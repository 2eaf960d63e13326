"""The ONNX project's own node tests: all of ai.onnx.ml, and those of the standard operators that exporters emit."""

import json
import warnings
from pathlib import Path

import cases
import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

# What skl2onnx, onnxmltools, CatBoost, PyTorch and tf2onnx emit for scorecards, trees, tables and dense nets.
OPERATORS = set(
    """
    Abs Add And ArgMax ArgMin BatchNormalization Cast Ceil Clip Concat Constant ConstantOfShape CumSum Div Dropout Elu Equal
    Erf Exp Expand Flatten Floor Gather GatherElements GatherND Gelu Gemm Greater GreaterOrEqual HardSigmoid HardSwish
    Identity IsInf IsNaN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax MatMul Max Mean Min Mish Mul Neg Not
    OneHot Or PRelu Pow Reciprocal ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
    Relu Reshape Round ScatterElements Selu Shape Sigmoid Sign Size Slice Softmax Softplus Softsign Split Sqrt Squeeze Sub
    Sum Swish Tanh Tile TopK Transpose Unsqueeze Where Xor
    """.split()
)

# Inputs that every exporter writes into the file: shapes, axes, bounds, weights. The tests hand them over at run time; here
# they are made the constants that they are in a model.
CONSTANTS = {
    "BatchNormalization": (1, 2, 3, 4),
    "ConstantOfShape": (0,),
    "CumSum": (1,),
    "Dropout": (1, 2),
    "Expand": (1,),
    "OneHot": (1, 2),
    "Reshape": (1,),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "Unsqueeze": (1,),
} | {operator: (1,) for operator in OPERATORS if operator.startswith("Reduce")}


def write(out: Path) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = collect_testcases()
    count = 0
    skipped = {}
    for case in found:
        node = asked(case)
        if node is None:
            continue
        reason = unwritable(case)
        if reason:
            skipped[case.name] = reason
            continue
        for index, (inputs, outputs) in enumerate(case.data_sets):
            name = case.name if index == 0 else f"{case.name}_{index}"
            model, inputs = with_constants(case.model, inputs)
            cases.write(out / name, model, inputs, outputs, rtol=case.rtol, atol=case.atol, operator=node)
            count += 1
    (out / "skipped.json").write_text(json.dumps(skipped, indent=1))
    return count


def asked(case) -> str | None:
    """The operator that a case is about, where we owe it; a function's expansion counts where it needs only such."""
    nodes = case.model.graph.node
    owed = all(node.domain == cases.ML or (node.domain == "" and node.op_type in OPERATORS) for node in nodes)
    return nodes[0].op_type if owed else None


def with_constants(model, inputs: list):
    """The same test with the inputs of CONSTANTS inside the file."""
    constant = {
        node.input[place]
        for node in model.graph.node
        for place in CONSTANTS.get(node.op_type, ())
        if place < len(node.input)
    }
    model, left = onnx.ModelProto.FromString(model.SerializeToString()), []
    for value, array in zip(list(model.graph.input), inputs):
        if value.name not in constant:
            left.append(array)
            continue
        tensor = array if isinstance(array, onnx.TensorProto) else numpy_helper.from_array(np.asarray(array))
        tensor.name = value.name
        model.graph.initializer.append(tensor)
        model.graph.input.remove(value)
    return model, left


def unwritable(case) -> str | None:
    """Why a case has no tensors of a type that a numpy file can carry."""
    for value in [*case.model.graph.input, *case.model.graph.output]:
        if not value.type.HasField("tensor_type"):
            return "sequences, maps and optionals"
        kind = value.type.tensor_type.elem_type
        try:
            dtype = helper.tensor_dtype_to_np_dtype(kind)
        except Exception:  # noqa: BLE001
            return "a type that numpy lacks"
        if dtype.kind not in "fiubOUS" or dtype.name in ("bfloat16",) or "float8" in dtype.name:
            return f"type {dtype.name}"
        if dtype.name in ("int4", "uint4", "int2", "uint2", "float4_e2m1fn"):
            return f"type {dtype.name}"
    return None
