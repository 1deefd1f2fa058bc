"""The process of one board: MicroPython with its terminal, started, watched and ended by its id.

The process leads a session of its own whose terminal the rig holds: when the rig dies, however it
dies, the kernel hangs the terminal up and the board with it.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from hil_tests.rig.loop import Loop
from provisioning import firmware_build

_BOARD = Path(__file__).resolve().parent / "board"
_START = "start.py"
# Whatever the rig ignores (a background job ignores Ctrl-C), a board must not.
_DEFAULTS = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE, signal.SIGQUIT)


@cache
def _built_in() -> tempfile.TemporaryDirectory[str]:
    """What an ESP32 has in its flash, compiled once: names of local variables would fill a board's table of names."""
    folder = tempfile.TemporaryDirectory(prefix="gewu-built-in-")
    for name in ("machine", "onewire"):
        firmware_build.compile_module(_BOARD / f"{name}.py", Path(folder.name) / f"{name}.mpy", name)
    shutil.copyfile(_BOARD / _START, Path(folder.name) / _START)  # its folder is where MicroPython looks first
    return folder


class Process:
    """At most one living process. `ended(status)` is called in the loop's thread, status as os.waitpid gives."""

    def __init__(self, loop: Loop, interpreter: Path, ended: Callable[[int], None]) -> None:
        self.pid: int | None = None
        self._loop = loop
        self._interpreter = interpreter
        self._ended = ended
        self._handle = -1

    def start(self, terminal: str, environment: dict[str, str], heap_kb: int) -> None:
        """Boot the board with `terminal` as its standard files and a heap of so many kB."""
        path = str(self._interpreter)
        self.pid = os.posix_spawn(
            path,
            [path, "-X", f"heapsize={heap_kb}k", "-i", str(Path(_built_in().name) / _START)],
            {**os.environ, "MICROPYPATH": "", **environment},
            setsid=True,
            setsigdef=_DEFAULTS,
            setsigmask=(),
            file_actions=[
                # The first terminal that a session's leader opens becomes the session's.
                (os.POSIX_SPAWN_OPEN, 0, terminal, os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ],
        )
        self._handle = os.pidfd_open(self.pid)
        self._loop.watch(self._handle, self._reap)

    def kill(self) -> None:
        """Cut its power. `ended` follows."""
        if self.pid is not None:
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def close(self) -> None:
        """End it for good, without a call of `ended`."""
        if self.pid is not None:
            self.kill()
            self._forget()

    def _reap(self) -> None:
        self._ended(self._forget())

    def _forget(self) -> int:
        assert self.pid is not None
        self._loop.unwatch(self._handle)
        os.close(self._handle)
        status = os.waitpid(self.pid, 0)[1]
        self.pid = None
        return status
