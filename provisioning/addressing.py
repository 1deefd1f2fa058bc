"""Addresses over the bus: which board gets which, and giving them. Boards are known by the serial number of the label.

Only a board without settings takes an address this way; what a commissioned one has stays. Two boards must never end
on one address, so the whole arrangement is judged before the first word is said.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gateway.bus import command, discovery
from gateway.bus.discovery import Found
from gateway.bus.transport import Line
from gateway.bus.trouble import BusTrouble
from gateway.errors import DeviceRefused
from provisioning.trouble import Trouble

FOUND, ADDRESSED, ABSENT = "found", "addressed", "absent"
# A board reads its frame, writes its flash and moves; a frame that noise took is said again.
_TRIES = 4


@dataclass(slots=True)
class AddressRow:
    """One board or one wish: `state` is found (nothing to give), addressed, or absent."""

    id: str | None
    serial: str
    address: int | None
    state: str
    trouble: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Wish:
    """That the board with this serial number shall have this address; `id` is its row of the plan."""

    id: str | None
    serial: str
    address: int


def judge(found: Sequence[Found], wishes: Sequence[Wish], others: Collection[int] = ()) -> list[AddressRow]:
    """A row for each wish, then for each board that nobody wished anything of.

    `others`: addresses at which somebody answers who is no board of this project. Rows that may be carried out have no
    trouble and the state found.
    """
    by_serial: dict[str, list[Found]] = {}
    for one in found:
        by_serial.setdefault(one.serial, []).append(one)
    rows = [_row(wish, by_serial.get(wish.serial, [])) for wish in wishes]
    going = {row.serial: row for row in rows if row.trouble is None}
    ends: dict[int, list[str]] = {}
    for one in found:
        row = going.get(one.serial)
        end = row.address if row is not None and row.address is not None else one.address
        ends.setdefault(end, []).append(one.serial)
    for row in going.values():
        assert row.address is not None
        rest = [serial for serial in ends[row.address] if serial != row.serial]
        if rest or row.address in others:
            who = f"the board {rest[0]}" if rest else "a device of another kind"
            row.trouble = str(Trouble("address-taken", f"{who} is at address {row.address}, which is for {row.serial}"))
    wished = {wish.serial for wish in wishes}
    return rows + [_unwished(one, by_serial[one.serial], wished) for one in found if one.serial not in wished]


def _row(wish: Wish, boards: Sequence[Found]) -> AddressRow:
    row = AddressRow(wish.id, wish.serial, wish.address, FOUND)
    if not boards:
        row.state = ABSENT
        row.trouble = str(Trouble("not-on-bus", f"no board on this bus has the serial number {wish.serial}"))
    elif len(boards) > 1:
        row.trouble = str(_twice(boards))
    elif boards[0].commissioned and boards[0].address != wish.address:
        row.trouble = str(
            Trouble("commissioned-already", f"{wish.serial} has settings and address {boards[0].address}")
        )
    return row


def _unwished(one: Found, same: Sequence[Found], wished: Collection[str]) -> AddressRow:
    row = AddressRow(None, one.serial, one.address, FOUND)
    if len(same) > 1:
        row.trouble = str(_twice(same))
    elif wished and not one.commissioned:
        row.trouble = str(Trouble("unknown-serial", f"the board {one.serial} at address {one.address} is in no row"))
    return row


def _twice(boards: Sequence[Found]) -> Trouble:
    chips = " and ".join(one.number for one in boards)
    return Trouble(
        "serial-twice", f"{len(boards)} boards on this bus have the serial number {boards[0].serial} ({chips})"
    )


def strangers(line: Line, found: Iterable[Found], addresses: Iterable[int]) -> set[int]:
    """Those of `addresses` at which somebody answers who is none of `found`. Raises PortTrouble."""
    ours = {one.address for one in found}
    taken = set()
    for address in addresses:
        if address in ours:
            continue
        try:
            line.read(address, "holding", 0, 1)
        except DeviceRefused:
            pass  # a refusal is an answer
        except BusTrouble as trouble:
            if trouble.cause == "no-answer":
                continue
        taken.add(address)
    return taken


def give(
    line: Line, mailbox: int, rows: Sequence[AddressRow], found: Sequence[Found], said: Callable[[AddressRow], None]
) -> None:
    """Carry out what `judge` allowed, by broadcast to `mailbox`, each proven by the board's own answer at its address.

    Raises PortTrouble. `said` is told each row that is done.
    """
    boards = {one.serial: one for one in found}
    for row in rows:
        if row.trouble is not None or row.address is None:
            continue
        board = boards[row.serial]
        if row.id is None and board.address == row.address:
            continue  # nobody wished anything of it
        if board.address != row.address and not _moved(line, mailbox, board, row.address):
            row.trouble = str(Trouble("not-addressed", f"{row.serial} does not answer at address {row.address}"))
        else:
            row.state = ADDRESSED
        said(row)


def _moved(line: Line, mailbox: int, board: Found, address: int) -> bool:
    frame = command.registers(command.address_frame(board.serial, address))
    for _ in range(_TRIES):
        line.broadcast_registers(mailbox, frame)
        if discovery.at(line, board, address) is not None:
            return True
    return False
