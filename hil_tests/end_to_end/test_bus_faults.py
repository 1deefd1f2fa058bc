"""Faults of the bus and of time (D1 to D5) on virtual boards: what is stored stays true, and all of it comes back."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from gateway.bus.poller import BusPoller, HeardTime
from gateway.clock import Clock, SystemClock
from gateway.config import Bus, Device
from gateway.learned_clock import LearnedClock
from gateway.profile import load
from gateway.records import Reading, Value
from hil_tests.end_to_end.scene import wait_for
from hil_tests.faults.clock import SteppedClock
from hil_tests.faults.memory import Memory
from hil_tests.rig.site import parse_site
from hil_tests.rig.village import Village

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
BAUD = 38400
AMPERES = {"b1": 3.0, "b2": 6.0, "s3": 9.0, "b4": 12.0}
KINDS = {"b": "gewu-breaker", "s": "gewu-sensor"}
PATIENCE_S = 0.6  # virtual boards share the machine with whatever else runs on it
HOUR_MS = 3_600_000
QUIET = {"noise": "0", "drop": "0", "collide": "0", "delay": "0"}


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    boards = [
        {"id": name, "address": int(name[1]), "profile": KINDS[name[0]], "current": amperes, "voltage": 231.0}
        for name, amperes in AMPERES.items()
    ]
    site = parse_site({"bus": [{"name": "north", "baud": BAUD, "board": boards}]}, "test")
    with Village(site, tmp_path_factory.mktemp("village")) as village:
        yield village


@contextmanager
def polled(
    village: Village, clock: Clock | None = None, heard_time: HeardTime | None = None
) -> Iterator[tuple[BusPoller, Memory]]:
    """A poller on the village's bus that has read all four devices."""
    devices = [
        Device(id=name, profile=KINDS[name[0]], address=int(name[1]), place="", critical=False).defined(
            load(KINDS[name[0]])
        )
        for name in AMPERES
    ]
    port = village.state()["buses"][0]["port"]
    bus = Bus.model_validate(
        {"name": "north", "port": port, "baud": BAUD, "timeout": PATIENCE_S, "device": devices}, strict=False
    )
    sink = Memory()
    poller = BusPoller(bus, clock or SystemClock(), sink, heard_time=heard_time)
    poller.start()
    try:
        wait_for("a measurement of every board", lambda: all_online(poller) and measured(poller))
        sink.readings.clear()
        yield poller, sink
    finally:
        poller.request_stop()
        poller.join(20.0)
        assert not poller.alive()


def all_online(poller: BusPoller) -> bool:
    return all(device.online and "current" in device.values for device in poller.status().devices)


def measured(poller: BusPoller) -> bool:
    """The boards have measured since they started, and what was injected."""
    return all(
        abs(float(device.values["current"]) / AMPERES[device.id] - 1) < 0.05
        and abs(float(device.values["frequency"]) - 50) < 1
        for device in poller.status().devices
    )


def untrue(readings: list[Reading]) -> list[tuple[str, str, Value]]:
    """What was stored without a mark and cannot be, for each board has amperes of its own."""
    found = []
    for reading in readings:
        amperes = AMPERES[reading.device]
        truth: dict[str, tuple[float, float]] = {
            "current": (0.9 * amperes, 1.1 * amperes), "voltage": (226, 236), "frequency": (49, 51),
            "power": (0, 1.1 * 236 * amperes), "cause": (0, 0), "trip_count": (0, 0), "rating": (16, 16),
        }  # fmt: skip
        for name, (low, high) in truth.items():
            value = reading.values.get(name, low)
            if name not in reading.marks and not (isinstance(value, int | float) and low <= value <= high):
                found.append((reading.device, name, value))
    return found


def test_an_adapter_that_is_pulled_and_comes_back_under_another_name(village: Village) -> None:
    """D1: every time it is used again, by the same thread and with no file left open; usually within 5 s."""
    with polled(village) as (poller, sink):
        back, files = [], []
        for _ in range(8):
            village.fault("north", {"unplug": "1"})
            wait_for("the loss", lambda: not poller.status().open)
            polls = poller.status().polls
            village.fault("north", {"unplug": "0"})
            plugged = time.monotonic()
            wait_for("the boards", lambda: poller.status().open and poller.status().polls > polls + 8)  # noqa: B023
            wait_for("all of them", lambda: all_online(poller))
            back.append(time.monotonic() - plugged)
            files.append(len(list(Path("/proc/self/fd").iterdir())))
        assert median(back) < 5.0
        assert files[-1] <= files[0] + 2
        assert poller.status().errors["port"] >= 8
        assert untrue(sink.readings) == []


def test_a_bad_line_costs_time_and_no_truth(village: Village) -> None:
    """D2: corrupted and lost characters, and talkers over one another: counted by cause, and no wrong value."""
    with polled(village) as (poller, sink):
        village.fault("north", {"noise": "0.002", "drop": "0.001", "collide": "0.02"})
        try:
            wait_for("many errors", lambda: sum(poller.status().errors.values()) >= 20, 90.0)
        finally:
            village.fault("north", QUIET)
        wait_for("all boards again", lambda: all_online(poller), 90.0)
        assert {"crc", "cut", "no-answer"} & set(poller.status().errors)
        assert untrue(sink.readings) == []
        assert {event.kind for event in sink.events} <= {"device.lost"}


