"""The parts of the baseline that need no broker: it gives the same answers as the packages' golden vectors, and writes the same events."""

import copy
import tomllib
import uuid
from functools import cache
from math import comb
from pathlib import Path

import numpy as np
import orjson
import pytest

from baseline import admit, decide, ids, receive, score
from baseline.contract import Unscorable, compile_row, translate
from baseline.package import MODELS, Package
from baseline.trees import EXPLAINERS, PATH_DEPENDENT, SHAP, WOODELF

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = {path.parent.parent.name: tomllib.loads(path.read_text()) for path in MODELS.glob("*/1.0.0/manifest.toml")}
# Of the trees, the baseline scores XGBoost's.
TREES = sorted(name for name in MANIFESTS if name.endswith("xgboost"))
GRAPHS = sorted(name for name, manifest in MANIFESTS.items() if "margin" in manifest["graph"])
SCORECARDS = [name for name in GRAPHS if name.endswith("scorecard")]
SCORING = [(name, "") for name in SCORECARDS] + [(name, explainer) for name in TREES for explainer in EXPLAINERS]


@cache
def golden(name):
    return orjson.loads((MODELS / name / "1.0.0/golden.json").read_bytes())


@cache
def scorer(explainer=""):
    return score.Handler("p.", explainer)


@cache
def loaded(name, explainer=""):
    served = {package.manifest["name"]: package for package in scorer(explainer).packages.values()}
    return served.get(name) or Package(name, explainer)


def matrix(rows):
    """What is missing is null in JSON."""
    return np.array(rows, dtype=np.float32)


class Record:
    """A record as a consumer gives it."""

    def __init__(self, topic, value, key, headers, partition=0, offset=0, at_ms=1_800_000_000_000):
        self._all = topic, value, key, headers, partition, offset, at_ms

    def error(self): return None
    def topic(self): return self._all[0]
    def value(self): return self._all[1]
    def key(self): return self._all[2]
    def headers(self): return self._all[3]
    def partition(self): return self._all[4]
    def offset(self): return self._all[5]
    def timestamp(self): return 1, self._all[6]


def application(name="taiwan-scorecard", row=0, **changes):
    data = copy.deepcopy(golden(name)["applications"][row]["data"])
    data["applicants"][0]["identity"] = {"name": "nobody-by-name"}
    data["applicants"][0]["protected"] = {"sex": "not-told"}
    return {**data, "application_id": "run-7", "submitted_at": "2026-11-01T00:00:00Z", **changes}


def submitted(data, offset=0):
    headers = [("ce_specversion", b"1.0"), ("ce_id", b"e-1"), ("ce_source", b"/los"), ("ce_type", b"application.submitted.v1")]
    return Record("p.loan.applications.v1", orjson.dumps(data), b"run-7", headers, offset=offset)


def through(handler, outputs, topic):
    """Feeds what one hop wrote to `topic` to the next."""
    records = [Record(*output[:3], output[4], offset=n) for n, output in enumerate(outputs) if output[0] == topic]
    return handler.handle(records)[0]


@pytest.mark.parametrize("name", GRAPHS + TREES)
def test_rows_and_applications_score_as_the_package_says(name):
    package, expected = loaded(name, WOODELF if name in TREES else ""), golden(name)
    x, engine = matrix([row["features"] for row in expected["rows"]]), package.engine
    margins = engine.margins(x)
    # Sums of trees have one order and no excuse to differ.
    apart = np.abs(margins - [row["margin"] for row in expected["rows"]]).max()
    assert apart == 0.0 if name in TREES else apart <= 1e-5
    pds = package.pds(margins)
    assert np.abs(pds - [row["pd"] for row in expected["rows"]]).max() <= 1e-6
    points = package.points(pds)
    assert points == [row["score"] for row in expected["rows"]]
    assert [package.bands[p] for p in points] == [row["band"] for row in expected["rows"]]
    if name in SCORECARDS:
        assert np.abs(engine.run(x)[1] - [row["partials"] for row in expected["rows"]]).max() <= 1e-6
    assert expected["applications"]
    for each in expected["applications"]:
        row = matrix([package.row(each["data"])[0]])
        assert np.array_equal(row, matrix([each["features"]]), equal_nan=True)
        pd = package.pds(engine.margins(row))
        assert abs(pd[0] - each["pd"]) <= 1e-6
        assert package.points(pd) == [each["score"]]


