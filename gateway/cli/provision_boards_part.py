"""When and how boards are updated, as options of `gewu provision update` and `update-boards`; the former's stage."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import say

if TYPE_CHECKING:
    from gateway.bus.transport import Line
    from gateway.clock import Clock
    from gateway.config import Bus, Config
    from provisioning.journal import Journal
    from provisioning.site_update import Night
    from provisioning.update.boards_stage import BoardsStage

FirstOption = Annotated[str | None, typer.Option("--first", help="The board that is tried first.")]
WindowOption = Annotated[str, typer.Option("--window", help="Local time in which boards may be updated.")]
NowOption = Annotated[bool, typer.Option("--now", help="Boards at any time of the day.")]
ShareOption = Annotated[float, typer.Option(min=0.01, max=1.0, help="Of a bus's time, at most, for boards.")]
WatchOption = Annotated[float, typer.Option(min=0, help="Seconds that the first board is watched.")]
NIGHT = "22:00-05:00"
_LOOK_S = 30.0


def night_of(first: str | None, window: str, now: bool, share: float, watch: float) -> "Night":
    """The options as they were given. ConfigurationError for a window that is none."""
    from provisioning.site_update import Night
    from provisioning.site_update import window as span

    is_open = span(window, _minute)
    return Night(first, (lambda: True) if now else is_open, share, watch)


def wait_for(night: "Night", window: str) -> None:
    """Return when the window is open."""
    if not night.open():
        say(f"Waiting for {window}. Ctrl-C ends it; nothing was begun.")
    while not night.open():
        time.sleep(_LOOK_S)


def _minute() -> int:
    """Of the local day."""
    now = time.localtime()
    return now.tm_hour * 60 + now.tm_min


def own_boards(
    config: "Config", night: "Night", window: str, journal: "Journal", clock: "Clock"
) -> "Callable[[Path], BoardsStage] | None":
    """The boards' stage of the gateway in `config`, over its buses; through the gateway where it runs."""
    from gateway.cli.bus_line import open_line
    from provisioning.update.own_boards import OwnBoards

    def open_bus(bus: "Bus") -> "Line":
        return open_line(bus.port, bus.baud, bus.parity, bus.stopbits, bus.timeout, config.file)[0]

    def said(device: str, step: str, percent: int | None) -> None:
        if percent is None:
            say(f"boards: {device} {step}")

    return OwnBoards(config, open_bus, night, lambda: wait_for(night, window), journal, clock, said).stage()
