"""One RS-485 line (or one Modbus TCP connection) as a Modbus master. It never decides what to ask, or when.

Every exchange takes one path: a frame of ours goes out, what comes back is judged by its own bytes. An answer counts
only when its checksum, unit id, function, length and (for a write) what it repeats are those of the request; whatever
else comes is named by its cause and thrown away.

Sources: MODBUS Application Protocol V1.1b3 (functions 1 to 6, 15, 16, 20, 21 and 43/14), MODBUS over Serial Line V1.02.
"""

import struct
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

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
_READ_FILE = 0x14
_WRITE_FILE = 0x15
_REFERENCE_TYPE = 6  # of a file record, the only one there is
_IDENTIFY = 0x2B
_MEI_IDENTIFICATION = 0x0E
_MOST_OBJECT_FRAMES = 8
# MODBUS over Serial Line V1.02, 2.4.1: after a broadcast 100 to 200 ms "to allow any slave to process it".
BROADCAST_TURNAROUND_S = 0.1
# A board gives up on half a frame after 40 ms (docs/firmware.md).
FORGETTING_S = 0.06
# termios.error is no OSError: it comes from flushing a port that was pulled out
_PORT_ERRORS = (serial.SerialException, OSError, termios.error)


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

    def close(self) -> None:
        self._port.close()

    def be_patient(self, seconds: float) -> None:
        """From now on a device may take so long before it begins its answer."""
        self._port.timeout = seconds

    def read(self, unit: int, kind: Kind, address: int, count: int) -> list[int]:
        """`count` registers (0 to 65535) or bits (0 or 1) of `kind` from `address`."""
        asked = f"a read of {kind} {address}" + (f" to {address + count - 1}" if count > 1 else "")
        pdu = struct.pack(">BHH", READ_FUNCTION[kind], address, count)
        frame = self._ask(unit, pdu, modbus.ANSWER_BYTES + modbus.data_bytes(kind, count), asked)
        if kind in BIT_KINDS:
            return [frame[3 + bit // 8] >> bit % 8 & 1 for bit in range(count)]
        return list(struct.unpack(f">{count}H", frame[3:-2]))

    def read_file(self, unit: int, file: int, record: int, count: int) -> list[int]:
        """`count` registers (1 to 121) of a file from `record` on (function 20, one part)."""
        asked = f"a read of file {file} from record {record}"
        pdu = struct.pack(">BBBHHH", _READ_FILE, 7, _REFERENCE_TYPE, file, record, count)
        frame = self._ask(unit, pdu, modbus.file_answer_bytes(count), asked)
        return list(struct.unpack(f">{count}H", frame[5:-2]))

    def write_file(self, unit: int, file: int, record: int, values: Sequence[int]) -> None:
        """`values` (1 to 121 registers) into a file from `record` on (function 21, one part); its answer repeats it."""
        part = struct.pack(f">BHHH{len(values)}H", _REFERENCE_TYPE, file, record, len(values), *values)
        pdu = bytes((_WRITE_FILE, len(part))) + part
        self._ask(unit, pdu, 1 + len(pdu) + 2, f"a write of file {file} from record {record}", repeats=pdu)

    def broadcast_registers(
        self, address: int, values: Sequence[int], turnaround: float = BROADCAST_TURNAROUND_S
    ) -> None:
        """Write holding registers of every device on the line (function 16 to unit 0); nobody answers."""
        body = struct.pack(f">BBHHB{len(values)}H", 0, 16, address, len(values), 2 * len(values), *values)
        with self._guarded():
            self._port.tell(body + modbus.crc(body), turnaround)
        self.after_each(self._port.sent_at, self._port.sent, b"")
        self.busy_s += (len(body) + 2) * self.wire.t_char + self.wire.silence

    def write_registers(self, unit: int, address: int, values: Sequence[int]) -> None:
        """Write holding registers from `address` (function 16; 1 to 123 of them)."""
        head = struct.pack(">BHH", 16, address, len(values))
        self._write(unit, head + struct.pack(f">B{len(values)}H", 2 * len(values), *values), f"holding {address}")

    def write_register(self, unit: int, address: int, value: int) -> None:
        """Write one holding register (function 6)."""
        self._write(unit, struct.pack(">BHH", 6, address, value), f"holding {address}")

    def write_coil(self, unit: int, address: int, on: bool) -> None:
        """Switch one coil (function 5)."""
        self._write(unit, struct.pack(">BHH", 5, address, 0xFF00 if on else 0), f"coil {address}")

    def write_coils(self, unit: int, address: int, values: Sequence[bool]) -> None:
        """Switch coils from `address` (function 15; 1 to 1968 of them)."""
        octets = (len(values) + 7) // 8
        bits = sum(bool(on) << place for place, on in enumerate(values)).to_bytes(octets, "little")
        self._write(unit, struct.pack(">BHHB", 15, address, len(values), octets) + bits, f"coil {address}")

    def listen(self, seconds: float) -> bytes:
        """What comes within `seconds` although nobody was asked."""
        with self._guarded():
            return self._port.listen(seconds)

    def call(self, body: bytes, length: int) -> bytes:
        """Ask all at once what some may answer with `length` bytes: what came, whole, garbled or empty."""
        with self._guarded():
            frame = self._port.ask(body + modbus.crc(body), length)
            if not modbus.intact(frame):
                # What several have said at once must be forgotten by each of them, or it spoils the next question.
                self._port.quieten(FORGETTING_S if frame else 0.0)
        self.after_each(self._port.sent_at, self._port.sent, frame)
        return frame

    def identity(self, unit: int) -> dict[int, str]:
        """The basic device identification (function 2B/0E): vendor 0, product code 1, revision 2."""
        objects: dict[int, str] = {}
        start = 0
        for _ in range(_MOST_OBJECT_FRAMES):
            pdu = bytes((_IDENTIFY, _MEI_IDENTIFICATION, 1, start))
            frame = self._ask(unit, pdu, None, "a read of its identification")
            more, start = frame[5], frame[6]
            for number, text in _objects(frame):
                objects[number] = text
            if not more:
                break
        return objects

    def identity_object(self, unit: int, number: int) -> str:
        """One object of the device identification, such as 80h, which the basic part leaves out (2B/0E, code 4)."""
        pdu = bytes((_IDENTIFY, _MEI_IDENTIFICATION, 4, number))
        frame = self._ask(unit, pdu, None, f"a read of its identification, object {number:02X}h")
        return dict(_objects(frame)).get(number, "")

    def _write(self, unit: int, pdu: bytes, where: str) -> None:
        """A write is answered by its first five bytes: function, address, and value or quantity."""
        self._ask(unit, pdu, 8, f"a write of {where}", repeats=pdu[:5])

    def _ask(self, unit: int, pdu: bytes, length: int | None, asked: str, repeats: bytes = b"") -> bytes:
        """One exchange: the answer's frame, whole and right. `length` as in `fault`; it repeats `repeats`."""
        request = bytes((unit,)) + pdu
        request += modbus.crc(request)
        self.before_each(unit)
        with self._guarded():
            self._receive(request, length)
        frame = self._port.frame
        self.after_each(self._port.sent_at, self._port.sent, frame)
        cause = fault(frame, unit, pdu[0], length)
        if cause is None and not frame[1:].startswith(repeats):
            cause = "wrong-answer"
        if cause is None or cause == "exception":
            self.busy_s += self.wire.exchange(len(request), len(frame))
        if cause is None:
            return frame
        if cause == "exception":
            raise DeviceRefused(refusal(self.name, unit, asked, frame[2]), frame[2])
        with self._guarded():
            self._port.quieten()
        raise no_use(cause, self.name, unit, asked)

    def _receive(self, request: bytes, length: int | None) -> None:
        """Send, and read as many bytes as the answer has: `length`, or as it tells itself while it comes."""
        if length is not None:
            self._port.ask(request, length)
            return
        head = self._port.ask(request, 8)  # unit, function, MEI, code, conformity, more, next, count of objects
        if len(head) == 8 and head[1] == _IDENTIFY:
            for _ in range(head[7]):
                about = self._port.read_on(2)
                if len(about) < 2 or len(self._port.read_on(about[1])) < about[1]:
                    break
            self._port.read_on(2)

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
    if function in (*READ_FUNCTION.values(), _READ_FILE) and frame[2] != len(frame) - modbus.ANSWER_BYTES:
        return "wrong-answer"
    if function == _READ_FILE and (frame[3] != frame[2] - 1 or frame[4] != _REFERENCE_TYPE):
        return "wrong-answer"
    return None


def _objects(frame: bytes) -> list[tuple[int, str]]:
    found, at = [], 8
    for _ in range(frame[7]):
        number, length = frame[at], frame[at + 1]
        found.append((number, frame[at + 2 : at + 2 + length].decode("utf-8", errors="replace").strip("\0 ")))
        at += 2 + length
    return found
