"""The processes of the demo: village, broker, gateway, receiver. It starts, kills and ends them, and asks them things.

Each is a program of its own, started as a user would start it, with its log in the demo's folder.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from gateway import control
from gateway.errors import GewuError
from hil_tests.brokers import Amqtt, Mosquitto, end_with_parent
from hil_tests.demo import stage
from hil_tests.demo.lens import Lens
from hil_tests.rig import control as rig

Answer = TypeVar("Answer")
_GEWU = (sys.executable, "-m", "gateway")
_START_S = 60.0
_STOP_S = 10.0


class Cast:
    """Everybody on stage; `folder` holds their files and logs. `close` ends every process that was started."""

    def __init__(self, folder: Path, broker: Amqtt | Mosquitto) -> None:
        self.folder = folder
        self.data_dir = folder / "gateway"
        self.received_dir = folder / "received"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.broker = broker
        self.lens = Lens(folder / "gate")
        self.village: dict[str, Any] = {}

    def start(self) -> None:
        """Village and broker first, then the receiver, then the gateway. Raises GewuError naming who failed."""
        site = self.folder / "village.toml"
        site.write_text(stage.site_toml(), encoding="utf-8")
        village = self._spawn("village", "rig", "up", str(site), "--json", stdout=subprocess.PIPE)
        self.broker.start()
        self._spawn("receiver", "receive", "--url", self.broker.url, "--into", str(self.received_dir))
        self.village = self._village_document(village)
        (self.folder / "gewu.toml").write_text(
            stage.gateway_toml(self.village, self.broker.url, self.data_dir, self.lens.table()), encoding="utf-8"
        )
        self.start_gateway()

    def start_gateway(self) -> None:
        self._spawn("gateway", "run", "--config", str(self.folder / "gewu.toml"))

    def kill_gateway(self) -> None:
        """As the kernel would: no warning, nothing flushed."""
        gateway = self._processes["gateway"]
        gateway.kill()
        gateway.wait()

    def stop_gateway(self) -> None:
        """As systemd would."""
        self._terminate("gateway")

    def stop_receiver(self) -> dict[str, Any]:
        """End the receiver; its last report."""
        self._terminate("receiver")
        report: dict[str, Any] = json.loads((self.received_dir / "report.json").read_text(encoding="utf-8"))
        return report

    def status(self) -> dict[str, Any] | None:
        """What the gateway says of itself; None while it is dead or just starting."""
        if not self.data_dir.is_dir():
            return None
        try:
            status: dict[str, Any] | None = control.ask(self.data_dir, "status")
        except GewuError:
            return None
        return status

    def stats_at_rest(self) -> dict[str, int]:
        """The counts of the stopped gateway's outbox, as `gewu outbox stats` prints them."""
        done = subprocess.run(
            [*_GEWU, "outbox", "stats", "--config", str(self.folder / "gewu.toml"), "--json"],
            capture_output=True,
            timeout=_STOP_S,
            check=False,
        )
        if done.returncode != 0:
            raise GewuError(f"`gewu outbox stats` failed: {done.stderr.decode(errors='replace').strip()}")
        stats: dict[str, int] = json.loads(done.stdout)
        return stats

    def arrived(self) -> int:
        """How many distinct records the receiver holds now."""
        try:
            report = json.loads((self.received_dir / "report.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0
        return int(report["delivered"])

    def received_events(self) -> list[dict[str, Any]]:
        """The events that arrived, each once, with `got`, the time of arrival in Unix milliseconds."""
        path = self.received_dir / "events.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def inject(self, board: str, **values: float) -> None:
        """Change what a board measures."""
        texts = {key: str(value) for key, value in values.items()}
        rig.ask(Path(self.village["rig"]), {"do": "inject", "board": board, "values": texts})

    def village_now(self) -> dict[str, Any]:
        """The village's state, trips included."""
        state: dict[str, Any] = rig.ask(Path(self.village["rig"]), {"do": "state"})
        return state

    def check(self) -> None:
        """Raise GewuError when somebody who should be alive has died, with the last line of its log."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise GewuError(
                    f"The {name} of the demo ended with status {process.returncode}: {self._last_words(name)}"
                )

    def wait_for(self, what: str, ready: Callable[[], Answer | None], seconds: float = _START_S) -> Answer:
        """The first answer of `ready` that is not None or False, asked ten times a second."""
        deadline = time.monotonic() + seconds
        while not (answer := ready()):
            self.check()
            if time.monotonic() > deadline:
                raise GewuError(f"{what} did not happen within {seconds:.0f} s: the logs are in {self.folder}.")
            time.sleep(0.1)
        return answer

    def close(self) -> None:
        """End everybody, the gateway first; kill who does not end."""
        self.lens.close()
        for name in ("gateway", "receiver", "village"):
            if name in self._processes:
                self._terminate(name)
        self.broker.close()

    def _village_document(self, village: subprocess.Popen[bytes]) -> dict[str, Any]:
        """The JSON document that the village prints once it is up; it keeps its end of the pipe open after that."""
        assert village.stdout is not None
        text = b""
        while part := os.read(village.stdout.fileno(), 65536):
            text += part
            try:
                document: dict[str, Any] = json.loads(text)
            except ValueError:
                continue
            return document
        raise GewuError(f"The virtual village did not come up: {self._last_words('village')}")

    def _spawn(self, name: str, *command: str, stdout: int | None = None) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*_GEWU, *command],
                stdin=subprocess.DEVNULL,
                stdout=log if stdout is None else stdout,
                stderr=log,
                preexec_fn=lambda: end_with_parent(signal.SIGTERM),
                start_new_session=True,  # Ctrl-C is for the demo, which ends the others in order
            )
        self._processes[name] = process
        return process

    def _terminate(self, name: str) -> None:
        process = self._processes.pop(name)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def _last_words(self, name: str) -> str:
        lines = (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
