"""What an uplink's filter lets through."""

import msgspec
import pytest

from gateway.filters import Filter, within
from gateway.records import Event, Reading

_READING = Reading(
    device="b0101", at=1, mono=1, clock="trusted", values={"voltage": 230.0, "current": 6.0}, marks={"current": "stale"}
)


def _event(grade: int = 2, device: str | None = "b0101", place: str = "street/grid/unit") -> Event:
    return Event(
        id="e", kind="trip.residual", grade=grade, device=device, place=place, raised=1, cleared=None, mono=1,
        clock="trusted",
    )  # fmt: skip


def test_an_empty_filter_passes_everything() -> None:
    """No key, no restriction, and the reading is the very same."""
    assert Filter().reading(_READING) is _READING
    assert Filter().event(_event())


def test_readings_are_narrowed_to_the_names() -> None:
    """Values and marks of other names are left out; a reading with nothing left does not pass."""
    narrowed = Filter(names=("voltage",)).reading(_READING)
    assert narrowed is not None
    assert (narrowed.values, narrowed.marks) == ({"voltage": 230.0}, {})
    assert Filter(names=("power",)).reading(_READING) is None


@pytest.mark.parametrize(
    ("chosen", "event", "reading"),
    [
        (Filter(kinds=("events",)), True, False),
        (Filter(kinds=("readings",)), False, True),
        (Filter(devices=("b0102",)), False, False),
        (Filter(devices=("b0101",)), True, True),
        (Filter(grades=(1,)), False, True),
        (Filter(grades=(1, 2)), True, True),
        (Filter(places=("street/grid",)), True, True),
        (Filter(places=("street/gri",)), False, True),
    ],
)
def test_each_key(chosen: Filter, event: bool, reading: bool) -> None:
    """Streams, devices, grades and whole levels of a place."""
    assert chosen.event(_event()) == event
    assert (chosen.reading(_READING) is not None) == reading


def test_the_gateway_s_own_events_pass_devices_and_places() -> None:
    """An event of no device and no place concerns everybody, by its grade."""
    chosen = Filter(devices=("b0102",), places=("street",), grades=(2,))
    assert chosen.event(_event(device=None, place=""))
    assert not chosen.event(_event(device=None, place="", grade=3))


def test_places_are_whole_levels() -> None:
    """A head with or without its last slash; never half a name."""
    assert within("a/b", "a/b")
    assert within("a/b/c", "a/b/")
    assert not within("a/bc", "a/b")


def test_a_filter_outlives_the_process() -> None:
    """It is stored as JSON beside the messages that it made."""
    chosen = Filter(devices=("b1",), kinds=("events",), grades=(1,), places=("a",), names=("n",))
    assert msgspec.json.decode(msgspec.json.encode(chosen), type=Filter) == chosen
