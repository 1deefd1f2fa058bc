"""The thread of one bus with real ptys: what reaches the sink, and what trouble does to it."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.bus.poller import BusPoller
from gateway.bus.sink import Sink
from gateway.bus.status import BusStatus
from gateway.clock import SystemClock
from gateway.config import Bus, Device
from gateway.errors import StoreError, TryAgain
from gateway.profile import Profile, load
from gateway.records import Event, Note, OpenEvent, Reading
from gateway.tests.pymodbus_slave import device as pymodbus_device
from gateway.tests.pymodbus_slave import serving
from gateway.tests.scripted_slave import framed, registers, scripted

pytestmark = pytest.mark.integration
_DEADLINE_S = 20.0


class Memory(Sink):
    """A sink that remembers; with `full` it takes nothing."""

    def __init__(self, opened: list[OpenEvent] | None = None) -> None:
        self.readings: list[Reading] = []
        self.events: list[tuple[Event, str]] = []
        self.opened = opened or []
        self.notes: dict[str, str] = {}
        self.full = False

    def put_reading(self, reading: Reading) -> None:
        self.readings.append(reading)

    def accept_events(self, records: Sequence[OpenEvent], note: Note | None = None) -> None:
        if self.full:
            raise StoreError("the disk is full")
        self.events += [(record.event, record.key) for record in records]
        if note is not None:
            self.keep_note(note)

    def keep_note(self, note: Note) -> None:
        self.notes[note.key] = note.text

    def note(self, key: str) -> bytes | None:
        noted = self.notes.get(key)
        return None if noted is None else noted.encode()

    def open_events(self) -> list[OpenEvent]:
        return self.opened

    def said(self) -> list[tuple[str, str | None, bool]]:
        return [(event.kind, event.device, event.cleared is None) for event, _ in self.events]


def until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.01)


def bus(port: str, *devices: tuple[str, int, Profile], **more: Any) -> Bus:
    made = [
        Device(id=name, profile=profile.name, address=address, place="home", critical=False).defined(profile)
        for name, address, profile in devices
    ]
    return Bus.model_validate(
        {"name": "north", "port": port, "baud": 115200, "timeout": 0.5, "device": made} | more, strict=False
    )


@contextmanager
def polled(settings: Bus, sink: Sink) -> Iterator[BusPoller]:
    poller = BusPoller(settings, SystemClock(), sink)
    poller.start()
    try:
        yield poller
    finally:
        poller.request_stop()
        poller.join(_DEADLINE_S)
        assert not poller.alive()


METER = Profile.model_validate(
    {
        "profile": {"name": "meter"},
        "register": [
            {"name": "level", "kind": "input", "address": 0, "type": "u16", "poll": "fast"},
            {"name": "flow", "kind": "input", "address": 5, "type": "u16", "poll": "fast"},
        ],
        "event": [{"kind": "alarm.water", "when": "level", "equals": 1, "grade": 2, "values": ["flow"]}],
    }
)
BREAKER = {1: 1, 3: 4, 4: 0, 5: 5000, 9: 0, 10: 6500, 11: 2301, 14: 5001, 15: 200}


def test_values_reach_the_sink_in_the_units_of_the_profile() -> None:
    """A breaker served by pymodbus is recognised, read whole and reported once with all its values."""
    sink = Memory()
    with (
        serving([pymodbus_device(1, BREAKER, {0: 16, 1: 67})], "Gewu", "gewu-breaker") as slave,
        polled(bus(slave.port, ("b1", 1, load("gewu-breaker"))), sink) as poller,
    ):
        until(lambda: "rating" in poller.status().devices[0].values and sink.readings, "everything was read")
        until(lambda: poller.status().polls > 10, "it goes on polling")
        status = poller.status()
    first = sink.readings[0]
    assert first.device == "b1"
    assert {"voltage": 230.1, "current": 6.5, "frequency": 50.01, "closed": True}.items() <= first.values.items()
    assert "identify_seconds" not in status.devices[0].values  # poll = "never"
    assert (status.open, status.trouble, status.errors) == (True, None, {})
    assert status.devices[0].online
    assert status.devices[0].first_reading == first.at
    assert 0 < status.utilisation <= 1
    assert not sink.events


def test_a_trip_is_one_event_and_a_restart_repeats_nothing() -> None:
    """The latched trip of a breaker becomes one event; a gateway that knows it as open says nothing new."""
    tripped = BREAKER | {1: 2, 2: 1}
    sink = Memory()
    with serving([pymodbus_device(1, tripped)], "Gewu", "gewu-breaker") as slave:
        settings = bus(slave.port, ("b1", 1, load("gewu-breaker")))
        with polled(settings, sink):
            until(lambda: sink.events, "the trip was reported")
        event, key = sink.events[0]
        assert (event.kind, event.place, key) == ("trip.overcurrent", "home", "4")
        again = Memory([OpenEvent(event=event, key=key)])
        with polled(settings, again) as poller:
            until(lambda: poller.status().polls > 20, "it polled for a while")
        assert again.events == []


def test_a_lost_device_is_told_once_and_when_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    """Silence: one event, one log line, stale values; the answer clears it and the values are fresh again."""
    sink, answer = Memory(), registers(7, 4, 0, 0, 0, 0, 0, 9)
    single = registers(7, 4, 0)

    def speak(request: bytes) -> bytes:
        return single if request[5] == 1 else answer

    with scripted(speak) as slave, polled(bus(slave.port, ("m7", 7, METER)), sink) as poller:
        until(lambda: sink.readings, "it was read")
        slave.answer = lambda _: b""
        until(lambda: sink.events, "it was lost")
        until(lambda: sink.readings[-1].marks == {"level": "stale", "flow": "stale"}, "its values were stale")
        assert poller.status().devices[0].online is False
        assert "check its power" in (poller.status().devices[0].trouble or "")
        slave.answer = speak
        until(lambda: len(sink.events) == 2, "it was back")
        until(lambda: poller.status().devices[0].marks == {}, "its values were fresh")
    assert sink.said() == [("device.lost", "m7", True), ("device.lost", "m7", False)]
    assert sink.events[0][0].id == sink.events[1][0].id
    lines = [record.getMessage() for record in caplog.records if "m7" in record.getMessage()]
    assert [line.split("m7 (address 7) ")[1].split(":")[0] for line in lines] == ["is lost", "is back"]


def test_a_device_that_answers_as_something_else_is_not_believed(caplog: pytest.LogCaptureFixture) -> None:
    """A sensor where the configuration has a breaker: an event, one log line, and none of its values."""
    sink = Memory()
    with (
        serving([pymodbus_device(1, BREAKER)], "Gewu", "gewu-sensor") as slave,
        polled(bus(slave.port, ("b1", 1, load("gewu-breaker"))), sink) as poller,
    ):
        until(lambda: sink.events, "the mismatch was reported")
        until(lambda: poller.status().polls >= 3, "it was asked again")
        assert poller.status().devices[0].values == {}
    assert sink.said() == [("device.mismatch", "b1", True)]
    assert 'answers as "Gewu / gewu-sensor", which is no "gewu-breaker"' in caplog.text
    assert caplog.text.count("answers as") == 1
    assert sink.readings == []


def test_a_missing_port_is_retried_and_disturbs_no_other_bus(tmp_path: Path) -> None:
    """A bus without its port says so; another bus polls on; when the port appears it is used within 5 s."""
    there = tmp_path / "adapter"
    bad, good = Memory(), Memory()
    with (
        serving([pymodbus_device(1, BREAKER)], "Gewu", "gewu-breaker") as slave,
        polled(bus(str(there), ("b1", 1, load("gewu-breaker"))), bad) as waiting,
    ):
        until(lambda: waiting.status().trouble, "the trouble was known")
        assert "does not exist; plug the adapter in" in (waiting.status().trouble or "")
        with pytest.raises(TryAgain, match="does not exist"):
            waiting.ask(lambda line: line.read(1, "input", 0, 1)).result(_DEADLINE_S)
        with polled(bus(slave.port, ("b1", 1, load("gewu-breaker"))), good):
            until(lambda: good.readings, "the good bus was read")
        there.symlink_to(slave.port)
        appeared = time.monotonic()
        until(lambda: bad.readings, "the port was used")
        assert time.monotonic() - appeared < 5
        assert waiting.status().trouble is None


def test_a_port_that_is_pulled_out_and_comes_back_is_used_again(tmp_path: Path) -> None:
    """The slave's pty vanishes and another appears under the same stable name (fault D1)."""
    stable, sink = tmp_path / "by-id", Memory()
    answer = registers(7, 4, 0, 0, 0, 0, 0, 9)

    def speak(request: bytes) -> bytes:
        return registers(7, 4, 0) if request[5] == 1 else answer

    with scripted(speak) as first:
        stable.symlink_to(first.port)
        runner = polled(bus(str(stable), ("m7", 7, METER)), sink)
        poller = runner.__enter__()
        until(lambda: sink.readings, "it was read")
    try:
        until(lambda: not poller.status().open, "the loss was noticed")
        assert poller.status().errors["port"] >= 1
        stable.unlink()
        with scripted(speak) as second:
            stable.symlink_to(second.port)
            back = time.monotonic()
            until(lambda: poller.status().devices[0].online and poller.status().open and second.requests, "it was back")
            assert time.monotonic() - back < 5
    finally:
        runner.__exit__(None, None, None)


