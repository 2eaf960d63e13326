"""The card's two pictures, as PNG bytes without timestamps."""

from __future__ import annotations

import io

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.figure import Figure

from defaultx_training.scale import Scale

GROUPS = 10
SIZE_INCHES = (5.0, 3.4)
DPI = 90
SAFE, RISKY, INK = "#3b7a9e", "#c4622d", "#444444"


def calibration(y: np.ndarray, pd: np.ndarray) -> bytes:
    """Observed default rate against predicted, in tenths of the rows."""
    figure, axes = canvas("mean predicted pd", "observed default rate")
    order = np.array_split(np.argsort(pd, kind="stable"), GROUPS)
    predicted = np.array([pd[rows].mean() for rows in order])
    observed = np.array([y[rows].mean() for rows in order])
    error = 1.96 * np.sqrt(observed * (1.0 - observed) / [len(rows) for rows in order])
    top = max(predicted.max(), (observed + error).max()) * 1.05
    axes.plot([0.0, top], [0.0, top], color=INK, linewidth=0.8, linestyle="--")
    axes.errorbar(predicted, observed, yerr=error, fmt="o-", markersize=4, linewidth=1.0, capsize=2, color=SAFE)
    axes.set_xlim(0.0, top)
    axes.set_ylim(0.0, top)
    return png(figure)


def scores(y: np.ndarray, points: np.ndarray, scale: Scale) -> bytes:
    """Distributions of the score for loans that defaulted and the others, with the bands."""
    figure, axes = canvas("score", "share of its group")
    low, high = int(points.min()) // 10 * 10, int(points.max()) // 10 * 10 + 11
    bins = np.arange(low, high, 10)
    for label, color, of in (("no default", SAFE, y == 0), ("default", RISKY, y == 1)):
        weights = np.full(of.sum(), 1.0 / of.sum())
        axes.hist(points[of], bins=bins, weights=weights, histtype="stepfilled", alpha=0.55, color=color, label=label)
    for band in scale.bands[:-1]:
        axes.axvline(band["min_score"], color=INK, linewidth=0.6, linestyle=":")
        axes.text(band["min_score"] + 1, axes.get_ylim()[1] * 0.94, band["name"], fontsize=8, color=INK)
    axes.legend(frameon=False, fontsize=8, loc="center left")
    return png(figure)


def canvas(x_label: str, y_label: str):
    """An empty plot in the deployment's style."""
    figure = Figure(figsize=SIZE_INCHES, dpi=DPI, layout="tight")
    axes = figure.subplots()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def png(figure: Figure) -> bytes:
    """PNG bytes; the library's own name and version stay out of them."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
