"""The journal: what happened, in a ring of 600 entries on the flash, read over the bus as file 1.

An entry is 32 bytes, the layout is in docs/firmware.md. Ten files of 60 entries are appended to in turn; littlefs
commits an append as a whole or not at all, so a cut of power loses what was not yet written and nothing else.
`next` counts only what lies on the flash. It decides nothing about what is worth an entry.
"""

import os
import struct
from time import ticks_add, ticks_diff

from crc16 import crc16
from micropython import const

_BUSY = const(6)
_ILLEGAL_ADDRESS = const(2)

_ENTRY = const(32)  # bytes
_WORDS = const(16)
_EACH = const(60)  # entries a file
_FILES = const(10)
_SLOTS = const(600)
_LAYOUT = ">IHHIHIHIIH"
_WAITING = const(8)  # entries that wait for the flash
_PAGE = const(240)
_RETRY_MS = const(10_000)  # after the flash refused


def path(segment: int) -> str:
    return "journal.%d" % (segment % _FILES)


class Journal:
    """Entries `first` to `next` - 1 lie on the flash. `note` takes one, `step` writes what was taken."""

    def __init__(self, boots: int, now: int) -> None:
        self.first = 0
        self.next = 0
        self._boots = boots
        self._seconds = 0
        self._since = now
        self._lost = 0  # did not fit since the latest that did
        self._waiting = bytearray(_WAITING * _ENTRY)
        self._count = 0
        self._torn = False
        self._retry = now
        self._page = bytearray(_PAGE)
        self._record = -1  # what lies in the page: first record and words
        self._words = 0
        self._wanted = -1
        self._wanted_words = 0
        self.find_places()

    def find_places(self) -> None:
        """What lies on the flash, at the start."""
        entry = bytearray(_ENTRY)
        starts = []
        for segment in range(_FILES):
            number = self.number_of(segment, 0, entry)
            if number >= 0 and number // _EACH % _FILES == segment and number % _EACH == 0:
                starts.append(number)
        if not starts:
            return
        newest = max(starts)
        self.first = min(number for number in starts if number > newest - _SLOTS)
        self.next = newest
        segment = newest // _EACH
        while self.next < newest + _EACH and self.number_of(segment, self.next - newest, entry) == self.next:
            self.next += 1
        self._torn = self.next % _EACH > 0 and os.stat(path(segment))[6] != (self.next - newest) * _ENTRY

    def number_of(self, segment: int, index: int, entry) -> int:
        """The number in that entry of that file; -1 where there is no whole one."""
        try:
            with open(path(segment), "rb") as file:
                file.seek(index * _ENTRY)
                if file.readinto(entry) != _ENTRY or crc16(entry, 0, _ENTRY):
                    return -1
        except OSError:
            return -1  # never written
        return struct.unpack_from(">I", entry)[0]

    def note(self, now: int, clock: int, kind: int, a: int = 0, b: int = 0, c: int = 0) -> None:
        """One entry for the flash. `clock` is Unix time or 0; a is 16 bits, b and c are 32."""
        if self._count == _WAITING:
            self._lost = min(self._lost + 1, 0xFFFF)
            return
        at = self._count * _ENTRY
        passed = ticks_diff(now, self._since)
        struct.pack_into(
            _LAYOUT,
            self._waiting,
            at,
            self.next + self._count,
            self._boots,
            kind,
            self._seconds + passed // 1000,
            passed % 1000,
            clock,
            a & 0xFFFF,
            b & 0xFFFFFFFF,
            c & 0xFFFFFFFF,
            self._lost,
        )
        crc = crc16(self._waiting, at, at + _ENTRY - 2)
        self._waiting[at + _ENTRY - 2] = crc & 0xFF
        self._waiting[at + _ENTRY - 1] = crc >> 8
        self._lost = 0
        self._count += 1

    def roomy(self) -> bool:
        """Whether an entry that can wait may be noted, and leaves room for those that cannot."""
        return self._count < _WAITING // 2

    def step(self, now: int) -> None:
        """At most one piece of work on the flash. Raises OSError when it refuses; the next try is 10 s later."""
        if ticks_diff(now, self._since) >= 3_600_000:  # before the ticks wrap
            self._since = ticks_add(self._since, 3_600_000)
            self._seconds += 3600
        if self._count and ticks_diff(now, self._retry) >= 0:
            self._retry = ticks_add(now, _RETRY_MS)
            self._append()
            self._retry = now
        elif self._wanted >= 0:
            self._load()

    def _append(self) -> None:
        """Write what waits, as far as it belongs into one file."""
        room = _EACH - self.next % _EACH
        count = min(room, self._count)
        name = path(self.next // _EACH)
        data = memoryview(self._waiting)[: count * _ENTRY]
        if room == _EACH or self._torn:
            kept = b""
            if self._torn:
                with open(name, "rb") as file:
                    kept = file.read((_EACH - room) * _ENTRY)
            with open(name, "wb") as file:
                file.write(kept)
                file.write(data)
            self._torn = False
        else:
            with open(name, "ab") as file:
                file.write(data)
        self.next += count
        self.first = max(self.first, ((self.next - 1) // _EACH - _FILES + 1) * _EACH)
        left = self._count - count
        self._waiting[: left * _ENTRY] = self._waiting[count * _ENTRY : self._count * _ENTRY]
        self._count = left
        self._record = -1

    def read(self, record: int, words: int, out, at: int) -> int:
        """Copies records of the file into out[at:]. _Busy until the flash was read for just this stretch."""
        if record + words > _SLOTS * _WORDS or 2 * words > _PAGE:
            return _ILLEGAL_ADDRESS
        if record != self._record or words != self._words:
            self._wanted = record
            self._wanted_words = words
            return _BUSY
        for index in range(2 * words):
            out[at + index] = self._page[index]
        return 0

    def _load(self) -> None:
        """Bring the wanted stretch into the page; what was never written is zeros."""
        begin = 2 * self._wanted
        end = begin + 2 * self._wanted_words
        view = memoryview(self._page)
        at = begin
        while at < end:
            segment, offset = divmod(at, _EACH * _ENTRY)
            size = min(end - at, _EACH * _ENTRY - offset)
            piece = view[at - begin : at - begin + size]
            got = 0
            try:
                with open(path(segment), "rb") as file:
                    file.seek(offset)
                    got = file.readinto(piece) or 0
            except OSError:
                pass  # never written
            for index in range(got, size):
                piece[index] = 0
            at += size
        self._record = self._wanted
        self._words = self._wanted_words
        self._wanted = -1
