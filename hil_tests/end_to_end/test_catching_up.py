"""What a board did while nobody could ask it: read from the journal of real firmware, told once, with its own time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gateway.bus.poller import BusPoller
from gateway.clock import SystemClock
from gateway.config.model import Bus, Device
from gateway.profile import load
from gateway.records import Event
from hil_tests.end_to_end.scene import wait_for
from hil_tests.faults.memory import Memory
from hil_tests.rig.site import parse_site
from hil_tests.rig.village import Village

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
BREAKER = load("gewu-breaker")
CALM_V = 231.0
HIGH_V = 340.0  # trips within half a second, and heats nothing that would trip it again
NEAR_S = 10.0  # a village on a busy machine is late
REST_S = 4.0  # so long the lever stays open: what is told as of now is later than what is told as of then


@pytest.fixture
def village(tmp_path: Any) -> Iterator[Village]:
    board = {"id": "b1", "address": 1, "profile": "gewu-breaker", "current": 6.0, "voltage": CALM_V}
    site = parse_site({"bus": [{"name": "north", "baud": 38400, "board": [board]}]}, "test")
    with Village(site, tmp_path) as village:
        yield village


@contextmanager
def gateway(village: Village, sink: Memory) -> Iterator[BusPoller]:
    """A poller as a gateway would run it, which has read all of the board."""
    device = Device(id="b1", profile=BREAKER.name, address=1, place="", critical=False).defined(BREAKER)
    port = village.state()["buses"][0]["port"]
    bus = Bus.model_validate(
        {"name": "north", "port": port, "baud": 38400, "timeout": 0.6, "device": [device]}, strict=False
    )
    poller = BusPoller(bus, SystemClock(), sink)
    poller.start()
    try:
        wait_for("the board", lambda: poller.status().devices[0].online)
        yield poller
    finally:
        poller.request_stop()
        poller.join(20.0)
        assert not poller.alive()


def trip_and_rearm(village: Village) -> float:
    """Too high a voltage until b1 opens, then a calm one and the lever closed again; Unix seconds of the opening."""
    before = len(village.state()["trips"])
    village.inject("b1", {"voltage": str(HIGH_V)})
    wait_for("the trip", lambda: len(village.state()["trips"]) > before, 60.0)
    village.inject("b1", {"voltage": str(CALM_V), "handle": "0"})
    wait_for("the contact", lambda: not contact_closed(village))
    clock = SystemClock()
    opened = clock.monotonic()
    wait_for("the lever's rest", lambda: clock.monotonic() - opened > REST_S)
    village.inject("b1", {"handle": "1"})
    wait_for("the contact", lambda: contact_closed(village))
    return float(village.state()["trips"][before]["at_ms"]) / 1000


def contact_closed(village: Village) -> bool:
    return bool(village.state()["boards"][0]["closed"])


def raised(sink: Memory, prefix: str) -> list[Event]:
    return [event for event in sink.events if event.cleared is None and event.kind.startswith(prefix)]


def test_a_board_is_caught_up_from_its_journal(village: Village) -> None:
    """A trip during a bus fault; then, with no gateway running, a restart and another trip. Each is one event with its
    own time, and the gateway after that has nothing new to tell."""
    sink = Memory()
    with gateway(village, sink) as poller:
        wait_for("the journal's end to be known", lambda: "journal" in "".join(sink.notes.values()), 60.0)
        village.fault("north", {"unplug": "1"})
        wait_for("the fault", lambda: not poller.status().open)
        first = trip_and_rearm(village)
        village.fault("north", {"unplug": "0"})
        wait_for("the first trip", lambda: raised(sink, "trip."), 60.0)
    (one,) = raised(sink, "trip.")
    assert one.kind == "trip.overvoltage"
    assert one.values["trip_voltage"] == pytest.approx(HIGH_V, rel=0.05)

    before = village.state()["boards"][0]["pid"]
    village.inject("b1", {"kill": "1"})
    wait_for("the board again", lambda: village.state()["boards"][0]["pid"] not in (0, None, before))
    restarted = SystemClock().wall_ms() / 1000
    second = trip_and_rearm(village)
    for _ in range(2):
        with gateway(village, sink) as poller:
            wait_for("the second trip", lambda: len(raised(sink, "trip.")) > 1, 60.0)
            polls = poller.status().polls
            wait_for("a few polls", lambda: poller.status().polls > polls + 30, 60.0)  # noqa: B023
    (restart,) = raised(sink, "device.restarted")
    for event, at in zip([*raised(sink, "trip."), restart], (first, second, restarted), strict=True):
        assert abs(event.raised / 1000 - at) < NEAR_S
        (learned,) = [one.cleared for one in sink.events if one.id == event.id and one.cleared is not None]
        assert learned - event.raised > REST_S * 1000 / 2  # uptime has whole seconds
    assert not any({"unseen", "not_after"} & event.values.keys() for event in sink.events)
