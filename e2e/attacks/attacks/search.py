"""PURE. A search for what is known of an application: its values in the writings that programs give them, and by guessing what a
digest, an id or a keyed digest under a key that is no secret was made of."""

import base64
import hashlib
import hmac
import itertools
import json
import re
import urllib.parse
import uuid
from collections.abc import Iterable, Iterator

SEXES = ["female", "male", "diverse", "unknown"]
AGES = range(18, 100)
MARITAL = ["single", "married", "divorced", "widowed", "separated"]
# Digests are compared by so many bytes: those shortened to 16 or 15 bytes are found too.
PREFIX = 15
# Bytes of a value up to which it is looked through byte by byte: states and digests are shorter.
LONGEST_BINARY = 512
# The product's namespace of event ids, and events whose id once held a digest of the body.
EVENTS = uuid.UUID(int=0x6F0C3D1E9F5B5C2E8A472D1B70E495A3)
OF_A_BODY = ["application.received.v1", "identity.received.v1", "protected.received.v1"]

Record = list[bytes]
"""The parts of one record: key, value, names and values of headers; or one row."""


def canonical(value: object) -> bytes:
    """The RFC 8785 form of what an application holds here: text, whole numbers, no fractions."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def writings(value: str) -> set[bytes]:
    """A value as it is, within JSON and within rows that hold JSON, in a URL, in hexadecimal digits, and within base64 wherever it
    begins; in small letters."""
    plain = value.encode()
    escaped = {plain} | {json.dumps(value, ensure_ascii=ascii_only)[1:-1].encode() for ascii_only in (True, False)}
    found = escaped | {writing.replace(b"\\", b"\\\\") for writing in escaped}
    found |= {urllib.parse.quote(value).encode(), plain.hex().encode()}
    for before, unsure in [(0, 0), (1, 2), (2, 3)]:
        text = base64.b64encode(b"\0" * before + plain).rstrip(b"=")
        # The last character also holds bits of what follows, unless the value ends with it.
        found.add(text[unsure:] if (before + len(plain)) % 3 == 0 else text[unsure:-1])
    return {writing.lower() for writing in found}


def rare(values: dict[str, object]) -> dict[str, set[bytes]]:
    """Values that nothing else has, by name, each with its writings."""
    return {name: writings(str(value)) for name, value in values.items()}


def guesses(body: dict) -> Iterator[tuple[tuple, dict]]:
    """The body under every combination of sex, age and marital status; all else is known to the attacker."""
    applicant = body["applicants"][0]
    for sex, age, marital in itertools.product(SEXES, AGES, MARITAL):
        protected = {**applicant["protected"], "sex": sex, "age": age, "marital_status": marital}
        yield (sex, age, marital), {**body, "applicants": [{**applicant, "protected": protected}]}


def digests(body: dict) -> set[bytes]:
    """What a digest of a body, or of a part of it, could be without a secret."""
    applicant = body["applicants"][0]
    parts = [body, applicant, applicant["protected"], {k: applicant[k] for k in ("identity", "protected")}, [applicant]]
    keys = [b"", body["tenant"].encode(), body["application_id"].encode()]
    found = set()
    for part in parts:
        text = canonical(part)
        found |= {digest(text).digest()[:PREFIX] for digest in (hashlib.sha256, hashlib.sha1, hashlib.sha512, hashlib.md5)}
        found |= {hashlib.sha256(json.dumps(part).encode()).digest()[:PREFIX], uuid.uuid5(uuid.NAMESPACE_URL, text.decode()).bytes[:PREFIX]}
        found |= {hmac.digest(key, text, "sha256")[:PREFIX] for key in keys}
        found.add(hashlib.sha256(hashlib.sha256(text).digest()).digest()[:PREFIX])
    whole = hashlib.sha256(canonical(body)).hexdigest()
    coordinates = f"{body['tenant']}\x1f{body['application_id']}\x1f{body['revision']}\x1fhttp:sha256:{whole}"
    return found | {uuid.uuid5(EVENTS, f"{kind}\x1f{coordinates}").bytes[:PREFIX] for kind in OF_A_BODY}


def digests_of_identity(body: dict) -> set[bytes]:
    """The same of who it is, which no guess changes: a digest of it gives a person away who is known elsewhere."""
    applicant = body["applicants"][0]
    values = [str(value).encode() for value in [*applicant["identity"].values(), applicant["customer_ref"]]]
    return {digest(text).digest()[:PREFIX] for text in [*values, canonical(applicant["identity"])] for digest in (hashlib.sha256, hashlib.sha1, hashlib.sha512, hashlib.md5)}


def candidates(bodies: Iterable[dict]) -> dict[bytes, tuple]:
    """Every digest that would confirm something, with what it would confirm."""
    found: dict[bytes, tuple] = {}
    for body in bodies:
        found |= {digest: (body["application_id"], "who it is") for digest in digests_of_identity(body)}
        for values, guess in guesses(body):
            found |= {digest: (body["application_id"], *values) for digest in digests(guess)}
    return found


class Corpus:
    """What was read in one place, with the beginning of everything in it that could be a digest."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = [b"\n".join(record).lower() for record in records]
        parts = [part for record in records for part in record]
        self.text = b"\n".join(parts).lower()
        self.tokens: set[bytes] = set()
        whole = b"\n".join(parts)
        for run in re.findall(rb"[0-9a-fA-F]{30,}", whole):
            self._add(lambda run=run: bytes.fromhex(run[: len(run) // 2 * 2].decode()))
        for run in re.findall(rb"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}", whole):
            self._add(lambda run=run: bytes.fromhex(run.replace(b"-", b"").decode()))
        for run in re.findall(rb"[A-Za-z0-9+/_-]{20,}", whole):
            self._add(lambda run=run: base64.b64decode(run[:20].translate(bytes.maketrans(b"-_", b"+/"))))
        # A short value that is no text may hold a digest anywhere.
        for part in parts:
            if len(part) <= LONGEST_BINARY and not is_text(part):
                self.tokens.update(part[at : at + PREFIX] for at in range(len(part) - PREFIX + 1))

    def _add(self, decode) -> None:
        try:
            self.tokens.add(decode()[:PREFIX])
        except ValueError:
            pass  # Not of that alphabet after all.

    def names(self, application_id: str) -> bool:
        """Whether the application is there at all."""
        return application_id.encode().lower() in self.text

    def value(self, wanted: dict[str, set[bytes]]) -> str | None:
        """The name of a value that is there."""
        return next((name for name, forms in wanted.items() if any(form in self.text for form in forms)), None)

    def beside(self, application_id: str, words: Iterable[bytes]) -> bytes | None:
        """A word that stands in one record with the application: by itself a model may say it."""
        mark = application_id.encode().lower()
        return next((word for record in self.records if mark in record for word in words if word in record), None)

    def confirms(self, wanted: dict[bytes, tuple]) -> tuple | None:
        """What a digest that is there was made of."""
        return next((wanted[token] for token in self.tokens & wanted.keys()), None)


def is_text(part: bytes) -> bool:
    """Whether a person could read it."""
    try:
        part.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in part


def words(protected: dict) -> list[bytes]:
    """Protected values and their names as they would stand beside an application."""
    age = protected["age"]
    return [str(protected["sex"]).encode(), str(protected["marital_status"]).encode(), b"marital_status", b'"sex"', b'"age":%d' % age, b'"age": %d' % age, b"age=%d" % age]


def hidden(body: dict) -> Iterator[tuple[str, str, bytes]]:
    """Every way of hiding something of an application that the search claims to find: what would find it, how, and the bytes."""
    identity = body["applicants"][0]["identity"]
    name, digest = identity["full_name"].encode(), hashlib.sha256(canonical(body)).digest()
    yield "value", "as it is", name
    yield "value", "in capitals", name.upper()
    yield "value", "within JSON", json.dumps(identity["full_name"]).encode()
    yield "value", "within JSON of a row", json.dumps(identity["full_name"], ensure_ascii=False).encode().replace(b"\\", b"\\\\")
    yield "value", "in a URL", urllib.parse.quote(identity["full_name"]).encode()
    yield "value", "in hexadecimal digits", name.hex().encode()
    for before in (b"", b"x", b"xx"):
        yield "value", f"in base64 behind {len(before)} bytes", base64.b64encode(before + name + b"behind")
    protected = body["applicants"][0]["protected"]
    for pair in [canonical(protected), json.dumps(protected).encode(), protected["marital_status"].encode(), b"age=%d" % protected["age"]]:
        yield "word", repr(pair), pair + b" of " + body["application_id"].encode()
    for length in (32, 16, 15):
        yield "guess", f"SHA-256, {length} bytes, in hexadecimal digits", b"digest:" + digest[:length].hex().encode()
        yield "guess", f"SHA-256, {length} bytes, in base64", b'"' + base64.b64encode(digest[:length]) + b'"'
        yield "guess", f"SHA-256, {length} bytes, for URLs", b'"' + base64.urlsafe_b64encode(digest[:length]).rstrip(b"=") + b'"'
        yield "guess", f"SHA-256, {length} bytes, within a short value", b"\0\xff" + digest[:length] + b"\xfe"
    yield "guess", "SHA-256, as an id", str(uuid.UUID(bytes=digest[:16])).encode()
    yield "guess", "HMAC without a key", hmac.digest(b"", canonical(body), "sha256").hex().encode()
    yield "guess", "of the national id", hashlib.sha256(identity["national_id"].encode()).hexdigest().encode()
