"""Text that means something to a database, a shell, a terminal, a template or a parser, in every parameter of both documents and
in every text of an application's body. It is refused, or it is data: it is never carried out, echoed raw, or a 5xx."""

import copy
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from .deployment import Deployment
from .documents import Operation, operations
from .report import Report
from .wire import Answer

GROUP = "injections"
MARK = "INJECTED-LINE"
ESCAPE = "\x1b]0;INJECTED\x07\x1b[31m"
# What a database, a runtime or an interpreter says when text reached it as more than text.
TELLTALE = re.compile(
    rb"syntax error|SQLSTATE|pg_catalog|PG::|unterminated|psql|postgres(?:ql)?://|panicked|stack backtrace|\.rs:\d+|Traceback|root:x:0"
    rb"|7777777",
    re.IGNORECASE,
)

# (kind, text): the first of each kind is the short form's.
PAYLOADS = [
    ("sql", "x' OR '1'='1"),
    ("sql", "x'; DROP TABLE defaultx.applications; --"),
    ("sql", "x' UNION SELECT version(), current_user --"),
    ("sql", "1; SELECT pg_sleep(30)"),
    ("sql", "' || (SELECT pg_sleep(30)) || '"),
    ("sql", "\\'; SELECT 1; --"),
    ("sql", "$$; SELECT 1; $$"),
    ("sql", "%"),
    ("sql", "_" * 8),
    ("sql", "x') OR (1=1"),
    ("sleep", "x'||pg_sleep(30)--"),
    ("header", f"x\r\nx-injected: 1\r\n\r\n{MARK}"),
    ("header", f"x\nset-cookie: injected={MARK}"),
    ("path", "../../../../etc/passwd"),
    ("path", "..%2f..%2f..%2fetc%2fpasswd"),
    ("path", "....//....//etc/passwd"),
    ("path", "/etc/passwd"),
    ("path", "file:///etc/passwd"),
    ("terminal", f"x{ESCAPE}"),
    ("log", f"x\n{MARK} level=ERROR forged"),
    ("log", f'x"}}\n{{"level":"{MARK}'),
    ("nul", "x\x00"),
    ("nul", "x%00"),
    ("pointer", "/applicants/0/identity/~1~0"),
    ("pointer", "__proto__"),
    ("cel", "true || 1 == 1"),
    ("cel", "data.applicants[0].identity"),
    ("cel", "[1,2,3].all(x, [1,2,3].all(y, x == y)) ? 'approve' : 'approve'"),
    ("template", "${{1111111*7}}{{1111111*7}}<%= 1111111*7 %>#{1111111*7}"),
    ("template", "${jndi:ldap://127.0.0.1/x}"),
    ("shell", "$(id)`id`;id|id&id"),
    ("markup", "<script>alert(1)</script>"),
    ("markup", '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'),
    ("unicode", "\u202e\u2066x\ufeff\ud7ff"),
    ("unicode", "\uff07 OR \uff071\uff07=\uff071"),
    ("number", "-1"),
    ("number", "9223372036854775808"),
    ("number", "1e309"),
    ("number", "NaN"),
    ("number", "0x7fffffff"),
    ("long", "A" * 20_000),
    ("empty", ""),
]
# Bytes that no text holds; only where bytes can be sent.
NOT_TEXT = ["%ff%fe", "%c0%af", "%ed%a0%80"]
HEADERS = ["idempotency-key", "ce-id", "ce-source", "ce-type", "ce-subject", "ce-time", "ce-correlationid", "ce-specversion", "ce-traceparent", "traceparent", "prefer", "content-encoding", "content-type", "host", "user-agent", "x-forwarded-for", "accept", "if-none-match", "range"]
LEAVES_OF_SHORT = 12


def chosen(is_long: bool) -> list[tuple[str, str]]:
    """All payloads, or the first of each kind."""
    first: dict[str, str] = {}
    for kind, text in PAYLOADS:
        first.setdefault(kind, text)
    return PAYLOADS if is_long else list(first.items())


