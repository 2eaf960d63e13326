#!/usr/bin/env python3
"""Writes the seeds of both corpora from what is committed: graphs of stock exporters, packages that prove themselves, and the
conformance cases where a test has written them to target/conformance."""

import json
import struct
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PLACES = ["scoring/tests/conformance/fixtures", "defaultx/tests/it/graphs", "target/conformance", "models"]
PARTS = ["manifest.toml", "model.onnx", "golden.json", "reference.json"]
LARGEST = 200 << 10  # bytes of a seed: the loop is as fast as they are small
ROWS, APPLICATIONS = 64, 5  # as many golden answers as a package must have


def write(corpus, name, content):
    folder = HERE / "corpus" / corpus
    folder.mkdir(parents=True, exist_ok=True)
    if len(content) <= LARGEST:
        (folder / name).write_bytes(content)


def part(path):
    """A file of a package, without what it can do without."""
    if path.suffix != ".json":
        return path.read_bytes()
    document = json.loads(path.read_text())
    document.pop("covers", None)
    for key, most in [("rows", ROWS), ("applications", APPLICATIONS)]:
        if isinstance(document.get(key), list):
            document[key] = [{k: v for k, v in each.items() if k != "path_parts"} for each in document[key][:most]]
    return json.dumps(document, separators=(",", ":")).encode()


for graph in sorted(path for place in PLACES for path in (ROOT / place).rglob("*.onnx")):
    name = "_".join(graph.relative_to(ROOT).with_suffix("").parts)
    write("graph", name, graph.read_bytes())
    if (graph.parent / "manifest.toml").exists():
        # As src/parcel.rs takes them apart.
        parts = [part(graph.parent / name) for name in PARTS]
        write("package", name, b"".join(struct.pack("<I", len(each)) + each for each in parts))
