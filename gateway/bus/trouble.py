"""What goes wrong on a bus, by cause, with the sentences for it. It holds facts and does no input or output."""

from typing import Literal

from gateway.errors import TryAgain

Cause = Literal["no-answer", "crc", "cut", "wrong-unit", "wrong-answer", "exception", "port"]

EXCEPTIONS = {
    1: "does not know the function",
    2: "has no such registers",
    3: "refuses the quantity or the value",
    4: "reports a failure of its own",
    5: "is still working on an earlier request",
    6: "is busy",
    8: "reports a memory error",
    10: "reports that its gateway has no path",
    11: "reports that the device behind its gateway does not answer",
}
"""Modbus exception codes (application protocol V1.1b3, section 7) in a technician's words."""


class BusTrouble(TryAgain):
    """No usable answer. `cause` is what counts it; `address` is the unit id."""

    def __init__(self, message: str, cause: Cause, address: int) -> None:
        super().__init__(message)
        self.cause = cause
        self.address = address


class PortTrouble(TryAgain):
    """The port itself is missing, in use or gone: nothing on this bus can be reached until it is back."""

    cause: Cause = "port"


class WrongDevice(TryAgain):
    """Something answers at this address, but it is not what the profile describes."""


NEXT_STEP: dict[Cause, str] = {
    "no-answer": "check its power, its address, the bus's baud and parity, and whether A and B are swapped",
    "crc": "check the wiring, the termination and the earth, and that no second device has this address",
    "cut": "check the wiring and the baud, and that no second device has this address",
    "wrong-unit": "an answer came late or two devices talk at once; look for a doubled address",
    "wrong-answer": "look for a second device with this address, or another master on this bus",
}
_WHAT: dict[Cause, str] = {
    "no-answer": "gave no answer",
    "crc": "answered with a wrong checksum",
    "cut": "gave an incomplete answer",
    "wrong-unit": "was asked, but another unit answered",
    "wrong-answer": "answered something that was not asked",
}


def no_use(cause: Cause, bus: str, address: int, asked: str) -> BusTrouble:
    """The error for an answer that cannot be used, or for none; `asked` says what was asked for."""
    return BusTrouble(
        f"Bus {bus}: the device at address {address} {_WHAT[cause]} to {asked}; {NEXT_STEP[cause]}.", cause, address
    )


def refusal(bus: str, address: int, asked: str, code: int) -> str:
    """The sentence for a Modbus exception answer."""
    why = EXCEPTIONS.get(code, "refuses")
    return f"Bus {bus}: the device at address {address} {why} (exception {code:02d}) on {asked}; check its profile."
