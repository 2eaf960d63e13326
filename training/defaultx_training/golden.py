"""Golden vectors: rows and whole applications with the answers a runtime must give.

Margins come from onnxruntime on the exported graph, never from the model that was fitted.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import numpy as np
import onnxruntime

from defaultx_training import calibration, data, features
from defaultx_training.scale import Scale
from defaultx_training.scorecard import Scorecard
from defaultx_training.train import Fit
from defaultx_training.trees import Trees

SPREAD_ROWS = 64
WHOLE_APPLICATIONS = 6
DIGITS = 12
CONDITION = 5e-7  # of a margin, or of 1 where that is more; runtimes are held to 1e-6
NATIVE_ROWS = 8  # rows that carry the library's own contributions


def run_graph(graph: bytes, x: np.ndarray, outputs: list[str]) -> list[np.ndarray]:
    """onnxruntime's answers on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return session.run(outputs, {"features": x.astype(np.float32)})


def document(fit: Fit, graph: bytes, scale: Scale, base: float | None = None) -> dict:
    """The whole of golden.json. `base`: the mean margin of the reference, of trees."""
    x = well_conditioned(fit, graph, chosen_rows(fit))
    head = {} if base is None else {"base": base}
    return head | {"rows": rows(fit, graph, scale, x), "applications": applications(fit, graph, scale)}


def chosen_rows(fit: Fit) -> np.ndarray:
    """Rows spread over the ranking and hard ones, each once."""
    return distinct(np.vstack([spread_rows(fit), *hard_rows(fit)]))


def well_conditioned(fit: Fit, graph: bytes, x: np.ndarray) -> np.ndarray:
    """Without the rows whose margin depends on the order in which f32 sums are added by more than CONDITION. What a net learns
    depends on the processor that trains it, and with it which extreme row this is; such a row would refuse a right runtime."""
    if isinstance(fit.model, Trees):
        return x
    margins = np.array(margins_of(fit, graph, x))
    return x[np.abs(margins - fit.model.decision_function(x)) < CONDITION * np.maximum(1.0, np.abs(margins))]


def distinct(x: np.ndarray) -> np.ndarray:
    """Each row once, sorted, missing values first."""
    unique = np.unique(np.where(np.isnan(x), np.float32(features.MISSING), x), axis=0)
    return np.where(unique == np.float32(features.MISSING), np.float32(np.nan), unique) if np.isnan(x).any() else unique


def margins_of(fit: Fit, graph: bytes, x: np.ndarray) -> list[float]:
    """onnxruntime's margins; of trees, whose graph gives none, the exported trees' sums."""
    if isinstance(fit.model, Trees):
        return [float(margin) for margin in fit.margins(x)]
    return [float(margin) for margin in run_graph(graph, x, ["margin"])[0][:, 0]]


