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

SPREAD_ROWS = 64
WHOLE_APPLICATIONS = 6
DIGITS = 12


def run_graph(graph: bytes, x: np.ndarray, outputs: list[str]) -> list[np.ndarray]:
    """onnxruntime's answers on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return session.run(outputs, {"features": x.astype(np.float32)})


def document(fit: Fit, graph: bytes, scale: Scale) -> dict:
    """The whole of golden.json."""
    x = np.unique(np.vstack([spread_rows(fit), *hard_rows(fit)]), axis=0)
    return {"rows": rows(fit, graph, scale, x), "applications": applications(fit, graph, scale)}


def rows(fit: Fit, graph: bytes, scale: Scale, x: np.ndarray) -> list[dict]:
    """The answer to each row of features."""
    wanted = ["margin", "partials"] if isinstance(fit.model, Scorecard) else ["margin"]
    margins, *partials = run_graph(graph, x, wanted)
    answers = []
    for index, values in enumerate(x):
        margin = float(margins[index, 0])
        pd = fit.platt.pd(margin)
        score = scale.score(pd)
        answer = {
            "features": [float(value) for value in values],
            "margin": margin,
            "pd_raw": round(calibration.sigmoid(margin), DIGITS),
            "pd": pd,
            "score": score,
            "band": scale.band(score),
        }
        if partials:
            answer["partials"] = [float(part) for part in partials[0][index]]
        answers.append(answer)
    return answers


def spread_rows(fit: Fit) -> np.ndarray:
    """Test rows evenly spread over the ranking, from the safest to the riskiest."""
    order = fit.split.test[np.argsort(fit.pds(fit.split.test), kind="stable")]
    return fit.x[order[np.linspace(0, len(order) - 1, SPREAD_ROWS).astype(int)]]


def hard_rows(fit: Fit) -> Iterable[np.ndarray]:
    """All lowest, all highest, each feature missing alone and all at once, and values on and beside an edge."""
    lows, highs = zip(*(bounds(feature) for feature in fit.product.features), strict=True)
    usual = np.median(fit.x[fit.split.train], axis=0)
    yield np.array([lows, highs, fit.missing], dtype=np.float32)
    alone = np.repeat(usual[None], len(usual), axis=0)
    np.fill_diagonal(alone, fit.missing)
    yield alone.astype(np.float32)
    of = fit.model.feature_of if isinstance(fit.model, Scorecard) else fit.model.edge_feature
    beside = []
    for edge, feature in list(zip(fit.model.edges, of, strict=True))[:: max(1, len(of) // 12)]:
        for value in (edge, np.nextafter(edge, np.float32(np.inf)), np.nextafter(edge, np.float32(-np.inf))):
            row = usual.astype(np.float32)
            row[feature] = value
            beside.append(row)
    yield np.array(beside, dtype=np.float32).reshape(-1, len(usual))


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
    pd = fit.platt.pd(float(run_graph(graph, values[None], ["margin"])[0][0, 0]))
    listed = [float(value) for value in values]
    return {"data": application, "features": listed, "pd": pd, "score": scale.score(pd)}


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
