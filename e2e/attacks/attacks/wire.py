"""HTTP/1.1 over a plain socket: attacks need bytes that no client library sends."""

import json
import socket
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PATIENCE_S = 20.0
MOST_BYTES = 8 << 20

Headers = list[tuple[str | bytes, str | bytes]]


@dataclass
class Answer:
    """What came back; status 0 is a connection that was closed without an answer, or one that stayed silent."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    whole: bytes = b""
    is_silent: bool = False

    def json(self) -> object:
        """The body as JSON; an empty object when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}

    @property
    def problem(self) -> str:
        """The last word of a problem's type."""
        document = self.json()
        kind = document.get("type", "") if isinstance(document, dict) else ""
        return str(kind).rsplit(":", 1)[-1]

    @property
    def is_refusal(self) -> bool:
        """A refusal is 4xx or a closed connection; silence and 5xx are not."""
        return not self.is_silent and (self.status == 0 or 400 <= self.status < 500)

    def __str__(self) -> str:
        what = "silence" if self.is_silent else str(self.status)
        return f"{what} {self.body[:160].decode('utf-8', 'replace')}"


def octets(text: str | bytes) -> bytes:
    """Bytes as they go onto the wire."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def connect(base: str, ca: str | None = None, timeout: float = PATIENCE_S) -> socket.socket:
    """A connection to the server of a base URL; over TLS for https."""
    url = urlsplit(base)
    port = url.port or (443 if url.scheme == "https" else 80)
    stream = socket.create_connection((url.hostname, port), timeout)
    if url.scheme == "https":
        context = ssl.create_default_context(cafile=ca)
        stream = context.wrap_socket(stream, server_hostname=url.hostname)
    return stream


def head(method: str | bytes, target: str | bytes, base: str, headers: Headers) -> bytes:
    """The head of a request; a host is added, everything else is the caller's."""
    lines = [octets(method) + b" " + octets(target) + b" HTTP/1.1", b"host: " + octets(urlsplit(base).netloc)]
    lines += [octets(name) + b": " + octets(value) for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def raw(base: str, data: bytes, ca: str | None = None, timeout: float = PATIENCE_S) -> Answer:
    """Sends bytes, reads until the server closes or has answered once."""
    stream = connect(base, ca, timeout)
    try:
        try:
            stream.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # It has heard enough; what it said is still to be read.
        return read(stream)
    finally:
        stream.close()


def read(stream: socket.socket) -> Answer:
    """One answer, with whatever follows it in `whole`."""
    got = b""
    try:
        while len(got) < MOST_BYTES:
            part = stream.recv(1 << 16)
            if not part:
                return parse(got)
            got += part
            if is_whole(got):
                break
    except TimeoutError:
        answer = parse(got)
        answer.is_silent = answer.status == 0
        return answer
    except ConnectionResetError:
        return parse(got)
    # A smuggled second answer would come at once.
    stream.settimeout(0.05)
    try:
        got += stream.recv(1 << 16)
    except (TimeoutError, ConnectionResetError):
        pass
    return parse(got)


def is_whole(got: bytes) -> bool:
    """Whether an answer's body has come as far as its length says."""
    front, found, body = got.partition(b"\r\n\r\n")
    if not found:
        return False
    length = [line for line in front.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    if length:
        return len(body) >= int(length[0].split(b":")[1])
    return body.endswith(b"0\r\n\r\n")


def parse(got: bytes) -> Answer:
    """An answer from its bytes."""
    front, found, body = got.partition(b"\r\n\r\n")
    lines = front.split(b"\r\n")
    words = lines[0].split(b" ")
    if not found or len(words) < 2 or not words[1].isdigit():
        return Answer(0, whole=got)
    headers = []
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        headers.append((name.decode("latin-1").lower(), value.strip().decode("latin-1")))
    if ("transfer-encoding", "chunked") in headers:
        body = unchunked(body)
    return Answer(int(words[1]), headers, body, got)


def unchunked(body: bytes) -> bytes:
    """The content of a chunked body, as far as it came."""
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        try:
            length = int(size, 16)
        except ValueError:
            break
        if length == 0:
            break
        content, body = content + body[:length], body[length + 2 :]
    return content


def ask(
    base: str,
    method: str,
    target: str | bytes,
    headers: Headers = (),
    body: bytes | None = None,
    ca: str | None = None,
    timeout: float = PATIENCE_S,
) -> Answer:
    """A request with a length that fits and a connection of its own."""
    sent = [*headers, ("connection", "close")]
    if body is not None:
        sent.append(("content-length", str(len(body))))
    return raw(base, head(method, target, base, sent) + (body or b""), ca, timeout)
