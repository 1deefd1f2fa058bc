"""A polled device: age, marks, and when it counts as lost."""

from itertools import count

from gateway.bus.device import PolledDevice
from gateway.config import Device
from gateway.profile import load
from gateway.records import Value
from gateway.rules.events import Moment


def device() -> PolledDevice:
    numbers = count(1)
    settings = Device(id="b1", profile="gewu-breaker", address=5, place="home", critical=False)
    settings.defined(load("gewu-breaker"))
    return PolledDevice(settings, lambda: f"id{next(numbers)}")


def at(seconds: float) -> Moment:
    return Moment(at=round(seconds * 1000), mono=round(seconds * 1000), clock="trusted")


def test_values_grow_stale_and_say_so_once() -> None:
    """Three periods (5 s at least) without a fresh value and it is sent once more, marked stale."""
    one = device()
    one.back(at(0))
    one.take({"voltage": 230.1, "energy": 4.0, "rating": 16}, {}, 0.0, at(0))
    first = one.reading(0.0, at(0))
    assert first is not None
    assert first.values == {"voltage": 230.1, "energy": 4.0, "rating": 16}
    assert one.reading(4.9, at(4.9)) is None
    stale = one.reading(5.1, at(5.1))  # voltage is fast: 1 s
    assert stale is not None
    assert (stale.values, stale.marks) == ({"voltage": 230.1}, {"voltage": "stale"})
    assert one.reading(20, at(20)) is None
    older = one.reading(31, at(31))  # energy is normal: 10 s; rating is read once and never grows old
    assert older is not None
    assert older.marks == {"energy": "stale"}
    one.take({"voltage": 230.1}, {}, 400.0, at(400))
    fresh = one.reading(400.0, at(400))
    assert fresh is not None
    assert (fresh.values, fresh.marks) == ({"voltage": 230.1}, {})
    assert one.reading(900, at(900)) is not None  # stale again
    assert one.reading(5000, at(5000)) is None  # a silent device sends nothing more, however long


def test_three_failures_over_two_seconds_are_a_loss() -> None:
    """Quick failures are noise; lasting ones are one event, and all values turn stale; it clears when it is back."""
    one = device()
    one.back(at(0))
    one.take({"voltage": 230.1, "rating": 16}, {}, 0.0, at(0))
    one.reading(0.0, at(0))
    assert [one.failed("no answer", now, at(now)) for now in (0.1, 0.2, 0.3, 2.0)] == [[], [], [], []]
    (lost,) = one.failed("no answer", 2.2, at(2.2))
    assert (lost.event.kind, lost.event.grade, lost.event.place) == ("device.lost", 4, "home")
    assert one.failed("no answer", 9, at(9)) == []
    reading = one.reading(9, at(9))
    assert reading is not None
    assert reading.marks == {"voltage": "stale", "rating": "stale"}
    assert one.status(9).online is False
    (back,) = one.back(at(60))
    assert (back.event.id, back.event.cleared) == (lost.event.id, 60_000)
    assert one.status(60).trouble is None


def test_an_answer_between_failures_starts_the_count_anew() -> None:
    """Only failures in a row make a loss."""
    one = device()
    for now in range(0, 20, 2):
        assert one.failed("crc", now, at(now)) == []
        assert one.failed("crc", now + 0.5, at(now)) == []
        one.take({"voltage": 230.0}, {}, now + 1, at(now))


def test_a_wrong_device_is_an_event_of_its_own() -> None:
    """One event while something else answers, cleared when the right one does."""
    one = device()
    (wrong,) = one.mismatched("answers as something else", at(1))
    assert (wrong.event.kind, wrong.event.grade) == ("device.mismatch", 3)
    assert one.mismatched("answers as something else", at(2)) == []
    assert [record.event.kind for record in one.back(at(3))] == ["device.mismatch"]


def test_bad_values_travel_with_their_mark_and_move_no_event() -> None:
    """A value outside its bounds is sent, marked; what rests on it is not believed."""
    one = device()
    one.take({"cause": 1, "trip_count": 4, "trip_age": 0}, {"cause": "bad"}, 0.0, at(0))
    reading = one.reading(0.0, at(0))
    assert reading is not None
    assert reading.marks == {"cause": "bad"}


def test_values_that_stand_still_are_sent_once_more_with_a_mark_and_hide_no_trip() -> None:
    """The meter has stopped: its last values go as stale, once; the trip that happens then is told all the same."""
    one = device()
    calm: dict[str, Value] = {
        "sequence": 9,
        "measure_age": 100,
        "current": 6.0,
        "voltage": 230.1,
        "cause": 0,
        "trip_count": 3,
    }
    one.back(at(0))
    for second in range(5):
        assert one.take(dict(calm), {}, float(second), at(second)) == []
        one.reading(float(second), at(second))
    one.take(dict(calm), {}, 5.0, at(5))
    frozen = one.reading(5.0, at(5))
    assert frozen is not None
    assert frozen.values == {"current": 6.0, "voltage": 230.1}
    assert frozen.marks == {"current": "stale", "voltage": "stale"}
    (trip,) = one.take(calm | {"cause": 1, "trip_count": 4, "trip_age": 20}, {}, 6.0, at(6))
    assert (trip.event.kind, trip.event.raised) == ("trip.overcurrent", 5980)
    one.reading(6.0, at(6))
    one.take(calm | {"sequence": 10, "cause": 1, "trip_count": 4}, {}, 7.0, at(7))
    live = one.reading(7.0, at(7))
    assert live is not None
    assert (live.values["voltage"], live.marks) == (230.1, {})
