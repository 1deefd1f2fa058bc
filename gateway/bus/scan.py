"""Who is on a line: every address asked, doubled addresses suspected, other speeds and parities tried.

Drives a Line; keeps no state. It never writes to a device.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from gateway.bus.contact import look_up
from gateway.bus.discovery import Found as Board
from gateway.bus.discovery import discover
from gateway.bus.transport import Line
from gateway.bus.trouble import BusTrouble
from gateway.errors import DeviceRefused, TryAgain
from gateway.profile import Profile

USUAL = (
    (9600, "N", 1), (9600, "E", 1), (19200, "E", 1), (19200, "N", 1), (115200, "N", 1), (38400, "N", 1), (2400, "N", 1),
    (4800, "N", 1), (57600, "N", 1), (1200, "N", 1), (2400, "E", 1), (38400, "E", 1), (115200, "E", 1), (9600, "O", 1),
)  # fmt: skip
"""Settings that devices leave the factory with, the most usual first. A second stop bit makes no difference to a
receiver, so 8N2 is found as 8N1."""
_AGAIN = 4
_OURS = {"object0": "Gewu"}  # of boards that garble one another's identification and answered the call


@dataclass(frozen=True)
class Found:
    """Somebody at `address`: the profile that fits, the identification it gave, what is wrong with it."""

    address: int
    profile: str | None
    identity: dict[str, str]
    trouble: str | None


def sweep(
    line: Line, units: Iterable[int], known: Sequence[Profile], progress: Callable[[], None] = lambda: None
) -> Iterator[Found]:
    """Ask each of `units`. Raises PortTrouble."""
    for unit in units:
        answer = look_up(line, unit, known)
        progress()
        if answer is None:
            continue
        profile, identity, trouble = answer
        yield Found(unit, profile, identity, doubled(line, unit) or trouble)


def doubled(line: Line, unit: int) -> str | None:
    """Why two devices seem to share this address; None when the answers are clean and all the same."""
    garbled, answers = 0, set[str]()
    for _ in range(_AGAIN):
        try:
            answers.add(repr(sorted(line.identity(unit).items())))
        except DeviceRefused as refused:
            answers.add(f"exception {refused.code}")
        except BusTrouble as trouble:
            garbled += trouble.cause in ("crc", "cut")
    if len(answers) > 1:
        return f"two devices answer at address {unit}, now one and now the other: give one of them another address."
    if garbled >= _AGAIN / 2:
        return (
            f"{garbled} of {_AGAIN} answers from address {unit} are garbled: two devices with this address, or a bad "
            "line; take one off and look again."
        )
    return None


def named(line: Line, found: Sequence[Found]) -> list[Found]:
    """`found` with the serial numbers of the boards of this project that share an address. Raises PortTrouble.

    All boards are called at once, so also those are told apart that answer each question with the very same bytes.
    """
    try:
        boards = discover(line)
    except TryAgain:
        return list(found)  # the line is too bad for it, which the rows say already
    result = []
    for one in found:
        here = [board for board in boards if board.address == one.address]
        if len(here) > 1:
            one = replace(one, identity=one.identity or _OURS, trouble=_sharing(one.address, here))
        result.append(one)
    return result


def _sharing(address: int, boards: Sequence[Board]) -> str:
    serials = [board.serial for board in boards]
    who = f"{len(boards)} boards answer at address {address}: {', '.join(serials)}"
    if twice := next((serial for serial in serials if serials.count(serial) > 1), None):
        return f"{who}; two of them have the serial number {twice}: take one off the bus, erase and commission it anew."
    if any(board.commissioned for board in boards):
        return f"{who}; take one off the bus and give it the address of the plan: gewu provision commission, by USB."
    return f"{who}; none has an address of its own yet: gewu bus address --plan gives each one."


def others(baud: int, parity: str, stopbits: int) -> Iterator[tuple[int, str, int]]:
    """The usual settings but this one."""
    return (settings for settings in USUAL if settings[:2] != (baud, parity))


def spelled(baud: int, parity: str, stopbits: int) -> str:
    """Such as "9600 8N1"."""
    return f"{baud} 8{parity}{stopbits}"