@pytest.mark.parametrize("name", TREES)
def test_the_rebuilt_booster_explains_by_covers_as_the_trained_one_did(name):
    told = [row for row in golden(name)["rows"] if "path_parts" in row]
    parts = loaded(name, PATH_DEPENDENT).engine.contributions(matrix([row["features"] for row in told]))
    assert len(told) >= 8 and np.abs(parts - [row["path_parts"] for row in told]).max() <= 1e-5


def by_definition(booster, row, background):
    """Shapley values of one row: over all subsets of each tree's features, each filled from every row of the background."""
    parts = np.zeros(len(row))
    trees = orjson.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]["model"]["trees"]
    for number, tree in enumerate(trees):
        used = sorted({f for f, left in zip(tree["split_indices"], tree["left_children"], strict=True) if left != -1})
        chosen = np.arange(1 << len(used))[:, None] >> np.arange(len(used)) & 1
        mixed = np.tile(background, (len(chosen), 1, 1))
        mixed[:, :, used] = np.where(chosen[:, None, :] == 1, row[used], mixed[:, :, used])
        margins = booster.inplace_predict(mixed.reshape(-1, len(row)), iteration_range=(number, number + 1), predict_type="margin")
        means = margins.reshape(len(chosen), -1).mean(axis=1, dtype=np.float64)
        sizes = chosen.sum(axis=1)
        for at, feature in enumerate(used):
            without = np.flatnonzero(chosen[:, at] == 0)
            weights = [1.0 / (len(used) * comb(len(used) - 1, size)) for size in sizes[without]]
            parts[feature] += np.dot(weights, means[without | 1 << at] - means[without])
    return parts


@pytest.mark.parametrize("name", TREES)
def test_contributions_of_trees_are_shapley_values_against_the_reference(name):
    reference = orjson.loads((MODELS / name / "1.0.0/reference.json").read_bytes())[MANIFESTS[name]["reasons"]["reference"]]
    rows = matrix([row["features"] for row in golden(name)["rows"]])
    # The last with a hole, and the last without.
    holed = np.isnan(rows).any(axis=1)
    rows = rows[[np.flatnonzero(holed)[-1], np.flatnonzero(~holed)[-1]]]
    engine = loaded(name, WOODELF).engine
    expected = [by_definition(engine.booster, row, matrix(reference["background"])) for row in rows]
    for explainer in (WOODELF, SHAP):
        assert np.abs(loaded(name, explainer).engine.contributions(rows) - expected).max() <= 1e-5
    assert abs(engine.base - golden(name)["base"]) <= 1e-6


@pytest.mark.parametrize(("name", "explainer"), SCORING)
def test_contributions_add_up_and_reasons_are_what_a_loop_finds(name, explainer):
    package = loaded(name, explainer)
    rows = [package.row(each["data"]) for each in golden(name)["applications"]]
    for row, (scored, features, explanation, reasons) in zip(rows, package.score(rows), strict=True):
        parts = [each["contribution"] for each in features]
        assert abs(scored["margin"] - explanation["base"] - sum(parts)) <= 1e-4
        assert abs(explanation["residual"]) <= 1e-5
        slow = {}
        for i, (feature, used) in enumerate(zip(package.manifest["feature"], features, strict=True)):
            if used["contribution"] <= 0.0:
                continue
            side = {"increasing": "high", "decreasing": "low"}.get(feature["monotone"])
            side = side or ("low" if used["value"] < package.typical[i] else "high")
            if used.get("flag") in ("missing", "unknown"):
                side = "missing"
            entry = slow.setdefault(feature[f"reason_{side}"], [0.0, []])
            entry[0] += used["contribution"]
            entry[1].append(feature["name"])
        expected = sorted(slow.items(), key=lambda item: (-round(item[1][0], 6), item[0]))[:4]
        assert [(r["code"], r["features"]) for r in reasons] == [(code, names) for code, (_, names) in expected]
        assert [r["contribution"] for r in reasons] == pytest.approx([value for _, (value, _) in expected], abs=2e-6)
        assert [r["rank"] for r in reasons] == list(range(1, len(reasons) + 1))


