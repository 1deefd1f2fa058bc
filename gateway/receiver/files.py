"""The receiver's memory: JSON lines by stream, safe on disk before anything is acknowledged.

`DIR/readings.jsonl` and its like hold every message once, with `got` (Unix ms), `site` and `gateway` beside
the payload; `duplicates.jsonl` names those that came again. A restart reads them back into the ledger.
"""

import fcntl
import json
import logging
import os
from pathlib import Path
from typing import IO, Any

import msgspec

from gateway.errors import ConfigurationError, StoreError
from gateway.receiver.ledger import Ledger
from gateway.uplink import native

_log = logging.getLogger(__name__)
NUMBERED = ("readings", "events", "cases", "gaps")
_KINDS = (*NUMBERED, "status", "duplicates")
REPORT = "report.json"


class Files:
    """The folder of one receiver. Raises ConfigurationError when it cannot be used or is in use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, IO[bytes]] = {}
        self._dirty: set[str] = set()
        self._lock: IO[str] | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = (folder / "lock").open("w", encoding="ascii")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for kind in _KINDS:
                self._files[kind] = _open_whole(folder / f"{kind}.jsonl")
        except BlockingIOError as error:
            self.close()
            raise ConfigurationError(f"Another receiver writes into {folder}: stop it, or name another.") from error
        except OSError as error:
            self.close()
            raise ConfigurationError(f"The folder {folder} cannot be used: {error.strerror}.") from error

    def load(self) -> Ledger:
        """The ledger of everything these files hold."""
        ledger = Ledger()
        for kind in NUMBERED:
            for number, (gateway, line) in enumerate(self._lines(kind), 1):
                try:
                    ledger.accept(gateway, native.parse(kind, line))
                except ValueError as error:
                    _log.error("%s.jsonl, line %d is skipped: %s", kind, number, error)
        for gateway, line in self._lines("duplicates"):
            ledger.epoch(gateway, json.loads(line)["epoch"]).duplicates += 1
        return ledger

    def _lines(self, kind: str) -> list[tuple[str, bytes]]:
        found = []
        with (self._folder / f"{kind}.jsonl").open("rb") as lines:
            for line in lines:
                try:
                    head = msgspec.json.decode(line, type=_Head)
                except msgspec.MsgspecError as error:
                    _log.error("%s.jsonl holds a line that is not its own, skipped: %s", kind, error)
                    continue
                found.append((f"{head.site}/{head.gateway}", line))
        return found

    def append(self, kind: str, got: int, site: str, gateway: str, content: dict[str, Any]) -> None:
        """Add a line; it is safe after `sync`. Raises StoreError."""
        line = json.dumps({"got": got, "site": site, "gateway": gateway, **content}, ensure_ascii=False)
        try:
            self._files[kind].write(line.encode() + b"\n")
        except OSError as error:
            raise self._failed(error) from error
        self._dirty.add(kind)

    def sync(self) -> None:
        """Put on disk what was appended. Raises StoreError; nothing may be acknowledged then."""
        try:
            for kind in sorted(self._dirty):
                self._files[kind].flush()
                os.fsync(self._files[kind].fileno())
        except OSError as error:
            raise self._failed(error) from error
        self._dirty.clear()

    def _failed(self, error: OSError) -> StoreError:
        return StoreError(f"{self._folder} cannot be written ({error.strerror}): nothing more is acknowledged.")

    def report(self, document: dict[str, Any]) -> None:
        """Replace DIR/report.json in one step: a reader sees the old or the new, never half."""
        new = self._folder / (REPORT + ".new")
        new.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        new.replace(self._folder / REPORT)

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        if self._lock is not None:
            self._lock.close()


class _Head(msgspec.Struct):
    site: str
    gateway: str


def _open_whole(path: Path) -> IO[bytes]:
    """Open for appending, without the torn last line that a power cut may have left."""
    file = path.open("a+b")
    size = file.seek(0, os.SEEK_END)
    keep = size
    while keep:
        # Backwards in blocks to the end of the last whole line.
        start = max(0, keep - 4096)
        file.seek(start)
        newline = file.read(keep - start).rfind(b"\n")
        keep = start + newline + 1
        if newline >= 0:
            break
    if keep < size:
        _log.warning("%s ended in half a line, which was cut off; its message was never acknowledged", path)
        file.truncate(keep)
    file.seek(0, os.SEEK_END)
    return file
