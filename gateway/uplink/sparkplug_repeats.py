"""What QoS 0 may have lost, asked for again: the messages sent shortly before a session's end. Pure.

Nobody confirms a Sparkplug message. What left in the seconds before a connection, or its primary host, was last known
to be alive is therefore sent once more in the next session; after a start, when nobody knows those seconds any more,
a fixed number of messages.
"""

from collections import deque
from typing import NamedTuple

from gateway.uplink.format import ReplayAsked

# A host with a keep-alive of 60 s is declared dead 90 s after it fell silent; our own link sooner.
REPEAT_S = 90.0
# Two minutes of readings at a max_delay of 2 s.
AT_START = 64
_PART = 400
_PATIENCE_S = 5.0


class _Sent(NamedTuple):
    when: float
    epoch: str
    seq: int


class Repeats:
    """The latest messages, and those that go again; times in monotonic seconds."""

    def __init__(self) -> None:
        self._sent: deque[_Sent] = deque()
        self._started = False
        self._alive_at = -1e9
        self._parts: deque[ReplayAsked] = deque()
        self._asked: set[int] = set()
        self._asked_at = 0.0

    def sent(self, epoch: str, seq: int, now: float) -> None:
        """A message leaves; the first one after a start tells which came before it."""
        if not self._started and seq > 1:
            self._parts.append(ReplayAsked(epoch, max(1, seq - AT_START), seq - 1))
        self._started = True
        self._asked.discard(seq)
        self._sent.append(_Sent(now, epoch, seq))
        while self._sent[0].when < now - 2 * REPEAT_S:
            self._sent.popleft()

    def alive(self, now: float) -> None:
        """The session lives."""
        self._alive_at = now

    def begin(self) -> None:
        """A new session: what left within `REPEAT_S` before the last one was seen alive goes again, in parts."""
        seqs = sorted({sent.seq for sent in self._sent if sent.when >= self._alive_at - REPEAT_S})
        epoch = self._sent[-1].epoch if self._sent else ""
        self._sent.clear()
        self._asked.clear()
        parts = (seqs[start : start + _PART] for start in range(0, len(seqs), _PART))
        self._parts.extend(ReplayAsked(epoch, part[0], part[-1]) for part in parts)

    def due(self, now: float) -> list[ReplayAsked]:
        """The next part, when most of the part before has gone (or is no longer kept)."""
        if not self._parts or (len(self._asked) > _PART // 4 and now < self._asked_at + _PATIENCE_S):
            return []
        part = self._parts.popleft()
        self._asked, self._asked_at = set(range(part.first, part.last + 1)), now
        return [part]