@pytest.mark.parametrize(("cel", "python"), [
    ("double(data.a.b) > 0.0 ? 1.0 : 0.0", 0.0),
    ("(double(data.a.c) > 0.0 ? 1.0 : 0.0) + (double(data.a.b) > -9.0 ? 2.0 : 3.0)", 3.0),
    ('"US-" + data.s == data.t', True),
    ('data.s + (data.t == "no" ? "/line" : "")', "CA"),
    ("double(data.list[1]) / (double(data.a.c) + 1.0)", 2.0),
    ("data.a.c > 1 && data.a.b > 0 || data.a.c == 4", True),
])
def test_expressions_mean_the_same_in_python(cel, python):
    data = {"a": {"b": -1, "c": 4}, "s": "CA", "t": "US-CA", "list": [1, 10]}
    assert eval(translate(cel), {"data": data}) == python


@pytest.mark.parametrize("cel", ["data.a ? 1.0", "(data.a", "data.a.exists(x, x)", "size(data.a)"])
def test_an_expression_that_is_not_understood_stops_the_load(cel):
    with pytest.raises((ValueError, KeyError)):
        translate(cel)


def test_trees_are_told_that_a_value_is_missing():
    row = compile_row([
        {"name": "n", "type": "integer", "pointer": "/n", "range": [0, 9], "missing": {"policy": "nan"}},
        {"name": "c", "type": "category", "pointer": "/c", "categories": ["x"], "missing": {"policy": "nan"}},
    ])
    values, missing, unknown, clamped = row({"c": "z"})
    assert np.isnan(values).all() and (missing, unknown, clamped) == (1, 2, 0)


def test_flags_and_refusals_of_a_contract():
    features = [
        {"name": "m", "type": "money", "pointer": "/m", "unit": "minor:USD", "scale": 0.01, "range": [0, 10],
         "missing": {"policy": "unscorable"}},
        {"name": "c", "type": "category", "pointer": "/c", "categories": ["x", "y"], "missing": {"policy": "value", "value": -5}},
        {"name": "n", "type": "integer", "pointer": "/n", "missing": {"policy": "value", "value": -5}},
    ]
    row = compile_row(features)
    dollars = {"amount_minor": 500, "currency": "USD"}
    assert row({"m": dollars, "c": "y", "n": 3}) == ([5.0, 1.0, 3.0], 0, 0, 0)
    assert row({"m": {**dollars, "amount_minor": 5000}, "c": "z"}) == ([10.0, -5.0, -5.0], 4, 2, 1)
    assert row({"m": dollars, "c": None, "n": None}) == ([5.0, -5.0, -5.0], 6, 0, 0)
    for data, word in [({}, "missing"), ({"m": {**dollars, "currency": "EUR"}}, "wrong_currency"), ({"m": dollars, "n": "3"}, "wrong_type")]:
        with pytest.raises(Unscorable) as caught:
            row(data)
        assert caught.value.args[0] == word


def test_ids_are_those_of_the_standard_library():
    for name in ("", "a\x1fb", "ü"):
        assert ids.uuid5(name) == str(uuid.uuid5(uuid.UUID(bytes=ids.NAMESPACE), name))


@pytest.mark.parametrize("event_type", ["application.submitted.v1", "application.withdrawn.v1"])
def test_the_schema_holds_good_examples_and_refuses_bad_ones(event_type):
    schema = receive.compiled_schema(event_type)
    seen = set()
    for path in sorted((ROOT / "schemas/examples" / event_type).glob("*.json")):
        body = orjson.loads(path.read_bytes())
        if path.name == "faults.json":
            continue  # says what is wrong with the bad ones
        good = not path.name.startswith("bad")
        seen.add(good)
        assert schema.is_valid(body) == good, path.name
    assert seen == {True, False}


