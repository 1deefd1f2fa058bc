"""The installer's plan: which board goes where, and every mistake in it before anyone climbs a ladder. Pure.

A plan is one bus: rows of text in, `PlanRow`s out, or a sentence for each mistake, naming row and column. It reads no
file (that is `plan_file`) and talks to no board.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gateway.errors import ConfigurationError
from gateway.tomlfile import NAME_PATTERN

REQUIRED = ("id", "place", "circuit", "profile", "rating", "curve", "address")
COLUMNS = (*REQUIRED, "serial", "residual", "critical", "upstream")
CURVES = ("B", "C", "D")
BREAKER, SENSOR = "gewu-breaker", "gewu-sensor"
_YES, _NO = ("yes", "true", "1", "y", "x", "是"), ("", "no", "false", "0", "n", "否")
# As in `settings.BoardSettings`; a test compares.
RATINGS, ADDRESSES, RESIDUAL_MA = (1, 125), (1, 247), (6, 1000)
SERIAL_PATTERN = r"^[!#-\[\]-~]{1,16}$"
_MOST_ID, _MOST_PLACE, _MOST_UPSTREAM = 63, 255, 120

Cells = Sequence[str]
KnowsProfile = Callable[[str], str | None]
"""None for a profile that exists, else the sentence that says why it does not."""


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One device. `row` is its number in the sheet (the header is 1); `residual` in mA, None is not planned;
    `upstream` the certified MCB or RCBO before it, None where nobody has named it yet."""

    row: int
    id: str
    place: str
    circuit: str
    profile: str
    rating: int | None
    curve: str | None
    address: int
    serial: str | None
    residual: int | None
    critical: bool
    upstream: str | None = None

    @property
    def own(self) -> bool:
        """Whether it is a board of this project, which provisioning can load."""
        return self.profile in (BREAKER, SENSOR)

    def as_json(self) -> dict[str, Any]:
        """The row under the names of its columns, with `row`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan without mistakes, in the order of the sheet."""

    rows: tuple[PlanRow, ...]

    def by_id(self, device: str) -> PlanRow:
        """The row of a device; ConfigurationError names the nearest id."""
        for row in self.rows:
            if row.id == device:
                return row
        near = difflib.get_close_matches(device, [row.id for row in self.rows], n=1, cutoff=0.0)
        raise ConfigurationError(f'The plan has no device "{device}"; the nearest id is "{near[0]}".')

    def by_serial(self, serial: str) -> PlanRow | None:
        """The row that asks for this very board."""
        return next((row for row in self.rows if row.serial == serial), None)


class _Reader:
    """One row of cells; collects its sentences."""

    def __init__(self, number: int, cells: dict[str, str]) -> None:
        self.number, self.cells = number, cells
        self.sentences: list[str] = []

    def wrong(self, column: str, what: str) -> None:
        self.sentences.append(f"row {self.number}, column {column}: {what}")

    def text(self, column: str) -> str:
        return self.cells.get(column, "").strip()

    def number_of(self, column: str, limits: tuple[int, int], unit: str, needed: bool) -> int | None:
        text = self.text(column)
        low, high = limits
        wanted = f"a whole number from {low} to {high}{' ' + unit if unit else ''}"
        if not text:
            if needed:
                self.wrong(column, f"is empty; give {wanted}.")
            return None
        # A spreadsheet makes 16 into 16.0, and people write 16 A.
        match = re.fullmatch(rf"([+-]?\d{{1,9}})(?:\.0*)?\s*(?:{unit or '(?!)'})?", text, re.IGNORECASE)
        if match is None or not low <= int(match[1]) <= high:
            self.wrong(column, f'"{text}" is not {wanted}.')
            return None
        return int(match[1])

    def residual(self) -> int | None:
        """mA. `30`, `30 mA`, `0.03 A` and `0.03` are the same: no value is both a likely mA and a likely A."""
        text = self.text("residual")
        if not text:
            return None
        match = re.fullmatch(r"(\d{1,6}(?:\.\d{0,6})?)\s*(mA|A)?", text, re.IGNORECASE)
        if match is not None:
            value = float(match[1])
            amperes = match[2].lower() == "a" if match[2] else value <= 1
            milli = value * 1000 if amperes else value
            if RESIDUAL_MA[0] <= milli <= RESIDUAL_MA[1] and abs(milli - round(milli)) < 1e-6:
                return round(milli)
        self.wrong("residual", f'"{text}" is not a residual current of 6 to 1000 mA (0.006 to 1 A).')
        return None

    def switch(self, column: str) -> bool:
        text = self.text(column).lower()
        if text not in _YES + _NO:
            self.wrong(column, f'"{text}" is neither yes nor no.')
        return text in _YES


