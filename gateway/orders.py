"""The command desk of a configured gateway, wired: its files, its devices, its uplinks, and the door on site.

It decides nothing; `gateway.commands` does. Without `[commands]` there is no desk, and no command is expected.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from gateway.bus.status import BusStatus
from gateway.clock import Clock
from gateway.commands import board_keys, issuers
from gateway.commands.alarms import Alarms
from gateway.commands.book import Book
from gateway.commands.carrier import Carrier, Reach
from gateway.commands.clerk import Clerk, Limits
from gateway.commands.desk import Desk
from gateway.commands.operation import Asks
from gateway.config import Config
from gateway.config.command_tables import Commands
from gateway.errors import ConfigurationError, GewuError
from gateway.outbox import Outbox
from gateway.records import Value


class Serves(Asks, Protocol):
    """A bus with its status."""

    def status(self) -> BusStatus: ...


class Carries(Protocol):
    """An uplink that brings commands down and takes replies up; see `gateway.uplink.Uplink`."""

    def hand(self, kind: str, to: Callable[[str, bytes], None]) -> None: ...
    def say(self, kind: str, payload: bytes) -> None: ...


def desk_of(
    config: Config, buses: Sequence[Serves], uplinks: Sequence[Carries], outbox: Outbox, clock: Clock
) -> Desk | None:
    """The desk that `[commands]` asks for, in reach of every uplink; None without that table.

    Raises ConfigurationError for wrong key files, StoreError.
    """
    desk = _desk(config, buses, outbox, clock)
    if desk is not None:
        for uplink in uplinks:
            uplink.hand("commands", _letterbox(desk, uplink))
    return desk


def _letterbox(desk: Desk, uplink: Carries) -> Callable[[str, bytes], None]:
    def hand(name: str, payload: bytes) -> None:
        desk.hear(name, payload, uplink.say)

    return hand


def _desk(config: Config, buses: Sequence[Serves], outbox: Outbox, clock: Clock) -> Desk | None:
    table = config.commands
    if table is None:
        return None
    people, keys = _keys(config, table)
    devices = dict(_devices(config, buses, keys))
    limits = Limits(
        allow_close=table.allow_close,
        longest_ms=round(table.window * 1000),
        rate=table.rate,
        rate_ms=round(table.rate_window * 1000),
    )
    book, gateway = Book(outbox), config.gateway
    alarms = Alarms(outbox.accept_event, outbox.open_events, clock)
    carrier = Carrier(devices, book, clock, alarms, outbox.open_events)
    names = (gateway.id, f"{gateway.site}/{gateway.id}")
    clerk = Clerk(limits, people, names, carrier, book, clock, alarms)
    return Desk(clerk, limits, book, clock)


def check_keys(config: Config) -> None:
    """Whether the key files that `[commands]` names would do. Raises ConfigurationError."""
    if config.commands is not None:
        _keys(config, config.commands)


def _keys(config: Config, table: Commands) -> tuple[issuers.Issuers, Mapping[str, bytes]]:
    keys = board_keys.load(table.device_keys) if table.device_keys else {}
    strange = sorted(keys.keys() - {device.id for bus in config.bus for device in bus.device})
    if strange:
        raise ConfigurationError(f"{table.device_keys} has a key for {strange[0]}, which is no configured device.")
    return issuers.load(table.keys), keys


def _devices(config: Config, buses: Sequence[Serves], keys: Mapping[str, bytes]) -> Iterator[tuple[str, Reach]]:
    by_name = {bus.name: bus for bus in buses}
    for table in config.bus:
        for device in table.device:
            bus = by_name[table.name]
            deaf = table.protocol == "jsonl"
            yield device.id, Reach(bus, device, keys.get(device.id), _latest(bus, device.id), deaf)


def _latest(bus: Serves, device: str) -> Callable[[], Mapping[str, Value]]:
    def values() -> Mapping[str, Value]:
        return next((one.values for one in bus.status().devices if one.id == device), {})

    return values


def answer(desk: Desk | None, request: Mapping[str, Any]) -> dict[str, Any]:
    """The gateway's answer to `{"do": "commands", "act": "show"|"arm"|"disarm"|"confirm", "by": NAME, "id": ID}`."""
    if desk is None:
        raise GewuError("This gateway takes no commands: it has no table [commands] in its configuration.")
    act, by = request.get("act"), str(request.get("by") or "").strip()
    if act in ("arm", "disarm", "confirm") and not by:
        raise ValueError("the name of the person on site is missing")
    if act in ("arm", "disarm"):
        desk.arm(act == "arm", by)
    elif act == "confirm":
        desk.confirm(str(request.get("id")), by)
    elif act != "show":
        raise ValueError(f"a desk does not know the request {act!r}")
    return desk.state()
