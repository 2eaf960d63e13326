"""Every operation of both documents with every role and tenant. What must come of it is read from the documents: a role that an
operation's `security` names succeeds for its own tenant, and everything else is refused."""

import itertools
import json
import uuid

from .deployment import Deployment
from .documents import PRODUCT, Operation, document, operations, roles
from .report import Report
from .wire import Answer

GROUP = "roles and tenants"
# Roles that no document names: near misses, and none.
OTHERS = ["Nobody", "admin", "Supervisor", ""]
_numbers = itertools.count()


def attack(d: Deployment, report: Report, seeded: dict[str, str]) -> None:
    """`seeded` is an application of each tenant that is decided already."""
    known = sorted(roles(document("door")) | roles(document("read-api")))
    own, other = d.tenants[:2]
    for operation in operations("door") + operations("read-api"):
        if operation.is_public:
            public(d, report, operation, [*known, *OTHERS], seeded)
            continue
        for role in [*known, *OTHERS]:
            may = role in operation.roles
            answer = call(d, operation, own, role, seeded[own])
            if may:
                report.control(GROUP, f"{operation} as {role}", answer.status == operation.success, answer)
            else:
                report.attack(GROUP, f"{operation} as {role or 'no role'}", answer.status == 403, answer)
            for what, answer in elsewhere(d, operation, own, other, role, seeded[other]):
                report.attack(GROUP, f"{operation} as {role or 'no role'}, {what}", answer.status in (400, 403, 404), answer)
        plain = d.ask(server_of(d, operation), operation.method, operation.filled(seeded[own]), [], body_of(d, operation, own))
        report.attack(GROUP, f"{operation} without a token", plain.status == 401, plain)
        mixed = call(d, operation, own, " ".join(sorted(operation.roles)), seeded[own])
        report.attack(GROUP, f"{operation} as all roles in one word", mixed.status == 403, mixed)
    undescribed(d, report, seeded[own])


def public(d: Deployment, report: Report, operation: Operation, known: list[str], seeded: dict[str, str]) -> None:
    """What asks for no token tells nobody more than it tells everybody."""
    own, other = d.tenants[:2]
    plain = d.ask(server_of(d, operation), operation.method, operation.filled(seeded[own]), [], None)
    report.control(GROUP, f"{operation} without a token", plain.status == operation.success, plain)
    for role in known:
        for query in ["", f"?tenant={other}", "?tenant=*"]:
            answer = call(d, operation, own, role, seeded[own], query=query)
            report.attack(GROUP, f"{operation} as {role or 'no role'}{query}", answer.body == plain.body, answer)


def server_of(d: Deployment, operation: Operation) -> str:
    return d.door if operation.server == "door" else d.read_api


def body_of(d: Deployment, operation: Operation, tenant: str) -> bytes | None:
    """What the operation wants: a fresh application, or what an empty request says."""
    if not operation.takes_body:
        return None
    if operation.id == "submit":
        return json.dumps(d.application(tenant, f"matrix-{uuid.uuid4().hex[:12]}")).encode()
    return b"{}"


def call(d: Deployment, operation: Operation, tenant: str, role: str, application_id: str, body: bytes | None = None, query: str = "") -> Answer:
    """Calls an operation as somebody of a tenant."""
    server = server_of(d, operation)
    token = d.token(server, tenant, [role] if role else [])
    headers = [("authorization", f"Bearer {token}"), ("content-type", "application/json")]
    if operation.server == "door":
        # A withdrawal is for an application of its own: one that was read back stays as it is.
        headers.append(("idempotency-key", f"matrix-{next(_numbers)}-{uuid.uuid4().hex[:8]}"))
        if operation.id == "withdraw":
            application_id = f"matrix-{uuid.uuid4().hex[:12]}"
    body = body if body is not None else body_of(d, operation, tenant)
    return d.ask(server, operation.method, operation.filled(application_id) + query, headers, body)


def elsewhere(d: Deployment, operation: Operation, own: str, other: str, role: str, theirs: str):
    """The same as somebody of one tenant, about another's: (what, answer)."""
    if operation.server == "door":
        if operation.id == "submit":
            body = body_of(d, operation, other)
            yield "a body of another tenant's", call(d, operation, own, role, theirs, body)
        return
    yield "another tenant by parameter", call(d, operation, own, role, theirs, query=f"?tenant={other}")
    yield "every tenant by parameter", call(d, operation, own, role, theirs, query="?tenant=*")
    yield "both tenants by parameter", call(d, operation, own, role, theirs, query=f"?tenant={own}&tenant={other}")
    if "{application_id}" in operation.path:
        yield "another tenant's application", call(d, operation, own, role, theirs)


def undescribed(d: Deployment, report: Report, application_id: str) -> None:
    """What no document describes does not answer."""
    described = {(operation.server, operation.path, operation.method) for operation in operations("door") + operations("read-api")}
    paths = {(operation.server, operation.path) for operation in operations("door") + operations("read-api")}
    for server, path in sorted(paths):
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND"]:
            if (server, path, method) in described:
                continue
            base = d.door if server == "door" else d.read_api
            who = d.bearer(base, roles=["Admin"])
            answer = d.ask(base, method, path.replace("{application_id}", application_id).replace("{product}", PRODUCT), who)
            report.attack(GROUP, f"{method} {path} of {server}, which is not described", answer.is_refusal, answer)
    for path in ["/metrics", "/debug/pprof", "/.env", "/admin", "/v1", "/v2/applications", "/v1/applications/../kpis/", "//v1/applications", "/v1/Applications", "/v1/identities"]:
        for base in [d.door, d.read_api]:
            answer = d.ask(base, "GET", path, d.bearer(base, roles=["Admin"]))
            report.attack(GROUP, f"GET {path} at {base}", answer.is_refusal, answer)
