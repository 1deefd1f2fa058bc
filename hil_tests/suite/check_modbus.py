"""Modbus conformance: functions, limits, exceptions, broadcast, checksums and silences, as profile and standard say.

Source of numbers: MODBUS Application Protocol V1.1b3, MODBUS over Serial Line V1.02.
"""

import struct
import time
from collections.abc import Iterator

import pytest

from gateway.bus.transport import READ_FUNCTION
from gateway.bus.wire import crc
from gateway.errors import GewuError
from gateway.profile import Register
from gateway.profile.model import BIT_KINDS, Kind
from hil_tests.hil.bench_file import Bus
from hil_tests.hil.board import Board
from hil_tests.hil.probe import Probe
from hil_tests.hil.verdict import expect

pytestmark = pytest.mark.step(
    "look at the pair (termination, bias, second master); if all is well there, report this board's firmware",
    "检查总线（终端电阻、偏置、第二主站）；若总线正常，请上报该板固件",
)
KINDS: tuple[Kind, ...] = ("coil", "discrete", "holding", "input")
_SILENT_S = 0.12  # longer than any board of ours thinks
_MOST = {"coil": 2000, "discrete": 2000, "holding": 125, "input": 125}
_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS, _ILLEGAL_VALUE = 1, 2, 3


def asked(board: Board, pdu: bytes) -> bytes:
    """The answer to a PDU, without address and CRC; a board that is busy for a moment is asked again."""
    return board.master.demand(bytes((board.unit,)) + pdu, 5.0)[1:]


def read(kind: Kind, address: int, count: int) -> bytes:
    return struct.pack(">BHH", READ_FUNCTION[kind], address, count)


def refused(board: Board, pdu: bytes, code: int, about: str) -> None:
    """Expect that exception."""
    answer = asked(board, pdu)
    expect(
        answer == bytes((pdu[0] | 0x80, code)),
        f"exception {code:02d} for {about} ({pdu.hex(' ')})",
        answer.hex(" "),
    )


def silent(line: Probe, data: bytes, about: str) -> None:
    """Expect that nobody says anything to these bytes."""
    line.put(data)
    heard = line.listen(len(data) * line.wire.t_char + line.wire.silence + _SILENT_S)
    expect(not heard, f"silence after {about}", heard.hex(" "))


def ready(board: Board) -> None:
    """Expect the right answer to a plain question."""
    answer = board.master.ask(question(board)[:-2])
    expect(answer[:2] == bytes((board.unit, answer[1] if answer else 0)) and answer, "an answer to the next", "none")


def question(board: Board) -> bytes:
    """A whole frame that reads one register."""
    register = next(r for r in board.profile.registers if r.kind in ("input", "holding") and r.readable)
    body = bytes((board.unit,)) + read(register.kind, register.address, 1)
    return body + crc(body)


def of(board: Board, kind: Kind) -> list[Register]:
    found = [register for register in board.profile.registers if register.kind == kind]
    return sorted(found, key=lambda register: register.address)


def blocks(board: Board, kind: Kind) -> Iterator[tuple[int, int]]:
    """(address, count) of each stretch without a hole, cut at what one request may read."""
    most = board.profile.head.max_registers if kind not in BIT_KINDS else _MOST[kind]
    start = end = -1
    for register in [*of(board, kind)]:
        if not register.readable:
            continue
        if register.address != end or register.end - start > most:
            if start >= 0:
                yield start, end - start
            start = register.address
        end = register.end
    if start >= 0:
        yield start, end - start


@pytest.mark.smoke
@pytest.mark.check("every register of the profile is read by its function", "档案中每个寄存器均可读取")
def test_every_register(board: Board) -> None:
    """an answer of the right length for each register that the profile calls readable"""
    for register in board.profile.registers:
        if not register.readable:
            continue
        answer = asked(board, read(register.kind, register.address, register.size))
        octets = 1 if register.kind in BIT_KINDS else 2 * register.size
        about = f"{octets} octets of {register.name} ({register.kind} {register.address})"
        expect(len(answer) == 2 + octets and answer[1] == octets, about, answer.hex(" "))


