"""The installer's plan: what is taken, and the sentence for each mistake."""

import io
from pathlib import Path

import openpyxl
import pytest

from gateway.errors import ConfigurationError
from provisioning.plan import ADDRESSES, RATINGS, RESIDUAL_MA, PlanRow
from provisioning.plan_file import read_plan
from provisioning.protection_settings import ProtectionSettings
from provisioning.settings import BoardSettings

HEAD = "id,place,circuit,profile,rating,curve,address,serial,residual,critical"
GOOD = ["b0101,清溪/1号楼/101,照明,gewu-breaker,16,C,1,GW-01,30,no", "s1,清溪/1号楼/101,,gewu-sensor,16,,2,,,"]


def written(path: Path, *rows: str, head: str = HEAD, encoding: str = "utf-8") -> Path:
    path.write_bytes("\r\n".join([head, *rows]).encode(encoding) + b"\r\n")
    return path


def mistakes(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        read_plan(path)
    return str(refused.value).replace(f"{path}: ", "").splitlines()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_csv_in_every_encoding_of_a_spreadsheet(tmp_path: Path, encoding: str) -> None:
    """Chinese places come out the same."""
    first, second = read_plan(written(tmp_path / "p.csv", *GOOD, encoding=encoding)).rows
    assert first == PlanRow(2, "b0101", "清溪/1号楼/101", "照明", "gewu-breaker", 16, "C", 1, "GW-01", 30, False)
    assert (second.id, second.curve, second.serial, second.residual) == ("s1", None, None, None)


def test_xlsx_is_the_same_plan(tmp_path: Path) -> None:
    """Numbers, floats and booleans of cells are what a person sees; an empty row in between is passed over."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(HEAD.split(","))
    sheet.append(["b0101", "清溪/1号楼/101", "照明", "gewu-breaker", 16.0, "c", 1, "GW-01", 0.03, False])
    sheet.append([])
    sheet.append(["s1", "清溪/1号楼/101", None, "gewu-sensor", "16 A", None, 2])
    path = tmp_path / "p.xlsx"
    book.save(path)
    rows = read_plan(path).rows
    assert rows[0] == read_plan(written(tmp_path / "p.csv", *GOOD)).rows[0]
    assert (rows[1].row, rows[1].rating) == (4, 16)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("b2,p,c,gewu-breaker,16,C,1,,,", "row 3, column address: 1 stands in row 2 (b0101) too"),
        ("b0101,p,c,gewu-breaker,16,C,3,,,", "row 3, column id: b0101 stands in row 2 (b0101) too"),
        ("b2,p,c,gewu-breaker,16,C,3,GW-01,,", "row 3, column serial: GW-01 stands in row 2"),
        ("b2,清溪/1号楼/101,照明,gewu-breaker,16,C,3,,,", "row 3, column circuit: 照明 stands in row 2"),
        ("b2,,c,gewu-breaker,16,C,3,,,", "row 3, column place: is empty"),
        ("b2,p,,gewu-breaker,16,C,3,,,", "row 3, column circuit: is empty"),
        (",p,c,gewu-breaker,16,C,3,,,", "row 3, column id: is empty"),
        ("b 2,p,c,gewu-breaker,16,C,3,,,", 'row 3, column id: "b 2" is no id'),
        ("b2,p,c,gewu-braker,16,C,3,,,", 'did you mean "gewu-breaker"?'),
        ("b2,p,c,gewu-breaker,0,C,3,,,", 'row 3, column rating: "0" is not a whole number from 1 to 125 A'),
        ("b2,p,c,gewu-breaker,126,C,3,,,", "row 3, column rating"),
        ("b2,p,c,gewu-breaker,1e1,C,3,,,", "row 3, column rating"),
        ("b2,p,c,gewu-breaker,16,K,3,,,", 'row 3, column curve: "K" is no curve'),
        ("b2,p,c,gewu-breaker,16,,3,,,", "row 3, column curve: is empty"),
        ("b2,p,c,gewu-breaker,16,C,0,,,", "row 3, column address"),
        ("b2,p,c,gewu-breaker,16,C,248,,,", "row 3, column address"),
        ("b2,p,c,gewu-breaker,16,C,,,,", "row 3, column address: is empty"),
        ("b2,p,c,gewu-breaker,16,C,3,no good,,", "row 3, column serial"),
        ("b2,p,c,gewu-breaker,16,C,3,,5,", "row 3, column residual"),
        ("b2,p,c,gewu-breaker,16,C,3,,2 A,", "row 3, column residual"),
        ("b2,p,c,gewu-breaker,16,C,3,,,perhaps", "row 3, column critical"),
        ("b2,p,c,gewu-breaker,16,C,3,,,,x", "a comma too many"),
        ("s2,p,,gewu-sensor,16,,3,,30,", "row 3, column residual"),
    ],
)
def test_each_mistake_names_row_and_column(tmp_path: Path, row: str, said: str) -> None:
    """One mistake, one sentence."""
    sentences = mistakes(written(tmp_path / "p.csv", GOOD[0], row))
    assert len(sentences) == 1
    assert said in sentences[0]


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    """Nobody corrects a sheet one mistake at a time."""
    assert len(mistakes(written(tmp_path / "p.csv", "b1,,c,x,0,K,0,,,", "b1,p,c,gewu-breaker,16,C,1,,,"))) == 6


@pytest.mark.parametrize("text", ["30", "30 mA", "0.03", "0.03A", "30.0"])
def test_a_residual_current_as_people_write_it(tmp_path: Path, text: str) -> None:
    """Milliampere or ampere: the ranges do not meet."""
    path = written(tmp_path / "p.csv", f"b2,p,c,gewu-breaker,16,C,3,,{text},是")
    assert [(row.residual, row.critical) for row in read_plan(path).rows] == [(30, True)]


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (
            HEAD.replace("residual", "residul"),
            'column 9 is called "residul", which is unknown; the nearest is "residual"',
        ),
        (HEAD.replace("serial", "id"), 'two columns are called "id"'),
        (HEAD.replace("place,", ""), 'the column "place" is missing'),
    ],
)
def test_a_wrong_header(tmp_path: Path, head: str, said: str) -> None:
    """No row is read under a wrong name."""
    assert any(said in sentence for sentence in mistakes(written(tmp_path / "p.csv", *GOOD, head=head)))


def truncated_book() -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    book.save(file)
    return file.getvalue()[:2000]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the plan is empty"),
        (HEAD.encode(), "a header and no device"),
        (HEAD.encode() + b'\nb1,"half a row', "no whole CSV"),
        (b"\xff\xff\xff", "neither in UTF-8 nor in GB18030"),
        (b"id\0", "zero bytes"),
        (b"\xd0\xcf\x11\xe0....", "old .xls"),
        (truncated_book(), "no whole xlsx"),
    ],
)
def test_no_file_is_half_read(tmp_path: Path, data: bytes, said: str) -> None:
    """Cut, foreign and empty files."""
    path = tmp_path / "p"
    path.write_bytes(data)
    assert said in mistakes(path)[0]


def test_a_plan_that_is_not_there(tmp_path: Path) -> None:
    """Its name and the reason."""
    assert "No such file" in mistakes(tmp_path / "none.csv")[0]


def test_ids_are_found_by_their_nearest(tmp_path: Path) -> None:
    """A typing mistake is answered with the id that was meant."""
    with pytest.raises(ConfigurationError, match='nearest id is "b0101"'):
        read_plan(written(tmp_path / "p.csv", *GOOD)).by_id("b0110")


def test_limits_are_those_of_the_boards() -> None:
    """A plan that is taken here is not refused at the board."""
    limits = {name: field.metadata for name, field in BoardSettings.model_fields.items()}
    assert [(bound.ge if hasattr(bound, "ge") else bound.le) for bound in limits["rating"]] == list(RATINGS)
    assert [(bound.ge if hasattr(bound, "ge") else bound.le) for bound in limits["address"]] == list(ADDRESSES)
    for milli in RESIDUAL_MA:
        assert ProtectionSettings(residual=milli).residual == milli
