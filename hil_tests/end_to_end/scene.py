"""The real parts of an end-to-end test: a gateway process with its configuration, commands, waiting for things."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from gateway import control
from gateway.errors import GewuError
from hil_tests.rig.village import Village

Answer = TypeVar("Answer")
GEWU = [sys.executable, "-m", "gateway"]

SITE = """
[[bus]]
name = "north"
baud = 19200
[[bus.board]]
id = "b1"
profile = "gewu-breaker"
address = 1
rating = 16
curve = "C"
load = 6.0
[[bus.board]]
id = "s1"
profile = "gewu-sensor"
address = 2
load = 20.0
"""


def wait_for(what: str, ready: Callable[[], Answer | None], seconds: float = 30.0) -> Answer:
    """The first truthy answer of `ready`; fails naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := ready()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)
    return answer


def gewu(*arguments: str | Path, status: int = 0, seconds: float = 60.0) -> str:
    """Run one command; its output, stderr after stdout. No traceback is ever seen."""
    done = subprocess.run([*GEWU, *map(str, arguments)], capture_output=True, text=True, timeout=seconds, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


class Program:
    """A long-running `gewu` command with its log; `stop` is SIGTERM, `kill` is SIGKILL."""

    def __init__(self, folder: Path, *command: str | Path) -> None:
        self.log = folder / f"{command[0]}.log"
        self._command = [*GEWU, *map(str, command)]
        self.process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def restart(self) -> None:
        self.process = self._spawn()

    def stop(self, seconds: float = 10.0) -> float:
        """How long it took to end after SIGTERM."""
        began = time.monotonic()
        self.process.terminate()
        self.process.wait(seconds)
        return time.monotonic() - began

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def words(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


class Site:
    """One gateway's world in `folder`: write its configuration, start it, ask it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.config = folder / "gewu.toml"
        self.received = folder / "received"
        self.programs: list[Program] = []

    def configure(self, buses: str, broker_url: str, uplink: str = "acks = true\nmax_delay = 0.5\n") -> None:
        head = f'[gateway]\nid = "gw"\nsite = "test"\ndata_dir = "{self.data_dir}"\n'
        tail = f'[[uplink]]\nname = "county"\nurl = "{broker_url}"\n{uplink}'
        self.config.write_text(head + buses + tail, encoding="utf-8")

    def start_gateway(self) -> Program:
        return self._start("run", "--config", self.config)

    def start_receiver(self, broker_url: str) -> Program:
        return self._start("receive", "--url", broker_url, "--into", self.received)

    def _start(self, *command: str | Path) -> Program:
        program = Program(self.folder, *command)
        self.programs.append(program)
        return program

    def status(self) -> dict[str, Any] | None:
        try:
            status: dict[str, Any] | None = control.ask(self.data_dir, "status") if self.data_dir.exists() else None
        except GewuError:
            return None
        return status

    def device(self, name: str) -> dict[str, Any] | None:
        """The device as the gateway sees it now."""
        for bus in (self.status() or {"buses": []})["buses"]:
            for device in bus["devices"]:
                if device["id"] == name:
                    found: dict[str, Any] = device
                    return found
        return None

    def count(self, what: str) -> int:
        """A count of the running gateway's outbox, such as "queued"; 0 while nobody answers."""
        status = self.status()
        return int(status["store"][what]) if status else 0

    def wait_for_more(self, what: str, records: int = 4) -> None:
        """Until a count has grown by `records`."""
        wanted = self.count(what) + records
        wait_for(f"{records} more {what}", lambda: self.count(what) >= wanted)

    def wait_for_values(self, *devices: str) -> None:
        wait_for(f"values of {devices}", lambda: all((self.device(name) or {}).get("values") for name in devices))

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Events of one kind that the receiver has."""
        path = self.received / "events.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [event for event in map(json.loads, lines) if event["kind"] == kind]

    def trips(self) -> list[dict[str, Any]]:
        """Trip events that the receiver has; which element was first depends on what the board remembers."""
        return [event for kind in ("trip.instantaneous", "trip.overcurrent") for event in self.events(kind)]

    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads((self.received / "report.json").read_text(encoding="utf-8"))
        return report

    def close(self) -> None:
        for program in self.programs:
            if program.process.poll() is None:
                program.kill()


def bus_toml(village: Village, name: str = "north", port: str | None = None) -> str:
    """The `[[bus]]` of the gateway's configuration for the fixture's village."""
    (bus,) = village.state()["buses"]
    return (
        f'[[bus]]\nname = "{name}"\nport = "{port or bus["port"]}"\nbaud = {bus["baud"]}\n'
        '[[bus.device]]\nid = "b1"\nprofile = "gewu-breaker"\naddress = 1\nplace = "street/house 1"\n'
        '[[bus.device]]\nid = "s1"\nprofile = "gewu-sensor"\naddress = 2\nplace = "street/house 1"\n'
    )