@pytest.mark.check("whole blocks are read in one request", "连续寄存器可一次读取")
def test_blocks(board: Board) -> None:
    """each stretch of the profile that one request may read"""
    for kind in KINDS:
        for address, count in blocks(board, kind):
            answer = asked(board, read(kind, address, count))
            octets = (count + 7) // 8 if kind in BIT_KINDS else 2 * count
            expect(len(answer) == 2 + octets, f"{octets} octets of {kind} {address} to {address + count - 1}", answer)


@pytest.mark.smoke
@pytest.mark.check("quantities out of range are exception 03", "数量越界返回异常 03")
def test_quantities(board: Board) -> None:
    """exception 03 for 0 and for one more than the standard allows"""
    for kind in KINDS:
        if registers := of(board, kind):
            for count in (0, _MOST[kind] + 1):
                refused(board, read(kind, registers[0].address, count), _ILLEGAL_VALUE, f"{count} of {kind}")


@pytest.mark.smoke
@pytest.mark.check("the last address answers, the next is exception 02", "末地址可读，越界返回异常 02")
def test_addresses(board: Board) -> None:
    """exception 02 wherever any register of a range is missing"""
    for kind in KINDS:
        registers = of(board, kind)
        if not registers:
            continue
        last = registers[-1]
        answer = asked(board, read(kind, last.end - 1, 1))
        expect(answer[0] == READ_FUNCTION[kind], f"{kind} {last.end - 1} to be read", answer.hex(" "))
        for address, count in ((last.end, 1), (last.end - 1, 2), (0xFFFF, 1)):
            refused(board, read(kind, address, count), _ILLEGAL_ADDRESS, f"{kind} {address} to {address + count - 1}")


@pytest.mark.check("unknown functions are exception 01", "未知功能码返回异常 01")
def test_functions(board: Board) -> None:
    """exception 01 for functions that nobody has defined"""
    for function in (0x41, 0x64):
        refused(board, bytes((function,)), _ILLEGAL_FUNCTION, f"function {function:02x}h")


@pytest.mark.check("identification: mandatory objects, and exceptions for the rest", "设备标识：必备对象与异常")
def test_identification(board: Board) -> None:
    """objects 0 to 2; 03 for a code that is none, 02 for an object that it has not"""
    found = board.identity()
    missing = [number for number in (0, 1, 2) if not found.get(number)]
    expect(not missing, "objects 0, 1 and 2", f"without {missing}")
    refused(board, bytes((0x2B, 0x0E, 5, 0)), _ILLEGAL_VALUE, "identification code 5")
    refused(board, bytes((0x2B, 0x0E, 4, 0x7F)), _ILLEGAL_ADDRESS, "object 7Fh")


@pytest.mark.check("what may not be written is refused and stays", "只读与非法写入被拒绝且不改变")
@pytest.mark.permission("write")
def test_refused_writes(board: Board) -> None:
    """02 for what is read-only or missing, 03 for values and byte counts out of range, and nothing changed"""
    read_only = next(r for r in of(board, "holding") if r.access == "r" and r.size == 1)
    before = board.raw(read_only)
    refused(board, struct.pack(">BHH", 6, read_only.address, before[0] ^ 1), _ILLEGAL_ADDRESS, read_only.name)
    expect(board.raw(read_only) == before, f"{read_only.name} unchanged", board.raw(read_only))
    writable = next(r for r in of(board, "holding") if r.access == "rw" and r.valid and r.size == 1)
    assert writable.valid is not None
    above = int(writable.valid[1]) + 1
    refused(board, struct.pack(">BHH", 6, writable.address, above), _ILLEGAL_VALUE, f"{writable.name} {above}")
    short = struct.pack(">BHHB", 16, writable.address, 1, 4) + b"\0\1\0\1"
    refused(board, short, _ILLEGAL_VALUE, "a wrong byte count")
    refused(board, struct.pack(">BHHB", 16, writable.address, 0, 0), _ILLEGAL_VALUE, "a write of no registers")
    coil = of(board, "coil")[0]
    refused(board, struct.pack(">BHH", 5, coil.address, 1), _ILLEGAL_VALUE, "a coil written with 0001h")


