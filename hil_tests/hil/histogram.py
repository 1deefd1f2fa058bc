"""Draws how long answers took as an SVG. Pure: milliseconds in, text out."""

from collections.abc import Sequence
from html import escape

from hil_tests.bench.measure import percentile

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 760, 240, 50, 34, 20, 44
_BARS = 40
SHARES = (0.5, 0.9, 0.99)


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """p50, p90, p99 and the longest, in ms."""
    found = {f"p{share * 100:g}": percentile(milliseconds, share) for share in SHARES}
    return found | {"max": max(milliseconds)}


def draw(title: str, milliseconds: Sequence[float]) -> str:
    """The whole SVG; at least one value. The last bar takes all that is beyond the axis."""
    top = max(percentile(milliseconds, 0.99) * 1.25, 1e-3)
    counts = [0] * _BARS
    for value in milliseconds:
        counts[min(int(value / top * _BARS), _BARS - 1)] += 1
    width = (_WIDTH - _LEFT - _RIGHT) / _BARS
    height = _HEIGHT - _TOP - _BOTTOM
    base = _HEIGHT - _BOTTOM
    bars = [
        f'<rect x="{_LEFT + number * width:.1f}" y="{base - count / max(counts) * height:.1f}" '
        f'width="{width - 1:.1f}" height="{count / max(counts) * height:.1f}" fill="#1f4e9c"/>'
        for number, count in enumerate(counts)
        if count
    ]
    marks = []
    for name, value in percentiles(milliseconds).items():
        x = _LEFT + min(value / top, 1.0) * (_WIDTH - _LEFT - _RIGHT)
        marks.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{base}" stroke="#c03" stroke-dasharray="3 3"/>')
        marks.append(f'<text x="{x:.1f}" y="{_TOP - 4}" text-anchor="middle" fill="#c03">{name}</text>')
    ticks = [
        f'<text x="{_LEFT + share * (_WIDTH - _LEFT - _RIGHT):.1f}" y="{base + 16}" text-anchor="middle">'
        f"{share * top:.1f}</text>"
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
            'font-size="12">',
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
            f'<text x="{_LEFT}" y="16" font-size="14">{escape(title)}</text>',
            *bars,
            *marks,
            *ticks,
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{base}" y2="{base}" stroke="#444"/>',
            f'<text x="{_LEFT - 6}" y="{_TOP + 8}" text-anchor="end">{max(counts)}</text>',
            f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 8}" text-anchor="middle">ms</text>',
            "</svg>",
        ]
    )
