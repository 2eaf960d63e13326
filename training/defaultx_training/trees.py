"""Boosted trees by XGBoost and LightGBM, exported by the stock converters and shipped as they wrote it.

A value that is missing is NaN, and goes the way that the trees learned for it. The sets have few or no missing values, so
some training rows enter a second time with holes cut into them at random: without that, the way of a missing value would be
an accident of the library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import lightgbm
import numpy as np
import onnxmltools
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.base import BaseEstimator, ClassifierMixin

from defaultx_training import forest
from defaultx_training.features import Feature
from defaultx_training.forest import Forest

LIBRARIES = ("xgboost", "lightgbm")
SIGNS = {"increasing": 1, "decreasing": -1, "none": 0}
HOLED_ROWS = 0.2
HOLE_RATE = 0.15

# Few, shallow and slow learners: small packages, and tables of exact contributions that fit into the cache.
SHARED = {"n_jobs": 1, "subsample": 0.8, "colsample_bytree": 0.6, "reg_lambda": 10.0}
OWN: dict[str, dict[str, Any]] = {
    "xgboost": {"tree_method": "hist", "min_child_weight": 20.0},
    "lightgbm": {
        "subsample_freq": 1, "min_child_samples": 40, "deterministic": True, "force_row_wise": True, "verbose": -1,
    },
}  # fmt: skip


class Trees(ClassifierMixin, BaseEstimator):
    """A fitted one has `native`, and once asked for, `graph` and `forest`. `rounded`: LightGBM's thresholds are f32 before the
    export, which otherwise rounds them itself, to nearest."""

    def __init__(
        self, features: list[Feature], library: str, settings: dict[str, Any], seed: int = 0, rounded: bool = True
    ):
        self.features = features
        self.library = library
        self.settings = settings
        self.seed = seed
        self.rounded = rounded

    def fit(self, x: np.ndarray, y: np.ndarray) -> Trees:
        """Learns from f32 features, NaN where one is missing, and 0/1 labels."""
        self.classes_ = np.array([0, 1])
        x, y = with_holes(np.asarray(x, dtype=np.float32), y, self.features, self.seed)
        signs = [SIGNS[feature.monotone] for feature in self.features]
        settings = SHARED | OWN[self.library] | self.settings | {"random_state": self.seed}
        if self.library == "xgboost":
            self.native = xgboost.XGBClassifier(**settings, monotone_constraints=tuple(signs)).fit(x, y)
        else:
            self.native = lightgbm.LGBMClassifier(**settings, monotone_constraints=signs).fit(x, y)
            self.grown = self.native.booster_
            if self.rounded:
                self.native._Booster = in_single_precision(self.grown)
        self._graph: bytes | None = None
        self._forest: Forest | None = None
        return self

    def decision_function(self, x: np.ndarray) -> np.ndarray:
        """The library's own log-odds of default."""
        x = np.asarray(x, dtype=np.float32)
        if self.library == "xgboost":
            return self.native.predict(x, output_margin=True).astype(np.float64)
        return self.native.booster_.predict(x, raw_score=True, num_threads=1)

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Uncalibrated probabilities of both classes."""
        pd = 1.0 / (1.0 + np.exp(-self.decision_function(x)))
        return np.column_stack([1.0 - pd, pd])

    def native_probabilities(self, x: np.ndarray) -> np.ndarray:
        """What the library that grew the trees says of rows, before anything was rounded for the export."""
        x = np.asarray(x, dtype=np.float32)
        if self.library == "xgboost":
            return self.native.predict_proba(x)[:, 1].astype(np.float64)
        return self.grown.predict(x, num_threads=1)

    @property
    def graph(self) -> bytes:
        """What the stock converter writes, unedited."""
        if self._graph is None:
            shape = [("features", FloatTensorType([None, len(self.features)]))]
            # A name of its own, because the converters would make a random one.
            if self.library == "xgboost":
                model = onnxmltools.convert_xgboost(self.native, name="trees", initial_types=shape)
            else:
                model = onnxmltools.convert_lightgbm(self.native, name="trees", initial_types=shape, zipmap=False)
            self._graph = model.SerializeToString(deterministic=True)
        return self._graph

    @property
    def forest(self) -> Forest:
        """The exported trees."""
        if self._forest is None:
            self._forest = forest.read(self.graph)
        return self._forest

    def covers(self) -> list[list[float]]:
        """How much of the training data met each node, as the library counted it, in the package's order."""
        exported = self.forest
        roots = list(self._roots())
        return [matched(exported, tree, root, self.library) for tree, root in enumerate(roots)]

    def path_parts(self, x: np.ndarray) -> np.ndarray:
        """The library's own path-dependent contributions."""
        x = np.asarray(x, dtype=np.float32)
        if self.library == "xgboost":
            return self.native.get_booster().predict(xgboost.DMatrix(x, nthread=1), pred_contribs=True)[:, :-1]
        return self.native.booster_.predict(x, pred_contrib=True, num_threads=1)[:, :-1]

    def _roots(self) -> Iterator[dict]:
        if self.library == "xgboost":
            for text in self.native.get_booster().get_dump(with_stats=True, dump_format="json"):
                yield json.loads(text)
        else:
            for tree in self.native.booster_.dump_model()["tree_info"]:
                yield tree["tree_structure"]


