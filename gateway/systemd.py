"""Telling systemd how the gateway is: READY=1, WATCHDOG=1, STOPPING=1, STATUS=. Silent when systemd is not there."""

import os
import socket


def notify(*lines: str) -> bool:
    """Send state lines to the service manager; True when one listens ($NOTIFY_SOCKET is set)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):  # Linux's abstract namespace
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        try:
            line.sendto("\n".join(lines).encode(), address)
        except OSError:
            return False  # a manager that restarts: the next call comes in seconds
    return True


def watchdog_seconds() -> float | None:
    """Half of the interval that systemd asks for, so that one late call is no restart; None without a watchdog."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    owner = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not microseconds.isdigit() or owner != str(os.getpid()):
        return None
    return int(microseconds) / 2e6
