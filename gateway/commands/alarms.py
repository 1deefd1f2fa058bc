"""The events of commands: a refusal is a security event, a device that is not as ordered a red one.

It hands events to the outbox. What cannot be committed is logged; the command's own result stands all the same.
"""

import logging
from collections.abc import Callable

import msgspec

from gateway import own_events
from gateway.clock import Clock
from gateway.commands.operation import Outcome
from gateway.config.model import Device
from gateway.errors import StoreError
from gateway.records import Event, OpenEvent, Value

_log = logging.getLogger(__name__)
REFUSED, REFUSED_GRADE = "security.command", 3
MISMATCH, MISMATCH_GRADE = "command.mismatch", 1
_OPERATED = ("open", "close")


class Alarms:
    """`accept` is the outbox's `accept_event`, `open_events` what it holds open."""

    def __init__(
        self,
        accept: Callable[[Event, str], None],
        open_events: Callable[[], list[OpenEvent]],
        clock: Clock,
        new_id: Callable[[], str] = own_events.new_id,
    ) -> None:
        self._accept = accept
        self._open = open_events
        self._clock = clock
        self._new_id = new_id

    def refused(self, device: str | None, issuer: str, values: dict[str, Value]) -> None:
        """A command that was not carried out: raised and cleared at once."""
        about = values | ({"issuer": issuer} if issuer else {})
        event = self._begun(REFUSED, REFUSED_GRADE, device, "", about)
        self._tell(event, event.id)
        self._tell(msgspec.structs.replace(event, cleared=event.raised), event.id)

    def outcome(self, device: Device, action: str, outcome: Outcome) -> None:
        """Raise when the device is not as it was ordered; clear when it is, the next time."""
        if action not in _OPERATED or not (outcome.mismatch or outcome.result == "done"):
            return
        known = next((e for e in self._open() if (e.event.kind, e.event.device) == (MISMATCH, device.id)), None)
        if outcome.mismatch and known is None:
            event = self._begun(MISMATCH, MISMATCH_GRADE, device.id, device.place, {"ordered": action})
            self._tell(event, event.id)
        elif not outcome.mismatch and known is not None:
            self._tell(own_events.ended(known.event, self._clock), known.key)

    def _begun(self, kind: str, grade: int, device: str | None, place: str, values: dict[str, Value]) -> Event:
        return own_events.begun(self._clock, kind, grade, values, device, place, self._new_id)

    def _tell(self, event: Event, key: str) -> None:
        try:
            self._accept(event, key)
        except StoreError as error:
            _log.error("the event %s could not be kept: %s", event.kind, error)
