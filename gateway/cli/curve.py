"""`gewu firmware curve`: trip times of the real firmware under MicroPython, beside the limits of the standards."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from gateway.cli.output import JsonFlag, plain, print_json
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from hil_tests.curve.bench import Meter, Outcome, Question
    from hil_tests.curve.limits import Limit

# Multiples of In, or of the rated residual current, at which a picture has its points.
_PICTURE_POINTS = 40
_TRIP_DEFAULT = 16


class _Asked(NamedTuple):
    """What to run and what to hold it against; `unit` is one amps or volts, in which a limit counts."""

    kind: Literal["amps", "volts"]
    values: list[float]
    unit: float
    limits: "list[Limit]"
    title: str
    base: "Question"
    leaks: bool

    def question(self, value: float) -> "Question":
        from dataclasses import replace

        if self.kind == "volts":
            return replace(self.base, volts=value)
        return replace(self.base, leak=value) if self.leaks else replace(self.base, amps=value)


def curve(
    rating: Annotated[int, typer.Option(min=1, max=125, help="Rated current In, A.")] = _TRIP_DEFAULT,
    curve: Annotated[str, typer.Option("--curve", help="B, C or D.")] = "C",
    amps: Annotated[str | None, typer.Option(help="Currents in A, separated by commas.")] = None,
    hot: Annotated[
        float, typer.Option(min=0.0, max=1.26, help="Soak at this multiple of In for the conventional time before.")
    ] = 0.0,
    residual: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Rated residual current, A: --amps are then residual currents.")
    ] = 0.0,
    kind: Annotated[str, typer.Option("--type", help="G (general) or S (selective) residual current.")] = "G",
    volts: Annotated[str | None, typer.Option(help="Voltages in V, separated by commas.")] = None,
    meter: Annotated[str, typer.Option(help="The fitted metering chip: bl0942 or ade7953.")] = "bl0942",
    svg: Annotated[Path | None, typer.Option(help="Draw the curve against the standard's band into this file.")] = None,
    json_output: JsonFlag = False,
) -> None:
    """Compute when the real firmware trips: under MicroPython, in virtual time, chip and module at their pins."""
    from hil_tests.curve import bench

    if (amps is None) == (volts is None):
        raise ConfigurationError("Give either --amps or --volts, as a list such as 18.08,23.2,160.")
    chip: Meter = "ade7953" if _choice("--meter", meter, ("bl0942", "ade7953")) == "ade7953" else "bl0942"
    base = bench.Question(
        rating,
        _choice("--curve", curve.upper(), ("B", "C", "D")),
        chip,
        residual=residual,
        type=_choice("--type", kind.upper(), ("G", "S")),
        hot=hot,
    )
    asked = _ask(base, amps, volts)
    outcomes = bench.run([asked.question(value) for value in asked.values])
    if svg is not None:
        _picture(asked, svg)
    if json_output:
        print_json([_row(asked, value, outcome) for value, outcome in zip(asked.values, outcomes, strict=True)])
        return
    plain.print(f"{asked.title}, {'cold' if not hot else f'after {hot:g} In for the conventional time'}:")
    for value, outcome in zip(asked.values, outcomes, strict=True):
        plain.print(_line(asked, value, outcome))


def _choice(option: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ConfigurationError(f"{option} {value}: it must be one of {', '.join(allowed)}.")
    return value


def _numbers(option: str, text: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigurationError(f"{option} {text}: give numbers separated by commas.") from None
    if not all(0 <= value <= 100_000 for value in values):
        raise ConfigurationError(f"{option} {text}: each number must be from 0 to 100000.")
    return values


def _ask(base: "Question", amps: str | None, volts: str | None) -> _Asked:
    from hil_tests.curve import limits

    chip = base.meter.upper()
    if volts is not None:
        title = f"Voltage, EN 50550 and IEC 60947-2, {chip}"
        return _Asked("volts", _numbers("--volts", volts), 1.0, limits.voltage(), title, base, False)
    values = _numbers("--amps", amps or "")
    if base.residual:
        if base.residual < 0.006:
            raise ConfigurationError("--residual takes A: 0.006 to 1 (0.03 is the usual 30 mA).")
        title = f"Residual current {base.residual * 1000:g} mA, type {base.type}, IEC 61008-1, {chip}"
        return _Asked("amps", values, base.residual, limits.residual(base.type), title, base, True)
    title = f"{base.curve}{base.rating}, IEC 60898-1, {chip}"
    return _Asked("amps", values, base.rating, limits.overcurrent(base.rating, base.curve), title, base, False)


def _row(asked: _Asked, value: float, outcome: "Outcome") -> dict[str, Any]:
    return {
        asked.kind: value,
        "trips": outcome.after is not None,
        "after_s": outcome.after,
        "element": outcome.element,
        "by": outcome.by,
    }


def _line(asked: _Asked, value: float, outcome: "Outcome") -> str:
    from hil_tests.curve import limits

    unit = "V" if asked.kind == "volts" else "A"
    if outcome.withheld:
        did = "stays closed: above the breaking capacity the upstream device opens"
    elif outcome.after is None:
        did = "does not trip within 3 h"
    else:
        did = f"trips after {outcome.after:g} s ({outcome.element}, by the {outcome.by})"
    point = limits.of(asked.limits, value / asked.unit, asked.base.hot > 0)
    if point is None:
        return f"{value:>9g} {unit}  {did}"
    met = point.meets(outcome.after) and not limits.out_of_reach(point, asked.base.meter)
    verdict = "met" if met else "NOT MET by the fitted hardware"
    return f"{value:>9g} {unit}  {did}; {point.name} wants {point.says()} ({point.provenance}): {verdict}"


def _picture(asked: _Asked, path: Path) -> None:
    """The asked values and some more between the ends of the standard's band."""
    from hil_tests.curve import bench, picture

    band = [limit for limit in asked.limits if asked.base.hot or not limit.hot or limit.name == "row b"]
    low, high = min(limit.at for limit in band), max(limit.at for limit in band) * 1.5
    between = [low * (high / low) ** (step / (_PICTURE_POINTS - 1)) for step in range(_PICTURE_POINTS)]
    xs = sorted({*between, *(value / asked.unit for value in asked.values if value > 0)})
    outcomes = bench.run([asked.question(x * asked.unit) for x in xs])
    points = [(x, outcome.after) for x, outcome in zip(xs, outcomes, strict=True) if outcome.after is not None]
    unit = "V" if asked.kind == "volts" else "times the rated residual current" if asked.leaks else "times In"
    text = picture.draw(asked.title, unit, points, band, logarithmic=asked.kind == "amps")
    path.write_text(text, encoding="utf-8")
