"""Readings into events: the state machine of one breaker, and what a restart does to it."""

from itertools import count

import pytest

from gateway.profile import Profile, load
from gateway.records import Mark, OpenEvent, Value
from gateway.rules.events import LOST, LOST_GRADE, DeviceEvents, Moment

CALM: dict[str, Value] = {
    "cause": 0, "trip_count": 3, "trip_age": 9_000_000, "trip_current": 0.0, "thermal": 20.0,
    "overload": False, "breaker_failure": False, "current": 5.0,
}  # fmt: skip
TRIPPED: dict[str, Value] = CALM | {"cause": 1, "trip_count": 4, "trip_age": 1500, "trip_current": 80.0}


def breaker(open_events: list[OpenEvent] | None = None, profile: Profile | None = None) -> DeviceEvents:
    numbers = count(1)
    events = DeviceEvents("b1", "home", profile or load("gewu-breaker"), lambda: f"id{next(numbers)}")
    events.recall(open_events or [])
    return events


def at(ms: int) -> Moment:
    return Moment(at=ms, mono=ms, clock="trusted")


def said(records: list[OpenEvent]) -> list[tuple[str, str]]:
    return [(record.event.kind, "raised" if record.event.cleared is None else "cleared") for record in records]


def test_a_trip_is_raised_once_dated_back_and_cleared_with_the_same_id() -> None:
    """`raised` is now minus the age register; looking again raises nothing; the reset clears it."""
    events = breaker()
    assert events.step(CALM, {}, at(1000)) == []
    (raised,) = events.step(TRIPPED, {}, at(10_000))
    assert (raised.event.kind, raised.event.grade, raised.event.raised) == ("trip.overcurrent", 2, 8500)
    assert raised.event.values == {"trip_current": 80.0, "thermal": 20.0}
    assert raised.event.place == "home"
    assert raised.key == "4"
    assert events.step(TRIPPED | {"trip_age": 3500}, {}, at(12_000)) == []
    (cleared,) = events.step(TRIPPED | {"cause": 0}, {}, at(20_000))
    assert (cleared.event.id, cleared.event.cleared, cleared.event.raised) == (raised.event.id, 20_000, 8500)


def test_the_next_trip_is_another_event() -> None:
    """A counter that moved while the condition still holds ends the old event and raises a new one."""
    events = breaker()
    events.step(CALM, {}, at(0))
    (first,) = events.step(TRIPPED, {}, at(10_000))
    ended, second = events.step(TRIPPED | {"trip_count": 5, "trip_age": 200}, {}, at(60_000))
    assert (ended.event.id, ended.event.cleared) == (first.event.id, 59_800)
    assert second.event.id != first.event.id
    assert second.event.raised == 59_800
    assert second.key == "5"


def test_a_trip_between_two_looks_is_reported() -> None:
    """Tripped and reset before anyone looked: the counter tells, as a raised and a cleared record."""
    events = breaker()
    events.step(CALM, {}, at(0))
    records = events.step(CALM | {"trip_count": 5, "trip_current": 77.0}, {}, at(5000))
    assert said(records) == [("trip.overcurrent", "raised"), ("trip.overcurrent", "cleared")]
    assert records[0].event.id == records[1].event.id
    assert records[0].event.values["unseen"] == 2
    assert events.step(CALM | {"trip_count": 5}, {}, at(6000)) == []


def test_a_counter_that_starts_over_is_no_trip() -> None:
    """A new board counts from 0; a 16-bit counter goes from 65535 to 0 and that is one trip."""
    events = breaker()
    events.step(CALM | {"trip_count": 400}, {}, at(0))
    assert events.step(CALM | {"trip_count": 0}, {}, at(1)) == []
    events = breaker()
    events.step(CALM | {"trip_count": 65535}, {}, at(0))
    assert len(events.step(CALM | {"trip_count": 0}, {}, at(1))) == 2


def test_a_trip_while_the_gateway_was_down_gives_exactly_one_event() -> None:
    """Found tripped at the start: raised, with the time of the trip; known from before: nothing new."""
    (raised,) = breaker().step(TRIPPED | {"trip_age": 60_000}, {}, at(100_000))
    assert raised.event.raised == 40_000
    assert breaker([raised]).step(TRIPPED | {"trip_age": 90_000}, {}, at(130_000)) == []


