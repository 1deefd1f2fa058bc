"""The points of the standards, as the project's electrical notes quote them, each with its provenance.

"source": read in a maker's or regulator's page that quotes the standard; "memory": to be confirmed against the
standard; "weak source" as said there. Meeting such a point is a test and never a claim of compliance.
"""

from collections.abc import Iterable
from dataclasses import dataclass

CONVENTIONAL_S = 3600.0  # 2 h above 63 A
NOMINAL_V = 230.0
_NEAR = 0.002  # an asked value within 0.2 % of a point is that point
_BEYOND = 1e9


@dataclass(frozen=True, slots=True)
class Limit:
    """One point: at `at` (multiple of In or of the rated residual current, or V) it trips between two times.

    `lowest` and `longest` are seconds; `longest` None means that it must not trip within `lowest`. Where the standard
    speaks of a range, `first` and `last` are its ends, else None.
    """

    name: str
    at: float
    lowest: float
    longest: float | None
    provenance: str
    hot: bool = False  # only straight after a soak at 1.13 In
    slower: bool = True  # `longest` itself still meets it
    first: float | None = None
    last: float | None = None

    def covers(self, at: float) -> bool:
        """Whether the standard wants this of the value `at`."""
        first = self.at if self.first is None else self.first
        last = self.at if self.last is None else self.last
        return first * (1 - _NEAR) <= at <= last * (1 + _NEAR)

    def meets(self, after: float | None) -> bool:
        """Whether a trip after so many seconds (None: none) is as the standard wants it."""
        if self.longest is None:
            return after is None or after >= self.lowest
        if after is None or after < self.lowest:
            return False
        return after <= self.longest if self.slower else after < self.longest

    def says(self) -> str:
        """The limit in words."""
        if self.longest is None:
            return "no trip within 3 h" if self.lowest >= 10_800 else f"no trip within {self.lowest:g} s"
        if self.longest >= 10_800:
            return "a trip"
        bound = "within" if self.slower else "below"
        return f"{self.lowest:g} s to {self.longest:g} s" if self.lowest else f"{bound} {self.longest:g} s"


_NO_INSTANT = {"B": 3.0, "C": 5.0, "D": 10.0}
_INSTANT = {"B": 5.0, "C": 10.0, "D": 20.0}
_THERMAL_D = {"B": (45.0, 90.0), "C": (15.0, 30.0), "D": (4.0, 8.0)}
_PROVENANCE_D = {"B": "weak source", "C": "source", "D": "memory"}


def overcurrent(rating: int, curve: str) -> list[Limit]:
    """IEC 60898-1 (GB/T 10963.1), rows a to e, in multiples of In."""
    conventional = CONVENTIONAL_S * (1 if rating <= 63 else 2)
    small = rating <= 32
    return [
        Limit("row a", 1.13, conventional, None, "source", first=0.0),
        Limit("row b", 1.45, 0.0, conventional, "source", hot=True, slower=False),
        Limit("row c", 2.55, 1.0, 60.0 if small else 120.0, "source"),
        Limit("row d", _NO_INSTANT[curve], 0.1, _THERMAL_D[curve][0 if small else 1], _PROVENANCE_D[curve]),
        Limit("row e", _INSTANT[curve], 0.0, 0.1, "source", slower=False, last=_BEYOND),
    ]


def residual(kind: str) -> list[Limit]:
    """IEC 61008-1 / 61009-1, type AC, in multiples of the rated residual current. `kind` G or S."""
    half = Limit("0.5 IΔn", 0.5, 10_800.0, None, "source", first=0.0)
    if kind == "G":
        times = ((1.0, 0.3), (2.0, 0.15), (5.0, 0.04))
        points = [Limit(f"{at:g} IΔn", at, 0.0, longest, "source") for at, longest in times]
        return [half, *points, Limit("> 5 IΔn", 10.0, 0.0, 0.04, "source", first=5.02, last=_BEYOND)]
    rows = (
        (1.0, 0.13, 0.5, "source"),
        (2.0, 0.06, 0.2, "memory"),
        (5.0, 0.05, 0.15, "source"),
    )
    above = Limit("> 5 IΔn", 10.0, 0.04, 0.15, "longest: source, shortest: memory", first=5.02, last=_BEYOND)
    return [half, *(Limit(f"{at:g} IΔn", at, low, longest, source) for at, low, longest, source in rows), above]


def voltage() -> list[Limit]:
    """EN 50550 / IEC 63052 above the nominal voltage, the release of IEC 60947-2 below, in V."""
    return [
        Limit("0.35 Un", 0.35 * NOMINAL_V, 0.0, 10_800.0, "source", first=0.0),
        Limit("0.7 Un", 0.7 * NOMINAL_V + 0.5, 10_800.0, None, "source", last=254.0),
        Limit("255 V", 255.0, 10_800.0, None, "memory"),
        Limit("275 V", 275.0, 3.0, 15.0, "longest: memory, shortest: source"),
        Limit("300 V", 300.0, 1.0, 5.0, "memory"),
        Limit("350 V", 350.0, 0.25, 0.75, "memory"),
        Limit("400 V", 400.0, 0.07, 0.2, "longest: source, shortest: memory"),
    ]


def of(points: Iterable[Limit], at: float, hot: bool) -> Limit | None:
    """The point that this value is, if it is one."""
    return next((point for point in points if point.covers(at) and (hot or not point.hot)), None)


def out_of_reach(point: Limit, meter: str) -> bool:
    """Whether the fitted metering chip cannot meet the point whatever one run shows (firmware: register not_met)."""
    return meter == "bl0942" and point.name in ("350 V", "400 V")
