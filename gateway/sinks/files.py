"""Files by day in a folder: appended, synced before anything is marked, repaired when opened, forgotten after days.

A file is `{stream}-{day}-{epoch}.csv` or `.jsonl`; the day is that of the message, so a message that comes again goes
where it was, and what the file has of it already is not written twice.
"""

import os
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path

from gateway.clock import Clock
from gateway.errors import TryAgain
from gateway.records import Message
from gateway.sinks.lines import Form, Place, header, lines, place_of, stream_of

_NAME = re.compile(r"(readings|events|gaps|corrections)-(\d{4}-\d\d-\d\d)-[0-9a-f]{8}(?:\.\d+)?\.(csv|jsonl)")
_TAIL = 1 << 20
_MODE = 0o640
_REMEMBERED = 8


def local_day(ms: int) -> date:
    """The day of Unix milliseconds where this machine stands."""
    return datetime.fromtimestamp(ms / 1000).date()  # the machine's own time zone is meant


class DayFiles:
    """See `gateway.sinks.target.Target`. `keep_days` whole days are kept beside today."""

    def __init__(
        self,
        name: str,
        folder: Path,
        form: Form,
        keep_days: int,
        clock: Clock,
        day_of: Callable[[int], date] = local_day,
    ) -> None:
        self._name = name
        self._folder = folder
        self._form: Form = form
        self._keep_days = keep_days
        self._clock = clock
        self._day_of = day_of
        self._last: dict[Path, Place] = {}
        self._tidied: date | None = None

    def write(self, messages: Sequence[Message]) -> None:
        """Append what the files do not have yet, and sync them. Raises TryAgain."""
        by_file: dict[Path, list[Message]] = {}
        for message in messages:
            by_file.setdefault(self._file(message), []).append(message)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for file, own in by_file.items():
                self._append(file, own)
            self._tidy()
        except OSError as error:
            self._last.clear()  # after a failed write or sync nothing is assumed: the files are read again
            raise TryAgain(
                f"Sink {self._name}: {error.filename or self._folder} cannot be written ({error.strerror}); "
                "check the disk and the rights of this user."
            ) from error

    def close(self) -> None:
        """Nothing is held open between two writes."""

    def _file(self, message: Message) -> Path:
        epoch = re.sub(r"[^0-9a-f]", "", message.epoch.lower())[:8].ljust(8, "0")
        return self._folder / f"{stream_of(message)}-{self._day_of(message.sent)}-{epoch}.{self._form}"

    def _append(self, file: Path, messages: list[Message]) -> None:
        stream = stream_of(messages[0])
        if file not in self._last:
            if len(self._last) >= _REMEMBERED:
                self._last.clear()  # yesterday's are hardly asked for again
            self._last[file] = _repair(file, stream, self._form)
        last = self._last[file]
        fresh = [(place, line) for message in messages for place, line in lines(message, self._form) if place > last]
        if fresh:
            _append_synced(file, header(stream, self._form), b"".join(line for _, line in fresh))
            self._last[file] = fresh[-1][0]

    def _tidy(self) -> None:
        """Once a day, forget the files of days that are too old; never by a clock that may be wrong."""
        today = self._day_of(self._clock.wall_ms())
        if today == self._tidied or self._clock.state() != "trusted":
            return
        first = (today - timedelta(days=self._keep_days)).isoformat()
        for file in self._folder.iterdir():
            match = _NAME.fullmatch(file.name)
            if match and match[3] == self._form and match[2] < first:
                file.unlink()
        self._tidied = today


def _append_synced(file: Path, head: bytes, content: bytes) -> None:
    """Append and sync; a new file gets its head and a synced folder. On failure the old length is restored."""
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
    try:
        before = os.fstat(handle).st_size
        whole = content if before else head + content
        try:
            while whole:
                whole = whole[os.write(handle, whole) :]
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, before)
            raise
    finally:
        os.close(handle)
    if not before:
        _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _set_aside(file: Path, head: bytes) -> bool:
    """Whether `file` began otherwise (another version's columns): it keeps its lines under a name beside it."""
    with file.open("rb") as found:
        first = found.readline()
    if not head or first == head or not first.endswith(b"\n") or b"\0" in first:
        return False
    aside = next(name for number in count(1) if not (name := file.with_suffix(f".{number}{file.suffix}")).exists())
    file.rename(aside)
    _sync_folder(file.parent)
    return True


def _repair(file: Path, stream: str, form: Form) -> Place:
    """The place of the last whole line; what a power cut left behind it is cut off."""
    try:
        size = file.stat().st_size
    except FileNotFoundError:
        return Place(0, 0)
    if _set_aside(file, header(stream, form)):
        return Place(0, 0)
    with file.open("r+b") as out:
        for reach in (min(_TAIL, size), size):
            out.seek(size - reach)
            found = _last_whole(out.read(reach), stream, form)
            if found is not None:
                place, end = found
                if size - reach + end < size:
                    out.truncate(size - reach + end)
                    os.fsync(out.fileno())
                return place
        out.truncate(0)
        os.fsync(out.fileno())
    return Place(0, 0)


def _last_whole(content: bytes, stream: str, form: Form) -> tuple[Place, int] | None:
    """The last line of `content` that is whole, and where it ends."""
    end = content.rfind(b"\n")
    while end >= 0:
        start = content.rfind(b"\n", 0, end) + 1
        place = place_of(content[start:end], stream, form)
        if place is not None:
            return place, end + 1
        end = start - 1
    return None
