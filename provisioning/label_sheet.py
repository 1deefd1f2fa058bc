"""Labels on paper: the geometry of common label paper, and PDF sheets of it. It decides no text."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import segno
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas

from gateway.errors import ConfigurationError
from provisioning.label import Label, unspelled

# Latin letters are in the document. Chinese is not, unless a font is named: STSong-Light is one of those that a PDF
# reader with its Asian language pack shows by itself; one without it shows nothing there.
_LATIN, _CHINESE, _NAMED = "Vera", "STSong-Light", "named"
PADDING_MM = 2.0
CODE_SHARE = 0.42
"""Of a label's width, at most, is its QR code."""
QUIET = 4
"""Modules of white around a QR code (ISO/IEC 18004)."""


@dataclass(frozen=True, slots=True)
class Paper:
    """A sheet of A4, in mm. `gap` is between columns; rows touch. What is left over is margin, half on each side."""

    width: float
    height: float
    columns: int
    rows: int
    gap: float
    text: float  # points

    @property
    def labels(self) -> int:
        """On one sheet."""
        return self.columns * self.rows


# Sizes as the maker prints them on the boxes.
PAPERS = {
    "L7160": Paper(63.5, 38.1, 3, 7, 2.5, 7.0),
    "L7163": Paper(99.1, 38.1, 2, 7, 2.5, 8.5),
    "L4736": Paper(45.7, 21.2, 4, 12, 2.5, 4.5),
}


def write_pdf(labels: Sequence[Label], path: Path, paper: Paper, skip: int = 0, font: Path | None = None) -> int:
    """The sheets, beginning after `skip` used labels; how many sheets. `font` is embedded for what is not Latin.

    Raises OSError, and ConfigurationError for a font that cannot be embedded.
    """
    pdfmetrics.registerFont(TTFont(_LATIN, "Vera.ttf"))
    other = _chinese(font)
    # invariant: the same labels are the same bytes.
    canvas = Canvas(str(path), pagesize=A4, invariant=1)
    canvas.setTitle("Gewu labels")
    sheets = 1
    for number, label in enumerate(labels, start=skip):
        if number and number != skip and number % paper.labels == 0:
            canvas.showPage()
            sheets += 1
        _draw(canvas, label, paper, other, *corner(paper, number % paper.labels))
    canvas.save()
    return sheets


def code(label: Label) -> segno.QRCode:
    """The QR code of a label."""
    return _made(label.url)


@lru_cache(maxsize=256)  # as many as a bus has devices: a sheet that is printed again asks for the same ones
def _made(url: str) -> segno.QRCode:
    return segno.make_qr(url, error="m")


def corner(paper: Paper, number: int) -> tuple[float, float]:
    """Left and bottom of a label in points; they go from the left to the right, then down."""
    left = (A4[0] / mm - paper.columns * paper.width - (paper.columns - 1) * paper.gap) / 2
    top = (A4[1] / mm - paper.rows * paper.height) / 2
    row, column = divmod(number, paper.columns)
    x = left + column * (paper.width + paper.gap)
    y = A4[1] / mm - top - (row + 1) * paper.height
    return x * mm, y * mm


def _draw(canvas: Canvas, label: Label, paper: Paper, other: str, x: float, y: float) -> None:
    padding = PADDING_MM * mm
    side = min(paper.height * mm - 2 * padding, paper.width * mm * CODE_SHARE)
    _draw_code(canvas, label, x + padding, y + (paper.height * mm - side) / 2, side)
    left = x + padding + side + padding / 2
    room = x + paper.width * mm - padding - left
    lines = label.lines(lambda text, size: sum(_width(*run, size) for run in _runs(text, other)), room, paper.text)
    below = y + paper.height * mm - padding
    for text, size in lines:
        below -= size * 1.25
        at = left
        for run, face in _runs(text, other):
            canvas.setFont(face, size)
            canvas.drawString(at, below + size * 0.25, run)
            at += _width(run, face, size)


def _runs(text: str, other: str) -> list[tuple[str, str]]:
    """`text` in pieces of one font each."""
    pieces = itertools.groupby(text, lambda character: other if unspelled(character) else _LATIN)
    return [("".join(piece), face) for face, piece in pieces]


def _width(text: str, face: str, size: float) -> float:
    return float(pdfmetrics.stringWidth(text, face, size))


def _chinese(font: Path | None) -> str:
    """The name of what sets Chinese."""
    if font is None:
        pdfmetrics.registerFont(UnicodeCIDFont(_CHINESE))
        return _CHINESE
    try:
        pdfmetrics.registerFont(TTFont(_NAMED, str(font)))
    except (TTFError, OSError) as error:
        raise ConfigurationError(
            f"--font {font} cannot be put into a PDF: it takes TrueType outlines (.ttf, .ttc), such as WenQuanYi; or "
            "take --out labels.png."
        ) from error
    return _NAMED


def _draw_code(canvas: Canvas, label: Label, x: float, y: float, side: float) -> None:
    matrix = code(label).matrix
    module = side / (len(matrix) + 2 * QUIET)
    path = canvas.beginPath()
    for row, cells in enumerate(matrix):
        bottom = y + side - (row + 1 + QUIET) * module
        column = 0
        for dark, run in itertools.groupby(cells):
            count = len(list(run))
            if dark:
                path.rect(x + (column + QUIET) * module, bottom, count * module, module)
            column += count
    canvas.drawPath(path, stroke=0, fill=1)