def rows(fit: Fit, graph: bytes, scale: Scale, x: np.ndarray) -> list[dict]:
    """The answer to each row of features."""
    partials = run_graph(graph, x, ["partials"])[0] if isinstance(fit.model, Scorecard) else None
    trees = isinstance(fit.model, Trees)
    probabilities = run_graph(graph, x, ["probabilities"])[0][:, 1] if trees else None
    native = fit.model.path_parts(x[:: max(1, len(x) // NATIVE_ROWS)]) if trees else None
    answers = []
    for index, (values, margin) in enumerate(zip(x, margins_of(fit, graph, x), strict=True)):
        pd = fit.calibration.pd(margin)
        score = scale.score(pd)
        raw = calibration.sigmoid(margin) if probabilities is None else float(probabilities[index])
        answer = {
            "features": listed(values),
            "margin": margin,
            "pd_raw": round(raw, DIGITS),
            "pd": pd,
            "score": score,
            "band": scale.band(score),
        }
        if partials is not None:
            answer["partials"] = [float(part) for part in partials[index]]
        step = max(1, len(x) // NATIVE_ROWS)
        if native is not None and index % step == 0:
            answer["path_parts"] = [round(float(part), DIGITS) for part in native[index // step]]
        answers.append(answer)
    return answers


def listed(values: np.ndarray) -> list[float | None]:
    """A row for JSON, which has no NaN."""
    return [None if np.isnan(value) else float(value) for value in values]


def spread_rows(fit: Fit) -> np.ndarray:
    """Test rows evenly spread over the ranking, from the safest to the riskiest."""
    order = fit.split.test[np.argsort(fit.pds(fit.split.test), kind="stable")]
    return fit.x[order[np.linspace(0, len(order) - 1, SPREAD_ROWS).astype(int)]]


def hard_rows(fit: Fit) -> Iterable[np.ndarray]:
    """All lowest, all highest, each feature missing alone and all at once, and values on and beside an edge."""
    lows, highs = zip(*(bounds(feature) for feature in fit.product.features), strict=True)
    usual = np.nanmedian(fit.x[fit.split.train], axis=0)
    missing = np.array(fit.missing)
    if isinstance(fit.model, Trees):
        missing = np.where([feature.required for feature in fit.product.features], usual, missing)
    yield np.array([lows, highs, missing], dtype=np.float32)
    alone = np.repeat(usual[None], len(usual), axis=0)
    np.fill_diagonal(alone, missing)
    yield alone.astype(np.float32)
    edges, of = edges_of(fit)
    beside = []
    for edge, feature in list(zip(edges, of, strict=True))[:: max(1, len(of) // 12)]:
        for value in (edge, np.nextafter(edge, np.float32(np.inf)), np.nextafter(edge, np.float32(-np.inf))):
            row = usual.astype(np.float32)
            row[feature] = value
            beside.append(row)
    yield np.array(beside, dtype=np.float32).reshape(-1, len(usual))


def edges_of(fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Where the model's answer may jump, and the feature of each place."""
    if isinstance(fit.model, Trees):
        forest = fit.model.forest
        return forest.threshold[~forest.leaf], forest.feature[~forest.leaf]
    return fit.model.edges, fit.model.feature_of if isinstance(fit.model, Scorecard) else fit.model.edge_feature


def bounds(feature: features.Feature) -> tuple[float, float]:
    """The least and the greatest a feature may be."""
    return feature.range or (0.0, max(len(feature.categories), 2) - 1.0)


def applications(fit: Fit, graph: bytes, scale: Scale) -> list[dict]:
    """Whole applications as the scorer gets them, some with keys taken away, one beyond a range."""
    documents = data.applications(fit.product.dataset)
    order = fit.split.test[np.argsort(fit.pds(fit.split.test), kind="stable")]
    chosen = order[np.linspace(0, len(order) - 1, WHOLE_APPLICATIONS).astype(int)]
    whole = [stripped(documents[row]) for row in chosen]
    return [answer(fit, graph, scale, each) for each in whole + list(damaged(fit, whole[WHOLE_APPLICATIONS // 2]))]


def answer(fit: Fit, graph: bytes, scale: Scale, application: dict) -> dict:
    """An application's features and what comes of them."""
    values = features.row(fit.product.features, application, fit.missing)
    pd = fit.calibration.pd(margins_of(fit, graph, values[None])[0])
    return {"data": application, "features": listed(values), "pd": pd, "score": scale.score(pd)}


def stripped(application: dict) -> dict:
    """Without identity and protected, which the scorer never gets."""
    result = copy.deepcopy(application)
    for applicant in result["applicants"]:
        applicant.pop("identity", None)
        applicant.pop("protected", None)
    return result


def damaged(fit: Fit, application: dict) -> Iterable[dict]:
    """The same application without attributes, without facts, and with an amount beyond every range, where it still scores."""
    without_attributes = {key: value for key, value in application.items() if key != "attributes"}
    without_facts = copy.deepcopy(application)
    without_facts["applicants"][0].pop("facts", None)
    enormous = copy.deepcopy(application)
    enormous["requested"]["amount"]["amount_minor"] = 2**53 - 1
    optional = [copy.deepcopy(application) for _ in fit.product.features]
    for document, feature in zip(optional, fit.product.features, strict=True):
        remove(document, feature.pointer)
    seen = []
    for each in [without_attributes, without_facts, enormous, *optional]:
        if each == application or each in seen or not scorable(fit, each):
            continue
        seen.append(each)
    return seen[:8]


def remove(document: dict, pointer: str | None) -> None:
    """Takes away what a pointer names, if it is there and not one of the fields that every application has."""
    if pointer is None or pointer == "/requested/amount":
        return
    *steps, last = pointer.lstrip("/").split("/")
    at = document
    for step in steps:
        at = at[int(step)] if isinstance(at, list) else at.get(step, {})
    at.pop(last, None)


def scorable(fit: Fit, application: dict) -> bool:
    """Whether the contract lets it be scored."""
    try:
        features.row(fit.product.features, application, fit.missing)
    except features.Unscorable:
        return False
    return True
