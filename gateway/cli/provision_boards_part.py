"""The boards' part of `gewu provision update`: the boards of the gateway's own configuration, through its own buses."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.output import say

if TYPE_CHECKING:
    from gateway.clock import Clock
    from gateway.config import Config
    from provisioning.journal import Journal
    from provisioning.update.boards_stage import Boards, BoardsStage

FirstOption = Annotated[str | None, typer.Option("--first", help="The board that is tried first.")]
WindowOption = Annotated[str, typer.Option("--window", help="Local time in which boards may be updated.")]
NowOption = Annotated[bool, typer.Option("--now", help="Boards at any time of the day.")]
ShareOption = Annotated[float, typer.Option(min=0.01, max=1.0, help="Of a bus's time, at most, for boards.")]
WatchOption = Annotated[float, typer.Option(min=0, help="Seconds that the first board is watched.")]
NIGHT = "22:00-05:00"
_LOOK_S = 30.0


@dataclass(frozen=True, slots=True)
class Night:
    """When and how boards are updated; see `provisioning.site_update.Terms`."""

    first: str | None
    window: str
    now: bool
    share: float
    watch: float

    def is_open(self) -> Callable[[], bool]:
        """Whether it may go on. ConfigurationError for a window that is none."""
        from provisioning.site_update import window

        open_then = window(self.window, minute)
        return (lambda: True) if self.now else open_then

    def wait(self) -> None:
        """Return when the window is open."""
        is_open = self.is_open()
        if not is_open():
            say(f"Waiting for {self.window}. Ctrl-C ends it; nothing was begun.")
        while not is_open():
            time.sleep(_LOOK_S)


def minute() -> int:
    """Of the local day."""
    now = time.localtime()
    return now.tm_hour * 60 + now.tm_min


def boards_part(
    config: "Config", night: Night, journal: "Journal", clock: "Clock"
) -> "Callable[[Path], BoardsStage] | None":
    """What makes the stage from the unpacked part; None where no board of this gateway could take it."""
    from gateway.commands import board_keys
    from provisioning.site_update import Terms, order
    from provisioning.update.boards_stage import BUNDLE, BoardsStage

    file = config.commands.device_keys if config.commands is not None else None
    keys = board_keys.load(file) if file is not None else {}
    known = [device.id for bus in config.bus for device in bus.device if device.id in keys]
    if not known:
        return None
    is_open = night.is_open()

    def terms(bundle: bytes) -> Terms:
        from provisioning.bundle_contents import release_of

        return Terms(bundle, release_of(bundle), hashlib.sha256(bundle).hexdigest(), night.share, night.watch, is_open)

    def said(device: str, step: str, percent: int | None) -> None:
        if percent is None:
            say(f"boards: {device} {step}")

    boards = partial(_opened, config, keys, clock, partial(order, first=night.first))
    return lambda part: BoardsStage(part / BUNDLE, boards, terms, night.wait, journal, clock, said)


@contextmanager
def _opened(
    config: "Config", keys: dict[str, bytes], clock: "Clock", order: Callable[[Any], Any]
) -> "Iterator[Boards]":
    """Every board that has a key, over its bus; through the running gateway where it holds the port."""
    from gateway.cli.bus_line import open_line
    from provisioning.board_update import BoardUpdate

    with ExitStack() as stack:
        found = {}
        for bus in config.bus:
            devices = [device for device in bus.device if device.id in keys and device.definition.mailbox is not None]
            if not devices:
                continue
            line, _holder = open_line(bus.port, bus.baud, bus.parity, bus.stopbits, bus.timeout, config.file)
            stack.callback(line.close)
            for device in devices:
                found[device.id] = (
                    device,
                    BoardUpdate(line, device.address, device.definition, keys[device.id], clock),
                )
        yield [found[device.id] for device in order([device for device, _board in found.values()])]
