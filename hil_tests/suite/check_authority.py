"""Authority: who may command. Forged, replayed, early and late frames move nothing and are written down."""

import time

import pytest

from gateway.bus.command import Code, explain, frame
from hil_tests.hil.bench import Bench
from hil_tests.hil.bench_file import Device
from hil_tests.hil.board import DONE, Board
from hil_tests.hil.verdict import expect
from hil_tests.hil.words import Words
from hil_tests.suite.conftest import make_ready

pytestmark = [
    pytest.mark.needs("key"),
    pytest.mark.permission("write"),
    pytest.mark.step(
        "take this board off the network: whoever reaches its bus may command it; report its firmware",
        "立即将该板撤出网络并上报固件：总线上任何人都可能操作它",
    ),
]
FORGED, REPLAYED, UNKNOWN_NONCE, EARLY, LATE, WAITING = 5, 6, 7, 8, 9, 4
_CLOSE_REFUSED = range(20, 30)
_AGES_S = 0.3
NOW = (1_700_000_000).to_bytes(4, "big")


@pytest.fixture
def calm(board: Board) -> Board:
    """A board that judges at once: the wait after wrong tries of an earlier test is over."""
    board.until(lambda: board.number("command_wait") == 0, "judged again", 70)
    return board


def clock(board: Board, counter: int | None = None) -> bytes:
    """A right command that moves nothing: the time that it has already, or about that."""
    seconds = int(board.number("clock"))
    return board.signed(Code.CLOCK, seconds.to_bytes(4, "big") if seconds else NOW, counter)


def answered(board: Board, data: bytes, result: int, about: str) -> None:
    """Expect that result."""
    found = board.post(data)
    expect(found == result, f"result {result} ({explain(result)}) to {about}", f"{found} ({explain(found)})")


@pytest.mark.smoke
@pytest.mark.check(
    "a frame with a wrong signature is refused, and then nothing is judged for a while", "伪造命令被拒并限速"
)
def test_forged(calm: Board) -> None:
    """result 5, a wait that is not nought, and the refusal in the journal"""
    after = int(calm.number("journal_next"))
    counter = calm.next_counter()
    for _ in range(3):  # the first wait is a second: a busy computer may look too late
        answered(calm, frame(bytes(32), calm.serial, Code.OPEN, counter, calm.nonce()), FORGED, "a forged opening")
        if waits := calm.number("command_wait") > 0:
            break
    expect(waits, "a wait", "none")
    expect(calm.number("command_counter") == counter - 1, "a counter that stays", calm.value("command_counter"))

    def told() -> bool:
        return any(entry.kind == "refused" and entry.number >= after for entry in calm.journal(40))

    calm.until(told, "wrote the refusal down", 15)


@pytest.mark.smoke
@pytest.mark.check("a right frame is done once, its replay refused", "正确命令只执行一次，重放被拒")
def test_replay(calm: Board) -> None:
    """done, then result 6 to the very same bytes, and to a used counter in a new frame"""
    right = clock(calm)
    answered(calm, right, DONE, "a right command")
    answered(calm, right, REPLAYED, "its replay")
    used = int(calm.number("command_counter"))
    answered(calm, clock(calm, used), REPLAYED, "a new frame with a used counter")


@pytest.mark.check("a frame for another board is refused", "发给其他板的命令被拒")
def test_misdirected(calm: Board) -> None:
    """result 5 to a frame signed with the right key for another serial number"""
    assert calm.key is not None
    data = frame(calm.key, "somebody", Code.CLOCK, calm.next_counter(), calm.nonce(), NOW)
    answered(calm, data, FORGED, "a frame for another serial number")


@pytest.mark.check("a frame with an unknown nonce is refused", "未知随机数的命令被拒")
def test_nonce(calm: Board) -> None:
    """result 7 to a right signature over a nonce that was never issued"""
    assert calm.key is not None
    data = frame(calm.key, calm.serial, Code.CLOCK, calm.next_counter(), b"\1" * 8, NOW)
    answered(calm, data, UNKNOWN_NONCE, "a frame with an invented nonce")


