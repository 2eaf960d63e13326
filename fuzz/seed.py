#!/usr/bin/env python3
"""Writes the seeds of the corpora from what is committed: graphs of stock exporters, packages that prove themselves, and the
conformance cases where a test has written them to target/conformance."""

import gzip
import json
import struct
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PLACES = ["inference/tests/conformance/fixtures", "defaultx/tests/it/graphs", "target/conformance", "models"]
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


def packed(*parts):
    return b"".join(struct.pack("<I", len(each)) + each for each in parts)


# As src/workers.rs takes them apart. Topics by their place in schemas/src/topics.rs.
TYPES = {
    "application.submitted.v1": 0, "application.withdrawn.v1": 0, "application.replied.v1": 1, "application.received.v1": 2,
    "identity.received.v1": 3, "protected.received.v1": 4, "application.accepted.v1": 5, "score.computed.v1": 6,
    "score.shadow_computed.v1": 7, "decision.made.v1": 8, "notification.delivered.v1": 9,
}
for event_type, topic in TYPES.items():
    for example in sorted((ROOT / "schemas/examples" / event_type).glob("*.json")):
        if example.name == "faults.json":
            continue
        body = json.dumps(json.loads(example.read_text()), separators=(",", ":")).encode()
        headers = {
            "ce_specversion": "1.0", "ce_id": "1", "ce_source": "/los", "ce_type": event_type, "ce_tenant": "demo",
            "content-type": "application/json", "ce_revision": "1", "ce_datadigest": "00" * 32, "ce_originid": "1",
            "ce_originchannel": "kafka", "ce_origintopic": "loan.applications.v1", "ce_originpartition": "0", "ce_originoffset": "1",
        }
        flat = [text.encode() for pair in headers.items() for text in pair]
        write("record", f"{event_type}-{example.stem}", packed(bytes([topic, 0]), b"demo|a-1", body, *flat))
        if topic == 0:
            write("door", example.stem, packed(body, b"content-type", b"application/json", b"idempotency-key", b"k"))
            write("door", f"{example.stem}-lines", packed(body + b"\n" + body, b"content-type", b"application/x-ndjson"))
            write("batch", example.stem, b"\x01" + body)
for topic in (5, 6):
    activation = b'{"kind":"policy","name":"standard","version":"1.0.0","digest":"00","activated_by":"a","activated_at":"2026-01-01T00:00:00Z"}'
    write("record", f"activation-{topic}", packed(bytes([topic, 0]), b"", activation, b"ce_type", b"control.activated.v1"))
rows = gzip.decompress((ROOT / "training/data/south_german/south_german.csv.gz").read_bytes()).splitlines(keepends=True)
write("batch", "german", b"\x00" + b"".join(rows[:4]))
write("batch", "german-gz", b"\x02" + gzip.compress(b"".join(rows[:4])))
for corpus, pattern in [("policy", "policies/*/*.yaml"), ("route", "routes/*/*.toml")]:
    for document in sorted(ROOT.glob(pattern)):
        write(corpus, "_".join(document.relative_to(ROOT).parts), document.read_bytes())
