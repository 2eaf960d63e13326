"""Scorecards and nets: an exported graph under onnxruntime. A scorecard's own parts, less the reference's, are its contributions."""

import platform

import numpy as np
import onnxruntime


class Graph:
    """A graph that gives margins and, a scorecard's, parts of them."""

    method = "scorecard_exact"
    name = f"onnxruntime {onnxruntime.__version__}"
    kernel = f"{platform.machine()} CPUExecutionProvider"

    def __init__(self, graph: bytes, said: dict, reference: dict):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self.input = said["input"]
        self.outputs = [said[output] for output in ("margin", "partials") if output in said]
        # A net has no parts: it is proven, and explains nothing.
        self.mean = np.array(reference.get("mean_partials", ()))
        self.base = float(said.get("intercept", 0.0) + self.mean.sum())

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """Margins, and partials where the graph gives them."""
        margins, *partials = self.session.run(self.outputs, {self.input: x})
        return [margins[:, 0].astype(np.float64), *partials]

    def margins(self, x: np.ndarray) -> np.ndarray:
        """Log-odds of default."""
        return self.run(x)[0]

    def explained(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Margins and contributions of rows."""
        margins, partials = self.run(x)
        return margins, partials.astype(np.float64) - self.mean
