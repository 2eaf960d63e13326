"""Each calibration gives the probabilities that its manifest text means, never falls, and must earn its plateaus."""

from __future__ import annotations

import math

import numpy as np
import pytest

from defaultx_training import calibration
from defaultx_training.calibration import FITTERS, Binned, Isotonic, Plateau, Platt

LINES = Isotonic((-1.0, 0.0, 1.0, 3.0), (0.1, 0.2, 0.2, 0.4))
BINS = Binned((-1.0, 1.0), (0.1, 0.2, 0.7))


@pytest.mark.parametrize(
    ("of", "margin", "pd"),
    [
        (LINES, -5.0, 0.1), (LINES, -0.5, 0.15), (LINES, 0.5, 0.2), (LINES, 3.0, 0.4), (LINES, 9.0, 0.4),
        (BINS, -1.5, 0.1), (BINS, -1.0, 0.2), (BINS, 1.0, 0.7), (Platt(2.0, -1.0), 0.5, 0.5),
    ],
)  # fmt: skip
def test_each_gives_what_its_numbers_say(of: calibration.Calibration, margin: float, pd: float) -> None:
    assert of.pd(margin) == pytest.approx(pd, abs=1e-12)
    assert calibration.of_table(of.table()) == of


def test_plateaus_are_listed() -> None:
    assert LINES.plateaus() == [Plateau(-math.inf, -1.0, 0.1), Plateau(0.0, 1.0, 0.2), Plateau(3.0, math.inf, 0.4)]
    assert [flat.pd for flat in BINS.plateaus()] == [0.1, 0.2, 0.7]
    assert Isotonic((0.0, 1.0), (0.1, 0.1)).plateaus() == [Plateau(-math.inf, math.inf, 0.1)]


def drawn(truth) -> tuple[np.ndarray, np.ndarray]:
    """Margins, some of them equal, and labels that a known curve draws."""
    rng = np.random.default_rng(4)
    margins = np.round(rng.normal(size=8_000), 2)
    return margins, (rng.random(len(margins)) < truth(margins)).astype(np.int64)


@pytest.mark.parametrize("method", FITTERS)
def test_a_fitted_one_never_falls_nor_promises(method: str) -> None:
    margins, y = drawn(lambda m: 0.3 / (1.0 + np.exp(-3.0 * m)))
    fitted = FITTERS[method](margins, y)
    pds = np.array([fitted.probability(margin) for margin in np.linspace(-9.0, 9.0, 2_000)])
    assert np.all(np.diff(pds) >= 0.0) and pds[0] < pds[-1]
    if method != "platt":
        assert 0.0 < pds[0] and pds[-1] < 1.0
        assert all(low < high for low, high in zip(fitted.margins, fitted.margins[1:]))


class Same:
    """A model whose margin is its only feature."""

    def fit(self, x, y):
        return self

    def decision_function(self, x):
        return x[:, 0].astype(np.float64)


@pytest.mark.parametrize(
    ("truth", "only_platt", "method"),
    [
        (lambda m: 1.0 / (1.0 + np.exp(-m)), None, "platt"),
        (lambda m: np.where(m < 0.5, 0.05, 0.6), None, "binned or isotonic"),
        (lambda m: np.where(m < 0.5, 0.05, 0.6), "because", "platt"),
    ],
)
def test_a_plateau_is_chosen_where_the_data_have_one(truth, only_platt: str | None, method: str) -> None:
    margins, y = drawn(truth)
    choice = calibration.choose(Same, margins[:, None], y, only_platt)
    assert choice.calibration.method in method
    assert set(choice.losses) == set(FITTERS) and choice.why
    assert choice.why == only_platt or only_platt is None
