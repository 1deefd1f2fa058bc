"""A run of whole numbers in few bits, and back: what the columns of readings are made of. Pure.

Numbers are written as their distance from something near: the column's middle, or the number before. The distances
go out in Rice's code (a quotient in unary, k bits of remainder), which for measured noise comes within a third of a
bit of the entropy. Unary and plain bits are kept apart, so that both are taken apart at the interpreter's full speed.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from itertools import accumulate, pairwise

# A quotient of so many or more is written as this many ones, and the rest of it among the varints.
_ESCAPE = 20
_UNARY = ["1" * q + "0" for q in range(_ESCAPE + 1)]
_LEVEL, _DELTA, _FIXED, _CONSTANT = range(4)
_MOST_BITS = 62
_MOST_VARINT = 1024
_MOST_TABLE = 10  # bits; some 200 kB of tables for the speed of both ways
_MOST_CUT = 128  # numbers: some 40 of each device lie in a block, and what cuts them is kept


def varint(number: int) -> bytes:
    """A number from 0 up in groups of 7 bits, the low ones first, each but the last with its top bit set."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def zigzag(number: int) -> int:
    """0, -1, 1, -2, 2 ... as 0, 1, 2, 3, 4 ..."""
    return number * 2 if number >= 0 else -2 * number - 1


def unzigzag(number: int) -> int:
    """The inverse of `zigzag`."""
    return -(number + 1 >> 1) if number & 1 else number >> 1


_UNZIGZAG = [unzigzag(number) for number in range(1 << 12)]  # what noise takes
_STEPS = list(map(float, _UNZIGZAG))
_EXACT = 1 << 52  # beyond, a float is no whole number of every value


