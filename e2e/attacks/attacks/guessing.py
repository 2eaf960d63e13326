"""Personal and protected values in whatever a reader can read: as they are, and by guessing what a digest, an id or a length could
be made of. The contract names the places where they may be; everywhere else there is nothing."""

import base64
import hashlib
import hmac
import itertools
import json
import re
import time
import uuid

import zstandard
from confluent_kafka import Consumer, TopicPartition

from .database import psql, rows
from .deployment import Deployment
from .report import Report
from .tampering import entries

GROUP = "guessing"
# Where personal data may be, as the contract says; dead letters hold what senders sent.
TOPICS_THAT_MAY = {"loan.applications.v1", "loan.outcomes.v1", "credit.identities.v1", "credit.protected.v1", "credit.dead-letters.v1"}
TABLES_THAT_MAY = {"identity.identities"}
SEXES = ["female", "male", "diverse", "unknown"]
AGES = range(18, 100)
MARITAL = ["single", "married", "divorced", "widowed", "separated"]
# Digests are compared by so many bytes: shortened ones are found too.
PREFIX = 15
PATIENCE_S = 60.0
# Bytes of a value up to which it is looked through byte by byte: states and digests are shorter.
LONGEST_BINARY = 512


def canonical(value: object) -> bytes:
    """The RFC 8785 form of what an application holds here: text, whole numbers, no fractions."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def victim(d: Deployment, application_id: str) -> dict:
    """An application whose protected values are to be guessed; all else is known to the attacker."""
    body = d.application(d.tenants[0], application_id)
    mark = uuid.uuid4().hex[:12].upper()
    body["applicants"][0]["identity"] = {"full_name": f"Vera {mark}", "national_id": f"ID{mark}", "email": f"{mark.lower()}@example.invalid"}
    body["applicants"][0]["protected"] = {"sex": "female", "age": 47, "marital_status": "widowed"}
    return body


def guesses(body: dict) -> list[tuple[tuple, dict]]:
    """The body under every combination of protected values."""
    found = []
    for sex, age, marital in itertools.product(SEXES, AGES, MARITAL):
        guess = {**body, "applicants": [{**body["applicants"][0], "protected": {"sex": sex, "age": age, "marital_status": marital}}]}
        found.append(((sex, age, marital), guess))
    return found


def digests(body: dict) -> set[bytes]:
    """What an unkeyed digest of a body, or of a part of it, could be; also under keys that are no secret."""
    applicant = body["applicants"][0]
    parts = [body, applicant, applicant["protected"], applicant["identity"], {k: applicant[k] for k in ("identity", "protected")}, [applicant]]
    keys = [b"", body["tenant"].encode(), body["application_id"].encode()]
    found = set()
    for part in parts:
        text = canonical(part)
        found |= {digest(text).digest()[:PREFIX] for digest in (hashlib.sha256, hashlib.sha1, hashlib.sha512, hashlib.md5)}
        found |= {hashlib.sha256(json.dumps(part).encode()).digest()[:PREFIX], uuid.uuid5(uuid.NAMESPACE_URL, text.decode()).bytes[:PREFIX]}
        found |= {hmac.new(key, text, hashlib.sha256).digest()[:PREFIX] for key in keys}
    for value in [*applicant["identity"].values(), applicant["customer_ref"]]:
        found |= {digest(str(value).encode()).digest()[:PREFIX] for digest in (hashlib.sha256, hashlib.sha1, hashlib.sha512, hashlib.md5)}
    return found


def topics(d: Deployment) -> dict[str, list[bytes]]:
    """Every byte of every topic that this client can read: keys, headers, values."""
    consumer = Consumer({**d.kafka, "group.id": f"{d.prefix}attack-{uuid.uuid4().hex}", "enable.auto.commit": False, "auto.offset.reset": "earliest", "isolation.level": "read_uncommitted", "enable.partition.eof": True})
    found: dict[str, list[bytes]] = {}
    try:
        known = consumer.list_topics(timeout=20).topics
        places = [TopicPartition(name, part, 0) for name, topic in known.items() if name.startswith(d.prefix) and not name.startswith("__") for part in topic.partitions]
        consumer.assign(places)
        open_, until = {(place.topic, place.partition) for place in places}, time.monotonic() + PATIENCE_S
        while open_ and time.monotonic() < until:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error():
                open_.discard((message.topic(), message.partition()))
                continue
            parts = [message.key() or b"", message.value() or b""]
            parts += [part for name, value in message.headers() or [] for part in (name.encode(), value or b"")]
            found.setdefault(message.topic().removeprefix(d.prefix), []).extend(parts)
    finally:
        consumer.close()
    return found


def tables(d: Deployment) -> dict[str, list[bytes]]:
    """Every row of every table and view that a reader can read, for the victim's own tenant; segments of the log unpacked."""
    readable = (
        "SELECT format('%I.%I', n.nspname, c.relname) || ' ' || string_agg(quote_ident(a.attname), ',' ORDER BY a.attnum)"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relkind IN ('r', 'v', 'm', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
        " AND has_column_privilege('{}', c.oid, a.attnum, 'SELECT') GROUP BY n.nspname, c.relname"
    )
    known = set(rows(d.owner_url, "SELECT rolname FROM pg_roles"))
    found = {}
    for role in (role for role in d.read_roles if role in known):
        for name, columns in (line.split(" ", 1) for line in rows(d.owner_url, readable.format(role))):
            done = psql(d.read_url, f"{d.become(role)} SET bytea_output = hex; COPY (SELECT {columns} FROM {name}) TO STDOUT")
            if done.returncode != 0:
                continue
            parts = [done.stdout]
            if name == "defaultx.audit_segments":
                packed = re.findall(rb"\\\\x([0-9a-f]+)", done.stdout)
                unpacked = [zstandard.ZstdDecompressor().decompressobj().decompress(bytes.fromhex(body.decode())) for body in packed]
                parts = [entry for raw in unpacked for entry in entries(raw)]
            found[f"{name} as {role}"] = parts
    return found


class Corpus:
    """What was read, with the beginning of everything in it that could be a digest."""

    def __init__(self, parts: list[bytes]) -> None:
        self.all = b"\n".join(parts)
        self.tokens: set[bytes] = set()
        for run in re.findall(rb"[0-9a-fA-F]{30,}", self.all):
            self._add(lambda run=run: bytes.fromhex(run[: len(run) // 2 * 2].decode()))
        for run in re.findall(rb"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", self.all):
            self._add(lambda run=run: bytes.fromhex(run.replace(b"-", b"").decode()))
        for run in re.findall(rb"[A-Za-z0-9+/_-]{20,}", self.all):
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

    def holds(self, wanted: set[bytes]) -> bool:
        """Whether one of these digests is there."""
        return not self.tokens.isdisjoint(wanted)


def is_text(part: bytes) -> bool:
    try:
        part.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in part


def attack(d: Deployment, report: Report) -> None:
    body, planted = (victim(d, f"guess-{uuid.uuid4().hex[:12]}") for _ in range(2))
    # The twin gives its own digest away: the search must find it where it travels.
    own = hashlib.sha256(canonical(planted)).hexdigest()
    taken = [d.submit(body), d.submit(planted, headers=[("ce-correlationid", own)])]
    report.control(GROUP, "two applications are taken", all(answer.status == 202 for answer in taken), taken[-1])
    for application in (body, planted):
        d.decided(application["application_id"])
    wait_for(d, planted["application_id"])
    places = {f"topic {name}": Corpus(parts) for name, parts in topics(d).items() if name not in TOPICS_THAT_MAY}
    places |= {f"table {name}": Corpus(parts) for name, parts in tables(d).items() if name.split()[0] not in TABLES_THAT_MAY}
    is_there = [name for name, corpus in places.items() if body["application_id"].encode() in corpus.all]
    report.control(GROUP, "the application is where it was looked for", len(is_there) >= 3, is_there)
    found = [name for name, corpus in places.items() if corpus.holds({bytes.fromhex(own)[:PREFIX]})]
    report.control(GROUP, "a digest that was given away is found", len(found) >= 2, found)

    applicant = body["applicants"][0]
    for name, corpus in places.items():
        for word in [*applicant["identity"].values(), applicant["customer_ref"]]:
            report.attack(GROUP, f"{word!r} in {name}", word.encode() not in corpus.all, "it is there")
        # A model may name such a word; only beside the applicant is it a value.
        for word in ["marital_status", "widowed"]:
            near = beside(corpus.all, word.encode(), body["application_id"].encode())
            report.attack(GROUP, f"{word!r} in {name}", not near, "it is there")
    candidates = [(values, digests(guess)) for values, guess in guesses(body)]
    every = set().union(*(wanted for _, wanted in candidates))
    for name, corpus in places.items():
        hit = next((values for values, wanted in candidates if corpus.holds(wanted)), None) if corpus.holds(every) else None
        report.attack(GROUP, f"protected values by {len(candidates)} guesses in {name}", hit is None, hit)


def beside(text: bytes, word: bytes, application_id: bytes) -> bool:
    """Whether a word stands on a line with the application."""
    return any(word in line and application_id in line for line in text.split(b"\n"))


def wait_for(d: Deployment, application_id: str) -> None:
    """Waits until the log has caught up with an application's decision."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if rows(d.owner_url, f"SELECT 1 FROM defaultx.decisions WHERE application_id = '{application_id}' LIMIT 1"):
            return
        time.sleep(0.5)
