"""One pseudo-terminal pair, held open at both ends so that a client that closes leaves no error behind."""

import os
import termios

_VMIN, _VTIME, _VQUIT, _VSUSP = termios.VMIN, termios.VTIME, termios.VQUIT, termios.VSUSP
_BAUDS = {getattr(termios, name): int(name[1:]) for name in dir(termios) if name.startswith("B") and name[1:].isdigit()}
_CODES = {baud: code for code, baud in _BAUDS.items()}


class Terminal:
    """A raw pair. `master` is the rig's end (non-blocking); clients open `path`."""

    def __init__(self, blocking_reads: bool = True, interrupts: bool = False, baud: int | None = None) -> None:
        """`blocking_reads` False: a read of nothing returns at once. `interrupts`: Ctrl-C is a signal."""
        self.master, self._slave = os.openpty()
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self._slave)
        flags = termios.CS8 | termios.CREAD | termios.CLOCAL
        local = termios.ISIG | termios.NOFLSH if interrupts else 0
        characters = list(termios.tcgetattr(self._slave)[6])
        characters[_VMIN], characters[_VTIME] = (1 if blocking_reads else 0), 0
        characters[_VQUIT] = characters[_VSUSP] = b"\0"
        speed = _CODES.get(baud or 0, termios.B38400)
        self._attributes = [0, 0, flags, local, speed, speed, characters]
        self.restore()

    def restore(self) -> None:
        """As it was made: a process that was killed at its prompt has left a terminal without Ctrl-C."""
        termios.tcsetattr(self._slave, termios.TCSANOW, self._attributes)

    @property
    def baud(self) -> int | None:
        """The speed that a client has set; None when it is none that termios has a name for."""
        return _BAUDS.get(termios.tcgetattr(self._slave)[5])

    @property
    def interruptible(self) -> bool:
        """Whether Ctrl-C is a signal now: MicroPython runs a program, and does not read its prompt."""
        return bool(termios.tcgetattr(self._slave)[3] & termios.ISIG)

    def read(self) -> bytes:
        """What clients wrote; nothing when there is nothing."""
        try:
            return os.read(self.master, 65536)
        except (BlockingIOError, InterruptedError):
            return b""

    def write(self, data: bytes) -> int:
        """As much of `data` as fits; the count. A full terminal takes nothing more, as a full UART."""
        try:
            return os.write(self.master, data)
        except BlockingIOError:
            return 0

    def discard_unread(self) -> None:
        """Forget what no client has read, in both directions."""
        termios.tcflush(self._slave, termios.TCIFLUSH)

    def close(self) -> None:
        """Close both ends."""
        os.close(self.master)
        os.close(self._slave)