class Writer:
    """Columns of numbers on their way out: `head` takes the varints, `doubles` 8 bytes each, the other two the bits."""

    def __init__(self) -> None:
        self.head = bytearray()
        self.doubles = bytearray()
        self._unary: list[str] = []
        self._plain: list[str] = []

    def number(self, number: int) -> None:
        """One number from 0 up."""
        self.head += varint(number)

    def signed(self, number: int) -> None:
        """One number of any sign."""
        self.head += varint(zigzag(number))

    def text(self, text: str) -> None:
        """One text."""
        data = text.encode()
        self.head += varint(len(data)) + data

    def column(self, numbers: Sequence[int], ordered: bool = True) -> None:
        """A run of numbers of any size and sign; its length must be known to the reader.

        When it is not `ordered`, the number before says nothing of the next, and is not looked at.
        """
        if not numbers:
            return
        low, high = min(numbers), max(numbers)
        if low == high:
            self._begin(_CONSTANT, 0, low)
            return
        way, bases = _LEVEL, [sorted(numbers)[len(numbers) // 2]]
        distances = _folded(numbers, *bases)
        if ordered and len(numbers) > 3:
            steps = [b - a for a, b in pairwise(numbers)]
            drift = sorted(steps)[len(steps) // 2]
            folded = _folded(steps, drift)
            if sum(map(int.bit_length, folded)) < sum(map(int.bit_length, distances)):
                way, bases, distances = _DELTA, [numbers[0], drift], folded
        cost, k = _cheapest(distances)
        width = (high - low).bit_length()
        if width <= _MOST_BITS and width * len(numbers) <= cost:
            self._begin(_FIXED, width, low)
            self._bits([number - low for number in numbers], width)
            return
        self._begin(way, k, *bases)
        self._rice(distances, k)

    def sections(self) -> tuple[bytes, bytes, bytes, bytes]:
        """The head, the unary and the plain bits (filled up to whole bytes with ones), and the doubles."""
        return bytes(self.head), _octets("".join(self._unary)), _octets("".join(self._plain)), bytes(self.doubles)

    def _begin(self, way: int, k: int, *bases: int) -> None:
        self.head.append(way << 6 | k)
        for base in bases:
            self.head += varint(zigzag(base))

    def _rice(self, distances: Sequence[int], k: int) -> None:
        quotients = [distance >> k for distance in distances]
        if max(quotients) >= _ESCAPE:
            for quotient in quotients:
                if quotient >= _ESCAPE:
                    self.head += varint(quotient - _ESCAPE)
            quotients = [min(quotient, _ESCAPE) for quotient in quotients]
        self._unary += [_UNARY[quotient] for quotient in quotients]
        mask = (1 << k) - 1
        self._bits([distance & mask for distance in distances], k)

    def _bits(self, numbers: Sequence[int], width: int) -> None:
        if 0 < width <= _MOST_TABLE:
            written = _written(width)
            self._plain += [written[number] for number in numbers]
        elif width:
            above = 1 << width
            self._plain += [bin(number | above)[3:] for number in numbers]


def _folded(numbers: Sequence[int], middle: int) -> list[int]:
    """The distances from `middle`, zigzag."""
    twice = 2 * middle
    return [2 * number - twice if number >= middle else twice - 2 * number - 1 for number in numbers]


def _cheapest(distances: Sequence[int]) -> tuple[int, int]:
    """The bits that Rice's code takes for `distances`, and with which k."""
    count = len(distances)
    middle = sorted(distances)[count // 2].bit_length()  # the mean would let a few outliers choose for all
    found = []
    for k in {min(middle, _MOST_BITS), min(max(middle - 1, 0), _MOST_BITS)}:
        quotients = [distance >> k for distance in distances]
        most = max(quotients)
        long = 0 if most < _ESCAPE else sum(8 + q.bit_length() - q for q in quotients if q >= _ESCAPE)
        found.append((count * (k + 1) + sum(quotients) + long, k))
    return min(found)


@cache
def _written(width: int) -> list[str]:
    """Every number of `width` bits as text."""
    return [f"{number:0{width}b}" for number in range(1 << width)]


@cache
def _spoken(width: int) -> dict[bytes, int]:
    """The inverse of `_written`, by the same digits as bytes."""
    return {text.encode(): number for number, text in enumerate(_written(width))}


def _octets(bits: str) -> bytes:
    if not bits:
        return b""
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


@lru_cache(512)
def _cutter(width: int, count: int) -> Callable[[bytes, int], tuple[bytes, ...]]:
    """Cuts `count` pieces of `width` bytes."""
    return struct.Struct(f"{width}s" * count).unpack_from


def _bit_string(data: bytes) -> str:
    return bin(int.from_bytes(b"\1" + data, "big"))[3:]


class Reader:
    """The inverse of `Writer`. Every method raises ValueError when the bytes end too early or make no sense."""

    def __init__(self, head: bytes, unary: bytes = b"", plain: bytes = b"", doubles: bytes = b"") -> None:
        self._head = head
        self._at = 0
        ones = _bit_string(unary)
        self._quotients = list(map(len, ones.split("0")))
        self._quotient = 0
        self._escapes = "1" * _ESCAPE in ones
        self._plain = _bit_string(plain).encode()
        self._bit = 0
        self._doubles = doubles
        self._double = 0

    def number(self, most: int | None = None) -> int:
        """One number from 0 up, at most `most`."""
        number = shift = 0
        try:
            while True:
                octet = self._head[self._at]
                self._at += 1
                number |= (octet & 0x7F) << shift
                if octet < 0x80:
                    break
                shift += 7
                if shift > _MOST_VARINT:
                    raise ValueError("a number without end")
        except IndexError:
            raise ValueError("it ends too early") from None
        if most is not None and number > most:
            raise ValueError(f"a count of {number}, where {most} is the most")
        return number

    def signed(self) -> int:
        """One number of any sign."""
        return unzigzag(self.number())

    def text(self) -> str:
        """One text."""
        return self.octets(self.number()).decode()

    def octets(self, count: int) -> bytes:
        """The next bytes of the head."""
        self._at += count
        if self._at > len(self._head):
            raise ValueError("it ends too early")
        return self._head[self._at - count : self._at]

    def doubles(self, count: int) -> bytes:
        """The next `count` doubles, 8 bytes each."""
        self._double += 8 * count
        if self._double > len(self._doubles):
            raise ValueError("it ends too early")
        return self._doubles[self._double - 8 * count : self._double]

    def at_end(self) -> bool:
        """Whether the head is read to its end."""
        return self._at == len(self._head)

    def column(self, count: int) -> list[int]:
        """The next run of `count` numbers."""
        if not count:
            return []
        way, k = divmod(self.octets(1)[0], 64)
        return self._column(count, way, k, self.signed())

    def decimals(self, count: int, scale: int) -> list[float]:
        """The next run of `count` numbers, at least one, divided by `scale`."""
        way, k = divmod(self.octets(1)[0], 64)
        base = self.signed()
        if way == _LEVEL and k and not self._escapes and abs(base) < _EXACT:  # measured noise: nearly all there is
            both = zip(self._some_quotients(count), self._bits(count, k), strict=True)
            middle, divisor, steps = float(base), float(scale), _STEPS  # exact, and quicker than whole numbers
            try:
                return [(middle + steps[q << k | r]) / divisor for q, r in both]
            except IndexError:  # wider than most
                self._quotient, self._bit = self._quotient - count, self._bit - count * k
        return [number / scale for number in self._column(count, way, k, base)]

    def _column(self, count: int, way: int, k: int, base: int) -> list[int]:
        if way == _CONSTANT:
            return [base] * count
        if way == _FIXED:
            return [base + number for number in self._bits(count, k)]
        if way == _LEVEL:
            return [base + step for step in self._steps(count, k)]
        drift = self.signed()
        return list(accumulate([drift + step for step in self._steps(count - 1, k)], initial=base))

    def _steps(self, count: int, k: int) -> list[int]:
        """The next `count` distances, in Rice's code and zigzag."""
        quotients = self._some_quotients(count)
        if self._escapes:
            quotients = [q if q < _ESCAPE else _ESCAPE + self.number() for q in quotients]
        rests = list(self._bits(count, k))
        try:
            return [_UNZIGZAG[q << k | r] for q, r in zip(quotients, rests, strict=True)]
        except IndexError:  # wider than most
            return [unzigzag(q << k | r) for q, r in zip(quotients, rests, strict=True)]

    def _some_quotients(self, count: int) -> list[int]:
        begin = self._quotient
        self._quotient = begin + count
        # The last of all is what follows the last 0: no number.
        if len(self._quotients) <= self._quotient:
            raise ValueError("it ends too early")
        return self._quotients[begin : begin + count]

    def _bits(self, count: int, width: int) -> Iterable[int]:
        if not width:
            return [0] * count
        begin, end = self._bit, self._bit + count * width
        if end > len(self._plain):
            raise ValueError("it ends too early")
        self._bit = end
        plain = self._plain
        if width > _MOST_TABLE:
            return [int(plain[at : at + width], 2) for at in range(begin, end, width)]
        spoken = _spoken(width)
        if count > _MOST_CUT:
            return [spoken[plain[at : at + width]] for at in range(begin, end, width)]
        return map(spoken.__getitem__, _cutter(width, count)(plain, begin))
