"""The audit log changed by the database's owner, with every trigger off, each change on a copy of its own. The judge is
`defaultx audit verify`, once with the log alone and once with a note that somebody kept."""

import base64
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import zstandard

from .database import Copies, named, psql, rows
from .deployment import Deployment
from .report import Report

ALONE, KEPT, LOGIN = "log tampering, alone", "log tampering, kept note", "rights in the database"
# Entries below which there is no complete tile to change.
LEAST_ENTRIES = 300
PATIENCE_S = 120.0
TILE = 256

# (name, SQL, whether the log alone tells of it). `$last` begins the last segment that the kept note covers, `$next` follows the log,
# `$first` and `$second` are runs. Where the log alone cannot know, the second judgement must.
TAMPERINGS: list[tuple[str, str, bool]] = [
    ("a flipped byte of a body", "UPDATE defaultx.audit_segments SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE first_seq = 0", True),
    ("a body replaced by another's", "UPDATE defaultx.audit_segments SET (body, raw_bytes) = (SELECT body, raw_bytes FROM defaultx.audit_segments ORDER BY first_seq LIMIT 1) WHERE first_seq = $last", True),
    ("a removed segment", "DELETE FROM defaultx.audit_segments WHERE first_seq = 0", True),
    ("a segment too many", "INSERT INTO defaultx.audit_segments SELECT log, $next, $next + last_seq - first_seq, raw_bytes, body FROM defaultx.audit_segments WHERE first_seq = 0", True),
    ("a removed run", "DELETE FROM defaultx.audit_runs WHERE first_seq = $second", True),
    ("a run of another topic", "UPDATE defaultx.audit_runs SET topic = 'credit.unknown.v1' WHERE first_seq = $second", True),
    ("a run at other offsets", "UPDATE defaultx.audit_runs SET last_offset = last_offset + 1000000 WHERE first_seq = $second", True),
    ("a run that counts one more", "UPDATE defaultx.audit_runs SET entries = entries + 1, last_offset = last_offset + 1 WHERE first_seq = $second", True),
    ("a run too many", "INSERT INTO defaultx.audit_runs SELECT log, $next, 1, topic, partition, last_offset + 1000000, last_offset + 1000001, last_offset + 1000001 FROM defaultx.audit_runs WHERE first_seq = $second", True),
    ("two runs swapped", "UPDATE defaultx.audit_runs SET first_seq = 1000000 WHERE first_seq = $first; UPDATE defaultx.audit_runs SET first_seq = $first WHERE first_seq = $second; UPDATE defaultx.audit_runs SET first_seq = $second WHERE first_seq = 1000000", True),
    ("a changed tile", "UPDATE defaultx.audit_tiles SET hashes = set_byte(hashes, 9, get_byte(hashes, 9) # 1) WHERE level = 0 AND index = 0", True),
    ("a removed tile", "DELETE FROM defaultx.audit_tiles WHERE level = 0 AND index = 0", True),
    ("a changed head", "UPDATE defaultx.audit_logs SET root = sha256('x')", True),
    ("a head that counts one more", "UPDATE defaultx.audit_logs SET size = size + 1", True),
    ("a removed head", "DELETE FROM defaultx.audit_logs", True),
    ("a cut tail", "DELETE FROM defaultx.audit_segments WHERE first_seq >= $last; DELETE FROM defaultx.audit_runs WHERE first_seq >= $last", True),
    ("a cut tail with a head that fits", "DELETE FROM defaultx.audit_segments WHERE first_seq >= $last; DELETE FROM defaultx.audit_runs WHERE first_seq >= $last; UPDATE defaultx.audit_logs SET size = $last", True),
    ("segments and runs emptied", "TRUNCATE defaultx.audit_segments, defaultx.audit_runs", True),
    ("everything emptied but the notes", "TRUNCATE defaultx.audit_segments, defaultx.audit_runs, defaultx.audit_tiles, defaultx.audit_logs, defaultx.audit_verifications, defaultx.stream_offsets", True),
    ("everything emptied", "TRUNCATE defaultx.audit_segments, defaultx.audit_runs, defaultx.audit_tiles, defaultx.audit_logs, defaultx.audit_verifications, defaultx.audit_checkpoints, defaultx.stream_offsets", False),
]

