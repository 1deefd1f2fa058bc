"""Power cuts: what a disk may hold after the power went at any moment of a recorded workload.

Three worlds for each moment: everything written had reached the platter; nothing that was not synced had; or
a seeded part of it had, whatever the order, writes torn at sectors. A removal counts at once: that is the order in
which SQLite itself must be safe. It knows no database.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from hil_tests.faults.disk import Change

World = Literal["written", "dropped", "torn"]
WORLDS: tuple[World, ...] = ("written", "dropped", "torn")
SECTOR = 512  # bytes that a disk writes whole


class _Platter:
    """One file: what is safe on it, and what has been written since the last sync."""

    def __init__(self) -> None:
        self.safe = bytearray()
        self.pending: list[Change] = []

    def apply(self, change: Change) -> None:
        if change.kind == "sync":
            for earlier in self.pending:
                _apply(self.safe, earlier)
            self.pending.clear()
        else:
            self.pending.append(change)

    def content(self, world: World, dice: random.Random) -> bytes:
        held = bytearray(self.safe)
        if world != "dropped":
            for change in self.pending if world == "written" else _some(self.pending, dice):
                _apply(held, change)
        return bytes(held)


class Cutter:
    """Plays `changes` forward; `state` is what the files hold when the power goes at that moment."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self._changes = changes
        self._files: dict[str, _Platter] = {}
        self.at = 0

    def forward(self, moment: int) -> None:
        """Let everything before change number `moment` happen; only ever forwards."""
        while self.at < moment:
            change = self._changes[self.at]
            self.at += 1
            if change.kind == "delete":
                self._files.pop(change.file, None)
            else:
                self._files.setdefault(change.file, _Platter()).apply(change)

    def lay_out(self, folder: Path, world: World, dice: random.Random) -> None:
        """Write what each file holds now into `folder`, by its name."""
        for name, platter in self._files.items():
            (folder / Path(name).name).write_bytes(platter.content(world, dice))


def moments(changes: Sequence[Change], most: int | None, dice: random.Random) -> Iterator[int]:
    """Every moment from before the first change to after the last, or `most` of them by chance, in order."""
    every = range(len(changes) + 1)
    yield from every if most is None or most >= len(every) else sorted(dice.sample(every, most))


def _apply(held: bytearray, change: Change) -> None:
    if change.kind == "truncate":
        del held[change.offset :]
        return
    if len(held) < change.offset:
        held.extend(bytes(change.offset - len(held)))
    held[change.offset : change.offset + len(change.data)] = change.data


def _some(pending: Sequence[Change], dice: random.Random) -> list[Change]:
    """A part of the writes, some of them torn. Where two touch one sector, the later wins: so do caches."""
    return [_torn(change, dice) if dice.random() < 0.3 else change for change in pending if dice.random() < 0.5]


def _torn(change: Change, dice: random.Random) -> Change:
    if change.kind != "write" or len(change.data) <= SECTOR:
        return change
    first = dice.randrange(0, len(change.data), SECTOR)
    last = dice.randrange(first, len(change.data), SECTOR) + SECTOR
    return change._replace(offset=change.offset + first, data=change.data[first:last])
