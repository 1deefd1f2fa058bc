"""The desk of commands: a bounded queue, the thread that hands one after the other to the clerk, the door on site.

It outlives every command: a store that refuses, or a fault of the program, costs the one that met it.
"""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from gateway.clock import Clock
from gateway.commands.book import Book
from gateway.commands.clerk import Clerk, Job, Limits, Publish, facts
from gateway.errors import GewuError, StoreError

_log = logging.getLogger(__name__)
_MOST_QUEUED = 100
_IDLE_S = 0.5
_LOOK_BACK_EVERY_S = 2.0
_FORGET_EVERY_S = 3600.0


class Desk:
    """What the agent starts, feeds and stops."""

    name = "commands"

    def __init__(self, clerk: Clerk, limits: Limits, book: Book, clock: Clock) -> None:
        self._clerk = clerk
        self._limits = limits
        self._book = book
        self._clock = clock
        self._jobs: queue.Queue[Job | Callable[[], None]] = queue.Queue(_MOST_QUEUED)
        self._look_back_at = self._forget_at = clock.monotonic()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="commands", daemon=True)

    @property
    def counts(self) -> dict[str, int]:
        """Commands by result since the start; `strangers` are what nobody known signed."""
        return self._clerk.counts

    # --- from other threads ---------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def alive(self) -> bool:
        return self._thread.is_alive()

    def request_stop(self) -> None:
        """Ask the thread to end after the command that is under way."""
        self._stopping = True

    def join(self, timeout: float | None = None) -> None:
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def hear(self, name: str, payload: bytes, publish: Publish) -> None:
        """Take what came on `commands/{name}`; ValueError when too many wait already."""
        try:
            self._jobs.put_nowait(Job(name, payload, publish))
        except queue.Full:
            raise ValueError(f"{_MOST_QUEUED} commands wait already") from None

    def state(self) -> dict[str, Any]:
        """Plain JSON values for `gewu commands show`. Raises StoreError."""
        waiting = [one.command for one in list(self._clerk.waiting.values())]
        return {
            "armed": self._book.armed(),
            "allow_close": self._limits.allow_close,
            "counts": dict(self.counts),
            "waiting": [facts(one) | {"expires_at": one.envelope.expires_at} for one in waiting],
        }

    def arm(self, on: bool, by: str) -> None:
        """Somebody on site arms or disarms the gateway. Raises StoreError."""
        self._book.audit(self._clock.wall_ms(), "armed" if on else "disarmed", by=by)  # first: nothing unaudited
        self._book.arm(on)

    def confirm(self, id: str, by: str) -> None:
        """Somebody on site confirms a close that waits. Raises GewuError when none of that id does."""
        if id.lower() not in self._clerk.waiting:
            raise GewuError(f"No command {id} waits for a confirmation: see `gewu commands show`.")
        try:
            self._jobs.put_nowait(lambda: self._clerk.confirmed(id.lower(), by))
        except queue.Full:
            raise GewuError("Too many commands wait already; try again in a moment.") from None

    # --- the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            self.step(_IDLE_S)

    def step(self, wait: float = 0.0) -> None:
        """Take the next job, waiting at most `wait` seconds for one, and do what is due."""
        try:
            job = self._jobs.get(timeout=wait) if wait else self._jobs.get_nowait()
        except queue.Empty:
            job = None
        try:
            if isinstance(job, Job):
                self._clerk.take(job)
            elif job is not None:
                job()
            self._due()
        except StoreError as error:
            _log.error("a command cannot be kept, so it is not carried out: %s", error)
        except Exception:
            # One command that trips over a fault of the program must not be the last.
            _log.exception("a command failed on a fault of the program")

    def _due(self) -> None:
        now = self._clock.monotonic()
        self._clerk.due()
        if now >= self._look_back_at:
            self._look_back_at = now + _LOOK_BACK_EVERY_S
            self._clerk.look_back()
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY_S
            self._book.forget(self._clock.wall_ms())