def test_a_restart_between_trip_and_reset_forgets_nothing() -> None:
    """The event that was open is cleared by its id; one that was reset and tripped again becomes two."""
    (raised,) = breaker().step(TRIPPED, {}, at(10_000))
    (cleared,) = breaker([raised]).step(TRIPPED | {"cause": 0}, {}, at(20_000))
    assert cleared.event.id == raised.event.id
    again = breaker([raised]).step(TRIPPED | {"trip_count": 5}, {}, at(20_000))
    assert said(again) == [("trip.overcurrent", "cleared"), ("trip.overcurrent", "raised")]
    unseen = breaker([raised]).step(CALM | {"trip_count": 5}, {}, at(20_000))
    assert said(unseen) == [("trip.overcurrent", end) for end in ("cleared", "raised", "cleared")]


@pytest.mark.parametrize("mark", ["bad", "stale"])
def test_marked_values_prove_nothing(mark: Mark) -> None:
    """No event rises and none clears on a value that is bad or stale."""
    events = breaker()
    events.step(CALM, {}, at(0))
    marks: dict[str, Mark] = dict.fromkeys(CALM, mark)
    assert events.step(TRIPPED, marks, at(1)) == []
    events.step(TRIPPED, {}, at(2))
    assert events.step(CALM, marks, at(3)) == []


def test_two_rules_are_two_events() -> None:
    """An overload and a trip rise and clear apart; a rule without counter or age is dated when it is seen."""
    events = breaker()
    (overload,) = events.step(CALM | {"overload": True}, {}, at(1000))
    assert (overload.event.kind, overload.event.grade, overload.event.raised) == ("alarm.overcurrent", 3, 1000)
    both = events.step(TRIPPED, {}, at(5000))
    assert said(both) == [("alarm.overcurrent", "cleared"), ("trip.overcurrent", "raised")]


def test_events_that_no_register_tells_of() -> None:
    """A lost device is one event however often it is found lost, and it clears once."""
    events = breaker()
    (lost,) = events.raise_(LOST, LOST_GRADE, at(1))
    assert events.raise_(LOST, LOST_GRADE, at(2)) == []
    assert breaker([lost]).raise_(LOST, LOST_GRADE, at(3)) == []
    (back,) = events.clear(LOST, at(4))
    assert (back.event.id, back.event.cleared) == (lost.event.id, 4)
    assert events.clear(LOST, at(5)) == []


def test_one_is_not_true() -> None:
    """A rule that waits for true does not take the number 1, and one for 1 does not take true."""
    raw = {
        "profile": {"name": "p"},
        "register": [{"name": "level", "kind": "input", "address": 0, "type": "u16"}],
        "event": [{"kind": "alarm.water", "when": "level", "grade": 2}],
    }
    events = breaker(profile=Profile.model_validate(raw))
    assert events.step({"level": 1}, {}, at(0)) == []


def test_a_counter_alone_makes_an_event_of_each_step() -> None:
    """A restart is raised and cleared at once; the first look only learns the count."""
    events = breaker()
    booted = CALM | {"boot_count": 7, "reset_cause": 3}
    assert events.step(booted | {"boot_count": 6}, {}, at(0)) == []
    raised, cleared = events.step(booted, {}, at(5000))
    assert (raised.event.kind, raised.event.grade, raised.key) == ("device.restarted", 4, "7")
    assert raised.event.values == {"boot_count": 7, "reset_cause": 3, "unseen": 1}
    assert (cleared.event.id, cleared.event.cleared) == (raised.event.id, 5000)
    assert events.step(booted, {}, at(9000)) == []
    assert events.step(booted | {"boot_count": 2}, {}, at(9000)) == []  # another board took its place


def test_what_came_and_went_while_the_bus_was_down_has_its_own_time() -> None:
    """Nobody could look for an hour; the board tells how long ago it tripped."""
    events = breaker()
    events.step(CALM, {}, at(0))
    raised, cleared = events.step(CALM | {"trip_count": 4, "trip_age": 1_000_000}, {}, at(3_600_000))
    assert (raised.event.raised, cleared.event.cleared) == (2_600_000, 3_600_000)
