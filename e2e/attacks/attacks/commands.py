"""The command line and the configuration: what senders write does not reach a terminal, secrets are not echoed, and a process that
would stand open does not start."""

import json
import tempfile
import time
import uuid
from pathlib import Path

from confluent_kafka import Producer

from .deployment import Deployment
from .report import Report

TERMINAL, SECRETS, OPEN = "terminals", "secrets in output", "processes left open"
ESC = "\x1b]0;owned\x07\x1b[2J\x1b[31m"
SECRET = "S3CRET" + "a1" * 16
# What a process says and does that would stand open within this has taken the configuration.
START_S = 8.0


def attack(d: Deployment, report: Report) -> None:
    letters(d, report)
    with tempfile.TemporaryDirectory() as folder:
        secrets(d, report, Path(folder))
        left_open(d, report, Path(folder))


def letters(d: Deployment, report: Report) -> None:
    """Broken records whose every part is an escape sequence, and one that claims to be sent again already."""
    run = uuid.uuid4().hex[:8]
    envelope = lambda id_: [("ce_specversion", b"1.0"), ("ce_id", id_.encode()), ("ce_source", b"/los"), ("ce_type", b"application.submitted.v1"), ("content-type", b"application/json")]
    producer = Producer({**d.kafka, "linger.ms": 0})
    topic = d.topic("loan.applications.v1")
    bad = {
        f"plain-{run}": (envelope(f"plain-{run}"), b"not json"),
        f"esc-id-{run}": ([*envelope(f"esc-id-{run}")[:1], ("ce_id", f"{ESC}{run}".encode()), *envelope("x")[2:]], b"not json"),
        f"esc-source-{run}": ([*envelope(f"esc-source-{run}"), ("ce_source", ESC.encode())], b"not json"),
        f"esc-header-{run}": ([*envelope(f"esc-header-{run}"), (ESC, ESC.encode())], b"not json"),
        f"esc-key-{run}": (envelope(f"esc-key-{run}"), json.dumps({ESC: {ESC: "\x00"}}).encode()),
        f"c1-{run}": (envelope(f"c1-{run}"), json.dumps({"\u009b31m\u202e": "\x00"}).encode()),
        f"hidden-{run}": ([*envelope(f"hidden-{run}"), ("dl_redriven_by", b"a sender"), ("dl_redriven_at", b"2026-01-01T00:00:00Z")], b"not json"),
    }
    before = listed(d)
    for headers, value in bad.values():
        producer.produce(topic, value, run, headers=headers)
    report.control(TERMINAL, "the records are taken", producer.flush(20) == 0)
    until, after = time.monotonic() + 60, before
    # All of them fail alike, so that one more line each is to be seen.
    while time.monotonic() < until and count(after) < count(before) + len(bad) - 1:
        time.sleep(1)
        after = listed(d)
    report.control(TERMINAL, "dead letters are listed", count(after) >= count(before) + len(bad) - 1, after[-200:])
    report.attack(TERMINAL, "a sender's header hides its dead letter", count(after) >= count(before) + len(bad), f"{count(before)} → {count(after)} lines of {len(bad)}")
    report.attack(TERMINAL, "a sender's header counts as sent again", after.count(b"(published again)") <= before.count(b"(published again)"), after[-200:])
    outputs = {"dead-letters list": after}
    for at in [line.split()[0] for line in after.decode("utf-8", "replace").splitlines()[1:-1]][-len(bad):]:
        outputs[f"dead-letters show {at}"] = d.run("dead-letters", "show", at).stdout
    for name, output in outputs.items():
        report.attack(TERMINAL, f"escapes in {name}", not controls(output), output[:200])
    report.control(TERMINAL, "letters are shown", any(b"not json" in output for output in outputs.values()))


def listed(d: Deployment) -> bytes:
    return d.run("dead-letters", "list").stdout


def count(output: bytes) -> int:
    """Letters in a list: its lines without head and sum."""
    return max(0, len(output.decode("utf-8", "replace").splitlines()) - 2)


def controls(output: bytes) -> bool:
    """Whether an output holds a control character, or one that turns a line round."""
    text = output.decode("utf-8", "replace")
    return any((ord(char) < 32 and char not in "\n\t") or 127 <= ord(char) < 160 or char in "\u202e\u2066\u2067\u2068" for char in text)


