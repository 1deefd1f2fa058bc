"""Everybody's traffic on a line, decoded from its bytes: frames found by length and checksum, requests paired with
their replies, what is garbled counted. Pure: bytes and moments go in, exchanges come out. It sends nothing.

A reply can look like a request of the same length (functions 5, 6, 15 and 16): then whoever was asked last decides.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from gateway.bus.trouble import EXCEPTIONS
from gateway.bus.wire import intact

FUNCTIONS = {
    1: "read coils", 2: "read discretes", 3: "read holding", 4: "read inputs", 5: "write coil", 6: "write holding",
    7: "read status", 8: "diagnose", 11: "count events", 12: "event log", 15: "write coils", 16: "write holdings",
    17: "server id", 20: "read file", 21: "write file", 22: "mask holding", 23: "write and read", 43: "identify",
}  # fmt: skip
"""Function codes of the application protocol V1.1b3, section 6, in a technician's words."""

_LONGEST = 256
_SHORTEST = 4
_BITS = (1, 2)
_REGISTERS = (3, 4, 23)
_WRITES = (5, 6, 15, 16)
_BARE = (7, 11, 12, 17)  # requests without any data
# After so long an answer is not for this request any more, whoever gives it.
_GIVEN_UP_S = 2.0

Outcome = Literal["answered", "refused", "silent", "broadcast", "unasked"]


@dataclass(frozen=True)
class Exchange:
    """A request with what became of it. Times are seconds of the clock that `feed` was given."""

    at: float
    unit: int
    function: int
    outcome: Outcome
    address: int | None = None
    count: int | None = None
    values: tuple[int, ...] = ()
    code: int | None = None
    answer_s: float | None = None

    @property
    def called(self) -> str:
        return FUNCTIONS.get(self.function, f"function {self.function}")

    def sentence(self) -> str:
        """One line for a person."""
        where = "" if self.address is None else f" {self.address}"
        if self.address is not None and self.count is not None and self.count > 1:
            where += f" to {self.address + self.count - 1}"
        said = " ".join(map(str, self.values))
        ending = {
            "answered": f": {said}" if said else ": done",
            "refused": f": refused, it {EXCEPTIONS.get(self.code or 0, 'refuses')} (exception {self.code or 0:02d})",
            "silent": ": no answer",
            "broadcast": f": to all {said}".rstrip(),
            "unasked": f": unasked {said}".rstrip(),
        }[self.outcome]
        took = f"  [{self.answer_s * 1000:.0f} ms]" if self.answer_s is not None else ""
        return f"unit {self.unit} {self.called}{where}{ending}{took}"


@dataclass
class Sniffer:
    """`frames`, `garbled` (bursts that are no frame) and `units` (answers by unit) count what was heard."""

    frames: int = 0
    garbled: int = 0
    units: Counter[int] = field(default_factory=Counter)
    _heard: bytearray = field(default_factory=bytearray)
    _lost: bool = False
    _asked: tuple[float, bytes] | None = None
    _last: float = 0.0

    def feed(self, data: bytes, now: float) -> list[Exchange]:
        """More bytes of the line, read at `now`; the exchanges that end with them."""
        self._heard += data
        self._last = now
        return self._frames(now, final=False)

    def silence(self, now: float) -> list[Exchange]:
        """Nothing came for longer than any pause inside a frame: what is left over is none."""
        done = self._frames(now, final=True)
        if self._heard:
            self._heard.clear()
            self._lost = True
        self._settle()
        if self._asked and now - self._asked[0] > _GIVEN_UP_S:
            done += self._unanswered()
        return done

    def close(self) -> list[Exchange]:
        """The end: what still waits for an answer gets none."""
        return self._unanswered()

    def _settle(self) -> None:
        if self._lost:
            self.garbled += 1
            self._lost = False

    def _frames(self, now: float, final: bool) -> list[Exchange]:
        done: list[Exchange] = []
        while len(self._heard) >= _SHORTEST:
            length = self._length()
            if length:
                self._settle()
                frame = bytes(self._heard[:length])
                del self._heard[:length]
                self.frames += 1
                done += self._frame(frame, now)
            elif final or len(self._heard) > _LONGEST:
                del self._heard[0]
                self._lost = True
            else:
                break
        return done

    def _length(self) -> int | None:
        """The length of the frame that the bytes begin with; None when they begin with none, or not yet."""
        lengths = [_reply_length(self._heard), _request_length(self._heard)]
        if not self._awaits(self._heard):
            lengths.reverse()
        for length in lengths:
            if length and _SHORTEST <= length <= len(self._heard) and intact(bytes(self._heard[:length])):
                return length
        return None

    def _awaits(self, frame: bytes | bytearray) -> bool:
        """Whether `frame` may be the answer to the last request."""
        return self._asked is not None and (frame[0], frame[1] & 0x7F) == (self._asked[1][0], self._asked[1][1])

    def _frame(self, frame: bytes, now: float) -> list[Exchange]:
        if self._asked and self._awaits(frame) and len(frame) in (5, _reply_length(frame)):
            asked_at, request = self._asked
            if frame[1] & 0x80 or _fits(request, frame):
                self._asked = None
                self.units[frame[0]] += 1
                return [_answered(request, asked_at, frame, now)]
        if len(frame) != _request_length(frame):
            self.units[frame[0]] += 1
            return [*self._unanswered(), Exchange(now, frame[0], frame[1] & 0x7F, "unasked", values=_values(frame))]
        done = self._unanswered()
        if frame[0] == 0:
            return [*done, Exchange(now, 0, frame[1], "broadcast", *_target(frame), _written(frame))]
        self._asked = (now, frame)
        return done

    def _unanswered(self) -> list[Exchange]:
        if self._asked is None:
            return []
        at, request = self._asked
        self._asked = None
        return [Exchange(at, request[0], request[1], "silent", *_target(request))]


