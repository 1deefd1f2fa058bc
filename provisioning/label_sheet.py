"""Labels on paper: PDF sheets for common label paper, or a QR picture for each device. It decides no text."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import segno
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from provisioning.label import Label

# One of the fonts that every PDF reader can show without the file being in the document; it has Latin letters as well.
_FONT = "STSong-Light"
_PADDING_MM = 2.0
_QUIET = 4  # modules of white around a QR code (ISO/IEC 18004)


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


def write_pdf(labels: Sequence[Label], path: Path, paper: Paper, skip: int = 0) -> int:
    """The sheets, beginning after `skip` used labels; how many sheets. Raises OSError."""
    pdfmetrics.registerFont(UnicodeCIDFont(_FONT))
    # invariant: the same labels are the same bytes.
    canvas = Canvas(str(path), pagesize=A4, invariant=1)
    canvas.setTitle("Gewu labels")
    sheets = 1
    for number, label in enumerate(labels, start=skip):
        if number and number != skip and number % paper.labels == 0:
            canvas.showPage()
            sheets += 1
        _draw(canvas, label, paper, *_corner(paper, number % paper.labels))
    canvas.save()
    return sheets


def write_pictures(labels: Sequence[Label], folder: Path) -> list[Path]:
    """A PNG of the QR code of each device, by id: for printers that set the text themselves. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for label in labels:
        paths.append(folder / f"{label.id}.png")
        _code(label).save(str(paths[-1]), scale=10, border=_QUIET)
    return paths


def _code(label: Label) -> segno.QRCode:
    return segno.make_qr(label.url, error="m")


def _corner(paper: Paper, number: int) -> tuple[float, float]:
    """Left and bottom of a label in points; they go from the left to the right, then down."""
    left = (A4[0] / mm - paper.columns * paper.width - (paper.columns - 1) * paper.gap) / 2
    top = (A4[1] / mm - paper.rows * paper.height) / 2
    row, column = divmod(number, paper.columns)
    x = left + column * (paper.width + paper.gap)
    y = A4[1] / mm - top - (row + 1) * paper.height
    return x * mm, y * mm


def _draw(canvas: Canvas, label: Label, paper: Paper, x: float, y: float) -> None:
    padding = _PADDING_MM * mm
    side = min(paper.height * mm - 2 * padding, paper.width * mm * 0.42)
    _draw_code(canvas, label, x + padding, y + (paper.height * mm - side) / 2, side)
    left = x + padding + side + padding / 2
    room = x + paper.width * mm - padding - left
    lines = label.lines(lambda text, size: float(pdfmetrics.stringWidth(text, _FONT, size)), room, paper.text)
    below = y + paper.height * mm - padding
    for text, size in lines:
        below -= size * 1.25
        canvas.setFont(_FONT, size)
        canvas.drawString(left, below + size * 0.25, text)


def _draw_code(canvas: Canvas, label: Label, x: float, y: float, side: float) -> None:
    matrix = _code(label).matrix
    module = side / (len(matrix) + 2 * _QUIET)
    path = canvas.beginPath()
    for row, cells in enumerate(matrix):
        bottom = y + side - (row + 1 + _QUIET) * module
        column = 0
        for dark, run in itertools.groupby(cells):
            count = len(list(run))
            if dark:
                path.rect(x + (column + _QUIET) * module, bottom, count * module, module)
            column += count
    canvas.drawPath(path, stroke=0, fill=1)
