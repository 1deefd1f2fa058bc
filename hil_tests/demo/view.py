"""What the audience sees: a live table on a terminal, plain lines elsewhere. It only shows."""

from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text


class View(Protocol):
    """Where the demo tells its story."""

    def caption(self, seconds: float, text: str) -> None:
        """A new scene, `seconds` into the story."""

    def show(self, seconds: float, status: dict[str, Any] | None, arrived: int) -> None:
        """The gateway's status (None while it is dead) and how many records the receiver holds."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class Lines:
    """Plain lines: captions, and one line of figures every ten seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = 0.0

    def caption(self, seconds: float, text: str) -> None:
        self._console.print(f"{seconds:6.1f} s  {text}")

    def show(self, seconds: float, status: dict[str, Any] | None, arrived: int) -> None:
        if status is None or seconds < self._next:
            return
        self._next = seconds + 10.0
        store = status["store"]
        link = "up" if all(uplink["connected"] for uplink in status["uplinks"]) else "down"
        self.caption(
            seconds, f"accepted {store['accepted']}, waiting {store['queued']}, arrived {arrived}, uplink {link}"
        )

    def close(self) -> None:
        pass


class LiveTable:
    """A table of devices, buses, queue and link that follows the gateway."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False)
        self._live.start()
        self._captions: list[str] = []

    def caption(self, seconds: float, text: str) -> None:
        self._captions = [*self._captions[-4:], f"{seconds:6.1f} s  {text}"]

    def show(self, seconds: float, status: dict[str, Any] | None, arrived: int) -> None:
        body = Text("the gateway is dead", style="bold red") if status is None else _tables(status, arrived)
        self._live.update(Group(Text("\n".join(self._captions)), body), refresh=True)

    def close(self) -> None:
        self._live.stop()


def _tables(status: dict[str, Any], arrived: int) -> Group:
    return Group(_devices(status["buses"]), _figures(status, arrived))


def _devices(buses: list[dict[str, Any]]) -> Table:
    table = Table(expand=False)
    for name in ("bus", "device", "V", "A", "thermal %", "state"):
        table.add_column(name, justify="left" if name in ("bus", "device", "state") else "right")
    for bus in buses:
        for device in bus["devices"]:
            values = device["values"]
            table.add_row(
                bus["name"],
                device["id"],
                *(_number(values.get(name)) for name in ("voltage", "current", "thermal")),
                _state(device, values),
            )
    return table


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.1f}"


def _state(device: dict[str, Any], values: dict[str, Any]) -> Text:
    if device["online"] is None:
        return Text("not asked yet", style="dim")
    if not device["online"]:
        return Text("lost", style="red")
    if values.get("tripped"):
        return Text("TRIPPED", style="bold red")
    if values.get("overload"):
        return Text("overload", style="yellow")
    return Text("closed" if values.get("closed") else "ok", style="green")


def _figures(status: dict[str, Any], arrived: int) -> Table:
    table = Table(show_header=False)
    for bus in status["buses"]:
        errors = sum(bus["errors"].values())
        table.add_row(
            f"bus {bus['name']}",
            f"{bus['baud']} baud",
            f"{bus['polls']} polls, {errors} errors, {bus['utilisation']:.0%}",
        )
    store = status["store"]
    table.add_row("outbox", f"{store['queued']} waiting", f"{store['accepted']} accepted, {arrived} arrived")
    for uplink in status["uplinks"]:
        connected = Text("connected", style="green") if uplink["connected"] else Text("away", style="red")
        table.add_row(f"uplink {uplink['name']}", connected, uplink["trouble"] or "")
    return table
