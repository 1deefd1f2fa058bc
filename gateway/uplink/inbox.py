"""What came from the level above and was not consumed yet: kept in the store before the broker gets its PUBACK.

A message that the broker delivers twice waits once. What nobody consumes is bounded by number and bytes, and goes
after a month. It knows no content.
"""

import hashlib
import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from gateway.clock import Clock
from gateway.prepared import prepared
from gateway.records import rfc3339

_log = logging.getLogger(__name__)

MOST = 1000
MOST_BYTES = 16 * 2**20
KEEP_MS = 30 * 24 * 3600 * 1000
"""What waited for so long is forgotten: whoever sent it has given up, or never had a reader."""
PREFIX = "inbox."


class Notes(Protocol):
    """What it asks of the outbox."""

    def note(self, key: str) -> bytes | None: ...
    def notes(self, prefix: str) -> dict[str, bytes]: ...
    def set_note(self, key: str, value: bytes | None) -> None: ...


class Letter(msgspec.Struct, frozen=True):
    """One waiting message: its key here, the uplink it came by, when (Unix milliseconds), and what it says."""

    key: str
    uplink: str
    at: int
    payload: bytes


@prepared
class _Kept(msgspec.Struct):
    uplink: str
    at: int
    payload: bytes
    dated: bool = True


class _Held(msgspec.Struct):
    """A kept message without its content: bytes, Unix milliseconds, whether that time may be believed."""

    size: int
    at: int
    dated: bool


class Inbox:
    """The waiting messages of all uplinks, oldest first. May be used from any thread."""

    def __init__(self, notes: Notes, clock: Clock) -> None:
        self._notes = notes
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[str, _Held] | None = None  # by key, in their order; None until the store was looked through
        self.expired = 0

    def put(self, uplink: str, payload: bytes) -> None:
        """Keep a message; when this returns it is on disk. ValueError when it is full, StoreError from the store."""
        digest = hashlib.sha256(payload).hexdigest()[:32]
        with self._lock:
            held = self._expire()
            if any(key.endswith(digest) for key in held):
                return
            if len(held) >= MOST:
                raise ValueError(f"{MOST} messages wait in the inbox already")
            if sum(one.size for one in held.values()) + len(payload) > MOST_BYTES:
                raise ValueError(f"{MOST_BYTES} bytes wait in the inbox already")
            number = 1 + (_number(next(reversed(held))) if held else 0)
            now, dated = self._clock.wall_ms(), self._clock.state() == "trusted"
            key = f"{PREFIX}{number:012d}.{digest}"
            self._notes.set_note(key, msgspec.msgpack.encode(_Kept(uplink, now, payload, dated)))
            held[key] = _Held(len(payload), now, dated)

    def letterbox(self, uplink: str) -> Callable[[str, bytes], None]:
        """`put` for one uplink, as `Uplink.hand` wants it: the rest of the topic says nothing here."""
        return lambda _, payload: self.put(uplink, payload)

    def waiting(self) -> list[Letter]:
        """Every message that waits, oldest first. Raises StoreError."""
        with self._lock:
            keys = list(self._expire())
        found = [(key, _read(key, self._notes.note(key) or b"")) for key in keys]
        return [Letter(key, kept.uplink, kept.at, kept.payload) for key, kept in found if kept is not None]

    def done(self, letter: Letter) -> None:
        """A message was consumed. Raises StoreError."""
        with self._lock:
            self._notes.set_note(letter.key, None)
            if self._held is not None:
                self._held.pop(letter.key, None)

    def status(self) -> dict[str, Any]:
        """How many wait, their bytes, since when (RFC 3339), and how many went for their age. Raises StoreError."""
        with self._lock:
            held = list(self._expire().values())
        oldest = rfc3339(held[0].at) if held else None
        return {"waiting": len(held), "bytes": sum(one.size for one in held), "oldest": oldest, "expired": self.expired}

    # --- inside, with the lock held ---------------------------------------------------------------------

    def _expire(self) -> dict[str, _Held]:
        """What waits, without what has waited too long by a clock that is known. Raises StoreError."""
        held = self._look_through() if self._held is None else self._held
        if self._clock.state() != "trusted":  # nothing goes by a time that was only heard of
            return held
        now = self._clock.wall_ms()
        for one in held.values():
            if not one.dated:  # it came before the time was known: it counts from now, until the next restart
                one.at, one.dated = now, True
        for key in [key for key, one in held.items() if now - one.at > KEEP_MS]:
            self._notes.set_note(key, None)
            del held[key]
            self.expired += 1
            _log.warning("a message from above waited for a month and is forgotten: %s", key)
        return held

    def _look_through(self) -> dict[str, _Held]:
        held: dict[str, _Held] = {}
        for key, body in sorted(self._notes.notes(PREFIX).items()):
            kept = _read(key, body)
            if kept is None:
                self._notes.set_note(key, None)
            else:
                held[key] = _Held(len(kept.payload), kept.at, kept.dated)
        self._held = held
        return held


def _number(key: str) -> int:
    return int(key.removeprefix(PREFIX).partition(".")[0])


def _read(key: str, body: bytes) -> _Kept | None:
    """The message under `key`; None when damage has spoiled it, which nobody will ever read."""
    try:
        return msgspec.msgpack.decode(body, type=_Kept)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        _log.error("a message from above cannot be read back and is forgotten: %s: %s", key, error)
        return None
