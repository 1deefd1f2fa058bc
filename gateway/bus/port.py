"""One serial port, opened for this process alone, that reads whole Modbus frames and keeps the silences.

It never interprets registers. What it adds to pyserial: an exception answer ends a read at once instead of at its
time-out, a time-out counts from the request and grows with the length of the answer, and after a failure the line is
listened to until it is quiet.
"""

import contextlib
import errno
import os
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import serial

from gateway.bus.trouble import PortTrouble
from gateway.bus.wire import ANSWER_BYTES, Wire

# pyserial blocks for at most this long at a time. Its time-out is set once, for changing it talks to the driver.
_SLICE_S = 0.02
_WRITE_TIMEOUT_S = 2.0
_LONGEST_FRAME = 256
# USB adapters and schedulers hold bytes back for a while; FTDI's latency timer is 16 ms.
_SLACK_S = 0.05
_LONGEST_BABBLE_S = 0.5
_RFC2217 = "rfc2217://"

Clock = Callable[[], float]


class Port(Protocol):
    """What `Line` needs of a port."""

    port: str
    timeout: float
    frame: bytes
    sent: bytes
    sent_at: float

    def ask(self, request: bytes, length: int) -> bytes: ...

    def tell(self, request: bytes, turnaround: float) -> None: ...

    def read_on(self, count: int) -> bytes: ...

    def quieten(self, rest: float = 0.0) -> None: ...

    def listen(self, seconds: float) -> bytes: ...

    def close(self) -> None: ...


class FramedPort:
    """A serial port with frames in mind.

    `patience` is how long, in seconds, a device may take before it begins its answer. `sent` is the latest
    request and `sent_at` when it went out.
    """

    sent = b""
    sent_at = 0.0

    def __init__(self, path: str, wire: Wire, patience: float, monotonic: Clock = time.monotonic) -> None:
        self.port = path
        self.timeout = patience
        self.frame = b""  # the latest answer as it came, for telling what was wrong with it
        self._wire = wire
        self._now = monotonic
        self._busy_until = 0.0
        self._line = open_serial(path, wire)

    def close(self) -> None:
        self._line.close()

    def ask(self, request: bytes, length: int) -> bytes:
        """Send `request` and return its answer of at most `length` bytes.

        They are fewer for an exception, or when the device stops in between.
        """
        self._send(request)
        head = self._take(min(length, ANSWER_BYTES), max(self._busy_until, self._now()) + self.timeout)
        short = len(head) < ANSWER_BYTES or head[1] & 0x80
        self.frame = head if short else head + self._rest(length - len(head))
        self._busy_until = self._now() + self._wire.silence
        return self.frame

    def tell(self, request: bytes, turnaround: float) -> None:
        """Send `request`, to which nobody answers; the line then rests for `turnaround` seconds."""
        self._send(request)
        self._busy_until += turnaround

    def read_on(self, count: int) -> bytes:
        """`count` more bytes of the answer that is being read, for frames that tell their length inside."""
        more = self._rest(count)
        self.frame += more
        self._busy_until = self._now() + self._wire.silence
        return more

    def quieten(self, rest: float = 0.0) -> None:
        """Listen until nothing has come for a silence, so that the rest of a wrong answer is not the next one.

        The line then rests for `rest` seconds more.
        """
        give_up = self._now() + _LONGEST_BABBLE_S
        while self._now() < give_up and self._line.read(_LONGEST_FRAME):
            pass
        self._busy_until = self._now() + self._wire.silence + rest

    def listen(self, seconds: float) -> bytes:
        """What comes within `seconds`."""
        end, heard = self._now() + seconds, b""
        while self._now() < end:
            heard += self._line.read(_LONGEST_FRAME)
        return heard

    def _send(self, frame: bytes) -> None:
        """Send a request, after the silence that must precede it and with nothing old left to read."""
        wait = self._busy_until - self._now()
        if wait > 0:
            time.sleep(wait)
        self._forget()
        self.frame = b""
        self.sent, self.sent_at = frame, self._now()
        # Written is not sent: the time-out of the answer starts when the last bit has left.
        self._busy_until = self._now() + len(frame) * self._wire.t_char + self._wire.silence
        self._line.write(frame)

    def _forget(self) -> None:
        """Forget what has come so far."""
        if self.port.startswith(_RFC2217):
            # pyserial would ask the server to forget, and poll for its answer for 50 ms
            self._line.read(self._line.in_waiting)
        else:
            self._line.reset_input_buffer()

    def _rest(self, count: int) -> bytes:
        return self._take(count, self._now() + count * self._wire.t_char * 1.5 + _SLACK_S) if count > 0 else b""

    def _take(self, count: int, deadline: float) -> bytes:
        # Up to ANSWER_BYTES characters travel after the device has begun
        deadline += ANSWER_BYTES * self._wire.t_char
        taken = self._line.read(count)
        while len(taken) < count and self._now() < deadline:
            taken += self._line.read(count - len(taken))
        return bytes(taken)


