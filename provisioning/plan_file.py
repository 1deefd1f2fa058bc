"""Reading a plan from the file that a spreadsheet saved: CSV in UTF-8 or GB18030, or xlsx.

It makes cells of a file and leaves their meaning to `plan`. A file is read whole or refused: nothing half-read.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from gateway import profile, tomlfile
from gateway.errors import ConfigurationError
from provisioning.plan import Plan, parse

_MOST_BYTES = 4_000_000
_MOST_ROWS, _MOST_COLUMNS = 2000, 64
_XLSX = b"PK\x03\x04"
_OLD_XLS = b"\xd0\xcf\x11\xe0"

Rows = list[tuple[int, list[str]]]


def read_plan(path: Path) -> Plan:
    """The plan in `path`, .csv or .xlsx by its content.

    Raises ConfigurationError with one line for each mistake: file, row, column, what is wrong, what would be right.
    Profiles may be files beside the plan.
    """
    plan, sentences = parse(read_cells(path), lambda name: _profile_trouble(name, path.parent))
    tomlfile.refuse(path, sentences)
    return plan


def _profile_trouble(name: str, folder: Path) -> str | None:
    try:
        profile.load(name, folder)
    except ConfigurationError as error:
        return str(error).splitlines()[0]
    return None


def read_cells(path: Path) -> Rows:
    """The rows of a sheet with their numbers, as text; CSV or xlsx. Raises ConfigurationError."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigurationError(f"{path} has more than {_MOST_BYTES // 1_000_000} MB, which no plan has.")
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The plan {path} cannot be read: {error.strerror}.") from None
    if data.startswith(_OLD_XLS):
        raise ConfigurationError(f"{path} is an old .xls; save it as .xlsx or as CSV.")
    return _limited(path, _xlsx(path, data) if data.startswith(_XLSX) else _csv(path, data))


def _limited(path: Path, rows: Iterator[tuple[int, list[str]]]) -> Rows:
    found: Rows = []
    for number, row in rows:
        if number > _MOST_ROWS:
            raise ConfigurationError(f"{path} has more than {_MOST_ROWS} rows; a bus takes 247 devices.")
        if len(row) > _MOST_COLUMNS:
            raise ConfigurationError(f"{path}, row {number} has more than {_MOST_COLUMNS} columns.")
        found.append((number, row))
    return found


def _csv(path: Path, data: bytes) -> Iterator[tuple[int, list[str]]]:
    text = _decoded(path, data)
    if "\0" in text:
        raise ConfigurationError(f"{path} is no CSV text: it holds zero bytes.")
    head = text.splitlines()[0] if text.strip() else ""
    delimiter = max(",;\t", key=head.count)
    try:
        # A row's number is that of the spreadsheet, also where a quoted cell has several lines.
        yield from enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), start=1)
    except csv.Error as error:
        raise ConfigurationError(f"{path} is no whole CSV: {error}; save it once more.") from None


def _decoded(path: Path, data: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ConfigurationError(f"{path} is text neither in UTF-8 nor in GB18030; save it as CSV UTF-8.")


def _xlsx(path: Path, data: bytes) -> Iterator[tuple[int, list[str]]]:
    try:
        import openpyxl
    except ImportError as error:
        raise ConfigurationError(
            f"Reading {path.name} needs the extra `provision`: pip install 'gewu-edge[provision]', or save it as CSV."
        ) from error
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        # Some writers claim a sheet of a million rows: what is there counts.
        sheet.reset_dimensions()
        rows = sheet.iter_rows(values_only=True, max_row=_MOST_ROWS + 1, max_col=_MOST_COLUMNS)
        yield from ((number, [_text(value) for value in row]) for number, row in enumerate(rows, start=1))
    except (zipfile.BadZipFile, KeyError, ValueError, IndexError, OSError, SyntaxError, EOFError) as error:
        raise ConfigurationError(f"{path} is no whole xlsx file; save it once more, or as CSV.") from error


def _text(value: object) -> str:
    """A cell as a person sees it: 16 and not 16.0, yes and not True."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return re.sub(r"[\r\n]+$", "", str(value))
