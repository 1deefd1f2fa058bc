"""What systemd is to a gateway, small: it waits for READY=1, and starts anew whoever stops feeding the watchdog."""

import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from hil_tests.brokers import end_with_parent


class Supervisor:
    """`with Supervisor(command, folder, watchdog_s=2.0) as unit:` starts it; `attend` is its main loop."""

    def __init__(self, command: list[str], folder: Path, watchdog_s: float) -> None:
        self._command = command
        self._watchdog_s = watchdog_s
        self._path = folder / "notify.sock"
        self._log = (folder / "unit.log").open("ab")
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._fed = 0.0
        self.ready = False
        self.starts = 0

    def __enter__(self) -> Self:
        self._line.bind(str(self._path))
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._line.close()
        self._log.close()

    def start(self) -> None:
        """Start it; it is not ready before it says so."""
        self.ready, self._fed = False, time.monotonic()
        self.starts += 1
        usec = str(int(self._watchdog_s * 1e6))
        self.process = subprocess.Popen(
            self._command,
            env=os.environ | {"NOTIFY_SOCKET": str(self._path), "WATCHDOG_USEC": usec},
            stdout=self._log,
            stderr=self._log,
            preexec_fn=end_with_parent,
        )

    def kill(self) -> None:
        """SIGKILL, also of one that is stopped."""
        self.process.kill()
        self.process.wait()

    def attend(self, seconds: float) -> None:
        """Listen for `seconds` or until it says that it is ready; restart it when it does not feed the watchdog."""
        deadline = time.monotonic() + seconds
        while (now := time.monotonic()) < deadline:
            if self.ready and now - self._fed > self._watchdog_s:
                self.kill()
                self.start()
            if not select.select([self._line], [], [], 0.05)[0]:
                continue
            said = self._line.recv(4096).split(b"\n")
            if b"WATCHDOG=1" in said:
                self._fed = time.monotonic()
            if b"READY=1" in said:
                self.ready, self._fed = True, time.monotonic()
                return


def gateway(config: Path) -> list[str]:
    """The command of a gateway."""
    return [sys.executable, "-m", "gateway", "run", "--config", str(config)]