def test_a_store_that_refuses_gets_the_event_later() -> None:
    """The event waits in order while polling goes on, and is handed in again until it is taken."""
    sink = Memory()
    sink.full = True
    with scripted(lambda r: registers(7, 4, 1) if r[5] == 1 else registers(7, 4, 1, 0, 0, 0, 0, 9)) as slave:
        with polled(bus(slave.port, ("m7", 7, METER)), sink) as poller:
            until(lambda: poller.status().devices[0].values, "it was read")
            polls = poller.status().polls
            until(lambda: poller.status().polls > polls, "polling goes on")
            assert sink.events == []
            sink.full = False
            until(lambda: sink.events, "the event was kept")
        assert sink.said() == [("alarm.water", "m7", True)]
        assert sink.events[0][0].values == {"flow": 9}


def test_a_register_that_is_missing_costs_only_itself(caplog: pytest.LogCaptureFixture) -> None:
    """A refusal is searched once for the register at fault; the others are read on, and the log names it."""
    sink = Memory()

    def speak(request: bytes) -> bytes:
        start, count = request[3], request[5]
        return registers(7, 4, *range(start, start + count)) if start + count <= 5 else framed(7, 0x84, 2)

    with scripted(speak) as slave, polled(bus(slave.port, ("m7", 7, METER)), sink) as poller:
        until(lambda: poller.status().devices[0].values == {"level": 0}, "the other register was read")
        until(lambda: poller.status().polls > 5, "it polls on")
        errors = poller.status().errors
    assert errors == {"exception": 1}
    assert "polled without flow" in caplog.text


