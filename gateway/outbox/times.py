"""Records of a boot that began without the time: their times corrected once it is known. SQL on a connection handed in.

A boot's monotonic clock orders its records whatever the wall clock showed. What the wall clock was ahead of it is noted
for each stretch in which that stood still; once the true difference is known (`boot.zero`: Unix milliseconds at
monotonic 0), records composed from then on carry true times, and those composed before are corrected by a message.
"""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from gateway.columns import Packed, Unpacked
from gateway.outbox import facts
from gateway.outbox.composing import Content
from gateway.prepared import prepared
from gateway.records import Correction, Event, Note, Reading

_UNKNOWN = 0  # in `boot.zero`: this boot has records without a true time
_LATEST = "clock.latest"  # the note with the last time that the machine's own clock was trusted
_STEP_MS = 250  # less is the clocks' own wander, and the moment between reading the one and the other


@prepared
class Stretch(NamedTuple):
    """From `mono` on (milliseconds) the wall clock was ahead of the monotonic one by `ahead`, wrongly."""

    ahead: int
    mono: int


class Times:
    """What this boot's records without a true time were stamped with."""

    def __init__(self) -> None:
        self._stretches: list[Stretch] = []
        self._new = False
        self._known = False  # the true time of this boot, at some moment before
        self.pending = False  # such records are there, and their true times are not known yet

    def load(self, connection: sqlite3.Connection, boot: int, name: str) -> None:
        """What an earlier process of this boot noted."""
        (zero,) = connection.execute("SELECT zero FROM boot WHERE id = ?", (boot,)).fetchone()
        if not self._new:
            self._stretches = _stretches(connection, name)
        self._known = zero not in (None, _UNKNOWN)
        self.pending = zero == _UNKNOWN or (self._new and not self._known)

    def saw(self, record: Reading | Event, ahead: int) -> None:
        """A record is accepted; the wall clock was `ahead` of the monotonic one (milliseconds) when it was made.

        An event's own times do not say it: a trip is told by its age, minutes after it happened.
        """
        if record.clock != "untrusted":
            return
        if not self._stretches or abs(ahead - self._stretches[-1].ahead) > _STEP_MS:
            self._stretches.append(Stretch(ahead, record.mono))
            self._new = True
            self.pending = not self._known  # else that still tells the true times of these

    def write(self, connection: sqlite3.Connection, boot: int, name: str) -> None:
        """Note what is new, in the transaction of the records; `written` follows its commit."""
        if self._new:
            facts.set_note(connection, _key(name), msgspec.json.encode(self._stretches))
            connection.execute("UPDATE boot SET zero = ? WHERE id = ? AND zero IS NULL", (_UNKNOWN, boot))

    def written(self) -> None:
        """The transaction of `write` is committed."""
        self._new = False

    def resolve(self, connection: sqlite3.Connection, boot: int, zero: int, mono: int, uplinks: Sequence[int]) -> None:
        """The true time is known: tell every uplink about the stretches up to now (`mono`)."""
        connection.execute("UPDATE boot SET zero = ? WHERE id = ?", (zero, boot))
        ends = [stretch.mono for stretch in self._stretches[1:]] + [mono]
        connection.executemany(
            'INSERT INTO correction (uplink, boot, "offset", start, "end") VALUES (?, ?, ?, ?, ?)',
            [
                (uplink, boot, zero - stretch.ahead, stretch.ahead + stretch.mono - _STEP_MS, stretch.ahead + end)
                for uplink in uplinks
                for stretch, end in zip(self._stretches, ends, strict=True)
            ],
        )

    def resolved(self) -> None:
        """The transaction of `resolve` is committed."""
        self.pending, self._known = False, True


def _key(boot: str) -> str:
    return f"clock/{boot}"


def _stretches(connection: sqlite3.Connection, boot: str) -> list[Stretch]:
    noted = facts.note(connection, _key(boot))
    return [] if noted is None else msgspec.json.decode(noted, type=list[Stretch])


def zero_of(connection: sqlite3.Connection, boot: str) -> int | None:
    """Unix milliseconds at the boot's monotonic 0, once its records without a true time can be corrected."""
    found = connection.execute("SELECT zero FROM boot WHERE name = ?", (boot,)).fetchone()
    return None if found is None or found[0] == _UNKNOWN else found[0]


def corrected(content: Content, zero: int | None) -> Content:
    """The content with true times, where they were not."""
    if zero is None or isinstance(content.records, Packed) or _is_trusted(content.records):
        return content
    return content._replace(
        records=tuple(
            msgspec.structs.replace(r, at=zero + r.mono, clock="corrected") if r.clock == "untrusted" else r
            for r in content.records
        )
    )


def _is_trusted(readings: Sequence[Reading]) -> bool:
    if isinstance(readings, Unpacked):
        return readings.trusted
    return all(reading.clock != "untrusted" for reading in readings)


def corrected_event(connection: sqlite3.Connection, boot: str, event: Event, zero: int | None) -> Event:
    """The event with true times, where they were not."""
    if zero is None or event.clock != "untrusted":
        return event
    before = [stretch for stretch in _stretches(connection, boot) if stretch.mono <= event.mono]
    if not before:
        return event
    late = zero - before[-1].ahead
    cleared = None if event.cleared is None else event.cleared + late
    return msgspec.structs.replace(event, raised=event.raised + late, cleared=cleared, clock="corrected")


def latest_note(wall: int) -> Note:
    """Notes that it is `wall` (Unix milliseconds) for sure."""
    return Note(key=_LATEST, text=str(wall))


def latest_known(connection: sqlite3.Connection) -> int:
    """Unix milliseconds that are over for sure: as noted, or of the newest records of boots whose clock was right."""
    noted = facts.note(connection, _LATEST)
    (known,) = connection.execute(
        'SELECT max((SELECT coalesce(max("end"), 0) FROM block JOIN boot ON boot.id = boot WHERE zero IS NULL),'
        " (SELECT coalesce(max(at), 0) FROM record JOIN boot ON boot.id = boot WHERE zero IS NULL))"
    ).fetchone()
    return max(int(known), 0 if noted is None or not noted.isdigit() else int(noted))


def listed(connection: sqlite3.Connection, uplink: int, first: int, limit: int) -> list[tuple[int, Correction]]:
    """Up to `limit` corrections with their ids, from id `first` on, for `uplink`."""
    found = connection.execute(
        'SELECT correction.id, name, "offset", start, "end" FROM correction JOIN boot ON boot.id = correction.boot'
        " WHERE uplink = ? AND correction.id >= ? ORDER BY correction.id LIMIT ?",
        (uplink, first, limit),
    )
    return [(row[0], Correction(boot=row[1], offset_ms=row[2], start=row[3], end=row[4])) for row in found]


def forget(connection: sqlite3.Connection, uplink: int, below: int) -> None:
    """Forget the corrections that `uplink` is done with."""
    connection.execute("DELETE FROM correction WHERE uplink = ? AND id < ?", (uplink, below))
