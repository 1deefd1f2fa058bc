"""The gateways of a running rig: one real process for each `[[gateway]]` of the site, on a disk and with a clock that
are made sick by name, like a board or a bus. The process itself is `gateway_process`."""

import json
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gateway import control
from gateway.config import load
from gateway.errors import ConfigurationError, GewuError
from hil_tests.rig.circuit import parse_pairs
from hil_tests.rig.site import Gateway

NUMBERS = {"clock": (-3.2e9, 3.2e9)}
FLAGS = ("full", "broken", "readonly", "untrusted", "kill")
_UP_S, _END_S = 60.0, 20.0


class Gateways:
    """All of them, by name; up when this returns. GewuError names the one that does not come up."""

    def __init__(self, gateways: list[Gateway]) -> None:
        if gateways and find_spec("apsw") is None:
            raise GewuError("A gateway in a rig needs a disk that fails on demand: pip install 'gewu-edge[hil]'.")
        self._known = {one.name: one.config for one in gateways}
        self._folders = {one.name: load(one.config).gateway.data_dir for one in gateways}
        self._set: dict[str, dict[str, float]] = {one.name: {} for one in gateways}
        self._running: dict[str, subprocess.Popen[str]] = {}
        try:
            for name in self._known:
                self._start(name)
            for name in self._known:
                self._await(name)
        except BaseException:
            self.close()
            raise

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def inject(self, name: str, pairs: dict[str, str]) -> None:
        """KEY=VALUE pairs; ConfigurationError, nothing changed, names what is wrong."""
        values = parse_pairs(pairs, NUMBERS, FLAGS)
        self._set[name] |= {key: value for key, value in values.items() if key != "kill"}
        if values.get("kill"):
            with self._running[name] as process:
                process.kill()  # SIGKILL, and at once again, as its supervisor would
            self._start(name)
        elif self._running[name].poll() is not None:
            raise ConfigurationError(f"The gateway {name} has ended: kill=1 starts it again.")
        else:
            self._tell(name)

    def state(self) -> list[dict[str, Any]]:
        """Their processes and folders."""
        return [
            {"name": name, "pid": process.pid, "data_dir": str(self._folders[name]), "up": process.poll() is None}
            for name, process in self._running.items()
        ]

    def close(self) -> None:
        """End them in peace: their input is over."""
        for process in self._running.values():
            if process.stdin is not None:
                process.stdin.close()
        for process in self._running.values():
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, name: str) -> None:
        command = [sys.executable, "-P", "-m", "hil_tests.rig.gateway_process", str(self._known[name])]
        self._running[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self._tell(name)

    def _tell(self, name: str) -> None:
        stdin = self._running[name].stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps(self._set[name]) + "\n")
            stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, which its state says

    def _await(self, name: str) -> None:
        deadline = time.monotonic() + _UP_S
        while not answers(self._folders[name], self._running[name].pid):
            if self._running[name].poll() is not None or time.monotonic() > deadline:
                raise GewuError(f"The gateway {name} did not come up: see above, or `gewu check {self._known[name]}`.")
            time.sleep(0.05)


def answers(data_dir: Path, pid: int) -> bool:
    """Whether the gateway of this process serves its socket."""
    try:
        status = control.ask(data_dir, "status")
    except GewuError:
        return False
    return status is not None and bool(status["gateway"]["pid"] == pid)
