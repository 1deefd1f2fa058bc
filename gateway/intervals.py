"""A set of whole numbers kept as runs, so that a million numbers without a hole cost two integers. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class Intervals:
    """Whole numbers as sorted runs (first, last), both ends included; runs that touch are one."""

    def __init__(self, runs: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in runs:
            self.add(first, last)

    def add(self, first: int, last: int) -> int:
        """Add the numbers first..last; returns how many of them were new. An empty run (last < first) adds none."""
        if last < first:
            return 0
        left = bisect_left(self._lasts, first - 1)
        right = bisect_right(self._firsts, last + 1)
        covered = sum(
            min(last, self._lasts[i]) - max(first, self._firsts[i]) + 1
            for i in range(left, right)
            if self._firsts[i] <= last and self._lasts[i] >= first
        )
        merged_first = min(first, self._firsts[left]) if left < right else first
        merged_last = max(last, self._lasts[right - 1]) if left < right else last
        self._firsts[left:right] = [merged_first]
        self._lasts[left:right] = [merged_last]
        return last - first + 1 - covered

    def __contains__(self, number: int) -> bool:
        at = bisect_left(self._lasts, number)
        return at < len(self._lasts) and self._firsts[at] <= number

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._firsts, self._lasts, strict=True))

    def count(self) -> int:
        """How many numbers are in the set."""
        return sum(last - first + 1 for first, last in self)

    def top(self) -> int:
        """The highest number, 0 when empty."""
        return self._lasts[-1] if self._lasts else 0

    def solid(self) -> int:
        """N when every number 1..N is in the set and N + 1 is not."""
        return self._lasts[0] if self._firsts and self._firsts[0] <= 1 else 0

    def holes(self, bottom: int = 1) -> list[tuple[int, int]]:
        """The runs of numbers from `bottom` to the highest that are not in the set."""
        found = []
        expected = bottom
        for first, last in self:
            if first > expected:
                found.append((expected, first - 1))
            expected = max(expected, last + 1)
        return found

    def union(self, other: "Intervals") -> "Intervals":
        """The numbers of both."""
        return Intervals([*self, *other])
