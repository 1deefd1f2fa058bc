"""The boards of a gateway's own configuration: which of them take an update, and how they are reached for it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.bus.transport import Line
from gateway.clock import Clock
from gateway.commands import board_keys
from gateway.config import Bus, Config, Device
from provisioning.board_update import BoardUpdate
from provisioning.journal import Journal
from provisioning.site_update import Night, Said, order, terms_of
from provisioning.update.boards_stage import BUNDLE, Boards, BoardsStage


@dataclass(frozen=True, slots=True)
class OwnBoards:
    """`open_bus` gives a line on a bus, which is closed again; `wait()` returns when the window of `night` is open."""

    config: Config
    open_bus: Callable[[Bus], Line]
    night: Night
    wait: Callable[[], None]
    journal: Journal
    clock: Clock
    said: Said

    def stage(self) -> Callable[[Path], BoardsStage] | None:
        """What makes the stage from the unpacked part; None where this gateway has no board that could take it."""
        keys = self._keys()
        if not any(self._taking(bus, keys) for bus in self.config.bus):
            return None
        return lambda part: BoardsStage(
            part / BUNDLE, lambda: self._opened(keys), lambda bundle: terms_of(bundle, self.night), self.wait,
            self.journal, self.clock, self.said,
        )  # fmt: skip

    def _keys(self) -> Mapping[str, bytes]:
        table = self.config.commands
        return board_keys.load(table.device_keys) if table is not None and table.device_keys is not None else {}

    def _taking(self, bus: Bus, keys: Mapping[str, bytes]) -> list[Device]:
        """The devices of a bus that take updates, and whose key is at hand."""
        return [device for device in bus.device if device.id in keys and device.definition.mailbox is not None]

    @contextmanager
    def _opened(self, keys: Mapping[str, bytes]) -> Iterator[Boards]:
        with ExitStack() as stack:
            found: dict[str, tuple[Device, BoardUpdate]] = {}
            for bus in self.config.bus:
                devices = self._taking(bus, keys)
                if devices:
                    line = self.open_bus(bus)
                    stack.callback(line.close)
                for one in devices:
                    board = BoardUpdate(line, one.address, one.definition, keys[one.id], self.clock)
                    found[one.id] = (one, board)
            yield [found[one.id] for one in order([device for device, _board in found.values()], self.night.first)]
