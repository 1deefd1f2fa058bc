"""The HTML of `gewu bench camera`: rows, confusion, figures by source, reliability. Pure; nothing is loaded."""

from html import escape

from hil_tests.bench.camera_quality import Judged, Quality
from hil_tests.bench.row import Report

_STYLE = (
    "body{font-family:sans-serif;margin:2em;max-width:70em}table{border-collapse:collapse;margin:1em 0}"
    "td,th{padding:.3em .7em;border:1px solid #ccc;text-align:right}td:first-child,th:first-child{text-align:left}"
)
_SIDE = 260


def page(report: Report, quality: Quality | None) -> str:
    """The whole page."""
    rows = [[row.case, row.metric, f"{row.value:g}", _or(row.limit), _or(row.peer), row.unit] for row in report.rows]
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>gewu bench camera</title>',
        f"<style>{_STYLE}</style></head><body><h1>gewu bench camera</h1><p>{escape(report.machine)}</p>",
        _table(["case", "metric", "value", "limit", "peer", "unit"], rows),
    ]
    for one in quality.judged if quality else []:
        parts += _section(one, quality.labels if quality else [])
    if quality and quality.bad:
        parts.append(
            "<h2>Pictures that could not be used</h2>" + "".join(f"<p>{escape(one)}</p>" for one in quality.bad)
        )
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _section(one: Judged, labels: list[str]) -> list[str]:
    confusion = [[name, *map(str, counts)] for name, counts in zip(labels, one.confusion, strict=True)]
    sources = [
        [label, source, str(n), f"{recall:.3f}", f"{share:.3f}"] for label, source, n, recall, share in one.by_source
    ]
    return [
        f"<h2>{escape(one.case)}</h2><p>{escape(one.note)}; {one.pictures} pictures.</p>",
        "<h3>Confusion: rows show, columns were found</h3>",
        _table(["shows", *labels, "unsure"], confusion),
        "<h3>By class and source</h3>",
        _table(["shows", "source", "pictures", "recall", "unsure"], sources),
        "<h3>Reliability: mean top score against the share that was right</h3>",
        _diagram(one.reliability),
    ]


def _table(heads: list[str], rows: list[list[str]]) -> str:
    top = "".join(f"<th>{escape(head)}</th>" for head in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _diagram(bins: list[tuple[float, float, int]]) -> str:
    most = max((count for _, _, count in bins), default=1)
    dots = "".join(
        f'<circle cx="{_SIDE * score:.1f}" cy="{_SIDE * (1 - right):.1f}" r="{3 + 7 * (count / most) ** 0.5:.1f}" '
        f'fill="#1f4e9c"><title>score {score:.2f}, right {right:.2f}, {count} pictures</title></circle>'
        for score, right, count in bins
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_SIDE + 20}" height="{_SIDE + 20}" viewBox="-10 -10 '
        f'{_SIDE + 20} {_SIDE + 20}"><rect width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#999"/>'
        f'<line x1="0" y1="{_SIDE}" x2="{_SIDE}" y2="0" stroke="#bbb"/>{dots}</svg>'
    )


def _or(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"
