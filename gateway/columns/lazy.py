"""Packed readings that are unpacked only when somebody looks: a backlog leaves in the compact form as it lies."""

from collections.abc import Iterator, Sequence
from typing import overload

from gateway.columns.packing import unpack
from gateway.records import Reading


class Packed(Sequence[Reading]):
    """`count` readings as `pack` wrote them; `end` is the latest of their times, in Unix milliseconds.

    Looking at an item unpacks them all, and raises ValueError when `body` is none of ours.
    """

    def __init__(self, body: bytes, count: int, end: int) -> None:
        self.body = body
        self.end = end
        self._count = count
        self._readings: tuple[Reading, ...] | None = None

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Reading: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Reading, ...]: ...
    def __getitem__(self, index: int | slice) -> Reading | tuple[Reading, ...]:
        return self._unpacked()[index]

    def __iter__(self) -> Iterator[Reading]:
        return iter(self._unpacked())

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Sequence) and self._unpacked() == tuple(other))

    __hash__ = None  # type: ignore[assignment]  # it is compared like a list

    def _unpacked(self) -> tuple[Reading, ...]:
        if self._readings is None:
            self._readings = tuple(unpack(self.body))
            if len(self._readings) != self._count:
                raise ValueError(f"it holds {len(self._readings)} readings in place of {self._count}")
        return self._readings
