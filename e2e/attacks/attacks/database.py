"""PostgreSQL through its own programs, psql and pg_dump: copies of a running database, statements on them."""

import re
import subprocess
import uuid
from urllib.parse import urlsplit, urlunsplit


def psql(url: str, sql: str, timeout: float = 120.0) -> subprocess.CompletedProcess:
    """Runs SQL in one session that stops at the first error; rows come unaligned."""
    line = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url]
    return subprocess.run(line, input=sql.encode(), capture_output=True, timeout=timeout)


def rows(url: str, sql: str) -> list[str]:
    """The rows of a query, one a line.

    Raises RuntimeError with the server's words.
    """
    done = psql(url, sql)
    if done.returncode:
        raise RuntimeError(done.stderr.decode("utf-8", "replace"))
    return done.stdout.decode("utf-8", "replace").splitlines()


def named(url: str, database: str) -> str:
    """The same server's address of another database."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{database}"))


class Copies:
    """A copy of the deployment's database, and copies of that: each tampering has one of its own."""

    def __init__(self, owner_url: str) -> None:
        self.owner_url = owner_url
        self.admin_url = named(owner_url, "postgres")
        self.run = uuid.uuid4().hex[:8]
        self.template = f"attack_{self.run}"
        self.made: list[str] = []

    def __enter__(self) -> "Copies":
        # A dump and not CREATE DATABASE … TEMPLATE, which wants a database without sessions. The rest are made of this one.
        self._create(self.template)
        dump = subprocess.Popen(["pg_dump", "--format=plain", "-d", self.owner_url], stdout=subprocess.PIPE)
        line = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-d", named(self.owner_url, self.template)]
        loaded = subprocess.run(line, stdin=dump.stdout, capture_output=True, timeout=120)
        if dump.wait() or loaded.returncode:
            raise RuntimeError(f"copying the database: {loaded.stderr.decode('utf-8', 'replace')}")
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(self.made):
            psql(self.admin_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _create(self, name: str, template: str = "template0") -> None:
        made = psql(self.admin_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        if made.returncode:
            raise RuntimeError(made.stderr.decode("utf-8", "replace"))
        self.made.append(name)

    def copy(self) -> str:
        """The address of a fresh copy."""
        name = f"{self.template}_{len(self.made)}"
        self._create(name, self.template)
        return named(self.owner_url, name)

    def drop(self, url: str) -> None:
        """Drops a copy that is done with."""
        name = urlsplit(url).path.lstrip("/")
        if re.fullmatch(r"attack_[0-9a-f]{8}_\d+", name):
            psql(self.admin_url, f'DROP DATABASE "{name}" WITH (FORCE)')
            self.made.remove(name)