@pytest.mark.smoke
@pytest.mark.check("frames outside their window are refused", "时间窗外的命令被拒")
def test_window(calm: Board) -> None:
    """result 8 to one that is too early, 9 to one that is too late"""
    assert calm.key is not None
    early = frame(calm.key, calm.serial, Code.CLOCK, calm.next_counter(), calm.nonce(), NOW, since=25.0)
    answered(calm, early, EARLY, "a frame whose time has not come")
    late = frame(calm.key, calm.serial, Code.CLOCK, calm.next_counter(), calm.nonce(), NOW, until=0.0)
    time.sleep(_AGES_S)  # the nonce in it grows older meanwhile
    answered(calm, late, LATE, "a frame whose time is over")


@pytest.mark.check("a command with the right key opens the breaker", "持正确密钥的命令可分闸")
@pytest.mark.only(role="breaker")
@pytest.mark.permission("trip")
@pytest.mark.needs("hands")
def test_open(bench: Bench, device: Device, breaker: Board, calm: Board) -> None:
    """done, the contact open, the cause remote"""
    answered(calm, calm.signed(Code.OPEN), DONE, "a right opening")
    step = Words("told to open and the contact stays: open the upstream device", "已令分闸但未断开：立即断开上级电器")
    calm.until(lambda: calm.value("closed") is False, "opened", 5)
    expect(calm.value("cause") == 8, "cause 8 (remote)", calm.value("cause"), step)
    make_ready(bench, device, breaker)


@pytest.mark.check("closing after a short circuit needs somebody at the device", "短路后合闸须现场确认")
@pytest.mark.only(role="breaker", fitted="fast_output")
@pytest.mark.permission("trip")
@pytest.mark.needs("injector.amps", "hands")
def test_close(bench: Bench, device: Device, breaker: Board, calm: Board) -> None:
    """a right order to close is refused, and the contact stays open"""
    bench.injector.trip_time(device.id, quantity="amps", value=21.0 * device.rating, timeout_s=10)
    calm.until(lambda: calm.value("tripped"), "latched its trip", 5)
    found = calm.command(Code.CLOSE)
    expect(found in _CLOSE_REFUSED, "a refusal by the protection", f"{found} ({explain(found)})")
    expect(calm.value("closed") is False, "an open contact", "a closed one")


@pytest.mark.check("opening a critical load needs two persons", "切断关键负荷须两人")
@pytest.mark.only(role="breaker")
@pytest.mark.permission("trip")
@pytest.mark.needs("second_person", "hands")
def test_two_persons(bench: Bench, device: Device, breaker: Board, calm: Board) -> None:
    """nothing is opened before a second person has agreed"""
    second = bench.file.people.second
    agreed = bench.person.sees(f"{second}: may {device.id} be opened now? Nobody's life depends on what it feeds?")
    if not agreed:
        expect(calm.value("closed") is True, "a closed contact", "an open one")
        return
    answered(calm, calm.signed(Code.OPEN), DONE, "an opening that two persons want")
    calm.until(lambda: calm.value("closed") is False, "opened", 5)


@pytest.mark.check("nobody reads the key", "密钥不可读出")
def test_key(calm: Board) -> None:
    """no part of four octets of the key in any register or record"""
    assert calm.key is not None
    heard = b""
    for function in (3, 4):
        for address in range(256):
            answer = calm.master.ask(bytes((calm.unit, function)) + address.to_bytes(2, "big") + b"\0\1")
            heard += answer[3:5] if answer and not answer[1] & 0x80 else b""
    for file in range(1, 8):
        heard += calm.master.ask(bytes((calm.unit, 20, 7, 6)) + file.to_bytes(2, "big") + b"\0\0\0\x10")
    expect(len(heard) > 100, "registers", f"{len(heard)} octets")
    found = any(calm.key[at : at + 4] in heard for at in range(29))
    expect(not found, "no part of its key", "a part of it")
