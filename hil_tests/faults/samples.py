"""Records and routes for the fault tests: every kind of value, each record telling its number."""

from dataclasses import dataclass

from gateway.filters import Filter
from gateway.records import Event, Mark, Reading, Value

BEGAN_MS = 1_795_000_000_000


@dataclass(frozen=True)
class Route:
    """See `gateway.outbox.route.Route`."""

    name: str = "county"
    acks: bool = False
    max_delay: float = 2.0
    filter: Filter | None = None
    whole_blocks: bool = False
    repeats: bool = False


def reading(number: int, device: str = "b0101") -> Reading:
    """A reading whose `number` can be found again; marks and every type of value with it."""
    values: dict[str, Value] = {
        "number": number,
        "voltage": 230.0 + number % 7 / 10,
        "closed": number % 2 == 0,
        "state": f"on {number}",
    }
    marks: dict[str, Mark] = {"temperature": "stale"} if number % 5 == 0 else {}
    return Reading(
        device=device,
        at=BEGAN_MS + number,
        mono=number,
        clock="trusted",
        values=values,
        marks=marks,
    )


def event(name: str, cleared: int | None = None) -> Event:
    """An event that raises, or clears when `cleared` is given."""
    return Event(
        id=name,
        kind="trip.overcurrent",
        grade=1,
        device="b0101",
        place="p",
        raised=BEGAN_MS,
        cleared=cleared,
        mono=1,
        clock="trusted",
    )
