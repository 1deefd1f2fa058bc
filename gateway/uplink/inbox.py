"""What came from the level above and was not consumed yet: kept in the store before the broker gets its PUBACK.

A message that the broker delivers twice waits once. It knows no content.
"""

import hashlib
import threading
from collections.abc import Callable
from typing import Protocol

import msgspec

from gateway.clock import Clock
from gateway.errors import StoreError

MOST = 1000
_PREFIX = "inbox."


class Notes(Protocol):
    """What it asks of the outbox."""

    def notes(self, prefix: str) -> dict[str, bytes]: ...
    def set_note(self, key: str, value: bytes | None) -> None: ...


class Letter(msgspec.Struct, frozen=True):
    """One waiting message: its key here, the uplink it came by, when (Unix milliseconds), and what it says."""

    key: str
    uplink: str
    at: int
    payload: bytes


class _Kept(msgspec.Struct):
    uplink: str
    at: int
    payload: bytes


class Inbox:
    """The waiting messages of all uplinks, oldest first. May be used from any thread."""

    def __init__(self, notes: Notes, clock: Clock) -> None:
        self._notes = notes
        self._clock = clock
        self._lock = threading.Lock()

    def put(self, uplink: str, payload: bytes) -> None:
        """Keep a message; when this returns it is on disk. ValueError when it is full, StoreError from the store."""
        digest = hashlib.sha256(payload).hexdigest()[:32]
        with self._lock:
            waiting = self._notes.notes(_PREFIX)
            if any(key.endswith(digest) for key in waiting):
                return
            if len(waiting) >= MOST:
                raise ValueError(f"{MOST} messages wait in the inbox already")
            number = 1 + max((int(key.removeprefix(_PREFIX).partition(".")[0]) for key in waiting), default=0)
            body = msgspec.msgpack.encode(_Kept(uplink, self._clock.wall_ms(), payload))
            self._notes.set_note(f"{_PREFIX}{number:012d}.{digest}", body)

    def letterbox(self, uplink: str) -> Callable[[str, bytes], None]:
        """`put` for one uplink, as `Uplink.hand` wants it: the rest of the topic says nothing here."""
        return lambda _, payload: self.put(uplink, payload)

    def waiting(self) -> list[Letter]:
        """Every message that waits, oldest first. Raises StoreError."""
        found = []
        for key, body in sorted(self._notes.notes(_PREFIX).items()):
            try:
                kept = msgspec.msgpack.decode(body, type=_Kept)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise StoreError(f"The message {key} in the inbox cannot be read back: {error}.") from error
            found.append(Letter(key, kept.uplink, kept.at, kept.payload))
        return found

    def done(self, letter: Letter) -> None:
        """A message was consumed. Raises StoreError."""
        self._notes.set_note(letter.key, None)
