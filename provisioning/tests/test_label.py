"""Labels: their texts, the check digit, sheets that fit the paper, codes that hold the right address."""

import re
from pathlib import Path
from typing import Any

import pytest
import segno
from PIL import Image

from gateway.errors import ConfigurationError
from provisioning.claims import serials
from provisioning.label import UPSTREAM, Label, check_digit, checked_console, label_of
from provisioning.label_sheet import PAPERS, write_pdf, write_pictures
from provisioning.plan import Plan, PlanRow

PLACE = "清河街道/清溪社区/三网格/幸福小区/1号楼/101"
ROW = PlanRow(2, "b0101", PLACE, "照明", "gewu-breaker", 16, "C", 7, None, 30, True)
LABEL = label_of(ROW, "3f524cdc07a1", "http://gewu.local/")


def measure(text: str, size: float) -> float:
    """Chinese is twice as wide as Latin."""
    return sum(size if ord(character) > 255 else size / 2 for character in text)


def test_the_check_digit_is_iso_7064() -> None:
    """The published example of a number with a MOD 37,36 check character (the Global Release Identifier's)."""
    assert check_digit("A1-2425G-ABC1234002") == "M"


def test_a_wrong_or_swapped_character_shows() -> None:
    """Every single mistake, and every swap of two different neighbours."""
    serial = "3F524CDC07A1"
    right = check_digit(serial)
    assert check_digit(serial.lower()) == right
    for at, character in enumerate(serial):
        for other in "0123456789ABCDEF".replace(character, ""):
            assert check_digit(serial[:at] + other + serial[at + 1 :]) != right
        swapped = serial[:at] + serial[at : at + 2][::-1] + serial[at + 2 :]
        assert swapped == serial or check_digit(swapped) != right


def test_what_stands_on_a_label() -> None:
    """Id, rating, place, circuit, address, serial with its check digit, and who protects upstream."""
    text = "\n".join(line for line, _size in LABEL.lines(measure, 1000, 7))
    for part in ("b0101 C16 A 30 mA", "关键负荷", PLACE, "照明", "地址 Address 7", UPSTREAM):
        assert part in text
    assert f"SN 3f524cdc07a1  校验 {check_digit('3f524cdc07a1')}" in text
    assert LABEL.url == "http://gewu.local/devices/b0101"
    blank = label_of(ROW, None, "http://gewu.local")
    assert (blank.check, blank.serial) == ("", None)
    assert "SN ____" in "\n".join(line for line, _size in blank.lines(measure, 1000, 7))


@pytest.mark.parametrize("width", [20, 60, 100, 140])
def test_long_texts_lose_their_beginning(width: float) -> None:
    """Nothing is wider than the label; the door at the end of a place stays."""
    lines = LABEL.lines(measure, width, 7)
    assert all(measure(text, size) <= width for text, size in lines)
    assert any(text.endswith("101") for text, _size in lines) or width < 21


@pytest.mark.parametrize("name", PAPERS)
def test_sheets_fit_the_paper(name: str, tmp_path: Path) -> None:
    """Labels stay on A4, a full sheet is one page, one more is two, and used ones are passed over."""
    paper = PAPERS[name]
    assert paper.columns * paper.width + (paper.columns - 1) * paper.gap <= 210
    assert paper.rows * paper.height <= 297
    path = tmp_path / "labels.pdf"
    for count, skip, sheets in (
        (paper.labels, 0, 1),
        (paper.labels + 1, 0, 2),
        (1, paper.labels - 1, 1),
        (2, paper.labels - 1, 2),
    ):
        assert write_pdf([LABEL] * count, path, paper, skip) == sheets
        data = path.read_bytes()
        assert len(re.findall(rb"/Type /Page\b", data)) == sheets
        assert b"/STSong-Light" in data
        if count <= 2:  # one that was written twice says as much as four
            write_pdf([LABEL] * count, path, paper, skip)
            assert path.read_bytes() == data


def test_every_line_has_its_place_on_every_paper() -> None:
    """All lines together are no higher than the smallest label."""
    longest = label_of(ROW, "W" * 16, "http://gewu.local")
    for paper in PAPERS.values():
        lines = longest.lines(measure, paper.width, paper.text)
        points = sum(size * 1.25 for _text, size in lines)
        assert points <= (paper.height - 4) * 72 / 25.4


def test_pictures_hold_the_address(tmp_path: Path) -> None:
    """Module by module what the encoder makes of the URL, with a quiet zone around it."""
    (path,) = write_pictures([LABEL], tmp_path / "codes")
    assert path.name == "b0101.png"
    matrix = segno.make_qr(LABEL.url, error="m").matrix
    with Image.open(path) as picture:
        grey = picture.convert("L")
        assert grey.width == (len(matrix) + 8) * 10
        seen = [
            [grey.getpixel((10 * (column + 4) + 5, 10 * (row + 4) + 5)) == 0 for column in range(len(matrix))]
            for row in range(len(matrix))
        ]
        assert seen == [[bool(cell) for cell in row] for row in matrix]
        assert grey.crop((0, 0, grey.width, 40)).getextrema() == (255, 255)


def test_serials_come_from_the_journal() -> None:
    """The board that has the row now; before there is one, what the plan asks for."""
    other = PlanRow(3, "b0102", "p", "c", "gewu-breaker", 16, "C", 8, "SN-2", None, False)
    lines: list[dict[str, Any]] = [
        {"do": "commission", "id": "b0101", "serial": "old"},
        {"do": "commission", "id": None, "serial": "x"},
        {"do": "commission", "id": "b0101", "serial": "new"},
    ]
    assert serials(Plan((ROW, other)), lines) == {"b0101": "new", "b0102": "SN-2"}


@pytest.mark.parametrize("url", ["gewu.local", "ftp://x", "http://", "http://x/?a=1"])
def test_a_console_has_a_web_address(url: str) -> None:
    """Anything else would be printed on forty labels."""
    with pytest.raises(ConfigurationError, match="no address of a console"):
        checked_console(url)


def test_a_label_is_plain_values() -> None:
    """What `--json` shows."""
    assert isinstance(LABEL, Label)
    assert LABEL.as_json() == {
        "id": "b0101",
        "serial": "3f524cdc07a1",
        "check": check_digit("3f524cdc07a1"),
        "address": 7,
        "place": PLACE,
        "url": "http://gewu.local/devices/b0101",
    }
