"""The reference distributions: what a monitor compares with, and what contributions are measured against.

Histograms follow numpy: n+1 edges for n counts, each bin holds its lower edge, the last one both.
"""

from __future__ import annotations

import numpy as np

from defaultx_training import features
from defaultx_training.features import Feature
from defaultx_training.golden import listed
from defaultx_training.scale import Scale
from defaultx_training.scorecard import Scorecard
from defaultx_training.train import Fit, sentinel_matrix
from defaultx_training.trees import Trees

NEAR_SHARE = 0.1
BACKGROUND_ROWS = 32
TREE_BACKGROUND_ROWS = 100  # exact contributions cost nothing more for more rows
SCORE_STEP = 10
DECILES = 10


def document(fit: Fit, scale: Scale) -> dict:
    """The whole of reference.json, over the training rows."""
    train = fit.split.train
    pds, y = fit.pds(train), fit.y[train]
    scores = scale.scores(pds)
    bands = np.array([scale.band(score) for score in scores])
    edges = list(range(scale.floor, scale.cap + 1, SCORE_STEP))
    known = sentinel_matrix(fit.product)[train]
    trees = {"covers": fit.model.covers()} if isinstance(fit.model, Trees) else {}
    return {
        "rows": len(train),
        "base_rate": round(float(y.mean()), 9),
        "near_cutoff": group(fit, nearest(train, pds, fit.product.threshold)),
        "all": group(fit, train),
        "score_histogram": {"edges": edges, "counts": histogram(scores, edges)},
        "bad_rate_by_band": {each["name"]: mean(y[bands == each["name"]]) for each in scale.bands},
        "share_by_band": {each["name"]: mean(bands == each["name"]) for each in scale.bands},
        "features": [distribution(feature, known[:, i]) for i, feature in enumerate(fit.product.features)],
        **trees,
    }


def nearest(rows: np.ndarray, pds: np.ndarray, threshold: float) -> np.ndarray:
    """The tenth of the rows whose pd is nearest the threshold; equal distances in the file's order."""
    order = np.argsort(np.round(np.abs(pds - threshold), 6), kind="stable")
    return np.sort(rows[order[: int(len(rows) * NEAR_SHARE)]])


def group(fit: Fit, rows: np.ndarray) -> dict:
    """A reference group: its size, its mean points, and rows spread evenly over the file."""
    result: dict = {"rows": len(rows)}
    if isinstance(fit.model, Scorecard):
        result["mean_partials"] = [round(float(part), 9) for part in fit.model.partials(fit.x[rows]).mean(axis=0)]
    count = TREE_BACKGROUND_ROWS if isinstance(fit.model, Trees) else BACKGROUND_ROWS
    chosen = rows[np.linspace(0, len(rows) - 1, count).astype(int)]
    result["background"] = [listed(row) for row in fit.x[chosen]]
    return result


def base(fit: Fit, reference: dict) -> float | None:
    """The mean margin of the background that reasons are measured against, of trees."""
    if not isinstance(fit.model, Trees):
        return None
    background = np.array(reference["near_cutoff"]["background"], dtype=np.float32)
    return round(float(fit.margins(background).astype(np.float64).mean()), 9)


def distribution(feature: Feature, column: np.ndarray) -> dict:
    """How one feature is distributed, missing values apart."""
    present = column[column != np.float32(features.MISSING)]
    result: dict = {"name": feature.name}
    if feature.type in ("category", "boolean"):
        names = list(feature.categories) or ["false", "true"]
        result |= {"categories": names, "counts": [int((present == code).sum()) for code in range(len(names))]}
    else:
        edges = feature_edges(feature, present)
        result |= {"edges": edges, "counts": histogram(present.astype(np.float64), edges)}
    return result | {"missing": len(column) - len(present)}


def feature_edges(feature: Feature, present: np.ndarray) -> list[float]:
    """From the least to the greatest the feature may be, cut at the deciles."""
    low, high = feature.range or (float(present.min()), float(present.max()))
    inner = np.quantile(present.astype(np.float64), np.arange(1, DECILES) / DECILES, method="lower")
    return [low, *(float(edge) for edge in np.unique(inner) if low < edge < high), high]


def histogram(values: np.ndarray, edges: list) -> list[int]:
    """Counts between the edges."""
    return [int(count) for count in np.histogram(values, bins=edges)[0]]


def mean(values: np.ndarray) -> float:
    """A rounded mean; of nothing it is zero."""
    return round(float(np.mean(values)), 9) if len(values) else 0.0
