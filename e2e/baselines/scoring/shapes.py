"""The shapes that credit teams train nets in, as PyTorch exports them: where their graphs are, and the rows that they run on.

`shapes/` holds the graphs, which `shapes_torch.py` makes. Whoever only runs them needs no PyTorch."""

import csv
from pathlib import Path

import models
import numpy as np

GRAPHS = Path(__file__).parent / "shapes"
# Repayment status of four months, from -2 to 8: categories that are embedded or made one-hot.
CODES, LEVELS, LOWEST = 4, 11, -2
TOKENS = 16
MONTHS, FIGURES = 12, 4
NAMES = ["embeddings", "embeddings-apart", "one-hot", "norms", "residual", "softmax", "gru", "lstm", "attention"]


class Inputs:
    """What each shape takes, of so many customers, and who defaulted."""

    def __init__(self, root, rows):
        table, label = models.taiwan(root)
        standard = models.standardised(table)
        codes = (table[:, 1:1 + CODES] - LOWEST).astype(np.float32)
        assert codes.min() == 0 and codes.max() == LEVELS - 1
        numbers = np.delete(standard, range(1, 1 + CODES), axis=1)
        coded = {"x": np.hstack([codes, numbers])}
        history, late = histories(len(table))
        self.inputs = {
            "embeddings": coded, "one-hot": coded,
            "embeddings-apart": {"numbers": numbers, "codes": codes.astype(np.int64)},
            "norms": {"x": standard}, "residual": {"x": standard}, "softmax": {"x": standard},
            "gru": {"history": history}, "lstm": {"history": history},
            "attention": {"x": standard[:, :TOKENS]},
        }
        self.labels, self.rows = {"gru": late, "lstm": late}, rows
        self.label = label.astype(np.float32)

    def of(self, name):
        return {key: np.ascontiguousarray(values[:self.rows]) for key, values in self.inputs[name].items()}

    def defaulted(self, name):
        return self.labels.get(name, self.label)[:self.rows]


def histories(count):
    """Twelve months of balance, payment, share of the limit that is used and days past due, made up; and who was late at the end."""
    rng = np.random.default_rng(models.SEED)
    rows = np.zeros((count, MONTHS, FIGURES), np.float32)
    state = rng.normal(size=(count, FIGURES))
    for month in range(MONTHS):
        state = 0.8 * state + 0.6 * rng.normal(size=(count, FIGURES))
        rows[:, month] = state
    risk = rows[:, -3:, 3].sum(1) + rows[:, :, 2].mean(1) - rows[:, -1, 1]
    return rows, (risk + rng.logistic(size=count) > 2).astype(np.float32)


def header(inputs):
    """Names of the columns as `model run` finds them: of an input of several, with their number."""
    widths = {name: int(np.prod(values.shape[1:])) for name, values in inputs.items()}
    return [name if width == 1 else f"{name}[{at}]" for name, width in widths.items() for at in range(width)]


def write(folder, root, session, rows=1000):
    """Beside each graph rows as CSV and onnxruntime's answers to them, for whoever wants to run them by hand."""
    made = Inputs(root, rows)
    for name in NAMES:
        inputs, graph = made.of(name), (GRAPHS / f"{name}.onnx").read_bytes()
        (folder / f"{name}.onnx").write_bytes(graph)
        with open(folder / f"{name}.csv", "w", newline="") as file:
            out = csv.writer(file)
            out.writerow(header(inputs))
            columns = [column for values in inputs.values() for column in values.reshape(rows, -1).T]
            out.writerows(zip(*columns))
        answers = session(graph).run(None, inputs)[0].reshape(rows, -1)
        np.savetxt(folder / f"{name}.answers.csv", answers, fmt="%.9g", delimiter=",")
