"""The wired gateway ends when it must: asked to, whoever does not answer it, and by itself when a part has died."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.agent import Agent
from gateway.clock import SystemClock
from gateway.config import load

pytestmark = pytest.mark.integration


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where connecting takes for ever, as behind a firewall that drops: its short queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port: int = server.getsockname()[1]
        callers = [socket.socket() for _ in range(4)]
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.1", port))
        yield port
        for caller in callers:
            caller.close()


@pytest.fixture
def mute_port() -> Iterator[int]:
    """A port that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield server.getsockname()[1]


def configured(folder: Path, bus_port: str, uplink_url: str) -> Path:
    file = folder / "gewu.toml"
    file.write_text(
        f'[gateway]\nid = "a"\nsite = "s"\ndata_dir = "data"\n[[bus]]\nport = "{bus_port}"\n[[bus.device]]\n'
        f'id = "b1"\nprofile = "gewu-breaker"\naddress = 1\n[[uplink]]\nurl = "{uplink_url}"\n'
    )
    return file


def test_it_ends_in_time_when_the_broker_never_speaks(tmp_path: Path, mute_port: int) -> None:
    """Five seconds are given; a connection that is being tried for ten does not take them all."""
    file = configured(tmp_path, f"socket://127.0.0.1:{mute_port}", f"mqtt://127.0.0.1:{mute_port}")
    assert_ends_in_time(file)


def test_it_ends_in_time_when_nobody_can_be_reached(tmp_path: Path, silent_port: int) -> None:
    """Neither the serial server nor the broker accepts the connection that is being tried."""
    assert_ends_in_time(configured(tmp_path, f"socket://127.0.0.1:{silent_port}", f"mqtt://127.0.0.1:{silent_port}"))


def assert_ends_in_time(file: Path) -> None:
    """SIGTERM while it is connecting; status 0, and what waits to be sent stays in the outbox."""
    command = [sys.executable, "-m", "gateway", "run", "--json", "--config", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert any(" runs, version" in line for line in process.stderr)
            time.sleep(1.5)  # well inside the connecting, which nothing outside shows
            process.terminate()
            assert process.wait(5) == 0
            assert process.stdout is not None
            assert json.loads(process.stdout.read())["store"]["dropped"] == 0
        finally:
            process.kill()


@pytest.mark.parametrize("part", ["bus", "uplink"])
def test_a_dead_part_ends_the_whole(tmp_path: Path, part: str) -> None:
    """A thread that ended by itself is noticed, and the gateway ends with status 1, for systemd to start it anew."""
    gateway = Agent(load(configured(tmp_path, str(tmp_path / "none"), "mqtt://127.0.0.1:1")), SystemClock())
    ending = gateway.buses[0] if part == "bus" else gateway.uplinks[0]
    began = time.monotonic()
    ending.request_stop()
    with pytest.raises(SystemExit) as ended:
        gateway.run(threading.Event())
    assert ended.value.code == 1
    assert time.monotonic() - began < 8