@pytest.mark.parametrize(("name", "explainer"), SCORING)
def test_every_hop_writes_what_the_published_schemas_allow_and_no_personal_data(name, explainer):
    count = len(golden(name)["applications"])
    outcomes = set()
    for row in range(count):
        data = application(name, row)
        if not receive.compiled_schema("application.submitted.v1").is_valid(data):
            continue  # golden vectors also hold applications that no sender may send
        taken, _ = receive.Handler("p.").handle([submitted(data)])
        kept = {output[0]: orjson.loads(output[1]) for output in taken}
        assert set(kept) == {"p.credit.intake.v1", "p.credit.identities.v1", "p.credit.protected.v1"}
        admitted = through(admit.Handler("p."), taken, "p.credit.intake.v1")
        scored = through(scorer(explainer), admitted, "p.credit.applications.v1")
        decided = through(decide.Handler("p."), scored, "p.credit.risk.v1")
        assert [len(admitted), len(scored), len(decided)] == [2, 1, 1]
        for output in taken + admitted + scored + decided:
            kind = dict(output[4])["ce_type"].decode()
            body = orjson.loads(output[1])
            errors = [e.message for e in receive.compiled_schema(kind).iter_errors(body)]
            assert not errors, (kind, errors)
            if kind not in ("identity.received.v1", "protected.received.v1"):
                assert b"nobody-by-name" not in output[1] and b"not-told" not in output[1]
        assert decided[0][2] == b"demo|run-7"
        outcomes.add(orjson.loads(decided[0][1])["outcome"])
    assert len(outcomes) > 1


def test_what_came_before_is_a_duplicate_and_what_differs_a_conflict_also_after_a_restore():
    data = application()
    first = admit.Handler("p.")

    def play(handler, body):
        taken, _ = receive.Handler("p.").handle([submitted(body)])
        intake = [Record(*o[:3], o[4]) for o in taken if o[0] == "p.credit.intake.v1"]
        outputs, entries = handler.handle(intake)
        replies = [orjson.loads(o[1])["status"] for o in outputs if o[0] == "p.loan.replies.v1"]
        return replies[0], {o[0] for o in outputs}, entries

    status, topics, entries = play(first, data)
    assert (status, len(entries)) == ("accepted", 1) and "p.credit.applications.v1" in topics
    second = admit.Handler("p.")
    for partition, logged in entries.items():
        for entry in logged:
            second.remember(partition, entry["key"], entry["value"])
    for handler in (first, second):
        assert play(handler, data) == ("duplicate", {"p.loan.replies.v1"}, {})
        assert play(handler, {**data, "channel": "branch"})[:2] == ("conflict", {"p.loan.replies.v1", "p.credit.dead-letters.v1"})
        assert play(handler, {**data, "revision": 2})[0] == "accepted"
        assert play(handler, data)[0] == "superseded"


@pytest.mark.parametrize(("change", "word"), [
    ({"tenant": "other"}, "wrong_tenant"),
    ({"revision": 0}, "bad_value"),
    ({"unknown": 1}, "bad_value"),
    ({"product": "car"}, "unknown_product"),
    ({"submitted_at": "2099-01-01T00:00:00Z"}, "bad_time"),
])
def test_a_bad_application_is_answered_and_kept(change, word):
    outputs, _ = receive.Handler("p.").handle([submitted(application(**change))])
    reply, dead = outputs
    assert (reply[0], orjson.loads(reply[1])["problem"]["type"]) == ("p.loan.replies.v1", word)
    assert dead[0] == "p.credit.dead-letters.v1" and dict(dead[4])["dl_reason"] == word.encode()


def test_the_scales_of_policy_and_packages_agree():
    scales = {s["product"]: s["id"] for s in tomllib.loads((MODELS / "scales.toml").read_text())["scale"]}
    from baseline.policy import PRODUCTS
    assert scales == {product: known[0] for product, known in PRODUCTS.items()}
