"""Who may command: HMAC-SHA256 with the device's own key over a nonce from the device and a counter.

Frame: code, argument length n, from and until (tenths of a second since the nonce was issued), counter, nonce,
argument, HMAC: see docs/firmware.md. It judges, and it keeps the counter before it says yes. It never acts, and the
key never leaves it.
"""

import struct
from hashlib import sha256
from time import ticks_add, ticks_diff

from micropython import const
from slots import Slots

_HEAD = const(18)
_MAC = const(32)
_MOST = const(190)  # bytes of an argument
_RENEW_MS = const(15_000)
_LIVES_MS = const(30_000)
_LONGEST_WAIT_S = const(64)
_PURPOSE = b"gewu-command-1"

_DONE = const(1)
_MALFORMED = const(2)
_NO_KEY = const(3)
_LOCKED = const(4)
_FORGED = const(5)
_REPLAYED = const(6)
_EXPIRED = const(7)
_EARLY = const(8)
_LATE = const(9)


class Authority:
    """`key` is empty on a board that has none. `random(n)` gives bytes; `boots` makes nonces differ between starts."""

    def __init__(self, key: bytes, serial: bytes, boots: int, random, now: int) -> None:
        self._inner = bytes([byte ^ 0x36 for byte in key]) + b"\x36" * (64 - len(key)) if key else b""
        self._outer = bytes([byte ^ 0x5C for byte in key]) + b"\x5c" * (64 - len(key))
        self._serial = serial + bytes(16 - len(serial))
        self._boots = boots
        self._random = random
        self._slots = Slots("counter")
        record = self._slots.load()
        self.counter = record["counter"] if record else 0
        self._wrong = 0
        self._wait_until = now
        self.waits = False
        self._made = 0
        self.nonce = self._make()
        self._issued = now
        self._before = b""
        self._before_issued = now

    def _make(self) -> bytes:
        self._made += 1
        seed = struct.pack(">III", self._boots, self.counter & 0xFFFFFFFF, self._made)
        return sha256(self._inner + seed + self._random(16)).digest()[:8]

    def step(self, now: int) -> None:
        """A new nonce every 15 s; the one before lives on until it is 30 s old."""
        if self.waits and ticks_diff(now, self._wait_until) >= 0:
            self.waits = False
        if ticks_diff(now, self._issued) >= _RENEW_MS:
            self._before, self._before_issued = self.nonce, self._issued
            self.nonce, self._issued = self._make(), now

    def age(self, now: int) -> int:
        """Milliseconds since the newest nonce was issued."""
        return ticks_diff(now, self._issued)

    def wait(self, now: int) -> int:
        """Seconds for which nothing is judged, after wrong tries."""
        return (ticks_diff(self._wait_until, now) + 999) // 1000 if self.waits else 0

    def _mac(self, message: bytes) -> bytes:
        inner = sha256(self._inner)
        inner.update(_PURPOSE)
        inner.update(self._serial)
        inner.update(message)
        return sha256(self._outer + inner.digest()).digest()

    def judge(self, frame: bytes, now: int) -> int:
        """_DONE where the frame may be carried out, now and never again. OSError: the counter could not be kept."""
        if len(frame) < _HEAD + _MAC or frame[1] > _MOST or len(frame) - (_HEAD + _MAC + frame[1]) not in (0, 1):
            return _MALFORMED
        if not self._inner:
            return _NO_KEY
        if self.waits:
            return _LOCKED
        end = _HEAD + frame[1]
        if not _same(self._mac(frame[:end]), frame[end : end + _MAC]):
            self._slow_down(now)
            return _FORGED
        since, until, counter = struct.unpack_from(">HHI", frame, 2)
        if counter <= self.counter:
            return _REPLAYED
        verdict = self._in_time(frame[10:18], since, until, now)
        if verdict == _DONE:
            self._slots.save({"counter": counter})
            self.counter = counter
            self._wrong = 0
            self.nonce, self._issued, self._before = self._make(), now, b""
        return verdict

    def _in_time(self, nonce: bytes, since: int, until: int, now: int) -> int:
        if nonce == self.nonce:
            age = ticks_diff(now, self._issued)
        elif nonce == self._before:
            age = ticks_diff(now, self._before_issued)
        else:
            return _EXPIRED
        if age >= _LIVES_MS:
            return _EXPIRED
        if age < since * 100:
            return _EARLY
        return _LATE if age > until * 100 else _DONE

    def _slow_down(self, now: int) -> None:
        self.waits = True
        self._wait_until = ticks_add(now, 1000 * min(1 << self._wrong, _LONGEST_WAIT_S))
        self._wrong = min(self._wrong + 1, 6)


def _same(one: bytes, other: bytes) -> bool:
    """Compared whole: how long it takes tells nothing."""
    difference = 0
    for index in range(_MAC):
        difference |= one[index] ^ other[index]
    return difference == 0