@pytest.mark.smoke
@pytest.mark.check("what is written is read back", "写入值可读回")
@pytest.mark.permission("write")
def test_writes(board: Board) -> None:
    """06, 10h, 17h, 05 and 0Fh do what they say"""
    at = board.profile.by_value["identify_seconds"].address
    expect(asked(board, struct.pack(">BHH", 6, at, 40)) == struct.pack(">BHH", 6, at, 40), "06 repeated", "another")
    ticking(board, 40)
    asked(board, struct.pack(">BHHBH", 16, at, 1, 2, 50))
    ticking(board, 50)
    both = asked(board, struct.pack(">BHHHHBH", 0x17, at, 1, at, 1, 2, 60))
    found = int.from_bytes(both[2:4], "big")
    expect(both[:2] == b"\x17\2" and 50 <= found <= 60, "17h: written first, then read as 60", both.hex(" "))
    asked(board, struct.pack(">BHHBH", 16, at, 1, 2, 0))
    coil = board.profile.by_value["identify"]
    for pdu, wanted in ((struct.pack(">BHHBB", 15, coil.address, 1, 1, 1), 1), (b"\5\0\0\0\0", 0)):
        asked(board, pdu)
        expect(board.raw(coil) == [wanted], f"the coil {coil.name} {wanted}", board.raw(coil))


def ticking(board: Board, seconds: int) -> None:
    """It counts down by itself, so that it may be a little less."""
    found = board.number("identify_seconds")
    expect(seconds - 9 <= found <= seconds, f"identify_seconds {seconds}", found)


@pytest.mark.check("a broadcast write acts on all and nobody answers", "广播写入生效且无人应答")
@pytest.mark.permission("write")
def test_broadcast_write(bus: Bus, line: Probe, request: pytest.FixtureRequest) -> None:
    """silence, and the value in every device of the pair"""
    bench = request.getfixturevalue("bench")
    boards = [bench.board(device) for device in bus.device]
    for at in sorted({board.profile.by_value["identify_seconds"].address for board in boards}):
        those = [board for board in boards if board.profile.by_value["identify_seconds"].address == at]
        body = struct.pack(">BBHHBH", 0, 16, at, 1, 2, 77)
        silent(line, body + crc(body), "a broadcast write")
        for board in those:
            expect(70 <= board.number("identify_seconds") <= 77, f"77 s in unit {board.unit}", board.value("rating"))
            board.write("identify_seconds", 0)


@pytest.mark.check("a broadcast read is ignored", "广播读取被忽略")
def test_broadcast_read(bus: Bus, line: Probe) -> None:
    """silence"""
    body = b"\0" + read("input", 0, 1)
    silent(line, body + crc(body), "a broadcast read")


@pytest.mark.smoke
@pytest.mark.check("a frame with a wrong checksum is not answered", "校验错误的帧不应答")
def test_wrong_crc(board: Board, bench: object) -> None:
    """silence for one bit flipped in every octet, and the right frame answered afterwards"""
    flipped(board, range(0, 64, 9))


@pytest.mark.check("a frame with any bit flipped is not answered", "任一位翻转的帧均不应答")
def test_every_bit(board: Board) -> None:
    """silence for each of the 64 bits of a request, and the right frame answered afterwards"""
    flipped(board, range(64))