def _request_length(heard: bytes | bytearray) -> int | None:
    function = heard[1]
    if 1 <= function <= 6 or function == 8:
        return 8
    if function in (15, 16):
        return 9 + heard[6] if len(heard) > 6 else None
    if function == 23:
        return 13 + heard[10] if len(heard) > 10 else None
    if function in (20, 21):
        return 5 + heard[2]
    return {22: 10, 43: 7}.get(function, 4 if function in _BARE else None)


def _reply_length(heard: bytes | bytearray) -> int | None:
    function = heard[1]
    if function & 0x80:
        return 5
    if function in (*_BITS, *_REGISTERS, 12, 17, 20, 21):
        return 5 + heard[2]
    if function == 43:
        return _identity_length(heard)
    return {7: 5, 22: 10}.get(function, 8 if function in (*_WRITES, 8, 11) else None)


def _identity_length(heard: bytes | bytearray) -> int | None:
    if len(heard) < 8:
        return None
    end = 8
    for _ in range(heard[7]):
        if len(heard) < end + 2:
            return None
        end += 2 + heard[end + 1]
    return end + 2


def _fits(request: bytes, reply: bytes) -> bool:
    """Whether `reply` has the amount that `request` asked for, or repeats what it wrote."""
    function, count = request[1], int.from_bytes(request[4:6], "big")
    if function in _BITS:
        return reply[2] == (count + 7) // 8
    if function in _REGISTERS:
        return reply[2] == 2 * count
    if function in _WRITES:
        return reply[2:6] == request[2:6]
    return True


def _target(request: bytes) -> tuple[int | None, int | None]:
    function = request[1]
    if function not in (*_BITS, *_REGISTERS, *_WRITES, 22):
        return None, None
    many = function not in (5, 6, 22)
    return int.from_bytes(request[2:4], "big"), int.from_bytes(request[4:6], "big") if many else 1


def _written(request: bytes) -> tuple[int, ...]:
    function = request[1]
    if function in (5, 6):
        return (int.from_bytes(request[4:6], "big"),)
    return _words(request[7:-2]) if function == 16 else tuple(request[7:-2])


def _values(reply: bytes) -> tuple[int, ...]:
    function = reply[1]
    if function in _REGISTERS:
        return _words(reply[3:-2])
    return tuple(reply[3:-2]) if function in _BITS else ()


def _words(data: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data) - 1, 2))


def _answered(request: bytes, asked_at: float, reply: bytes, now: float) -> Exchange:
    address, count = _target(request)
    function = request[1]
    if reply[1] & 0x80:
        return Exchange(
            asked_at, request[0], function, "refused", address, count, code=reply[2], answer_s=now - asked_at
        )
    values = _values(reply)
    if function in _BITS and count:
        values = tuple(reply[3 + bit // 8] >> bit % 8 & 1 for bit in range(count))
    elif function in _WRITES:
        values = _written(request)
    return Exchange(asked_at, request[0], function, "answered", address, count, values, answer_s=now - asked_at)
