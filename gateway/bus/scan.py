"""Who is on a line: every address asked, doubled addresses suspected, other speeds and parities tried.

Drives a Line; keeps no state. It never writes to a device.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from gateway.bus.contact import look_up
from gateway.bus.transport import Line
from gateway.bus.trouble import BusTrouble
from gateway.errors import DeviceRefused
from gateway.profile import Profile

USUAL = (
    (9600, "N", 1), (9600, "E", 1), (19200, "E", 1), (19200, "N", 1), (115200, "N", 1), (38400, "N", 1), (2400, "N", 1),
    (4800, "N", 1), (57600, "N", 1), (1200, "N", 1), (2400, "E", 1), (38400, "E", 1), (115200, "E", 1), (9600, "O", 1),
)  # fmt: skip
"""Settings that devices leave the factory with, the most usual first. A second stop bit makes no difference to a
receiver, so 8N2 is found as 8N1."""
_AGAIN = 4


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


def others(baud: int, parity: str, stopbits: int) -> Iterator[tuple[int, str, int]]:
    """The usual settings but this one."""
    return (settings for settings in USUAL if settings[:2] != (baud, parity))


def spelled(baud: int, parity: str, stopbits: int) -> str:
    """Such as "9600 8N1"."""
    return f"{baud} 8{parity}{stopbits}"
