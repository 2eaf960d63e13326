"""The feature contract, Python's side: application `data` -> the numbers a graph reads.

Follows the manifest's words: pointer or expression, unit, scale, categories, range, missing policy, at last f32.
An expression's mirror is a plain function; golden applications prove that it and the CEL text agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

MISSING = -1.0e9  # the scorecard's sentinel; exact in f32, far outside every range


class Unscorable(ValueError):
    """An application that the contract says cannot be scored."""


class Missing(LookupError):
    """What a feature reads is absent, null or an unknown category."""


@dataclass(frozen=True)
class Feature:
    """One feature: where it comes from, how it is read, and what is said about it."""

    name: str
    type: str
    reasons: tuple[str, str, str]  # low, high, missing
    pointer: str | None = None
    expr: str | None = None
    mirror: Callable[[dict], float | bool | str] | None = None
    unit: str = "1"
    scale: float = 1.0
    range: tuple[float, float] | None = None
    categories: tuple[str, ...] = ()
    monotone: str = "none"
    actionable: bool = True
    required: bool = False
    edges: tuple[float, ...] = ()  # fixed bin edges instead of quantiles
    about: str = ""

    def value(self, data: dict, missing: float) -> float:
        """The number for one application, before f32."""
        try:
            raw = self.mirror(data) if self.mirror else find(data, self.pointer or "")
            return self.clamp(self.number(raw))
        except (Missing, KeyError):
            if self.required:
                raise Unscorable(self.name) from None
            return missing

    def number(self, raw: Any) -> float:
        """Casts what was read; None and unknown categories are missing."""
        if raw is None:
            raise Missing(self.name)
        match self.type:
            case "money":
                if raw["currency"] != self.unit.removeprefix("minor:"):
                    raise Unscorable(self.name)
                return raw["amount_minor"] * self.scale
            case "category":
                if raw not in self.categories:
                    raise Missing(self.name)
                return float(self.categories.index(raw))
            case "boolean":
                return 1.0 if raw else 0.0
            case _:
                return float(raw)

    def clamp(self, number: float) -> float:
        """Into the range, where one is set."""
        low, high = self.range or (-np.inf, np.inf)
        return float(min(max(number, low), high))


def find(data: Any, pointer: str) -> Any:
    """What a JSON pointer names; an absent place is missing."""
    for step in pointer.lstrip("/").split("/"):
        try:
            data = data[int(step)] if isinstance(data, list) else data[step]
        except (KeyError, IndexError, TypeError):
            raise Missing(pointer) from None
    return data


def row(features: list[Feature], data: dict, missing: list[float]) -> np.ndarray:
    """One application's features as the graph reads them."""
    values = [feature.value(data, value) for feature, value in zip(features, missing, strict=True)]
    return np.array(values, dtype=np.float64).astype(np.float32)


def matrix(features: list[Feature], applications: list[dict], missing: list[float]) -> np.ndarray:
    """Features of many applications: f32, rows by features."""
    return np.stack([row(features, data, missing) for data in applications])
