"""From margins to published probabilities, three ways, fitted on margins that each row's own model did not see.

Platt's line moves with every margin. Isotonic and binned calibration follow the data more closely and stand still on plateaus,
where only the margin still tells applicants apart: they must earn that in log loss, on rows that no part of them saw.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

FOLDS = 5
DIGITS = 6  # of every number of a calibration: far finer than the data can tell, far coarser than arithmetic noise
GROUP_ROWS = 200  # isotonic: rows whose default rate is one point of the curve
BINS = 20
WORTH = 1.0e-4  # of log loss: what a plateau must bring


@dataclass(frozen=True)
class Plateau:
    """Margins from `low` to `high` that share one probability."""

    low: float
    high: float
    pd: float


class Calibration:
    """What the three have in common."""

    method: str

    def probability(self, margin: float) -> float:
        """Of one margin, not rounded."""
        raise NotImplementedError

    def pd(self, margin: float) -> float:
        """The published probability of one f32 margin: rounded to millionths, half up."""
        return math.floor(self.probability(float(margin)) * 1.0e6 + 0.5) / 1.0e6

    def pds(self, margins: np.ndarray) -> np.ndarray:
        """Published probabilities of many."""
        return np.array([self.pd(margin) for margin in margins])

    def table(self) -> dict:
        """As the manifest has it."""
        raise NotImplementedError

    def plateaus(self) -> list[Plateau]:
        """Where the probability stands still."""
        return []


@dataclass(frozen=True)
class Platt(Calibration):
    """pd = sigmoid(a·margin + b)."""

    a: float
    b: float
    method = "platt"

    def probability(self, margin: float) -> float:
        return sigmoid(self.a * margin + self.b)

    def table(self) -> dict:
        return {"method": self.method, "a": self.a, "b": self.b}


@dataclass(frozen=True)
class Isotonic(Calibration):
    """Straight lines between points, flat beyond the first and the last."""

    margins: tuple[float, ...]
    values: tuple[float, ...]
    method = "isotonic"

    def probability(self, margin: float) -> float:
        above = int(np.searchsorted(self.margins, margin, side="right"))
        if above in (0, len(self.margins)):
            return self.values[above and -1]
        (left, right), (low, high) = self.margins[above - 1 : above + 1], self.values[above - 1 : above + 1]
        return min(max(low + (margin - left) / (right - left) * (high - low), low), high)

    def table(self) -> dict:
        return {"method": self.method, "margins": self.margins, "pds": self.values}

    def plateaus(self) -> list[Plateau]:
        edges = [-math.inf, *self.margins, math.inf]
        values = [self.values[0], *self.values, self.values[-1]]
        flat = zip(pairwise(edges), pairwise(values), strict=True)
        return joined([Plateau(*span, low) for span, (low, high) in flat if low == high])


@dataclass(frozen=True)
class Binned(Calibration):
    """One probability a bin; a margin on an edge belongs to the bin above."""

    margins: tuple[float, ...]
    values: tuple[float, ...]
    method = "binned"

    def probability(self, margin: float) -> float:
        return self.values[int(np.searchsorted(self.margins, margin, side="right"))]

    def table(self) -> dict:
        return {"method": self.method, "margins": self.margins, "pds": self.values}

    def plateaus(self) -> list[Plateau]:
        spans = pairwise([-math.inf, *self.margins, math.inf])
        return joined([Plateau(*span, value) for span, value in zip(spans, self.values, strict=True)])


def of_table(table: dict) -> Calibration:
    """The calibration that a manifest has."""
    if table["method"] == "platt":
        return Platt(table["a"], table["b"])
    kind = {"isotonic": Isotonic, "binned": Binned}[table["method"]]
    return kind(tuple(table["margins"]), tuple(table["pds"]))


def sigmoid(margin: float) -> float:
    """The logistic function without overflow."""
    if margin >= 0.0:
        return 1.0 / (1.0 + math.exp(-margin))
    grown = math.exp(margin)
    return grown / (1.0 + grown)


def joined(plateaus: list[Plateau]) -> list[Plateau]:
    """Plateaus that touch and agree are one."""
    found: list[Plateau] = []
    for each in plateaus:
        if found and (found[-1].high, found[-1].pd) == (each.low, each.pd):
            each = Plateau(found.pop().low, each.high, each.pd)
        found.append(each)
    return found


@dataclass(frozen=True)
class Choice:
    """A calibration and why it is this one. `losses`: log loss of each method on rows it was not fitted on."""

    calibration: Calibration
    losses: dict[str, float]
    why: str


def choose(make: Callable[[], object], x: np.ndarray, y: np.ndarray, only_platt: str | None = None) -> Choice:
    """The method of the least log loss; Platt's where the others do not earn their plateaus, or where `only_platt` says why."""
    margins = out_of_fold(make, x, y)
    losses = {method: loss(fitter, margins, y) for method, fitter in FITTERS.items()}
    best = min(losses, key=lambda method: losses[method])
    gain = losses["platt"] - losses[best]
    if only_platt:
        best, why = "platt", only_platt
    elif best == "platt":
        why = "no other has a lower log loss"
    elif gain < WORTH:
        best, why = "platt", f"{best} is better by {gain:.1e} only, which its plateaus are not worth (below {WORTH:.0e})"
    else:
        why = f"better than Platt by {gain:.1e}"
    return Choice(FITTERS[best](margins, y), losses, why)


