"""One RS-485 line (or one Modbus TCP connection) as a Modbus master. It never decides what to ask, or when.

minimalmodbus writes (functions 5, 6, 15 and 16). Reads (1 to 4), where every millisecond counts and which it
precedes with a silence of 11-bit characters on every line, identification (2B/0E) and broadcasts, which it
follows with a pause of its own, are exchanges of ours over the same open port.

An answer counts only when its checksum, unit id, function and byte count are those of the request; whatever
else comes is named by its cause and thrown away.
"""

import struct
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import minimalmodbus
import serial

from gateway.bus import wire as modbus
from gateway.bus.port import FramedPort, Port
from gateway.bus.tcp import SCHEME as TCP
from gateway.bus.tcp import TcpPort
from gateway.bus.trouble import Cause, PortTrouble, no_use, refusal
from gateway.bus.wire import Wire
from gateway.errors import DeviceRefused
from gateway.profile.model import BIT_KINDS, Kind

READ_FUNCTION: dict[Kind, int] = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
_IDENTIFY = 0x2B
_MEI_IDENTIFICATION = 0x0E
_MOST_OBJECT_FRAMES = 8
# MODBUS over Serial Line V1.02, 2.4.1: after a broadcast 100 to 200 ms "to allow any slave to process it".
BROADCAST_TURNAROUND_S = 0.1
# termios.error is no OSError: it comes from flushing a port that was pulled out
_PORT_ERRORS = (serial.SerialException, OSError, termios.error)
T = TypeVar("T")


