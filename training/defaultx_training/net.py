"""The dense net: a soft-log squash of each number, steps for codes, then a 64-32 perceptron.

The squash is sign(t)·ln(1+|t|) of t = (x - centre)·rate: near the centre a plain standardisation, far from it a logarithm,
so that a bill a thousand times the usual one moves the margin but does not throw it. Codes (categories, booleans, small
integers) enter as steps, because their distances mean nothing.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from defaultx_training.features import Feature
from defaultx_training.scorecard import wide_enough

HIDDEN = (64, 32)
BATCH = 256
LEARNING_RATE = 5.0e-4
GRID = 2.0**-12  # of weights: the sums over steps are then exact in f32, which halves what engines may differ by
UNKNOWN_CODE = -1.0  # a missing category lies below every step
FEW_CODES = 12


class Net(ClassifierMixin, BaseEstimator):
    """A fitted one has `centre`, `rate`, `edges`, `edge_feature` and `layers`, all f32."""

    def __init__(self, features: list[Feature], alpha: float, epochs: int, seed: int = 0):
        self.features = features
        self.alpha = alpha
        self.epochs = epochs
        self.seed = seed

    def fit(self, x: np.ndarray, y: np.ndarray) -> Net:
        """Learns from f32 features and 0/1 labels."""
        self.classes_ = np.array([0, 1])
        x = np.asarray(x, dtype=np.float32)
        self._lay_steps(x)
        self._centre(x)
        # A fixed number of epochs: the library's early stopping watches accuracy, which says little at these base rates.
        mlp = MLPClassifier(
            HIDDEN, alpha=self.alpha, batch_size=BATCH, learning_rate_init=LEARNING_RATE, max_iter=self.epochs,
            tol=0.0, n_iter_no_change=self.epochs, random_state=self.seed,
        )  # fmt: skip
        with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
            mlp.fit(self.squash(x).astype(np.float32), y)
        pairs = zip(mlp.coefs_, mlp.intercepts_, strict=True)
        self.layers = [(on_grid(weights), on_grid(bias)) for weights, bias in pairs]
        return self

    def squash(self, x: np.ndarray) -> np.ndarray:
        """What the perceptron sees, in f64."""
        x = np.asarray(x, dtype=np.float32)
        wide = x[:, self.smooth].astype(np.float64)
        t = (wide - self.centre.astype(np.float64)) * self.rate.astype(np.float64)
        steps = (x[:, self.edge_feature] > self.edges).astype(np.float64)
        return np.hstack([np.sign(t) * np.log1p(np.abs(t)), steps])

    def decision_function(self, x: np.ndarray) -> np.ndarray:
        """The margin: log-odds of default, in f64 over the f32 weights."""
        h = self.squash(x)
        for weights, bias in self.layers[:-1]:
            h = np.maximum(h @ weights.astype(np.float64) + bias.astype(np.float64), 0.0)
        weights, bias = self.layers[-1]
        return (h @ weights.astype(np.float64) + bias.astype(np.float64))[:, 0]

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Uncalibrated probabilities of both classes."""
        pd = 1.0 / (1.0 + np.exp(-self.decision_function(x)))
        return np.column_stack([1.0 - pd, pd])

    def _lay_steps(self, x: np.ndarray) -> None:
        edges, of, smooth = [], [], []
        for index, feature in enumerate(self.features):
            own = step_edges(feature, x[:, index])
            edges += own
            of += [index] * len(own)
            if is_amount(feature):
                smooth.append(index)
        self.edges = np.array(edges, dtype=np.float32)
        self.edge_feature, self.smooth = np.array(of, dtype=np.int64), np.array(smooth, dtype=np.int64)

    def _centre(self, x: np.ndarray) -> None:
        wide = x[:, self.smooth].astype(np.float64)
        centre = np.median(wide, axis=0)
        spread = np.quantile(np.abs(wide - centre), 0.75, axis=0)
        spread = np.where(spread > 0.0, spread, wide.std(axis=0))
        self.centre = centre.astype(np.float32)
        self.rate = (1.0 / np.where(spread > 0.0, spread, 1.0)).astype(np.float32)


def on_grid(weights: np.ndarray) -> np.ndarray:
    """Rounded to the grid, in f32."""
    return (np.round(weights / GRID) * GRID).astype(np.float32)


def is_amount(feature: Feature) -> bool:
    """Whether distances between values mean something."""
    return feature.type not in ("category", "boolean") and not feature.edges


def step_edges(feature: Feature, column: np.ndarray) -> list[float]:
    """Where a feature's codes change; none for amounts with many values."""
    if feature.edges:
        return [float(edge) for edge in wide_enough(column, feature.edges)]
    if feature.type in ("category", "boolean"):
        return [code - 0.5 for code in range(max(len(feature.categories), 2))]
    codes = np.unique(column).astype(np.float64)
    return list(codes[:-1] + 0.5) if feature.type == "integer" and len(codes) <= FEW_CODES else []


def missing_values(features: list[Feature], x: np.ndarray) -> list[float]:
    """The manifest's value for a missing feature: below every code, or the training median of an amount."""
    return [
        float(np.float32(np.median(x[:, index]))) if is_amount(feature) else UNKNOWN_CODE
        for index, feature in enumerate(features)
    ]