def secrets(d: Deployment, report: Report, folder: Path) -> None:
    """A secret in a configuration is neither shown nor quoted in an error."""
    lines = {
        "kafka.sasl_password": f'[kafka]\nsasl_password = "{SECRET}"\n',
        "kafka.ssl_key_password": f'[kafka]\nssl_key_password = "{SECRET}"\n',
        "sasl.oauthbearer.config": f'[kafka.properties]\n"sasl.oauthbearer.config" = "secret={SECRET}"\n',
        "sasl.oauthbearer.client.secret": f'[kafka.properties]\n"sasl.oauthbearer.client.secret" = "{SECRET}"\n',
        "ssl.key.pem": f'[kafka.properties]\n"ssl.key.pem" = "{SECRET}"\n',
        "sasl.jaas.config": f'[kafka.properties]\n"sasl.jaas.config" = "password={SECRET}"\n',
        "database.url": f'[database]\nurl = "postgres://u:{SECRET}@127.0.0.1/x"\n',
        "database.url by words": f'[database]\nurl = "host=127.0.0.1 user=u password={SECRET}"\n',
        "database.logins": f'[database.logins.notifier]\npassword = "{SECRET}"\n',
        "audit-sink.digest_key": f'["audit-sink"]\ndigest_key = "{SECRET}"\n',
        "audit-sink.checkpoint_key": f'["audit-sink"]\ncheckpoint_key = "{SECRET}"\n',
        "ingest.subject_keys": f'[ingest.subject_keys]\ndemo = "k1:{SECRET}"\n',
        "notifier secrets": f'[[notifier.subscriptions]]\nid = "a"\nurl = "https://receiver.example/?token={SECRET}"\nsecrets = ["whsec_{SECRET}"]\n',
    }
    for name, text in lines.items():
        first, _, rest = text.partition("\n")
        broken = {
            "as it is": text,
            "with an unclosed quote": text.rstrip().rstrip('"]') + "\n",
            "twice": text + rest,
            "of another type": text.replace(f'"{SECRET}"', f"[[{SECRET!r}]]"),
            "with a word behind it": text.rstrip() + " oops\n",
            "under a misspelt name": first + "\n" + rest.replace(" = ", "_x = ", 1),
        }
        for what, config in broken.items():
            path = folder / "secret.toml"
            path.write_text(config)
            done = d.run("config", "show", config=str(path))
            report.attack(SECRETS, f"{name} {what}", SECRET.encode() not in done.stdout + done.stderr, (done.stdout + done.stderr)[:200])
            if what == "as it is":
                report.control(SECRETS, f"{name} is shown as redacted", b"***" in done.stdout or b"$" in done.stdout, done.stderr)


def left_open(d: Deployment, report: Report, folder: Path) -> None:
    """Configurations under which somebody could walk in: the process does not start, and says which knob."""
    closed = (
        '[process]\nops_listen = "127.0.0.1:0"\n\n[kafka]\nbootstrap = "{kafka}"\n\n[database]\nurl = "{database}"\n\n[ingest]\n'
        'door_address = "{door}"\ndoor_token_key = """{key}"""\n\n[ingest.subject_keys]\n{tenant} = "k1:{subject}"\n\n'
        '[ingest.tenant_of_topic]\n"loan.applications.v1" = "{tenant}"\n\n["read-api"]\nlisten = "{read}"\ntoken_key = """{key}"""\n'
    )
    good = {"kafka": "127.0.0.1:1", "database": "postgres://a:b@127.0.0.1:1/x", "door": "127.0.0.1:0", "read": "127.0.0.1:0", "tenant": "bank", "subject": "ab" * 32, "key": public_pem(d)}
    demo_key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
    cases = {
        "a door without a key": ("ingest", {"key": ""}),
        "a read API without a key": ("read-api", {"key": ""}),
        "the demonstration's subject key": ("ingest", {"subject": demo_key}),
        "the demonstration's key under another case": ("ingest", {"subject": demo_key.upper()}),
        "a broker in the clear elsewhere": ("ingest", {"kafka": "192.0.2.1:9092"}),
        "one broker of two in the clear elsewhere": ("ingest", {"kafka": "127.0.0.1:1,192.0.2.1:9092"}),
        "a database in the clear elsewhere": ("read-api", {"database": "postgres://a:b@192.0.2.1/x"}),
        "a database in the clear elsewhere, TLS if it likes": ("read-api", {"database": "postgres://a:b@192.0.2.1/x?sslmode=prefer"}),
        "a door on every address without TLS": ("ingest", {"door": "0.0.0.0:0"}),
        "a door on every IPv6 address without TLS": ("ingest", {"door": "[::]:0"}),
        "a read API on every address without TLS": ("read-api", {"read": "0.0.0.0:0"}),
    }
    for name, (worker, change) in cases.items():
        path = folder / "open.toml"
        path.write_text(closed.format(**{**good, **change}))
        done = d.run("run", worker, config=str(path), timeout=START_S)
        report.attack(OPEN, name, done.returncode not in (None, 0), (done.stdout + done.stderr)[-300:])
    path = folder / "closed.toml"
    path.write_text(closed.format(**good))
    done = d.run("run", "read-api", config=str(path), timeout=4)
    # It waits for servers that are not there, or says that they are not; it does not complain of a knob.
    report.control(OPEN, "the same closed starts", done.returncode is None or b"connect" in (done.stdout + done.stderr).lower(), (done.stdout + done.stderr)[-300:])


def public_pem(d: Deployment) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return d.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
