"""An event that begins or ends now, for every part of the gateway that raises its own: pure but for the clock.

The record that clears an event is stamped with its own moment, not with that of its beginning: until the time is known,
`mono` and `clock` tell the outbox what its stamps were worth.
"""

import uuid
from collections.abc import Callable

import msgspec

from gateway.clock import Clock
from gateway.records import Event, Value


def new_id() -> str:
    """A UUID."""
    return str(uuid.uuid4())


def begun(
    clock: Clock,
    kind: str,
    grade: int,
    values: dict[str, Value],
    device: str | None = None,
    place: str = "",
    name: Callable[[], str] = new_id,
) -> Event:
    """An event that begins now; `name` gives its id."""
    return Event(
        id=name(),
        kind=kind,
        grade=grade,
        device=device,
        place=place,
        raised=clock.wall_ms(),
        cleared=None,
        mono=clock.mono_ms(),
        clock=clock.state(),
        values=values,
    )


def ended(event: Event, clock: Clock) -> Event:
    """The record that clears `event` now, or when it began where the wall clock stands before that."""
    now = max(clock.wall_ms(), event.raised)
    return msgspec.structs.replace(event, cleared=now, mono=clock.mono_ms(), clock=clock.state())
