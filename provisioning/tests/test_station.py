"""The station: boards that come and go in any order, each served once for each time that it is plugged in."""

import io
import threading
import time
from collections.abc import Callable
from typing import Any, cast

import pytest
from rich.console import Console

from gateway.cli import provision_station
from gateway.clock import Clock, SystemClock
from gateway.tests.fake_clock import FakeClock
from provisioning import commission
from provisioning import flash as flash_work
from provisioning.commission import BoardRow
from provisioning.flash import FlashRow
from provisioning.station import Done, Station


class Bench:
    """Ports that a test plugs and pulls. `gate` holds the work back; `codes` are what a port's next tries end with."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.ports: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.codes: dict[str, list[str]] = {}
        self.begun: list[str] = []
        self.told: list[Done] = []
        self.station = Station(lambda: set(self.ports), self._work, self.told.append, clock or SystemClock(), at_once=4)

    def _work(self, port: str) -> Done:
        self.begun.append(port)
        self.gate.wait(30)
        code = self.codes[port].pop(0) if self.codes.get(port) else ""
        return Done(port, not code, port, {"port": port}, code)

    def until(self, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not reached():
            assert time.monotonic() < deadline
            self.station.step()
            time.sleep(0.005)


def test_each_is_served_once_while_it_is_plugged_in() -> None:
    """Again only after it was pulled out; several at once."""
    bench = Bench()
    bench.gate.clear()
    bench.ports |= {"a", "b"}
    bench.until(lambda: sorted(bench.begun) == ["a", "b"])  # side by side
    bench.ports.add("c")
    bench.gate.set()
    bench.until(lambda: len(bench.told) == 3)
    for _ in range(20):
        bench.station.step()
    assert sorted(bench.begun) == ["a", "b", "c"]
    bench.ports.discard("b")
    bench.station.step()
    bench.ports.add("b")
    bench.until(lambda: len(bench.told) == 4)
    assert bench.begun[-1] == "b"


def test_pulled_out_at_work_and_plugged_in_again() -> None:
    """The next try waits until the one before has ended, and then comes by itself."""
    bench = Bench()
    bench.gate.clear()
    bench.codes["a"] = ["unplugged"]
    bench.ports.add("a")
    bench.until(lambda: bench.begun == ["a"])
    bench.ports.clear()
    bench.station.step()
    bench.ports.add("a")
    for _ in range(20):
        bench.station.step()
    assert bench.begun == ["a"]
    bench.gate.set()
    bench.until(lambda: len(bench.told) == 2)
    assert [done.code for done in bench.told] == ["unplugged", ""]


def test_a_port_that_is_only_settling_is_tried_again() -> None:
    """Rights come a moment after the port; a board that is really in trouble is not tried again."""
    bench = Bench(FakeClock())
    bench.codes = {"a": ["no-permission", "port-busy"], "b": ["wrong-chip", "wrong-chip"]}
    bench.ports |= {"a", "b"}
    bench.until(lambda: len(bench.told) == 2)
    assert {done.port: done.code for done in bench.told} == {"a": "", "b": "wrong-chip"}
    assert (bench.begun.count("a"), bench.begun.count("b")) == (3, 1)


def test_the_end_waits_for_boards_at_work() -> None:
    """Nobody is left half done, and nobody new is begun."""
    bench, stop = Bench(), threading.Event()
    bench.gate.clear()
    bench.ports.add("a")
    found: list[Done] = []
    thread = threading.Thread(target=lambda: found.extend(bench.station.run(stop)))
    thread.start()
    deadline = time.monotonic() + 30
    while not bench.begun:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    stop.set()
    bench.gate.set()
    thread.join(30)
    assert ([done.port for done in found], bench.begun) == (["a"], ["a"])


@pytest.mark.parametrize(
    ("first", "flashed", "well", "steps"),
    [
        (None, None, True, ["commission"]),
        ("no-micropython: x; y.", None, True, ["commission", "flash", "commission"]),
        ("no-micropython: x; y.", "wrong-chip: x; y.", False, ["commission", "flash"]),
        ("board-full: x; y.", None, False, ["commission"]),
    ],
)
def test_a_board_is_flashed_only_where_no_micropython_answers(
    monkeypatch: pytest.MonkeyPatch, first: str | None, flashed: str | None, well: bool, steps: list[str]
) -> None:
    """Then it goes on by itself; what is wrong with the chip is said and not tried again."""
    done: list[str] = []

    def commissioned(batch: object, ports: list[str], *_: object) -> list[BoardRow]:
        done.append("commission")
        wrong = first if done == ["commission"] else None
        return [BoardRow("b1", ports[0], "uid", "absent" if wrong else "commissioned", wrong)]

    def flash(image: object, ports: list[str], *_: object) -> list[FlashRow]:
        done.append("flash")
        return [FlashRow(ports[0], "ESP32", "verified", flashed)]

    monkeypatch.setattr(commission, "commission", commissioned)
    monkeypatch.setattr(flash_work, "flash", flash)
    anything = cast(Any, object())
    work = provision_station._worker(anything, anything, anything, Console(file=io.StringIO()))
    found = work("/dev/ttyUSB0")
    assert (found.well, found.row["trouble"], done) == (well, None if well else flashed or first, steps)
