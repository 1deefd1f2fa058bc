"""What stands beside the values: devices, names, shapes of readings, and which reading has which. Pure.

Which device a reading has is guessed (the one that followed this one the last time), and so is its shape (that of
the device's last reading); only the wrong guesses are written. A bus that is polled in order costs nothing.
"""

from collections.abc import Sequence
from itertools import islice

from gateway.columns.integers import Reader, Writer
from gateway.records import ClockState, Mark

CLOCKS: tuple[ClockState, ...] = ("trusted", "corrected", "untrusted")
MARKS: tuple[Mark, ...] = ("stale", "bad")
_MOST = 1 << 16
_MOST_CHARACTERS = 1 << 24
_MOST_DIGITS = 9

Shape = tuple[ClockState, tuple[str, ...], tuple[tuple[str, Mark], ...]]  # clock, names of values, marks


def write_texts(out: Writer, texts: Sequence[str]) -> None:
    """A table of texts: each is the one before counted on by one (0), or has 1 + n: n characters of it, and a rest."""
    out.number(len(texts))
    before = ""
    for text in texts:
        if text == _following(before):
            out.number(0)
        else:
            shared = 0
            while shared < min(len(before), len(text)) and before[shared] == text[shared]:
                shared += 1
            out.number(1 + shared)
            out.text(text[shared:])
        before = text


def read_texts(source: Reader) -> list[str]:
    """The inverse of `write_texts`."""
    texts: list[str] = []
    before = ""
    size = 0
    for _ in range(source.number(_MOST)):
        way = source.number()
        following = _following(before) if way == 0 else before[: way - 1] + source.text()
        if following is None:
            raise ValueError("a text that follows none")
        before = following
        size += len(before)
        if size > _MOST_CHARACTERS:
            raise ValueError("a table larger than any of ours")
        texts.append(before)
    return texts


def _following(text: str) -> str | None:
    """b0109 counted on is b0110; None where no number of digits 0 to 9 ends the text, or all of them are 9."""
    digits = len(text) - len(text.rstrip("0123456789"))
    number = text[len(text) - digits :][-_MOST_DIGITS:]
    if not number.strip("9"):
        return None
    return text[: len(text) - len(number)] + str(int(number) + 1).zfill(len(number))


def write_shapes(out: Writer, shapes: Sequence[Shape], names: dict[str, int]) -> None:
    """A table of shapes; each name as its distance from the one that follows the name before."""
    out.number(len(shapes))
    for clock, values, marks in shapes:
        out.number(len(marks) * 4 + CLOCKS.index(clock))
        out.number(len(values))
        following = 0
        for name in values:
            out.signed(names[name] - following)
            following = names[name] + 1
        for name, mark in marks:
            out.number(names[name] * 2 + MARKS.index(mark))


def read_shapes(source: Reader, names: Sequence[str]) -> list[Shape]:
    """The inverse of `write_shapes`."""
    return [_read_shape(source, names) for _ in range(source.number(_MOST))]


def _read_shape(source: Reader, names: Sequence[str]) -> Shape:
    marked, clock = divmod(source.number(), 4)
    values, following = [], 0
    for _ in range(source.number(len(names))):
        place = following + source.signed()
        if place < 0:
            raise ValueError("a name that is not in the table")
        values.append(names[place])
        following = place + 1
    if marked > len(names):
        raise ValueError("more marks than names")
    marks = []
    for _ in range(marked):
        place, mark = divmod(source.number(), 2)
        marks.append((names[place], MARKS[mark]))
    return CLOCKS[clock], tuple(values), tuple(marks)


class Successor:
    """The guess for devices: whoever followed the last time; a new one after a new one."""

    def __init__(self) -> None:
        self._after: dict[int, int] = {}
        self._last = -1
        self._fresh = 0

    def guess(self) -> int:
        return self._after.get(self._last, self._fresh)

    def right(self, count: int) -> list[int]:
        """The next `count` numbers, when each guess is right."""
        after, last = self._after, self._last
        numbers: list[int] = []
        anchor, since = last, 0
        while len(numbers) < count:
            following = after.get(last)
            if following is None:
                following = after[last] = self._fresh
                self._fresh += 1
                anchor, since = following, len(numbers) + 1
            numbers.append(following)
            last = following
            if last == anchor and len(numbers) > since:  # from here on the same again, for ever
                turn, left = numbers[since:], count - len(numbers)
                numbers += (turn * (left // len(turn) + 1))[:left]
                last = numbers[-1]
        self._last = last
        return numbers

    def came(self, number: int) -> None:
        self._after[self._last] = number
        self._fresh = max(self._fresh, number + 1)
        self._last = number


class LastShape:
    """The guess for shapes: that of the device's last reading; for a new device that of the reading before."""

    def __init__(self, devices: Sequence[int]) -> None:
        self._devices = iter(devices)
        self._device = -1
        self._of: dict[int, int] = {}
        self._before = 0

    def guess(self) -> int:
        self._device = next(self._devices)
        return self._of.get(self._device, self._before)

    def right(self, count: int) -> list[int]:
        """The next `count` numbers, when each guess is right."""
        of, before, numbers = self._of, self._before, []
        for device in islice(self._devices, count):
            before = of.setdefault(device, before)
            numbers.append(before)
            self._device = device
        self._before = before
        return numbers

    def came(self, number: int) -> None:
        self._of[self._device] = self._before = number


def write_sequence(out: Writer, numbers: Sequence[int], guess: Successor | LastShape) -> None:
    """`numbers` as the places and values of the wrong guesses."""
    exceptions: list[tuple[int, int]] = []
    right = 0
    for number in numbers:
        if guess.guess() == number:
            right += 1
        else:
            exceptions.append((right, number))
            right = 0
        guess.came(number)
    out.number(len(exceptions))
    for run, number in exceptions:
        out.number(run)
        out.number(number)


def read_sequence(source: Reader, count: int, table: int, guess: Successor | LastShape) -> list[int]:
    """The inverse of `write_sequence`: `count` numbers below `table`."""
    numbers: list[int] = []

    def take(run: int) -> None:
        if run > count - len(numbers):
            raise ValueError("more readings than there are")
        numbers.extend(guess.right(run))

    wrong = source.number(count)
    if not wrong and table == 1 and isinstance(guess, LastShape):
        return [0] * count
    for _ in range(wrong):
        take(source.number())
        guess.guess()
        numbers.append(source.number())
        guess.came(numbers[-1])
    take(count - len(numbers))
    if max(numbers, default=-1) >= table:
        raise ValueError("a number that is not in its table")
    return numbers