def with_holes(x: np.ndarray, y: np.ndarray, features: list[Feature], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """All rows, then a share of them again with values missing at random, but for features that must be there."""
    draw = np.random.default_rng(seed)
    chosen = np.sort(draw.choice(len(x), int(len(x) * HOLED_ROWS), replace=False))
    optional = np.array([not feature.required for feature in features])
    holed = np.where((draw.random((len(chosen), len(features))) < HOLE_RATE) & optional, np.float32(np.nan), x[chosen])
    return np.vstack([x, holed]), np.concatenate([y, y[chosen]])


def in_single_precision(booster: lightgbm.Booster) -> lightgbm.Booster:
    """The same booster with each threshold rounded down to f32. For f32 features x <= t says the same of both, so nothing
    that the booster answers changes, and the export, which rounds to nearest, then has nothing left to round."""
    def rounded(match: re.Match) -> str:
        wide = np.array(match[1].split(), dtype=np.float64)
        near = wide.astype(np.float32)
        down = np.where(near.astype(np.float64) > wide, np.nextafter(near, np.float32(-np.inf)), near)
        return "threshold=" + " ".join(repr(float(value)) for value in down)

    text = re.sub(r"^threshold=(.*)$", rounded, booster.model_to_string(), flags=re.MULTILINE)
    text = re.sub(r"^tree_sizes=.*\n", "", text, flags=re.MULTILINE)
    return lightgbm.Booster(model_str=text)


def matched(exported: Forest, tree: int, root: dict, library: str) -> list[float]:
    """A native tree's covers, walked beside the exported one."""
    sides = {int(exported.roots[tree]): root}
    covers = []
    for node in exported.order(tree):
        native = sides[node]
        yes, no, cover = below(native, library)
        assert (yes is None) == bool(exported.leaf[node])
        covers.append(float(np.float32(cover)))
        if yes is not None:
            sides |= {int(exported.yes[node]): yes, int(exported.no[node]): no}
    return covers


def below(native: dict, library: str) -> tuple[dict | None, dict | None, float]:
    """Children of a native node, yes first, and its cover."""
    if library == "xgboost":
        if "leaf" in native:
            return None, None, native["cover"]
        by_id = {child["nodeid"]: child for child in native["children"]}
        return by_id[native["yes"]], by_id[native["no"]], native["cover"]
    if "leaf_value" in native:
        return None, None, native.get("leaf_count", 0)
    return native["left_child"], native["right_child"], native["internal_count"]
