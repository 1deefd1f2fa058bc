"""Power cuts: a board comes back by itself, as what it was, with everything that it had promised to keep."""

import pytest

from hil_tests.hil.bench import Bench
from hil_tests.hil.bench_file import Device
from hil_tests.hil.board import Board
from hil_tests.hil.verdict import expect

pytestmark = [
    pytest.mark.permission("power_cut"),
    pytest.mark.needs("hands"),
    pytest.mark.step(
        "look at the supply and its hold-up time; if the supply is well, replace the board",
        "检查电源及其保持时间；电源正常则更换该板",
    ),
]
_BACK_S = 60.0
_KEPT = ("rating", "serial")


def cut(bench: Bench, device: Device, board: Board) -> None:
    """Off and on again; returns when it answers after exactly one start."""
    boots = board.number("boot_count")
    bench.hands.cut_power(device.id)
    board.until(lambda: board.number("boot_count") > boots, "came back", _BACK_S)
    expect(board.number("boot_count") == boots + 1, f"start {boots + 1:g}", board.value("boot_count"))


@pytest.mark.check("it comes back with its settings and its counts", "断电恢复后设置与计数不变")
def test_comes_back(bench: Bench, device: Device, live: Board) -> None:
    """one start more; settings, trips and journal as before, and no fault"""
    names = [*_KEPT, *(name for name in ("trip_count", "curve") if name in live.profile.by_value)]
    before = {name: live.value(name) for name in names}
    entries = live.number("journal_next")
    cut(bench, device, live)
    after = {name: live.value(name) for name in names}
    expect(after == before, str(before), after)
    expect(live.number("journal_next") >= entries, f"{entries:g} entries or more", live.value("journal_next"))
    live.until(lambda: live.number("measure_age") < 2000, "measured again", 30)
    expect(not live.value("safe_mode"), "no safe mode", "safe mode")


@pytest.mark.check("three cuts in a row are no failed starts", "连续三次断电不视为启动失败")
def test_again_and_again(bench: Bench, device: Device, live: Board) -> None:
    """answers after each, and no failed start is counted: a cut of power is none"""
    for _ in range(3):
        cut(bench, device, live)
    expect(live.number("failed_starts") == 0, "no failed starts", live.value("failed_starts"))
    live.until(lambda: live.number("measure_age") < 2000, "measured again", 30)


@pytest.mark.check("the start after a cut is in its journal", "断电后的启动已记录")
def test_journal(bench: Bench, device: Device, live: Board) -> None:
    """an entry of this start, and no damaged one before it"""
    cut(bench, device, live)
    boots = live.number("boot_count")

    def told() -> bool:
        return any(entry.kind == "start" and entry.boot == boots for entry in live.journal(60))

    live.until(told, "wrote down its start", 20)


@pytest.mark.check("a trip stays over a power cut", "脱扣状态断电后保持")
@pytest.mark.only(role="breaker", fitted="fast_output")
@pytest.mark.permission("trip")
@pytest.mark.needs("injector.amps")
def test_trip(bench: Bench, device: Device, breaker: Board) -> None:
    """open, its cause and its count as before the cut"""
    bench.injector.trip_time(device.id, quantity="amps", value=21.0 * device.rating, timeout_s=10)
    breaker.until(lambda: breaker.value("tripped"), "latched its trip", 5)
    breaker.until(lambda: breaker.number("trip_age") > 3000, "had time to keep its trip", 20)
    before = (breaker.value("cause"), breaker.value("trip_count"))
    cut(bench, device, breaker)
    found = (breaker.value("cause"), breaker.value("trip_count"))
    expect(found == before, f"cause and count {before}", found)
    expect(breaker.value("closed") is False, "an open contact", "a closed one")
