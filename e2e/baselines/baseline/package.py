"""A model package at work: rows in, whole blocks of scores, contributions and reasons out, with numpy where it pays."""

import tomllib
from bisect import bisect_right
from hashlib import sha256
from pathlib import Path

import numpy as np
import orjson

from baseline.contract import compile_row
from baseline.graph import Graph
from baseline.reasons import CATALOGUE

MODELS = Path(__file__).resolve().parents[3] / "models"
MAX_REASONS = 4
CLAMP = 1.0e-6


def millionths(values):
    """Rounded to 1e-6, half away from zero as far as doubles tell."""
    return np.round(values * 1.0e6) / 1.0e6 + 0.0


class Package:
    """A package and the parts of a score event that never change."""

    def __init__(self, name: str, explainer: str = "", version: str = "1.0.0"):
        folder = MODELS / name / version
        text = (folder / "manifest.toml").read_bytes()
        self.manifest = manifest = tomllib.loads(text.decode())
        graph, document = (folder / "model.onnx").read_bytes(), (folder / "reference.json").read_bytes()
        for said, found in (("graph_sha256", graph), ("reference_sha256", document)):
            if sha256(found).hexdigest() != manifest[said]:
                raise ValueError(f"{name}: {said} is of another file")
        document = orjson.loads(document)
        self.reference = manifest["reasons"]["reference"]
        reference = document[self.reference]
        if manifest["kind"] == "trees":
            # Only who scores with trees needs their libraries.
            from baseline.trees import Trees

            self.engine = Trees(graph, document["covers"], reference, explainer)
        else:
            self.engine = Graph(graph, manifest["graph"], reference)
        self.base = float(millionths(self.engine.base))
        features = manifest["feature"]
        self.names = [feature["name"] for feature in features]
        self.row = compile_row(features)
        self.calibration = manifest["calibration"]
        if self.calibration["method"] not in ("platt", "isotonic"):
            raise ValueError(f"{name}: the baseline knows no calibration {self.calibration['method']}")
        self.threshold = manifest["classification"]["threshold"]
        scales = tomllib.loads((MODELS / "scales.toml").read_text())["scale"]
        self.scale = next(scale for scale in scales if scale["id"] == manifest["scale_id"])
        starts = sorted((band["min_score"], band["name"]) for band in self.scale["bands"])
        lows = [low for low, _ in starts]
        every = range(self.scale["floor"], self.scale["cap"] + 1)
        self.bands = {score: starts[bisect_right(lows, score) - 1][1] for score in every}
        self._load_reasons(reference, features)
        target = manifest["target"]
        self.model_ref = orjson.Fragment(orjson.dumps({
            "name": manifest["name"],
            "version": manifest["version"],
            "digest": sha256(text).hexdigest(),
            "role": "champion",
            "target": {k: target[k] for k in ("definition", "horizon_months", "population", "prior_correction")},
            "engine": self.engine.name,
            "kernel": self.engine.kernel,
        }))

    def _load_reasons(self, reference: dict, features: list[dict]) -> None:
        # In the order of their codes: a stable sort then breaks ties as the product does.
        texts = {reason["code"]: reason for reason in self.manifest.get("reason", ())}
        for code, (text, hmda) in CATALOGUE.items():
            texts.setdefault(code, {"code": code, "text": text, "form_c1": code, "hmda": hmda})
        spoken = {feature[side] for feature in features for side in ("reason_low", "reason_high", "reason_missing")}
        self.reasons = [texts[code] for code in sorted(spoken)]
        place = {reason["code"]: index for index, reason in enumerate(self.reasons)}
        sides = ("reason_low", "reason_high", "reason_missing")
        self.codes = np.array([[place[feature[side]] for side in sides] for feature in features])
        # Where the direction is known, it names the side; else the usual value of the reference divides.
        self.fixed = np.array([{"increasing": 1, "decreasing": 0}.get(feature["monotone"], -1) for feature in features])
        background = np.array(reference["background"], dtype=np.float32)
        self.typical = np.full(len(features), -np.inf, dtype=np.float32)
        for i, feature in enumerate(features):
            known = np.sort(background[~np.isnan(background[:, i]), i])
            if feature["missing"]["policy"] == "value":
                known = known[known != np.float32(feature["missing"]["value"])]
            if len(known):
                self.typical[i] = known[(len(known) - 1) // 2]
        self.sets: dict[int, list[str]] = {}

    def pds(self, margins: np.ndarray) -> np.ndarray:
        """Published probabilities of f64 margins."""
        said = self.calibration
        if said["method"] == "isotonic":
            calibrated = np.interp(margins, said["margins"], said["pds"])
        else:
            calibrated = 1.0 / (1.0 + np.exp(-(said["a"] * margins + said["b"])))
        return np.floor(1.0e6 * calibrated + 0.5) / 1.0e6

    def points(self, pds: np.ndarray) -> list[int]:
        """Points of published probabilities."""
        scale, pds = self.scale, np.clip(pds, CLAMP, 1.0 - CLAMP)
        log_odds = np.log((1.0 - pds) / pds) - np.log(scale["base_odds"])
        points = np.floor(scale["base_score"] + scale["pdo"] / np.log(2.0) * log_odds + 0.5)
        return np.clip(points, scale["floor"], scale["cap"]).astype(np.int64).tolist()

    def score(self, rows: list[tuple[list[float], int, int, int]]) -> list[tuple[dict, list, dict, list]]:
        """For each row of values and flags: score, features, explanation and reasons, as the event has them."""
        x = np.array([row[0] for row in rows], dtype=np.float64).astype(np.float32)
        margins, contributions = self.engine.explained(x)
        pds = self.pds(margins)
        raw = millionths(1.0 / (1.0 + np.exp(-margins))).tolist()
        points = self.points(pds)
        pds = pds.tolist()
        residuals = millionths(margins - self.engine.base - contributions.sum(axis=1)).tolist()
        contributions = millionths(contributions)
        reasons = self.ranked(x, contributions, rows)
        return self.worded(rows, x.tolist(), margins.tolist(), raw, pds, points, contributions.tolist(), residuals, reasons)

    def worded(self, rows, x, margins, raw, pds, points, contributions, residuals, reasons):
        """The numbers of a block as parts of events."""
        answers = []
        names, bands, threshold, base = self.names, self.bands, self.threshold, self.base
        score_range, scale_id = [self.scale["floor"], self.scale["cap"]], self.scale["id"]
        reference, method = self.reference, self.engine.method
        columns = zip(rows, x, margins, raw, pds, points, contributions, residuals, reasons, strict=True)
        for (_, missing, unknown, clamped), values, margin, pd_raw, pd, point, parts, residual, why in columns:
            features = [{"name": n, "value": v, "contribution": c} for n, v, c in zip(names, values, parts)]
            if missing or unknown or clamped:
                for bits, word in ((missing, "missing"), (unknown, "unknown"), (clamped, "clamped")):
                    while bits:
                        lowest = bits & -bits
                        features[lowest.bit_length() - 1]["flag"] = word
                        bits ^= lowest
            score = {
                "margin": margin, "pd_raw": pd_raw, "pd": pd, "class": 1 if pd >= threshold else 0,
                "threshold": threshold, "score": point, "range": score_range, "scale_id": scale_id, "band": bands[point],
            }
            explanation = {"method": method, "reference": reference, "base": base, "residual": residual}
            answers.append((score, features, explanation, why))
        return answers

    def ranked(self, x: np.ndarray, contributions: np.ndarray, rows: list) -> list[list[dict]]:
        """At most four candidate reasons for each row: adverse features grouped by code, strongest first."""
        count, width = x.shape
        sides = np.where(self.fixed >= 0, self.fixed, np.where(x < self.typical, 0, 1))
        for index, row in enumerate(rows):
            bits = row[1] | row[2]
            while bits:
                lowest = bits & -bits
                sides[index, lowest.bit_length() - 1] = 2
                bits ^= lowest
        adverse = np.where(contributions > 0.0, contributions, 0.0)
        totals = np.zeros((count, len(self.reasons)))
        behind = np.zeros((count, len(self.reasons)), dtype=np.int64)
        every = np.arange(count)
        for i in range(width):
            code = self.codes[i, sides[:, i]]
            totals[every, code] += adverse[:, i]
            behind[every, code] |= (adverse[:, i] > 0.0).astype(np.int64) << i
        totals = millionths(totals)
        order = np.argsort(-totals, axis=1, kind="stable")[:, :MAX_REASONS]
        top, sets = np.take_along_axis(totals, order, 1).tolist(), np.take_along_axis(behind, order, 1).tolist()
        texts, named, answers = self.reasons, self.sets, []
        for codes, values, bits in zip(order.tolist(), top, sets, strict=True):
            found = []
            for rank, (code, value, mask) in enumerate(zip(codes, values, bits), start=1):
                if not mask:
                    break
                features = named.get(mask)
                if features is None:
                    features = named[mask] = [n for i, n in enumerate(self.names) if mask >> i & 1]
                text = texts[code]
                found.append({
                    "rank": rank, "code": text["code"], "text": text["text"], "form_c1": text["form_c1"],
                    "hmda": text["hmda"], "features": features, "contribution": value,
                })
            answers.append(found)
        return answers
