"""`gewu provision retire` for a board: what it was is wiped and read back, its key revoked, its row free again.

Three ways: over USB, over the bus with the board's own key, or not at all (a board that is lost or dead: its key is
revoked, and the record says that nothing was wiped). Each step is noted before the next, and repeating goes on.
"""

from dataclasses import dataclass
from typing import Any

from gateway.bus.command import Code
from gateway.bus.contact import look_up
from gateway.bus.mailbox import Mailbox
from gateway.bus.transport import Line
from gateway.bus.trouble import BusTrouble
from gateway.clock import Clock
from gateway.errors import ConfigurationError, DeviceRefused, GewuError, TryAgain
from gateway.profile import Profile
from provisioning.device_keys import KeyFile
from provisioning.history import Past
from provisioning.journal import Journal
from provisioning.plan import PlanRow
from provisioning.repl import Look, Repl
from provisioning.trouble import Trouble

FRESH_ADDRESS = 247
"""Where a board without settings answers, at 9600 8N1 (docs/firmware.md, "What it does")."""
FRESH_BAUD = 9600
FRESH_NAME = "gewu-unconfigured"
# What a board writes down about itself and its place; the same as in firmware/orders.py (a test compares).
FORGOTTEN = ("settings", "address", "counter", "memory", "journal", "update")
_SERIAL = 0x80
_GONE_S = 30.0
_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class Proof:
    """How a board was wiped and what was seen afterwards. `how`: usb, bus or lost; `seen` is a sentence."""

    how: str
    wiped: bool
    seen: str

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {"how": self.how, "wiped": self.wiped, "seen": self.seen}


def remembers(look: Look) -> list[str]:
    """The files on a board's flash that tell what it was."""
    return sorted(name for name in look.files if name.split(".")[0] in FORGOTTEN and not name.endswith((".mpy", ".py")))


def over_usb(port: str, row: PlanRow, past: Past) -> Proof:
    """Overwrite and remove what the board at `port` remembers, then read what it holds. Raises Trouble."""
    with Repl(port) as board:
        look = board.look()
        if past.uid is not None and look.uid != past.uid:
            raise Trouble("board-taken", f"the board at {port} ({look.uid}) is not the one of {row.id} ({past.uid})")
        names = remembers(look)
        board.wipe(names)
        left = board.look()
        if still := remembers(left):
            raise Trouble("not-loaded", f"the board at {port} still has {', '.join(still)}")
    return Proof("usb", True, f"chip {left.uid}: {len(names)} files overwritten and gone, none left of {_all()}")


def over_bus(line: Line, row: PlanRow, past: Past, profile: Profile, key: bytes, clock: Clock) -> Proof:
    """Command the board at the row's address to forget what it was, and see that it did. Raises GewuError.

    `line` goes on at the bus's speed. Where that is 9600 8N1 the board must come back as from the factory, with its
    chip's number; at any other speed only its silence can be seen, and the proof says so.
    """
    box = Mailbox(line, row.address, profile, key, clock)
    serial = str(box.values("serial")["serial"])
    if past.serial is not None and serial != past.serial:
        raise Trouble("board-taken", f"at address {row.address} answers {serial}, not {past.serial} of {row.id}")
    try:
        box.command(Code.WIPE)
        said = True
    except TryAgain:
        said = False  # a busy bus asked too late: it may have forgotten already, and what is seen decides
    deadline = clock.monotonic() + _GONE_S
    visible = line.wire.baud == FRESH_BAUD and line.wire.parity == "N"
    while clock.monotonic() < deadline:
        clock.sleep(_PAUSE_S)
        if look_up(line, row.address, [profile]) is not None:
            continue
        if said and not visible:
            return Proof("bus", True, f"{serial} said that it does, and is silent at address {row.address}")
        chip = _fresh(line, past.uid) if visible else None
        if chip is not None:
            return Proof("bus", True, f"chip {chip}: as from the factory at address {FRESH_ADDRESS}, without settings")
    raise GewuError(
        f"{row.id} was told to forget what it was, and was not seen as from the factory within {_GONE_S:g} s; "
        "look at it over USB (--port)."
    )


def _fresh(line: Line, uid: str | None) -> str | None:
    """The chip's number of the board without settings, where it is the one that is looked for."""
    try:
        objects = line.identity(FRESH_ADDRESS)
        chip = line.identity_object(FRESH_ADDRESS, _SERIAL)
    except (BusTrouble, DeviceRefused):
        return None
    return chip if FRESH_NAME in objects.values() and uid in (None, chip) else None


def finish(row: PlanRow, past: Past, proof: Proof, by: str, keys: KeyFile, journal: Journal) -> dict[str, Any]:
    """Revoke the key and free the row; the line that the journal has of it. Raises Trouble."""
    about = {"id": row.id, "uid": past.uid, "serial": past.serial, "address": row.address, "by": by}
    journal.note(do="wipe", **about, **proof.as_json())
    mark = keys.revoke(row.id)
    journal.note(do="retire", **about, **proof.as_json(), revoked=mark)
    return {"do": "retire", **about, **proof.as_json(), "revoked": mark}


def begun(row: PlanRow, journal: Journal) -> Proof | None:
    """The proof of a retirement that was cut after the board was wiped; None where it begins now."""
    for line in reversed(journal.lines):
        if line.get("id") == row.id and line.get("do") in ("wipe", "retire", "commission"):
            if line["do"] == "wipe":
                return Proof(str(line["how"]), bool(line["wiped"]), str(line["seen"]))
            return None
    return None


def check_way(ways: int) -> None:
    """ConfigurationError unless exactly one way was named."""
    if ways != 1:
        raise ConfigurationError(
            "Say how the board is wiped: --port PORT (USB), --bus PORT --baud B, or --lost where nobody has it."
        )


def _all() -> str:
    return ", ".join(FORGOTTEN)
