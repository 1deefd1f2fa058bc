"""The receiver's memory: JSON lines by stream, safe on disk before anything is acknowledged.

`DIR/readings.jsonl` and its like hold every message once, with `got` (Unix ms), `site` and `gateway` beside
the payload; `duplicates.jsonl` names those that came again. A restart reads them back into the ledger. Lines are
what came: times are corrected where they are read (`records`), by the lines of `corrections.jsonl`.
"""

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from gateway.errors import ConfigurationError, StoreError
from gateway.prepared import prepared
from gateway.receiver import rows
from gateway.receiver.keep import Batch, Refused
from gateway.receiver.ledger import Ledger
from gateway.receiver.taken import NUMBERED, Taken, understood
from gateway.uplink import native
from gateway.uplink.native import WireCorrection

_log = logging.getLogger(__name__)
_KINDS = (*NUMBERED, "status", "duplicates")
REPORT = "report.json"


class Files:
    """The folder of one receiver. Raises ConfigurationError when it cannot be used or is in use.

    With `reading` it is only read, also beside a receiver that writes.
    """

    def __init__(self, folder: Path, reading: bool = False) -> None:
        self._folder = folder
        self._files: dict[str, IO[bytes]] = {}
        self._lock: IO[str] | None = None
        if reading:
            if not folder.is_dir():
                raise ConfigurationError(f"There is no folder {folder} of a receiver.")
            return
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
            for taken in self._taken(kind):
                ledger.accept(taken.gateway, taken.message, taken.start, taken.end)
        for gateway, _, line in self._lines("duplicates"):
            ledger.epoch(gateway, json.loads(line)["epoch"]).duplicates += 1
        return ledger

    def states(self) -> dict[str, str]:
        return {gateway: str(json.loads(line).get("state")) for gateway, _, line in self._lines("status")}

    def _taken(self, kind: str) -> Iterator[Taken]:
        for number, (gateway, got, line) in enumerate(self._lines(kind), 1):
            try:
                yield understood(gateway, kind, native.parse(kind, line), {}, got)
            except ValueError as error:
                _log.error("%s.jsonl, line %d is skipped: %s", kind, number, error)

    def _lines(self, kind: str) -> Iterator[tuple[str, int, bytes]]:
        path = self._folder / f"{kind}.jsonl"
        if not path.exists():
            return
        with path.open("rb") as lines:
            for line in lines:
                try:
                    head = msgspec.json.decode(line, type=_Head)
                except msgspec.MsgspecError as error:
                    _log.error("%s.jsonl holds a line that is not its own, skipped: %s", kind, error)
                    continue
                yield f"{head.site}/{head.gateway}", head.got, line

    def keep(self, batch: Batch) -> Sequence[Refused]:
        """Raises StoreError: then nothing may be acknowledged, and this receiver ends."""
        dirty = set()
        try:
            for taken in batch.fresh:
                dirty.add(self._append(taken.kind, taken.got, taken.gateway, taken.content))
            for taken in batch.again:
                again = {"epoch": taken.message.epoch, "seq": taken.message.seq}
                dirty.add(self._append("duplicates", taken.got, taken.gateway, again))
            for status in batch.statuses:
                dirty.add(self._append("status", status.got, status.gateway, status.content))
            for kind in sorted(dirty):
                self._files[kind].flush()
                os.fsync(self._files[kind].fileno())
        except OSError as error:
            raise StoreError(
                f"{self._folder} cannot be written ({error.strerror}): nothing more is acknowledged."
            ) from error
        return ()

    def _append(self, kind: str, got: int, gateway: str, content: dict[str, Any]) -> str:
        site, _, name = gateway.partition("/")
        line = json.dumps({"got": got, "site": site, "gateway": name, **content}, ensure_ascii=False)
        self._files[kind].write(line.encode() + b"\n")
        return kind

    def report(self, document: dict[str, Any]) -> None:
        """Replace DIR/report.json in one step: a reader sees the old or the new, never half."""
        replace(self._folder / REPORT, document)

    def records(self, stream: str) -> Iterator[dict[str, Any]]:
        corrections = rows.Corrections()
        for taken in self._taken("corrections"):
            if isinstance(taken.message, WireCorrection):
                corrections.add(taken.gateway, taken.message)
        seen: set[tuple[str, str, int]] = set()
        for taken in self._taken(stream):
            key = (taken.gateway, taken.message.epoch, taken.message.seq)
            if key not in seen:
                seen.add(key)
                yield from rows.records(taken, corrections)

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        if self._lock is not None:
            self._lock.close()


@prepared
class _Head(msgspec.Struct):
    site: str
    gateway: str
    got: int = 0


def replace(path: Path, document: dict[str, Any]) -> None:
    """Write `document` as JSON in place of `path`, whole or not at all. Raises StoreError."""
    new = path.with_name(path.name + ".new")
    try:
        new.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        new.replace(path)
    except OSError as error:
        raise StoreError(f"The report {path} cannot be written: {error.strerror}.") from error


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
