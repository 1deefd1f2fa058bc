"""A store whose messages lie ready in memory: what is left of a drain when nothing is fetched, numbered or unpacked.

With it the real uplink and paho are measured alone. It keeps nothing and repeats nothing.
"""

from collections.abc import Callable, Sequence

import msgspec

from gateway.records import Event, Message, OpenEvent


class Ready:
    """See `gateway.uplink.store.Store`: `count` messages, which are `samples` in turn with numbers of their own."""

    epoch = "ready"

    def __init__(self, samples: Sequence[Message], count: int) -> None:
        self._samples = samples
        self._count = count
        self._made = 0
        self._undelivered: set[int] = set()

    def next_messages(self, uplink: str, room: int, bulk: int) -> list[Message]:
        """Up to `bulk` of what is left; there are no events."""
        first, self._made = self._made, min(self._count, self._made + bulk)
        numbers = range(first, self._made)
        self._undelivered.update(numbers)
        samples = self._samples
        return [msgspec.structs.replace(samples[number % len(samples)], seq=number + 1) for number in numbers]

    def due_in(self, uplink: str) -> float | None:
        return 0.0 if self._made < self._count else None

    def undelivered(self, uplink: str) -> list[int]:
        return [number + 1 for number in sorted(self._undelivered)]

    def mark_delivered(self, uplink: str, seqs: Sequence[int]) -> None:
        self._undelivered.difference_update(seq - 1 for seq in seqs)

    # What a drain over a sound connection never asks for.

    def listen(self, wake: Callable[[], None]) -> None: ...

    def message(self, uplink: str, seq: int) -> Message | None:
        return None

    def acknowledge(self, uplink: str, epoch: str, upto: int) -> int | None:
        return None

    def set_aside(self, uplink: str, seq: int, reason: str) -> None: ...

    def accept_event(self, event: Event, key: str) -> None: ...

    def open_events(self) -> list[OpenEvent]:
        return []

    def resend(self, uplink: str, epoch: str, first: int, last: int) -> list[int]:
        return []

    def note(self, key: str) -> bytes | None:
        return None

    def set_note(self, key: str, value: bytes) -> None: ...
