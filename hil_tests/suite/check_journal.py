"""Journal and clock: what happened is there, in order and whole, and its times are right."""

import time

import pytest

from hil_tests.hil.bench import Bench
from hil_tests.hil.bench_file import Device
from hil_tests.hil.board import Board
from hil_tests.hil.verdict import expect
from hil_tests.hil.words import Words

pytestmark = pytest.mark.step(
    "read the journal again; if it stays damaged, the flash is worn: replace the board",
    "重新读取日志；若仍损坏则闪存老化，应更换",
)
_PACE_S = 10.0  # over which the clock's pace is looked at
_CLOCK_SLACK_S = 2.0


@pytest.mark.smoke
@pytest.mark.check("its latest entries are whole, numbered without a hole", "最近条目完整且连续编号")
def test_latest(board: Board) -> None:
    """the sixty latest entries with right checksums, one number after the other, starts that never go back"""
    entries = board.journal(60)
    expect(entries, "entries", "an empty journal")
    boots = [entry.boot for entry in entries]
    expect(boots == sorted(boots), "boot counts that never fall", boots)
    expect(boots[-1] == board.number("boot_count"), f"{boots[-1]} starts", board.value("boot_count"))


@pytest.mark.check("all of it can be read", "全部日志可读")
def test_whole(board: Board) -> None:
    """every entry that it says it has, each with a right checksum"""
    first, after = board.number("journal_first"), board.number("journal_next")
    entries = board.journal(600)
    expect(entries[0].number <= first + 60 and len(entries) >= after - first - 60, "all entries", len(entries))


@pytest.mark.check("a restart is in it", "重启已记录")
def test_start(board: Board) -> None:
    """the latest start with the cause that the register names, if it is recent enough to be there"""
    starts = [entry for entry in board.journal(600) if entry.kind == "start"]
    if not starts:
        expect(board.number("journal_next") > 540, "a start in a journal that is not full", "none")
        return
    expect(starts[-1].a == board.number("reset_cause"), f"cause {starts[-1].a}", board.value("reset_cause"))


@pytest.mark.check("an opened contact is in it", "触点断开已记录")
@pytest.mark.only(role="breaker")
@pytest.mark.permission("trip")
@pytest.mark.needs("hands")
def test_change(bench: Bench, device: Device, breaker: Board) -> None:
    """a change of state that says that the contact opened"""
    after = int(breaker.number("journal_next"))
    bench.hands.lever(device.id, False)
    closed_bit = 1

    def told() -> bool:
        news = [entry for entry in breaker.journal(40) if entry.number >= after]
        return any(entry.kind == "state" and entry.b & closed_bit for entry in news)

    breaker.until(told, "wrote down that its contact opened", 15)


@pytest.mark.check("a trip is in it, with cause and measurements", "脱扣及其测量值已记录")
@pytest.mark.only(role="breaker", fitted="fast_output")
@pytest.mark.permission("trip")
@pytest.mark.needs("injector.amps", "hands")
def test_trip(bench: Bench, device: Device, breaker: Board) -> None:
    """one trip entry with the cause and the count of the registers, its values, and measurements before it"""
    after = int(breaker.number("journal_next"))
    bench.injector.trip_time(device.id, quantity="amps", value=21.0 * device.rating, timeout_s=10)
    breaker.until(lambda: breaker.value("tripped"), "latched its trip", 5)

    def told() -> bool:
        kinds = [entry.kind for entry in breaker.journal(60) if entry.number >= after]
        return "trip" in kinds and "values" in kinds

    breaker.until(told, "wrote down its trip", 20)
    trips = [entry for entry in breaker.journal(60) if entry.number >= after and entry.kind == "trip"]
    expect(len(trips) == 1, "one trip", len(trips))
    expect(trips[0].a == breaker.number("cause"), f"cause {breaker.value('cause')}", trips[0].a)
    expect(trips[0].c == breaker.number("trip_count"), f"trip {breaker.value('trip_count')}", trips[0].c)


@pytest.mark.smoke
@pytest.mark.check("its clock takes the time and keeps it", "时钟可校准且保持")
@pytest.mark.permission("write")
def test_clock(board: Board) -> None:
    """the computer's time, two seconds off at most, after it was told"""
    step = Words(
        "a running clock gives way by a minute an hour: cut the board's power, and tell it the time again",
        "运行中的时钟每小时最多调整一分钟：断电后再校时",
    )
    for _ in range(3):  # asked twice, it was told an old time
        board.write("clock", int(time.time()))
        apart = abs(board.number("clock") - time.time())
        if apart <= _CLOCK_SLACK_S:
            break
    expect(apart <= _CLOCK_SLACK_S, f"a clock within {_CLOCK_SLACK_S:g} s", f"{apart:.1f} s apart", step)


@pytest.mark.check("its seconds are seconds", "秒计准确")
def test_pace(board: Board) -> None:
    """its uptime beside the computer's clock, over ten seconds: a second and a half apart at most"""
    began, before = time.monotonic(), board.number("uptime")
    time.sleep(_PACE_S)
    passed, counted = time.monotonic() - began, board.number("uptime") - before
    expect(abs(passed - counted) <= 1.5, f"{passed:.1f} s", f"{counted:g} s")
