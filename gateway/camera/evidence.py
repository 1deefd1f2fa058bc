"""Stills that go with an event: kept for their time, then deleted with proof; earlier only for want of disk.

Only blurred pictures come here, and it opens none of them. Each has its SHA-256 in the event; each deletion, and each
time somebody takes one out, is a row of a chained register, so that a row that was altered or taken away shows.
"""

import hashlib
import logging
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from gateway.camera.register import Register
from gateway.camera.undated import Undated, stamped
from gateway.clock import Clock
from gateway.errors import GewuError, StoreError
from gateway.records import Evidence

_log = logging.getLogger(__name__)

FOLDER = "evidence"


class EvidenceFull(StoreError):
    """The stills reached their share of the disk; what is there may not be deleted before its time."""


@dataclass
class EvidenceStore:
    """The stills below `data_dir`. `keep` in seconds, `most` in bytes."""

    data_dir: Path
    keep: float
    most: int
    clock: Clock
    register: Register = field(init=False)
    _undated: Undated = field(init=False)

    def __post_init__(self) -> None:
        self.register = Register(self.folder, self.clock)
        self._undated = Undated(self.folder, self.clock, round(self.keep * 1000))

    @property
    def folder(self) -> Path:
        return self.data_dir / FOLDER

    def save(self, name: str, content: bytes) -> Evidence:
        """Keep a still under `name`. Raises EvidenceFull, or StoreError when the disk refuses; then nothing is kept."""
        dated = self.clock.state() != "untrusted"
        at = self.clock.wall_ms()
        ahead = at - self.clock.mono_ms()
        if self.used() + len(content) > self.most:
            raise EvidenceFull(
                f"The stills in {self.folder} reached {self.most} bytes (vision.max_bytes): no more are kept "
                "until older ones reach their time."
            )
        until = at + round(self.keep * 1000)
        path = self.folder / f"{until}-{name}"
        new = path.with_suffix(".new")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not dated:
                self._undated.add(path.name, ahead)
            with new.open("wb") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            new.replace(path)
        except OSError as error:
            new.unlink(missing_ok=True)
            raise StoreError(f"The still {name} cannot be kept: {error.strerror}.") from error
        return Evidence(
            name=path.name, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content), kept_until=until
        )

    def stills(self) -> list[tuple[Path, int | None]]:
        """What is kept and until when (Unix milliseconds; None until the time is known), the first to go first.

        Raises StoreError.
        """
        undated = self._undated.listed()
        kept = [(path, _until(path.name, undated)) for path in self._paths()]
        return sorted(kept, key=lambda one: (math.inf if one[1] is None else one[1], one[0]))

    def used(self) -> int:
        """Bytes of all stills."""
        return sum(path.stat().st_size for path in self._paths())

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("*-*.jpg"))

    def dated(self, evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
        """The same, with the ends of their times as they are known now."""
        try:
            self._settle()
            undated = self._undated.listed()
        except StoreError as error:
            _log.error("%s", error)
            return evidence
        return tuple(
            msgspec.structs.replace(one, kept_until=_until(one.name, undated) or one.kept_until) for one in evidence
        )

    def _settle(self) -> None:
        try:
            if self.clock.state() != "untrusted":
                self._undated.settle({path.name for path in self._paths()})
        except OSError as error:
            raise StoreError(f"The list of stills without a time cannot be written: {error.strerror}.") from error

    def expire(self) -> int:
        """Delete what has been kept for its time, a row in the register for each; how many. Raises StoreError.

        While the time is not known only what this boot kept goes, by the monotonic clock: a wall clock that is ahead
        would end every still's time.
        """
        if self.clock.state() == "untrusted":
            lapsed = self._undated.lapsed()
            over = [path for path in self._paths() if path.name in lapsed]
        else:
            self._settle()
            now = self.clock.wall_ms()
            over = [path for path, until in self.stills() if until is not None and until <= now]
        for path in over:
            self._delete(path)
        return len(over)

    def give_way(self, wanted: int) -> int:
        """The disk is full: delete stills, the first to go first, until `wanted` bytes are free; how many are.

        Records go before pictures. It raises nothing: what cannot be deleted stays.
        """
        freed = 0
        for path in self._in_order():
            if freed >= wanted:
                break
            try:
                content = path.read_bytes()
                # Room first, then the row, for which there was none. A power cut between leaves an empty still, which
                # gets its row when its time comes.
                os.truncate(path, 0)
                freed += len(content)
                self.register.note(
                    "deleted", path.name, hashlib.sha256(content).hexdigest(), "the disk was full", "gateway"
                )
                path.unlink()
            except (OSError, StoreError) as error:
                _log.error("the still %s cannot give way: %s", path.name, error)
        if freed:
            _log.warning("the disk is full: stills of %d bytes were deleted before their time", freed)
        return freed

    def _in_order(self) -> list[Path]:
        try:
            return [path for path, _ in self.stills()]
        except StoreError as error:
            _log.error("%s", error)
            return self._paths()

    def _delete(self, path: Path) -> None:
        content = path.read_bytes()
        # The row comes first: a power cut between leaves a still that is deleted with a second row, never one
        # that is gone without any.
        self.register.note("deleted", path.name, hashlib.sha256(content).hexdigest(), "kept for its time", "gateway")
        try:
            with path.open("r+b") as file:  # the bytes go too, not only the name
                file.write(bytes(len(content)))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
        except OSError as error:
            raise StoreError(f"The still {path} cannot be deleted: {error.strerror}.") from error

    def take(self, name: str, who: str, why: str) -> bytes:
        """A still's bytes for a person, which the register notes first. Raises GewuError when it is not there."""
        path = self.folder / name
        if Path(name).name != name or not path.is_file():
            raise GewuError(f"There is no still {name} in {self.folder}; `gewu camera evidence` lists them.")
        content = path.read_bytes()
        self.register.note("taken", name, hashlib.sha256(content).hexdigest(), why, who)
        return content


def _until(name: str, undated: dict[str, dict[str, Any]]) -> int | None:
    until: int | None = undated[name].get("until") if name in undated else stamped(name)
    return until