def test_an_answer_that_comes_too_late_is_nobodys(village: Village) -> None:
    """D2: every answer comes after its time-out, into the next question: not one is taken for another's."""
    with polled(village) as (poller, sink):
        village.fault("north", {"delay": "0.9"})
        try:
            wait_for("all lost", lambda: not any(device.online for device in poller.status().devices), 90.0)
        finally:
            village.fault("north", QUIET)
        wait_for("all boards again", lambda: all_online(poller), 90.0)
        wait_for("fresh values", lambda: not any(device.marks for device in poller.status().devices))
        assert untrue(sink.readings) == []
        raised = [event.device for event in sink.events if event.cleared is None]
        assert sorted(map(str, raised)) == sorted(AMPERES)  # each was lost once


def test_a_silent_board_costs_the_others_little(village: Village) -> None:
    """D3: once it is known to be silent, what is spent on it stays near a twentieth of the bus."""
    with polled(village) as (poller, sink):
        village.inject("b4", {"silent": "1"})
        try:
            wait_for("the loss", lambda: [event for event in sink.events if event.device == "b4"])
            before, began = poller.status(), time.monotonic()
            wait_for("a few polls", lambda: poller.status().polls > before.polls + 150, 60.0)
            after, elapsed = poller.status(), time.monotonic() - began
        finally:
            village.inject("b4", {"silent": "0"})
        tried = sum(after.errors.values()) - sum(before.errors.values())
        assert (tried - 1) * PATIENCE_S <= 0.10 * elapsed
        assert [device.online for device in after.devices] == [True, True, True, False]
        wait_for("b4 again", lambda: all_online(poller), 60.0)


def test_values_that_stand_still_are_marked_and_alarm_nobody(village: Village) -> None:
    """D4: the metering chip gives nothing plausible any more: the board's last values are read on, and go as stale."""
    frozen = {"current", "voltage", "power", "frequency", "energy"}
    with polled(village) as (poller, sink):
        village.inject("s3", {"frequency": "200"})
        try:
            wait_for("the marks", lambda: frozen <= poller.status().devices[2].marks.keys())
            wait_for("them in the store", lambda: [r for r in sink.readings if r.marks.get("voltage") == "stale"])
        finally:
            village.inject("s3", {"frequency": "50"})
        assert poller.status().devices[2].online
        wait_for("live values", lambda: measured(poller) and not poller.status().devices[2].marks)
        assert [event for event in sink.events if event.grade == 1] == []


def test_a_clock_that_jumps_moves_no_deadline_and_is_told_to_no_board(village: Village) -> None:
    """D5: 1970, then an hour either way: readings keep their order by the monotonic clock, nobody counts as lost or
    stale, and only a clock that may be believed is broadcast. The next gateway, without one, learns it from boards."""
    clock = SteppedClock()
    clock.offset_ms, clock.believed = -clock.wall_ms(), "untrusted"

    def first_pid() -> Any:
        return next(board["pid"] or 0 for board in village.state()["boards"] if board["id"] == "b1")

    told = load("gewu-breaker").by_value["clock"]
    before = first_pid()
    village.inject("b1", {"kill": "1"})  # a board that starts knows no time; one that runs lets nobody move it far
    wait_for("the restart of b1", lambda: first_pid() not in (0, before))
    with polled(village, clock) as (poller, sink):

        def board_clock() -> int:
            words = poller.ask(lambda line: line.read(1, told.kind, told.address, told.size)).result(10.0)
            return words[0] << 16 | words[1]

        wait_for("all boards", lambda: all_online(poller))
        for offset in (0, HOUR_MS, -HOUR_MS):
            count = len(sink.readings)
            clock.offset_ms = offset
            village.inject("b1", {"current": str(AMPERES["b1"] * 1.05)})
            village.inject("b1", {"current": str(AMPERES["b1"])})
            wait_for("more readings", lambda: len(sink.readings) > count)  # noqa: B023
        assert {reading.clock for reading in sink.readings} == {"untrusted"}
        assert [r.mono for r in sink.readings] == sorted(r.mono for r in sink.readings)
        assert sink.events == []
        assert not any(device.marks for device in poller.status().devices)
        assert board_clock() < 2000
        clock.offset_ms, clock.believed = 0, "trusted"
        wait_for("the broadcast", lambda: abs(board_clock() - clock.wall_ms() / 1000) < 5)
        assert sink.events == []
        now = clock.wall_ms()
    clock.offset_ms, clock.believed = -clock.wall_ms(), "untrusted"
    learned = LearnedClock(clock, floor=now, devices=len(AMPERES), grace=0.0)
    with polled(village, learned, learned.device_says) as (poller, sink):
        wait_for("the boards' time", lambda: learned.state() == "corrected")
        clock.offset_ms = 0
        assert abs(learned.wall_ms() - clock.wall_ms()) < 5000
        wait_for("dated readings", lambda: any(reading.clock == "corrected" for reading in sink.readings))
