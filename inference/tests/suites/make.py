"""Makes kinds: trains, exports with the stock converter, asks the library and onnxruntime, and writes one folder for each."""

import argparse
import hashlib
import json
import re
import shutil
import sys
import time
import warnings
from pathlib import Path

import kinds
import numpy as np
import onnx
import onnxruntime
import pandas
from data import ROWS, Data
from kind import Kind, undecided
from onnx.reference import ReferenceEvaluator
from tables import OtherShape, Part, by_row, write

HERE = Path(__file__).parent
# A change of these makes no kind another.
COMPARING = ("compare.py", "judge.py", "reasons.py", "report.py", "test_judge.py")


def main() -> int:
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    kinds.arguments(parser)
    parser.add_argument("--again", action="store_true", help="make kinds that stand there too")
    said = parser.parse_args()
    chosen, sources, faults = kinds.chosen(said), fingerprint(), 0
    for at, kind in enumerate(chosen):
        folder = said.out / kind.name
        stamp = folder / ".sources"
        if not said.again and stamp.exists() and stamp.read_text() == sources:
            continue
        start = time.monotonic()
        try:
            outcome = made(kind, folder)
            stamp.write_text(sources)
        except Exception as error:  # noqa: BLE001  the other kinds are still made
            outcome, faults = f"FAULT of this harness: {shortly(error)}", faults + 1
            shutil.rmtree(folder)
        print(f"make {at + 1}/{len(chosen)} {kind.name}: {outcome}, {time.monotonic() - start:.1f} s", file=sys.stderr)
    return 1 if faults else 0


def fingerprint() -> str:
    """Of everything that a kind depends on."""
    said = hashlib.sha256()
    for path in sorted([*HERE.glob("*.py"), *HERE.glob("kinds/*.py"), HERE / "requirements.txt"]):
        if path.name not in COMPARING:
            said.update(path.read_bytes())
    return said.hexdigest()


def made(kind: Kind, folder: Path) -> str:
    """Makes one kind. Each has data of its own, so that it does not matter which were made before."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    np.random.seed(0)
    data = Data()
    model, x = kind.learned(data), kind.rows(data)
    meta = {"name": kind.name, "library": kind.library, "rows": ROWS, "run_args": []}
    meta |= {"decided": kind.decided, "within": kind.within, "because": kind.because}
    try:
        graph = kind.exported(model, x)
    except Exception as error:  # noqa: BLE001  whatever a converter dies of is its answer
        note(folder, meta | {"not_exported": shortly(error)})
        return "not exported"
    (folder / "model.onnx").write_bytes(graph.SerializeToString())
    inputs = [value.name for value in graph.graph.input]
    meta["inputs"] = write_input(folder, data, kind.asked or kind.x, x, inputs)
    meta["undecided"] = undecided(model, x)
    meta |= answered(kind, model, graph, x, folder)
    note(folder, meta)
    refused = "made, onnxruntime refuses it" if "onnxruntime_refuses" in meta else "made"
    return refused if "expected" in meta else f"{refused}, and so does the reference"


def answered(kind: Kind, model, graph: onnx.ModelProto, x, folder: Path) -> dict:
    """Writes the answers of the library and of onnxruntime. What to note of them."""
    answers = [Part(*each) for each in kind.answers(model, x)]
    inputs, meta = [value.name for value in graph.graph.input], {}
    try:
        found = asked(folder / "model.onnx", x, inputs)
    except Exception as error:  # noqa: BLE001  its refusal is noted, and another reads the file in its place
        meta["onnxruntime_refuses"] = shortly(error)
        found = referred(graph, x, inputs)
    if found is None:
        natives = [(f"out{at}", by_row(part.values, ROWS), part.role) for at, part in enumerate(answers)]
        write(folder / "native.csv", natives)
        return meta | {"native": heads(natives)}
    if len(found) != len(answers):
        raise ValueError(f"{len(found)} outputs {[name for name, _ in found]}, and {len(answers)} answers")
    expected = [(name, by_row(values, ROWS), part.role) for (name, values), part in zip(found, answers, strict=True)]
    try:
        natives = [(name, part.fitted(values), part.role) for (name, values, _), part in zip(expected, answers, strict=True)]
    except OtherShape as error:
        meta["other_shape"] = str(error)
        natives = expected
    write(folder / "expected.csv", expected)
    write(folder / "native.csv", natives)
    return meta | {"expected": heads(expected), "native": heads(natives)}


def note(folder: Path, meta: dict) -> None:
    (folder / "meta.json").write_text(json.dumps(meta, indent=1, ensure_ascii=False))


def heads(parts: list) -> list:
    """For each output its name, the number of its columns, and what its numbers are."""
    return [[name, values.shape[1], role] for name, values, role in parts]


def shortly(error: Exception) -> str:
    """The beginning of an error, without places on this machine."""
    said = " ".join(re.sub(r"Load model from \S+ failed:|(?<=\s)\(?/\S+", "", str(error)).split())
    return f"{type(error).__name__}: {said[:240]}"


def write_input(folder: Path, data: Data, name: str, x, inputs: list[str]) -> dict:
    """The file of rows, and what the inputs are."""
    if isinstance(x, list):
        pandas.DataFrame(x).to_csv(folder / "input.csv", index=False)
        return {inputs[0]: ["map", [ROWS]]}
    if isinstance(x, pandas.DataFrame):
        x[inputs].to_csv(folder / "input.csv", index=False)
        return {each: [str(x[each].dtype), [ROWS, 1]] for each in inputs}
    values = x.astype(np.int64) if x.dtype == bool else x
    pandas.DataFrame(values, columns=data.names(name, x.shape[1])).to_csv(folder / "input.csv", index=False)
    return {inputs[0]: [str(x.dtype), list(x.shape)]}


def asked(path: Path, x, inputs: list[str]) -> list:
    """Name and answer of each output, by onnxruntime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    if isinstance(x, list):
        rows = [session.run(None, {inputs[0]: row}) for row in x]
        return [(name, np.concatenate([row[at] for row in rows])) for at, name in enumerate(names)]
    return list(zip(names, session.run(None, feeds(x, inputs)), strict=True))


def referred(graph: onnx.ModelProto, x, inputs: list[str]) -> list | None:
    """The same by the reference implementation of the standard, for a file that onnxruntime refuses; nothing if it does too."""
    names = [each.name for each in graph.graph.output]
    try:
        return list(zip(names, ReferenceEvaluator(graph).run(None, feeds(x, inputs)), strict=True))
    except Exception:  # noqa: BLE001  then nobody but this engine may run it
        return None


def feeds(x, inputs: list[str]) -> dict:
    """A tensor for each input."""
    if not isinstance(x, pandas.DataFrame):
        return {inputs[0]: x}
    return {each: x[[each]].to_numpy(object if x[each].dtype.kind not in "if" else x[each].dtype) for each in inputs}


if __name__ == "__main__":
    sys.exit(main())