def out_of_fold(make: Callable[[], object], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Margins of models that did not see the row, so that over-confidence on seen rows is not learned as truth."""
    margins = np.zeros(len(y))
    for seen, held in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(x, y):
        margins[held] = make().fit(x[seen], y[seen]).decision_function(x[held])
    return margins


def loss(fitter: Callable[[np.ndarray, np.ndarray], Calibration], margins: np.ndarray, y: np.ndarray) -> float:
    """Log loss of a method over folds of out-of-fold margins: nothing is measured on what it was fitted on."""
    pd = np.zeros(len(y))
    for seen, held in StratifiedKFold(FOLDS, shuffle=True, random_state=1).split(margins[:, None], y):
        fitted = fitter(margins[seen], y[seen])
        pd[held] = [fitted.probability(margin) for margin in margins[held]]
    return float(log_loss(y, pd))


def platt(margins: np.ndarray, y: np.ndarray) -> Platt:
    """Logistic regression on the margin, without penalty."""
    line = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1.0e-10).fit(margins[:, None], y)
    return Platt(round(float(line.coef_[0, 0]), DIGITS), round(float(line.intercept_[0]), DIGITS))


def isotonic(margins: np.ndarray, y: np.ndarray) -> Isotonic:
    """Through the rising default rates of groups of rows, each at its mean margin; of a plateau only the ends are kept."""
    groups, rates = rising(margins, y, max(1, len(y) // GROUP_ROWS))
    inner = [at for at in range(1, len(rates) - 1) if rates[at - 1] == rates[at] == rates[at + 1]]
    kept = [at for at in range(len(rates)) if at not in inner]
    return Isotonic(tuple(round(float(groups[at].mean()), DIGITS) for at in kept), tuple(rates[at] for at in kept))


def binned(margins: np.ndarray, y: np.ndarray) -> Binned:
    """Bins of equally many rows, with rising default rates; neighbours of one rate are one bin."""
    groups, rates = rising(margins, y, BINS)
    between = [round(float(left[-1] + right[0]) / 2.0, DIGITS) for left, right in pairwise(groups)]
    edges = [edge for edge, (low, high) in zip(between, pairwise(rates), strict=True) if low < high]
    return Binned(tuple(edges), tuple(dict.fromkeys(rates)))


FITTERS = {"platt": platt, "isotonic": isotonic, "binned": binned}


def rising(margins: np.ndarray, y: np.ndarray, count: int) -> tuple[list[np.ndarray], tuple[float, ...]]:
    """Groups of equally many rows in the margin's order, equal margins together, and their default rates, pooled until none
    falls. Half a default is added to each group of one row more, so that no rate is 0 or 1."""
    order = np.argsort(margins, kind="stable")
    ranked, bad = margins[order], y[order]
    starts = [part[0] for part in np.array_split(np.arange(len(ranked)), count)]
    starts = np.unique(np.searchsorted(ranked, ranked[starts], side="left"))[1:]
    groups, defaults = np.split(ranked, starts), np.split(bad, starts)
    rates = np.array([(part.sum() + 0.5) / (len(part) + 1.0) for part in defaults])
    weights = np.array([len(part) for part in groups], dtype=np.float64)
    pooled = IsotonicRegression().fit_transform(np.arange(len(rates)), rates, sample_weight=weights)
    return groups, tuple(round(float(rate), DIGITS) for rate in pooled)
