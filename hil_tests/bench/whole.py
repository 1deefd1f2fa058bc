"""A whole gateway process, `gewu run`, with four buses of 25 ideal slaves: its memory and its processor time."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from gateway import control
from gateway.bus.wire import Wire
from gateway.errors import GewuError, TryAgain
from hil_tests.bench.ideal import REGISTERS, IdealSlave
from hil_tests.bench.row import Row

BUSES, DEVICES_A_BUS, BAUD = 4, 25, 9600
MOST_MB = 60.0
MOST_CPU_A_BUS = 0.10
_START_S = 60.0


def rows(seconds: float) -> Iterator[Row]:
    """Memory of the process and its share of a core, once every device was read."""
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="gewu-bench-")))
        ports = [ending.enter_context(IdealSlave(Wire(BAUD), DEVICES_A_BUS)).port for _ in range(BUSES)]
        config = folder / "gewu.toml"
        config.write_text(_configuration(folder, ports), encoding="utf-8")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "run", "--config", str(config)], stdout=log, stderr=log
            )
        ending.callback(process.wait, 30.0)
        ending.callback(process.terminate)
        _await_all(folder / "data", process)
        before, began = _cpu_s(process.pid), time.monotonic()
        time.sleep(seconds)
        spent = (_cpu_s(process.pid) - before) / (time.monotonic() - began)
        status = control.ask(folder / "data", "status")
        if status is None:
            raise GewuError("The gateway under measurement has ended.")
        memory = status["gateway"]["rss_mb"]
    case = f"gewu run {BUSES}x{DEVICES_A_BUS} at {BAUD}"
    yield Row(case=case, metric="rss_mb", value=memory, unit="MB", limit=MOST_MB)
    yield Row(case=case, metric="cpu", value=round(spent, 4), unit="core", limit=MOST_CPU_A_BUS * BUSES)


def _configuration(folder: Path, ports: list[str]) -> str:
    registers = "".join(
        f'[[register]]\nname = "r{n}"\nkind = "input"\naddress = {n}\ntype = "u16"\npoll = "alarm"\n'
        f'scale = 0.1\nunit = "V"\n'
        for n in range(REGISTERS)
    )
    (folder / "ideal.toml").write_text(f'[profile]\nname = "ideal"\n{registers}', encoding="utf-8")
    lines = ["[gateway]", 'id = "bench"', 'site = "bench"', f"data_dir = {json.dumps(str(folder / 'data'))}"]
    for number, port in enumerate(ports):
        lines += ["[[bus]]", f'name = "bus{number}"', f'port = "{port}"', f"baud = {BAUD}"]
        for address in range(1, DEVICES_A_BUS + 1):
            lines += ["[[bus.device]]", f'id = "d{number}-{address}"', f"address = {address}"]
            lines += ['profile = "ideal.toml"']
    return "\n".join(lines) + "\n"


def _await_all(data_dir: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            status = control.ask(data_dir, "status")  # None before it is up
        except TryAgain:
            status = None
        if status and all(device["values"] for bus in status["buses"] for device in bus["devices"]):
            return
        time.sleep(0.2)
    raise GewuError("The gateway under measurement did not read all its devices: is this machine overloaded?")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
