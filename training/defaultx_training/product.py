"""What a product's packages have in common: data, target, threshold, reasons, exclusions, and the words of its card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from defaultx_training.features import Feature

# code -> (what the applicant is told, Form C-1 code, HMDA denial code)
Reasons = dict[str, tuple[str, str, int]]
# attribute -> group of each row
Groups = Callable[[], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Product:
    """Fixed facts about one product; nothing here is fitted."""

    short: str
    dataset: str
    product: str
    scale_id: str
    currency: str
    data_source: str
    target: str
    horizon_months: int
    threshold: float
    features: list[Feature]
    reasons: Reasons
    l1: float
    groups: Groups
    groups_note: str
    exclusions: list[tuple[str, str]]
    intended: str
    limits: list[str]
    date_column: str | None = None
    kinds: tuple[str, ...] = ("scorecard", "net", "xgboost", "lightgbm")
    l2: float = 1.0e-4
    net_alpha: float = 0.1
    net_epochs: int = 20
    torch_decay: float = 0.1
    torch_epochs: int = 20
    tree_settings: dict[str, dict[str, Any]] = field(default_factory=dict)  # library -> what differs from the shared ones
    reference_auc: dict[str, dict[str, float]] = field(default_factory=dict)  # split -> kind -> AUC to hold
    split_note: str = "30 % stratified hold-out (`train_test_split`, seed 0)"
