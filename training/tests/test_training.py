"""Training again gives the same packages, as good as promised, and the graph is the model."""

from __future__ import annotations

import numpy as np
import pytest

from defaultx_training import calibration, data, forest, golden, metrics, package, train
from defaultx_training.trees import Trees

from conftest import BELOW_REFERENCE, PROTECTED_COST, Package, Trainer

# Another machine's matrix kernels add in another order, and two hundred thousand steps of descent amplify that: a net is the
# same to the byte only on one machine, and elsewhere a model as good.
NET_AUC_TOLERANCE = 0.01
NET_PD_TOLERANCE = 0.05


@pytest.fixture(params=list(train.PACKAGES))
def name(request: pytest.FixtureRequest) -> str:
    """Packages that train without PyTorch."""
    return request.param


def test_the_graph_is_the_model(trainer: Trainer, name: str) -> None:
    """onnxruntime in f32 against the fitted estimator, on every row of the set."""
    for fit in trainer.fits(name).values():
        if isinstance(fit.model, Trees):
            expected = fit.model.predict_proba(fit.x)[:, 1]
            actual = golden.run_graph(fit.graph(), fit.x, ["probabilities"])[0][:, 1]
            ours = 1.0 / (1.0 + np.exp(-fit.margins(fit.x).astype(np.float64)))
            assert np.max(np.abs(actual - expected)) < 1e-6 and np.max(np.abs(actual - ours)) < 1e-6
            continue
        margins = golden.run_graph(fit.graph(), fit.x, ["margin"])[0][:, 0]
        expected = [fit.calibration.probability(margin) for margin in fit.model.decision_function(fit.x)]
        actual = [fit.calibration.probability(margin) for margin in margins.astype(np.float64)]
        assert np.max(np.abs(np.array(actual) - expected)) < 1e-6
        if fit.kind == "scorecard":
            assert np.array_equal(margins.astype(np.float64), fit.model.decision_function(fit.x))


def test_golden_margins_are_well_conditioned(trainer: Trainer, name: str) -> None:
    """Golden rows leave another engine room: f32 sums lie well within the tolerance of 1e-6 around the f64 ones."""
    fit = next(iter(trainer.fits(name).values()))
    rows = trainer.package(name).golden["rows"]
    x = np.array([row["features"] for row in rows], dtype=np.float32)
    margins = np.array([row["margin"] for row in rows])
    if isinstance(fit.model, Trees):
        assert np.array_equal(margins, fit.margins(x).astype(np.float64))
        return
    error = np.abs(margins - fit.model.decision_function(x)) / np.maximum(1.0, np.abs(margins))
    assert np.max(error) < 5e-7
    assert len(rows) >= len(golden.chosen_rows(fit)) - 2, "a net whose hard rows are all ill-conditioned proves nothing"


def test_auc_is_not_below_the_reference(trainer: Trainer, name: str) -> None:
    for split, fit in trainer.fits(name).items():
        known = fit.product.reference_auc[split][fit.kind]
        allowed = BELOW_REFERENCE + PROTECTED_COST.get(fit.product.dataset, 0.0)
        test = fit.split.test
        assert metrics.auc(fit.y[test], fit.pds(test)) >= known - allowed, split


def test_training_again_gives_the_same_package(trainer: Trainer, name: str, tmp_path) -> None:
    """A scorecard: the committed files, byte for byte. A net or trees, whose gains are sums in floating point too: two runs
    here byte for byte, and near the committed one."""
    again, committed = trainer.package(name), Package(data.MODELS / name / train.VERSION)
    if again.manifest["kind"] == "scorecard":
        assert exact(again) == exact(committed)
        return
    assert again.contents() == Package(package.make(name, tmp_path)).contents()
    fit = next(iter(trainer.fits(name).values()))
    test = fit.split.test
    if isinstance(fit.model, Trees):
        shipped = forest.read(committed.graph).margins(fit.x[test])
    else:
        shipped = golden.run_graph(committed.graph, fit.x[test], ["margin"])[0][:, 0]
    shipped_pd = calibration.of_table(committed.manifest["calibration"]).pds(shipped)
    y, pd = fit.y[test], fit.pds(test)
    assert abs(metrics.auc(y, shipped_pd) - metrics.auc(y, pd)) < NET_AUC_TOLERANCE
    assert np.mean(np.abs(shipped_pd - pd)) < NET_PD_TOLERANCE
    assert {**committed.manifest, **varying(again)} == again.manifest


def exact(of: Package) -> dict[str, bytes]:
    """All but the pictures, whose pixels a drawing library may anti-alias differently on another processor."""
    return {name: content for name, content in of.contents().items() if not name.endswith(".png")}


def varying(of: Package) -> dict:
    """What of a net's manifest may differ between machines."""
    keys = {"calibration", "graph_sha256", "golden_sha256", "reference_sha256", "native"} & of.manifest.keys()
    return {key: of.manifest[key] for key in keys}
