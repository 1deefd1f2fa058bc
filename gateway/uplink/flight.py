"""The publications on their way: which message each belongs to, and what must be sent again. Pure."""

from collections import deque
from collections.abc import Iterable, Sequence

_MOST_REMEMBERED = 256


class Flight:
    """The messages in flight over one connection; one is delivered when all its publications are confirmed."""

    def __init__(self) -> None:
        self._message: dict[int, int] = {}
        self._waiting: dict[int, int] = {}
        self.again: deque[int] = deque()
        self._left: dict[int, float] = {}

    def __len__(self) -> int:
        """Messages in flight."""
        return len(self._waiting)

    def __contains__(self, seq: object) -> bool:
        return seq in self._waiting

    def numbers(self) -> list[int]:
        """The numbers of the messages in flight, in the order in which they were sent."""
        return list(self._waiting)

    def sent(self, seq: int, tokens: Sequence[int]) -> None:
        """Message `seq` left as the publications `tokens`."""
        self._waiting[seq] = len(tokens)
        self._message.update(dict.fromkeys(tokens, seq))

    def leaves(self, seq: int, now: float) -> None:
        """Message `seq` leaves for the first time ever, at `now` (monotonic seconds)."""
        self._left[seq] = now
        if len(self._left) > _MOST_REMEMBERED:
            del self._left[next(iter(self._left))]

    def left(self, seq: int) -> float | None:
        """When message `seq` first left, if that was lately and by this process: no answer to it is older."""
        return self._left.get(seq)

    def confirm(self, token: int) -> int | None:
        """A publication is confirmed: the number of its message when that was the last one, else None."""
        seq = self._message.pop(token, None)
        if seq is None or seq not in self._waiting:
            return None
        self._waiting[seq] -= 1
        if self._waiting[seq]:
            return None
        del self._waiting[seq]
        return seq

    def message_of(self, token: int) -> int | None:
        """The number of the message that the publication `token` belongs to, while it is in flight."""
        return self._message.get(token)

    def drop(self, seq: int) -> None:
        """Message `seq` is given up: its confirmations count no more."""
        self._waiting.pop(seq, None)

    def repeat(self, seqs: Iterable[int], most: int) -> int:
        """Queue those of `seqs` that are neither in flight nor queued, up to `most` in all; returns how many."""
        known = {*self.again, *self._waiting}
        fresh = [seq for seq in seqs if seq not in known][: max(0, most - len(self.again))]
        self.again.extend(fresh)
        return len(fresh)

    def settle(self, upto: int) -> None:
        """Everything up to `upto` has arrived: no need to repeat it."""
        self.again = deque(seq for seq in self.again if seq > upto)

    def begin(self, unconfirmed: Iterable[int]) -> None:
        """A new connection: nothing is in flight, `unconfirmed` goes again in this order."""
        self.clear()
        self.again.extend(unconfirmed)

    def clear(self) -> None:
        """The connection is gone."""
        self._message.clear()
        self._waiting.clear()
        self.again.clear()
