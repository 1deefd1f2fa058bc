"""The sick network does what it is asked to, to bytes of a plain connection, and knows MQTT's packets apart."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from hil_tests.faults.mqtt_filter import PUBACK, dropping, packets
from hil_tests.faults.network import Proxy

pytestmark = pytest.mark.integration


class _Echo:
    """A server that sends back what it gets; `got` is everything that reached it."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.got = b""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                line, _ = self._server.accept()
            except OSError:
                return
            with line:
                try:
                    while data := line.recv(65536):
                        self.got += data
                        line.sendall(data)
                except OSError:
                    pass  # reset, as the test wanted

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


@pytest.fixture
def echo() -> Iterator[_Echo]:
    server = _Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: _Echo) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", echo.port) as proxy:
        yield proxy


@pytest.fixture
def line(proxy: Proxy) -> Iterator[socket.socket]:
    """A connection through the proxy that has proved itself."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as line:
        line.sendall(b"first")
        assert line.recv(100) == b"first"
        yield line


def _quiet(line: socket.socket) -> bool:
    line.settimeout(0.15)
    try:
        return line.recv(100) == b"never"
    except TimeoutError:
        return True
    finally:
        line.settimeout(10)


def test_a_black_hole_holds_back_and_lets_go(echo: _Echo, proxy: Proxy, line: socket.socket) -> None:
    """Nothing comes and nothing is closed; healed, what was held back goes on."""
    proxy.silence()
    line.sendall(b"into the hole")
    assert _quiet(line)
    assert echo.got == b"first"
    proxy.heal()
    assert line.recv(100) == b"into the hole"


def test_one_direction_lost(echo: _Echo, proxy: Proxy, line: socket.socket) -> None:
    """What goes down is thrown away, what goes up arrives; healed, the lost stays lost."""
    proxy.lose("down")
    line.sendall(b"lost")
    assert _quiet(line)
    assert echo.got == b"firstlost"
    proxy.heal()
    line.sendall(b"after")
    assert line.recv(100) == b"after"


def test_cut_and_reset_and_nobody_there(proxy: Proxy, line: socket.socket) -> None:
    """A cut is an end, a reset an error; a refusing proxy takes nobody until it is healed."""
    proxy.cut()
    assert line.recv(100) == b""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as second:
        second.sendall(b"x")
        assert second.recv(100) == b"x"
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            second.recv(100)
    proxy.refuse()
    with pytest.raises(ConnectionResetError), socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as third:
        third.recv(100)
    proxy.heal()
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as fourth:
        fourth.sendall(b"x")
        assert fourth.recv(100) == b"x"


def test_delay_and_bandwidth(proxy: Proxy, line: socket.socket) -> None:
    """50 kB at 200 kB/s take a quarter of a second each way, and the delay comes on top: never less."""
    proxy.sickness.bandwidth, proxy.sickness.delay = 200_000.0, 0.05
    began, got = time.monotonic(), 0
    line.sendall(bytes(50_000))
    while got < 50_000:
        got += len(line.recv(65536))
    assert time.monotonic() - began >= 0.25 + 2 * 0.05


def test_packets_of_a_kind_are_thrown_away() -> None:
    """Also when they come in pieces, several at once, and with a length of two bytes."""
    publish = b"\x30\xc8\x01" + bytes(200)
    puback = b"\x40\x02\x00\x01"
    assert packets(publish + puback + b"\x40") == ([publish, puback], b"\x40")
    dropping_now = True
    pass_on = dropping("down", (PUBACK,), lambda: dropping_now)()
    stream = puback + publish + puback + publish
    assert b"".join(pass_on("down", stream[i : i + 3]) for i in range(0, len(stream), 3)) == publish * 2
    assert pass_on("up", puback) == puback
    dropping_now = False
    assert pass_on("down", puback) == puback
