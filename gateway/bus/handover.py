"""What a bus hands to the sink: readings while it can take them, and events in order until it has each of them."""

import logging
from collections import deque
from collections.abc import Callable

from gateway.bus.device import PolledDevice
from gateway.bus.sink import Sink
from gateway.errors import StoreError
from gateway.records import OpenEvent, Reading
from gateway.rules.events import Out

RETRY_S = 1.0
_log = logging.getLogger(__name__)


class Handover:
    """Belongs to one bus's thread. `monotonic` gives seconds."""

    def __init__(self, bus: str, sink: Sink, monotonic: Callable[[], float]) -> None:
        self._bus = bus
        self._sink = sink
        self._now = monotonic
        self._events: deque[OpenEvent] = deque()
        self._retry_at = 0.0

    def reading(self, device: PolledDevice, reading: Reading) -> None:
        """Hand over a reading; one that the store refuses is read and sent anew."""
        try:
            self._sink.put_reading(reading)
        except StoreError as error:
            device.unsent()
            _log.warning("bus %s: a reading of %s could not be kept: %s", self._bus, device.called, error)

    def events(self, records: Out) -> None:
        """Hand over events at once; they are committed when this returns, or wait for `again`."""
        if records:
            self._events.extend(records)
            self._hand_over()

    def again(self) -> None:
        """Try what waits, not more often than every RETRY_S."""
        if self._events and self._now() >= self._retry_at:
            self._hand_over()

    def _hand_over(self) -> None:
        while self._events:
            record = self._events[0]
            try:
                self._sink.accept_event(record.event, record.key)
            except StoreError as error:
                _log.error("bus %s: the event %s waits for the store: %s", self._bus, record.event.kind, error)
                self._retry_at = self._now() + RETRY_S
                return
            self._events.popleft()
