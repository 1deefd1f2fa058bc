"""The mailbox of a board: a command is done when the board says so, judged once, whatever is lost on the way."""

import struct
from collections.abc import Sequence
from typing import Any, cast

import pytest

from gateway import profile
from gateway.bus.command import Code
from gateway.bus.mailbox import Mailbox
from gateway.bus.transport import Line
from gateway.bus.trouble import BusTrouble
from gateway.bus.wire import Wire
from gateway.errors import ConfigurationError, DeviceRefused, GewuError, TryAgain
from gateway.tests.fake_clock import FakeClock

BREAKER = profile.load("gewu-breaker")
KEY = bytes(range(32))


class Board:
    """A line with one board. `result` is its verdict; `on_write` are what the next writes end with instead."""

    wire = Wire(9600)

    def __init__(self, result: int = 1, on_write: Sequence[Exception | str] = ()) -> None:
        self.values: dict[str, Any] = {"serial": "SN-1", "command_counter": 7, "nonce_low": 5}
        self.result, self.on_write = result, list(on_write)
        self.frames: list[list[int]] = []

    def read(self, unit: int, kind: str, address: int, count: int) -> list[int]:
        words = [0] * count
        for register in BREAKER.registers:
            if register.kind == kind and address <= register.address and register.end <= address + count:
                value = self.values.get(register.name, 0)
                text = value.encode() if isinstance(value, str) else value.to_bytes(2 * register.size, "big")
                raw = struct.unpack(f">{register.size}H", text.ljust(2 * register.size, b"\0"))
                words[register.address - address : register.end - address] = raw
        return words

    def write_registers(self, unit: int, address: int, values: Sequence[int]) -> None:
        what = self.on_write.pop(0) if self.on_write else ""
        if isinstance(what, DeviceRefused) or what == "lost":
            if what == "lost":
                return
            raise cast(DeviceRefused, what)
        self.frames.append(list(values))
        counter = values[3] << 16 | values[4]
        result = self.result if counter > self.values["command_counter"] else 6  # used before
        self.values |= {
            "commands_judged": self.values.get("commands_judged", 0) + 1,
            "command_result": result,
            "command_counter": max(counter, self.values["command_counter"]),
        }
        if isinstance(what, Exception):
            raise what


def command(board: Board) -> None:
    Mailbox(cast(Line, board), 1, BREAKER, KEY, FakeClock()).command(Code.OPEN)


SILENCE = BusTrouble("no answer", "no-answer", 1)


@pytest.mark.parametrize("on_write", [[], [DeviceRefused("busy", 6)], ["lost"]])
def test_a_command_is_done_when_the_board_says_so(on_write: list[Exception | str]) -> None:
    """Also after it was busy, or a frame never came: one frame with the next counter is judged."""
    board = Board(on_write=on_write)
    command(board)
    (frame,) = board.frames
    assert frame[0] == Code.OPEN << 8
    assert frame[3:5] == [0, 8]


def test_a_lost_answer_is_found_by_the_verdict() -> None:
    """The frame was judged: it is not sent again, for a board that has obeyed it would call it used."""
    board = Board(on_write=[SILENCE])
    command(board)
    assert len(board.frames) == 1


def test_a_refusal_has_the_boards_reason() -> None:
    """By the number that it gives."""
    with pytest.raises(GewuError, match="the signature is wrong"):
        command(Board(result=5))


def test_nothing_is_called_done_that_was_not_judged() -> None:
    """Frames that never come: nothing is known of a command, and that is said."""
    with pytest.raises(TryAgain, match="took none of 3 frames"):
        command(Board(on_write=["lost"] * 3))
    with pytest.raises(TryAgain, match="restarted before"):
        command(Board(result=0))
    with pytest.raises(DeviceRefused):
        command(Board(on_write=[DeviceRefused("no such register", 2)]))


def test_a_device_without_a_mailbox_takes_no_commands() -> None:
    """Said before anything is sent."""
    with pytest.raises(ConfigurationError, match="takes no commands"):
        Mailbox(cast(Line, Board()), 1, profile.load("eastron-sdm120"), KEY, FakeClock())
