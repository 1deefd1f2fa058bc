"""The far end of the soak, a process of its own: it trusts nothing that the gateway counts, and knows what is true.

It reads what the broker has handed on from standard input, and at its end the facts; it prints its findings as JSON.
Frames: four bytes of length, big-endian, then msgpack of (kind, payload). Its memory is not the gateway's.
"""

import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, BinaryIO, Self

import msgspec

from gateway.errors import GewuError
from gateway.intervals import Intervals
from gateway.prepared import prepared
from gateway.uplink import native
from hil_tests.soak.meters import VALUES, value

_NAMES = [f"v{index}" for index in range(VALUES)]
_EXAMPLES = 5


@prepared
class Findings(msgspec.Struct):
    """What came of it. Records `lost` were numbered and neither came nor were announced; `twice` came as two records;
    `wrong` are unmarked values that no board ever had; `duplicates` repeated messages, `changed` those that differed.
    `unpaired` events that were only raised or only cleared; `untold` trips and restarts that no event tells of,
    `invented` those told beyond the facts.
    """

    messages: int = 0
    readings: int = 0
    values: int = 0
    marked: int = 0
    events: int = 0
    lost: int = 0
    announced: int = 0
    twice: int = 0
    wrong: int = 0
    backwards: int = 0
    duplicates: int = 0
    changed: int = 0
    unpaired: int = 0
    untold: int = 0
    invented: int = 0
    highest_reading: int = 0
    examples: list[str] = []


class Judge:
    """One gateway's messages, in the order in which they came."""

    def __init__(self) -> None:
        self.found = Findings(examples=[])
        self._seen: dict[int, int] = {}
        self._epochs: set[str] = set()
        self._numbers = {stream: Intervals() for stream in ("readings", "events")}
        self._gaps = {stream: Intervals() for stream in ("readings", "events", "messages")}
        self._latest: dict[str, tuple[int, int]] = {}
        self._raised: dict[str, str] = {}
        self._cleared: dict[str, str] = {}
        self._told: dict[str, Counter[str]] = defaultdict(Counter)

    def take(self, kind: str, payload: bytes) -> None:
        message: Any = native.parse(kind, payload)
        self._epochs.add(message.epoch)
        fingerprint = hash(payload)
        if message.seq in self._seen:
            self.found.duplicates += 1
            self.found.changed += self._seen[message.seq] != fingerprint
            return
        self._seen[message.seq] = fingerprint
        self.found.messages += 1
        if kind == "readings":
            for n, reading in enumerate(message.readings, message.first):
                self._reading(n, reading)
        elif kind == "events":
            self._event(message)
        elif kind == "gaps" and message.stream in self._gaps:
            self._gaps[message.stream].add(message.first, message.last)

    def close(self, facts: dict[str, dict[str, int]]) -> Findings:
        """`facts`: how often each device did what events tell of, by the event's kind."""
        found = self.found
        for stream, numbers in self._numbers.items():
            known = numbers.union(self._gaps[stream])
            found.lost += known.top() - known.count()
            found.announced += known.count() - numbers.count()
        sent = Intervals()
        for seq in self._seen:
            sent.add(seq, seq)
        found.lost += sent.top() - sent.union(self._gaps["messages"]).count()
        # A message that is sent again can come after a later one: raise and end are paired when all is there.
        found.unpaired = len(self._raised.keys() ^ self._cleared.keys())
        for name in self._raised.keys() ^ self._cleared.keys():
            self._note(f"{self._raised.get(name) or self._cleared[name]} is not both raised and cleared")
        for kind, devices in facts.items():
            for device, count in devices.items():
                told = self._told[kind][device]
                found.untold += max(0, count - told)
                found.invented += max(0, told - count)
                if told != count:
                    self._note(f"{device}: {kind} {count} times, told {told}")
        found.highest_reading = self._numbers["readings"].top()
        if len(self._epochs) > 1:
            found.lost += 1
            self._note("the numbering began anew")
        return found

    def _reading(self, n: int, reading: Any) -> None:
        found = self.found
        if not self._numbers["readings"].add(n, n):
            found.twice += 1
        found.readings += 1
        values, marks = reading.values, reading.marks
        before, number = self._latest.get(reading.device, (0, 0))
        sequence = values.get("sequence", before)
        if sequence < before and n > number:
            found.backwards += 1
            self._note(f"{reading.device}: measurement {sequence} after {before}")
        if n > number:
            self._latest[reading.device] = (sequence, n)
        unit = int(reading.device[1:])
        for index, name in enumerate(_NAMES):
            shown = values.get(name)
            if shown is None:
                continue
            found.values += 1
            if name in marks:
                found.marked += 1
            elif round(shown * 10) != value(unit, sequence, index):
                found.wrong += 1
                self._note(f"{reading.device}: {name} {shown} in measurement {sequence}")

    def _event(self, event: Any) -> None:
        if not self._numbers["events"].add(event.n, event.n):
            self.found.twice += 1
        self.found.events += 1
        where = self._raised if event.cleared is None else self._cleared
        where[event.id] = f"{event.kind} of {event.device}"
        if event.cleared is None:
            self._told[event.kind][event.device] += int(event.values.get("unseen", 1))

    def _note(self, sentence: str) -> None:
        if len(self.found.examples) < _EXAMPLES:
            self.found.examples.append(sentence)


class Bench:
    """The judge's process, from the outside: `with Bench() as bench:`, `bench.tell`, and at the end `bench.verdict`."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hil_tests.soak.judge"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()

    def tell(self, kind: str, payload: bytes) -> None:
        """Hand on one message, or at the end the `facts`."""
        assert self._process.stdin is not None
        body = msgspec.msgpack.encode((kind, payload))
        try:
            self._process.stdin.write(len(body).to_bytes(4, "big") + body)
        except BrokenPipeError as error:
            raise GewuError("The soak's judge has ended: see its words above.") from error

    def verdict(self, facts: dict[str, dict[str, int]]) -> Findings:
        self.tell("facts", msgspec.msgpack.encode(facts))
        said, _ = self._process.communicate()
        if self._process.returncode:
            raise GewuError("The soak's judge has failed: see its words above.")
        return msgspec.json.decode(said, type=Findings)


def frames(source: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """What `Bench.tell` wrote."""
    while head := source.read(4):
        kind, payload = msgspec.msgpack.decode(source.read(int.from_bytes(head, "big")))
        yield kind, payload


def main() -> None:
    """The process of the judge."""
    judge = Judge()
    for kind, payload in frames(sys.stdin.buffer):
        if kind == "facts":
            sys.stdout.buffer.write(msgspec.json.encode(judge.close(msgspec.msgpack.decode(payload))))
            return
        judge.take(kind, payload)


if __name__ == "__main__":
    main()
