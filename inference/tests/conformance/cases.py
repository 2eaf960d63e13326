"""A case on disk: a graph, the tensors it is given, and those it must give."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

ML = "ai.onnx.ml"


def write(folder: Path, model: onnx.ModelProto, inputs: list, outputs: list, natives: list | None = None, **said) -> None:
    """Writes a case. `natives` are what the exporter's library itself gives, output by output. `said` goes into case.json: rtol
    and atol, or `refused` for a graph that must not load."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    for side, tensors in (("input", inputs), ("output", outputs), ("native", natives or [])):
        for index, array in enumerate(tensors):
            tensor = array if isinstance(array, onnx.TensorProto) else numpy_helper.from_array(np.asarray(array))
            (folder / f"{side}_{index}.pb").write_bytes(tensor.SerializeToString())
    counts = {"inputs": len(inputs), "outputs": len(outputs), **({"natives": len(natives)} if natives else {})}
    (folder / "case.json").write_text(json.dumps({**counts, **said}))


def write_answered(out: Path, graphs, absent: tuple = (), **said) -> int:
    """Writes a case for each (name, model, inputs) that onnxruntime has, and tells how many. `absent` are more words of its errors
    that say it has not."""
    count = 0
    for name, model, inputs in graphs:
        try:
            found = answers(model, inputs)
        except Exception as error:  # noqa: BLE001
            if any(why in str(error) for why in ("NOT_IMPLEMENTED", "Could not find an implementation", *absent)):
                continue
            raise RuntimeError(f"{name}: {model.graph.node}") from error
        write(out / name, model, list(inputs.values()), found, **said)
        count += 1
    return count


def answers(model: onnx.ModelProto, inputs: dict) -> list:
    """What onnxruntime gives, on one thread; maps of probabilities as tensors, in the order of their labels."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [tensor(found) for found in session.run(None, inputs)]


def tensor(found):
    if isinstance(found, list) and found and isinstance(found[0], dict):
        return np.array([list(row.values()) for row in found], np.float32)
    return np.asarray(found)


def single_node(operator, inputs: list, outputs: list, opset: int, domain: str = ML, standard: int = 17, **attributes):
    """A graph of one node. Inputs and outputs are (name, numpy type) pairs."""
    node = helper.make_node(operator, [i for i, _, _ in inputs], [o for o, _ in outputs], domain=domain, name="it", **attributes)
    value = helper.make_tensor_value_info
    kind = helper.np_dtype_to_tensor_dtype
    graph = helper.make_graph(
        [node],
        "case",
        [value(name, kind(np.dtype(dtype)), [None] * rank) for name, dtype, rank in inputs],
        [value(name, kind(np.dtype(dtype)), None) for name, dtype in outputs],
    )
    imports = [helper.make_opsetid("", standard), helper.make_opsetid(ML, opset)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)
