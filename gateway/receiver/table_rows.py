"""One message as rows of a centre's tables, and a row as a record of the export. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa

from gateway.receiver import tables
from gateway.receiver.rows import Corrections, event_times, reading_rows
from gateway.receiver.taken import Taken, filtered, records
from gateway.records import rfc3339
from gateway.uplink.native import Readings, WireCase, WireCorrection, WireEvent, WireGap


def key_of(taken: Taken) -> tuple[str, str, int]:
    return taken.gateway, taken.message.epoch, taken.message.seq


def table_rows(taken: Taken, corrections: Corrections) -> Iterator[tuple[sa.Table, dict[str, Any]]]:
    """The rows of one message, its own first."""
    message = taken.message
    key = dict(zip(("gateway", "epoch", "seq"), key_of(taken), strict=True))
    yield tables.message, key | _ledger_row(taken)
    match message:
        case Readings():
            yield from ((tables.reading, row) for row in reading_rows(taken, corrections))
        case WireEvent():
            about = {name: getattr(message, name) for name in ("n", "id", "kind", "grade", "device", "place", "values")}
            raised, cleared, clock = event_times(taken, corrections)
            times = {"raised": raised, "cleared": cleared, "clock": clock, "boot": message.boot if clock else None}
            yield tables.event, key | about | times | {"evidence": msgspec.to_builtins(message.evidence)}
        case WireCase():
            yield tables.case, key | {name: getattr(message, name) for name in ("n", "id", "case", "transition")}
        case WireGap():
            about = {name: getattr(message, name) for name in ("stream", "first", "last", "reason")}
            yield tables.gap, key | about | {"made_from": taken.start, "made_to": taken.end}
        case WireCorrection():
            about = {"boot": message.boot, "offset_ms": message.offset_ms}
            yield tables.correction, key | about | {"made_from": taken.start, "made_to": taken.end}


def _ledger_row(taken: Taken) -> dict[str, Any]:
    message, count = taken.message, records(taken.message)
    match message:
        case Readings():
            first = message.first
        case WireEvent() | WireCase():
            first = message.n
        case _:
            first = 0
    return {
        "kind": taken.kind,
        "first": first,
        "last": first + max(count, 1) - 1,
        "records": count,
        "filtered": filtered(message),
        "made_from": taken.start,
        "made_to": taken.end,
        "got": taken.got,
        "again": 0,
    }


def exported(stream: str, row: dict[str, Any]) -> dict[str, Any]:
    # An event whose times are to be trusted has no clock, as on the wire.
    left_out = {"i", "boot", "clock"} if stream == "events" and row["clock"] is None else {"i"}
    found = {name: value for name, value in row.items() if name not in left_out}
    for name in ("at", "raised", "cleared"):
        if found.get(name) is not None:
            found[name] = rfc3339(found[name])
    return {"stream": stream, **found}
