"""A sick link does to a connection what it is asked to, by packets in a namespace and by a proxy alike."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from hil_tests.faults import namespaces
from hil_tests.faults.link import ProxyLink, SickLink, sick_link
from hil_tests.faults.relay import serve

pytestmark = pytest.mark.integration


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> socket.socket:
        ours, theirs = socket.socketpair()
        threading.Thread(target=_echo, args=(theirs,), daemon=True).start()
        return ours

    thread = threading.Thread(target=serve, args=(listener, answer), daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def _echo(line: socket.socket) -> None:
    with line:
        while data := line.recv(65536):
            line.sendall(data)


@pytest.fixture(params=["as the machine allows", "proxy"])
def link(request: pytest.FixtureRequest, echo: int) -> Iterator[SickLink]:
    with ProxyLink(echo) if request.param == "proxy" else sick_link(echo) as link:
        yield link


def talk(line: socket.socket, words: bytes) -> float:
    """Seconds until they have come back whole."""
    began = time.monotonic()
    line.sendall(words)
    back = b""
    while len(back) < len(words):
        more = line.recv(65536)
        assert more, "the connection ended"
        back += more
    assert back == words
    return time.monotonic() - began


def test_loss_delay_and_partition(link: SickLink) -> None:
    """A delay is there and back, loss costs time and no byte, a partition is silence, and all of it heals."""
    with socket.create_connection((link.host, link.port), timeout=60) as line:
        talk(line, b"well")
        link.delay(0.1)
        assert talk(line, b"late") >= 0.2
        link.delay(0.0)
        link.lose(0.2)
        for number in range(10):
            talk(line, b"%d" % number * 2000)
        link.heal()
        link.partition()
        line.sendall(b"into the hole")
        line.settimeout(0.1)
        with pytest.raises(TimeoutError):
            line.recv(100)
        link.heal()
        line.settimeout(60)
        assert line.recv(100) == b"into the hole"


def test_a_machine_that_allows_none_says_why(echo: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence, and a proxy in its place; nothing is left behind by the attempt."""
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    said: list[str] = []
    with sick_link(echo, said.append) as link:
        assert link.kind == "proxy"
        with socket.create_connection((link.host, link.port), timeout=10) as line:
            talk(line, b"through the proxy")
    assert "iproute2" in said[0]
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert namespaces.trouble() == "Network namespaces need root."
