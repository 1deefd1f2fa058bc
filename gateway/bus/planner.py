"""The requests of least wire time that read a set of registers. Pure and exact.

Within one kind, registers do not overlap, so some cheapest set of requests cuts their order by address into
runs; dynamic programming over the cuts finds it in O(n^2). What lies between two registers of a run is read
along, when that is allowed and cheaper than another request.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from gateway.bus.wire import Wire
from gateway.profile.model import BIT_KINDS, MOST_BITS, Kind, Profile, Register


@dataclass(frozen=True)
class Request:
    """Read `count` registers or bits of `kind` from `address`; `registers` are those it is for."""

    kind: Kind
    address: int
    count: int
    registers: tuple[Register, ...]


class Planner:
    """Plans reads of one profile on one wire. Plans are remembered: the same sets come due again and again."""

    def __init__(self, profile: Profile, wire: Wire, through_gaps: bool = True) -> None:
        self._wire = wire
        self._most = profile.head.max_registers
        self._walls = {kind: _walls(profile, kind, through_gaps and profile.head.gap) for kind in get_args(Kind)}
        self._plans: dict[frozenset[str], tuple[tuple[Request, ...], float]] = {}

    def plan(self, registers: Iterable[Register]) -> tuple[tuple[Request, ...], float]:
        """The requests that read `registers` (all readable) in the least time, and that time in seconds."""
        due = list(registers)
        names = frozenset(register.name for register in due)
        if names not in self._plans:
            requests: list[Request] = []
            for kind in get_args(Kind):
                wanted = sorted((r for r in due if r.kind == kind), key=lambda r: r.address)
                requests += self._runs(kind, wanted)
            cost = sum(self._wire.read(request.kind, request.count) for request in requests)
            self._plans[names] = (tuple(requests), cost)
        return self._plans[names]

    def _runs(self, kind: Kind, due: Sequence[Register]) -> list[Request]:
        most = MOST_BITS if kind in BIT_KINDS else self._most
        # best[i]: least time for the first i registers; cut[i]: where the last run of that solution starts
        best, cut = [0.0], [0]
        for end in range(1, len(due) + 1):
            least, start_of_least = float("inf"), end - 1
            for start in range(end - 1, -1, -1):
                count = due[end - 1].end - due[start].address
                if count > most or self._walled(kind, due[start].address, due[end - 1].end):
                    break  # a longer run cannot be allowed either
                time = best[start] + self._wire.read(kind, count)
                if time < least:
                    least, start_of_least = time, start
            best.append(least)
            cut.append(start_of_least)
        runs: list[Request] = []
        end = len(due)
        while end:
            run = tuple(due[cut[end] : end])
            runs.append(Request(kind, run[0].address, run[-1].end - run[0].address, run))
            end = cut[end]
        return runs[::-1]

    def _walled(self, kind: Kind, start: int, end: int) -> bool:
        starts, ends = self._walls[kind]
        at = bisect_left(ends, start + 1)  # the first wall that ends after `start`
        return at < len(starts) and starts[at] < end


def _walls(profile: Profile, kind: Kind, gap: bool) -> tuple[list[int], list[int]]:
    """The address ranges that no request may touch, as sorted starts and ends (exclusive).

    Always what can only be written; without `gap` also whatever no register of the profile covers.
    """
    registers = sorted((r for r in profile.registers if r.kind == kind), key=lambda r: r.address)
    if gap:
        walls = [(r.address, r.end) for r in registers if not r.readable]
    else:
        walls, free = [], 0
        for register in (r for r in registers if r.readable):
            if register.address > free:
                walls.append((free, register.address))
            free = register.end
        walls.append((free, 1 << 17))
    return [start for start, _ in walls], [end for _, end in walls]
