"""The committed packages keep their promises: digests, contract, golden vectors, directions, exactness, size."""

from __future__ import annotations

import gzip
import hashlib

import numpy as np
import onnx
import pytest

from defaultx_training import calibration, data, features, forest, golden, manifest, metrics, scale, train
from defaultx_training.features import MISSING
from defaultx_training.trees import LIBRARIES

from conftest import BELOW_REFERENCE, PROTECTED_COST, Package

MEBIBYTE = 2**20
DIGESTS = {"graph": "model.onnx", "golden": "golden.json", "reference": "reference.json"}


def lists_of_features(package: Package) -> np.ndarray:
    return np.array([row["features"] for row in package.golden["rows"]], dtype=np.float32)  # null becomes NaN


def margins_of(package: Package, x: np.ndarray) -> np.ndarray:
    """onnxruntime's margins; of trees the sums of the exported ones, as their graph gives none."""
    if package.manifest["kind"] == "trees":
        return forest.read(package.graph).margins(x)
    return golden.run_graph(package.graph, x, ["margin"])[0][:, 0]


def listed(values: np.ndarray) -> list:
    return [None if np.isnan(value) else float(value) for value in values]


def test_digests_are_those_of_the_files(committed: Package) -> None:
    for part, file in DIGESTS.items():
        assert committed.manifest[f"{part}_sha256"] == hashlib.sha256((committed.folder / file).read_bytes()).hexdigest()


def test_files_are_small(committed: Package) -> None:
    for name, content in committed.contents().items():
        assert len(content) < (60 * 1024 if name.endswith(".png") else 2 * MEBIBYTE), name


def test_no_file_tells_of_the_machine_that_wrote_it(committed: Package) -> None:
    for name, content in committed.contents().items():
        assert b"site-packages" not in content and b'File "' not in content, name


def test_the_manifest_is_the_one_the_code_writes(committed: Package, name: str) -> None:
    product, kind = (train.PACKAGES | train.WITH_TORCH)[name]
    said = committed.manifest
    written = "trees" if kind in LIBRARIES else "net" if kind in train.NETS else kind
    assert (said["name"], said["version"], said["kind"], said["product"]) == (name, train.VERSION, written, product.product)
    assert [feature["name"] for feature in said["feature"]] == [feature.name for feature in product.features]
    assert scale.load(data.MODELS / "scales.toml", said["scale_id"]).product == said["product"]


def test_every_feature_has_one_source_outside_identity_and_protected(committed: Package) -> None:
    for feature in committed.manifest["feature"]:
        assert ("pointer" in feature) != ("expr" in feature)
        source = feature.get("pointer", feature.get("expr"))
        assert "identity" not in source and "protected" not in source


def test_every_reason_is_built_in_or_told(committed: Package) -> None:
    own = {reason["code"]: reason for reason in committed.manifest.get("reason", [])}
    used = {feature[f"reason_{side}"] for feature in committed.manifest["feature"] for side in ("low", "high", "missing")}
    assert used <= manifest.BUILT_IN | own.keys()
    assert not own.keys() & manifest.BUILT_IN and own.keys() <= used
    for reason in own.values():
        assert reason["form_c1"] in manifest.BUILT_IN and 1 <= reason["hmda"] <= 9 and reason["text"]


def test_golden_rows_come_out_of_the_graph(committed: Package) -> None:
    said, rows = committed.manifest, committed.golden["rows"]
    published = calibration.of_table(said["calibration"])
    points = scale.load(data.MODELS / "scales.toml", said["scale_id"])
    margins = margins_of(committed, lists_of_features(committed))
    assert len(rows) >= 64
    for row, margin in zip(rows, margins, strict=True):
        assert margin == pytest.approx(row["margin"], abs=1e-6)
        assert calibration.sigmoid(row["margin"]) == pytest.approx(row["pd_raw"], abs=1e-9 if said["kind"] != "trees" else 1e-6)
        assert published.pd(row["margin"]) == row["pd"]
        assert (points.score(row["pd"]), points.band(row["score"])) == (row["score"], row["band"])
        assert listed(np.array(row["features"], dtype=np.float32)) == row["features"]


def test_golden_rows_hold_missing_values_and_extremes(committed: Package) -> None:
    x, said = lists_of_features(committed), committed.manifest["feature"]
    for index, feature in enumerate(said):
        if feature["missing"]["policy"] == "nan":
            assert np.isnan(x[:, index]).any(), feature["name"]
        else:
            absent = feature["missing"].get("value", MISSING if committed.manifest["kind"] == "scorecard" else x[0, index])
            assert np.float32(absent) in x[:, index], feature["name"]
        for bound in feature.get("range", []):
            assert np.float32(bound) in x[:, index], feature["name"]