# What a worker's own login may never do, to the log or past it.
FORBIDDEN = [
    "SET session_replication_role = replica",
    "ALTER TABLE defaultx.audit_segments DISABLE TRIGGER ALL",
    "ALTER TABLE defaultx.audit_logs DISABLE TRIGGER ALL",
    "DROP TRIGGER insert_only ON defaultx.audit_segments",
    "UPDATE defaultx.audit_segments SET body = ''",
    "DELETE FROM defaultx.audit_segments",
    "TRUNCATE defaultx.audit_segments",
    "DELETE FROM defaultx.audit_runs",
    "UPDATE defaultx.audit_tiles SET root = sha256('x')",
    "DELETE FROM defaultx.audit_checkpoints",
    "UPDATE defaultx.audit_logs SET size = 0",
    "DELETE FROM defaultx.audit_logs",
    "DROP TABLE defaultx.audit_segments",
    "CREATE TABLE defaultx.of_our_own (x int)",
    "CREATE OR REPLACE FUNCTION defaultx.audit_insert_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY (SELECT 1) TO '/tmp/of-our-own'",
    "SELECT pg_read_file('/etc/passwd')",
    "CREATE ROLE of_our_own SUPERUSER",
    "ALTER TABLE defaultx.audit_logs OWNER TO CURRENT_USER",
]
TABLES = (
    "SELECT format('%I.%I', n.nspname, c.relname) || ' ' || quote_ident(min(a.attname::text)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = 1 WHERE c.relkind = 'r' AND n.nspname IN ('defaultx', 'identity') GROUP BY n.nspname, c.relname"
)
# What a reader may not write, whatever the table.
READER = ["INSERT INTO {0} SELECT * FROM {0} LIMIT 1", "UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "TRUNCATE {0}"]


def attack(d: Deployment, report: Report) -> None:
    wait_for_a_note(d)
    with Copies(d.owner_url) as copies, tempfile.TemporaryDirectory() as folder:
        url = named(d.owner_url, copies.template)
        note = rows(url, "SELECT replace(note, chr(10), '|') FROM defaultx.audit_checkpoints WHERE log = 0 ORDER BY size DESC LIMIT 1")[0].replace("|", "\n")
        kept = Path(folder) / "kept.note"
        kept.write_text(note)
        covered = int(note.splitlines()[1])
        for group, notes in [(ALONE, None), (KEPT, kept)]:
            seen, said = judged(d, url, notes)
            report.control(group, "the log as it is is whole", seen is False, said)
        for name, sql, alone in [*tamperings(url, covered), *rewritings(url, covered)]:
            copy = copies.copy()
            done = psql(copy, f"SET session_replication_role = replica;\n{sql}")
            report.control(ALONE, f"{name} is done", done.returncode == 0, done.stderr.decode("utf-8", "replace"))
            seen, said = judged(d, copy, None)
            if alone:
                report.attack(ALONE, name, seen is True, said)
            seen, said = judged(d, copy, kept)
            # Notes within the database are no promise that somebody else keeps.
            report.attack(KEPT, name, seen is True, said)
            copies.drop(copy)
        for name, text in forged_notes(note):
            forged = Path(folder) / "forged.note"
            forged.write_text(text)
            seen, said = judged(d, url, forged)
            report.attack(KEPT, f"a kept note that is {name}", seen is not False, said)
        junk(d, report, copies, kept)


def logins(d: Deployment, report: Report) -> None:
    """What the logins of workers and readers may do."""
    with Copies(d.owner_url) as copies:
        rights(d, report, copies, d.workers)


def wait_for_a_note(d: Deployment) -> None:
    """Waits until a note covers enough of the log."""
    until = time.monotonic() + PATIENCE_S
    query = "SELECT coalesce(max(size), 0) FROM defaultx.audit_checkpoints WHERE log = 0"
    while int(rows(d.owner_url, query)[0]) < LEAST_ENTRIES:
        if time.monotonic() > until:
            raise RuntimeError(f"no note covers {LEAST_ENTRIES} entries: send more, and set a checkpoint key")
        time.sleep(1)


def judged(d: Deployment, url: str, note: Path | None) -> tuple[bool | None, str]:
    """Whether `audit verify` finds a fault; None when it could not judge."""
    words = ["audit", "verify", "--json"]
    words += ["--checkpoint", str(note)] if note else []
    words += ["--key", d.verifier_key] if d.verifier_key else []
    done = d.run(*words, environment={"DEFAULTX__DATABASE__URL": url})
    said = done.stdout.decode("utf-8", "replace")
    try:
        faults = json.loads(said)["faults"]
    except (ValueError, KeyError, TypeError):
        return None, f"code {done.returncode}: {said} {done.stderr.decode('utf-8', 'replace')}"
    # The report and the exit code must say the same.
    if bool(faults) != (done.returncode != 0):
        return None, f"code {done.returncode} with {len(faults)} faults"
    return bool(faults), json.dumps(faults)[:300]


def tamperings(url: str, covered: int) -> Iterator[tuple[str, str, bool]]:
    """The table with its places filled in."""
    last = rows(url, f"SELECT max(first_seq) FROM defaultx.audit_segments WHERE log = 0 AND first_seq < {covered} AND first_seq > 0")[0]
    size = rows(url, "SELECT size FROM defaultx.audit_logs WHERE log = 0")[0]
    # Two runs of one segment, of one length: only what they say is another's.
    first, second = rows(
        url,
        "SELECT a.first_seq || ' ' || b.first_seq FROM defaultx.audit_runs a JOIN defaultx.audit_runs b ON b.log = a.log"
        " AND b.first_seq > a.first_seq AND (b.topic, b.partition) <> (a.topic, a.partition)"
        f" WHERE a.log = 0 AND b.first_seq < {covered} ORDER BY a.entries <> b.entries, a.first_seq, b.first_seq LIMIT 1",
    )[0].split()
    if not last:
        raise RuntimeError("the log has one segment only: its tail cannot be cut")
    for name, sql, alone in TAMPERINGS:
        for place, value in [("$last", last), ("$next", size), ("$first", first), ("$second", second)]:
            sql = sql.replace(place, value)
        yield name, sql, alone


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def root(hashes: list[bytes]) -> bytes:
    """The root over leaf hashes (RFC 6962, 2.1)."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(hashes[:split]) + root(hashes[split:])).digest()


def entries(raw: bytes) -> Iterator[bytes]:
    """The entries of an unpacked segment, each with four bytes of length before it."""
    while raw:
        length = int.from_bytes(raw[:4])
        yield raw[4 : 4 + length]
        raw = raw[4 + length :]


def segments(url: str) -> list[tuple[int, bytes]]:
    """First number and unpacked bytes of each segment."""
    query = "SELECT first_seq || ' ' || raw_bytes || ' ' || encode(body, 'hex') FROM defaultx.audit_segments WHERE log = 0 ORDER BY first_seq"
    found = []
    for line in rows(url, query):
        first, raw_bytes, body = line.split()
        found.append((int(first), zstandard.ZstdDecompressor().decompress(bytes.fromhex(body), max_output_size=int(raw_bytes))))
    return found


def rewritings(url: str, covered: int) -> Iterator[tuple[str, str, bool]]:
    """Logs that are whole in themselves and another's: only a note that was kept tells of them."""
    stored = segments(url)
    hashes = [leaf(entry) for _, raw in stored for entry in entries(raw)]
    head = rows(url, "SELECT encode(root, 'hex') FROM defaultx.audit_logs WHERE log = 0")[0]
    if root(hashes).hex() != head:
        raise RuntimeError("the root computed here is not that of the log: a rewriting would be no forgery")
    cut = max(first for first, _ in stored if 0 < first < covered)
    behind = f"DELETE FROM defaultx.audit_segments WHERE first_seq >= {cut}; DELETE FROM defaultx.audit_runs WHERE first_seq >= {cut};"
    offsets = (
        "UPDATE defaultx.stream_offsets o SET next_offset = r.last + 1 FROM (SELECT topic, partition, max(last_offset) AS last"
        " FROM defaultx.audit_runs GROUP BY topic, partition) r WHERE o.topic LIKE '%' || r.topic AND o.partition = r.partition AND o.consumer LIKE '%audit%';"
        "DELETE FROM defaultx.stream_offsets o WHERE o.consumer LIKE '%audit%' AND NOT EXISTS (SELECT FROM defaultx.audit_runs r"
        " WHERE o.topic LIKE '%' || r.topic AND o.partition = r.partition);"
    )
    no_notes = "DELETE FROM defaultx.audit_checkpoints; DELETE FROM defaultx.audit_verifications;"
    yield "a tail cut whole: tiles, head, offsets, notes", behind + tiles_and_head(hashes[:cut]) + offsets + no_notes, False
    first, raw = next((first, raw) for first, raw in stored if first < covered)
    changed = rewritten(raw)
    body = zstandard.ZstdCompressor(level=1).compress(changed).hex()
    all_hashes = [leaf(entry) for start, stored_raw in stored for entry in entries(changed if start == first else stored_raw)]
    update = f"UPDATE defaultx.audit_segments SET raw_bytes = {len(changed)}, body = '\\x{body}' WHERE log = 0 AND first_seq = {first};"
    yield "an entry rewritten whole: segment, tiles, head, notes", update + tiles_and_head(all_hashes) + no_notes, False
    tables = ["audit_segments", "audit_runs", "audit_tiles", "audit_logs", "audit_checkpoints"]
    yield "the log under another number", "".join(f"UPDATE defaultx.{table} SET log = 7;" for table in tables[:-1]) + no_notes, False


def rewritten(raw: bytes) -> bytes:
    """The segment with the last byte of an entry's value changed: its coordinates stay."""
    changed, done = b"", False
    for entry in entries(raw):
        if not done and entry.endswith(b"}"):
            entry, done = entry[:-2] + bytes([entry[-2] ^ 1]) + entry[-1:], True
        changed += len(entry).to_bytes(4) + entry
    if not done:
        raise RuntimeError("no entry with a JSON body in the segment")
    return changed


def tiles_and_head(hashes: list[bytes]) -> str:
    """SQL that makes tiles and head those of these leaves."""
    sql = "DELETE FROM defaultx.audit_tiles;"
    level, width = 0, hashes
    while len(width) >= TILE:
        roots = []
        for index in range(len(width) // TILE):
            tile = width[index * TILE : (index + 1) * TILE]
            roots.append(root(tile))
            sql += f"INSERT INTO defaultx.audit_tiles (log, level, index, root, hashes) VALUES (0, {level}, {index}, '\\x{roots[-1].hex()}', '\\x{b''.join(tile).hex()}');"
        level, width = level + 1, roots
    return sql + f"UPDATE defaultx.audit_logs SET size = {len(hashes)}, root = '\\x{root(hashes).hex()}';"


def forged_notes(note: str) -> Iterator[tuple[str, str]]:
    """Kept notes that nobody signed so."""
    lines = note.split("\n")
    yield "of another size", "\n".join([lines[0], str(int(lines[1]) - 1), *lines[2:]])
    yield "of another root", "\n".join([*lines[:2], base64.b64encode(bytes(32)).decode(), *lines[3:]])
    yield "of another origin", "\n".join(["elsewhere.example/0", *lines[1:]])
    yield "without its signature", note.split("\n\n")[0] + "\n"
    yield "nothing", ""
    yield "of a size beyond the log", "\n".join([lines[0], str(10**12), *lines[2:]])


def junk(d: Deployment, report: Report, copies: Copies, kept: Path) -> None:
    """Rows that the writer's role adds beside the log: they neither end walks nor make a whole log look broken."""
    copy = copies.copy()
    become = f"SET ROLE {d.audit_role};"
    psql(copy, f"{become} INSERT INTO defaultx.audit_checkpoints (log, size, root, note, created_at) VALUES (0, 1, sha256('x'), 'junk', now())")
    psql(copy, f"{become} INSERT INTO defaultx.audit_checkpoints (log, size, root, note) VALUES (0, 2, sha256('x'), 'junk')")
    seen, said = judged(d, copy, kept)
    report.attack(KEPT, "a junk checkpoint makes a whole log look broken", seen is False, said)
    insert = "INSERT INTO defaultx.audit_verifications (at, log, size, root, faults, took_ms) VALUES ('2999-01-01', 0, 1, sha256('x'), 0, 1)"
    psql(copy, f"{become} {insert}")
    latest = rows(copy, "SELECT coalesce(max(at) <= now() + interval '1 minute', true) FROM defaultx.audit_verifications")[0]
    report.attack(KEPT, "a verification of the year 2999 by the writer", latest == "t", "it stands")
    copies.drop(copy)


def rows_by_tenant(d: Deployment, report: Report, copy: str, reader: str) -> None:
    """A reader sees rows of the tenant that it names, and without a name of nobody."""
    own, other = d.tenants[:2]
    with_tenant = "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.columns WHERE column_name = 'tenant' AND table_schema IN ('defaultx', 'identity')"
    count = lambda tenant, table, of: psql(reader, f"{d.become('defaultx_read', tenant)} SELECT count(*) FROM {table} WHERE tenant = '{of}'")
    for table in rows(copy, with_tenant):
        for name, tenant, of in [("another tenant's", own, other), ("all tenants'", "*", other), ("without a tenant", "", own)]:
            done = count(tenant, table, of)
            report.attack(LOGIN, f"a reader: rows of {table} {name}", done.returncode != 0 or done.stdout.strip() == b"0", done.stdout)
    seen = count(own, "defaultx.applications", own)
    report.control(LOGIN, "a reader reads its tenant's rows", int(seen.stdout.strip() or 0) > 0, seen.stderr.decode("utf-8", "replace"))


def rights(d: Deployment, report: Report, copies: Copies, workers: dict[str, str]) -> None:
    """What logins may do, on a copy: a worker past its own tables, a reader at all."""
    copy = copies.copy()
    name = copy.rsplit("/", 1)[1]
    undone = lambda sql: f"BEGIN;\n{sql};\nROLLBACK;"
    for worker, url in workers.items():
        own = named(url, name)
        reaches = psql(own, "SELECT 1")
        report.control(LOGIN, f"{worker} may log in", reaches.returncode == 0, reaches.stderr.decode("utf-8", "replace"))
        for sql in FORBIDDEN:
            # A login that may become another is tried as that one too.
            for before in ["", "RESET ROLE; RESET SESSION AUTHORIZATION;"]:
                done = psql(own, undone(f"{before}{sql}"))
                report.attack(LOGIN, f"{worker}: {before}{sql}", done.returncode != 0, "done")
        for role in rows(own, "SELECT rolname FROM pg_roles WHERE (rolsuper OR rolcreaterole) AND rolname !~ '^pg_'"):
            done = psql(own, undone(f'SET ROLE "{role}"'))
            report.attack(LOGIN, f"{worker}: SET ROLE {role}", done.returncode != 0, "done")
    reader = named(d.read_url, name)
    known = set(rows(copy, "SELECT rolname FROM pg_roles"))
    tables = [line.split() for line in rows(copy, TABLES)]
    for role in (role for role in d.read_roles if role in known):
        for table, column in tables:
            for form in READER:
                if role == "defaultx_verify" and table == "defaultx.audit_verifications":
                    continue  # what a walk found is its to write
                done = psql(reader, undone(d.become(role) + form.format(table, column)))
                report.attack(LOGIN, f"{role}: {form.split()[0]} {table}", done.returncode != 0, "done")
    rows_by_tenant(d, report, copy, reader)
    copies.drop(copy)
