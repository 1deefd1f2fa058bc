"""The thread of one bus in simulated time: a silent day, and commands that come at an awkward moment."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from itertools import pairwise

import pytest

from gateway.bus.poller import BusPoller
from gateway.bus.port import FramedPort
from gateway.bus.transport import Line
from gateway.bus.trouble import BusTrouble, PortTrouble
from gateway.bus.wire import Wire
from gateway.config import Bus
from gateway.profile import Profile, load
from gateway.tests.fake_clock import FakeClock
from gateway.tests.played_board import BREAKER, PlayedBoard
from gateway.tests.scripted_slave import framed, registers
from gateway.tests.test_poller import METER, Memory, bus, until

pytestmark = pytest.mark.integration
DAY_S = 86_400.0


class PlayedPort(FramedPort):
    """A port without a line: `answer` says what comes back; an exchange and a time-out let the clock pass."""

    def __init__(self, clock: FakeClock, answer: Callable[[bytes], bytes]) -> None:
        self.port = "played"
        self.frame = b""
        self.told: list[bytes] = []
        self.asked: list[bytes] = []
        self.closed = False
        self._clock = clock
        self._answer = answer

    def ask(self, request: bytes, length: int) -> bytes:
        self.asked.append(request)
        answer = self._answer(request)
        self.frame, self._left = answer[:length], answer[length:]
        self._clock.now += 0.02 if self.frame else 0.3
        return self.frame

    def read_on(self, count: int) -> bytes:
        more, self._left = self._left[:count], self._left[count:]
        self.frame += more
        return more

    def tell(self, request: bytes, turnaround: float) -> None:
        self.told.append(request)

    def listen(self, seconds: float) -> bytes:
        return b""

    def quieten(self, rest: float = 0.0) -> None:
        """Nothing follows."""

    def close(self) -> None:
        self.closed = True


def poller_on(port: PlayedPort, clock: FakeClock, settings: Bus, sink: Memory) -> BusPoller:
    def connect(_: Bus) -> Line:
        return Line("north", "played", Wire(9600), open_port=lambda *_: port)

    return BusPoller(settings, clock, sink, connect=connect)


def test_an_adapter_that_is_pulled_a_thousand_times_is_used_again_each_time() -> None:
    """D1: the port is gone for a second and comes back: read again within 5 s, by the same thread, each one closed."""
    clock, sink, ports, late = FakeClock(), Memory(), list[PlayedPort](), list[float]()
    back_at = 0.0

    class PulledPort(PlayedPort):
        def ask(self, request: bytes, length: int) -> bytes:
            nonlocal back_at
            if len(self.asked) == 1:
                late.append(clock.now - back_at)
            if len(self.asked) == 3:
                back_at = clock.now + 1.0
                raise OSError(5, "Input/output error")
            return super().ask(request, length)

    def connect(_: Bus) -> Line:
        if clock.now < back_at:
            raise PortTrouble("The port played does not exist; plug the adapter in.")
        ports.append(PulledPort(clock, lambda request: registers(7, 4, *range(request[5]))))
        return Line("north", "played", Wire(9600), open_port=lambda *_: ports[-1])

    poller = BusPoller(bus("/dev/played", ("m7", 7, METER)), clock, sink, connect=connect)
    poller.start()
    try:
        until(lambda: len(ports) > 1000 or not poller.alive(), "a thousand pulls")
    finally:
        poller.request_stop()
        poller.join(20.0)
    assert poller.status().errors["port"] >= 1000
    assert max(late[1:]) < 5.0
    assert all(port.closed for port in ports)


def test_a_device_that_is_silent_for_a_day_is_two_lines_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """D7: one line and one event when it is lost, one when it is back, and trials no more often than every 30 s."""
    clock, sink = FakeClock(), Memory()
    silent_until = clock.now + 60 + DAY_S

    def answer(request: bytes) -> bytes:
        silent = clock.now > 160.0 and clock.now < silent_until
        return b"" if silent else registers(7, 4, *range(request[5]))

    port = PlayedPort(clock, answer)
    poller = poller_on(port, clock, bus("/dev/played", ("m7", 7, METER)), sink)
    poller.start()
    try:
        until(lambda: len(sink.events) == 2 or not poller.alive(), "it was back")
    finally:
        poller.request_stop()
        poller.join(20.0)
    assert sink.said() == [("device.lost", "m7", True), ("device.lost", "m7", False)]
    assert sink.events[1][0].raised / 1000 + DAY_S - 60 < (sink.events[1][0].cleared or 0) / 1000
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(":")[1].removeprefix(" m7 (address 7) ") for line in lines] == ["is lost", "is back"]
    assert poller.status().errors["no-answer"] <= DAY_S / 30 + 10


def test_clocks_are_broadcast_once_a_minute() -> None:
    """One frame to unit 0 sets the clocks of all breakers: function 16, two registers from 11."""
    clock, sink = FakeClock(), Memory()
    port = PlayedPort(clock, lambda _: b"")
    breakers = [(f"b{n}", n, load("gewu-breaker")) for n in (1, 2)]
    poller = poller_on(port, clock, bus("/dev/played", *breakers), sink)
    start = clock.now
    poller.start()
    try:
        until(lambda: len(port.told) >= 3, "three broadcasts")
    finally:
        poller.request_stop()
        poller.join(20.0)
    assert port.told[0][:7] == bytes((0, 16, 0, 11, 0, 2, 4))
    seconds = [int.from_bytes(frame[7:11], "big") for frame in port.told[:3]]
    assert [round((b - a) / 60) for a, b in pairwise(seconds)] == [1, 1]
    assert abs(seconds[0] - (clock.wall_ms() / 1000 - (clock.now - start))) < 30


def test_a_command_waits_for_one_exchange_only() -> None:
    """It is given in the middle of a long recognition, and is the very next thing on the wire."""
    clock, sink = FakeClock(), Memory()
    asked = threading.Event()

    def answer(request: bytes) -> bytes:
        if request[1] == 0x2B and not asked.is_set():
            asked.set()
            poller.ask(lambda line: line.read(9, "holding", 77, 1))
            return framed(1, 0x2B, 0x0E, 1, 1, 0xFF, 1, 1, 0, 4, *b"Gewu")  # and more follows
        return b""

    port = PlayedPort(clock, answer)
    breakers = [(f"b{n}", n, load("gewu-breaker")) for n in (1, 2)]
    poller = poller_on(port, clock, bus("/dev/played", *breakers), sink)
    poller.start()
    try:
        until(lambda: len(port.asked) > 3, "more was asked")
    finally:
        poller.request_stop()
        poller.join(20.0)
    assert [(frame[0], frame[1]) for frame in port.asked[:3]] == [(1, 0x2B), (9, 3), (1, 0x2B)]


def test_after_a_command_without_an_answer_its_device_is_not_asked_at_once() -> None:
    """The answer may still come, and must not be taken for the one to the poll that it interrupted."""
    clock, sink = FakeClock(), Memory()
    two = Profile.model_validate(
        {
            "profile": {"name": "two"},
            "register": [
                {"name": "a", "kind": "input", "address": 0, "type": "u16", "poll": "fast"},
                {"name": "b", "kind": "holding", "address": 0, "type": "u16", "poll": "fast"},
            ],
        }
    )
    at: list[float] = []

    def answer(request: bytes) -> bytes:
        if request[3] == 77:
            at.append(clock.now)
            return b""
        if len(port.asked) == 2:
            future.append(poller.ask(lambda line: line.read(7, "input", 77, 1)))
        if at and len(at) == 1:
            at.append(clock.now)
        return registers(7, request[1], 5)

    future: list[Future[list[int]]] = []
    port = PlayedPort(clock, answer)
    poller = poller_on(port, clock, bus("/dev/played", ("m7", 7, two)), sink)
    poller.start()
    try:
        until(lambda: len(at) == 2, "it was asked again")
    finally:
        poller.request_stop()
        poller.join(20.0)
    assert at[1] - at[0] >= 1.0
    (asked,) = future
    assert isinstance(asked.exception(0), BusTrouble)


@pytest.mark.parametrize("cut", [False, True])
def test_an_event_carries_what_was_read_with_it(cut: bool) -> None:
    """What dates a trip and travels with it is of a lower class: it is read along in the same turn. When that fails,
    the event does not wait, and carries nothing old."""
    clock, sink = FakeClock(), Memory()
    board = PlayedBoard(clock)
    tripped = threading.Event()

    def answer(request: bytes) -> bytes:
        along = request[1] == 4 and request[3] == current.address - age.size
        if tripped.is_set() and along and cut and not sink.events:
            return b""
        return board.answer(request)

    current, age = (BREAKER.by_value[name] for name in ("trip_current", "trip_age"))
    port = PlayedPort(clock, answer)
    poller = poller_on(port, clock, bus("/dev/played", ("b1", 1, BREAKER)), sink)
    poller.start()
    try:
        until(lambda: poller.status().devices[0].values.get("trip_current") == 0.011, "an old value was read")
        end = clock.now + 20
        until(lambda: clock.now > end, "some sweeps")
        tripped.set()
        moment = board.trip(1, 85_000, stays=True)
        until(lambda: sink.events, "the trip")
    finally:
        poller.request_stop()
        poller.join(20.0)
    event, key = sink.events[0]
    assert (event.kind, key) == ("trip.overcurrent", "4")
    assert ("trip_current" in event.values) == (not cut)
    assert event.values.get("trip_current", 85.0) == 85.0
    assert -50 <= event.raised - moment <= 5000 * cut + 50