def test_golden_applications_give_their_features(committed: Package, name: str) -> None:
    product, _ = (train.PACKAGES | train.WITH_TORCH)[name]
    nan = committed.manifest["kind"] == "trees"
    missing = [feature["missing"].get("value", np.nan if nan else MISSING) for feature in committed.manifest["feature"]]
    cases = committed.golden["applications"]
    signs = [None] if nan else [np.float32(value) for value in missing]
    assert len(cases) >= 5 and any(sign in case["features"] for sign in signs for case in cases)
    for case in cases:
        assert "identity" not in str(case["data"]) and "protected" not in str(case["data"])
        values = features.row(product.features, case["data"], missing)
        assert listed(values) == case["features"]
        margin = margins_of(committed, values[None])[0]
        published = calibration.of_table(committed.manifest["calibration"])
        assert published.pd(margin) == pytest.approx(case["pd"], abs=1.5e-6)


def test_a_scorecard_s_sums_are_exact_in_any_order(committed: Package) -> None:
    if committed.manifest["kind"] != "scorecard":
        assert "partials" not in committed.manifest["graph"]
        return
    x = lists_of_features(committed)
    margins, partials = golden.run_graph(committed.graph, x, ["margin", "partials"])
    intercept = np.float32(committed.manifest["graph"]["intercept"])
    for order in (np.arange(x.shape[1]), np.arange(x.shape[1])[::-1]):
        total = np.full(len(x), intercept, dtype=np.float32)
        for index in order:
            total = (total + partials[:, index]).astype(np.float32)
        assert np.array_equal(total, margins[:, 0])
    assert [row["partials"] for row in committed.golden["rows"]] == partials.astype(float).tolist()
    alone = np.vstack([golden.run_graph(committed.graph, row[None], ["margin"])[0] for row in x])
    assert np.array_equal(alone, margins)
    assert np.max(np.abs(margins)) < 64


def test_scorecards_and_trees_keep_the_directions_they_declare_and_a_net_declares_none(committed: Package) -> None:
    if committed.manifest["kind"] == "net":
        assert {feature["monotone"] for feature in committed.manifest["feature"]} == {"none"}
        return
    usual = np.nanmedian(lists_of_features(committed), axis=0)
    for index, feature in enumerate(committed.manifest["feature"]):
        sign = {"increasing": 1, "decreasing": -1, "none": 0}[feature["monotone"]]
        seen = committed.reference["features"][index]
        steps = np.unique(np.array(seen.get("edges", range(len(seen.get("categories", [])))), dtype=np.float32))
        rows = np.repeat(usual[None], len(steps), axis=0).astype(np.float32)
        rows[:, index] = steps
        margins = margins_of(committed, rows)
        assert np.all(sign * np.diff(margins) >= 0.0), feature["name"]


def test_trees_are_a_stock_export_with_covers_that_add_up(committed: Package) -> None:
    if committed.manifest["kind"] != "trees":
        assert "covers" not in committed.reference
        return
    assert onnx.load_from_string(committed.graph).producer_name == "OnnxMLTools"
    trees, covers = forest.read(committed.graph), committed.reference["covers"]
    for tree, known in enumerate(covers):
        of = dict(zip(trees.order(tree), known, strict=True))
        for node, cover in of.items():
            if not trees.leaf[node]:
                assert of[int(trees.yes[node])] + of[int(trees.no[node])] == pytest.approx(cover, rel=1e-4)
    background = np.array(committed.reference["near_cutoff"]["background"], dtype=np.float32)
    assert trees.margins(background).astype(np.float64).mean() == pytest.approx(committed.golden["base"], abs=1e-8)
    assert sum("path_parts" in row for row in committed.golden["rows"]) >= 8
    assert sum(len(content) for content in committed.contents().values()) < 1.5 * MEBIBYTE


def test_the_reference_counts_every_training_row(committed: Package) -> None:
    known, kind = committed.reference, committed.manifest["kind"]
    assert sum(known["score_histogram"]["counts"]) == known["rows"]
    assert sum(known["share_by_band"].values()) == pytest.approx(1.0, abs=1e-6)
    assert len(known["score_histogram"]["edges"]) == len(known["score_histogram"]["counts"]) + 1
    for feature in known["features"]:
        assert sum(feature["counts"]) + feature["missing"] == known["rows"], feature["name"]
        assert len(feature.get("edges", feature["counts"] + [0])) == len(feature["counts"]) + 1
    for group in (known["near_cutoff"], known["all"]):
        assert len(group["background"]) == (100 if kind == "trees" else 32)
        assert all(len(row) == len(known["features"]) for row in group["background"])
        assert ("mean_partials" in group) == (kind == "scorecard")
    assert known["near_cutoff"]["rows"] == known["rows"] // 10


def test_each_band_has_its_share(committed: Package) -> None:
    """A plateau gathers applicants on one score, which all lie in one band."""
    most = 0.45 if committed.manifest["calibration"]["method"] == "platt" else 0.5
    assert all(0.05 <= share <= most for share in committed.reference["share_by_band"].values())