def open_serial(path: str, wire: Wire) -> serial.Serial:
    """The port opened for this process alone; PortTrouble says what to do when that is not possible."""
    try:
        opened: serial.Serial = serial.serial_for_url(
            path,
            baudrate=wire.baud,
            bytesize=serial.EIGHTBITS,
            parity=serial.PARITY_NONE if _is_pseudo_terminal(path) else wire.parity,
            stopbits=wire.stopbits,
            timeout=_SLICE_S,
            # pyserial has none for RFC 2217
            write_timeout=None if path.startswith(_RFC2217) else _WRITE_TIMEOUT_S,
            # None where there is no device file to lock
            exclusive=None if "://" in path else True,
        )
        return opened
    except (OSError, ValueError, termios.error) as error:
        raise PortTrouble(_why_not(path, error)) from error


def _is_pseudo_terminal(path: str) -> bool:
    """A pty has no parity: the kernel drops the bit, and glibc answers EINVAL from the second time on."""
    return os.path.realpath(path).startswith("/dev/pts/")


def _why_not(path: str, error: Exception) -> str:
    number = getattr(error, "errno", None)
    if "://" in path:
        return f"The port {path} cannot be reached ({error}); check the serial server's power, host and port."
    if not Path(path).exists():
        return f"The port {path} does not exist; plug the adapter in, or correct the port (see ls /dev/serial/by-id)."
    if number in (errno.EAGAIN, errno.EBUSY):
        by = holders(path)
        return f"The port {path} is in use by {by or 'another program'}; stop that first, or go through it."
    if number == errno.EACCES:
        return f"This user may not open the port {path}; add the user to the group dialout and log in again."
    return f"The port {path} cannot be opened as a serial port: {error}."


def holders(path: str) -> str:
    """Who has `path` open, such as "minicom (process 812)", as far as this user may see; else empty.

    A running gateway is named alone, by its data folder: it is the one that can be asked instead.
    """
    gateways, others = [], []
    for process in holding_processes(path):
        folders = data_folders(process)
        if folders:
            gateways.append(f"the gateway that runs on {folders[0]} (process {process.name})")
        else:
            others.append(f"{_name_of(process)} (process {process.name})")
    return ", ".join(sorted(gateways or others))


def holding_processes(path: str) -> list[Path]:
    """The processes (their folders in /proc) that have `path` open, as far as this user may see."""
    real = os.path.realpath(path)
    return [process for process in Path("/proc").glob("[0-9]*") if real in _opened_by(process)]


def data_folders(process: Path) -> list[Path]:
    """The data folders that a process (its folder in /proc) runs a gateway on: it has their lock open."""
    folders = (Path(file).parent for file in _opened_by(process) if file.endswith("/lock"))
    return [folder for folder in folders if (folder / "control.sock").exists()]


def _opened_by(process: Path) -> list[str]:
    """The files that a process has open; none when it has ended or belongs to another user."""
    found = []
    try:
        for link in (process / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed while we looked
                found.append(str(link.readlink()))
    except OSError:
        return found
    return found


def _name_of(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "a program that has just ended"
