"""Figures agree with hand-made cases and with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score, roc_curve

from defaultx_training import calibration, metrics
from defaultx_training.scale import Scale

Y = np.array([0, 0, 1, 1])


@pytest.mark.parametrize(
    ("risk", "auc", "ks"),
    [([0.1, 0.2, 0.3, 0.4], 1.0, 1.0), ([0.4, 0.3, 0.2, 0.1], 0.0, 1.0), ([0.5] * 4, 0.5, 0.0), ([0.1, 0.3, 0.2, 0.4], 0.75, 0.5)],
)
def test_ranking_by_hand(risk: list[float], auc: float, ks: float) -> None:
    assert metrics.auc(Y, np.array(risk)) == auc
    assert metrics.gini(Y, np.array(risk)) == 2 * auc - 1
    assert metrics.ks(Y, np.array(risk)) == ks


def test_ranking_with_ties_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    y, pd = (rng.random(2000) < 0.3).astype(int), np.round(rng.random(2000), 2)
    false, true, _ = roc_curve(y, pd)
    assert metrics.auc(y, pd) == pytest.approx(roc_auc_score(y, pd), abs=1e-12)
    assert metrics.ks(y, pd) == pytest.approx(np.max(np.abs(true - false)), abs=1e-12)
    assert metrics.brier(y, pd) == pytest.approx(brier_score_loss(y, pd), abs=1e-12)


def test_calibration_error_by_hand() -> None:
    assert metrics.ece(np.array([0, 1, 0, 1]), np.array([0.5, 0.5, 1.0, 1.0])) == pytest.approx(0.25)
    assert metrics.ece(Y, Y.astype(float)) == 0.0


def test_fairness_compares_with_the_highest_group_of_enough_rows() -> None:
    y = np.zeros(110, dtype=int)
    pd = np.array([0.1] * 40 + [0.9] * 10 + [0.1] * 20 + [0.9] * 30 + [0.1] * 10)
    table = metrics.fairness(y, pd, 0.5, {"g": np.array(["a"] * 50 + ["b"] * 50 + ["few"] * 10)})
    assert [(row.group, row.approval, row.air) for row in table] == [("a", 0.8, 1.0), ("b", 0.4, 0.5), ("few", 1.0, None)]


@pytest.mark.parametrize(
    ("a", "b", "margin", "pd"), [(1.0, 0.0, 0.0, 0.5), (2.0, 1.0, -0.5, 0.5), (1.0, 0.0, 40.0, 1.0), (1.0, 0.0, -3.0, 0.047426)]
)
def test_platt_publishes_millionths(a: float, b: float, margin: float, pd: float) -> None:
    assert calibration.Platt(a, b).pd(margin) == pd


@pytest.mark.parametrize(
    ("pd", "score", "band"), [(1 / 51, 600, "A"), (1 / 101, 620, "A"), (1 / 26, 580, "B"), (0.0, 850, "A"), (1.0, 300, "B")]
)
def test_points_follow_the_odds(pd: float, score: int, band: str) -> None:
    bands = [{"name": "A", "min_score": 600}, {"name": "B", "min_score": 300}]
    scale = Scale("s", "p", 20.0, 600.0, 50.0, 300, 850, bands)
    assert (scale.score(pd), scale.band(scale.score(pd))) == (score, band)
