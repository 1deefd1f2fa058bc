"""The ideal slave: a process of its own that answers on a pseudo-terminal as fast as the wire would let it.

It waits for exactly the request's wire time, t3.5 and the answer's wire time, and not a microsecond for
itself; so whatever is missing to the formula's utilisation is the master's waste (and the machine's). It
answers reads (03 and 04) of any register for its addresses, keeps still for all others, and takes writes
without an answer when they are broadcast. It checks no range: the conformance tests have other slaves.
"""

import argparse
import os
import random
import select
import subprocess
import sys
import time
import tty
from bisect import bisect_right
from types import TracebackType

from gateway.bus.wire import Wire, crc

REGISTERS = 32
"""What one device has: cause, trip count, trip age (2), a sequence, and plain values."""
# Sleeping ends late by about this much; the rest is waited for awake.
_AWAKE_S = 0.0003
_LONGEST_REQUEST = 256


class Trips:
    """When each device trips: about every `period` seconds, at random moments that both processes know."""

    def __init__(self, first: float, last: float, period: float, devices: int) -> None:
        """`first` and `last` are monotonic seconds; no trips with a period of 0."""
        dice = random.Random(1)
        self.times: list[list[float]] = []
        for _ in range(devices):
            times, at = [], first + dice.random() * period
            while period and at < last:
                times.append(at)
                at += period * (0.9 + 0.2 * dice.random())
            self.times.append(times)

    def words(self, device: int, now: float) -> tuple[int, int, int, int]:
        """Cause, trip count and the two words of the age in milliseconds, of the device at place `device`."""
        times = self.times[device]
        count = bisect_right(times, now)
        age = int((now - times[count - 1]) * 1000) if count else 0
        return int(count > 0), count, age >> 16 & 0xFFFF, age & 0xFFFF


class IdealSlave:
    """`with IdealSlave(wire, devices) as slave:` serves addresses 1 to `devices` at `slave.port`."""

    def __init__(
        self,
        wire: Wire,
        devices: int,
        *,
        dead: int = 0,
        trips: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> None:
        """The last `dead` addresses never answer; `trips` is first, last and period for `Trips`."""
        words = [wire.baud, wire.character_bits, devices, dead, *trips]
        self._command = [sys.executable, "-m", "hil_tests.bench.ideal", *map(str, words)]

    def __enter__(self) -> "IdealSlave":
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = self._process.stdout.readline().strip()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()  # its standard input ends, and so does it


class _Slave:
    def __init__(self, line: int, character_s: float, silence: float, answering: int, trips: Trips) -> None:
        self._line = line
        self._character_s = character_s
        self._silence = silence
        self._answering = answering
        self._trips = trips
        self._sequence = 0

    def serve(self) -> None:
        """Until standard input ends."""
        heard = b""
        while True:
            ready, _, _ = select.select([self._line, 0], [], [])
            if 0 in ready:
                return
            arrived = time.monotonic()
            heard = (heard + os.read(self._line, 4096))[-_LONGEST_REQUEST:]
            if len(heard) >= 4 and crc(heard[:-2]) == heard[-2:]:
                if 1 <= heard[0] <= self._answering and heard[1] in (3, 4) and len(heard) == 8:
                    begins = arrived + len(heard) * self._character_s + self._silence
                    _wait_until(begins)
                    answer = self._answer(heard, begins)
                    _wait_until(begins + len(answer) * self._character_s)
                    os.write(self._line, answer)
                heard = b""

    def _answer(self, request: bytes, now: float) -> bytes:
        unit, function = request[0], request[1]
        start, count = int.from_bytes(request[2:4], "big"), int.from_bytes(request[4:6], "big")
        self._sequence = (self._sequence + 1) & 0xFFFF
        words = (*self._trips.words(unit - 1, now), self._sequence)
        data = bytearray()
        for address in range(start, start + count):
            word = words[address] if address < len(words) else 1000 * unit + address
            data += word.to_bytes(2, "big")
        body = bytes((unit, function, 2 * count)) + bytes(data)
        return body + crc(body)


def _wait_until(moment: float) -> None:
    rest = moment - time.monotonic() - _AWAKE_S
    if rest > 0:
        time.sleep(rest)
    while time.monotonic() < moment:
        pass


def main() -> None:
    """The slave's process: says its port, then serves."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("baud", "bits", "devices", "dead"):
        parser.add_argument(name, type=int)
    for name in ("first", "last", "period"):
        parser.add_argument(name, type=float)
    asked = parser.parse_args()
    ours, theirs = os.openpty()
    for end in (ours, theirs):
        tty.setraw(end)
    print(os.ttyname(theirs), flush=True)
    wire = Wire(asked.baud, stopbits=asked.bits - 9)
    trips = Trips(asked.first, asked.last, asked.period, asked.devices)
    _Slave(ours, wire.t_char, wire.silence, asked.devices - asked.dead, trips).serve()


if __name__ == "__main__":
    main()
