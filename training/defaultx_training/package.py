"""Writes a whole model package: graph, golden vectors, reference, manifest, card and plots. The only module that writes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from defaultx_training import card, data, golden, manifest, native, reference, scale, train
from defaultx_training.train import VERSION, Fit


def write(fits: dict[str, Fit], out: Path, native_share: float = 1.0) -> Path:
    """Writes the package of the first fit; the others are only compared with on the card."""
    fit = next(iter(fits.values()))
    scale_of = scale.load(data.MODELS / "scales.toml", fit.product.scale_id)
    graph = fit.graph()
    distributions = reference.document(fit, scale_of)
    parts = {
        "graph": graph,
        "golden": json_bytes(golden.document(fit, graph, scale_of, reference.base(fit, distributions))),
        "reference": json_bytes(distributions),
    }
    answers = native.answers(fit, native_share)
    own = answers.content([feature.name for feature in fit.product.features]) if answers else b""
    named = answers.table(hashlib.sha256(own).hexdigest()) if answers else None
    digests = {part: hashlib.sha256(content).hexdigest() for part, content in parts.items()}
    files = {
        "model.onnx": parts["graph"],
        "golden.json": parts["golden"],
        "reference.json": parts["reference"],
        "manifest.toml": manifest.text(fit, digests, named).encode(),
        **({native.FILE: own} if answers else {}),
        **card.files(fits, scale_of, answers),
    }
    folder = out / fit.name / VERSION
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def make(name: str, out: Path) -> Path:
    """Trains and writes the package called `name`."""
    return write(train.fits(name), out)


def json_bytes(document: dict) -> bytes:
    """One row a line, so that a change can be read."""
    def lines(items: list) -> str:
        return "[\n" + ",\n".join(json.dumps(item, separators=(",", ":")) for item in items) + "\n]"

    entries = []
    for key, item in document.items():
        listed = isinstance(item, list) and item and isinstance(item[0], dict)
        entries.append(f"{json.dumps(key)}:" + (lines(item) if listed else json.dumps(item, separators=(",", ":"))))
    return ("{" + ",\n".join(entries) + "}\n").encode()
