"""The bounded fit finds the optimum, holds directions, and lives on the dyadic grid."""

from __future__ import annotations

import numpy as np
import pytest

from defaultx_training.features import MISSING, Feature
from defaultx_training.scorecard import GRID, Scorecard, solve, two_digits, wide_enough


def feature(name: str, monotone: str) -> Feature:
    return Feature(name, "number", ("l", "h", "m"), pointer=f"/{name}", monotone=monotone)


def sample(rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Risk falls with the first, has a hump in the second, and the third is noise; a tenth of the second is missing."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(rows, 3)).astype(np.float32)
    margin = -1.0 - x[:, 0] + np.cos(2.0 * x[:, 1])
    y = (rng.random(rows) < 1.0 / (1.0 + np.exp(-margin))).astype(int)
    x[rng.random(rows) < 0.1, 1] = MISSING
    return x, y


def card(l1: float = 1e-3) -> tuple[Scorecard, np.ndarray, np.ndarray]:
    x, y = sample()
    features = [feature("falling", "decreasing"), feature("hump", "none"), feature("noise", "increasing")]
    return Scorecard(features, l1, 1e-4).fit(x, y), x, y


def test_the_solution_meets_the_conditions_of_an_optimum() -> None:
    rng = np.random.default_rng(0)
    design = (rng.random((500, 6)) < 0.5).astype(float)
    y = (rng.random(500) < 0.2 + 0.4 * design[:, 0]).astype(float)
    signs, l1, l2 = np.array([1, -1, 0, 1, -1, 0]), 2e-3, 1e-3
    intercept, steps = solve(design, y, signs, l1, l2)
    residual = 1.0 / (1.0 + np.exp(-(intercept + design @ steps))) - y
    gradient = design.T @ residual / len(y) + l2 * steps
    assert abs(residual.mean()) < 1e-12
    for sign, step, slope in zip(signs, steps, gradient, strict=True):
        assert step * sign >= 0.0 or sign == 0
        if step != 0.0:
            assert slope == pytest.approx(-np.sign(step) * l1, abs=1e-12)
        else:
            assert all(direction * slope >= -l1 - 1e-12 for direction in ((sign,) if sign else (1, -1)))


def test_directions_are_held_and_parts_add_up() -> None:
    fitted, x, _ = card()
    grid = np.linspace(-3, 3, 200, dtype=np.float32)
    for index, direction in ((0, -1), (2, 1)):
        rows = np.zeros((200, 3), dtype=np.float32)
        rows[:, index] = grid
        assert np.all(direction * np.diff(fitted.partials(rows)[:, index]) >= 0.0)
    parts = fitted.partials(x)
    assert np.array_equal(parts.sum(axis=1) + fitted.intercept, fitted.decision_function(x))
    assert np.allclose(parts.mean(axis=0), 0.0, atol=GRID)


def test_every_constant_is_on_the_grid() -> None:
    fitted, _, _ = card()
    for values in (fitted.deltas, fitted.missing, [fitted.intercept]):
        assert np.array_equal(np.round(np.asarray(values) / GRID) * GRID, values)


def test_a_missing_value_has_learned_points_where_seen_and_cautious_ones_where_not() -> None:
    fitted, x, y = card()
    row = np.zeros((1, 3), dtype=np.float32)
    row[0, 0] = MISSING
    seen = fitted.partials(x)[:, 0]
    assert fitted.partials(row)[0, 0] > np.median(seen)
    row[0, :2] = 0.0, MISSING
    absent = x[:, 1] == np.float32(MISSING)
    assert np.sign(fitted.partials(row)[0, 1]) == np.sign(y[absent].mean() - y[~absent].mean())


def test_a_stronger_penalty_merges_bins() -> None:
    assert len(card(1e-2)[0].edges) < len(card(1e-4)[0].edges)


def test_bins_hold_enough_rows() -> None:
    column = np.array([MISSING] * 10 + [1.0] * 500 + [2.0] + [3.0] * 489, dtype=np.float32)
    assert wide_enough(column, [0.5, 1.5, 2.5, 3.5]) == [np.float32(1.5)]


@pytest.mark.parametrize(("value", "expected"), [(0.0, 0.0), (123456.0, 120000.0), (-0.0377, -0.038), (9.96, 10.0)])
def test_edges_are_short_numbers(value: float, expected: float) -> None:
    assert two_digits(value) == expected