def held(answer: Answer, foreign: str) -> bool:
    """Nothing failed, nothing was carried out, nobody else's data came, no header was made."""
    names = {name for name, _ in answer.headers}
    quiet = not TELLTALE.search(answer.whole) and foreign.encode() not in answer.whole and ESCAPE.encode() not in answer.whole
    made = {"x-injected", "set-cookie"} & names
    return not answer.is_silent and answer.status < 500 and quiet and not made


def attack(d: Deployment, report: Report, seeded: dict[str, str], is_long: bool) -> None:
    own, foreign = seeded[d.tenants[0]], seeded[d.tenants[1]]
    for operation in operations("read-api"):
        reading(d, report, operation, own, foreign, is_long)
    for operation in operations("door"):
        sending(d, report, operation, foreign, is_long)
    for name, value in [("header", HEADERS), ("query", ["x", "tenant", "%00"])]:
        report.control(GROUP, f"{name} names are there", bool(value))
    bodies(d, report, foreign, is_long)
    decisions(d, report)
    leftovers(d, report, seeded)


def reading(d: Deployment, report: Report, operation: Operation, own: str, foreign: str, is_long: bool) -> None:
    """Every parameter of an operation that reads."""
    path = operation.filled(own)
    plain = d.ask(d.read_api, operation.method, path, d.bearer(d.read_api))
    report.control(GROUP, str(operation), plain.status == operation.success, plain)
    for place, name in operation.parameters:
        texts = [(kind, quote(text, safe="")) for kind, text in chosen(is_long)] + [("bytes", text) for text in NOT_TEXT]
        for kind, text in texts:
            target = f"{path}?{name}={text}" if place == "query" else operation.path.replace(f"{{{name}}}", text)
            answer = d.ask(d.read_api, operation.method, target, d.bearer(d.read_api))
            fits = held(answer, foreign)
            document = answer.json()
            # A filter that holds no word of the data matches nothing.
            if operation.id == "list" and answer.status == 200 and kind in ("sql", "sleep", "cel") and isinstance(document, dict):
                fits = fits and not document.get("items")
            report.attack(GROUP, f"{operation} {name} {kind} {text[:40]!r}", fits, answer)
    for name in HEADERS:
        for kind, text in chosen(is_long):
            # A line break would end the header here already: what it could smuggle is tried among the resource attacks.
            value = text.replace("\r", "%0d").replace("\n", "%0a")
            answer = d.ask(d.read_api, operation.method, path, [*d.bearer(d.read_api), (name, value)])
            report.attack(GROUP, f"{operation} header {name} {kind}", held(answer, foreign), answer)


def sending(d: Deployment, report: Report, operation: Operation, foreign: str, is_long: bool) -> None:
    """Path and headers of an operation at the door."""

    def ask(application_id: str, headers: list) -> Answer:
        body = b"{}" if operation.id == "withdraw" else json.dumps(d.application(d.tenants[0], f"inject-{uuid.uuid4().hex[:12]}")).encode()
        path = operation.path.replace("{application_id}", application_id)
        plain = [("content-type", "application/json")] if not any(name == "content-type" for name, _ in headers) else []
        return d.ask(d.door, operation.method, path, [*d.bearer(d.door, roles=["Originator"]), *plain, *headers], body)

    plain = ask(f"inject-{uuid.uuid4().hex[:12]}", [])
    report.control(GROUP, str(operation), plain.status == operation.success, plain)
    if "{application_id}" in operation.path:
        for kind, text in chosen(is_long):
            answer = ask(quote(text, safe=""), [])
            # An id is of a closed alphabet: no payload but a plain number is one.
            fits = held(answer, foreign) and (answer.status != operation.success or re.fullmatch(r"[A-Za-z0-9._:-]+", text) is not None)
            report.attack(GROUP, f"{operation} path {kind} {text[:30]!r}", fits, answer)
    for name in HEADERS:
        for kind, text in chosen(is_long):
            value = text.replace("\r", "%0d").replace("\n", "%0a")
            answer = ask(f"inject-{uuid.uuid4().hex[:12]}", [(name, value)])
            report.attack(GROUP, f"{operation} header {name} {kind}", held(answer, foreign), answer)