class Line:
    """An open bus. Every method takes a unit id and raises BusTrouble (no usable answer), DeviceRefused
    (a Modbus exception) or PortTrouble (the port is gone). Not for several threads at once.

    `patience` is how long a device may take before it begins its answer, in seconds. `before_each` is called
    with the unit before each exchange: the owner may put others in between there, or raise. `after_each` is told
    each exchange that was made: when, the request, the answer (empty: none).
    """

    def __init__(
        self,
        name: str,
        path: str,
        wire: Wire,
        patience: float = 0.3,
        monotonic: Callable[[], float] = time.monotonic,
        open_port: Callable[[str, Wire, float, Callable[[], float]], Port] | None = None,
    ) -> None:
        self.name = name
        self.wire = wire
        self.busy_s = 0.0  # by the formula: request, answer and silences of every exchange that was answered
        self.before_each: Callable[[int], None] = lambda _unit: None
        self.after_each: Callable[[float, bytes, bytes], None] = lambda _at, _request, _answer: None
        choose = open_port or (TcpPort if path.startswith(TCP) else FramedPort)
        self._port = choose(path, wire, patience, monotonic)
        self._instruments: dict[int, Any] = {}

    def close(self) -> None:
        self._port.close()

    def read(self, unit: int, kind: Kind, address: int, count: int) -> list[int]:
        """`count` registers (0 to 65535) or bits (0 or 1) of `kind` from `address`."""
        asked = f"a read of {kind} {address}" + (f" to {address + count - 1}" if count > 1 else "")
        function = READ_FUNCTION[kind]
        body = struct.pack(">BBHH", unit, function, address, count)
        request = body + modbus.crc(body)
        length = modbus.ANSWER_BYTES + modbus.data_bytes(kind, count)
        frame: bytes = self._ask(unit, function, length, asked, lambda: self._port.ask(request, length))
        self.busy_s += self.wire.read(kind, count)
        if kind in BIT_KINDS:
            return [frame[3 + bit // 8] >> bit % 8 & 1 for bit in range(count)]
        return list(struct.unpack(f">{count}H", frame[3:-2]))

    def broadcast_registers(self, address: int, values: Sequence[int]) -> None:
        """Write holding registers of every device on the line (function 16 to unit 0); nobody answers."""
        body = struct.pack(f">BBHHB{len(values)}H", 0, 16, address, len(values), 2 * len(values), *values)
        with self._guarded():
            self._port.tell(body + modbus.crc(body), BROADCAST_TURNAROUND_S)
        self.after_each(self._port.sent_at, self._port.sent, b"")
        self.busy_s += (len(body) + 2) * self.wire.t_char + self.wire.silence

    def write_registers(self, unit: int, address: int, values: Sequence[int]) -> None:
        """Write holding registers from `address` (function 16; 1 to 123 of them)."""
        asked = f"a write of holding {address}"
        self._ask(unit, 16, 8, asked, lambda: self._instrument(unit).write_registers(address, list(values)))
        self.busy_s += self.wire.exchange(9 + 2 * len(values), 8)

    def write_register(self, unit: int, address: int, value: int) -> None:
        """Write one holding register (function 6)."""
        asked = f"a write of holding {address}"
        device = self._instrument(unit)
        self._ask(unit, 6, 8, asked, lambda: device.write_register(address, value, functioncode=6))
        self.busy_s += self.wire.exchange(8, 8)

    def write_coil(self, unit: int, address: int, on: bool) -> None:
        """Switch one coil (function 5)."""
        asked = f"a write of coil {address}"
        self._ask(unit, 5, 8, asked, lambda: self._instrument(unit).write_bit(address, int(on), 5))
        self.busy_s += self.wire.exchange(8, 8)

    def write_coils(self, unit: int, address: int, values: Sequence[bool]) -> None:
        """Switch coils from `address` (function 15; 1 to 1968 of them)."""
        asked = f"a write of coil {address}"
        bits = [int(value) for value in values]
        self._ask(unit, 15, 8, asked, lambda: self._instrument(unit).write_bits(address, bits))
        self.busy_s += self.wire.exchange(9 + (len(bits) + 7) // 8, 8)

    def identity(self, unit: int) -> dict[int, str]:
        """The basic device identification (function 2B/0E): vendor 0, product code 1, revision 2."""
        objects: dict[int, str] = {}
        start = 0
        for _ in range(_MOST_OBJECT_FRAMES):
            frame = self._identity_frame(unit, start)
            more, start = frame[5], frame[6]
            for number, text in _objects(frame):
                objects[number] = text
            if not more:
                break
        return objects

    def _identity_frame(self, unit: int, start: int) -> bytes:
        asked = "a read of its identification"
        request = bytes((unit, _IDENTIFY, _MEI_IDENTIFICATION, 1, start))

        def exchange() -> bytes:
            head = self._port.ask(
                request + modbus.crc(request), 8
            )  # unit, function, MEI, code, conformity, more, next, count
            if len(head) == 8 and head[1] == _IDENTIFY:
                for _ in range(head[7]):
                    about = self._port.read_on(2)
                    if len(about) < 2 or len(self._port.read_on(about[1])) < about[1]:
                        break
                self._port.read_on(2)
            return self._port.frame

        frame = self._ask(unit, _IDENTIFY, None, asked, exchange)
        self.busy_s += self.wire.exchange(len(request) + 2, len(frame))
        return frame

    def _instrument(self, unit: int) -> Any:
        if unit not in self._instruments:
            self._instruments[unit] = minimalmodbus.Instrument(self._port, unit)
        return self._instruments[unit]

    def _ask(self, unit: int, function: int, length: int | None, asked: str, exchange: Callable[[], T]) -> T:
        """Run one exchange; whatever minimalmodbus says, the frame itself decides what was wrong."""
        self.before_each(unit)
        answer: T | None = None
        failed = False
        with self._guarded():
            try:
                answer = exchange()
            except (minimalmodbus.ModbusException, ValueError, TypeError):
                # minimalmodbus checks byte counts and written-back values with ValueError
                failed = True
        self.after_each(self._port.sent_at, self._port.sent, self._port.frame)
        cause = fault(self._port.frame, unit, function, length)
        if cause is None and not failed:
            return answer  # type: ignore[return-value]
        if cause == "exception":
            code = self._port.frame[2]
            self.busy_s += self.wire.exchange(modbus.REQUEST_BYTES, modbus.ANSWER_BYTES)
            raise DeviceRefused(refusal(self.name, unit, asked, code), code)
        with self._guarded():
            self._port.quieten()
        raise no_use(cause or "wrong-answer", self.name, unit, asked)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except _PORT_ERRORS as error:
            remedy = "check the device and its network" if "://" in self._port.port else "plug it in again"
            raise PortTrouble(f"Bus {self.name}: the port {self._port.port} is gone ({error}); {remedy}.") from error


def fault(frame: bytes, unit: int, function: int, length: int | None) -> Cause | None:
    """What is wrong with `frame` as the answer of `unit` to `function`; None when nothing is.

    `length` is the length in bytes that a full answer has, None when the frame itself tells it.
    """
    if not frame:
        return "no-answer"
    exception = len(frame) == modbus.ANSWER_BYTES and frame[1] == function | 0x80
    if not modbus.intact(frame):
        wanted = length if length is not None and not exception else len(frame)
        return "cut" if len(frame) < wanted or len(frame) < modbus.ANSWER_BYTES else "crc"
    if frame[0] != unit:
        return "wrong-unit"
    if exception:
        return "exception"
    if frame[1] != function or (length is not None and len(frame) != length):
        return "wrong-answer"
    if function == _IDENTIFY and (len(frame) < 10 or frame[2] != _MEI_IDENTIFICATION):
        return "wrong-answer"
    if function in READ_FUNCTION.values() and frame[2] != len(frame) - modbus.ANSWER_BYTES:
        return "wrong-answer"
    return None


def _objects(frame: bytes) -> list[tuple[int, str]]:
    found, at = [], 8
    for _ in range(frame[7]):
        number, length = frame[at], frame[at + 1]
        found.append((number, frame[at + 2 : at + 2 + length].decode("utf-8", errors="replace").strip("\0 ")))
        at += 2 + length
    return found
