"""The thread of a port where boards report by themselves: readings, events, loss, and a port that goes and comes."""

import os
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.bus.board import BoardListener
from gateway.clock import SystemClock
from gateway.profile import load
from gateway.tests.test_jsonl import line
from gateway.tests.test_poller import Memory, bus, until

pytestmark = pytest.mark.integration
SENSOR = load("gewu-sensor")


class Board:
    """The board's end of a pty behind a stable name."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.plug()

    def plug(self) -> None:
        self._far, near = os.openpty()
        tty.setraw(near)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(near))
        self._near = near

    def unplug(self) -> None:
        self.link.unlink()
        os.close(self._near)
        os.close(self._far)

    def say(self, words: bytes) -> None:
        os.write(self._far, words)


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board(tmp_path / "usb-board")
    yield board
    board.unplug()


@contextmanager
def listening(board: Board, sink: Memory, address: int = 2) -> Iterator[BoardListener]:
    settings: Any = bus(str(board.link), ("s1", address, SENSOR), protocol="jsonl")
    listener = BoardListener(settings, SystemClock(), sink)
    listener.start()
    try:
        until(lambda: listener.status().open, "the port is open")
        yield listener
    finally:
        listener.request_stop()
        listener.join(10)
        assert not listener.alive()


def test_lines_become_readings_and_events(board: Board) -> None:
    """The first reading has every value; an alarm is an event that clears; bad lines and missing ones are counted."""
    sink = Memory()
    with listening(board, sink) as listener:
        board.say(b"boot\r\n" + line(seq=1, values={"voltage": 230.1, "overload": False}))
        until(lambda: sink.readings, "a reading")
        board.say(line(seq=4, values={"voltage": 230.1, "overload": True}).replace(b"sensor", b"Sensor", 1))
        board.say(line(seq=5, values={"voltage": 600.0, "overload": True})[:40])
        board.say(line(seq=5, values={"voltage": 600.0, "overload": True})[40:])
        until(lambda: sink.events, "the alarm")
        board.say(line(seq=6, values={"voltage": 230.0, "overload": False}))
        until(lambda: len(sink.events) == 2, "the end of the alarm")
        status = listener.status()
    assert sink.readings[0].values == {"voltage": 230.1, "overload": False}
    assert sink.readings[1].marks == {"voltage": "bad"}
    assert sink.said() == [("alarm.overcurrent", "s1", True), ("alarm.overcurrent", "s1", False)]
    assert status.errors == {"crc": 1, "missing": 3}
    assert status.devices[0].online
    assert status.devices[0].values["voltage"] == 230.0


def test_a_board_of_another_kind_is_a_mismatch(board: Board) -> None:
    """None of its values is taken; a board that nobody configured is counted."""
    sink = Memory()
    with listening(board, sink) as listener:
        board.say(line(profile="gewu-breaker", values={"voltage": 1.0}) + line(address=9))
        until(lambda: sink.events and listener.status().errors, "both were noticed")
        status = listener.status()
    assert sink.said() == [("device.mismatch", "s1", True)]
    assert 'reports as "gewu-breaker", which is no "gewu-sensor"' in str(status.devices[0].trouble)
    assert status.errors == {"wrong-unit": 1}
    assert not sink.readings


def test_a_silent_board_is_lost_and_comes_back(board: Board) -> None:
    """Pulled out: device.lost, stale values; plugged in under another name behind the same link: back."""
    sink = Memory()
    with listening(board, sink) as listener:
        board.say(line(seq=1, values={"voltage": 230.1}))
        until(lambda: sink.readings, "a reading")
        board.unplug()
        until(lambda: sink.events, "it was given up")
        assert sink.said() == [("device.lost", "s1", True)]
        assert listener.status().devices[0].marks == {"voltage": "stale"}
        board.plug()
        until(lambda: listener.status().open, "the port is open again")
        board.say(line(seq=1, values={"voltage": 229.0}))
        until(lambda: len(sink.events) == 2, "it is back")
        assert listener.status().devices[0].marks == {}
    assert sink.readings[-1].values == {"voltage": 229.0}


def test_a_restart_of_a_board_that_reports_is_an_event(board: Board) -> None:
    """Its boot count steps: told at once, and by the next gateway when none listened. It has no journal to ask."""
    sink = Memory()
    with listening(board, sink):
        board.say(line(seq=1, values={"boot_count": 7, "reset_cause": 1}))
        until(lambda: sink.notes, "its count was known")
        board.say(line(seq=1, values={"boot_count": 8, "reset_cause": 3}))
        until(lambda: len(sink.events) == 2, "the restart")
    with listening(board, sink):
        board.say(line(seq=1, values={"boot_count": 10, "reset_cause": 1}))
        until(lambda: len(sink.events) == 4, "what it did meanwhile")
    assert sink.said() == [("device.restarted", "s1", True), ("device.restarted", "s1", False)] * 2
    assert [event.values["unseen"] for event, _ in sink.events] == [1, 1, 2, 2]
