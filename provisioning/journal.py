"""The record of an installer's day: JSON lines, each on disk before the next step, never rewritten, never secret.

A line torn by a cut of power stays where it is and is passed over; what follows begins on a line of its own. One
process at a time has a journal. It keeps what it is told; what the lines mean is for others.
"""

import fcntl
import json
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from gateway.clock import Clock
from gateway.errors import ConfigurationError
from gateway.records import rfc3339
from provisioning.trouble import Trouble

_SECRETS = ("key", "signer", "password", "secret")


class Journal:
    """`with Journal(path, clock) as journal:`. `lines` are those that were there at the start, and later ones."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """ConfigurationError where it cannot be opened, or another process has it."""
        self.path, self._clock, self._lock = path, clock, threading.Lock()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise ConfigurationError(f"The journal {path} cannot be opened: {error.strerror}.") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise ConfigurationError(f"Another gewu provision has the journal {path}; let it finish.") from None
        self.lines, self._torn = _read(path)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def note(self, **line: Any) -> None:
        """Add one line with the time `at`; on disk when this returns. Trouble `disk-full` where it is not."""
        assert not line.keys() & set(_SECRETS), "a journal holds no secret"
        whole = {"at": rfc3339(self._clock.wall_ms()), **line}
        data = json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            try:
                whole_line = b"\n" * self._torn + data  # a torn line before gets its end first
                written = os.write(self._file, whole_line)
                if written < len(whole_line):
                    self._torn = self._torn or written > 0
                    raise OSError("cut short")
                self._torn = False
                os.fsync(self._file)
            except OSError as error:
                raise Trouble(
                    "disk-full", f"the journal {self.path} takes no more ({error.strerror or error})"
                ) from error
            self.lines.append(whole)


def _read(path: Path) -> tuple[list[dict[str, Any]], bool]:
    """(the whole lines, whether the last one is torn)."""
    data = path.read_bytes()
    lines = []
    for text in data.split(b"\n"):
        try:
            line = json.loads(text)
        except ValueError:
            continue  # torn by a cut, or empty
        if isinstance(line, dict):
            lines.append(line)
    return lines, bool(data) and not data.endswith(b"\n")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a journal that need not be there, for those who only look."""
    return _read(path)[0] if path.is_file() else []
