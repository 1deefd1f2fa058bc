"""What the journal of an installation says of each row of the plan: the newest word of each kind counts. Pure.

`verify` compares with it, the acceptance sheet quotes it. A board that was retired takes all of its past with it: the
row then begins anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Line = Mapping[str, Any]


@dataclass(slots=True)
class Past:
    """One row. `settings`: the digest that commissioning wrote, 8 hexadecimal digits; `calibration` as it was noted;
    `commission`, `verify`, `update`: the newest line of each; `trips`: all of this board, the oldest first."""

    serial: str | None = None
    uid: str | None = None
    settings: str | None = None
    micropython: str | None = None
    calibration: Any = None
    commission: Line | None = None
    verify: Line | None = None
    update: Line | None = None
    trips: list[Line] = field(default_factory=list)


def pasts(lines: Iterable[Line]) -> dict[str, Past]:
    """By the id of the row. A line of a kind that is not known here is passed over."""
    found: dict[str, Past] = {}
    version_of: dict[str, str] = {}  # MicroPython's, by the board: it is met before it has a row
    for line in lines:
        uid, device = line.get("uid"), line.get("id")
        if line.get("do") == "commission" and isinstance(uid, str) and line.get("state") == "flashed":
            version_of[uid] = str(line.get("version"))
        if not isinstance(device, str):
            continue
        if line.get("do") == "retire":
            found.pop(device, None)
            continue
        past = found.setdefault(device, Past())
        _take(past, line)
        past.micropython = version_of.get(past.uid or "", past.micropython)
    return found


def _take(past: Past, line: Line) -> None:
    match line.get("do"):
        case "commission":
            if isinstance(line.get("uid"), str) and line["uid"] != past.uid:
                past.settings = past.calibration = past.commission = past.verify = past.update = None
                past.trips = []  # another board has the row: what was tested was not this one
            past.uid = line.get("uid") or past.uid
            past.serial = line.get("serial") or past.serial
            past.settings = line.get("settings", past.settings)
            past.calibration = line.get("calibration", past.calibration)
            if line.get("state") == "commissioned":
                past.commission = line
        case "verify":
            past.verify = line
        case "update":
            past.update = line
        case "trip":
            past.trips.append(line)
