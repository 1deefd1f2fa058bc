"""Readings, events, routes and an outbox on a fake clock, for the tests of the outbox and of delivery."""

from dataclasses import dataclass
from pathlib import Path

from gateway.filters import Filter
from gateway.outbox import Outbox
from gateway.records import Event, Reading
from gateway.tests.fake_clock import FakeClock

# Databases that released code wrote: 25 readings (number 23 unreadable), 3 events, two uplinks with messages.
RELEASED = Path(__file__).parent / "outbox_released"


@dataclass(frozen=True)
class Route:
    """See `gateway.outbox.route.Route`."""

    name: str = "county"
    acks: bool = False
    max_delay: float = 2.0
    filter: Filter | None = None
    whole_blocks: bool = False
    repeats: bool = False


def reading(number: int = 0, **values: float) -> Reading:
    """A reading of one breaker; `number` orders them."""
    found = dict(values) or {"voltage": 230.0 + number}
    return Reading(device="b0101", at=1_795_000_000_000 + number, mono=number, clock="trusted", values=dict(found))


def event(name: str = "e1", cleared: int | None = None, kind: str = "trip.overcurrent") -> Event:
    """An event that raises, or clears when `cleared` is given."""
    return Event(
        id=name, kind=kind, grade=1, device="b0101", place="p", raised=1_795_000_000_000, cleared=cleared, mono=1,
        clock="trusted",
    )  # fmt: skip


def opened(folder: Path, clock: FakeClock, *routes: Route) -> Outbox:
    """An outbox without its committing thread: the test flushes."""
    return Outbox(folder, clock, routes or (Route(),))
