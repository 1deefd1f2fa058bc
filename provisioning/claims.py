"""Which board is which row of the plan: decided once, kept by the journal, the same after every cut. Pure.

A board is its chip's own number, read from the device and never the name of its port.
"""

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from provisioning.plan import Plan, PlanRow
from provisioning.trouble import Trouble


class Claims:
    """Rows and the boards that have them. `take` decides; the caller notes it in the journal."""

    def __init__(self, plan: Plan, lines: Iterable[Mapping[str, Any]]) -> None:
        """`lines` of the journal; the newest word on a row or a board counts."""
        self._plan = plan
        self._board_of: dict[str, str] = {}
        self._uid_of: dict[str, str] = {}  # by serial number
        known = {row.id for row in plan.rows}
        self._lock = threading.Lock()
        for line in lines:
            if line.get("do") == "commission" and line.get("id") in known and isinstance(line.get("uid"), str):
                self._give(str(line["id"]), line["uid"], line.get("serial"))
            elif line.get("do") == "retire":
                self._free(str(line.get("id")))

    def _give(self, device: str, uid: str, serial: str | None) -> None:
        if serial is not None:
            self._uid_of[serial] = uid
        self._board_of = {row: board for row, board in self._board_of.items() if board != uid}
        self._board_of[device] = uid

    def _free(self, device: str) -> None:
        """The board of this row was retired: it may come again like any other, and so may its serial number."""
        uid = self._board_of.pop(device, None)
        self._uid_of = {serial: board for serial, board in self._uid_of.items() if board != uid}

    def row_of(self, uid: str) -> PlanRow | None:
        """The row that this board has."""
        return next((self._plan.by_id(device) for device, board in self._board_of.items() if board == uid), None)

    def take(self, uid: str, serial: str | None, wanted: str | None = None, replace: bool = False) -> PlanRow:
        """The row of a board: the one it has, the `wanted` id, the row of its `serial`, or the next open one.

        `serial` is None for a board that has no settings: it is then known by its `uid`. From any thread.
        Raises Trouble.
        """
        with self._lock:
            return self._take(uid, serial, wanted, replace)

    def _take(self, uid: str, serial: str | None, wanted: str | None, replace: bool) -> PlanRow:
        shown, had = serial or uid, self.row_of(uid)
        if serial is not None and self._uid_of.get(serial, uid) != uid:
            raise Trouble("serial-twice", f"another board than this one ({uid}) has the serial number {serial} already")
        row = had
        if wanted is not None:
            row = self._wanted(wanted, had, shown)
        elif row is None:
            row = self._plan.by_serial(shown) or self._next_open(shown)
        if serial is not None and row.serial not in (None, serial) and had is None:
            raise Trouble("serial-mismatch", f"row {row.id} is for the board {row.serial}, this one is {serial}")
        other = self._board_of.get(row.id)
        if other not in (None, uid) and not (replace and wanted is not None):
            if wanted is None:
                raise Trouble("serial-twice", f"the serial number {shown} is that of {row.id}, which another board has")
            raise Trouble("board-taken", f"{row.id} has another board already ({other})")
        self._give(row.id, uid, row.serial or shown)
        return row

    def _wanted(self, wanted: str, had: PlanRow | None, shown: str) -> PlanRow:
        row = self._plan.by_id(wanted)
        if not row.own:
            raise Trouble("serial-mismatch", f"row {row.id} is a {row.profile}, which is no board of this project")
        if had is not None and had.id != wanted:
            raise Trouble("board-taken", f"the board {shown} is {had.id} already, not {wanted}")
        return row

    def _next_open(self, shown: str) -> PlanRow:
        free = [row for row in self._plan.rows if row.own and row.id not in self._board_of]
        for row in free:
            if row.serial is None:
                return row
        if free:
            raise Trouble("unknown-serial", f"no row of the plan has the serial number {shown}")
        raise Trouble("plan-full", f"every row of the plan has its board, and {shown} is one more")


def serials(plan: Plan, lines: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The serial number of each device by id: of the board that has the row, else the one that the plan asks for."""
    planned = {row.id: row.serial for row in plan.rows if row.serial is not None}
    known = dict(planned)
    for line in lines:
        if line.get("do") == "retire":
            known.pop(str(line.get("id")), None)
            known |= {row: serial for row, serial in planned.items() if row == line.get("id")}
        if line.get("do") == "commission" and line.get("id") is not None and isinstance(line.get("serial"), str):
            known[str(line["id"])] = line["serial"]
    return known
