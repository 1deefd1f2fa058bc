"""Draws trip times against the standard's band as an SVG. Pure: values in, text out."""

import math
from collections.abc import Sequence
from html import escape

from hil_tests.curve.limits import Limit

Point = tuple[float, float]  # x as asked, seconds

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 760, 560, 70, 40, 20, 60
_SECONDS = (0.01, 20_000.0)


class _Scale:
    """Where a value lies on the paper; x logarithmic or not, time always."""

    def __init__(self, low: float, high: float, logarithmic: bool) -> None:
        self._map = math.log10 if logarithmic else float
        self._low, self._high = self._map(low), self._map(high)

    def x(self, value: float) -> float:
        share = (self._map(value) - self._low) / (self._high - self._low)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    @staticmethod
    def y(seconds: float) -> float:
        low, high = (math.log10(value) for value in _SECONDS)
        share = (math.log10(min(max(seconds, _SECONDS[0]), _SECONDS[1])) - low) / (high - low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def draw(
    title: str,
    unit: str,
    points: Sequence[Point],
    band: Sequence[Limit],
    logarithmic: bool = True,
    measured: Sequence[Point] = (),
) -> str:
    """The whole SVG. `points` are joined by a line, `measured` ones stand alone beside it, both by x.

    `band`: the standard's points, each drawn as the times that meet it.
    """
    xs = [x for x, _ in [*points, *measured]] + [limit.at for limit in band]
    scale = _Scale(min(xs) * 0.95, max(xs) * 1.05, logarithmic)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="15">{escape(title)}</text>',
        *_grid(scale, unit),
        *(_bar(scale, limit) for limit in band),
        *_line(scale, points),
        *(_ring(scale.x(x), scale.y(seconds)) for x, seconds in measured),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _grid(scale: _Scale, unit: str) -> list[str]:
    lines = []
    for decade in range(-2, 5):
        y = scale.y(10.0**decade)
        lines.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**decade:g} s</text>')
    lines.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 12}" text-anchor="middle">{escape(unit)}</text>')
    return lines


def _bar(scale: _Scale, limit: Limit) -> str:
    x = scale.x(limit.at)
    top, bottom = scale.y(limit.longest or _SECONDS[1]), scale.y(limit.lowest or _SECONDS[0])
    return (
        f'<rect x="{x - 5:.1f}" y="{top:.1f}" width="10" height="{max(bottom - top, 2):.1f}" fill="#9cd29c">'
        f"<title>{escape(f'{limit.name}: {limit.says()} ({limit.provenance})')}</title></rect>"
        f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{escape(limit.name)}</text>'
    )


def _ring(x: float, y: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="none" stroke="#c03" stroke-width="2"/>'


def _line(scale: _Scale, points: Sequence[Point]) -> list[str]:
    places = [(scale.x(x), scale.y(seconds)) for x, seconds in sorted(points)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="#1f4e9c"/>' for x, y in places]
    return [f'<polyline points="{path}" fill="none" stroke="#1f4e9c" stroke-width="1.5"/>', *dots]
