"""Trains the models, writes what the other side needs to a folder, then times one round of whatever it is asked for.

A question is a line such as `trees_batch_onnxruntime`, the answer a line of JSON with the number of rows and the seconds. Every
way that a library offers is a measure of its own: the asking side compares with the fastest."""

import json
import sys
import time
from pathlib import Path

import models
import numpy as np
import onnxruntime
import shap
import shapes
import xgboost

ONE_BY_ONE = 3_000
EXPLAINED = 1_000
AGAINST_BACKGROUND = 100
BLOCK = 256
# The shortest round, as on the other side.
SHORTEST_S = 0.2
SHAPE_ROWS = 4_096
KINDS = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_}


def session(graph):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def timed(rows, work):
    """Does the work until the clock has seen enough of it."""
    started, times, seconds = time.perf_counter(), 0, 0.0
    while seconds < SHORTEST_S:
        work()
        times += 1
        seconds = time.perf_counter() - started
    return {"rows": rows * times, "seconds": seconds}


class Runs:
    """One session of onnxruntime and the ways to run it over rows, which are those of the one input or of each by its name."""

    def __init__(self, graph, rows, wanted):
        self.session, self.wanted = session(graph), wanted
        self.rows = rows if isinstance(rows, dict) else {self.session.get_inputs()[0].name: rows}
        self.count = len(next(iter(self.rows.values())))
        self.singles = min(self.count, ONE_BY_ONE)

    def part(self, start, end):
        return {name: rows[start:end] for name, rows in self.rows.items()}

    def run(self, rows):
        return self.session.run([self.wanted], rows)[0]

    def answers(self):
        return self.run(self.rows)

    def whole(self):
        return timed(self.count, self.answers)

    def blocks(self):
        def work():
            for start in range(0, self.count, BLOCK):
                self.run(self.part(start, start + BLOCK))
        return timed(self.count, work)

    def single(self):
        """Each row is an array before the clock starts."""
        rows = [self.part(at, at + 1) for at in range(self.singles)]
        def work():
            for row in rows:
                self.session.run([self.wanted], row)
        return timed(len(rows), work)

    def single_ort_values(self):
        """The inputs are onnxruntime's own values before the clock starts."""
        value = onnxruntime.OrtValue.ortvalue_from_numpy
        of = lambda at: {name: value(rows.copy()) for name, rows in self.part(at, at + 1).items()}
        rows = [of(at) for at in range(self.singles)]
        def work():
            for row in rows:
                self.session.run_with_ort_values([self.wanted], row)
        return timed(len(rows), work)

    def single_bound(self):
        """Inputs and output are bound once; each row is copied into place."""
        row = {name: rows.copy() for name, rows in self.part(0, 1).items()}
        answer = self.run(row).copy()
        binding = self.session.io_binding()
        for name, place in row.items():
            binding.bind_cpu_input(name, place)
        binding.bind_output(self.wanted, "cpu", 0, answer.dtype, answer.shape, answer.ctypes.data)
        pairs = [(place, self.rows[name]) for name, place in row.items()]
        def work():
            for at in range(self.singles):
                for place, rows in pairs:
                    place[0] = rows[at]
                self.session.run_with_iobinding(binding)
        found = timed(self.singles, work)
        last = self.run(self.part(self.singles - 1, self.singles))
        assert np.array_equal(answer, last, equal_nan=True), "the binding answers another row"
        return found

    def measures(self, name):
        """Blocks and single rows by every way, the names starting with this one."""
        found = {f"{name}_onnxruntime": self.whole, f"{name}_onnxruntime_blocks": self.blocks, f"{name}_one_row_onnxruntime": self.single}
        # Words, and the dictionaries of a ZipMap, are no memory that can be bound.
        kinds = [rows.dtype != object for rows in self.rows.values()]
        kinds += [output.type.startswith("tensor(") for output in self.session.get_outputs() if output.name == self.wanted]
        if all(kinds):
            found |= {f"{name}_one_row_onnxruntime_ort_values": self.single_ort_values, f"{name}_one_row_onnxruntime_bound": self.single_bound}
        return found


