"""One sink's work, step by step: from the outbox to the place, and the mark that it is there.

The outbox is the only queue: a batch is taken, written, marked. What fails is tried again with back-off, for as long
as it takes; what the place refuses is tried alone, a few times, and then set aside, counted and announced. It owns no
thread.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.clock import Clock
from gateway.errors import StoreError, TryAgain
from gateway.records import Gap, Message, Value
from gateway.sinks.status import SinkStatus
from gateway.sinks.target import NotNow, Target, Unwanted
from gateway.uplink.backoff import Backoff
from gateway.uplink.bulletin import Bulletin, Events

_log = logging.getLogger(__name__)

BATCH = 16  # messages of one write
_STORE_PAUSE_S = 1.0
_LONGEST_WAIT_S = 30.0
_REPEAT_LOG_S = 300.0
# The event that a message was set aside goes to this sink too: one an hour can start no avalanche.
TELL_EVERY_S = 3600.0


class Store(Events, Protocol):
    """What is asked of the outbox; see there for what each promises."""

    def listen(self, wake: Callable[[], None]) -> None: ...
    def next_messages(self, uplink: str, room: int, bulk: int) -> list[Message]: ...
    def due_in(self, uplink: str) -> float | None: ...
    def undelivered(self, uplink: str) -> list[int]: ...
    def message(self, uplink: str, seq: int) -> Message | None: ...
    def mark_delivered(self, uplink: str, seqs: Sequence[int]) -> None: ...
    def set_aside(self, uplink: str, seq: int, reason: str) -> None: ...


class SinkDelivery:
    """The state of one sink. `step` does one batch; only writing may wait."""

    def __init__(
        self, name: str, kind: str, target: Target, store: Store, clock: Clock, chance: Callable[[], float], tries: int
    ) -> None:
        self._name = name
        self._kind = kind
        self._target = target
        self._store = store
        self._clock = clock
        self._tries = tries
        self._backoff = Backoff(chance)
        self._bulletin = Bulletin(name, store, clock)
        self._before: deque[int] | None = None
        self._batch: list[Message] = []
        self._most = BATCH
        self._failures = 0
        self._retry_at = 0.0
        self._trouble: str | None = None
        self._logged: tuple[str, float] = ("", 0.0)
        self._told_at = -TELL_EVERY_S
        self._written = self._retries = self._set_aside = self._refused = 0

    def step(self) -> float:
        """Do what can be done now; returns the seconds after which to call again, if nothing wakes it before."""
        now = self._clock.monotonic()
        if now < self._retry_at:
            return self._retry_at - now
        try:
            batch = self._next()
            if not batch:
                due = self._store.due_in(self._name)
                return _LONGEST_WAIT_S if due is None else min(due, _LONGEST_WAIT_S)
            self._write(batch)
        except StoreError as error:
            self._complain(str(error))
            return _STORE_PAUSE_S
        return max(0.0, self._retry_at - self._clock.monotonic())

    def idle(self) -> bool:
        """Nothing is about to be written: a good moment to stop."""
        return not self._batch and not self._before and self._store.due_in(self._name) is None

    def close(self) -> None:
        self._target.close()

    def status(self) -> SinkStatus:
        return SinkStatus(
            name=self._name,
            type=self._kind,
            trouble=self._trouble,
            waiting=len(self._store.undelivered(self._name)),
            written=self._written,
            retries=self._retries,
            set_aside=self._set_aside,
            refused=self._refused,
        )

    # --- inside ---------------------------------------------------------------------------------------

    def _next(self) -> list[Message]:
        """The batch that was not taken yet, else what a run before left unmarked, else what is new."""
        if self._before is None:
            self._before = deque(self._store.undelivered(self._name))
        while self._before and len(self._batch) < BATCH:
            message = self._store.message(self._name, self._before[0])
            self._before.popleft()
            self._batch += [] if message is None else [message]
        if not self._batch:
            self._batch = self._store.next_messages(self._name, BATCH, BATCH)
        return self._batch[: self._most]

    def _write(self, batch: list[Message]) -> None:
        try:
            self._target.write(batch)
        except Unwanted as error:
            self._unwanted(batch, str(error))
        except TryAgain as error:
            self._again(str(error), error.after if isinstance(error, NotNow) else 0.0)
        else:
            self._store.mark_delivered(self._name, [message.seq for message in batch])
            self._written += len(batch)
            self._done(batch)

    def _done(self, batch: list[Message]) -> None:
        del self._batch[: len(batch)]
        self._failures = 0
        if not self._batch:
            self._most = BATCH
        self._trouble = None
        self._backoff.succeeded()

    def _again(self, why: str, after: float) -> None:
        now = self._clock.monotonic()
        self._retries += 1
        self._trouble = why
        self._complain(why)
        self._retry_at = now + max(after, self._backoff.failed(now))

    def _unwanted(self, batch: list[Message], why: str) -> None:
        """Find the one that is not wanted by offering them alone; it goes after its last try."""
        if len(batch) > 1:
            self._most = 1
            return
        self._failures += 1
        if self._failures < self._tries:
            self._again(why, 0.0)
            return
        (message,) = batch
        if isinstance(message.records[0], Gap):
            # A gap about the refusal of a gap would be refused too, and so on for ever.
            self._store.mark_delivered(self._name, [message.seq])
            self._refused += 1
        else:
            self._store.set_aside(self._name, message.seq, why)
            self._set_aside += 1
        self._done(batch)
        self._complain(f"{why} Message {message.seq} is set aside after {self._tries} tries.")
        self._tell(message.seq, why)

    def _tell(self, seq: int, why: str) -> None:
        now = self._clock.monotonic()
        if now - self._told_at >= TELL_EVERY_S:
            self._told_at = now
            values: dict[str, Value] = {"reason": "message set aside", "message": seq, "why": why}
            self._bulletin.tell(f"message {seq}", "gateway.sink", 3, values)

    def _complain(self, sentence: str) -> None:
        """Log a sentence once, and again only after a while."""
        said, when = self._logged
        now = self._clock.monotonic()
        if sentence != said or now - when >= _REPEAT_LOG_S:
            self._logged = (sentence, now)
            _log.warning("%s", sentence)