def parse(cells: Iterable[tuple[int, Cells]], knows_profile: KnowsProfile) -> tuple[Plan, list[str]]:
    """(the plan, a sentence for each mistake); the plan counts only where there is no sentence.

    `cells`: rows as they stand with their number in the sheet, the header first. Empty rows are passed over.
    """
    filled = [(number, row) for number, row in cells if any(cell.strip() for cell in row)]
    if not filled:
        return Plan(()), [f"the plan is empty; its first row names the columns: {', '.join(COLUMNS)}."]
    head_row, header = filled[0]
    names = [cell.strip().lower() for cell in header]
    while names and not names[-1]:
        names.pop()
    sentences = [f"row {head_row}: {sentence}" for sentence in _header(names)]
    if sentences:
        return Plan(()), sentences
    rows = []
    for number, row in filled[1:]:
        reader = _Reader(number, dict(zip(names, row, strict=False)))
        if any(cell.strip() for cell in row[len(names) :]):
            reader.wrong(str(len(names) + 1), "has a value, but no name in the header; is there a comma too many?")
        rows.append(_row(reader, knows_profile))
        sentences += reader.sentences
    if not rows:
        sentences.append("the plan has a header and no device.")
    return Plan(tuple(rows)), sentences + _doubles(rows)


def _header(names: list[str]) -> list[str]:
    sentences = []
    for place, name in enumerate(names, start=1):
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1, cutoff=0.0)
            sentences.append(f'column {place} is called "{name}", which is unknown; the nearest is "{near[0]}".')
        elif name in names[: place - 1]:
            sentences.append(f'two columns are called "{name}".')
    return sentences + [f'the column "{name}" is missing.' for name in REQUIRED if name not in names]


def _row(reader: _Reader, knows_profile: KnowsProfile) -> PlanRow:
    profile = reader.text("profile")
    own = profile in (BREAKER, SENSOR)
    _texts(reader, profile, knows_profile)
    curve = reader.text("curve").upper() or None
    if curve not in CURVES and (curve or profile == BREAKER):
        shown = f'"{curve}" is no curve' if curve else "is empty"
        reader.wrong("curve", f"{shown}; give one of {', '.join(CURVES)}.")
    residual = reader.residual()
    if residual is not None and profile != BREAKER:
        reader.wrong("residual", f"{profile} opens nothing at a residual current; leave it empty.")
    return PlanRow(
        row=reader.number,
        id=reader.text("id"),
        place=reader.text("place"),
        circuit=reader.text("circuit"),
        profile=profile,
        rating=reader.number_of("rating", RATINGS, "A", needed=own),
        curve=curve,
        address=reader.number_of("address", ADDRESSES, "", needed=True) or 0,
        serial=reader.text("serial") or None,
        residual=residual,
        critical=reader.switch("critical"),
        upstream=reader.text("upstream") or None,
    )


def _texts(reader: _Reader, profile: str, knows_profile: KnowsProfile) -> None:
    device, place, serial = reader.text("id"), reader.text("place"), reader.text("serial")
    if not re.fullmatch(NAME_PATTERN, device) or len(device) > _MOST_ID:
        shown = f'"{device}" is no id' if device else "is empty"
        reader.wrong("id", f'{shown}; give letters, digits, "_", "." and "-", at most {_MOST_ID}, such as b0101.')
    if not place:
        reader.wrong("place", "is empty; say where it is, such as street/community/grid/estate/building/unit.")
    elif len(place) > _MOST_PLACE or not place.isprintable():
        reader.wrong("place", f"is no text of at most {_MOST_PLACE} characters in one line.")
    if profile == BREAKER and not reader.text("circuit"):
        reader.wrong("circuit", "is empty; name the circuit that this breaker opens.")
    if not reader.text("circuit").isprintable() and reader.text("circuit"):
        reader.wrong("circuit", "is no text in one line.")
    upstream = reader.text("upstream")
    if len(upstream) > _MOST_UPSTREAM or (upstream and not upstream.isprintable()):
        reader.wrong("upstream", f"is no text of at most {_MOST_UPSTREAM} characters in one line.")
    trouble = knows_profile(profile) if profile else "is empty; give a profile such as gewu-breaker."
    if trouble is not None:
        reader.wrong("profile", trouble)
    if serial and not re.fullmatch(SERIAL_PATTERN, serial):
        reader.wrong("serial", f'"{serial}" is no serial number: 1 to 16 characters, no space, no quote, no backslash.')


def _doubles(rows: Sequence[PlanRow]) -> list[str]:
    """What two rows must not share."""
    sentences: list[str] = []
    for column, value, why in (
        ("id", lambda row: row.id, "each device needs its own"),
        ("address", lambda row: row.address or None, "two devices on one address talk over each other"),
        ("serial", lambda row: row.serial, "there is one such board"),
        ("circuit", _circuit, "one breaker opens a circuit"),
    ):
        seen: dict[object, PlanRow] = {}
        for row in rows:
            key = value(row)
            if key is None or key == "":
                continue
            first = seen.setdefault(key, row)
            if first is not row:
                shown = getattr(row, column)
                sentences.append(
                    f"row {row.row}, column {column}: {shown} stands in row {first.row} ({first.id}) too; {why}."
                )
    return sentences


def _circuit(row: PlanRow) -> tuple[str, str] | None:
    return (row.place, row.circuit) if row.profile == BREAKER and row.circuit else None
