"""A Gewu breaker on a played line: registers, a journal on its flash, trips and restarts whenever a test says so."""

import struct
import threading
from collections.abc import Callable

from gateway.bus.wire import crc
from gateway.profile import load
from gateway.tests.fake_clock import FakeClock
from gateway.tests.scripted_slave import framed, registers

BREAKER = load("gewu-breaker")
_FUNCTIONS = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}


def entry(number: int, boot: int, kind: int, at_ms: int, clock: int = 0, a: int = 0, b: int = 0, c: int = 0) -> bytes:
    """A journal entry by docs/firmware.md, `at_ms` after its start."""
    body = struct.pack(">IHHIHIHIIH", number, boot, kind, at_ms // 1000, at_ms % 1000, clock, a, b, c, 0)
    return body + crc(body)


class PlayedBoard:
    """Answers as address 1; `silent` says when it does not. It knows no clock but by `told_time`."""

    def __init__(self, clock: FakeClock, silent: Callable[[], bool] = lambda: False) -> None:
        self.clock = clock
        self.silent = silent
        self.boots, self.trips, self.cause, self.milliamperes = 7, 3, 0, 11
        self.journal: list[bytes] = []
        self.told_time = False
        self.knows_files = True
        self.asked_files: list[tuple[int, int]] = []
        self._started = self._tripped = clock.now
        self._lock = threading.RLock()  # a test's thread trips it while the poller's asks
        self._in_page: tuple[int, int] | None = None
        self._note(1)

    def trip(self, cause: int, milliamperes: int = 80_000, *, stays: bool = False) -> int:
        """It trips now, and is re-armed at once unless it stays; Unix milliseconds of it."""
        with self._lock:
            self.trips, self.cause, self._tripped = self.trips + 1, cause if stays else 0, self.clock.now
            self.milliamperes = milliamperes
            self._note(2, cause, milliamperes, self.trips)
            self._note(8, 1, 2310 << 16 | 0xFFFF, 1600 << 16 | 0x8000)
            self._note(3, 2, 3)
            return self.clock.wall_ms()

    def restart(self) -> int:
        """Unix milliseconds of it."""
        with self._lock:
            self.boots, self._started, self.told_time = self.boots + 1, self.clock.now, False
            self._note(1, 3)
            return self.clock.wall_ms()

    def answer(self, request: bytes) -> bytes:
        with self._lock:
            return self._answer(request)

    def _answer(self, request: bytes) -> bytes:
        unit, function = request[0], request[1]
        if unit != 1 or self.silent():
            return b""
        if function == 0x2B:
            names = b"\x00\x04Gewu\x01\x0cgewu-breaker"
            return framed(1, 0x2B, 0x0E, 1, 1, 0, 0, 2, *names)
        if function == 0x14:
            return self._file(*struct.unpack(">HHH", request[4:10]))
        if function not in _FUNCTIONS:
            return framed(*request[:6])  # a write
        address, count = struct.unpack(">HH", request[2:6])
        if function < 3:
            return framed(1, function, (count + 7) // 8, *bytes((count + 7) // 8))
        words = self._words(_FUNCTIONS[function])
        return registers(1, function, *(words.get(address + n, 0) for n in range(count)))

    def _file(self, file: int, record: int, count: int) -> bytes:
        if not self.knows_files:
            return framed(1, 0x94, 1)
        if (record, count) != self._in_page:  # first the flash has to be read
            self._in_page = record, count
            return framed(1, 0x94, 6)
        self.asked_files.append((record, count))
        assert BREAKER.journal is not None
        slots = {n % BREAKER.journal.entries: data for n, data in enumerate(self.journal)}
        flash = b"".join(slots.get(n, bytes(32)) for n in range(record // 16, (record + count) // 16))
        return framed(1, 0x14, 2 * count + 2, 2 * count + 1, 6, *flash)

    def _words(self, kind: str) -> dict[int, int]:
        age = round((self.clock.now - self._tripped) * 1000)
        uptime = int(self.clock.now - self._started)
        values = {
            "trip_count": self.trips, "cause": self.cause, "trip_age": age, "uptime": uptime, "boot_count": self.boots,
            "journal_next": len(self.journal), "voltage": 2300 + uptime % 7, "trip_current": self.milliamperes,
        }  # fmt: skip
        words: dict[int, int] = {}
        for register in BREAKER.registers:
            if register.kind == kind and register.name in values:
                raw = values[register.name].to_bytes(2 * register.size, "big")
                words |= {register.address + n: raw[2 * n] << 8 | raw[2 * n + 1] for n in range(register.size)}
        return words

    def _note(self, kind: int, a: int = 0, b: int = 0, c: int = 0) -> None:
        at_ms = round((self.clock.now - self._started) * 1000)
        seconds = self.clock.wall_ms() // 1000 if self.told_time else 0
        self.journal.append(entry(len(self.journal), self.boots, kind, at_ms, seconds, a, b, c))
