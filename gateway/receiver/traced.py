"""Numbers that arrived, with the times at the edges of every hole, so that a report can say when it was. Pure."""

from typing import NamedTuple

from gateway.intervals import Intervals


class Hole(NamedTuple):
    """Numbers `first` to `last` are not here; `after` and `before` are the times of their neighbours, Unix ms."""

    first: int
    last: int
    after: int | None
    before: int | None


class Traced(Intervals):
    """See `Intervals`. Memory grows with the holes, not with the numbers."""

    def __init__(self) -> None:
        super().__init__()
        self._began: dict[int, int] = {}  # by the first number of each run
        self._ended: dict[int, int] = {}  # by the last

    def note(self, first: int, last: int, start: int, end: int) -> int:
        """Add first..last, which were made from `start` to `end`; returns how many were new."""
        runs = len(self._firsts)
        new = self.add(first, last)
        self._began.setdefault(first, start)
        self._ended.setdefault(last, end)
        # Only the edges of what was added can have become inner numbers, unless it swallowed whole runs.
        swallowed = len(self._firsts) < runs
        for number in list(self._began) if swallowed else (first, last + 1):
            if number - 1 in self:
                self._began.pop(number, None)
        for number in list(self._ended) if swallowed else (last, first - 1):
            if number + 1 in self:
                self._ended.pop(number, None)
        return new

    def traced(self, holes: list[tuple[int, int]]) -> list[Hole]:
        """`holes` of this set with the times around them."""
        return [Hole(a, b, self._ended.get(a - 1), self._began.get(b + 1)) for a, b in holes]
