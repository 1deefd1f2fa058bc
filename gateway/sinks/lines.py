"""Messages as lines of a file, CSV or JSON: one line holds its place, so that a file knows how far it is. Pure.

Each line begins with `seq`, the number of its message, and `row`, its number within it: the last whole line of a file
tells what is in it, and a message that comes again is written from there on.
"""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import msgspec

from gateway.records import Correction, Event, Gap, Message, Reading, rfc3339

Form = Literal["csv", "jsonl"]
# What a spreadsheet would take for a formula at the beginning of a text.
_FORMULA = ("=", "+", "-", "@")
COLUMNS = {
    "readings": ("seq", "row", "at", "clock", "boot", "device", "name", "value", "mark"),
    "events": ("seq", "row", "id", "kind", "grade", "device", "place", "raised", "cleared", "clock", "boot", "values"),
    "gaps": ("seq", "row", "stream", "first", "last", "from", "to", "reason"),
    "corrections": ("seq", "row", "boot", "offset_ms", "from", "to"),
}
_STREAMS = ((Event, "events"), (Gap, "gaps"), (Correction, "corrections"))
# Spreadsheets read UTF-8 as such only behind this mark.
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


class Place(NamedTuple):
    """A line's place: ordered as lines are in their file."""

    seq: int
    row: int


def stream_of(message: Message) -> str:
    """Which file it goes to: readings, events, gaps or corrections."""
    head = message.records[0]
    return next((name for kind, name in _STREAMS if isinstance(head, kind)), "readings")


def header(stream: str, form: Form) -> bytes:
    """What a new file begins with."""
    return (_MARK + ",".join(COLUMNS[stream]) + "\n").encode() if form == "csv" else b""


def lines(message: Message, form: Form) -> Iterator[tuple[Place, bytes]]:
    """Every line of a message, with its end."""
    rows = _csv_rows(message) if form == "csv" else _json_rows(message)
    for row, content in enumerate(rows, 1):
        if isinstance(content, dict):
            yield Place(message.seq, row), msgspec.json.encode({"seq": message.seq, "row": row, **content}) + b"\n"
        else:
            yield Place(message.seq, row), _csv([message.seq, row, *content])


def place_of(line: bytes, stream: str, form: Form) -> Place | None:
    """The place of a whole line; Place(0, 0) of a header; None when it is no line of such a file."""
    if b"\0" in line:
        return None  # what a power cut leaves where a file was growing
    try:
        if form == "jsonl":
            content = json.loads(line)
            return Place(int(content["seq"]), int(content["row"]))
        if line + b"\n" == header(stream, form):
            return Place(0, 0)
        (cells,) = csv.reader([line.decode()])
        return Place(int(cells[0]), int(cells[1])) if len(cells) == len(COLUMNS[stream]) else None
    except (ValueError, KeyError, TypeError, IndexError, csv.Error):
        return None


def _json_rows(message: Message) -> Iterator[dict[str, Any]]:
    for index, record in enumerate(message.records):
        if isinstance(record, Reading):
            number = {} if message.last else {"n": message.first + index}  # behind a filter the numbers jump
            marks = {"marks": record.marks} if record.marks else {}
            own = {"at": rfc3339(record.at), "clock": record.clock, "boot": message.boot, "device": record.device}
            yield {**number, **own, "values": record.values, **marks}
        elif isinstance(record, Event):
            yield {"n": message.first, **_event(record, message.boot), "values": record.values}
        elif isinstance(record, Gap):
            yield _gap(record)
        elif isinstance(record, Correction):
            yield _correction(record)


def _csv_rows(message: Message) -> Iterator[list[Any]]:
    for record in message.records:
        if isinstance(record, Reading):
            head = [rfc3339(record.at), record.clock, message.boot, record.device]
            for name, value in record.values.items():
                yield [*head, name, value, record.marks.get(name, "")]
        elif isinstance(record, Event):
            yield [*_event(record, message.boot).values(), json.dumps(record.values, ensure_ascii=False)]
        elif isinstance(record, Gap):
            yield list(_gap(record).values())
        elif isinstance(record, Correction):
            yield list(_correction(record).values())


def _event(event: Event, boot: str) -> dict[str, Any]:
    cleared = None if event.cleared is None else rfc3339(event.cleared)
    what = {"id": event.id, "kind": event.kind, "grade": event.grade, "device": event.device, "place": event.place}
    return {**what, "raised": rfc3339(event.raised), "cleared": cleared, "clock": event.clock, "boot": boot}


def _gap(gap: Gap) -> dict[str, Any]:
    what = {"stream": gap.stream, "first": gap.first, "last": gap.last}
    return {**what, "from": rfc3339(gap.start), "to": rfc3339(gap.end), "reason": gap.reason}


def _correction(told: Correction) -> dict[str, Any]:
    times = {"from": rfc3339(told.start), "to": rfc3339(told.end)}
    return {"boot": told.boot, "offset_ms": told.offset_ms, **times}


def _csv(cells: list[Any]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([_cell(cell) for cell in cells])
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return value
    text = " ".join(value.splitlines())  # a line of the file is a row
    return f"'{text}" if text.startswith(_FORMULA) else text