def test_a_gap_that_may_not_be_read_through_is_planned_around() -> None:
    """The device refuses undefined registers although its profile allows them: both values come all the same."""
    sink = Memory()

    def speak(request: bytes) -> bytes:
        return registers(7, 4, request[3]) if request[5] == 1 else framed(7, 0x84, 2)

    with scripted(speak) as slave, polled(bus(slave.port, ("m7", 7, METER)), sink) as poller:
        until(lambda: poller.status().devices[0].values == {"level": 0, "flow": 5}, "both were read")
        assert poller.status().errors == {"exception": 1}


def test_what_is_asked_goes_before_other_traffic() -> None:
    """A question is answered between two polls; its error belongs to who asked and ends nothing."""
    sink = Memory()
    with (
        serving([pymodbus_device(1, BREAKER)], "Gewu", "gewu-breaker") as slave,
        polled(bus(slave.port, ("b1", 1, load("gewu-breaker"))), sink) as poller,
    ):
        assert poller.ask(lambda line: line.identity(1)).result(_DEADLINE_S) == {0: "Gewu", 1: "gewu-breaker"}
        with pytest.raises(ZeroDivisionError):
            poller.ask(lambda line: 1 // 0).result(_DEADLINE_S)
        until(lambda: sink.readings, "it polls on")
    with pytest.raises(TryAgain, match="stopping"):
        poller.ask(lambda line: 1).result(0)


def test_status_may_be_asked_by_any_thread() -> None:
    """Four threads ask while the bus works; nothing breaks."""
    sink, found = Memory(), list[BusStatus]()
    with (
        serving([pymodbus_device(1, BREAKER)], "Gewu", "gewu-breaker") as slave,
        polled(bus(slave.port, ("b1", 1, load("gewu-breaker"))), sink) as poller,
    ):
        threads = [threading.Thread(target=lambda: found.extend(poller.status() for _ in range(50))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(_DEADLINE_S)
    assert len(found) == 200
