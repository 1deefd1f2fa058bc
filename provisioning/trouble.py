"""What can go wrong with a board at the bench: a code for scripts, the plain cause, the next step for the person.

It names; it finds nothing out itself and mends nothing.
"""

import errno
import os
from pathlib import Path

from gateway.errors import GewuError

NEXT_STEPS = {
    "no-port": "plug the board in and look for its port (ls /dev/serial/by-id)",
    "no-permission": "let yourself use serial ports (sudo usermod -aG dialout $USER, then log in anew)",
    "port-busy": "end the other program that has this port",
    "no-answer": "hold the board's BOOT button while it is plugged in, try another cable, then repeat",
    "wrong-chip": "put the board aside, it is another model; this firmware is for the chip that the image names",
    "flash-too-small": "put the board aside, it is another model; take one with a larger flash",
    "image-missing": "give the path of a MicroPython image for the ESP32 (a .bin file)",
    "image-unfit": "take the .bin image that MicroPython publishes for the ESP32",
    "image-unpinned": "add its SHA-256 to SHA256SUMS beside it, from a source that you trust, or give --hashes",
    "image-altered": "do not use it: fetch the image anew and compare it with the published SHA-256",
    "unplugged": "plug the board in again and repeat; it goes on where it stopped",
    "not-verified": "repeat; when it happens again, this flash is worn or the cable is bad",
    "disk-full": "make room on the disk with the journal, then repeat",
    "no-micropython": "flash it first: gewu provision flash",
    "wrong-micropython": "flash it with a newer image: gewu provision flash",
    "board-full": "erase the board and flash it again",
    "unknown-serial": "write this serial into its row of the plan, or say which row with --id",
    "serial-mismatch": "take the board that the plan names, or correct the plan",
    "serial-twice": "two boards say that they are the same one: erase and flash the copy",
    "board-taken": "take the row's own board; to replace a dead board give --replace with --id",
    "plan-full": "the plan has no open row left; add rows, or put the board aside",
    "bundle-altered": "do not use it: fetch the bundle anew from its maker, or give the right --signer",
    "not-loaded": "repeat; when it happens again, erase the board and flash it",
    "not-on-bus": "check its wiring and its supply, read the label again, or correct the plan",
    "address-taken": "give one of the two another address, or take it off the bus, then repeat",
    "commissioned-already": "its address changes at the bench: gewu provision commission over its USB",
    "not-addressed": "repeat; when it happens again, look at the wiring (gewu bus wiring)",
    "no-reference": "check the reference meter and its readings, then repeat",
    "meter-silent": "give the board its isolated supply at the bench, then repeat; else its metering chip is broken",
    "supply-unsteady": "wait until load and voltage stand still, then repeat",
    "points-unfit": "choose two points that differ, the lower about a fifth of the rated current, and read them anew",
    "gain-refused": "compare shunt, divider and rating with the board's parts and the reading with the meter; "
    "do not mount this board as it is",
    "not-linear": "read both points anew; when it happens again, do not mount this board",
    "check-failed": "calibrate it anew (--recalibrate); when it happens again, do not mount this board",
    "self-test-failed": "do not mount this board; check its meter and its wiring, then repeat",
}


class Trouble(GewuError):
    """One trouble of one board. As text: `code: cause; next step.`"""

    def __init__(self, code: str, cause: str) -> None:
        self.code, self.cause = code, cause
        super().__init__(f"{code}: {cause}; {NEXT_STEPS[code]}.")


def of_port(port: str, error: OSError) -> Trouble:
    """Why a port could not be opened, or went away while it was used."""
    code = {
        errno.ENOENT: "no-port",
        errno.ENXIO: "no-port",
        errno.ENODEV: "no-port",
        errno.ECONNREFUSED: "no-port",
        errno.EACCES: "no-permission",
        errno.EPERM: "no-permission",
        errno.EBUSY: "port-busy",
        errno.EAGAIN: "port-busy",
    }.get(error.errno or 0, "unplugged")
    cause = {
        "no-port": f"there is no {port}",
        "no-permission": f"you may not open {port}",
        "port-busy": f"another program has {port}",
        "unplugged": f"{port} went away",
    }[code]
    return Trouble(code, cause)


def look_at_port(port: str) -> None:
    """Raise Trouble where a port by its path cannot be used, before any tool says so in other words."""
    if "://" in port:
        return
    try:
        Path(port).stat()
    except OSError as error:
        raise of_port(port, error) from error
    if not os.access(port, os.R_OK | os.W_OK):
        raise of_port(port, PermissionError(errno.EACCES, "", port))