def flipped(board: Board, bits: range) -> None:
    line = board.master
    assert isinstance(line, Probe)
    whole = question(board)
    for bit in bits:
        spoiled = bytearray(whole)
        spoiled[bit // 8] ^= 1 << bit % 8
        silent(line, bytes(spoiled), f"a request with bit {bit} flipped")
    ready(board)


@pytest.mark.smoke
@pytest.mark.check("it waits for the silence of t3.5 before it answers", "应答前保持 t3.5 静默")
def test_silence_before_answers(board: Board) -> None:
    """no first octet sooner than 3.5 characters after the end of the request, of twenty"""
    line = board.master
    assert isinstance(line, Probe)
    whole = question(board)
    soonest = float("inf")
    for _ in range(20):
        line.ask(whole[:-2])
        if line.first_at:
            soonest = min(soonest, line.first_at - line.sent_at - len(whole) * line.wire.t_char)
    limit = line.wire.silence
    # A serial server or an adapter may hold the request back: that only adds.
    expect(soonest >= limit, f"at least {limit * 1000:.2f} ms", f"{soonest * 1000:.2f} ms")


@pytest.mark.check("a frame with a pause inside is answered rightly or not at all", "帧内停顿：正确应答或不应答")
def test_pause_inside(board: Board) -> None:
    """after a pause of 2 and of 20 characters: the right answer or none, and the next frame answered"""
    line = board.master
    assert isinstance(line, Probe)
    whole = question(board)
    right = line.ask(whole[:-2])
    for characters in (2, 20):
        line.put(whole[:4])
        time.sleep((4 + characters) * line.wire.t_char)
        line.put(whole[4:])
        heard = line.listen(8 * line.wire.t_char + line.wire.silence + _SILENT_S)
        expect(
            not heard or (heard[:2] == right[:2] and len(heard) == len(right) + 2), "the right answer or none", heard
        )
        time.sleep(0.06)
        ready(board)


@pytest.mark.check("half a frame is given up", "残帧被放弃")
def test_half_a_frame(board: Board) -> None:
    """a question after a cut frame and a silence is answered"""
    line = board.master
    assert isinstance(line, Probe)
    whole = question(board)
    for cut in range(1, len(whole)):
        line.put(whole[:cut])
        time.sleep(cut * line.wire.t_char + 0.08)
        ready(board)


@pytest.mark.check("garbage on the pair costs nothing but itself", "总线杂波后恢复")
def test_garbage(board: Board) -> None:
    """a question after 300 octets of garbage and a silence is answered"""
    line = board.master
    assert isinstance(line, Probe)
    state = board.unit * 7919 + 1
    noise = bytearray()
    for _ in range(300):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        noise.append(state >> 16 & 0xFF)
    line.put(bytes(noise))
    line.listen(300 * line.wire.t_char + 0.2)
    ready(board)


@pytest.mark.check("another slave's answer is not taken for a question", "不误认他机应答为请求")
def test_foreign_answers(board: Board) -> None:
    """silence after an answer of another unit that looks like a request of this one"""
    line = board.master
    assert isinstance(line, Probe)
    inside = question(board)
    other = 1 if board.unit != 1 else 2
    body = bytes((other, 3, len(inside))) + inside
    request = bytes((other, 3, 0, 0, 0, len(inside) // 2))
    silent(line, request + crc(request) + body + crc(body), "another unit's exchange")
    ready(board)


@pytest.mark.check("its counters count", "通信计数器正确")
def test_counters(board: Board) -> None:
    """requests, checksum errors and exceptions each one more, no less"""
    if "bus_requests" not in board.profile.by_value:
        pytest.skip("its profile has no counters")
    line = board.master
    assert isinstance(line, Probe)
    requests, errors = board.number("bus_requests"), board.number("bus_crc_errors")
    exceptions = board.number("bus_exceptions")
    spoiled = bytearray(question(board))
    spoiled[-1] ^= 0x40
    silent(line, bytes(spoiled), "a wrong checksum")
    time.sleep(0.06)
    refused(board, b"\x41", _ILLEGAL_FUNCTION, "function 41h")
    expect(board.number("bus_requests") > requests, "more requests counted", "as many as before")
    expect(board.number("bus_crc_errors") > errors, "a checksum error counted", "none")
    expect(board.number("bus_exceptions") > exceptions, "an exception counted", "none")


@pytest.mark.check("long values are never torn", "长整数不撕裂")
def test_not_torn(board: Board) -> None:
    """the seconds since its start never jump, over two hundred reads"""
    last = board.number("uptime")
    for _ in range(200):
        try:
            now = board.number("uptime")
        except GewuError as error:
            expect(False, "an answer", str(error))
        expect(last <= now <= last + 5, f"{last:g} s or a little more", f"{now:g} s")
        last = now
