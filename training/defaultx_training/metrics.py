"""Figures of merit and fairness. Pure arithmetic on arrays: no model, no file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

ECE_BINS = 15
BOOTSTRAPS = 200
FEWEST = 30  # a group with fewer rows is shown but takes no part in the ratio


def auc(y: np.ndarray, risk: np.ndarray) -> float:
    """Chance that a default is ranked above a non-default."""
    ranks = rankdata(risk)
    bad = y == 1
    n_bad, n_good = int(bad.sum()), int((~bad).sum())
    if n_bad == 0 or n_good == 0:
        return float("nan")
    return float((ranks[bad].sum() - n_bad * (n_bad + 1) / 2) / (n_bad * n_good))


def gini(y: np.ndarray, risk: np.ndarray) -> float:
    """2·AUC - 1."""
    return 2.0 * auc(y, risk) - 1.0


def ks(y: np.ndarray, risk: np.ndarray) -> float:
    """Largest distance between the score distributions of defaults and the others."""
    order = np.argsort(risk, kind="stable")
    last = np.append(np.diff(risk[order]) > 0, True)
    bad = np.cumsum(y[order]) / y.sum()
    good = np.cumsum(1 - y[order]) / (len(y) - y.sum())
    return float(np.max(np.abs(bad - good)[last]))


def brier(y: np.ndarray, pd: np.ndarray) -> float:
    """Mean squared error of the probability."""
    return float(np.mean((pd - y) ** 2))


def ece(y: np.ndarray, pd: np.ndarray) -> float:
    """Expected calibration error over equal-width bins."""
    bins = np.minimum((pd * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = np.bincount(bins, weights=pd - y, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(y))


FIGURES = {"AUC": auc, "Gini": gini, "KS": ks, "Brier": brier, "ECE": ece}


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def figures(y: np.ndarray, pd: np.ndarray) -> dict[str, Figure]:
    """All figures with intervals from seeded resamples of the rows."""
    rng = np.random.default_rng(0)
    draws: dict[str, list[float]] = {name: [] for name in FIGURES}
    for _ in range(BOOTSTRAPS):
        rows = rng.integers(0, len(y), len(y))
        for name, measure in FIGURES.items():
            draws[name].append(measure(y[rows], pd[rows]))
    result = {}
    for name, measure in FIGURES.items():
        low, high = np.nanquantile(draws[name], [0.025, 0.975])
        result[name] = Figure(measure(y, pd), float(low), float(high))
    return result


@dataclass(frozen=True)
class Group:
    """One group of a fairness table; `air` is its approval rate over the highest one's."""

    attribute: str
    group: str
    rows: int
    bad_rate: float
    mean_pd: float
    auc: float
    approval: float
    air: float | None


def fairness(y: np.ndarray, pd: np.ndarray, threshold: float, groups: dict[str, np.ndarray]) -> list[Group]:
    """Approval below the threshold and its ratios, attribute by attribute."""
    table = []
    for attribute, of in groups.items():
        masks = {name: of == name for name in sorted(set(of))}
        approval = {name: float(np.mean(pd[mask] < threshold)) for name, mask in masks.items()}
        best = max(approval[name] for name, mask in masks.items() if mask.sum() >= FEWEST)
        for name, mask in masks.items():
            air = approval[name] / best if mask.sum() >= FEWEST and best > 0.0 else None
            means = float(y[mask].mean()), float(pd[mask].mean())
            table.append(Group(attribute, name, int(mask.sum()), *means, auc(y[mask], pd[mask]), approval[name], air))
    return table
