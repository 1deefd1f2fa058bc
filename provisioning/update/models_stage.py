"""The stage "models": a new set of signed models beside the one in use, in the environment that runs."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.camera import shipment
from gateway.errors import GewuError
from provisioning import slots
from provisioning.update.gateway_stage import Service

LINK = "models"
_SETS = ("models-a", "models-b")


@dataclass(frozen=True, slots=True)
class ModelsStage:
    """`models`: the unpacked part; `keys`: whose signatures count; `well()`: None, or what is wrong."""

    models: Path
    home: Path
    keys: Sequence[str]
    service: Service
    well: Callable[[], str | None]

    @property
    def name(self) -> str:
        return "models"

    def plan(self) -> list[str]:
        cards = [card.stem for card in sorted(self.models.glob("*.json"))]
        place = self._place() / LINK
        return [] if _same(self.models, place) else [f"new models: {', '.join(cards)}"]

    def apply(self) -> None:
        cards = sorted(self.models.glob("*.json"))
        if not cards:
            raise GewuError("The update's part of models holds none.")
        for card in cards:
            shipment.read(card, self.keys)
        place = self._place()
        now = (place / LINK).readlink().name if (place / LINK).is_symlink() else None
        new = _SETS[1] if now == _SETS[0] else _SETS[0]
        try:
            shutil.rmtree(place / new, ignore_errors=True)
            shutil.copytree(self.models, place / new)
            os.sync()
            self._point(new)
        except OSError as error:
            raise GewuError(f"The models cannot be put into {place}: {error.strerror}.") from error
        self.service.restart()

    def check(self) -> str | None:
        return self.well()

    def undo(self) -> None:
        """The set before, which is the other one, or the one that came with the environment."""
        place = self._place()
        if not (place / LINK).is_symlink() or not _same(self.models, place / LINK):
            return  # not switched yet
        now = (place / LINK).readlink().name
        other = _SETS[1] if now == _SETS[0] else _SETS[0]
        if (place / other).is_dir():
            self._point(other)
        else:
            (place / LINK).unlink()
        self.service.restart()

    def _place(self) -> Path:
        current = slots.current(self.home)
        if current is None:
            raise GewuError(f"There is no environment in {self.home}: install the package first.")
        return self.home / current

    def _point(self, to: str) -> None:
        new = self._place() / (LINK + ".new")
        new.unlink(missing_ok=True)
        new.symlink_to(to)
        new.replace(self._place() / LINK)
        os.sync()


def _same(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files."""
    if not other.is_dir():
        return False
    names = sorted(path.name for path in one.iterdir())
    return names == sorted(path.name for path in other.iterdir()) and all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in names
    )
