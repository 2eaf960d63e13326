"""Forged and misused tokens, at both servers. Whatever is sent here must be refused; a good token beside it is taken."""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .deployment import Deployment, b64
from .report import Report
from .wire import Headers, octets

# Order of the group that Ed25519 signs in: a signature's second half plus this is another half that fits.
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
YEAR_S = 366 * 24 * 3600

Forgery = tuple[str, str]


def joined(header: object, claims: object, signature: bytes = b"") -> str:
    """A token of parts as they are."""
    return ".".join([b64(octets(json.dumps(header))), b64(octets(json.dumps(claims))), b64(signature)])


def signed_by(sign, header: dict, claims: dict) -> str:
    """A token signed by some other key."""
    said = joined(header, claims).rsplit(".", 1)[0]
    return f"{said}.{b64(sign(said.encode()))}"


def unsigned(d: Deployment, claims: dict) -> Iterator[Forgery]:
    """Without a signature, or with an algorithm that is none."""
    for word in ["none", "None", "NONE", "nOnE", "", "EdDSA ", "eddsa", "RSA"]:
        yield f"alg {word!r} unsigned", joined({"typ": "JWT", "alg": word}, claims)
    good = d.sign(d.header(), claims)
    yield "alg none over a good signature", joined({"alg": "none"}, claims) + good.split(".")[2]
    yield "alg none in two parts", joined({"alg": "none"}, claims).rstrip(".")
    yield "no alg", joined({"typ": "JWT"}, claims)
    yield "alg null", joined({"alg": None}, claims)
    yield "alg in a list", joined({"alg": ["EdDSA"]}, claims)
    yield "alg a number", joined({"alg": 0}, claims)


def confused(d: Deployment, claims: dict) -> Iterator[Forgery]:
    """Another algorithm over key material that is public."""
    public = d.key.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    secrets = {
        "the public PEM": pem,
        "the PEM without its last line break": pem.rstrip(),
        "the public DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "the public bytes": public.public_bytes(Encoding.Raw, PublicFormat.Raw),
        "nothing": b"",
        "a weak secret": b"secret",
    }
    for name, secret in secrets.items():
        sign = lambda said, secret=secret: hmac.new(secret, said, hashlib.sha256).digest()
        yield f"HS256 keyed by {name}", signed_by(sign, {**d.header(), "alg": "HS256"}, claims)
    for bits, digest in [(384, hashlib.sha384), (512, hashlib.sha512)]:
        sign = lambda said, digest=digest: hmac.new(pem, said, digest).digest()
        yield f"HS{bits} keyed by the public PEM", signed_by(sign, {**d.header(), "alg": f"HS{bits}"}, claims)


def other_keys(d: Deployment, claims: dict) -> Iterator[Forgery]:
    """Keys of the attacker's own, of every family."""
    own = ed25519.Ed25519PrivateKey.generate()
    yield "a stranger's Ed25519 key", signed_by(own.sign, d.header(), claims)
    yield "a stranger's key as alg Ed25519", signed_by(own.sign, {**d.header(), "alg": "Ed25519"}, claims)
    yield "Ed448", signed_by(ed448.Ed448PrivateKey.generate().sign, d.header(), claims)
    for alg, curve, digest, size in [("ES256", ec.SECP256R1(), hashes.SHA256(), 32), ("ES384", ec.SECP384R1(), hashes.SHA384(), 48)]:
        key = ec.generate_private_key(curve)

        def sign(said: bytes, key=key, digest=digest, size=size) -> bytes:
            r, s = decode_dss_signature(key.sign(said, ec.ECDSA(digest)))
            return r.to_bytes(size) + s.to_bytes(size)

        yield alg, signed_by(sign, {**d.header(), "alg": alg}, claims)
    key = rsa.generate_private_key(65537, 2048)
    yield "RS256", signed_by(lambda said: key.sign(said, padding.PKCS1v15(), hashes.SHA256()), {**d.header(), "alg": "RS256"}, claims)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    yield "PS256", signed_by(lambda said: key.sign(said, pss, hashes.SHA256()), {**d.header(), "alg": "PS256"}, claims)


