"""credit.intake.v1 → credit.applications.v1 and replies: what was seen before is not decided again.

State is a dict per partition, 16 bytes of a digest to 25 bytes of an entry, and a changelog in the same partition.
"""

from hashlib import sha256
from struct import Struct

import orjson

from baseline.ids import child, coordinates_id, event_id

SOURCE = b"/defaultx/ingest"
WINDOW_S = 30 * 86_400
WITHDRAWN = 1 << 31
ENTRY = Struct(">B16sII")  # version, digest, revision with the mark of a withdrawal, seconds of receipt
PASSED_ON = (
    "ce_subject", "ce_time", "ce_correlationid", "ce_partitionkey", "traceparent", "ce_tenant", "ce_datadigest",
    "ce_originid", "ce_originchannel", "ce_origintopic", "ce_originpartition", "ce_originoffset",
)


class Handler:
    """The hop with its memory."""

    def __init__(self, prefix: str):
        self.prefix = prefix
        self.known: dict[int, dict[bytes, bytes]] = {}

    def remember(self, partition, key, value):
        known = self.known.setdefault(partition, {})
        if value is None:
            known.pop(key, None)
        else:
            known[key] = value

    def handle(self, messages, pack=ENTRY.pack, unpack=ENTRY.unpack, dumps=orjson.dumps):
        outputs, entries = [], {}
        applications, replies = self.prefix + "credit.applications.v1", self.prefix + "loan.replies.v1"
        base = "credit.intake.v1"
        for message in messages:
            heads = dict(message.headers())
            key, partition, offset = message.key(), message.partition(), message.offset()
            tenant, application_id = key.decode().split("|", 1)
            received_ms = int(heads["ce_receivedat"])
            received_s = received_ms // 1000
            known = self.known.setdefault(partition, {})
            name = sha256(key).digest()[:16]
            entry = known.get(name)
            if entry is not None:
                _, seen, mark, seen_s = unpack(entry)
                if message.timestamp()[1] // 1000 > seen_s + 1 + WINDOW_S:
                    entry = None
            entered, accepted, problem = None, None, None
            if heads["ce_type"] == b"application.withdrawn.v1":
                revision = None
                if entry is None:
                    status, entered = "accepted", pack(1, bytes(16), WITHDRAWN, received_s)
                elif mark & WITHDRAWN:
                    status = "duplicate"
                else:
                    status, accepted, accepted_revision = "accepted", "application.withdrawn.v1", mark
                    entered = pack(1, seen, mark | WITHDRAWN, max(seen_s, received_s))
            else:
                revision = int(heads["ce_revision"])
                digest = bytes.fromhex(heads["ce_datadigest"].decode())[:16]
                last = mark & ~WITHDRAWN if entry is not None else 0
                if entry is None or (revision > last and not mark & WITHDRAWN):
                    status, accepted, accepted_revision = "accepted", "application.accepted.v1", revision
                    entered = pack(1, digest, revision, received_s)
                elif revision > last:
                    status, problem = "rejected", "withdrawn"
                elif revision < last:
                    status, problem = "superseded", "superseded"
                elif digest == seen:
                    status = "duplicate"
                else:
                    status, problem = "conflict", "conflict"
            if entered is not None:
                known[name] = entered
                entries.setdefault(partition, []).append({"key": name, "value": entered})
            if accepted is not None:
                event = event_id(accepted, tenant, application_id, accepted_revision, "")
                headers = [
                    ("ce_specversion", b"1.0"),
                    ("ce_id", event.encode()),
                    ("ce_source", SOURCE),
                    ("ce_type", accepted.encode()),
                    ("content-type", b"application/json"),
                    ("ce_causationid", heads["ce_id"]),
                    ("ce_revision", b"%d" % accepted_revision),
                    ("ce_receivedat", heads["ce_receivedat"]),
                ]
                headers += [(known_name, heads[known_name]) for known_name in PASSED_ON if known_name in heads]
                outputs.append((applications, message.value(), key, partition, headers))
            reply = {"status": status, "tenant": tenant, "application_id": application_id}
            if revision is not None:
                reply["revision"] = revision
            reply["origin_id"] = heads["ce_originid"].decode()
            reply["origin"] = {
                "topic": heads["ce_origintopic"].decode(),
                "partition": int(heads["ce_originpartition"]),
                "offset": int(heads["ce_originoffset"]),
            }
            if problem is not None:
                reply["problem"] = {"type": problem}
            event = coordinates_id("application.replied.v1", base, partition, offset)
            headers = child(heads, SOURCE, b"application.replied.v1", event)
            headers.append(("ce_tenant", heads["ce_tenant"]))
            outputs.append((replies, dumps(reply), key, -1, headers))
            if status in ("conflict", "rejected"):
                dead = list(message.headers()) + [
                    ("dl_reason", problem.encode()),
                    ("dl_stage", b"admit"),
                    ("dl_topic", base.encode()),
                    ("dl_partition", b"%d" % partition),
                    ("dl_offset", b"%d" % offset),
                ]
                outputs.append((self.prefix + "credit.dead-letters.v1", message.value(), key, partition, dead))
        return outputs, entries
