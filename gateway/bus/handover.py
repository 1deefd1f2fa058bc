"""What a bus hands to the sink: readings while it can take them, and events in order until it has each of them."""

import logging
from collections import deque
from threading import Lock

from gateway.bus.device import PolledDevice
from gateway.bus.sink import Sink
from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.records import Note
from gateway.rules.events import Moment, Out

RETRY_S = 1.0
_log = logging.getLogger(__name__)


class Handover:
    """Belongs to one bus's thread. `lock` guards the devices, which `status` of another thread may read."""

    def __init__(self, bus: str, sink: Sink, clock: Clock, lock: Lock) -> None:
        self._bus = bus
        self._sink = sink
        self._clock = clock
        self._lock = lock
        self._waiting: deque[tuple[Out, Note | None]] = deque()
        self._retry_at = 0.0

    def moment(self) -> Moment:
        """Now, as a record says it."""
        return Moment(self._clock.wall_ms(), self._clock.mono_ms(), self._clock.state())

    def send(self, device: PolledDevice) -> None:
        """Hand over what is worth it of the device's values; what the store refuses is read and sent anew."""
        with self._lock:
            reading = device.reading(self._clock.monotonic(), self.moment())
        if reading is None:
            return
        try:
            self._sink.put_reading(reading)
        except StoreError as error:
            device.unsent()
            _log.warning("bus %s: a reading of %s could not be kept: %s", self._bus, device.called, error)

    def missed(self, device: PolledDevice, sentence: str) -> bool:
        """Count a failure of the device, which `sentence` tells; True when it is lost now."""
        with self._lock:
            was_online = device.online
            records = device.failed(sentence, self._clock.monotonic(), self.moment())
        if device.online is False and was_online is not False:
            why = sentence.removeprefix(f"Bus {self._bus}: ")
            _log.warning("bus %s: %s is lost: %s", self._bus, device.called, why)
        self.events(records, device)
        return device.online is False

    def events(self, records: Out, device: PolledDevice) -> None:
        """Hand over events of `device` at once, with what it wants noted; they are committed when this returns, or
        wait for `again`. What it notes without an event is committed within a second.
        """
        note = device.note()
        if records or note:
            self._waiting.append((records, note))
            self._hand_over()

    def again(self) -> None:
        """Try what waits, not more often than every RETRY_S."""
        if self._waiting and self._clock.monotonic() >= self._retry_at:
            self._hand_over()

    def _hand_over(self) -> None:
        while self._waiting:
            records, note = self._waiting[0]
            try:
                if records:
                    self._sink.accept_events(records, note)
                elif note:
                    self._sink.keep_note(note)
            except StoreError as error:
                kinds = ", ".join(dict.fromkeys(record.event.kind for record in records))
                _log.error("bus %s: the event %s waits for the store: %s", self._bus, kinds, error)
                self._retry_at = self._clock.monotonic() + RETRY_S
                return
            self._waiting.popleft()
