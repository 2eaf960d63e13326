"""Webhook subscriptions that point inside: by every way to write an address, by names, and by an answer that sends elsewhere. The
suite runs the notifier itself, so the deployment runs every other worker."""

import socket
import subprocess
import tempfile
import threading
import time
import tomllib
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from .database import rows
from .deployment import ROOT, Deployment
from .report import Report
from .tokens import Trap

GROUP = "webhook addresses"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATIENCE_S = 60.0
# Addresses of the inside as somebody would write them who hopes that a check reads otherwise than a connection.
FORMS = [
    "https://127.0.0.1/", "https://127.1/", "https://127.0.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/",
    "https://017700000001/", "https://0177.0.0.1/", "https://127.0.0.1./", "https://127.000.000.001/", "https://0/", "https://0.0.0.0/",
    "https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[0:0:0:0:0:ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://[::127.0.0.1]/", "https://[fe80::1]/", "https://[fc00::1]/",
    "https://[fd00::1]/", "https://[ff02::1]/", "https://[fec0::1]/", "https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.0.1/",
    "https://100.64.0.1/", "https://169.254.169.254/latest/meta-data/", "https://[::ffff:169.254.169.254]/", "https://2852039166/",
    "https://0xa9fea9fe/", "https://198.18.0.1/", "https://224.0.0.1/", "https://255.255.255.255/", "https://240.0.0.1/",
    "https://\uff11\uff12\uff17.0.0.1/", "https://127\u30020\u30020\u30021/", "https://\u2460\u2461\u2466.0.0.1/", "https://%31%32%37.0.0.1/",
    "https://user@127.0.0.1/", "https://receiver.example@127.0.0.1/", "https://user:password@receiver.example/",
    "https:\\\\127.0.0.1/", "https:127.0.0.1", "http://receiver.example/",
    "http://127.0.0.1/", "ftp://receiver.example/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_", "dict://127.0.0.1/", "//127.0.0.1/",
    "https://", "", "javascript:1", "unix:/tmp/socket", "https://1\n27.0.0.1/",
]
PUBLIC = "https://receiver.example/hook?token=1"


def subscription(id_: str, url: str, tenants: list[str]) -> str:
    quoted = "".join(char if char.isascii() and char.isprintable() and char not in '"\\' else f"\\u{ord(char):04X}" for char in url)
    return f'[[notifier.subscriptions]]\nid = "{id_}"\nurl = "{quoted}"\nsecrets = ["{SECRET}"]\ntenants = {tenants!r}\n\n'.replace("'", '"')


def attack(d: Deployment, report: Report, is_long: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        # Each is a process of its own: every third in the short form.
        forms(d, report, Path(folder), FORMS if is_long else FORMS[::3])
        names(d, report, Path(folder))
        redirects(d, report, Path(folder))


def forms(d: Deployment, report: Report, folder: Path, urls: list[str]) -> None:
    """All forms at the start of a notifier that can reach nothing: each is refused by name."""

    def refused(index: int, url: str) -> tuple[bool, str]:
        config = folder / f"form-{index}.toml"
        config.write_text(
            '[process]\nops_listen = "127.0.0.1:0"\n\n[kafka]\nbootstrap = "127.0.0.1:1"\n\n'
            '[database]\nurl = "postgres://nobody@127.0.0.1:1/none"\n\n' + subscription(f"form-{index}", url, d.tenants[:1])
        )
        tomllib.loads(config.read_text())
        # What is refused is refused at once; what is taken goes on until it is ended.
        done = d.run("run", "notifier", config=str(config), timeout=4)
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        return done.returncode not in (0, None) and f"form-{index}" in said, f"{done.returncode} {said}"

    for index, url in enumerate(urls):
        held, said = refused(index, url)
        report.attack(GROUP, f"{url!r}", held, said)
        shown = url.removeprefix("https://").rstrip("/")
        report.attack(GROUP, f"{url!r} is not printed", len(shown) < 12 or url not in said, said)
    held, said = refused(len(urls), PUBLIC)
    report.control(GROUP, "a public address is taken", not held, said)


class Notifier:
    """The deployment's notifier with subscriptions of ours."""

    def __init__(self, d: Deployment, folder: Path, name: str, subscriptions: str, is_inside_allowed: bool) -> None:
        self.config = folder / f"{name}.toml"
        self.config.write_text(f"{Path(d.config).read_text()}\n{subscriptions}")
        self.log = (folder / f"{name}.log").open("wb")
        inside = f"notifier.allow_private_addresses={str(is_inside_allowed).lower()}"
        line = [*d.command, "run", "notifier", "--config", str(self.config), "--set", inside]
        self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=ROOT)

    def __enter__(self) -> "Notifier":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def said(self) -> str:
        return Path(self.log.name).read_text(errors="replace")[-600:]


