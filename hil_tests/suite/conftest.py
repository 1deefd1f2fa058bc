"""What every check stands on: the bench, one board of it, and a breaker that is closed, cold and at rest."""

import time
from collections.abc import Iterator

import pytest

from gateway.errors import GewuError
from hil_tests.hil.bench import Bench
from hil_tests.hil.bench_file import Bus, Device
from hil_tests.hil.board import Board
from hil_tests.hil.plugin import BENCH
from hil_tests.hil.probe import Probe
from hil_tests.hil.verdict import BenchTrouble

_REARM_MS = 1000  # a person takes longer to reach the lever
_SETTLE_S = 20.0
_COLD_PERCENT = 5.0
_COOLING_S = 900.0


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Bench:
    return request.config.stash[BENCH]


@pytest.fixture
def board(bench: Bench, device: Device) -> Board:
    """The device under test."""
    return bench.board(device)


@pytest.fixture
def line(bench: Bench, bus: Bus) -> Probe:
    """The suite's master on the bus under test."""
    return bench.probe(bus)


@pytest.fixture
def live(board: Board) -> Board:
    """A board that answers and measures."""
    try:
        board.until(lambda: board.number("measure_age") < 2000, "measured", _SETTLE_S)
    except GewuError as error:
        raise BenchTrouble(f"{error} Look at its supply and its pair.") from error
    return board


@pytest.fixture
def breaker(bench: Bench, device: Device, live: Board) -> Iterator[Board]:
    """A breaker with nothing injected, closed, re-armed; left that way."""
    make_ready(bench, device, live)
    yield live
    make_ready(bench, device, live)


@pytest.fixture
def cold(bench: Bench, breaker: Board) -> Board:
    """A breaker without heat: this can take minutes, but not where long delays are asked in virtual time."""
    if bench.hurried:
        return breaker
    try:
        breaker.until(lambda: breaker.number("thermal") <= _COLD_PERCENT, "cooled down", _COOLING_S)
    except GewuError as error:
        raise BenchTrouble(str(error)) from error
    return breaker


def make_ready(bench: Bench, device: Device, board: Board) -> None:
    """Rest, and close what is open. BenchTrouble when it cannot be brought there."""
    if bench.file.injector is not None:
        bench.injector.rest(device.id)
    deadline = time.monotonic() + 60
    while True:
        try:
            if board.value("closed") and board.value("cause") == 0:
                return
            board.until(lambda: _harmless(board), "came to rest", _SETTLE_S)
            if board.value("closed"):
                bench.hands.lever(device.id, False)
                time.sleep(0.5)
            bench.hands.lever(device.id, True)
            board.until(lambda: board.value("closed") and board.value("cause") == 0, "closed", 5.0)
        except GewuError as error:
            if time.monotonic() > deadline:
                raise BenchTrouble(f"{device.id} cannot be closed for the next test: {error}") from error


def _harmless(board: Board) -> bool:
    """Whether a closed contact would stay closed: the trip is over, and nothing dangerous is measured."""
    over = board.value("trip_count") == 0 or board.number("trip_age") > _REARM_MS
    calm = board.number("voltage") < 240 and board.number("measure_age") < 2000 and not board.value("residual_output")
    return over and calm