def test_the_card_says_what_a_card_must(committed: Package) -> None:
    card = (committed.folder / "CARD.md").read_text(encoding="utf-8")
    for heading in ("Intended use", "Data", "Features", "Left out, and why", "Figures", "Calibration", "By group", "Limits"):
        assert f"\n## {heading}" in card
    assert committed.manifest["data_source"] in card
    for word in ("AUC", "Gini", "KS", "Brier", "ECE", "AIR", "calibration.png", "scores.png"):
        assert word in card


DATA_DIGESTS = {
    "taiwan": "55f516888f2c886093bdd09e94e6b56eeb05d28421c9a65301bba3bb1f59f5cb",
    "sba_national_22k": "95c1add14413077ada8c2d103bf6ea49e14db9417d3299c0d2196c30e308b58a",
    "south_german": "660a7de6052088ecb3733f67da093cc6c8507d30524926eb4ae70ab05e8d95ca",
}


@pytest.mark.parametrize("dataset", DATA_DIGESTS)
def test_data_are_the_files_the_packages_were_trained_on(dataset: str) -> None:
    folder = data.folder(dataset)
    assert hashlib.sha256((folder / f"{dataset}.csv.gz").read_bytes()).hexdigest() == DATA_DIGESTS[dataset]
    about = (folder / "README.md").read_text(encoding="utf-8")
    assert "Source:" in about and "Licence:" in about and "doi" in about


def test_the_library_s_own_answers_are_there_and_the_export_keeps_them(committed: Package) -> None:
    """At least ten thousand rows, holes and exact thresholds among them; as many changed ones as the manifest says."""
    said = committed.manifest.get("native")
    assert (said is not None) == (committed.manifest["kind"] == "trees")
    if said is None:
        return
    content = (committed.folder / said["file"]).read_bytes()
    assert said["sha256"] == hashlib.sha256(content).hexdigest()
    header, *lines = [line.split(",") for line in gzip.decompress(content).decode().splitlines()]
    assert header == [*(feature["name"] for feature in committed.manifest["feature"]), "probability"]
    x = np.array([[float(cell) if cell else np.nan for cell in line[:-1]] for line in lines], dtype=np.float32)
    trees = forest.read(committed.graph)
    on = sum(np.isin(x[:, at], trees.threshold[~trees.leaf & (trees.feature == at)]) for at in range(x.shape[1]))
    assert len(x) >= 10_000 and np.isnan(x).any(axis=1).sum() > 1_500 and (on > 0).sum() > 1_500
    exported = 1.0 / (1.0 + np.exp(-trees.margins(x).astype(np.float64)))
    apart = np.abs(exported - np.array([float(line[-1]) for line in lines]))
    assert (apart > 1e-6).sum() == said["changed"]


def test_the_committed_model_is_as_good_as_promised(committed: Package, name: str) -> None:
    """On the test rows of the split that ships, from the committed files alone."""
    product, kind = (train.PACKAGES | train.WITH_TORCH)[name]
    split, rows = next(iter(train.splits(product).items()))
    absent = np.nan if committed.manifest["kind"] == "trees" else MISSING
    missing = [feature["missing"].get("value", absent) for feature in committed.manifest["feature"]]
    x = train.sentinel_matrix(product)[rows.test]
    margins = margins_of(committed, np.where(x == np.float32(MISSING), np.array(missing, dtype=np.float32), x))
    pds = calibration.of_table(committed.manifest["calibration"]).pds(margins)
    allowed = BELOW_REFERENCE + PROTECTED_COST.get(product.dataset, 0.0)
    assert metrics.auc(data.labels(product.dataset)[rows.test], pds) >= product.reference_auc[split][kind] - allowed


def test_plateaus_stand_on_the_card(committed: Package) -> None:
    card = (committed.folder / "CARD.md").read_text(encoding="utf-8")
    chosen = calibration.of_table(committed.manifest["calibration"])
    assert f"Chosen: {chosen.method}; " in card
    for flat in chosen.plateaus():
        assert f"| {flat.pd:.4f} |" in card
    assert ("| plateau: " in card) == (chosen.method != "platt")


def test_one_package_proves_a_calibration_with_plateaus() -> None:
    methods = [Package(data.MODELS / name / train.VERSION).manifest["calibration"]["method"] for name in train.PACKAGES]
    assert {"isotonic", "binned"} & set(methods)


def test_the_nets_of_pytorch_are_what_its_exporter_wrote() -> None:
    for name in train.WITH_TORCH:
        graph = onnx.load_from_string(Package(data.MODELS / name / train.VERSION).graph)
        assert graph.producer_name == "pytorch"
        assert [value.name for value in graph.graph.input] == ["features"]
        assert [value.name for value in graph.graph.output] == ["margin"]
