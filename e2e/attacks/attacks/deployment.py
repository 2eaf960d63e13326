"""The deployment under attack: where it is, its keys, and what a legitimate client of it sends."""

import base64
import copy
import hashlib
import itertools
import json
import os
import subprocess
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from . import wire

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "schemas/examples/application.submitted.v1/good-instalment-by-facts.json"
# A token holder has a number of requests a minute: a new holder comes before it is used up.
REQUESTS_OF_A_HOLDER = 150
# What stands before the 32 bytes of a key in its file: an octet string within an octet string.
SEED = bytes.fromhex("04220420")


def b64(data: bytes) -> str:
    """Base64 as tokens have it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signing_key(pem: str) -> Ed25519PrivateKey:
    """An Ed25519 key of a PEM file, with its public half beside it (RFC 5958) or without."""
    der = base64.b64decode("".join(line for line in pem.splitlines() if not line.startswith("-----")))
    seed = der.index(SEED) + len(SEED)
    return Ed25519PrivateKey.from_private_bytes(der[seed : seed + 32])


@dataclass
class Deployment:
    """As `README.md` describes the file."""

    door: str
    read_api: str
    token_key: str
    tenants: list[str]
    command: list[str]
    config: str
    owner_url: str
    read_url: str
    kafka: dict[str, str]
    names_keys: bool = False
    issuer: str = "defaultx"
    door_audience: str = "defaultx-api"
    read_audience: str = "defaultx-api"
    prefix: str = ""
    read_roles: list[str] = field(default_factory=lambda: ["defaultx_read", "defaultx_dashboard", "defaultx_read_log", "defaultx_verify"])
    audit_role: str = "defaultx_audit"
    stranger: dict[str, str] = field(default_factory=dict)
    ca: str | None = None
    log: str | None = None
    pid: int | None = None
    verifier_key: str | None = None
    workers: dict[str, str] = field(default_factory=dict)
    principals: dict[str, dict[str, str]] = field(default_factory=dict)
    _holders: "itertools.count[int]" = field(default_factory=itertools.count)

    @classmethod
    def load(cls, path: str) -> "Deployment":
        """Reads the file; an unknown key is an error."""
        return cls(**json.loads(Path(path).read_text()))

    def __post_init__(self) -> None:
        self.key = signing_key(Path(self.token_key).read_text())
        # The name of an Ed25519 key (RFC 7638, RFC 8037).
        x = b64(self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        members = f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'
        self.kid = b64(hashlib.sha256(members.encode()).digest())

    def audience(self, server: str) -> str:
        """The `aud` of a server's tokens."""
        return self.door_audience if server == self.door else self.read_audience

    def claims(self, server: str, tenant: str, roles: list[str]) -> dict[str, object]:
        """What a good token says."""
        now = int(time.time())
        return {
            "sub": f"attack-{next(self._holders) // REQUESTS_OF_A_HOLDER}",
            "iss": self.issuer,
            "aud": self.audience(server),
            "iat": now,
            "nbf": now,
            "exp": now + 600,
            "jti": str(uuid.uuid4()),
            "tenant": tenant,
            "roles": roles,
        }

    def header(self) -> dict[str, object]:
        """The head of a good token."""
        return {"typ": "JWT", "alg": "EdDSA", "kid": self.kid}

    def sign(self, header: dict | str | bytes, claims: dict | str | bytes) -> str:
        """A token under the deployment's own key, whatever it says."""

        def part(value: dict | str | bytes) -> str:
            text = json.dumps(value) if isinstance(value, dict) else value
            return b64(wire.octets(text))

        said = f"{part(header)}.{part(claims)}"
        return f"{said}.{b64(self.key.sign(said.encode()))}"

    def token(self, server: str, tenant: str | None = None, roles: list[str] = ("Officer",)) -> str:
        """A good token."""
        return self.sign(self.header(), self.claims(server, tenant or self.tenants[0], list(roles)))

    def bearer(self, server: str, tenant: str | None = None, roles: list[str] = ("Officer",)) -> wire.Headers:
        """A good Authorization header."""
        return [("authorization", f"Bearer {self.token(server, tenant, roles)}")]

    def ask(self, server: str, method: str, target: str, headers: wire.Headers = (), body: bytes | None = None) -> wire.Answer:
        """A request to one of the servers."""
        return wire.ask(server, method, target, headers, body, self.ca)

    def application(self, tenant: str, application_id: str) -> dict:
        """A good application of today."""
        body = copy.deepcopy(json.loads(EXAMPLE.read_text()))
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body |= {"tenant": tenant, "application_id": application_id, "submitted_at": now, "completed_at": now}
        body["applicants"][0]["customer_ref"] = f"customer-{application_id}"
        return body

    def submit(self, body: dict | bytes, tenant: str | None = None, headers: wire.Headers = ()) -> wire.Answer:
        """Sends an application through the door, as an origination system would."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        who = self.bearer(self.door, tenant, ["Originator"])
        return self.ask(self.door, "POST", "/v1/applications", [*who, ("content-type", "application/json"), *headers], data)

    def detail(self, application_id: str, tenant: str | None = None, role: str = "Officer") -> wire.Answer:
        """An application's detail."""
        return self.ask(self.read_api, "GET", f"/v1/applications/{application_id}", self.bearer(self.read_api, tenant, [role]))

    def decided(self, application_id: str, tenant: str | None = None, patience_s: float = 90.0) -> dict:
        """Waits for the decision on an application; gives its detail."""
        until = time.monotonic() + patience_s
        while True:
            answer = self.detail(application_id, tenant)
            document = answer.json()
            if answer.status == 200 and document.get("decisions"):
                return document
            if time.monotonic() > until:
                raise RuntimeError(f"{application_id} is not decided after {patience_s:.0f} s: {answer}")
            time.sleep(0.5)

    def run(
        self, *words: str, config: str | None = None, timeout: float = 60.0, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess:
        """A command of the product, to its end. One that still runs after `timeout` is ended and has code None."""
        line = [*self.command, *words, "--config", config or self.config]
        try:
            known = {**os.environ, **(environment or {})}
            return subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, cwd=ROOT, env=known)
        except subprocess.TimeoutExpired as late:
            return subprocess.CompletedProcess(line, None, late.stdout or b"", late.stderr or b"")

    def become(self, role: str, tenant: str | None = None) -> str:
        """SQL by which a session reads under a role, for a tenant where rows are told by tenant."""
        named = tenant if tenant is not None else self.tenants[0]
        return f"SET ROLE {role}; SET defaultx.tenant = '{named}';"

    def topic(self, base: str) -> str:
        """A topic's full name."""
        return f"{self.prefix}{base}"
