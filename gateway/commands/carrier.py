"""Carrying out what the desk allows: under way is written down first, and what a power cut left is found out.

It reaches devices through their buses and never repeats an order: an interrupted one is only looked at.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from gateway.clock import Clock
from gateway.commands import interlocks
from gateway.commands.alarms import Alarms
from gateway.commands.book import Book, UnderWay
from gateway.commands.checks import Target
from gateway.commands.envelope import Command
from gateway.commands.operation import Asks, Operation, Outcome, can
from gateway.config.model import Device
from gateway.errors import GewuError, StoreError
from gateway.records import OpenEvent, Value

_log = logging.getLogger(__name__)
_LOOK_BACK_FOR_S = 600.0
_OPERATED = ("open", "close", "set")


class Reach(NamedTuple):
    """A device that can be commanded: its bus, its settings, its key (None: nothing that needs authority), what it
    last said, and whether its bus only listens."""

    bus: Asks
    device: Device
    key: bytes | None
    values: Callable[[], Mapping[str, Value]]
    deaf: bool = False


class Carrier:
    """`devices` by id; `open_events` are those of the outbox. Not thread-safe: the desk's thread owns it."""

    def __init__(
        self,
        devices: Mapping[str, Reach],
        book: Book,
        clock: Clock,
        alarms: Alarms,
        open_events: Callable[[], list[OpenEvent]],
    ) -> None:
        self._devices = devices
        self._book = book
        self._clock = clock
        self._alarms = alarms
        self._open_events = open_events
        self._unsettled: dict[str, float] = {}
        for device in devices:
            left = book.under_way(device)
            if left is not None:
                # Before anything else comes in: this counter was used, whatever became of it.
                book.use_counter(left.issuer, left.counter)
                self._unsettled[device] = clock.monotonic()

    def target(self, name: str) -> Target | None:
        """What the checks are to know of a device; None when nobody configured it."""
        reach = self._devices.get(name)
        if reach is None:
            return None
        profile = reach.device.definition
        return Target(
            critical=reach.device.critical,
            can=frozenset() if reach.deaf else can(profile, reach.key),
            interlocks=interlocks.standing(profile, reach.values(), self._open_kinds(name)),
        )

    def unsettled(self, device: str) -> bool:
        """Whether it is not known yet what became of an earlier command to this device."""
        return device in self._unsettled

    def begin(self, command: Command) -> None:
        """Write down that it is under way, and its counter as used. Raises StoreError: then it must not be."""
        self._book.begin(_under_way(command))
        self._book.use_counter(command.envelope.issuer, command.envelope.counter)

    def carry_out(self, command: Command, rate_ms: int) -> Outcome:
        """Do it now. `end` follows when its result is kept."""
        envelope = command.envelope
        self._unsettled[envelope.device] = self._clock.monotonic()
        if envelope.action in _OPERATED:
            now = self._clock.wall_ms()
            self._book.note_operation(envelope.device, now, now - rate_ms)
        operation = self._operation(_under_way(command))
        kinds = self._open_kinds(envelope.device)
        outcome = operation.carry_out(envelope.action, envelope.params, command.expires, kinds)
        self._alarms.outcome(self._devices[envelope.device].device, envelope.action, outcome)
        return outcome

    def end(self, device: str) -> None:
        """The result of what was under way there is kept."""
        self._book.end(device)
        self._unsettled.pop(device, None)

    def look_back(self) -> Iterator[tuple[UnderWay, Outcome]]:
        """What has become of interrupted commands, as far as it can be read now; `end` follows each."""
        for device, since in list(self._unsettled.items()):
            left = self._book.under_way(device)
            if left is None:
                del self._unsettled[device]
                continue
            outcome = self._found(left, since)
            if outcome is not None:
                self._alarms.outcome(self._devices[device].device, left.action, outcome)
                yield left, outcome

    def _found(self, left: UnderWay, since: float) -> Outcome | None:
        try:
            return self._operation(left).look_back(left.action, left.board)
        except StoreError:
            raise
        except (GewuError, TimeoutError) as error:
            if self._clock.monotonic() - since < _LOOK_BACK_FOR_S:
                return None  # the bus may not be open yet, or the device not back
            return Outcome(result="unknown", why=f"the gateway stopped meanwhile, and it cannot be read: {error}")

    def _operation(self, under_way: UnderWay) -> Operation:
        reach = self._devices[under_way.device]

        def stored(board: int) -> None:
            self._book.begin(msgspec.structs.replace(under_way, board=board))

        return Operation(reach.bus, reach.device, reach.key, self._clock, stored)

    def _open_kinds(self, device: str) -> set[str]:
        return {known.event.kind for known in self._open_events() if known.event.device == device}


def _under_way(command: Command) -> UnderWay:
    envelope = command.envelope
    return UnderWay(
        id=envelope.id,
        digest=command.digest,
        issuer=envelope.issuer,
        counter=envelope.counter,
        device=envelope.device,
        action=envelope.action,
    )
