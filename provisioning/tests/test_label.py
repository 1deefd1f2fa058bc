"""Labels: their texts, the check digit, sheets that fit the paper, codes that hold the right address."""

import re
from pathlib import Path
from typing import Any

import pytest
import reportlab
import segno
from PIL import Image

from gateway.errors import ConfigurationError
from provisioning.claims import serials
from provisioning.label import UPSTREAM, Label, check_digit, checked_console, label_of
from provisioning.label_picture import Face, write_each, write_sheets
from provisioning.label_sheet import PAPERS, Paper, write_pdf
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
    for part in ("b0101 C16 A 30 mA", "关键负荷", PLACE, "照明", "地址 Address 7", *UPSTREAM):
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
        assert b"/FontFile2" in data  # Latin letters are in the document
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


def dark(picture: Image.Image) -> tuple[int, int, int, int]:
    """The box around all that is not white."""
    box = picture.point(lambda value: 255 - value).getbbox()
    assert box is not None
    return box


def test_pictures_hold_the_address_and_the_texts(tmp_path: Path) -> None:
    """Module by module what the encoder makes of the URL, with a quiet zone around it, and texts beside it."""
    paper = PAPERS["L7160"]
    (path,) = write_each([LABEL], tmp_path / "codes", paper, Face(None))
    assert path.name == "b0101.png"
    matrix = segno.make_qr(LABEL.url, error="m").matrix
    with Image.open(path) as picture:
        assert picture.size == (750, 450)
        padding, room = 24, min(450 - 48, int(750 * 0.42))
        module = room // (len(matrix) + 8)
        top = (450 - module * (len(matrix) + 8)) // 2
        places = range(len(matrix))
        seen = [
            [picture.getpixel((padding + int((c + 4.5) * module), top + int((r + 4.5) * module))) == 0 for c in places]
            for r in places
        ]
        assert seen == [[bool(cell) for cell in row] for row in matrix]
        side = padding + module * (len(matrix) + 8)
        quiet = picture.crop((padding, top, side, top + 4 * module))
        assert quiet.getextrema() == (255, 255)
        left, high, right, low = dark(picture.crop((side, 0, *picture.size)))
        assert side + left > side
        assert side + right <= 750 - padding + 1
        assert (high >= padding - 2, low <= 450 - padding, low - high > 100) == (True, True, True)


def test_picture_sheets_fit_the_paper(tmp_path: Path) -> None:
    """As the PDF: one sheet, one more, used labels passed over; A4 at 300 dpi."""
    paper = PAPERS["L7160"]
    for count, skip, sheets in ((paper.labels, 0, 1), (2, paper.labels - 1, 2)):
        paths = write_sheets([LABEL] * count, tmp_path / "l.png", paper, Face(None), skip)
        assert [path.name for path in paths] == ["l.png", "l-2.png"][:sheets]
    with Image.open(paths[0]) as first, Image.open(paths[1]) as second:
        assert first.size == (2480, 3508)
        assert first.info["dpi"][0] == pytest.approx(300, abs=0.1)
        assert dark(first)[0] > 1240  # the last place of the first sheet
        assert dark(second)[2] < 1240  # and the first of the next


def test_a_font_without_chinese_shows_no_boxes(tmp_path: Path) -> None:
    """Latin stays, a place that it cannot spell is left out; a named font must be able to spell it."""
    text = [line for line, _size in LABEL.lines(measure, 1000, 7, latin=True)]
    assert text == [
        "b0101 C16 A 30 mA",
        "Address 7  CRITICAL!",
        f"SN 3f524cdc07a1  check {check_digit('3f524cdc07a1')}",
        "Certified MCB/RCBO upstream",
    ]
    with pytest.raises(ConfigurationError, match="has no Chinese"):
        Face(Path(reportlab.__file__).parent / "fonts" / "Vera.ttf")
    (tmp_path / "x.ttf").write_bytes(b"no font")
    with pytest.raises(ConfigurationError, match="cannot be put into a PDF"):
        write_pdf([LABEL], tmp_path / "l.pdf", PAPERS["L7160"], 0, tmp_path / "x.ttf")
    with pytest.raises(ConfigurationError, match="is no font"):
        Face(tmp_path / "x.ttf")


@pytest.mark.parametrize("paper", PAPERS.values())
def test_what_tells_a_board_apart_is_never_cut(paper: Paper) -> None:
    """Id, serial and the word on the protection upstream are whole on every paper, smaller where need be."""
    room = (paper.width * (1 - 0.42) - 5) * 72 / 25.4
    text = "\n".join(line for line, _size in LABEL.lines(measure, room, paper.text))
    for whole in ("b0101 C16 A 30 mA", "SN 3f524cdc07a1", "关键负荷!", *UPSTREAM):
        assert whole in text


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
