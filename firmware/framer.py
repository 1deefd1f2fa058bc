"""Finds Modbus RTU frames in a stream of bytes by their expected length and CRC.

It follows the whole conversation of the bus: it reads the neighbours' requests and replies, and knows from each
request which reply is due, so that a reply that looks like a request is not taken for one. Silence is only used
to give up on a frame that does not go on. It allocates nothing. It never answers; `modbus` does.
"""

from crc16 import TABLE, crc16
from micropython import const

_NOTHING = const(0)
REQUEST = const(1)
_REPLY = const(2)

# Running counts wrap here; whoever adds them up takes differences (see live.py).
COUNTER = const(0xFFFF)

_SIZE = const(640)
_LONGEST = const(256)

# Length of a frame by function 0..24: a number, or how to learn it.
_ANY = const(255)  # not known: wherever the CRC fits
_B2 = const(254)  # 5 + byte 2
_B6 = const(253)  # 9 + byte 6
_B10 = const(252)  # 13 + byte 10
_REQUESTS = bytes(
    (_ANY, 8, 8, 8, 8, 8, 8, 4, 8, _ANY, _ANY, 4, 4, _ANY, _ANY, _B6, _B6, 4, _ANY, _ANY, _B2, _B2, 10, _B10, 6)
)
# fmt: off
_REPLIES = bytes((
    _ANY, _B2, _B2, _B2, _B2, 8, 8, 5, 8, _ANY, _ANY, 8, _B2,
    _ANY, _ANY, 8, 8, _B2, _ANY, _ANY, _B2, _B2, 10, _B2, _ANY,
))
# fmt: on


class Framer:
    """Bytes in with `put`, frames out with `next`: buffer[frame : frame + length], good until the next `put`."""

    def __init__(self, unit: int) -> None:
        self.unit = unit
        self.buffer = bytearray(_SIZE)
        self.frame = 0
        self.length = 0
        self.broken = 0  # stretches of bytes that fit no frame
        self.due_unit = -1  # whose reply is expected,
        self._due_function = 0  # to which function
        self._due_bytes = -1  # and with which byte count, where it has one
        self._held = 0
        self._start = 0
        self._at = 0
        self._crc = 0xFFFF
        self._request = 0  # expected length as a request, 0 impossible
        self._reply = 0
        self._lost = False

    def put(self, chunk, count: int) -> None:
        """Adds chunk[:count], at most 256 bytes."""
        buffer = self.buffer
        if self._start:
            for index in range(self._start, self._held):
                buffer[index - self._start] = buffer[index]
            self._held -= self._start
            self._at -= self._start
            self._start = 0
        for index in range(count):
            buffer[self._held] = chunk[index]
            self._held += 1

    def next(self) -> int:
        """REQUEST, _REPLY, or _NOTHING when more bytes are needed. Call it until _NOTHING."""
        buffer = self.buffer
        while self._at < self._held:
            byte = buffer[self._at]
            self._crc = self._crc >> 8 ^ TABLE[(self._crc ^ byte) & 0xFF]
            self._at += 1
            size = self._at - self._start
            if size == 1:
                if byte > 247:
                    self._slide()
                continue
            if size == 2 or size == 3 or size == 7 or size == 11:
                self._learn(size)
            if self._crc == 0 and size >= 4:
                kind = self._kind(size)
                if kind:
                    self._found(kind, size)
                    return kind
            if size >= self._request and size >= self._reply:
                self._slide()
        return _NOTHING

    def give_up(self) -> int:
        """After a silence: REQUEST where the bytes that wait end in one for this unit or for all, else _NOTHING.

        So a request is served that follows garbage, or that was taken for the head of a reply that never came.
        """
        kind = _NOTHING
        start = self._held - 4
        while start >= self._start and self._held - start <= _LONGEST:
            byte = self.buffer[start]
            if (byte == self.unit or byte == 0) and crc16(self.buffer, start, self._held) == 0:
                self._start = start
                self._at = self._held
                self._found(REQUEST, self._held - start)
                kind = REQUEST
                break
            start -= 1
        if kind == _NOTHING and self._start < self._held:
            self._count()
        self._start = self._at = self._held
        self._crc = 0xFFFF
        self._lost = False
        return kind

    def last(self) -> bool:
        """True when nothing follows the frame that was found."""
        return self.frame + self.length == self._held

    def _learn(self, size: int) -> None:
        """Expected lengths, from what is there of the frame."""
        at = self._start
        function = self.buffer[at + 1]
        if size == 2:
            if function & 0x80:
                self._request = 0
                self._reply = 5
            elif function == 0x41 and not self.buffer[at]:
                self._request = 19
                self._reply = 28
            elif function == 0x2B:
                self._request = 7
                self._reply = _ANY
            else:
                self._request = _REQUESTS[function] if function < 25 else _ANY
                self._reply = _REPLIES[function] if function < 25 else _ANY
        elif size == 3:
            if self._request == _B2:
                self._request = 5 + self.buffer[at + 2]
            if self._reply == _B2:
                self._reply = 5 + self.buffer[at + 2]
        elif size == 7 and (function == 15 or function == 16):
            self._request = 9 + self.buffer[at + 6]
        elif size == 11 and function == 23:
            self._request = 13 + self.buffer[at + 10]

    def _kind(self, size: int) -> int:
        """What a stretch with a right CRC is; _NOTHING where its length does not fit."""
        at = self._start
        function = self.buffer[at + 1]
        request = self._request == size or self._request == _ANY
        reply = self._reply == size or (self._reply == _ANY and size != self._request)
        due = self.due_unit == self.buffer[at] and self._due_function == function & 0x7F
        if due and reply:
            return _REPLY
        if request:
            if due and self._reply > size and self._due_bytes == self.buffer[at + 2]:
                return _NOTHING  # the head of the reply that is due
            return REQUEST
        return _REPLY if reply else _NOTHING

    def _found(self, kind: int, size: int) -> None:
        at = self._start
        self.frame = at
        self.length = size
        self._start = self._at
        self._crc = 0xFFFF
        self._lost = False
        self.due_unit = -1
        self._due_bytes = -1
        if kind == REQUEST:
            self.expect_reply()

    def expect_reply(self) -> None:
        """The frame that was found is a request: its reply is due, unless it was a broadcast."""
        at = self.frame
        if self.buffer[at] == 0:
            return
        self.due_unit = self.buffer[at]
        self._due_function = self.buffer[at + 1]
        if self.length >= 8:
            quantity = self.buffer[at + 4] << 8 | self.buffer[at + 5]
            if self._due_function == 3 or self._due_function == 4 or self._due_function == 23:
                self._due_bytes = 2 * quantity
            elif self._due_function <= 2:
                self._due_bytes = (quantity + 7) // 8

    def _slide(self) -> None:
        """No frame starts here: try from the next byte."""
        self._count()
        self._start += 1
        self._at = self._start
        self._crc = 0xFFFF
        self._request = 0
        self._reply = 0

    def _count(self) -> None:
        """One stretch of broken bytes is one error, however long."""
        if not self._lost:
            self.broken = (self.broken + 1) & COUNTER
            self._lost = True
