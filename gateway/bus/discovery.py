"""Who is on a line, also where several boards share one address: a search over the numbers of their chips.

All boards are asked at once who they are (function 41h to unit 0, docs/firmware.md "On the bus"), at first without a
condition, then, where several talk at once, with one more of the lowest bits of the chip's number, until each has been
heard alone. Who was heard keeps silent for the rest of the search. Devices of other makers know no such function and
pass it over. It reads; it gives no address.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from gateway.bus import wire as modbus
from gateway.bus.transport import Line
from gateway.errors import TryAgain

_FUNCTION = 0x41
_NUMBER_BYTES, _SERIAL_BYTES = 6, 16
_BITS = 8 * _NUMBER_BYTES
ANSWER_BYTES = 28
# Who answers late may be heard by nobody while another one talks: the whole line is asked until it is silent so often.
_SILENCES = 3
_TALKS_ON = 4  # answers of one board that was told that it is known
_LEAST_QUESTIONS, _QUESTIONS_A_BOARD = 120, 20
_DICE = random.Random()
_NOBODY = bytes(_NUMBER_BYTES)


@dataclass(frozen=True, slots=True)
class Found:
    """A board: `number` of its chip (12 hexadecimal digits), serial number, unit id, whether it has settings."""

    number: str
    serial: str
    address: int
    commissioned: bool


def question(turn: int, unit: int, bits: int, number: int, heard: bytes = _NOBODY) -> bytes:
    """Those at `unit` (0: anywhere) whose chip's number ends in the `bits` lowest bits of `number` shall answer.

    But those who were `heard` in the round `turn` (0 to 255); with another number everybody speaks again.
    """
    head = bytes((0, _FUNCTION, turn, unit, bits))
    return head + (number & (1 << _BITS) - 1).to_bytes(_NUMBER_BYTES, "big") + heard


def parse(frame: bytes) -> Found | None:
    """The board that says `frame`; None where it is no such answer, or several talked at once."""
    if len(frame) != ANSWER_BYTES or frame[:2] != bytes((0, _FUNCTION)) or not modbus.intact(frame):
        return None
    number, serial = frame[4 : 4 + _NUMBER_BYTES], frame[10 : 10 + _SERIAL_BYTES]
    return Found(number.hex(), serial.rstrip(b"\0").decode("ascii", "replace"), frame[2], bool(frame[3]))


def discover(
    line: Line, unit: int = 0, progress: Callable[[int], None] = lambda _count: None, dice: random.Random = _DICE
) -> list[Found]:
    """Every board of this project on the line, or at `unit`, by serial number and chip. `progress(found so far)`.

    Raises PortTrouble, and TryAgain where the line garbles everything.
    """
    # Two rounds that differ, of which the first is for nobody: so none is taken for the one before.
    turn = dice.randrange(256)
    line.call(question(turn ^ 1, unit, _BITS, 0), ANSWER_BYTES)
    search = _Search(line, turn, unit, progress)
    silences = 0
    while silences < _SILENCES:
        silences = 0 if search.branch(0, 0) else silences + 1
    return sorted(search.found.values(), key=lambda one: (one.serial, one.number))


def at(line: Line, board: Found, address: int) -> Found | None:
    """The very board, where it answers at `address`. Raises PortTrouble."""
    for turn in (1, 2):  # one of them is another round than that in which it was heard
        answer = parse(line.call(question(turn, address, _BITS, int(board.number, 16)), ANSWER_BYTES))
        if answer is not None and answer.number == board.number:
            return answer
    return None


class _Search:
    """One round: what was found, and how often was asked."""

    def __init__(self, line: Line, turn: int, unit: int, progress: Callable[[int], None]) -> None:
        self.found: dict[str, Found] = {}
        self._line, self._turn, self._unit, self._progress = line, turn, unit, progress
        self._heard = _NOBODY
        self._asked = 0
        self._again = 0

    def ask(self, bits: int, number: int) -> bytes:
        self._asked += 1
        if self._asked > _LEAST_QUESTIONS + _QUESTIONS_A_BOARD * len(self.found):
            raise TryAgain(
                f"Bus {self._line.name}: whoever answers is garbled, again and again; look at the wiring first "
                "(gewu bus wiring)."
            )
        answer = self._line.call(question(self._turn, self._unit, bits, number, self._heard), ANSWER_BYTES)
        one = parse(answer)
        if one is not None:
            self._again = self._again + 1 if one.number in self.found else 0
            self.found[one.number] = one
            self._heard = bytes.fromhex(one.number)
            self._progress(len(self.found))
        return answer

    def branch(self, bits: int, number: int) -> bool:
        """Everybody whose chip's number ends so; False where nobody answered."""
        anybody = False
        while answer := self.ask(bits, number):
            anybody = True
            if parse(answer) is not None:
                if self._again > _TALKS_ON:
                    break  # it does not hear us, and its number is known
            elif bits < _BITS:
                self.branch(bits + 1, number)
                self.branch(bits + 1, number | 1 << bits)
                break
        return anybody
