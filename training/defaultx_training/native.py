"""The growing library's own answers to many rows, which `defaultx model check` holds the exported trees to.

Rows of the set, rows with holes, rows whose values equal thresholds or lie next to them, rows at the ends of the ranges. No
range of a contract reaches to infinity, so no row does.
"""

from __future__ import annotations

import gzip
import math
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from defaultx_training.golden import bounds
from defaultx_training.train import Fit
from defaultx_training.trees import Trees

FILE = "native.csv.gz"
DISTRIBUTIONS = {"xgboost": "xgboost-cpu", "lightgbm": "lightgbm"}
TOLERANCE = 1.0e-6
# What makes up the rows.
OF_THE_SET, WITH_HOLES, ON_THRESHOLDS, AT_ENDS = 4_000, 2_000, 3_600, 400
HOLE_RATE = 0.3
END_RATE = 0.4
MOST_THRESHOLDS = 3  # of one row
SEED = 0


@dataclass(frozen=True)
class Native:
    """The library's answers beside the exported trees'. `changed`: indices of rows that the export answers otherwise."""

    library: str
    x: np.ndarray
    probabilities: np.ndarray
    exported: np.ndarray
    changed: np.ndarray

    def table(self, digest: str) -> dict:
        """As the manifest has it."""
        return {"library": self.library, "file": FILE, "sha256": digest, "changed": len(self.changed)}

    def content(self, names: list[str]) -> bytes:
        """The file: a header, then features and probability; an empty cell is missing. The same bytes whenever it is made."""
        lines = [",".join([*names, "probability"])]
        lines += [",".join([*map(cell, row), repr(float(p))]) for row, p in zip(self.x, self.probabilities, strict=True)]
        return gzip.compress(("\n".join(lines) + "\n").encode(), compresslevel=9, mtime=0)


def answers(fit: Fit, share: float = 1.0) -> Native | None:
    """The library's answers for a fit of trees. `share`: of the rows, for packages that are made to be small."""
    if not isinstance(fit.model, Trees):
        return None
    x = rows(fit, share)
    probabilities = fit.model.native_probabilities(x)
    margins = fit.margins(x).astype(np.float64)
    exported = 1.0 / (1.0 + np.exp(-margins))
    threshold = fit.product.threshold
    there = fit.calibration.pds(np.array([math.log(p / (1.0 - p)) for p in probabilities])) >= threshold
    here = fit.calibration.pds(margins) >= threshold
    changed = np.flatnonzero((np.abs(probabilities - exported) > TOLERANCE) | (there != here))
    library = f"{fit.kind} {version(DISTRIBUTIONS[fit.kind])}"
    return Native(library, x, probabilities, exported, changed)


def rows(fit: Fit, share: float) -> np.ndarray:
    """Drawn by a fixed seed from the whole set."""
    draw = np.random.default_rng(SEED)

    def real(count: int) -> np.ndarray:
        chosen = draw.choice(len(fit.x), int(count * share), replace=False)
        return fit.x[np.sort(chosen)].copy()

    optional = np.array([not feature.required for feature in fit.product.features])
    holed = real(WITH_HOLES)
    holed[(draw.random(holed.shape) < HOLE_RATE) & optional] = np.nan
    ends = real(AT_ENDS)
    limits = np.array([bounds(feature) for feature in fit.product.features], dtype=np.float32)
    side = limits[np.arange(ends.shape[1]), draw.integers(0, 2, ends.shape)]
    ends = np.where(draw.random(ends.shape) < END_RATE, side, ends)
    return np.vstack([real(OF_THE_SET), holed, on_thresholds(fit, real(ON_THRESHOLDS), draw), ends])


def on_thresholds(fit: Fit, x: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Up to a few values of each row moved onto an exported threshold, two thirds of them then to the next float beside it."""
    forest = fit.model.forest
    places = np.flatnonzero(~forest.leaf)
    for row in x:
        for place in draw.choice(places, draw.integers(1, MOST_THRESHOLDS + 1)):
            side = (None, np.float32(-np.inf), np.float32(np.inf))[draw.integers(0, 3)]
            at = forest.threshold[place]
            row[forest.feature[place]] = at if side is None else np.nextafter(at, side)
    return x


def cell(value: np.float32) -> str:
    """The shortest text that reads back as the same f32."""
    return "" if np.isnan(value) else str(value).removesuffix(".0")
