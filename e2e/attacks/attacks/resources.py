"""Requests that cost the sender little and the server much, and requests that two readers would take for different ones. While and
after each of them a legitimate request is answered."""

import gzip
import json
import socket
import uuid
from collections.abc import Callable

from . import wire
from .deployment import Deployment
from .report import Report

GROUP = "resources"
SMUGGLING = "request smuggling"
# RFC 9112 lets a server take these by their chunks, if it reads no further: the length counts for nothing.
ONE_READING = {"length and chunks", "chunks and length", "a coding with a tab"}
# Bytes by which the process may have grown over the whole group.
MOST_GROWTH = 512 << 20


def attack(d: Deployment, report: Report, is_long: bool) -> None:
    before = resident(d)
    for server, role, method, path in [(d.door, "Originator", "POST", "/v1/applications"), (d.read_api, "Officer", "GET", "/v1/applications")]:
        held_connections(d, report, server, 400 if is_long else 160)
        heads(d, report, server, role, method, path)
        smuggling(d, report, server, role, method, path)
    door_bodies(d, report, is_long)
    pages(d, report)
    after = resident(d)
    if before and after:
        report.attack(GROUP, "memory of the process", after - before < MOST_GROWTH, f"{before >> 20} → {after >> 20} MiB")


def resident(d: Deployment) -> int:
    """Resident bytes of the process, where it is known."""
    if not d.pid:
        return 0
    with open(f"/proc/{d.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def legitimate(d: Deployment, report: Report, name: str) -> None:
    """An application is taken and an answer given."""
    taken = d.submit(d.application(d.tenants[0], f"resource-{uuid.uuid4().hex[:12]}"))
    report.control(GROUP, f"{name}: an application is taken", taken.status == 202, taken)
    told = d.ask(d.read_api, "GET", "/v1/applications?limit=1", d.bearer(d.read_api))
    report.control(GROUP, f"{name}: the list is told", told.status == 200, told)


def held_connections(d: Deployment, report: Report, server: str, count: int) -> None:
    """Connections that say nothing, that say a little, and that do not read."""
    # Of the other tenant: its share is its own.
    token = d.bearer(server, d.tenants[1], ["Originator", "Officer"])[0][1].encode()
    begin = b"POST /v1/applications HTTP/1.1\r\nhost: x\r\nauthorization: " + token + b"\r\nx-slow: "
    openings: dict[str, Callable[[socket.socket], object]] = {
        "silent": lambda stream: None,
        "slow heads": lambda stream: stream.sendall(begin),
        "slow bodies": lambda stream: stream.sendall(begin + b"1\r\ncontent-length: 1000000\r\n\r\n{"),
    }
    for name, opening in openings.items():
        streams = []
        try:
            for _ in range(count):
                try:
                    stream = wire.connect(server, d.ca, 5)
                    opening(stream)
                    streams.append(stream)
                except OSError:
                    pass  # Refused: the server's own bound.
            taken = d.submit(d.application(d.tenants[0], f"resource-{uuid.uuid4().hex[:12]}"))
            told = d.ask(d.read_api, "GET", "/v1/applications?limit=1", d.bearer(d.read_api))
            report.attack(GROUP, f"{count} {name} connections at {server}", (taken.status, told.status) == (202, 200), f"{taken} {told}")
        finally:
            for stream in streams:
                stream.close()
    legitimate(d, report, f"after connections at {server}")


def heads(d: Deployment, report: Report, server: str, role: str, method: str, path: str) -> None:
    """Heads beyond every measure."""
    who = d.bearer(server, roles=[role])
    cases: dict[str, tuple[str, wire.Headers]] = {
        "a header of a megabyte": (path, [*who, ("x-large", "a" * (1 << 20))]),
        "20,000 headers": (path, [*who, *((f"x-{number}", "1") for number in range(20_000))]),
        "a target of a megabyte": (path + "?product=" + "a" * (1 << 20), who),
        "20,000 parameters": (path + "?" + "&".join(f"p{number}=1" for number in range(20_000)), who),
        "a token of a megabyte": (path, [("authorization", "Bearer " + "a" * (1 << 20))]),
        "a name with a space": (path, [*who, ("x y", "1")]),
        "a name without letters": (path, [*who, ("", "1")]),
    }
    for name, (target, headers) in cases.items():
        answer = d.ask(server, method, target, headers, b"{}" if method == "POST" else None)
        report.attack(GROUP, f"{name} at {server}", answer.is_refusal, answer)
    endless = wire.raw(server, b"GET / HTTP/1.1\r\nhost: x\r\n" + b"x-a: 1\r\n" * 400_000, d.ca)
    report.attack(GROUP, f"a head of 3 MB at {server}", endless.is_refusal, endless)
    pipelined = wire.raw(server, wire.head(method, path, server, []) * 2_000, d.ca)
    report.attack(GROUP, f"2,000 requests at once at {server}", pipelined.is_refusal, pipelined)
    legitimate(d, report, f"after heads at {server}")


def smuggling(d: Deployment, report: Report, server: str, role: str, method: str, path: str) -> None:
    """Requests whose end is doubtful: refused, and nothing behind them is read as a request."""
    token = d.bearer(server, roles=[role])[0][1]
    body = json.dumps(d.application(d.tenants[0], f"smuggle-{uuid.uuid4().hex[:12]}")).encode() if method == "POST" else b""
    inner = b"GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"

    def request(lines: list[bytes], rest: bytes, start: bytes = b"") -> bytes:
        first = start or b"%s %s HTTP/1.1" % (method.encode(), path.encode())
        fixed = [first, b"host: x", b"authorization: " + token.encode(), b"content-type: application/json"]
        return b"\r\n".join([*fixed, *lines]) + b"\r\n\r\n" + rest

    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body) or 1, body or b"x")
    cases = {
        "length and chunks": request([b"content-length: 4", b"transfer-encoding: chunked"], chunked + inner),
        "chunks and length": request([b"transfer-encoding: chunked", b"content-length: %d" % len(chunked)], chunked + inner),
        "two lengths": request([b"content-length: 0", b"content-length: %d" % len(inner)], inner),
        "two lengths in one": request([b"content-length: 0, 5"], inner),
        "a signed length": request([b"content-length: +%d" % len(inner)], inner),
        "a negative length": request([b"content-length: -1"], inner),
        "a length in hexadecimal": request([b"content-length: 0x10"], inner),
        "a length beyond 64 bits": request([b"content-length: 99999999999999999999999"], inner),
        "chunked and identity": request([b"transfer-encoding: chunked, identity"], chunked + inner),
        "identity": request([b"transfer-encoding: identity"], inner),
        "an unknown coding": request([b"transfer-encoding: xchunked"], chunked + inner),
        "a coding with a tab": request([b"transfer-encoding:\tchunked", b"content-length: 3"], chunked + inner),
        "a space before the colon": request([b"content-length : %d" % len(inner)], inner),
        "a folded header": request([b"x-a: 1", b" content-length: 5"], inner),
        "chunks that count no number": request([b"transfer-encoding: chunked"], b"zz\r\n{}\r\n0\r\n\r\n" + inner),
        "chunks that count beyond 64 bits": request([b"transfer-encoding: chunked"], b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n" + inner),
        "chunks that count below nothing": request([b"transfer-encoding: chunked"], b"-1\r\n{}\r\n0\r\n\r\n" + inner),
        "chunks that end too early": request([b"transfer-encoding: chunked"], b"2\r\n{}XX0\r\n\r\n" + inner),
        "chunks with endless extensions": request([b"transfer-encoding: chunked"], b"2;" + b"a=b;" * 50_000 + b"\r\n{}\r\n0\r\n\r\n" + inner),
        "HTTP/0.9": request([], b"", b"GET /v1/applications"),
        "HTTP/2 in the clear": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "a version that there is not": request([], b"", b"%s %s HTTP/9.9" % (method.encode(), path.encode())),
        "no method": request([], b"", b" %s HTTP/1.1" % path.encode()),
        "TLS without TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    }
    for name, data in cases.items():
        answer = wire.raw(server, data, d.ca, timeout=8)
        smuggled = answer.whole.count(b"HTTP/1.1 ") > 1 or b"/smuggled" in answer.whole
        if name in ONE_READING:
            fits = not answer.is_silent and answer.status < 500
        else:
            # Broken framing is the sender's mistake (400), not a body that is too large.
            fits = (answer.is_refusal and answer.status != 413) or (answer.is_silent and name.startswith("HTTP/"))
        report.attack(SMUGGLING, f"{name} at {server}", fits and not smuggled, answer)
    headers = [("authorization", token), ("content-type", "application/json")]
    if method == "POST":
        plain = wire.raw(server, wire.head(method, path, server, [*headers, ("transfer-encoding", "chunked"), ("connection", "close")]) + chunked, d.ca)
        report.control(SMUGGLING, f"honest chunks at {server}", plain.status == 202, plain)
    else:
        plain = wire.ask(server, method, path, headers, None, d.ca)
        report.control(SMUGGLING, f"an honest request at {server}", plain.status == 200, plain)


def door_bodies(d: Deployment, report: Report, is_long: bool) -> None:
    """Bodies that are small on the wire, or large beyond the limit, or trees that are larger than both."""
    good = json.dumps(d.application(d.tenants[0], f"resource-{uuid.uuid4().hex[:12]}")).encode()
    wide = good[:-1].replace(b'"attributes": {}', b'"attributes": {"a": [%s]}' % b",".join([b"{}"] * 200_000)) + b"}"
    bodies = {
        "100,000 levels": (b"[" * 100_000 + b"]" * 100_000, []),
        "100,000 levels of objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, []),
        "200,000 values": (wide, []),
        "a number of a million digits": (good.replace(b'"revision": 1', b'"revision": ' + b"1" * 1_000_000), []),
        "an exponent": (good.replace(b'"revision": 1', b'"revision": 1e999999999'), []),
        "five megabytes": (b" " * (5 << 20) + good, []),
        "a text of two megabytes": (good.replace(b'"branch"', b'"' + b"x" * (2 << 20) + b'"'), []),
        "50,000 keys that are one": (b'{"a":1' + b',"a":1' * 50_000 + b"}", []),
        "100,000 lines": (b"{}\n" * 100_000, [("content-type", "application/x-ndjson")]),
        "a packed bomb": (gzip.compress(b" " * (64 << 20) + good), [("content-encoding", "gzip")]),
        "a packed bomb of many members": (gzip.compress(b" " * (1 << 20)) * 64 + gzip.compress(good), [("content-encoding", "gzip")]),
        "a body that says it is packed": (good, [("content-encoding", "gzip")]),
        "a body that is packed twice": (gzip.compress(gzip.compress(good)), [("content-encoding", "gzip, gzip")]),
        "a packed body cut short": (gzip.compress(good)[:-9], [("content-encoding", "gzip")]),
    }
    for name, (body, headers) in bodies.items():
        who = d.bearer(d.door, roles=["Originator"])
        plain = [] if any(key == "content-type" for key, _ in headers) else [("content-type", "application/json")]
        answer = d.ask(d.door, "POST", "/v1/applications", [*who, *plain, *headers], body)
        report.attack(GROUP, f"a body: {name}", answer.is_refusal, answer)
    packed = [*d.bearer(d.door, roles=["Originator"]), ("content-type", "application/json"), ("content-encoding", "gzip")]
    answer = d.ask(d.door, "POST", "/v1/applications", packed, gzip.compress(good))
    report.control(GROUP, "a packed body", answer.status == 202, answer)
    torn = wire.raw(d.door, wire.head("POST", "/v1/applications", d.door, [*d.bearer(d.door, roles=["Originator"]), ("content-length", "4000000"), ("expect", "100-continue")]), d.ca, timeout=2)
    report.attack(GROUP, "a body that is announced and never sent", torn.status in (0, 100, 408), torn)
    legitimate(d, report, "after bodies")


def pages(d: Deployment, report: Report) -> None:
    """Questions whose answer would be everything."""
    for query in ["limit=4294967295", "limit=1000000", "limit=0", "limit=-1", "from=0001-01-01&to=9999-01-01&limit=100000"]:
        answer = d.ask(d.read_api, "GET", f"/v1/applications?{query}", d.bearer(d.read_api))
        items = answer.json().get("items", []) if answer.status == 200 else []
        report.attack(GROUP, f"a page by {query}", answer.status < 500 and not answer.is_silent and len(items) <= 1_000, answer)
    for query in ["from=0001-01-01&to=9999-01-01", "from=1900-01-01"]:
        answer = d.ask(d.read_api, "GET", f"/v1/kpis?{query}", d.bearer(d.read_api))
        report.attack(GROUP, f"figures by {query}", answer.is_refusal, answer)
    with_body = d.ask(d.read_api, "GET", "/v1/applications", d.bearer(d.read_api), b"x" * (1 << 20))
    report.attack(GROUP, "a body where none is taken", with_body.is_refusal, with_body)
    legitimate(d, report, "after pages")
