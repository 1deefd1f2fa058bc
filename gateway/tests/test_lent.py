"""A line lent through the control socket: the same answers and the same errors as a line of one's own."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gateway import control, lent
from gateway.bus.transport import Line
from gateway.bus.trouble import BusTrouble, PortTrouble, no_use
from gateway.bus.wire import Wire
from gateway.errors import DeviceRefused, GewuError, TryAgain
from gateway.tests.pymodbus_slave import device, serving

pytestmark = pytest.mark.integration
T = TypeVar("T")


class Bus:
    """A bus of a gateway, whose thread is the caller's."""

    name = "north"

    def __init__(self, line: Line) -> None:
        self.line = line
        self.away: Exception | None = None

    def ask(self, work: Callable[[Line], T]) -> Future[T]:
        future: Future[T] = Future()
        try:
            if self.away:
                raise self.away
            future.set_result(work(self.line))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def bus() -> Iterator[Bus]:
    with serving([device(1, {0: 11, 1: 22})], "Gewu", "gewu-breaker") as slave:
        line = Line("north", slave.port, Wire(115200), 0.5)
        yield Bus(line)
        line.close()


@pytest.fixture
def holder(bus: Bus, tmp_path: Path) -> Iterator[lent.Holder]:
    """A gateway's control socket with that bus behind it."""
    seen: dict[str, Any] = {
        "name": "north", "port": bus.line._port.port, "baud": 115200, "devices": [{"id": "b1", "address": 1}],
    }  # fmt: skip
    server = control.ControlServer(
        tmp_path,
        {"status": lambda _: {"buses": [seen]}, "line": lambda request: lent.answer([bus], request)},
    )
    server.start()
    found = lent.serves(tmp_path, "north")
    assert found is not None
    yield found
    server.stop()


def test_every_call_is_made_by_the_gateway(holder: lent.Holder, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads, writes and identification; the device's id is known. Files too: pymodbus answers those with a dummy."""
    line = lent.LentLine(holder)
    monkeypatch.setattr(bus.line, "read_file", lambda *asked: list(asked))
    assert line.read_file(1, 2, 48, 3) == [1, 2, 48, 3]
    assert line.read(1, "input", 0, 2) == [11, 22]
    line.write_register(1, 3, 4)
    line.write_registers(1, 4, [5, 6])
    line.write_coil(1, 5, True)
    line.write_coils(1, 6, [True, False])
    assert line.read(1, "holding", 3, 3) == [4, 5, 6]
    assert line.read(1, "coil", 5, 3) == [1, 1, 0]
    assert line.identity(1) == {0: "Gewu", 1: "gewu-breaker"}
    assert (holder.device(1), holder.device(9)) == ("b1", None)
    assert holder.refreshed().bus == holder.bus


def test_errors_arrive_as_what_they_are(holder: lent.Holder, bus: Bus) -> None:
    """A refusal, silence and a missing port are the same errors with the same sentences."""
    line = lent.LentLine(holder)
    with pytest.raises(DeviceRefused, match="no such registers") as refused:
        line.read(1, "input", 199, 2)
    assert refused.value.code == 2
    bus.away = no_use("no-answer", "north", 9, "a read of input 0")
    with pytest.raises(BusTrouble, match="address 9 gave no answer") as silence:
        line.read(9, "input", 0, 1)
    assert (silence.value.cause, silence.value.address) == ("no-answer", 9)
    bus.away = PortTrouble("the adapter is away")
    with pytest.raises(PortTrouble, match="the adapter is away"):
        line.read(1, "input", 0, 1)
    bus.away = TryAgain("the gateway is stopping")
    with pytest.raises(GewuError, match="the gateway is stopping"):
        line.read(1, "input", 0, 1)


@pytest.mark.parametrize(
    "request_",
    [
        {"bus": "south", "call": "read", "args": [1, "input", 0, 1]},
        {"bus": "north", "call": "close", "args": []},
        {"bus": "north", "call": "read", "args": "1"},
        {"bus": "north", "call": "read", "args": [1, "input"]},
        {"bus": "north", "call": "read", "args": [1, "inputs", 0, 1]},
        {"bus": "north", "call": "read", "args": [1, "input", "0", 1]},
    ],
)
def test_what_is_no_request_is_refused(bus: Bus, request_: dict[str, Any]) -> None:
    """Another bus, another method, or other arguments: a sentence and nothing on the line."""
    with pytest.raises(ValueError, match=r"line|arguments"):
        lent.answer([bus], request_)


def test_nobody_holds_what_nobody_holds(tmp_path: Path) -> None:
    """A folder without a gateway, another port, and a network port are held by nobody."""
    assert lent.serves(tmp_path, "north") is None
    assert lent.serves(tmp_path / "none", "north") is None
    assert lent.holder_of("tcp://127.0.0.1:502") is None
    assert lent.holder_of("/dev/ttyNONE") is None
