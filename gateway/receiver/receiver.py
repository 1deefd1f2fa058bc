"""The reference receiver: takes messages in, keeps them, acknowledges, asks for what is missing, reports.

It imports nothing of a gateway but the message format. It acknowledges only what is safe on disk; while the store
is away it holds one batch, confirms nothing, and so lets the broker keep the rest.
"""

import logging
import queue
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from gateway.errors import TryAgain
from gateway.receiver.files import replace
from gateway.receiver.keep import Batch, Keep
from gateway.receiver.ledger import Ledger
from gateway.receiver.subscriber import Delivery
from gateway.receiver.taken import Status, Taken, take
from gateway.uplink import native

_log = logging.getLogger(__name__)
_BATCH = 500
_ACK_EVERY_S = 0.25
_REPORT_EVERY_S = 1.0
_HOLE_PATIENCE_S = 3.0
_ASK_AGAIN_S = (5.0, 60.0)
_MOST_ASKED = 1000
_STORE_PAUSE_S = 2.0


class Line(Protocol):
    """What the receiver asks of its connection; see `Subscriber`."""

    arrived: queue.SimpleQueue[Delivery]
    connections: int

    def confirm(self, delivery: Delivery) -> None: ...
    def publish(self, topic: str, payload: bytes) -> bool: ...


class _Hole(msgspec.Struct):
    """The first message that an epoch waits for: since when, and when to ask again (monotonic seconds)."""

    first: int
    ask_at: float
    pause: float


