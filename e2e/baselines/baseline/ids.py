"""Deterministic event ids (UUIDv5) without the cost of `uuid.UUID`, headers, and moments as text."""

from datetime import UTC, datetime
from hashlib import sha1

NAMESPACE = bytes.fromhex("6f0c3d1e9f5b5c2e8a472d1b70e495a3")
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_SEEDED = sha1(NAMESPACE)


def uuid5(name: str) -> str:
    """As `str(uuid.uuid5(NAMESPACE, name))`."""
    hashed = _SEEDED.copy()
    hashed.update(name.encode())
    h = hashed.hexdigest()
    return f"{h[:8]}-{h[8:12]}-5{h[13:16]}-{_VARIANT[h[16]]}{h[17:20]}-{h[20:32]}"


def event_id(event_type: str, tenant: str, application_id: str, revision: int, ordinal: str) -> str:
    """The id of an event about an application."""
    return uuid5(f"{event_type}\x1f{tenant}\x1f{application_id}\x1f{revision}\x1f{ordinal}")


def coordinates_id(event_type: str, topic: str, partition: int, offset: int) -> str:
    """The id of an event that a record without an id of its own caused."""
    return uuid5(f"{event_type}\x1f{topic}\x1f{partition}\x1f{offset}")


def rfc3339(ms: int) -> str:
    """Milliseconds since 1970 as RFC 3339 in UTC."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def child(heads: dict, source: bytes, event_type: bytes, event: str) -> list:
    """Headers of an event that the record with `heads` causes: same subject, key, correlation and trace."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", event.encode()),
        ("ce_source", source),
        ("ce_type", event_type),
        ("content-type", b"application/json"),
        ("ce_causationid", heads.get("ce_id", b"")),
    ]
    for name in ("ce_subject", "ce_correlationid", "ce_partitionkey", "traceparent"):
        value = heads.get(name)
        if value is not None:
            headers.append((name, value))
    return headers
