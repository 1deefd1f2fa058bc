"""Boards that share one address are told apart: the search against pairs on which boards talk at once, or are lost."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from gateway.bus import discovery, wire
from gateway.bus.discovery import ANSWER_BYTES, discover, parse, question
from gateway.errors import TryAgain


class Pair:
    """A line with boards on it, by the rules of the firmware. `hear`: what the caller gets where several answer."""

    name = "pair"

    def __init__(self, boards: list[tuple[bytes, bytes, int]], hear: Callable[[list[bytes]], bytes]) -> None:
        self.boards, self._hear = boards, hear
        self.known: set[bytes] = set()
        self.turn = -1
        self.questions = 0

    def call(self, body: bytes, length: int) -> bytes:
        self.questions += 1
        assert length == ANSWER_BYTES
        assert len(body) == 17
        unit, bits, pattern, heard = body[3], body[4], int.from_bytes(body[5:11], "big"), body[11:17]
        if body[2] != self.turn:
            self.turn = body[2]
            self.known.clear()
        self.known.add(heard)
        mask = (1 << bits) - 1
        answers = []
        for number, serial, address in self.boards:
            same = int.from_bytes(number, "big") & mask == pattern & mask
            if same and number not in self.known and unit in (0, address):
                frame = bytes((0, 0x41, address, 0)) + number + serial.ljust(16, b"\0")
                answers.append(frame + wire.crc(frame))
        return self._hear(answers)


def garbled(answers: list[bytes]) -> bytes:
    """Two at once are no frame."""
    return answers[0] if len(answers) == 1 else b"\x55\xaa\x99"[: 3 * bool(answers)]


def boards(count: int, seed: int = 1) -> list[tuple[bytes, bytes, int]]:
    """Chips of one reel, numbered in steps of four, all at 247."""
    dice = random.Random(seed)
    first = dice.randrange(1 << 24) & ~3
    numbers = [(0x240AC4 << 24 | first + 4 * n).to_bytes(6, "big") for n in range(count)]
    return [(number, b"SN-%04d" % n, 247) for n, number in enumerate(numbers)]


@pytest.mark.parametrize("count", [0, 1, 2, 32, 200])
def test_all_are_found_where_two_at_once_are_garbled(count: int) -> None:
    """Each once, by serial; about five questions a board."""
    pair = Pair(boards(count), garbled)
    found = discover(pair)  # type: ignore[arg-type]
    assert [one.serial for one in found] == [f"SN-{n:04d}" for n in range(count)]
    assert {one.address for one in found} <= {247}
    assert pair.questions <= 5 * count + 10


def test_all_are_found_where_one_talks_the_others_down() -> None:
    """A quicker board silences the rest: they are found once it is known."""
    pair = Pair(boards(32), lambda answers: answers[0] if answers else b"")
    assert len(discover(pair)) == 32  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(20))
def test_all_are_found_where_a_tenth_is_lost(seed: int) -> None:
    """Questions and answers that noise took cost another question and no board."""
    dice = random.Random(seed)

    def hear(answers: list[bytes]) -> bytes:
        return b"" if dice.random() < 0.1 else garbled(answers)

    found = discover(Pair(boards(24, seed), hear))  # type: ignore[arg-type]
    assert len({one.number for one in found}) == 24


def test_two_boards_with_one_serial_number_are_two() -> None:
    """The chip's number tells them apart; and only who is at the address asked for is found there."""
    twins: list[Any] = [(b"\0\0\0\0\0\1", b"SN-1", 5), (b"\0\0\0\0\0\2", b"SN-1", 5), (b"\0\0\0\0\0\3", b"SN-3", 6)]
    found = discover(Pair(twins, garbled), unit=5)  # type: ignore[arg-type]
    assert [(one.serial, one.number[-1]) for one in found] == [("SN-1", "1"), ("SN-1", "2")]


def test_a_line_that_garbles_everything_ends_in_a_sentence() -> None:
    """Not in a search through 2^48 numbers."""
    with pytest.raises(TryAgain, match="wiring"):
        discover(Pair(boards(1), lambda answers: b"\xff\x00\xff"))  # type: ignore[arg-type]


def test_frames_are_those_of_the_firmware() -> None:
    """As in docs/firmware.md; anything else is nobody."""
    assert question(1, 5, 9, 0x1FF, b"\1\2\3\4\5\6") == bytes.fromhex("0041010509" + "0000000001ff" + "010203040506")
    frame = bytes.fromhex("00410701" + "240ac4123456") + b"GW-000001".ljust(16, b"\0")
    one = parse(frame + wire.crc(frame))
    assert one == discovery.Found("240ac4123456", "GW-000001", 7, True)
    for cut in (frame + b"\0\0", frame[1:] + wire.crc(frame[1:]), b""):
        assert parse(cut) is None
