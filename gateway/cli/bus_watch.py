"""`gewu bus watch`: the values of a device, or of a gateway's bus, as they change: age, mark, what is worth sending."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.live import Live
from rich.table import Table

from gateway.cli.bus_line import (
    BaudOption,
    ConfigOption,
    ParityOption,
    PortOption,
    StopbitsOption,
    TimeoutOption,
    bus_model,
    find_holder,
    shown,
)
from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.errors import ConfigurationError, GewuError
from gateway.records import Note, OpenEvent, Reading

if TYPE_CHECKING:
    from gateway.profile import Profile

_LOOK_S = 0.5
Look = Callable[[], dict[str, Any]]
Known = dict[str, "Profile"]


def watch(
    port: PortOption,
    address: Annotated[int | None, typer.Option("--address", "-a", min=1, max=247, help="The unit id.")] = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME_OR_FILE", help="A shipped profile, or a file.")] = None,
    baud: BaudOption = 9600,
    parity: ParityOption = "N",
    stopbits: StopbitsOption = 1,
    timeout: TimeoutOption = 0.3,
    seconds: Annotated[float | None, typer.Option("--for", min=0, help="Seconds to watch; else until Ctrl-C.")] = None,
    config: ConfigOption = None,
    json_output: JsonFlag = False,
) -> None:
    """Show values with age, mark, deadband and at_least, and when each was last worth sending.

    On a port that a running gateway holds it shows what the gateway sees; --address then picks one device.
    """
    known = _known(profile)
    holder = find_holder(port, config)
    if holder is not None:
        say(f"{port} is held by the gateway in {holder.data_dir}: showing what it sees (bus {holder.bus['name']}).")
        source = _lent(lambda: holder.refreshed().bus)
    else:
        if address is None or profile is None:
            raise ConfigurationError("--address and --profile say which device to watch; no gateway holds this port.")
        source = _own(port, baud, parity, stopbits, timeout, address, profile)
    with source as look:
        bus = _show(look, known, address, seconds, json_output)
    if json_output:
        print_json(bus)


@contextmanager
def _lent(look: Look) -> Iterator[Look]:
    yield look


@contextmanager
def _own(
    port: str, baud: int, parity: str, stopbits: int, timeout: float, address: int, profile: str
) -> Iterator[Look]:
    """A poller of our own for this one device, exactly as the gateway would run it; it keeps nothing."""
    from gateway import profile as profiles
    from gateway.bus.poller import BusPoller
    from gateway.clock import SystemClock
    from gateway.config import Device

    definition = profiles.load(profile, Path())
    device = {"id": "watched", "profile": profile, "address": address}
    bus = bus_model(port, baud, parity, stopbits, timeout)
    bus = bus.model_copy(update={"device": [Device.model_validate(device).defined(definition)]})
    poller = BusPoller(bus, SystemClock(), _Nowhere())
    poller.start()
    try:
        yield lambda: msgspec.to_builtins(poller.status())
    finally:
        poller.request_stop()
        poller.join()


class _Nowhere:
    """A sink for a poller that is only looked at."""

    def put_reading(self, reading: Reading) -> None:
        pass

    def accept_events(self, records: Sequence[OpenEvent], note: Note | None = None) -> None:
        for event in (record.event for record in records if record.event.cleared is None):
            say(f"event {event.kind}, grade {event.grade}")

    def keep_note(self, note: Note) -> None:
        pass

    def note(self, key: str) -> bytes | None:
        return None

    def open_events(self) -> list[OpenEvent]:
        return []


def _show(look: Look, known: Known, address: int | None, seconds: float | None, quiet: bool) -> dict[str, Any]:
    """Until time is up or Ctrl-C; the bus as it was last seen."""
    began, bus, told = time.monotonic(), dict[str, Any](), dict[tuple[str, str], Any]()
    live = Live(console=plain, auto_refresh=False) if plain.is_terminal and not quiet else None
    try:
        if live:
            live.start()
        while True:
            bus = look()
            bus["devices"] = [one for one in bus["devices"] if address in (None, one["address"])]
            if not bus["devices"]:
                raise GewuError(f"The gateway has no device at address {address} on this bus.")
            if live:
                live.update(table_of(bus, known), refresh=True)
            elif not quiet:
                _lines(bus, known, told, time.monotonic() - began)
            if seconds is not None and time.monotonic() - began >= seconds:
                break
            time.sleep(_LOOK_S if seconds is None else max(0.0, min(_LOOK_S, began + seconds - time.monotonic())))
    except KeyboardInterrupt:
        pass
    finally:
        if live:
            live.stop()
    return bus


def table_of(bus: dict[str, Any], known: Known) -> Table:
    """The bus as a table: a line for each value."""
    title = f"{bus['port']}  {bus['polls']} polls, {sum(bus['errors'].values())} failed"
    table = Table(
        "device", "value", "", "unit", "age s", "mark", "deadband", "sent s ago", "at least s", title=title, box=None
    )
    for device in bus["devices"]:
        if device["trouble"]:
            table.add_row(device["id"], device["trouble"])
        for name, value in device["values"].items():
            unit, deadband, at_least = _rules(known, device["profile"], name)
            table.add_row(
                device["id"], name, shown(value), unit, f"{device['ages'][name]:g}", device["marks"].get(name, ""),
                deadband, f"{device['sent'][name]:g}" if name in device["sent"] else "", at_least,
            )  # fmt: skip
    return table


def _known(profile: str | None) -> Known:
    """The shipped profiles, and the one that was named, by their names."""
    from gateway import profile as profiles

    named = [profiles.load(profile)] if profile else []
    return {one.name: one for one in [*map(profiles.load, profiles.shipped()), *named]}


def _rules(known: Known, profile: str, name: str) -> tuple[str, str, str]:
    """Unit, deadband and at_least of a value, as far as its profile is known here."""
    if profile not in known or name not in known[profile].by_value:
        return "", "", ""
    register = known[profile].by_value[name]
    return register.unit, f"{register.deadband:.12g}", f"{register.at_least:.12g}"


def _lines(bus: dict[str, Any], known: Known, told: dict[tuple[str, str], Any], at: float) -> None:
    """Plain lines where there is no terminal: what is new or has another mark."""
    for device in bus["devices"]:
        news = {"trouble": device["trouble"]} if device["trouble"] else {}
        for name, value in [*device["values"].items(), *news.items()]:
            now = (value, device["marks"].get(name))
            if told.get((device["id"], name)) != now:
                told[device["id"], name] = now
                unit, deadband, at_least = _rules(known, device["profile"], name)
                mark = f"  {now[1]}" if now[1] else ""
                rules = f"  (deadband {deadband}, at least every {at_least} s)" if deadband else ""
                plain.print(f"{at:7.1f} s  {device['id']}  {name} = {shown(value)} {unit}".rstrip() + mark + rules)
