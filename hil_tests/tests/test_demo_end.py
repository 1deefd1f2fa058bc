"""The demo's children end with it, in whichever way it ends."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil_tests.brokers import Amqtt

pytestmark = pytest.mark.integration


@pytest.fixture
def demo() -> Iterator[subprocess.Popen[str]]:
    """A demo whose story has begun."""
    command = [sys.executable, "-m", "gateway", "demo", "--no-console", "--broker", "amqtt"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            assert any("b0103 is overloaded" in line for line in process.stdout), "it ended before the story came to it"
            yield process
        finally:
            process.kill()


def descendants(pid: int) -> set[int]:
    """The processes that the threads of `pid` have started, and those that they have."""
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found |= {int(child)} | descendants(int(child))
    return found


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_demo_leaves_nobody_behind(demo: subprocess.Popen[str]) -> None:
    """Village with its boards, broker, receiver and gateway end by themselves when the demo was killed."""
    cast = descendants(demo.pid)
    assert len(cast) >= 4 + 10
    demo.kill()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(map(runs, cast)):
        time.sleep(0.1)
    assert not [pid for pid in cast if runs(pid)]


def test_ctrl_c_is_not_the_brokers() -> None:
    """A terminal sends Ctrl-C to its whole process group: the broker is in none but its own."""
    with Amqtt() as broker:
        (child,) = [pid for pid in descendants(os.getpid()) if str(broker.port) in _command(pid)]
        assert os.getpgid(child) == child


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
