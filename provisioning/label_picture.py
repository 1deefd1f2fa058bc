"""Labels as pictures: PNG sheets for label paper, or a PNG of each label for printers that take one at a time.

Chinese needs a font that has it, which the caller names: none comes with gewu. Without one everything is set that Latin
letters spell, and what they do not is left out, never shown as boxes. It decides no text.
"""

from collections.abc import Sequence
from pathlib import Path

import reportlab
from PIL import Image, ImageDraw, ImageFont

from gateway.errors import ConfigurationError
from provisioning.label import Label
from provisioning.label_sheet import CODE_SHARE, PADDING_MM, QUIET, Paper, code, corner

DPI = 300
_A4 = (2480, 3508)
_LATIN = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"
_NOWHERE = "\U000ffffd"  # a private character that no font has: what a font shows instead of what it lacks
_LEADING = 1.25


class Face:
    """One font in all sizes. `latin` where it has no Chinese."""

    def __init__(self, path: Path | None) -> None:
        """ConfigurationError where `path` is no font, or has none of the Chinese that every label carries."""
        self.latin = path is None
        self._path = path or _LATIN
        self._sizes: dict[int, ImageFont.FreeTypeFont] = {}
        try:
            face = self.at(40)
        except OSError as error:
            raise ConfigurationError(f"--font {path} is no font file (.ttf, .otf, .ttc).") from error
        if path is not None and bytes(face.getmask("地")) == bytes(face.getmask(_NOWHERE)):
            raise ConfigurationError(f"--font {path} has no Chinese; take one such as Noto Sans CJK or WenQuanYi.")

    def at(self, pixels: float) -> ImageFont.FreeTypeFont:
        """The font at a size."""
        whole = max(round(pixels), 1)
        if whole not in self._sizes:
            self._sizes[whole] = ImageFont.truetype(str(self._path), whole)
        return self._sizes[whole]


def write_sheets(labels: Sequence[Label], path: Path, paper: Paper, face: Face, skip: int = 0) -> list[Path]:
    """A4 sheets at 300 dpi: `path`, then `path` with -2, -3 before its ending. Raises OSError."""
    written: list[Path] = []
    pages = [range(at, at + paper.labels) for at in range(0, skip + len(labels), paper.labels)]
    for number, places in enumerate(pages, start=1):
        sheet = Image.new("L", _A4, 255)
        for place in places:
            if skip <= place < skip + len(labels):
                x, y = corner(paper, place % paper.labels)
                left, top = _pixels(x), _A4[1] - _pixels(y) - _mm(paper.height)
                sheet.paste(_label(labels[place - skip], paper, face), (left, top))
        written.append(path if number == 1 else path.with_stem(f"{path.stem}-{number}"))
        sheet.save(written[-1], dpi=(DPI, DPI))
    return written


def write_each(labels: Sequence[Label], folder: Path, paper: Paper, face: Face) -> list[Path]:
    """A PNG of each label by its id, as large as one label of `paper` at 300 dpi. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for label in labels:
        paths.append(folder / f"{label.id}.png")
        _label(label, paper, face).save(paths[-1], dpi=(DPI, DPI))
    return paths


def _label(label: Label, paper: Paper, face: Face) -> Image.Image:
    width, height, padding = _mm(paper.width), _mm(paper.height), _mm(PADDING_MM)
    picture = Image.new("L", (width, height), 255)
    room = min(height - 2 * padding, int(width * CODE_SHARE))
    side = _code(label, picture, padding, height, room)
    left = padding + side + padding // 2
    draw = ImageDraw.Draw(picture)
    size = _pixels(paper.text)
    lines = label.lines(lambda text, at: face.at(at).getlength(text), width - padding - left, size, face.latin)
    top: float = padding
    for text, at in lines:
        draw.text((left, top), text, fill=0, font=face.at(at))
        top += at * _LEADING
    return picture


def _code(label: Label, picture: Image.Image, padding: int, height: int, room: int) -> int:
    """The QR code in whole points, so that none of its edges is grey; its side."""
    matrix = code(label).matrix
    module = room // (len(matrix) + 2 * QUIET)
    side = module * (len(matrix) + 2 * QUIET)
    top = (height - side) // 2
    for row, cells in enumerate(matrix):
        for column, dark in enumerate(cells):
            if dark:
                x, y = padding + (column + QUIET) * module, top + (row + QUIET) * module
                picture.paste(0, (x, y, x + module, y + module))
    return side


def _mm(length: float) -> int:
    return round(length * DPI / 25.4)


def _pixels(points: float) -> int:
    return round(points * DPI / 72)
