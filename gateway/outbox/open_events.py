"""The events that have not cleared yet, kept so that a restart neither repeats nor forgets them. SQL on a connection
handed in."""

import logging
import sqlite3
from typing import TypeVar

import msgspec

from gateway.outbox import times
from gateway.prepared import prepared
from gateway.records import Event, OpenEvent

_log = logging.getLogger(__name__)

Kind = TypeVar("Kind", bound=Event)


@prepared
class _Begun(Event, frozen=True, kw_only=True):
    """An open event as it is kept. `boot`: whose monotonic clock its `mono` is of; 0 where a release before kept it."""

    boot: int = 0


def as_it_began(connection: sqlite3.Connection, event: Event, boot: int, zero: int) -> Event:
    """The end of an event, with the true time of its beginning where that was stamped before the time was known.

    `zero`: Unix milliseconds at monotonic 0 of this `boot`, which counts when `event` says that the time is known.
    """
    if event.cleared is None or event.clock == "untrusted":
        return event
    found = connection.execute("SELECT body FROM open_event WHERE id = ?", (event.id,)).fetchone()
    begun = None if found is None else _read_back(found[0], event.id, _Begun)
    if begun is None or begun.clock != "untrusted":
        return event
    named = connection.execute("SELECT name, zero FROM boot WHERE id = ?", (begun.boot,)).fetchone()
    if named is None:
        return event
    known = named[1] or (zero if begun.boot == boot else None)
    return msgspec.structs.replace(event, raised=times.corrected_event(connection, named[0], begun, known).raised)


def keep_or_forget(connection: sqlite3.Connection, event: Event, key: str, boot: int) -> None:
    """An event is committed: it is open from now on, or no more."""
    if event.cleared is None:
        body = msgspec.json.encode(_Begun(**msgspec.structs.asdict(event), boot=boot))
        connection.execute("INSERT OR REPLACE INTO open_event VALUES (?, ?, ?)", (event.id, key, body))
    else:
        connection.execute("DELETE FROM open_event WHERE id = ?", (event.id,))


def listed(connection: sqlite3.Connection) -> list[OpenEvent]:
    """The committed events that have not cleared; one that damage has made unreadable is passed over, and logged."""
    found = []
    for key, body in connection.execute("SELECT key, body FROM open_event ORDER BY id"):
        event = _read_back(body, key, Event)
        if event is not None:
            found.append(OpenEvent(event=event, key=key))
    return found


def _read_back(body: bytes, key: str, kind: type[Kind]) -> Kind | None:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, TypeError) as error:
        _log.error("an open event (%s) cannot be read back: it is raised anew if it still holds: %s", key, error)
        return None