class Receiver:
    """`keep` None: count only, and acknowledge nothing, for nothing is kept. `file` gets the report as well.

    `wall` is the time that acknowledgements bring to gateways without one, Unix ms; None while it is not known here.
    """

    def __init__(
        self,
        line: Line,
        keep: Keep | None,
        monotonic: Callable[[], float] = time.monotonic,
        file: Path | None = None,
        wall: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._line = line
        self._keep = keep
        self._monotonic = monotonic
        self._file = file
        self._wall = wall
        self.ledger = keep.load() if keep else Ledger()
        self._state: dict[str, str] = keep.states() if keep else {}
        self._pending: list[Delivery] = []
        self._retry_at = 0.0
        self._said = ""
        self._owed: set[tuple[str, str]] = set()
        self._holes: dict[tuple[str, str], _Hole] = {}
        self._ack_at = self._report_at = 0.0
        self._connections = 0

    def step(self, wait: float = 0.1) -> None:
        """Take in what has come, waiting at most `wait` seconds for it, then do what is due. Raises StoreError."""
        if not self._pending:
            self._pending = self._batch(wait)
        elif self._monotonic() < self._retry_at:
            time.sleep(wait)
            return
        try:
            self._take_in(self._pending)
        except TryAgain as error:
            self._retry_at = self._monotonic() + _STORE_PAUSE_S
            if str(error) != self._said:
                _log.error("%s Nothing is acknowledged until then.", error)
            self._said = str(error)
            return
        self._said = ""
        for delivery in self._pending:
            self._line.confirm(delivery)
        self._pending = []
        self._due()

    def _due(self) -> None:
        now = self._monotonic()
        if self._line.connections != self._connections:
            # After a connection every gateway hears where we stand: it may wait for just that.
            self._connections = self._line.connections
            self._owed |= {(gateway, next(reversed(epochs))) for gateway, epochs in self.ledger.gateways.items()}
        if now >= self._ack_at:
            self._ack_at = now + _ACK_EVERY_S
            self._acknowledge()
            self._ask_for_holes(now)
        if now >= self._report_at and (self._keep or self._file):
            self._report_at = now + _REPORT_EVERY_S
            report = self.report()
            if self._keep:
                self._keep.report(report)
            if self._file:
                replace(self._file, report)

    def finish(self) -> dict[str, Any]:
        """Take in the rest of what has come, acknowledge, and return the final report. Raises StoreError."""
        self._ack_at = self._report_at = self._retry_at = 0.0
        self.step(0.0)
        return self.report()

    def report(self) -> dict[str, Any]:
        """`Ledger.report`, with the last known status of each gateway."""
        document = self.ledger.report()
        for name, found in document["gateways"].items():
            found["state"] = self._state.get(name)
        return document

    def _batch(self, wait: float) -> list[Delivery]:
        batch: list[Delivery] = []
        try:
            batch.append(self._line.arrived.get(timeout=wait) if wait > 0 else self._line.arrived.get_nowait())
            while len(batch) < _BATCH:
                batch.append(self._line.arrived.get_nowait())
        except queue.Empty:
            pass  # that is all there is
        return batch

    def _take_in(self, deliveries: list[Delivery]) -> None:
        """Keep a batch, and only then count it. Raises TryAgain with nothing changed, StoreError."""
        got = time.time_ns() // 1_000_000
        taken: list[Taken] = []
        statuses: list[Status] = []
        damaged: list[tuple[str, str]] = []
        for delivery in deliveries:
            try:
                found = take(delivery.topic, delivery.payload, got)
            except ValueError as error:
                damaged.append((delivery.topic, str(error)))
                continue
            if isinstance(found, Taken):
                taken.append(found)
            elif found is not None:
                statuses.append(found)
        if self._keep and deliveries:
            refused = self._keep.keep(self._sorted(taken, statuses))
            damaged += [(f"gewu/{one.taken.gateway}/{one.taken.kind}", one.why) for one in refused]
            lost = {id(one.taken) for one in refused}
            taken = [one for one in taken if id(one) not in lost]
        self._count(taken, statuses, damaged)

    def _sorted(self, taken: list[Taken], statuses: list[Status]) -> Batch:
        fresh: list[Taken] = []
        again: list[Taken] = []
        here: set[tuple[str, str, int]] = set()
        for one in taken:
            key = (one.gateway, one.message.epoch, one.message.seq)
            known = key in here or self.ledger.epoch(one.gateway, one.message.epoch).has(one.message.seq)
            here.add(key)
            (again if known else fresh).append(one)
        return Batch(fresh, again, statuses)

    def _count(self, taken: list[Taken], statuses: list[Status], damaged: list[tuple[str, str]]) -> None:
        for one in taken:
            self.ledger.accept(one.gateway, one.message, one.start, one.end)
            self._owed.add((one.gateway, one.message.epoch))
        for status in statuses:
            self._state[status.gateway] = str(status.content["state"])
        for topic, why in damaged:
            self.ledger.reject(topic, why)
            _log.warning("a message on %s is rejected: %s", topic, why)

    def _acknowledge(self) -> None:
        if self._keep is None:
            return
        for gateway, epoch in sorted(self._owed):
            safe = self.ledger.epoch(gateway, epoch).safe()
            word = native.encode_ack(epoch, safe, self._wall())
            if safe == 0 or self._line.publish(f"gewu/{gateway}/acks", word):
                self._owed.discard((gateway, epoch))

    def _ask_for_holes(self, now: float) -> None:
        """Ask for the first hole of each gateway's current epoch, when it does not fill by itself."""
        for gateway, epochs in self.ledger.gateways.items():
            epoch = next(reversed(epochs))
            holes = epochs[epoch].open_holes()
            if not holes:
                self._holes.pop((gateway, epoch), None)
                continue
            first, last = holes[0]
            hole = self._holes.get((gateway, epoch))
            if hole is None or hole.first != first:
                # After the first hole was filled, the next need not wait again.
                soon = hole is not None and hole.pause > _ASK_AGAIN_S[0]
                hole = _Hole(first, now if soon else now + _HOLE_PATIENCE_S, _ASK_AGAIN_S[0])
                self._holes[(gateway, epoch)] = hole
            if now >= hole.ask_at:
                last = min(last, first + _MOST_ASKED - 1)
                self._line.publish(f"gewu/{gateway}/replay", native.encode_replay(epoch, first, last))
                hole.ask_at = now + hole.pause
                hole.pause = min(hole.pause * 2, _ASK_AGAIN_S[1])
