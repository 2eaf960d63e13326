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
import xgboost

ONE_BY_ONE = 3_000
EXPLAINED = 1_000
AGAINST_BACKGROUND = 100
BLOCK = 256


def session(graph):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def timed(rows, work):
    started = time.perf_counter()
    work()
    return {"rows": rows, "seconds": time.perf_counter() - started}


class Runs:
    """One session of onnxruntime and the ways to run it."""

    def __init__(self, graph, rows, wanted):
        self.session, self.rows, self.wanted = session(graph), rows, wanted
        self.input = self.session.get_inputs()[0].name

    def answers(self, rows):
        return self.session.run([self.wanted], {self.input: rows})[0]

    def whole(self):
        return timed(len(self.rows), lambda: self.answers(self.rows))

    def blocks(self):
        def work():
            for start in range(0, len(self.rows), BLOCK):
                self.answers(self.rows[start:start + BLOCK])
        return timed(len(self.rows), work)

    def single(self):
        rows = [self.rows[at:at + 1] for at in range(ONE_BY_ONE)]
        def work():
            for row in rows:
                self.session.run([self.wanted], {self.input: row})
        return timed(len(rows), work)

    def single_ort_values(self):
        """The inputs are onnxruntime's own values before the clock starts."""
        value = onnxruntime.OrtValue.ortvalue_from_numpy
        rows = [value(self.rows[at:at + 1].copy()) for at in range(ONE_BY_ONE)]
        def work():
            for row in rows:
                self.session.run_with_ort_values([self.wanted], {self.input: row})
        return timed(len(rows), work)

    def single_bound(self):
        """Input and output are bound once; each row is copied into place."""
        row, answer = self.rows[:1].copy(), self.answers(self.rows[:1]).copy()
        binding = self.session.io_binding()
        binding.bind_cpu_input(self.input, row)
        binding.bind_output(self.wanted, "cpu", 0, answer.dtype, answer.shape, answer.ctypes.data)
        def work():
            for at in range(ONE_BY_ONE):
                row[0] = self.rows[at]
                self.session.run_with_iobinding(binding)
        found = timed(ONE_BY_ONE, work)
        assert np.array_equal(answer, self.answers(self.rows[ONE_BY_ONE - 1:ONE_BY_ONE])), "the binding answers another row"
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
    write("onnxruntime.f32", forest.answers(rows)[:, 1], "<f4")
    write("contributions.f64", booster.predict(explained_matrix, pred_contribs=True), "<f8")
    write("interventional.f64", interventional.shap_values(few, check_additivity=False), "<f8")
    write("dense.f32", net.answers(standard), "<f4")
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


def package(folder, words):
    """Measures of a package's graph over rows that the other side wrote; the answers go back to it."""
    path, wanted, width = words
    rows = np.fromfile(folder / "package.f32", dtype="<f4").reshape(-1, int(width))
    runs = Runs(Path(path).read_bytes(), rows, wanted)
    # Of two classes the second is default; a lone column is the answer itself.
    runs.answers(rows).reshape(len(rows), -1)[:, -1].astype("<f4").tofile(folder / "package_answers.f32")
    return {"package_onnxruntime": runs.whole, "package_onnxruntime_blocks": runs.blocks}


def main():
    folder, root = Path(sys.argv[1]), sys.argv[2]
    xgboost.set_config(verbosity=0)
    measures = prepare(folder, root)
    versions = {module.__name__: module.__version__ for module in (onnxruntime, xgboost, shap, np)}
    print(json.dumps({"versions": versions}), flush=True)
    for line in sys.stdin:
        name, *words = line.split()
        if name == "package":
            measures |= package(folder, words)
            print(json.dumps({"rows": 0, "seconds": 0}), flush=True)
            continue
        print(json.dumps(measures[name]()), flush=True)


if __name__ == "__main__":
    main()
