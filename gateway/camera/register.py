"""Who took which still and which were deleted: rows chained by hash, so that one altered or taken away shows."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.clock import Clock
from gateway.errors import GewuError, StoreError
from gateway.records import rfc3339

FILE = "register.jsonl"
_FIRST = "0" * 64


@dataclass
class Register:
    """The register in `folder`."""

    folder: Path
    clock: Clock

    def note(self, what: str, name: str, sha256: str, why: str, who: str) -> None:
        """One more row of the register, chained to the one before. Raises StoreError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (self.folder / FILE).open("a+", encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                last = _FIRST
                for line in file:
                    last = hashlib.sha256(line.rstrip("\n").encode()).hexdigest()
                at = rfc3339(self.clock.wall_ms())
                row = {"at": at, "what": what, "name": name, "sha256": sha256, "who": who, "why": why}
                file.write(json.dumps({**row, "before": last}, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(f"The register of stills cannot be written: {error.strerror}.") from error

    def rows(self) -> list[dict[str, Any]]:
        """All rows. Raises GewuError naming the first row whose chain is broken."""
        return list(self._rows())

    def _rows(self) -> Iterator[dict[str, Any]]:
        path = self.folder / FILE
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