def prepare(folder, root):
    """Trains, writes, and gives the measures by name."""
    rows, label = models.taiwan(root)
    booster = models.boosted(rows, label)
    forest = Runs(models.exported(booster), rows, "probabilities")
    standard = models.standardised(rows)
    net = Runs(models.dense(), standard, "probability")
    matrix = xgboost.DMatrix(rows, nthread=1)
    explained, background = rows[:EXPLAINED], rows[-models.BACKGROUND:]
    explained_matrix = xgboost.DMatrix(explained, nthread=1)
    interventional = shap.TreeExplainer(booster, background, feature_perturbation="interventional")
    few = rows[:AGAINST_BACKGROUND]

    def write(name, values, kind):
        np.ascontiguousarray(values, dtype=kind).tofile(folder / name)

    write("rows.f32", rows, "<f4")
    write("standardised.f32", standard, "<f4")
    write("background.f32", background, "<f4")
    write("margins.f32", booster.predict(matrix, output_margin=True), "<f4")
    write("onnxruntime.f32", forest.answers()[:, 1], "<f4")
    write("contributions.f64", booster.predict(explained_matrix, pred_contribs=True), "<f8")
    write("interventional.f64", interventional.shap_values(few, check_additivity=False), "<f8")
    write("dense.f32", net.answers(), "<f4")
    (folder / "trees.json").write_text(json.dumps(models.trees(booster)))
    (folder / "trees.onnx").write_bytes(models.exported(booster))
    (folder / "dense.onnx").write_bytes(models.dense())

    def predict_fresh():
        return booster.predict(xgboost.DMatrix(rows, nthread=1))

    return {
        "trees_batch_onnxruntime": forest.whole,
        "trees_batch_onnxruntime_blocks": forest.blocks,
        "trees_batch_xgboost": lambda: timed(len(rows), lambda: booster.inplace_predict(rows)),
        "trees_batch_xgboost_matrix": lambda: timed(len(rows), predict_fresh),
        "trees_one_row_onnxruntime": forest.single,
        "trees_one_row_onnxruntime_ort_values": forest.single_ort_values,
        "trees_one_row_onnxruntime_bound": forest.single_bound,
        "treeshap_xgboost": lambda: timed(EXPLAINED, lambda: booster.predict(explained_matrix, pred_contribs=True)),
        "treeshap_interventional_shap": lambda: timed(
            AGAINST_BACKGROUND, lambda: interventional.shap_values(few, check_additivity=False)),
        "dense_batch_onnxruntime": net.whole,
        "dense_batch_onnxruntime_blocks": net.blocks,
    }


def inputs_of(graph, rows, words):
    """Rows of features, in the graph's order, as its inputs take them: `words` are those of the codes of each feature."""
    inputs, at = {}, 0
    for taken in session(graph).get_inputs():
        shape = [len(rows), *taken.shape[1:]]
        width = rows.shape[1] - at if any(not isinstance(size, int) for size in shape) else int(np.prod(shape[1:]))
        shape = [size if isinstance(size, int) else -1 for size in shape]
        cells, kind = rows[:, at:at + width], KINDS.get(taken.type)
        if kind is None:
            named = [["", *words[at + column]] for column in range(width)]
            code = lambda value: 0 if np.isnan(value) else int(value) + 1
            cells = np.array([[named[column][code(value)] for column, value in enumerate(row)] for row in cells], dtype=object)
        inputs[taken.name] = np.ascontiguousarray(cells if kind is None else cells.astype(kind)).reshape(shape)
        at += width
    return inputs


def package(folder):
    """Measures of a package's graph over rows that the other side wrote; the answers go back to it."""
    asked = json.loads((folder / "package.json").read_text())
    graph, column = Path(asked["graph"]).read_bytes(), asked["column"]
    rows = np.fromfile(folder / "package.f32", dtype="<f4").reshape(-1, len(asked["words"]))
    runs = Runs(graph, inputs_of(graph, rows, asked["words"]), asked["output"])
    # Of two classes the second is default, unless a column is asked for; a lone column is the answer itself.
    answers = runs.answers()
    if isinstance(answers, list):  # of dictionaries, by class
        answers = np.array([list(row.values()) for row in answers])
    answers = answers.reshape(len(rows), -1)
    answers[:, -1 if column is None else column].astype("<f4").tofile(folder / "package_answers.f32")
    return runs.measures("package")


def shape(folder, made, name):
    """Measures of a shape; its rows and answers go to the other side, a file for each input in the graph's order."""
    graph, rows = (shapes.GRAPHS / f"{name}.onnx").read_bytes(), made.of(name)
    runs = Runs(graph, rows, session(graph).get_outputs()[0].name)
    for at, taken in enumerate(runs.session.get_inputs()):
        rows[taken.name].tofile(folder / f"shape_{at}")
    runs.answers().astype("<f4").tofile(folder / "shape_answers.f32")
    return runs.measures("shape")


def main():
    *how, folder, root = sys.argv[1:]
    folder = Path(folder)
    if how == ["--shapes"]:
        shapes.write(folder, root, session)
        return
    xgboost.set_config(verbosity=0)
    measures, made = prepare(folder, root), shapes.Inputs(root, SHAPE_ROWS)
    versions = {module.__name__: module.__version__ for module in (onnxruntime, xgboost, shap, np)}
    print(json.dumps({"versions": versions}), flush=True)
    for line in sys.stdin:
        name, *words = line.split()
        if name in ("package", "shape"):
            new = package(folder) if name == "package" else shape(folder, made, *words)
            # Whatever was measured of the one before is gone.
            measures = {key: work for key, work in measures.items() if not key.startswith(f"{name}_")} | new
            print(json.dumps(sorted(new)), flush=True)
            continue
        print(json.dumps(measures[name]()), flush=True)


if __name__ == "__main__":
    main()
