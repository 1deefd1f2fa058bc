"""The timeline of one RS-485 pair: when each character ends, what two talkers make of each other's. Pure.

Time is handed in (seconds, any monotonic origin); chance comes from a Random that is handed in. A talker's
characters follow one another without a gap, as from a UART's buffer, however they were written. Characters
of two talkers that overlap in time arrive as one garbled stream. It knows no file, no frame and no address.
"""

import random
from collections import deque
from dataclasses import dataclass, field

# Mid-frame characters are handed over in batches of this many seconds, so that 32 listeners stay cheap;
# the last character of a burst is handed over when it ends.
BATCH_S = 0.008
STRAY_S = 0.04  # mean time between the bytes of a pair without bias


@dataclass(slots=True)
class Faults:
    """What the pair does to those on it. Chances from 0 to 1, seconds, switches."""

    noise: float = 0.0  # chance that a character is corrupted
    drop: float = 0.0  # chance that a character is lost
    collide: float = 0.0  # chance that a burst is talked over
    delay: float = 0.0  # seconds that every answer comes later
    echo: bool = False  # talkers hear themselves
    unplug: bool = False  # the master's adapter is pulled out
    swapped: bool = False  # A and B at the master's adapter
    unbiased: bool = False  # nobody holds the pair while nobody talks
    unterminated: float = 0.0  # chance that an edge rings back into the bits after it


def inverted(data: bytes) -> bytes:
    """What a UART (8N1) makes of `data` whose levels are exchanged: A and B are swapped somewhere between.

    It waits for a falling edge, takes eight bits in the middle and does not mind a stop bit that is none.
    """
    bits = [0]  # an idle pair, seen the wrong way round, is a break
    for byte in data:
        bits += [1, *(1 - (byte >> place & 1) for place in range(8)), 0]
    bits += [0] * 10
    heard, at = bytearray(), 1
    while at + 9 < len(bits):
        if bits[at - 1] and not bits[at]:
            heard.append(sum(bit << place for place, bit in enumerate(bits[at + 1 : at + 9])))
            at += 9
        else:
            at += 1
    return bytes(heard)


@dataclass(slots=True)
class Counters:
    """What passed, since the start."""

    bytes: int = 0
    bursts: int = 0
    collisions: int = 0
    busy_s: float = 0.0


@dataclass(slots=True)
class _Burst:
    talker: str
    started: float
    end: float
    handed: float
    characters: deque[tuple[float, int]] = field(default_factory=deque)


class Wire:
    """One pair. `transmit` puts characters on it, `due` takes off those that have ended."""

    def __init__(self, dice: random.Random, faults: Faults) -> None:
        self.faults = faults
        self.counters = Counters()
        self._dice = dice
        self._bursts: list[_Burst] = []

    def transmit(self, talker: str, data: bytes, character_s: float, now: float) -> None:
        """`talker` starts to shift out `data` at `now`, or right after what it is still sending."""
        burst = next((burst for burst in self._bursts if burst.talker == talker and burst.end > now), None)
        if burst is None:
            burst = _Burst(talker, now, now, now)
            self._bursts.append(burst)
            self.counters.bursts += 1
        spoilt = self._dice.random() < self.faults.collide
        self.counters.collisions += spoilt
        self.counters.bytes += len(data)
        self.counters.busy_s += len(data) * character_s
        others = [other for other in self._bursts if other is not burst and other.end > burst.end]
        hit: set[int] = set()
        for byte in data:
            start, burst.end = burst.end, burst.end + character_s
            struck = [n for n, other in enumerate(others) if other.started < burst.end and other.end > start]
            if struck:
                # The other's character is spoilt and takes this one's place in the one stream heard.
                hit.update(struck)
            else:
                burst.characters.append((burst.end, self._garbled(byte) if spoilt else byte))
        for n in hit:
            self.counters.collisions += 1
            self._spoil(others[n], now, burst.end, character_s)

    def due(self, now: float) -> list[tuple[str, bytes]]:
        """(talker, characters) that listeners have received by `now`, in the order of their ends."""
        heard: list[tuple[str, bytes]] = []
        for burst in sorted(self._bursts, key=lambda burst: burst.end):
            if now < min(burst.end, burst.handed + BATCH_S):
                continue
            burst.handed = now
            data = bytearray()
            while burst.characters and burst.characters[0][0] <= now:
                byte = burst.characters.popleft()[1]
                if self.faults.drop and self._dice.random() < self.faults.drop:
                    continue
                data.append(self._noisy(byte) if self.faults.noise else byte)
            if data:
                heard.append((burst.talker, bytes(data)))
        self._bursts = [burst for burst in self._bursts if burst.end > now]
        return heard

    def next_time(self) -> float | None:
        """When `due` has something next; None on a quiet pair."""
        return min((min(burst.end, burst.handed + BATCH_S) for burst in self._bursts), default=None)

    def rung(self, data: bytes) -> bytes:
        """What reflections leave of `data`: a bit after an edge may be the one before it. More edges, more damage."""
        chance = self.faults.unterminated
        heard = bytearray()
        for byte in data:
            level, result = 0, byte  # the start bit
            for place in range(8):
                bit = byte >> place & 1
                if bit != level and self._dice.random() < chance:
                    result ^= 1 << place
                level = bit
            heard.append(result)
        return bytes(heard)

    def stray(self) -> tuple[float, int]:
        """(seconds until the next, what it is) of a byte that a receiver makes out of a pair that nobody holds."""
        return self._dice.expovariate(1 / STRAY_S), self._dice.randrange(256)

    def garble(self, data: bytes) -> bytes:
        """What a receiver with another baud makes of `data`: as many characters, none of them right."""
        return bytes(self._garbled(byte) for byte in data)

    def _spoil(self, burst: _Burst, start: float, end: float, character_s: float) -> None:
        burst.characters = deque(
            (at, self._garbled(byte) if start < at < end + character_s else byte) for at, byte in burst.characters
        )

    def _garbled(self, byte: int) -> int:
        return byte ^ self._dice.randrange(1, 256)

    def _noisy(self, byte: int) -> int:
        return byte ^ (1 << self._dice.randrange(8)) if self._dice.random() < self.faults.noise else byte
