"""The pair between real terminals, in real time."""

import os
import random
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from hil_tests.rig.hub import Hub, Port
from hil_tests.rig.loop import Loop
from hil_tests.rig.site import Bus
from hil_tests.rig.terminal import Terminal

pytestmark = pytest.mark.integration


class Bench:
    """A hub at 9600 with two boards' UARTs, whose far ends the tests hold."""

    def __init__(self, folder: Path) -> None:
        self.loop = Loop()
        self.hub = Hub(self.loop, Bus(name="n", baud=9600), folder / "n", random.Random(1))
        self.terminals = [Terminal(blocking_reads=False) for _ in range(2)]
        self.ports = [Port(f"b{n}", terminal, 9600, "N", 10) for n, terminal in enumerate(self.terminals)]
        for port in self.ports:
            self.hub.join(port)
        self.boards = [os.open(terminal.path, os.O_RDWR | os.O_NOCTTY) for terminal in self.terminals]
        self.master = os.open(folder / "n", os.O_RDWR | os.O_NOCTTY)
        self.thread = threading.Thread(target=self.loop.run)
        self.thread.start()

    def do(self, action: Callable[[], None]) -> None:
        self.loop.call(action).result(timeout=5)

    def faults(self, **pairs: str) -> None:
        self.do(lambda: self.hub.set_faults(pairs))

    def heard(self, file: int, count: int, seconds: float = 5.0) -> bytes:
        """What arrives at `file`: up to `count` bytes within `seconds`."""
        data, deadline = b"", time.monotonic() + seconds
        os.set_blocking(file, False)
        while len(data) < count and time.monotonic() < deadline:
            try:
                data += os.read(file, 4096)
            except BlockingIOError:
                pass
            time.sleep(0.0002)
        return data

    def close(self) -> None:
        self.loop.stop()
        self.thread.join()
        self.hub.close()
        for file in [*self.boards, self.master]:
            os.close(file)
        for terminal in self.terminals:
            terminal.close()
        self.loop.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def test_a_frame_takes_its_wire_time_and_reaches_everyone_but_its_talker(bench: Bench) -> None:
    """30 characters at 9600 8N1 arrive whole at both boards, 31.25 ms after they were written and not sooner."""
    started = time.monotonic()
    os.write(bench.master, bytes(range(30)))
    assert bench.heard(bench.boards[0], 30) == bytes(range(30))
    assert time.monotonic() - started >= 30 * 10 / 9600
    assert bench.heard(bench.boards[1], 30) == bytes(range(30))
    assert bench.heard(bench.master, 1, 0.05) == b""


def test_a_master_at_another_baud_is_not_understood(bench: Bench) -> None:
    """The speed that the master sets counts: at 19200 the boards hear as many characters, none of them right."""
    attributes = termios.tcgetattr(bench.master)
    attributes[4] = attributes[5] = termios.B19200
    termios.tcsetattr(bench.master, termios.TCSANOW, attributes)
    os.write(bench.master, b"hello")
    got = bench.heard(bench.boards[0], 5)
    assert len(got) == 5
    assert all(here != sent for here, sent in zip(got, b"hello", strict=True))


def test_echo_and_delay(bench: Bench) -> None:
    """With echo the talker hears itself; with delay an answer comes later, a request does not."""
    bench.faults(echo="1", delay="0.2")
    started = time.monotonic()
    os.write(bench.master, b"ask")
    assert bench.heard(bench.master, 3) == b"ask"
    assert bench.heard(bench.boards[0], 3) == b"ask"
    os.write(bench.boards[0], b"reply")
    assert bench.heard(bench.master, 5) == b"reply"
    assert time.monotonic() - started >= 0.2


def test_a_silent_board_is_off_the_pair_and_a_stuck_one_spoils_it(bench: Bench) -> None:
    """Silent neither hears nor speaks; a stuck driver leaves nobody else understood."""
    bench.ports[0].silent = True
    os.write(bench.boards[0], b"x")
    os.write(bench.master, b"ask")
    assert bench.heard(bench.boards[1], 3) == b"ask"
    assert bench.heard(bench.boards[0], 1, 0.02) == b""
    bench.ports[0].silent, bench.ports[0].stuck = False, True
    os.write(bench.master, b"ask")
    got = bench.heard(bench.boards[1], 3)
    assert len(got) == 3
    assert got != b"ask"


def test_the_adapter_is_pulled_out_and_put_back(bench: Bench) -> None:
    """Unplugged, the port is gone and its reader gets an error; plugged in, it is at the same path."""
    bench.faults(unplug="1")
    assert not bench.hub.link.is_symlink()
    with pytest.raises(OSError, match="Input/output"):
        os.write(bench.master, b"x")
    bench.faults(unplug="0")
    again = os.open(bench.hub.link, os.O_RDWR | os.O_NOCTTY)
    os.write(again, b"back")
    assert bench.heard(bench.boards[0], 4) == b"back"
    os.close(again)


@pytest.mark.parametrize("pairs", [{"noise": "2"}, {"nois": "0.1"}, {"echo": "yes"}])
def test_a_wrong_fault_changes_nothing(bench: Bench, pairs: dict[str, str]) -> None:
    """A sentence, and the faults as they were."""
    with pytest.raises(ConfigurationError):
        bench.faults(drop="0.5", **pairs)
    os.write(bench.master, b"whole")
    assert bench.heard(bench.boards[0], 5) == b"whole"