def brought_keys(d: Deployment, claims: dict, trap: str) -> Iterator[Forgery]:
    """A key that the token itself names or brings."""
    own = ed25519.Ed25519PrivateKey.generate()
    raw = own.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(raw), "kid": "own", "use": "sig"}
    der = base64.b64encode(own.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    brought = {
        "jwk": {"jwk": jwk, "kid": "own"},
        "jku": {"jku": f"http://{trap}/jwks.json", "kid": "own"},
        "x5u": {"x5u": f"http://{trap}/chain.pem"},
        "x5c": {"x5c": [der]},
        "jku with a user": {"jku": f"http://issuer.example@{trap}/jwks.json", "kid": "own"},
    }
    for name, members in brought.items():
        yield f"a key by {name}", signed_by(own.sign, {**d.header(), **members}, claims)
    kids = ["../../../../dev/null", "/proc/self/environ", "' UNION SELECT 'x' --", "key\x00", f"http://{trap}/key", "", "*", "a" * 4096]
    for kid in kids:
        sign = lambda said: hmac.new(b"", said, hashlib.sha256).digest()
        yield f"kid {kid[:24]!r}, HS256 keyed by nothing", signed_by(sign, {"alg": "HS256", "kid": kid}, claims)
        yield f"kid {kid[:24]!r}, a stranger's key", signed_by(own.sign, {"alg": "EdDSA", "kid": kid}, claims)
    if d.names_keys:
        yield "a kid that there is not, a good signature", d.sign({**d.header(), "kid": "not-in-the-set"}, claims)
    for kid in [["a"], {"a": 1}, 7]:
        yield f"kid {kid!r}", d.sign({**d.header(), "kid": kid}, claims)


def heads(d: Deployment, claims: dict) -> Iterator[Forgery]:
    """Heads that a reader must not pass over (RFC 7515, 4.1.11; RFC 8725)."""
    good = d.header()
    yield "an unknown critical extension", d.sign({**good, "crit": ["exp-policy"], "exp-policy": 1}, claims)
    yield "crit that names a registered member", d.sign({**good, "crit": ["alg"]}, claims)
    yield "crit without anything", d.sign({**good, "crit": []}, claims)
    yield "crit as a string", d.sign({**good, "crit": "b64"}, claims)
    yield "an unencoded payload", d.sign({**good, "crit": ["b64"], "b64": False}, claims)
    kid = f',"kid":"{d.kid}"'
    yield "alg twice, none first", d.sign(f'{{"alg":"none","alg":"EdDSA"{kid}}}', claims)
    yield "alg twice, none last", d.sign(f'{{"alg":"EdDSA","alg":"none"{kid}}}', claims)
    yield "a head in a list", d.sign(f'[{{"alg":"EdDSA"{kid}}}]', claims)
    yield "a head that is no JSON", d.sign("alg=EdDSA", claims)
    yield "an empty head", d.sign("", claims)


def times(d: Deployment, claims: dict) -> Iterator[Forgery]:
    """Signed by the deployment's key, with times that no issuer may give."""
    now = int(time.time())
    cases = {
        "expired an hour ago": {"exp": now - 3600},
        "exp beyond all time": {"exp": 2**63 - 1},
        "exp in a year": {"exp": now + YEAR_S},
        "exp beyond 64 bits": {"exp": 2**64},
        "exp 1e300": {"exp": 1e300},
        "exp as text": {"exp": str(now + 600)},
        "exp negative": {"exp": -1},
        "exp null": {"exp": None},
        "nbf in an hour": {"nbf": now + 3600, "exp": now + 4000},
        "nbf as text": {"nbf": str(now)},
        "nbf null": {"nbf": None},
    }
    for name, change in cases.items():
        yield name, d.sign(d.header(), {**claims, **change})
    for claim in ["exp", "nbf", "aud", "iss", "sub", "roles", "tenant"]:
        yield f"without {claim}", d.sign(d.header(), {name: value for name, value in claims.items() if name != claim})


def for_others(d: Deployment, claims: dict, other_audience: str) -> Iterator[Forgery]:
    """Made by, or for, somebody else."""
    audience, issuer = str(claims["aud"]), str(claims["iss"])
    cases = {
        "another audience": {"aud": "another"},
        "the other server's audience": {"aud": other_audience},
        "no audience in a list": {"aud": []},
        "other audiences in a list": {"aud": ["a", "b"]},
        "an audience that begins alike": {"aud": f"{audience}.example"},
        "an audience in capitals": {"aud": audience.upper()},
        "another issuer": {"iss": "another"},
        "an issuer that begins alike": {"iss": f"{issuer}.example"},
        "an issuer with a space": {"iss": f"{issuer} "},
        "an issuer in a list": {"iss": [["x"], issuer]},
        "a subject that is a number": {"sub": 7},
        "a subject that is null": {"sub": None},
    }
    for name, change in cases.items():
        yield name, d.sign(d.header(), {**claims, **change})


def inflated(d: Deployment, claims: dict, role: str) -> Iterator[Forgery]:
    """Roles and tenants in forms that a careless reader takes for more than they are."""
    roles: list[object] = [
        role, [[role]], {role: True}, [role.lower()], [role.upper()], [f"{role} "], [f" {role}"], [f"{role}\x00"], ["*"], [],
        None, True, [f"Nobody,{role}"], [f"{role}s"], [0], "*", [None],
    ]
    for value in roles:
        yield f"roles {value!r}", d.sign(d.header(), {**claims, "roles": value})
    yield "role beside no roles", d.sign(d.header(), {**claims, "roles": [], "role": role, "scope": role, "admin": True})
    own = d.tenants[0]
    tenants: list[object] = [
        [own, d.tenants[1]], "", f" {own}", f"{own}\x00", f"{own}|{d.tenants[1]}", "%", f"{own}%", None, 7, {"is": own},
        f"{own}/../{d.tenants[1]}", f"{own}'--",
    ]
    for value in tenants:
        yield f"tenant {value!r}", d.sign(d.header(), {**claims, "tenant": value})
    text = json.dumps(claims)
    yield "tenant twice", d.sign(d.header(), text[:-1] + f', "tenant": "{own}"}}')
    yield "roles twice", d.sign(d.header(), text[:-1] + f', "roles": ["{role}"]}}')


def tampered(d: Deployment, claims: dict, role: str) -> Iterator[Forgery]:
    """A good token of little right, changed."""
    little = d.sign(d.header(), {**claims, "roles": ["Nobody"]})
    header, said, signature = little.split(".")
    changes = {"roles": [role]}, {"roles": ["Admin"]}, {"tenant": d.tenants[1], "roles": [role]}, {"tenant": "*", "roles": [role]}
    for change in changes:
        yield f"changed to {change}", f"{header}.{b64(octets(json.dumps({**claims, **change})))}.{signature}"
    header, said, signature = d.sign(d.header(), claims).split(".")
    bytes_ = base64.urlsafe_b64decode(signature + "==")
    half = int.from_bytes(bytes_[32:], "little")
    signatures = {
        "a flipped first bit": bytes([bytes_[0] ^ 1]) + bytes_[1:],
        "a flipped last bit": bytes_[:-1] + bytes([bytes_[-1] ^ 1]),
        "half a signature": bytes_[:32],
        "no signature": b"",
        "a signature twice": bytes_ * 2,
        "zeros": bytes(64),
        "a signature's other half that fits too": bytes_[:32] + (half + ED25519_ORDER).to_bytes(32, "little"),
    }
    for name, value in signatures.items():
        yield name, f"{header}.{said}.{b64(value)}"
    yield "a changed head", f"{b64(octets(json.dumps({**d.header(), 'typ': 'at+jwt'})))}.{said}.{signature}"
    last = signature[:-1] + chr(ord(signature[-1]) + 1)
    forms = {
        "padded": f"{header}.{said}.{signature}==",
        "spare bits set": f"{header}.{said}.{last}",
        "two parts": f"{header}.{said}",
        "four parts": f"{header}.{said}.{signature}.{signature}",
        "five parts": f"{header}..{said}.{signature}.",
        "dots": "..",
        "a dot behind": f"{header}.{said}.{signature}.",
        "cut": little[: len(little) // 2],
        "a space within": f"{header}.{said[:9]} {said[9:]}.{signature}",
        "a tab within": f"{header}.\t{said}.{signature}",
        "its JSON form": json.dumps({"protected": header, "payload": said, "signature": signature}),
        "two tokens": f"{header}.{said}.{signature}, {little}",
        "words": "null",
        "nothing": "",
        "a megabyte": "a" * (1 << 20),
        "another alphabet": "\u2024".join([header, said, signature]),
    }
    yield from forms.items()
    for name, claims_ in [("a list", "[]"), ("no JSON", "{"), ("nothing", ""), ("text", '"Admin"'), ("a number", "1")]:
        yield f"claims that are {name}", d.sign(d.header(), claims_)


def misplaced(good: str, bad: str) -> Iterator[tuple[str, Headers, str]]:
    """A good token where none is read, or beside another: (name, headers, query)."""
    yield "no header", [], ""
    yield "two headers, the good one first", [("authorization", f"Bearer {good}"), ("authorization", f"Bearer {bad}")], ""
    yield "two headers, the good one last", [("authorization", f"Bearer {bad}"), ("authorization", f"Bearer {good}")], ""
    yield "the same header twice", [("authorization", f"Bearer {good}")] * 2, ""
    for scheme in ["Basic", "Token", "JWT", "DPoP", "Bearerx", ""]:
        yield f"scheme {scheme!r}", [("authorization", f"{scheme} {good}".strip())], ""
    yield "a basic password", [("authorization", "Basic " + base64.b64encode(f"token:{good}".encode()).decode())], ""
    yield "in the query", [], f"?access_token={good}"
    yield "in a cookie", [("cookie", f"access_token={good}; token={good}")], ""
    for name in ["x-authorization", "proxy-authorization", "x-access-token", "x-forwarded-authorization"]:
        yield f"in {name}", [(name, f"Bearer {good}")], ""
    trusted = [("x-forwarded-user", "admin"), ("x-forwarded-for", "127.0.0.1"), ("x-original-url", "/"), ("x-tenant", "demo"), ("x-role", "Admin")]
    yield "a proxy's headers alone", trusted, ""


class Trap:
    """A listener on loopback that counts who comes: nobody should."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.came = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            self.came += 1
            stream.close()


def attack(d: Deployment, report: Report, is_long: bool) -> None:
    """Every forgery at both servers; the long form asks every operation of the read API too."""
    trap = Trap()
    application = json.dumps(d.application(d.tenants[0], f"forged-{int(time.time() * 1000)}")).encode()
    doors = [("door", d.door, "Originator", "POST", "/v1/applications", application)]
    paths = ["/v1/applications", "/v1/kpis", "/v1/stream"] if is_long else ["/v1/applications"]
    doors += [("read API", d.read_api, "Officer", "GET", path, None) for path in paths]
    for name, server, role, method, path, body in doors:
        group = f"tokens, {name}"
        claims = d.claims(server, d.tenants[0], [role])
        other = d.door_audience if server == d.read_api else d.read_audience
        families = [
            unsigned(d, claims), confused(d, claims), other_keys(d, claims), brought_keys(d, claims, trap.address), heads(d, claims),
            times(d, claims), for_others(d, claims, other), inflated(d, claims, role), tampered(d, claims, role),
        ]

        def ask(headers: Headers, query: str = ""):
            plain = [("content-type", "application/json")] if body else []
            return d.ask(server, method, path + query, [*plain, *headers], body)

        for family in families:
            for what, token in family:
                answer = ask([("authorization", f"Bearer {token}")])
                report.attack(group, f"{method} {path}, {what}", answer.is_refusal, answer)
        good = d.token(server, roles=[role])
        for what, headers, query in misplaced(good, "a.b.c"):
            answer = ask(headers, query)
            report.attack(group, f"{method} {path}, {what}", answer.is_refusal, answer)
        for what, token in [("a good token", good), ("another good token", d.token(server, roles=[role]))]:
            answer = ask([("authorization", f"Bearer {token}")])
            report.control(group, f"{method} {path}, {what}", 200 <= answer.status < 300, answer)
        report.attack(group, "a key is fetched from where the token says", trap.came == 0, f"{trap.came} connections")
    with socket.create_connection(tuple(trap.address.rsplit(":", 1))):
        time.sleep(0.2)
    report.control("tokens, door", "the trap counts", trap.came == 1, trap.came)
