"""Points and bands of a product, as models/scales.toml says. The file is written by hand; this only reads it."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CLAMP = 1.0e-6


@dataclass(frozen=True)
class Scale:
    """How a published probability becomes points and a band."""

    id: str
    product: str
    pdo: float
    base_score: float
    base_odds: float
    floor: int
    cap: int
    bands: list[dict]

    def score(self, pd: float) -> int:
        """Points, rounded half away from zero and held between floor and cap."""
        pd = min(max(pd, CLAMP), 1.0 - CLAMP)
        log_odds = math.log((1.0 - pd) / pd)
        points = self.base_score + self.pdo / math.log(2.0) * (log_odds - math.log(self.base_odds))
        rounded = math.copysign(math.floor(abs(points) + 0.5), points)
        return int(min(max(rounded, self.floor), self.cap))

    def scores(self, pds: np.ndarray) -> np.ndarray:
        """Points of many."""
        return np.array([self.score(float(pd)) for pd in pds], dtype=np.int64)

    def band(self, score: int) -> str:
        """The first band, from the safest, that the score reaches."""
        return next(band["name"] for band in self.bands if score >= band["min_score"])


def load(path: Path, scale_id: str) -> Scale:
    """One scale of the file."""
    scales = tomllib.loads(path.read_text(encoding="utf-8"))["scale"]
    return next(Scale(**scale) for scale in scales if scale["id"] == scale_id)
