"""Trains one package: features, split, fit, calibration. Gives everything back as values; writes nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from defaultx_training import calibration, data, export, features, net
from defaultx_training.calibration import Calibration, Choice
from defaultx_training.features import Feature
from defaultx_training.net import Net
from defaultx_training.product import Product
from defaultx_training.products import german, sba, taiwan
from defaultx_training.scorecard import Scorecard
from defaultx_training.torch_net import TorchNet
from defaultx_training.trees import LIBRARIES, Trees

VERSION = "1.0.0"

# name of the package -> product and kind of model
PACKAGES: dict[str, tuple[Product, str]] = {
    f"{product.short}-{kind}": (product, kind)
    for product in (taiwan.PRODUCT, sba.PRODUCT, german.PRODUCT)
    for kind in product.kinds
}
# Those that need PyTorch, which comes with gigabytes: trained when asked for, by an environment of their own.
WITH_TORCH: dict[str, tuple[Product, str]] = {
    f"{product.short}-torch": (product, "torch") for product in (taiwan.PRODUCT, sba.PRODUCT)
}
NETS = ("net", "torch")

# Kinds of model whose probability must move with every margin.
ONLY_PLATT = {
    "scorecard": "a scorecard is read by its points, and a plateau would make some of them mean nothing",
}


@dataclass(frozen=True)
class Split:
    """Rows of the training and the test part."""

    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Fit:
    """A model fitted and calibrated on the training part of a split. `x` holds every row of the set."""

    product: Product
    kind: str
    model: Scorecard | Net | Trees
    choice: Choice
    missing: list[float]
    split: Split
    x: np.ndarray
    y: np.ndarray

    @property
    def name(self) -> str:
        return f"{self.product.short}-{self.kind}"

    @property
    def calibration(self) -> Calibration:
        """From margins to published probabilities."""
        return self.choice.calibration

    def graph(self) -> bytes:
        """The model as ONNX."""
        if isinstance(self.model, Scorecard):
            return export.scorecard_graph(self.model)
        return self.model.graph if isinstance(self.model, (Trees, TorchNet)) else export.net_graph(self.model)

    def direction(self, feature: Feature) -> str:
        """The direction the model is held to; a net is held to none."""
        return "none" if isinstance(self.model, Net) else feature.monotone

    def pds(self, rows: np.ndarray) -> np.ndarray:
        """Published probabilities of some rows."""
        return self.calibration.pds(self.margins(self.x[rows]))

    def margins(self, x: np.ndarray) -> np.ndarray:
        """Log-odds as the package has them: of trees, the exported ones."""
        return self.model.forest.margins(x) if isinstance(self.model, Trees) else self.model.decision_function(x)


def fits(name: str) -> dict[str, Fit]:
    """A package's model on the split that ships, first, and on any that its card compares with."""
    product, kind = (PACKAGES | WITH_TORCH)[name]
    return {split: fit(product, kind, rows) for split, rows in splits(product).items()}


def splits(product: Product) -> dict[str, Split]:
    """The split that ships, first, and any that the card only compares with."""
    random = Split(*data.random_split(product.dataset))
    if product.date_column is None:
        return {"random": random}
    return {"out of time": Split(*data.time_split(product.dataset, product.date_column)), "random": random}


def fit(product: Product, kind: str, split: Split) -> Fit:
    """Fits one kind of model on one split."""
    y = data.labels(product.dataset)
    x = sentinel_matrix(product)
    missing = [features.MISSING] * len(product.features)
    if kind in NETS:
        missing = net.missing_values(product.features, x[split.train])
        x = np.where(x == np.float32(features.MISSING), np.array(missing, dtype=np.float32), x)
    if kind in LIBRARIES:
        missing = [np.nan] * len(product.features)
        x = np.where(x == np.float32(features.MISSING), np.float32(np.nan), x)
    x_train, y_train = x[split.train], y[split.train]
    choice = calibration.choose(lambda: unfitted(product, kind), x_train, y_train, ONLY_PLATT.get(kind))
    model = unfitted(product, kind).fit(x_train, y_train)
    return Fit(product, kind, model, choice, missing, split, x, y)


def unfitted(product: Product, kind: str) -> Scorecard | Net | Trees:
    """A fresh model with the product's settings."""
    if kind in LIBRARIES:
        return Trees(product.features, kind, product.tree_settings[kind])
    if kind == "scorecard":
        return Scorecard(product.features, product.l1, product.l2)
    if kind == "torch":
        return TorchNet(product.features, product.torch_decay, product.torch_epochs)
    return Net(product.features, product.net_alpha, product.net_epochs)


_MATRICES: dict[str, np.ndarray] = {}


def sentinel_matrix(product: Product) -> np.ndarray:
    """Every row's features with the sentinel where one is missing, made once a set."""
    if product.dataset not in _MATRICES:
        missing = [features.MISSING] * len(product.features)
        _MATRICES[product.dataset] = features.matrix(product.features, data.applications(product.dataset), missing)
    return _MATRICES[product.dataset]
