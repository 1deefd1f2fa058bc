"""The reference receiver: takes messages in, keeps them, acknowledges, asks for what is missing, reports.

It imports nothing of a gateway but the message format. It acknowledges only what is safe on disk.
"""

import logging
import queue
import time
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from gateway.receiver.files import NUMBERED, Files
from gateway.receiver.ledger import Ledger
from gateway.receiver.subscriber import Delivery
from gateway.uplink import native

_log = logging.getLogger(__name__)
_BATCH = 500
_ACK_EVERY_S = 0.25
_REPORT_EVERY_S = 1.0
_HOLE_PATIENCE_S = 3.0
_ASK_AGAIN_S = (5.0, 60.0)
_MOST_ASKED = 1000


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
    """`files` None: count only, and acknowledge nothing, for nothing is kept."""

    def __init__(self, line: Line, files: Files | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._line = line
        self._files = files
        self._monotonic = monotonic
        self.ledger = files.load() if files else Ledger()
        self._state: dict[str, str] = {}
        self._owed: set[tuple[str, str]] = set()
        self._holes: dict[tuple[str, str], _Hole] = {}
        self._ack_at = self._report_at = 0.0
        self._connections = 0

    def step(self, wait: float = 0.1) -> None:
        """Take in what has come, waiting at most `wait` seconds for it, then do what is due. Raises StoreError."""
        batch = self._batch(wait)
        for delivery in batch:
            self._accept(delivery)
        if self._files:
            self._files.sync()
        for delivery in batch:
            self._line.confirm(delivery)
        now = self._monotonic()
        if self._line.connections != self._connections:
            # After a connection every gateway hears where we stand: it may wait for just that.
            self._connections = self._line.connections
            self._owed |= {(gateway, next(reversed(epochs))) for gateway, epochs in self.ledger.gateways.items()}
        if now >= self._ack_at:
            self._ack_at = now + _ACK_EVERY_S
            self._acknowledge()
            self._ask_for_holes(now)
        if self._files and now >= self._report_at:
            self._report_at = now + _REPORT_EVERY_S
            self._files.report(self.report())

    def finish(self) -> dict[str, Any]:
        """Take in the rest of what has come, acknowledge, and return the final report. Raises StoreError."""
        self._ack_at = self._report_at = 0.0
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

    def _accept(self, delivery: Delivery) -> None:
        address = native.address(delivery.topic)
        if address is None:
            return
        gateway = f"{address.site}/{address.gateway}"
        try:
            if address.kind in NUMBERED:
                self._numbered(address, gateway, delivery.payload)
            elif address.kind == "status":
                self._status(address, gateway, delivery.payload)
        except ValueError as error:
            self.ledger.rejected += 1
            _log.warning("a message on %s is rejected: %s", delivery.topic, error)

    def _numbered(self, address: native.Address, gateway: str, payload: bytes) -> None:
        message = native.parse(address.kind, payload)
        fresh = self.ledger.accept(gateway, message)
        self._owed.add((gateway, message.epoch))
        if self._files is None:
            return
        got = time.time_ns() // 1_000_000
        if fresh:
            self._files.append(address.kind, got, address.site, address.gateway, native.decode(payload))
        else:
            again = {"epoch": message.epoch, "seq": message.seq}
            self._files.append("duplicates", got, address.site, address.gateway, again)

    def _status(self, address: native.Address, gateway: str, payload: bytes) -> None:
        kind, content = native.recognise(payload)
        if kind != "status":
            raise ValueError(f"it is a message of the kind {kind}")
        self._state[gateway] = content["state"]
        if self._files:
            self._files.append("status", time.time_ns() // 1_000_000, address.site, address.gateway, content)

    def _acknowledge(self) -> None:
        if self._files is None:
            return
        for gateway, epoch in sorted(self._owed):
            safe = self.ledger.epoch(gateway, epoch).safe()
            if safe == 0 or self._line.publish(f"gewu/{gateway}/acks", native.encode_ack(epoch, safe)):
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
