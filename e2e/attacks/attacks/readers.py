"""What everybody reads who may read something: each principal of the broker, each login of the database, each role of the read API,
and whoever has the process's log."""

import re
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import zstandard
from confluent_kafka import Consumer, KafkaError, TopicPartition

from .database import psql, rows
from .deployment import Deployment
from .documents import document, operations, roles
from .matrix import call
from .search import Record
from .tampering import entries

PATIENCE_S = 60.0
# Principals whose topics are asked for at the same time.
ASKERS = 4
# The login that shows identities, and where.
SHOWS = ("read-api", "identity.identities")
# What a session may read with its grants. The server's own statistics hold values of columns, and its list of sessions statements.
READABLE = (
    "SELECT format('%I.%I', n.nspname, c.relname) || ' ' || string_agg(quote_ident(a.attname), ',' ORDER BY a.attnum)"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND (n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') OR c.relname IN ('pg_stats', 'pg_stat_activity'))"
    " AND has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT') GROUP BY n.nspname, c.relname"
)
# What PostgreSQL writes of bytes in a COPY, where they begin as zstd does.
PACKED = re.compile(rb"\\\\x(28b52ffd[0-9a-f]+)")


@dataclass
class Place:
    """What one reader reads in one place; `shows` is the tenant whose identities it is there to show."""

    reader: str
    name: str
    records: list[Record]
    shows: str | None = None


def topics(d: Deployment) -> dict[str, list[Record]]:
    """Every record of every topic, as a client reads them that may read all.

    Raises RuntimeError where one is not read to its end.
    """
    consumer, found = consumer_of(d.kafka), {}
    try:
        places = [TopicPartition(name, part, 0) for name, parts in partitions(d, consumer).items() for part in parts]
        consumer.assign(places)
        open_, until = {(place.topic, place.partition) for place in places}, time.monotonic() + PATIENCE_S
        while open_ and time.monotonic() < until:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error():
                if message.error().code() == KafkaError._PARTITION_EOF:
                    open_.discard((message.topic(), message.partition()))
                continue
            parts = [message.key() or b"", message.value() or b""]
            parts += [part for name, value in message.headers() or [] for part in (name.encode(), value or b"")]
            found.setdefault(message.topic().removeprefix(d.prefix), []).append(parts)
    finally:
        consumer.close()
    if open_:
        raise RuntimeError(f"not read to the end: {sorted(open_)}")
    return found


def topics_of_principals(d: Deployment) -> dict[str, set[str]]:
    """The topics that each principal of the broker reads, by trying."""
    with ThreadPoolExecutor(ASKERS) as pool:
        asked = {name: pool.submit(readable, d, client) for name, client in d.principals.items()}
        return {name: answer.result() for name, answer in asked.items()}


def readable(d: Deployment, client: dict[str, str]) -> set[str]:
    """The topics that a client reads: a record or the end of a partition came. The others refused it by name, or hid.

    Raises RuntimeError where a topic did neither.
    """
    consumer, read = consumer_of(client), set()
    try:
        known = partitions(d, consumer)
        consumer.assign([TopicPartition(name, part, 0) for name, parts in known.items() for part in parts])
        undecided, until = set(known), time.monotonic() + PATIENCE_S
        while undecided and time.monotonic() < until:
            message = consumer.poll(0.5)
            # A word without a topic is on the group, which is nobody's: nothing is committed.
            if message is None or message.topic() not in undecided:
                continue
            error = message.error()
            if error is None or error.code() == KafkaError._PARTITION_EOF:
                read.add(message.topic().removeprefix(d.prefix))
            elif error.code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                continue
            undecided.discard(message.topic())
    finally:
        consumer.close()
    if undecided:
        raise RuntimeError(f"neither read nor refused: {sorted(undecided)}")
    return read


def consumer_of(client: dict[str, str]) -> Consumer:
    return Consumer({**client, "group.id": f"attack-{uuid.uuid4().hex}", "enable.auto.commit": False, "auto.offset.reset": "earliest", "isolation.level": "read_uncommitted", "enable.partition.eof": True, "log_level": 0})


def partitions(d: Deployment, consumer: Consumer) -> dict[str, list[int]]:
    """The deployment's topics that a client may know of."""
    known = consumer.list_topics(timeout=20).topics
    return {name: list(topic.partitions) for name, topic in known.items() if name.startswith(d.prefix) and not name.startswith("__") and topic.error is None}


def tables(d: Deployment) -> Iterator[Place]:
    """Every column of every table and view that each login reads, under the name of each tenant.

    Raises RuntimeError where something else than a lacking right keeps it from reading.
    """
    done = psql(d.owner_url, "ANALYZE")
    if done.returncode:
        raise RuntimeError(done.stderr.decode("utf-8", "replace"))
    for login, url in d.workers.items():
        for name, columns in (line.split(" ", 1) for line in rows(url, READABLE)):
            for tenant in d.tenants[:2]:
                done = psql(url, f"SET defaultx.tenant = '{tenant}'; SET bytea_output = hex; COPY (SELECT {columns} FROM {name}) TO STDOUT")
                if done.returncode and b"permission denied" in done.stderr:
                    continue  # Of what lies behind a view.
                if done.returncode:
                    raise RuntimeError(f"{login}: {name}: {done.stderr.decode('utf-8', 'replace')}")
                yield Place(f"login {login}", name, list(records_of(name, done.stdout)), tenant if (login, name) == SHOWS else None)


def records_of(name: str, copied: bytes) -> Iterator[Record]:
    """The rows of a table, and what lies packed in them: of the log entry by entry."""
    for line in copied.splitlines():
        yield [line]
    for packed in PACKED.findall(copied):
        raw = zstandard.ZstdDecompressor().decompressobj().decompress(bytes.fromhex(packed.decode()))
        for entry in entries(raw) if name == "defaultx.audit_segments" else [raw]:
            yield [entry]


def answers(d: Deployment, asked: dict[str, str]) -> Iterator[Place]:
    """What each role is answered at each operation of the read API about an application of its tenant and one of another's, given by
    tenant."""
    own, other = d.tenants[:2]
    for role in sorted(roles(document("read-api"))):
        for operation in (operation for operation in operations("read-api") if operation.method == "GET"):
            shows = own if operation.id == "show" and role in operation.roles else None
            about = {(asked[own], ""): "its own"} if "{application_id}" in operation.path else {}
            about |= {(asked[other], query): f"another's{query}" for query in ("", f"?tenant={other}", "?tenant=*")}
            for (application_id, query), what in about.items():
                answer = call(d, operation, own, role, application_id, query=query)
                yield Place(f"role {role}", f"{operation}, {what}", [[answer.whole]], shows)


def log(d: Deployment) -> Iterator[Place]:
    """What the process says, where it runs on this machine."""
    if d.log:
        yield Place("whoever has the log", Path(d.log).name, [[line] for line in Path(d.log).read_bytes().splitlines()])