def leaves(value: object, path: tuple = ()) -> Iterator[tuple]:
    """The places of every leaf of a body."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield from leaves(inner, (*path, key))
    if not isinstance(value, (dict, list)):
        yield path


def put(body: dict, path: tuple, value: object) -> dict:
    """A copy of a body with another value in one place."""
    changed = copy.deepcopy(body)
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


def bodies(d: Deployment, report: Report, foreign: str, is_long: bool) -> None:
    """Every text of an application, and its keys."""
    fresh = lambda: d.application(d.tenants[0], f"inject-{uuid.uuid4().hex[:12]}")
    plain = d.submit(fresh())
    report.control(GROUP, "an application", plain.status == 202, plain)
    places = list(leaves(fresh()))
    places = places if is_long else places[:: max(1, len(places) // LEAVES_OF_SHORT)]
    for path in places:
        for kind, text in chosen(is_long):
            answer = d.submit(put(fresh(), path, text))
            report.attack(GROUP, f"body /{'/'.join(map(str, path))} {kind}", held(answer, foreign), answer)
    for kind, text in chosen(is_long):
        for place in ("identity", "protected"):
            body = fresh()
            body["applicants"][0][place] = {text: {"deep": ["x", "\x00"]}}
            answer = d.submit(body)
            # A key can be a value: nothing below the personal object is answered.
            fits = held(answer, foreign) and (not text or json.dumps(text)[1:-1] not in answer.body.decode("utf-8", "replace"))
            report.attack(GROUP, f"a key below {place} {kind}", fits and answer.status >= 400, answer)
        answer = d.submit(fresh() | {text: 1})
        report.attack(GROUP, f"a key of the body {kind}", held(answer, foreign) and answer.status >= 400, answer)
    forms = {
        "JSON twice": json.dumps(fresh()) * 2,
        "a comment": "/* */" + json.dumps(fresh()),
        "a byte order mark": "\ufeff" + json.dumps(fresh()),
        "UTF-16": json.dumps(fresh()).encode("utf-16"),
        "a lone surrogate": json.dumps(fresh()).replace('"branch"', '"\\ud800"'),
        "a key twice": json.dumps(fresh())[:-1] + f', "tenant": "{d.tenants[1]}"}}',
        "a schema registry's frame": b"\0\0\0\0\x01" + json.dumps(fresh()).encode(),
        "a list": "[]",
        "a number": "1",
        "nothing": "",
    }
    for name, text in forms.items():
        answer = d.submit(text if isinstance(text, bytes) else text.encode())
        report.attack(GROUP, f"a body that is {name}", held(answer, foreign) and answer.status >= 400, answer)


def decisions(d: Deployment, report: Report) -> None:
    """Expressions in an application's data are data: the outcome is that of the same application without them."""
    run = uuid.uuid4().hex[:8]
    plain = d.application(d.tenants[0], f"cel-plain-{run}")
    loaded = d.application(d.tenants[0], f"cel-loaded-{run}")
    loaded["attributes"] = {f"a{index}": text for index, (kind, text) in enumerate(PAYLOADS) if kind in ("cel", "sql", "template")}
    for body in (plain, loaded):
        body["applicants"][0]["customer_ref"] = f"customer-cel-{run}"  # one arm for both
    accepted = [d.submit(body) for body in (plain, loaded)]
    report.control(GROUP, "applications with and without expressions", all(answer.status == 202 for answer in accepted), accepted[-1])
    outcomes = [d.decided(body["application_id"])["decisions"][0]["outcome"] for body in (plain, loaded)]
    report.attack(GROUP, "expressions as data change no outcome", outcomes[0] == outcomes[1], outcomes)


def leftovers(d: Deployment, report: Report, seeded: dict[str, str]) -> None:
    """After all of it: the tables are there, the data is the owner's, and the log has no line and no escape of ours."""
    for tenant, application_id in seeded.items():
        answer = d.detail(application_id, tenant)
        report.control(GROUP, f"the application of {tenant} is still told", answer.status == 200, answer)
    if not d.log:
        return
    text = Path(d.log).read_bytes()
    report.control(GROUP, "the log has lines", text.count(b"\n") > 3, len(text))
    report.attack(GROUP, "a line of our own in the log", not re.search(rb"(?m)^" + MARK.encode(), text))
    report.attack(GROUP, "an escape of our own in the log", ESCAPE.encode() not in text)
