"""A webhook against a real HTTP server: what is safe, what is tried again, what is not wanted; and its signature."""

import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import TryAgain
from gateway.sinks.target import NotNow, Unwanted
from gateway.sinks.webhook import Webhook, WebhookSettings
from gateway.tests.certificates import Authority
from gateway.tests.fake_clock import FakeClock
from gateway.tests.present_samples import NOW, event, message, reading


class Server(ThreadingHTTPServer):
    """Answers with the codes of `answers` in turn, then 200; `posts` is what came."""

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.posts: list[tuple[str, Any, bytes]] = []
        self.clients: set[int] = set()
        self.hang_up = False
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.server_address[1]}/records?a=1"

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.clients.add(self.client_address[1])
        self.server.posts.append((self.path, self.headers, body))
        code, headers = self.server.answers.pop(0) if self.server.answers else (200, {})
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
        self.close_connection = self.server.hang_up

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def hook(server: Server) -> Iterator[Webhook]:
    hook = made(server.url)
    yield hook
    hook.close()


def made(url: str, **more: Any) -> Webhook:
    return Webhook(
        WebhookSettings(name="audit", site="s", gateway="g", url=url, version="1.0", timeout=20.0, **more),
        FakeClock(NOW),
    )


def test_a_batch_is_one_document(server: Server, hook: Webhook) -> None:
    """Who sends it, and each message with its kind and its native content, over one kept connection."""
    for _ in range(2):
        hook.write([message(reading(voltage=230.5, name="清溪")), message(event("trip.overcurrent"), seq=2)])
    path, headers, body = server.posts[1]
    assert (path, headers["Content-Type"], headers["User-Agent"]) == (
        "/records?a=1", "application/json", "gewu-edge/1.0",
    )  # fmt: skip
    told = json.loads(body)
    assert (told["site"], told["gateway"]) == ("s", "g")
    assert [(one["kind"], one["content"]["seq"]) for one in told["messages"]] == [("readings", 1), ("events", 2)]
    assert told["messages"][0]["content"]["readings"][0]["values"] == {"voltage": 230.5, "name": "清溪"}
    assert len(server.clients) == 1


def test_the_signature_proves_sender_and_time(server: Server, tmp_path: Path) -> None:
    """HMAC over time and body with the secret of the file, read anew each time; without the file it waits."""
    secret = tmp_path / "secret"
    secret.write_text("one\n")
    hook = made(server.url, secret_file=secret)
    hook.write([message(reading(voltage=1.0))])
    secret.write_text("two")
    hook.write([message(reading(voltage=1.0))])
    for key, (_, headers, body) in zip((b"one", b"two"), server.posts, strict=True):
        stamp = headers["X-Gewu-Timestamp"]
        expected = hmac.new(key, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        assert (stamp, headers["X-Gewu-Signature"]) == (str(NOW), f"sha256={expected}")
    secret.unlink()
    with pytest.raises(TryAgain, match=r"secret_file .* cannot be read"):
        hook.write([message(reading(voltage=1.0))])
    hook.close()
    assert len(server.posts) == 2


@pytest.mark.parametrize(
    ("code", "headers", "kind"),
    [
        (500, {}, TryAgain), (503, {"Retry-After": "7"}, NotNow), (429, {"Retry-After": "7"}, NotNow),
        (301, {"Location": "http://127.0.0.1:1/"}, TryAgain), (401, {}, TryAgain), (404, {}, TryAgain),
        (408, {}, TryAgain), (400, {}, Unwanted), (413, {}, Unwanted), (422, {}, Unwanted),
    ],
)  # fmt: skip
def test_what_an_answer_means(
    server: Server, hook: Webhook, code: int, headers: dict[str, str], kind: type[Exception]
) -> None:
    """Only what speaks of the messages themselves is not wanted; no redirect is followed; the host alone is named."""
    server.answers = [(code, headers)]
    with pytest.raises(kind, match=rf"Sink audit to http://127.0.0.1:\d+: it answered {code}") as refused:
        hook.write([message(reading(voltage=1.0))])
    assert type(refused.value) is kind
    assert "a=1" not in str(refused.value)
    if isinstance(refused.value, NotNow):
        assert refused.value.after == 7.0
    hook.write([message(reading(voltage=1.0))])
    assert len(server.posts) == 2


def test_a_server_that_hangs_up_between_is_no_failure(server: Server, hook: Webhook) -> None:
    """A kept connection that has ended is replaced at once."""
    server.hang_up = True
    for _ in range(3):
        hook.write([message(reading(voltage=1.0))])
    assert len(server.posts) == 3


def test_nobody_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, silent and unknown alike."""
    with pytest.raises(TryAgain, match=r"Sink audit to http://127\.0\.0\.1:1: connection refused"):
        made("http://127.0.0.1:1/").write([message(reading(voltage=1.0))])
    for error, words in (
        (TimeoutError(), "no answer in time"),
        (socket.gaierror(-2, "Name or service not known"), "the host name is not known"),
        (OSError(113, "No route to host"), "No route to host"),
    ):

        def fail(*_: object, error: OSError = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(socket, "create_connection", fail)
        with pytest.raises(TryAgain, match=words):
            made("http://office.example/").write([message(reading(voltage=1.0))])


def test_https_is_checked(tmp_path: Path) -> None:
    """A certificate of the CA for this host is taken; an unknown CA and another host's certificate are not."""
    ours, strange = Authority(tmp_path / "a"), Authority(tmp_path / "b")
    for address, taken in (("127.0.0.1", True), ("127.0.0.2", False)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*ours.issue("server", address))
        server = Server(context)
        try:
            hook = made(server.url, ca=ours.ca)
            if taken:
                hook.write([message(reading(voltage=1.0))])
            else:
                with pytest.raises(TryAgain, match="certificate is not accepted"):
                    hook.write([message(reading(voltage=1.0))])
            hook.close()
            with pytest.raises(TryAgain, match="certificate is not accepted"):
                made(server.url, ca=strange.ca).write([message(reading(voltage=1.0))])
            assert len(server.posts) == taken
        finally:
            server.close()
