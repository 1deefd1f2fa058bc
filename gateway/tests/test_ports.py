"""Ports that are no device file: Modbus TCP and RFC 2217, against other implementations and wrong answers."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import serial
from serial.rfc2217 import PortManager

from gateway.bus.port import open_serial
from gateway.bus.transport import Line
from gateway.bus.trouble import BusTrouble, PortTrouble
from gateway.bus.wire import Wire, wire_of
from gateway.errors import DeviceRefused
from gateway.profile import load
from gateway.tests.pymodbus_slave import device, serving, serving_tcp
from gateway.tests.test_poller import Memory, bus, polled, until

pytestmark = pytest.mark.integration


@contextmanager
def line_to(port: str, patience: float = 2.0) -> Iterator[Line]:
    line = Line("test", port, wire_of(port, 115200, "N", 1), patience)
    try:
        yield line
    finally:
        line.close()


@contextmanager
def one_connection(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server for one caller; its port."""

    def run() -> None:
        connection, _ = server.accept()
        with connection:
            connection.settimeout(10)
            serve(connection)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


def test_modbus_tcp_agrees_with_another_implementation() -> None:
    """pymodbus serves reads, writes, refusals and identification over TCP; what is written is read back."""
    with serving_tcp([device(1, {0: 11, 1: 22}), device(7)], "Gewu", "gewu-breaker") as port, line_to(port) as line:
        assert line.read(1, "input", 0, 2) == [11, 22]
        assert line.read(1, "coil", 0, 9) == [1] + [0] * 8
        line.write_register(7, 3, 4)
        line.write_registers(7, 4, [5, 65535])
        line.write_coil(7, 2, True)
        assert line.read(7, "holding", 3, 3) == [4, 5, 65535]
        assert line.read(7, "coil", 2, 1) == [1]
        assert line.identity(1) == {0: "Gewu", 1: "gewu-breaker"}
        with pytest.raises(DeviceRefused, match="no such registers"):
            line.read(1, "input", 199, 2)


def test_a_late_tcp_answer_is_not_taken_for_the_next() -> None:
    """An answer with an earlier transaction is thrown away, also when it comes together with the right one."""

    def answer(request: bytes, word: int) -> bytes:
        transaction = struct.unpack_from(">H", request)[0]
        return struct.pack(">HHHBBBH", transaction, 0, 5, request[6], 4, 2, word)

    def serve(connection: socket.socket) -> None:
        late = connection.recv(64)
        both = answer(late, 1111) + answer(connection.recv(64), 2222)
        connection.sendall(both[:9])
        connection.sendall(both[9:])

    with one_connection(serve) as port, line_to(f"tcp://127.0.0.1:{port}", 0.1) as line:
        with pytest.raises(BusTrouble) as silence:
            line.read(1, "input", 0, 1)
        assert silence.value.cause == "no-answer"
        line._port.timeout = 5
        assert line.read(1, "input", 0, 1) == [2222]


@pytest.mark.parametrize("words", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_what_is_no_modbus_tcp_is_port_trouble(words: bytes) -> None:
    """A closed connection and another protocol end the line, so that it is opened anew."""

    def serve(connection: socket.socket) -> None:
        connection.recv(64)
        connection.sendall(words)

    with (
        one_connection(serve) as port,
        line_to(f"tcp://127.0.0.1:{port}") as line,
        pytest.raises(PortTrouble, match="is gone"),
    ):
        line.read(1, "input", 0, 1)
    with pytest.raises(PortTrouble, match="cannot be reached"), line_to(f"tcp://127.0.0.1:{port}"):
        pass


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pyserial's own
def test_rfc2217_carries_the_same_frames() -> None:
    """A serial server that speaks RFC 2217 (pyserial's), in front of a slave by pymodbus."""

    class Pty(serial.Serial):
        """A pseudo-terminal has no modem lines."""

        cts = dsr = ri = cd = property(lambda _: True)

        def _update_rts_state(self) -> None:
            pass

        def _update_dtr_state(self) -> None:
            pass

    class Sender:
        def __init__(self, connection: socket.socket) -> None:
            self._connection = connection

        def write(self, data: bytes) -> None:
            self._connection.sendall(data)

    with serving([device(1, {0: 11, 1: 22})], "Gewu", "gewu-breaker") as slave:

        def serve(connection: socket.socket) -> None:
            with Pty(slave.port, 9600, timeout=0.02) as port:
                manager = PortManager(port, Sender(connection))  # type: ignore[arg-type]
                ended = threading.Event()

                def back() -> None:
                    while not ended.is_set():
                        data = port.read(port.in_waiting or 1)
                        if data:
                            connection.sendall(b"".join(manager.escape(data)))

                thread = threading.Thread(target=back, daemon=True)
                thread.start()
                while heard := connection.recv(1024):
                    port.write(b"".join(manager.filter(heard)))
                ended.set()
                thread.join(5)

        with one_connection(serve) as number, line_to(f"rfc2217://127.0.0.1:{number}") as line:
            for _ in range(3):
                assert line.read(1, "input", 0, 2) == [11, 22]
            assert line.identity(1) == {0: "Gewu", 1: "gewu-breaker"}


def test_an_exchange_over_a_network_costs_no_silences() -> None:
    """The planner and the schedule reckon with the wire that there is."""
    ethernet, serial_line = wire_of("tcp://a:502", 9600, "N", 1), wire_of("/dev/ttyUSB0", 9600, "N", 1)
    assert type(serial_line) is Wire
    assert ethernet.read("holding", 125) < 0.001 < serial_line.read("holding", 1)


def test_a_bus_of_modbus_tcp_is_polled_like_any_other() -> None:
    """Values of two devices behind one connection reach the sink."""
    sink, breaker = Memory(), load("gewu-breaker")
    devices = [device(unit, {1: 1, 11: 2300 + unit}, {0: 16}) for unit in (1, 2)]
    with (
        serving_tcp(devices, "Gewu", "gewu-breaker") as port,
        polled(bus(port, ("b1", 1, breaker), ("b2", 2, breaker), timeout=2.0), sink) as poller,
    ):
        until(lambda: {reading.device for reading in sink.readings} == {"b1", "b2"}, "both were read")
        until(lambda: poller.status().polls > 30, "it goes on polling")
        status = poller.status()
    assert [one.values["voltage"] for one in status.devices] == [230.1, 230.2]
    assert (status.errors, status.trouble) == ({}, None)


@pytest.mark.parametrize(("parity", "stopbits"), [("N", 1), ("E", 1), ("N", 2), ("O", 1)])
def test_the_port_is_opened_with_the_lines_settings(
    monkeypatch: pytest.MonkeyPatch, parity: str, stopbits: int
) -> None:
    """8N1, 8E1, 8N2 and 8O1 as configured, for this process alone."""
    asked: dict[str, object] = {}

    def remember(path: str, **settings: object) -> object:
        asked.update(settings)
        return object()

    monkeypatch.setattr(serial, "serial_for_url", remember)
    open_serial("/dev/ttyUSB0", Wire(9600, parity, stopbits))
    wanted = {"baudrate": 9600, "bytesize": 8, "parity": parity, "stopbits": stopbits, "exclusive": True}
    assert wanted.items() <= asked.items()
