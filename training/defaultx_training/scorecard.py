"""The scorecard: logistic regression over bins, each feature a step function that may be held monotone.

A feature's bins are coded as steps: column k is 1 where the value lies above edge k, so its coefficient is the change of
the margin at that edge. Bounding the signs of a feature's steps makes it monotone, and an L1 penalty on the steps merges
neighbouring bins. The bounded problem is solved to machine precision, then every step is rounded to a dyadic grid: with
margins below 64 all f32 sums of such numbers are exact in any order, on any machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, ClassifierMixin

from defaultx_training.features import MISSING, Feature

GRID = 2.0**-14
PRESENT = -5.0e8  # the edge between the missing sentinel and every real value
SMALLEST_BIN = 0.005  # share of rows between two edges, and beyond the outer ones
CAUTIOUS = 0.75  # a missing value never seen in training counts as this quantile of the feature's points
NEWTON_STEPS = 100
HALVINGS = 30
FLAT = 1.0e-14  # largest component of a gradient that counts as zero
TINY = 1.0e-12
ROUNDING = 1.0e-14


class Scorecard(ClassifierMixin, BaseEstimator):
    """A fitted one has `edges`, `feature_of`, `deltas` (per edge, on the grid) and `intercept`."""

    def __init__(self, features: list[Feature], l1: float, l2: float, bins: int = 20):
        self.features = features
        self.l1 = l1
        self.l2 = l2
        self.bins = bins

    def fit(self, x: np.ndarray, y: np.ndarray) -> Scorecard:
        """Learns steps from f32 features and 0/1 labels."""
        x = np.asarray(x, dtype=np.float32)
        self.classes_ = np.array([0, 1])
        self._lay_edges(x)
        intercept, steps = solve(self._design(x), y, self._signs(), self.l1, self.l2)
        self._settle(x, intercept, steps)
        return self

    def partials(self, x: np.ndarray) -> np.ndarray:
        """Each feature's exact part of the margin."""
        above = np.asarray(x, dtype=np.float32)[:, self.feature_of] > self.edges
        parts = np.zeros((len(x), len(self.features)))
        for feature in range(len(self.features)):
            of = self.feature_of == feature
            parts[:, feature] = above[:, of] @ self.deltas[of]
        return parts + self.missing

    def decision_function(self, x: np.ndarray) -> np.ndarray:
        """The margin: log-odds of default."""
        return self.partials(x).sum(axis=1) + self.intercept

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Uncalibrated probabilities of both classes."""
        pd = 1.0 / (1.0 + np.exp(-self.decision_function(x)))
        return np.column_stack([1.0 - pd, pd])

    def _lay_edges(self, x: np.ndarray) -> None:
        edges, of = [], []
        for index, feature in enumerate(self.features):
            column = x[:, index]
            own = wide_enough(column, feature.edges or candidate_edges(column, feature, self.bins))
            edges += [np.float32(PRESENT), *own]
            of += [index] * (len(own) + 1)
        self.edges = np.array(edges, dtype=np.float32)
        self.feature_of = np.array(of)

    def _design(self, x: np.ndarray) -> np.ndarray:
        return (x[:, self.feature_of] > self.edges).astype(np.float64)

    def _signs(self) -> np.ndarray:
        """+1 or -1 for a step held monotone, 0 for a free one."""
        code = {"increasing": 1, "decreasing": -1, "none": 0}
        signs = np.array([code[feature.monotone] for feature in self.features])[self.feature_of]
        return np.where(self.edges == np.float32(PRESENT), 0, signs)

    def _settle(self, x: np.ndarray, intercept: float, steps: np.ndarray) -> None:
        """Centres each feature on its training mean, decides the missing bin, rounds, and drops empty steps."""
        deltas = np.round(steps / GRID) * GRID
        self.missing = np.zeros(len(self.features))
        for index in range(len(self.features)):
            of = np.flatnonzero(self.feature_of == index)
            present = x[:, index] > PRESENT
            points = (x[:, index][:, None] > self.edges[of][1:]) @ deltas[of][1:]
            if present.all():
                level = -float(np.mean(points))
                missing = level + float(np.quantile(points, CAUTIOUS, method="lower"))
                intercept -= level
            else:
                total = np.where(present, deltas[of][0] + points, 0.0)
                missing = -float(np.mean(total))
                level = deltas[of][0] + missing
                intercept -= missing
            self.missing[index] = np.round(missing / GRID) * GRID
            deltas[of[0]] = np.round((level - missing) / GRID) * GRID
        keep = (deltas != 0.0) | (self.edges == np.float32(PRESENT))
        self.edges, self.feature_of, self.deltas = self.edges[keep], self.feature_of[keep], deltas[keep]
        self.intercept = float(np.round(intercept / GRID) * GRID)


def wide_enough(column: np.ndarray, edges: Iterable[float]) -> list[np.float32]:
    """The edges that leave enough rows in every bin, from the lowest on."""
    present = np.sort(column[column > PRESENT])
    kept, below = [], 0
    for edge in sorted({np.float32(edge) for edge in edges}):
        here = int(np.searchsorted(present, edge, side="right"))
        if min(here - below, len(present) - here) >= SMALLEST_BIN * len(column):
            kept.append(edge)
            below = here
    return kept


def candidate_edges(column: np.ndarray, feature: Feature, bins: int) -> np.ndarray:
    """Half-way between codes for categories and small integers, else quantiles rounded to two digits, which read well."""
    present = column[column > PRESENT].astype(np.float64)
    distinct = np.unique(present)
    if feature.type in ("category", "boolean"):
        return np.arange(max(len(feature.categories), 2) - 1) + 0.5
    if feature.type == "integer" and len(distinct) <= bins:
        return distinct[:-1] + 0.5
    quantiles = np.quantile(present, np.arange(1, bins) / bins, method="lower")
    return np.unique([two_digits(value) for value in quantiles])


def two_digits(value: float) -> float:
    """A number rounded to two significant digits."""
    return float(f"{value:.1e}")


def solve(design: np.ndarray, y: np.ndarray, signs: np.ndarray, l1: float, l2: float) -> tuple[float, np.ndarray]:
    """Penalised logistic regression with signed steps: (intercept, steps).

    A free step is the difference of two non-negative ones, a held one is a single one, so the problem is smooth with
    bounds: L-BFGS-B finds which steps are zero, Newton's method on the others then removes what depends on rounding.
    """
    columns = np.concatenate([np.flatnonzero(signs >= 0), np.flatnonzero(signs <= 0)])
    direction = np.concatenate([np.ones((signs >= 0).sum()), -np.ones((signs <= 0).sum())])
    a = np.column_stack([np.ones(len(y)), design[:, columns] * direction])
    penalty = np.concatenate([[0.0], np.full(len(columns), l1)])
    ridge = np.concatenate([[0.0], np.full(len(columns), l2)])

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        margin = a @ w
        residual = 1.0 / (1.0 + np.exp(-margin)) - y
        value = np.mean(np.logaddexp(0.0, margin) - y * margin) + penalty @ w + 0.5 * ridge @ w**2
        return value, a.T @ residual / len(y) + penalty + ridge * w

    start = np.zeros(a.shape[1])
    start[0] = np.log(y.mean() / (1.0 - y.mean()))
    bounds = [(None, None)] + [(0.0, None)] * len(columns)
    options = {"maxiter": 5000, "maxfun": 10000, "ftol": 1e-13, "gtol": 1e-7, "maxcor": 30}
    w = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options).x
    w = polish(a, loss, w, ridge)
    steps = np.zeros(len(signs))
    np.add.at(steps, columns, direction * w[1:])
    return float(w[0]), steps


def polish(a: np.ndarray, loss: Callable, w: np.ndarray, ridge: np.ndarray) -> np.ndarray:
    """Projected Newton steps with backtracking, until the gradient of all that is free is numerically zero."""
    value, gradient = loss(w)
    for _ in range(NEWTON_STEPS):
        free = (w > 0.0) | (gradient < 0.0)
        free[0] = True
        if np.max(np.abs(gradient[free])) < FLAT:
            return w
        pd = 1.0 / (1.0 + np.exp(-(a @ w)))
        b = a[:, free]
        hessian = (b * (pd * (1.0 - pd))[:, None]).T @ b / len(a) + np.diag(ridge[free] + TINY)
        move = np.zeros_like(w)
        move[free] = np.linalg.solve(hessian, gradient[free])
        w, value, gradient = backtrack(loss, w, value, move)
    raise ArithmeticError("the scorecard's fit did not settle")


def backtrack(loss: Callable, w: np.ndarray, value: float, move: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """The longest halved step, held at the bounds, that does not make the loss worse beyond rounding."""
    for halvings in range(HALVINGS):
        new = w - move * 0.5**halvings
        new[1:] = np.maximum(new[1:], 0.0)
        new_value, new_gradient = loss(new)
        if new_value <= value + ROUNDING:
            return new, new_value, new_gradient
    raise ArithmeticError("the scorecard's fit found no better step")
