"""What passes between a board's USB and its REPL, byte for byte as a board with a UART would have it. Pure.

MicroPython forgets what was typed between an interrupt and its next prompt; a board's UART keeps it. So
bytes behind a Ctrl-C wait here until the prompt reads. It also follows whether the REPL is in raw mode,
which a soft reset must keep.
"""

from typing import Literal

INTERRUPT = 0x03
RAW_MODE = b"\x01"
SOFT_REBOOT = b"MPY: soft reboot\r\n"
_RAW = b"raw REPL; CTRL-B to exit\r\n"
_FRIENDLY = b'Type "help()" for more information.\r\n'
# How long a program may take to notice a Ctrl-C before what follows is typed at it all the same.
_PATIENCE_S = 1.0

State = Literal["booting", "running", "prompt"]


class Relay:
    """One board's traffic. `raw` tells the mode of its REPL."""

    def __init__(self) -> None:
        self.raw = False
        self._held = bytearray()
        self._restoring: Literal["", "wanted", "asked"] = ""
        self._since_interrupt: float | None = None
        self._seen = b""
        self._return = False

    @property
    def waiting(self) -> bool:
        """Whether there is something to say to the board when it listens."""
        return bool(self._held or self._restoring)

    def from_host(self, data: bytes) -> None:
        """The tool at the USB port sent `data`."""
        self._held += data

    def to_board(self, state: State, now: float) -> bytes:
        """What of the held bytes the board may have now; first of all its raw mode back."""
        if self._restoring == "wanted" and state == "prompt":
            self._restoring = "asked"
            return RAW_MODE
        if state == "booting" or self._restoring or not self._held:
            return b""
        if state == "running":
            if self._since_interrupt is not None and now - self._since_interrupt < _PATIENCE_S:
                return b""
            end = self._held.find(INTERRUPT) + 1
            self._since_interrupt = now if end else None
        else:
            end = 0
            self._since_interrupt = None
        part = bytes(self._held[: end or len(self._held)])
        del self._held[: len(part)]
        return part

    def give_back(self, part: bytes) -> None:
        """The board had no room for `part`: it stays first in the queue."""
        self._held[:0] = part

    def restarted(self) -> None:
        """The board boots, and comes back in the mode that it had."""
        self._restoring = "wanted" if self.raw else ""
        self._since_interrupt = None
        self._seen = b""

    def to_host(self, data: bytes) -> bytes:
        """Output of the board as its port shows it: every line ends with CR LF."""
        shown = bytearray()
        for byte in data:
            if byte == 0x0A and not self._return:
                shown.append(0x0D)
            self._return = byte == 0x0D
            shown.append(byte)
        self._follow(bytes(shown))
        return bytes(shown)

    def _follow(self, shown: bytes) -> None:
        self._seen += shown
        raw, friendly = self._seen.rfind(_RAW), self._seen.rfind(_FRIENDLY)
        if raw != friendly:
            self.raw = raw > friendly
            if self.raw:
                self._restoring = ""
        self._seen = self._seen[-len(_FRIENDLY) + 1 :]
