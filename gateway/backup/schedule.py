"""Backups by themselves: every so often, the last few kept, a failed one tried again. A thread of its own.

What was made is remembered in the data folder, so that a restart neither forgets nor repeats one. It makes
nothing itself: making is handed in.
"""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from gateway.backup.making import Made
from gateway.backup.places import Place
from gateway.clock import Clock
from gateway.errors import GewuError
from gateway.prepared import prepared
from gateway.records import rfc3339
from gateway.wholefile import write_whole

_log = logging.getLogger(__name__)
MEMORY = "backups.json"
_FIRST_S = 60.0  # a gateway that has just started has better things to do
_RETRY_S = 900.0


class Wanted(Protocol):
    """The keys of `[backup]` that count here."""

    @property
    def every(self) -> float:
        """Seconds from one backup to the next."""
        ...

    @property
    def keep(self) -> int:
        """How many stay at the place."""
        ...

    @property
    def to(self) -> str: ...


@prepared
class _Memory(msgspec.Struct):
    """The names kept at each place, oldest first, and when the last was made (Unix ms)."""

    kept: dict[str, list[str]] = {}
    last: int | None = None


class Schedule:
    """Calls `make` when a backup is due, from `start` until `request_stop`; `place` forgets the old ones."""

    name = "backup"

    def __init__(self, wanted: Wanted, data_dir: Path, place: Place, make: Callable[[], Made], clock: Clock) -> None:
        self._wanted = wanted
        self._file = data_dir / MEMORY
        self._place = place
        self._make = make
        self._clock = clock
        self._memory = _remembered(self._file)
        self._trouble: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="backup", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def request_stop(self) -> None:
        """A backup under way is not waited for: what is half made is no backup."""
        self._stop.set()

    def status(self) -> dict[str, Any]:
        """Plain JSON values: `to`, `last` (T or null), `trouble` (a sentence or null)."""
        last = self._memory.last
        return {"to": self._wanted.to, "last": None if last is None else rfc3339(last), "trouble": self._trouble}

    def _run(self) -> None:
        wait = self._until_due()
        while not self._clock.wait(self._stop, wait):
            wait = self._wanted.every if self.once() else min(_RETRY_S, self._wanted.every)

    def _until_due(self) -> float:
        """Seconds until the first one. A clock that was set back makes it due, not far."""
        if self._memory.last is None:
            return _FIRST_S
        since = (self._clock.wall_ms() - self._memory.last) / 1000
        return max(_FIRST_S, self._wanted.every - since) if since >= 0 else _FIRST_S

    def once(self) -> bool:
        """Make one now and forget those beyond `keep`; whether a backup was made. Raises nothing."""
        try:
            made = self._make()
            self._memory.last = made.at
            kept = self._memory.kept.setdefault(self._wanted.to, [])
            kept.append(made.name)
            self._remember()
        except (GewuError, OSError) as error:
            self._complain(str(error))
            return False
        self._trouble = None
        _log.info("a backup of %d bytes is at %s", made.bytes, made.file)
        self._forget(kept)
        return True

    def _forget(self, kept: list[str]) -> None:
        try:
            while len(kept) > self._wanted.keep:
                self._place.forget(kept[0])
                del kept[0]
                self._remember()
        except GewuError as error:
            self._complain(str(error))

    def _remember(self) -> None:
        try:
            write_whole(self._file, msgspec.json.encode(self._memory))
        except OSError as error:
            raise GewuError(f"{self._file} cannot be written ({error.strerror}): free some space.") from error

    def _complain(self, sentence: str) -> None:
        if sentence != self._trouble:
            _log.error("backup: %s", sentence)
        self._trouble = sentence


def _remembered(file: Path) -> _Memory:
    """What was made before; nothing when that cannot be read, which costs an early backup and no more."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Memory)
    except FileNotFoundError:
        return _Memory()
    except (OSError, msgspec.MsgspecError) as error:
        _log.warning("%s cannot be read (%s): the next backup is made soon", file, error)
        return _Memory()
