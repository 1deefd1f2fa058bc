"""Stills that go with an event: kept for their time, then deleted with proof; earlier only for want of disk.

Only blurred pictures come here, and it opens none of them. Each has its SHA-256 in the event; each deletion, and each
time somebody takes one out, is a row of a chained register, so that a row that was altered or taken away shows.
"""

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.errors import GewuError, StoreError
from gateway.records import Evidence, rfc3339

_log = logging.getLogger(__name__)

FOLDER = "evidence"
REGISTER = "register.jsonl"
_FIRST = "0" * 64


class EvidenceFull(StoreError):
    """The stills reached their share of the disk; what is there may not be deleted before its time."""


@dataclass
class EvidenceStore:
    """The stills below `data_dir`. `keep` in seconds, `most` in bytes; `now` gives Unix milliseconds."""

    data_dir: Path
    keep: float
    most: int
    now: Callable[[], int]

    @property
    def folder(self) -> Path:
        return self.data_dir / FOLDER

    def save(self, name: str, content: bytes) -> Evidence:
        """Keep a still under `name`. Raises EvidenceFull, or StoreError when the disk refuses; then nothing is kept."""
        at = self.now()
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

    def stills(self) -> list[Path]:
        """What is kept, the first to go first."""
        return sorted(self.folder.glob("*-*.jpg")) if self.folder.is_dir() else []

    def used(self) -> int:
        """Bytes of all stills."""
        return sum(path.stat().st_size for path in self.stills())

    def expire(self) -> int:
        """Delete what has been kept for its time, a row in the register for each; how many. Raises StoreError."""
        gone = 0
        for path in self.stills():
            if int(path.name.split("-", 1)[0]) > self.now():
                break
            self._delete(path)
            gone += 1
        return gone

    def give_way(self, wanted: int) -> int:
        """The disk is full: delete stills, the first to go first, until `wanted` bytes are free; how many are.

        Records go before pictures. It raises nothing: what cannot be deleted stays.
        """
        freed = 0
        for path in self.stills():
            if freed >= wanted:
                break
            try:
                content = path.read_bytes()
                # Room first, then the row, for which there was none. A power cut between leaves an empty still, which
                # gets its row when its time comes.
                os.truncate(path, 0)
                freed += len(content)
                self.note("deleted", path.name, hashlib.sha256(content).hexdigest(), "the disk was full", "gateway")
                path.unlink()
            except (OSError, StoreError) as error:
                _log.error("the still %s cannot give way: %s", path.name, error)
        if freed:
            _log.warning("the disk is full: stills of %d bytes were deleted before their time", freed)
        return freed

    def _delete(self, path: Path) -> None:
        content = path.read_bytes()
        # The row comes first: a power cut between leaves a still that is deleted with a second row, never one
        # that is gone without any.
        self.note("deleted", path.name, hashlib.sha256(content).hexdigest(), "kept for its time", "gateway")
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
        self.note("taken", name, hashlib.sha256(content).hexdigest(), why, who)
        return content

    def note(self, what: str, name: str, sha256: str, why: str, who: str) -> None:
        """One more row of the register, chained to the one before. Raises StoreError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (self.folder / REGISTER).open("a+", encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                last = _FIRST
                for line in file:
                    last = hashlib.sha256(line.rstrip("\n").encode()).hexdigest()
                row = {"at": rfc3339(self.now()), "what": what, "name": name, "sha256": sha256, "who": who, "why": why}
                file.write(json.dumps({**row, "before": last}, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(f"The register of stills cannot be written: {error.strerror}.") from error

    def register(self) -> list[dict[str, Any]]:
        """All rows. Raises GewuError naming the first row whose chain is broken."""
        return list(self._rows())

    def _rows(self) -> Iterator[dict[str, Any]]:
        path = self.folder / REGISTER
        last = _FIRST
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        for number, line in enumerate(lines, 1):
            try:
                row: dict[str, Any] = json.loads(line)
            except ValueError:
                row = {}
            if row.get("before") != last:
                raise GewuError(f"Row {number} of {path} was altered, or one before it was taken away.")
            last = hashlib.sha256(line.encode()).hexdigest()
            yield row
