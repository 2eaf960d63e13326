"""The library's own answers find what an export changes: LightGBM's thresholds in double precision, rounded to nearest."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from defaultx_training import calibration, data, native, package, train
from defaultx_training.products import taiwan
from defaultx_training.train import Fit
from defaultx_training.trees import Trees

FIXTURE = Path(__file__).parent / "fixtures" / "unrounded-lightgbm"
SETTINGS = {"n_estimators": 12, "max_depth": 4, "num_leaves": 8, "learning_rate": 0.1}
SHARE = 0.2
PARTS = ("manifest.toml", "model.onnx", "golden.json", "reference.json", native.FILE)


def fitted(rounded: bool) -> Fit:
    """A few trees on the credit-card rows, their thresholds as LightGBM left them or rounded down to f32."""
    product = dataclasses.replace(taiwan.PRODUCT, short="unrounded", tree_settings={"lightgbm": SETTINGS})
    split = train.splits(product)["random"]
    x, y = train.sentinel_matrix(product), data.labels(product.dataset)
    model = Trees(product.features, "lightgbm", SETTINGS, rounded=rounded).fit(x[split.train], y[split.train])
    choice = calibration.Choice(calibration.Platt(1.0, 0.0), {}, "a fixture is not calibrated")
    missing = [np.nan] * len(product.features)
    return Fit(product, "lightgbm", model, choice, missing, split, x, y)


def test_rounding_to_nearest_changes_answers_on_thresholds_and_nowhere_else() -> None:
    fit = fitted(rounded=False)
    found, trees = native.answers(fit, SHARE), fit.model.forest
    changed = found.changed[~almost_zero(found.x[found.changed])]
    assert len(changed) > 5
    assert np.abs(found.probabilities - found.exported)[changed].max() > 1e-3
    asked = ~trees.leaf
    for row in found.x[changed]:
        assert np.any(row[trees.feature[asked]] == trees.threshold[asked])


def test_rounding_down_leaves_only_what_lightgbm_reads_as_zero() -> None:
    found = native.answers(fitted(rounded=True), SHARE)
    assert np.all(almost_zero(found.x[found.changed]))


def almost_zero(x: np.ndarray) -> np.ndarray:
    """Rows with a value that LightGBM reads as zero and the export as what it is."""
    return np.any((np.abs(x) < 2e-35) & (x != 0.0), axis=1)


@pytest.mark.parametrize("value", ["0.1", "-7.0", "16777216.0", "1e-45", "3.4028235e+38", "nan"])
def test_a_cell_reads_back_as_the_same_float(value: str) -> None:
    number = np.float32(value)
    assert np.isnan(number) and native.cell(number) == "" or np.float32(native.cell(number)) == number


def write() -> None:
    """Writes the fixture: training/run python training/tests/test_native.py FOLDER, which also gets the whole package"""
    folder = package.write({"random": fitted(rounded=False)}, Path(sys.argv[1]), SHARE)
    FIXTURE.mkdir(parents=True, exist_ok=True)
    for name in PARTS:
        (FIXTURE / name).write_bytes((folder / name).read_bytes())


if __name__ == "__main__":
    write()
