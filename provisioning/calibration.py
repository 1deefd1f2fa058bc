"""From what a board shows and what a reference meter says to the board's factors: two points, limits checked. Pure.

A factor is kept as millionths over the wiring's design (`current_ppm`, `voltage_ppm`, `power_ppm` in the settings), so
that it stays visible how far the parts are off, and a factor that no part explains is refused. There is no offset: a
chip's RMS values of alternating current have none that its own noise does not hide. It talks to no board.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from provisioning.trouble import Trouble

GAINS = ("current_ppm", "voltage_ppm", "power_ppm")
POINTS = ("low", "high")
CHECK = "check"
# Shunt and divider of 1 percent each, and the chip's own reference (ADE7953 and BL0942 typically below 2 percent by
# their makers' pages; memory): more is another part than the settings say, or a wrong reading.
MOST_OFF = 0.05
# Between the factors of the two points: a shunt and a resistor have no curve.
MOST_BENT = 0.005
# Of the check point, beside the last digit: what a class 1 meter may be off, halved.
TOLERANCE = 0.005
_DIGIT = {"voltage": 0.1, "current": 0.001, "power": 0.1}
_APART = 1.2  # the larger of the two points over the smaller
_LEAST_VOLTS = 10.0
_LEAST_OF_RATED = 0.05  # current of a point, of In
_STEADY = 0.01


@dataclass(frozen=True, slots=True)
class Reading:
    """Volts, amperes and watts (None: not measured) at one moment."""

    voltage: float
    current: float
    power: float | None = None

    def as_json(self) -> dict[str, Any]:
        """As the journal keeps it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Point:
    """What the reference meter said and what the board showed meanwhile, by the design of its wiring."""

    true: Reading
    shown: Reading


def mean(samples: Sequence[Reading]) -> Reading:
    """Of several moments; Trouble `supply-unsteady` where they differ by more than a hundredth, or none came."""
    if not samples:
        raise Trouble("meter-silent", "the board's metering chip gave no value that can be believed")
    found = {}
    for name in ("voltage", "current", "power"):
        values = [float(getattr(sample, name) or 0.0) for sample in samples]
        found[name] = sum(values) / len(values)
        if name != "power" and max(values) - min(values) > _STEADY * max(values) + 2 * _DIGIT[name]:
            raise Trouble("supply-unsteady", f"the {name} moved from {min(values):.4g} to {max(values):.4g}")
    return Reading(**found)


def gains_of(points: Sequence[Point], rating: int) -> dict[str, int]:
    """The settings that make the board show what the reference meter said. Trouble says why there are none."""
    for point in points:
        _fit(point, rating)
    gains = {name: _gain(name, points) for name in ("current", "voltage")}
    found = {f"{name}_ppm": round((gain - 1) * 1e6) for name, gain in gains.items()}
    if all(point.true.power for point in points):
        found["power_ppm"] = round((_gain("power", points) - 1) * 1e6)
    return found


def _fit(point: Point, rating: int) -> None:
    """Whether a point says anything about the meter."""
    true = point.true
    if true.voltage < _LEAST_VOLTS or true.current < _LEAST_OF_RATED * rating:
        raise Trouble(
            "points-unfit",
            f"a point of {true.voltage:g} V and {true.current:g} A is too small: it takes {_LEAST_VOLTS:g} V and "
            f"{_LEAST_OF_RATED * rating:g} A at least",
        )
    if true.power is not None and abs(true.power) > true.voltage * true.current * (1 + TOLERANCE):
        raise Trouble("points-unfit", f"{true.power:g} W is more than {true.voltage:g} V times {true.current:g} A")


def _gain(name: str, points: Sequence[Point]) -> float:
    true = [float(getattr(point.true, name)) for point in points]
    shown = [float(getattr(point.shown, name)) for point in points]
    if name != "power" and max(true) < _APART * min(true):
        raise Trouble("points-unfit", f"the two points have nearly the same {name} ({true[0]:g} and {true[1]:g})")
    if min(map(abs, shown)) <= 0:
        raise Trouble("gain-refused", f"the board shows no {name} where the reference meter shows {true[0]:g}")
    # Least squares through the origin: the larger point, which is the more exact one, weighs more.
    gain = sum(t * s for t, s in zip(true, shown, strict=True)) / sum(s * s for s in shown)
    if abs(gain - 1) > MOST_OFF:
        raise Trouble(
            "gain-refused",
            f"its {name} is off by {(1 / gain - 1) * 100:+.1f} %, and its parts explain {MOST_OFF * 100:g} % at most",
        )
    each = [t / s for t, s in zip(true, shown, strict=True)]
    if max(each) - min(each) > MOST_BENT:
        raise Trouble(
            "not-linear",
            f"its {name} is off by {(1 / each[0] - 1) * 100:+.2f} % at one point and "
            f"{(1 / each[1] - 1) * 100:+.2f} % at the other",
        )
    return gain


def check(true: Reading, shown: Reading) -> None:
    """Raise Trouble `check-failed` where the calibrated board does not show what the reference meter says."""
    for name, digit in _DIGIT.items():
        wanted = getattr(true, name)
        if wanted is None:
            continue
        found = float(getattr(shown, name) or 0.0)
        if abs(found - wanted) > TOLERANCE * abs(wanted) + digit:
            raise Trouble("check-failed", f"at the check point it shows a {name} of {found:g} in place of {wanted:g}")


def design_of(settings: Mapping[str, Any]) -> list[Any]:
    """What a factor is relative to: shunt, divider and chip. A factor found with another design says nothing."""
    shunt = settings.get("shunt_uohm") or 1600 // int(settings["rating"])
    return [shunt, settings.get("divider", 5789), settings.get("meter", "bl0942")]


def known_gains(
    lines: Sequence[Mapping[str, Any]], uid: str, held: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, int]:
    """The factors that were found and checked for the board `uid` with these very parts; empty where there are none.

    The journal's `lines` decide; a board that another journal calibrated brings its own along, in the settings that it
    `held`.
    """
    mine = [line for line in lines if line.get("uid") == uid]
    given = [at for at, line in enumerate(mine) if "points" in (line.get("calibration") or ())]
    if not given:
        same = bool(held) and design_of(held) == design_of(settings)
        return {name: held[name] for name in GAINS if name in held} if same else {}
    last = mine[given[-1]]
    checked = any("check" in line for line in mine[given[-1] :])
    if not checked or last.get("design") != design_of(settings):
        return {}
    return {name: last["calibration"][name] for name in GAINS if name in last["calibration"]}