def attempts(d: Deployment, id_: str, application_id: str) -> tuple[int, str]:
    """How often a delivery was tried, and the last word about it."""
    query = f"SELECT attempts || ' ' || coalesce(last_error, '') FROM defaultx.deliveries WHERE subscription = '{id_}' AND application_id = '{application_id}'"
    found = rows(d.owner_url, query)
    number, _, word = found[0].partition(" ") if found else ("0", "", "")
    return int(number), word


def decide_one(d: Deployment) -> str:
    """A fresh decision to be told of."""
    application_id = f"hook-{uuid.uuid4().hex[:12]}"
    d.submit(d.application(d.tenants[0], application_id))
    d.decided(application_id)
    return application_id


def until(ready, patience_s: float = PATIENCE_S) -> bool:
    """Waits until something is so."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if ready():
            return True
        time.sleep(0.25)
    return False


def names(d: Deployment, report: Report, folder: Path) -> None:
    """Names that lead inside: resolved, refused, never connected to."""
    trap, run = Trap(), uuid.uuid4().hex[:6]
    port = trap.address.rsplit(":", 1)[1]
    hosts = ["localhost", "localhost.", "LOCALHOST", socket.gethostname()]
    ids = [f"name-{run}-{index}" for index in range(len(hosts))]
    text = "".join(subscription(id_, f"https://{host}:{port}/hook", d.tenants[:1]) for id_, host in zip(ids, hosts))
    with Notifier(d, folder, "names", text, False) as notifier:
        application_id = decide_one(d)
        for id_, host in zip(ids, hosts):
            tried = until(lambda: attempts(d, id_, application_id)[0] > 0)
            report.control(GROUP, f"{host}: an attempt was made", tried, notifier.said())
            report.attack(GROUP, f"the name {host}", trap.came == 0, f"{trap.came} connections")
    with socket.create_connection(("127.0.0.1", int(port))):
        time.sleep(0.2)
    report.control(GROUP, "the trap counts", trap.came == 1, trap.came)


def redirects(d: Deployment, report: Report, folder: Path) -> None:
    """A receiver that sends elsewhere: it is asked, and nobody else. Another tenant's decisions are not told to it, and a
    subscription that names no tenant starts no notifier."""
    trap, run, heard = Trap(), uuid.uuid4().hex[:6], []

    class Receiver(BaseHTTPRequestHandler):
        """Answers with a redirect of the kind that its path names."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            heard.append((self.path, body))
            status = int(self.path.strip("/").split("-")[0])
            self.send_response(status)
            if status >= 300:
                self.send_header("location", f"http://{trap.address}/inside")
                self.send_header("refresh", f"0; url=http://{trap.address}/inside")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    kinds = [301, 302, 303, 307, 308]
    text = "".join(subscription(f"kind-{run}-{kind}", f"{base}/{kind}", d.tenants[:1]) for kind in kinds)
    text += subscription(f"own-{run}", f"{base}/200-own", d.tenants[:1])
    with Notifier(d, folder, "open", text + subscription(f"open-{run}", f"{base}/200-open", []), True) as notifier:
        ended = until(lambda: notifier.process.poll() is not None)
        held = ended and notifier.process.returncode != 0 and "tenants is empty" in notifier.said()
        report.attack(GROUP, "a subscription that names no tenant", held, notifier.said())
    with Notifier(d, folder, "redirects", text, True) as notifier:
        application_id, other_id = decide_one(d), f"hook-{uuid.uuid4().hex[:12]}"
        d.submit(d.application(d.tenants[1], other_id), d.tenants[1])
        d.decided(other_id, d.tenants[1])
        reached = lambda path: any(where == path and application_id.encode() in body for where, body in list(heard))
        for kind in kinds:
            report.control(GROUP, f"a receiver that answers {kind} is asked", until(lambda kind=kind: reached(f"/{kind}")), notifier.said())
            report.attack(GROUP, f"an answer {kind} that leads inside", trap.came == 0, f"{trap.came} connections")
        report.control(GROUP, "an honest receiver is told", until(lambda: reached("/200-own")), notifier.said())
        # The notifier has read past the other tenant's decision once one behind it is told.
        last = decide_one(d)
        until(lambda: any(last.encode() in body for path, body in list(heard) if path == "/200-own"))
    server.shutdown()
    told = [path for path, body in heard if path == "/200-open" or other_id.encode() in body]
    report.attack(GROUP, "another tenant's decision", not told, f"told at {told}")
