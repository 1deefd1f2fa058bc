"""The ROM bootloader of the virtual boards: one process that serves esptool for all of them.

The rig listens on a port a board and starts this only when a first tool connects, since the chip tables
of esptool take a second to load. Each board has a flash of its own, kept while the rig is up. It never
touches the MicroPython process of the board. Started as `python -m hil_tests.rig.bootloader FD...`.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading

from hil_tests.rig.loop import Loop

CHIP = "esp32"
_PDEATHSIG = 1


class Bootloaders:
    """The listening ends. `ports` in the order of the boards."""

    def __init__(self, loop: Loop, count: int) -> None:
        self._loop = loop
        self._process: subprocess.Popen[bytes] | None = None
        self._sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        self.ports = [int(listener.getsockname()[1]) for listener in self._sockets]
        for listener in self._sockets:
            loop.watch(listener.fileno(), self._first_caller)

    def close(self) -> None:
        """End the process, if there is one, and the ports."""
        self._unwatch()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        for listener in self._sockets:
            listener.close()

    def _first_caller(self) -> None:
        # The caller waits in the queue of the socket until the process accepts.
        self._unwatch()
        files = [listener.fileno() for listener in self._sockets]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hil_tests.rig.bootloader", str(os.getpid()), *map(str, files)],
            pass_fds=files,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _unwatch(self) -> None:
        for listener in self._sockets:
            self._loop.unwatch(listener.fileno())


def _serve(listener: socket.socket) -> None:
    from esp32_mock_bootloader.server import BootloaderConnection, FlashImage, handle_client

    flash, never = FlashImage(), threading.Event()
    while True:
        connection = BootloaderConnection(sock=listener.accept()[0], track_disconnect=True)
        handle_client(connection, never, CHIP, exit_on_disconnect=True, flash=flash)


def main(rig: int, files: list[int]) -> None:
    """Serve the listening sockets `files` until the rig (its process id) ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the rig, which ends this
    ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != rig:
        return  # it died before the kernel knew whom to tell
    threads = [threading.Thread(target=_serve, args=(socket.socket(fileno=file),)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(int(sys.argv[1]), [int(word) for word in sys.argv[2:]])
