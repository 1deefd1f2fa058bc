"""Trials of the camera process (A9): it is killed beside a bus that is polled, and the longest wait there is told."""

import os
import signal
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from gateway.agent import Agent
from gateway.bus.schedule import PERIODS
from gateway.bus.wire import Wire
from gateway.clock import SystemClock
from gateway.config import load
from hil_tests.bench.ideal import IdealSlave
from hil_tests.cameras import scenes
from hil_tests.faults.ledger import Ledger

CYCLE_S = PERIODS["alarm"]
_PATIENCE_S = 120.0
_PROFILE = """
[profile]
name = "ideal"
[[register]]
name = "value"
kind = "input"
address = 8
type = "u16"
poll = "alarm"
"""


def camera_deaths(folder: Path, deaths: int) -> tuple[Ledger, float]:
    """Kill the camera process `deaths` times; also the longest time between two polls, beyond the one cycle that is
    due, in cycles. It needs what cameras need.
    """
    folder.mkdir(parents=True)
    ledger = Ledger(runs=deaths)
    with IdealSlave(Wire(115200), 1) as slave:
        agent, stop = Agent(load(_configured(folder, slave.port)), SystemClock()), threading.Event()
        thread = threading.Thread(target=agent.run, args=(stop,))
        thread.start()
        try:
            waits = _killed(agent, deaths, ledger)
        finally:
            stop.set()
            thread.join(30)
    return ledger, max(0.0, max(waits, default=0.0) - CYCLE_S) / CYCLE_S


def _killed(agent: Agent, deaths: int, ledger: Ledger) -> list[float]:
    """The waits between two polls, from the first look through the camera to the look after the last death."""
    (watch,), (bus,) = agent.cameras, agent.buses
    asked: list[float] = []
    number = 0

    def looked(pid: int) -> bool:
        nonlocal number
        number, heard = bus.tap.since(number)  # type: ignore[union-attr]  # a Modbus bus has one
        asked.extend(one.asked_at for one in heard)
        status = watch.status()
        return status["pid"] not in (None, pid) and any(one["looks"] for one in status["cameras"])

    _until(lambda: looked(0))
    asked.clear()
    for death in range(deaths):
        pid = int(watch.status()["pid"])
        os.kill(pid, signal.SIGKILL)
        if not _until(lambda pid=pid: looked(pid)):  # type: ignore[misc]
            ledger.troubles.append(f"after death {death + 1} nobody looks through the camera")
    if sum(bus.status().errors.values()):
        ledger.troubles.append(f"polls failed: {bus.status().errors}")
    return [later - earlier for earlier, later in pairwise(asked)]


def _until(done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _PATIENCE_S
    while not done() and time.monotonic() < deadline:
        time.sleep(0.2)
    return time.monotonic() < deadline


def _configured(folder: Path, port: str) -> Path:
    (folder / "gate").mkdir()
    scenes.street().save(folder / "gate" / "scene.jpg", "JPEG")
    (folder / "ideal.toml").write_text(_PROFILE)
    file = folder / "gewu.toml"
    file.write_text(
        '[gateway]\nid = "a"\nsite = "s"\ndata_dir = "data"\n'
        f'[[bus]]\nport = "{port}"\nbaud = 115200\n[[bus.device]]\nid = "b1"\nprofile = "ideal"\naddress = 1\n'
        '[[camera]]\nid = "gate"\nsource = "dir:gate"\nplace = "here"\ninterval = 0.2\n'
        'purpose = "bench"\nowner = "bench"\nsign = "none: rendered"\n'
    )
    return file
