"""Platt scaling on margins that each row's own model did not see, and the published probability."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

FOLDS = 5
DIGITS = 6  # of a and b: far finer than the data can tell, far coarser than arithmetic noise


@dataclass(frozen=True)
class Platt:
    """pd = sigmoid(a·margin + b)."""

    a: float
    b: float

    def pd(self, margin: float) -> float:
        """The published probability of one f32 margin: rounded to millionths, half up."""
        return math.floor(sigmoid(self.a * float(margin) + self.b) * 1.0e6 + 0.5) / 1.0e6

    def pds(self, margins: np.ndarray) -> np.ndarray:
        """Published probabilities of many."""
        return np.array([self.pd(margin) for margin in margins])


def sigmoid(margin: float) -> float:
    """The logistic function without overflow."""
    if margin >= 0.0:
        return 1.0 / (1.0 + math.exp(-margin))
    grown = math.exp(margin)
    return grown / (1.0 + grown)


def fit(make: Callable[[], object], x: np.ndarray, y: np.ndarray) -> Platt:
    """Fits on out-of-fold margins, so that over-confidence on seen rows is not learned as truth."""
    margins = np.zeros(len(y))
    for seen, held in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(x, y):
        margins[held] = make().fit(x[seen], y[seen]).decision_function(x[held])
    line = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1.0e-10).fit(margins[:, None], y)
    return Platt(round(float(line.coef_[0, 0]), DIGITS), round(float(line.intercept_[0]), DIGITS))
