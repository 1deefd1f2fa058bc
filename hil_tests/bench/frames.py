"""`gewu bench frames`: spoiled answers against the transport and the decoder, by a seed that can be named again.

An answer may be taken only when an oracle of its own (the frame, header and CRC, bit by bit) says that it is
the answer to this very request; then its values must be those in the frame. Everything else must be refused,
with a cause, and without a crash.
"""

import random
import time
from collections import Counter
from collections.abc import Callable

from gateway.bus.port import FramedPort
from gateway.bus.transport import Line
from gateway.bus.trouble import BusTrouble
from gateway.bus.wire import ANSWER_BYTES, Wire, crc
from gateway.errors import DeviceRefused
from gateway.profile import Register
from gateway.profile.decode import decode
from hil_tests.bench.row import Report, Row, machine

_UNIT, _COUNT = 7, 8
_OTHER_FUNCTIONS = (1, 2, 3, 5, 6, 15, 16, 0x2B, 0x84)


def measure(frames: int, seed: int) -> Report:
    """Try `frames` spoiled answers: how many were taken wrongly, how many crashed it, and how fast it went."""
    began, found = time.monotonic(), try_frames(frames, seed)
    rate = frames / max(time.monotonic() - began, 1e-9)
    rows = [
        Row(case=f"{frames} frames, seed {seed}", metric=metric, value=float(found[metric]), unit="", limit=0.0)
        for metric in ("crashes", "wrong_values")
    ]
    rows += [
        Row(case=f"{frames} frames, seed {seed}", metric=cause, value=float(count), unit="")
        for cause, count in sorted(found.items())
        if cause not in ("crashes", "wrong_values")
    ]
    rows.append(Row(case=f"{frames} frames, seed {seed}", metric="frames_per_s", value=round(rate), unit="1/s"))
    return Report(name="frames", rows=rows, machine=machine())


def try_frames(frames: int, seed: int) -> Counter[str]:
    """How the answers ended: `taken`, the causes of refusal, `wrong_values` and `crashes`."""
    dice = random.Random(seed)
    return Counter(try_one(spoiled(dice)) for _ in range(frames))


def spoiled(dice: random.Random) -> bytes:
    """A good answer to the question, spoiled in one of the ways below."""
    good = _frame(_UNIT, 4, bytes((2 * _COUNT,)) + dice.randbytes(2 * _COUNT))
    return dice.choice(_SPOILERS)(good, dice)


def try_one(sent: bytes) -> str:
    """How a read ends to which `sent` comes back: see `try_frames`."""
    wanted = _oracle(sent)
    port = _Port(sent)
    line = Line("frames", "memory", _WIRE, open_port=lambda *_: port)
    try:
        words = line.read(_UNIT, "input", 0, _COUNT)
        for register in _REGISTERS:
            decode(register, words[register.address : register.end])
    except BusTrouble as trouble:
        return trouble.cause if wanted is None else "wrong_values"
    except DeviceRefused:
        return "exception" if _intact(sent[:5]) and sent[:2] == bytes((_UNIT, 0x84)) else "wrong_values"
    except Exception:
        return "crashes"
    return "taken" if words == wanted else "wrong_values"


_WIRE = Wire(115200)
_REGISTERS = [
    Register.model_validate({"name": "a", "kind": "input", "address": 0, "type": "f32", "scale": 0.1}),
    Register.model_validate({"name": "b", "kind": "input", "address": 2, "type": "i32", "word_order": "little"}),
    Register.model_validate({"name": "c", "kind": "input", "address": 4, "type": "string", "length": 2}),
    Register.model_validate({"name": "d", "kind": "input", "address": 6, "type": "bits", "bits": [(0, "e")]}),
    Register.model_validate({"name": "f", "kind": "input", "address": 7, "type": "i16", "valid": (0, 9)}),
]


class _Port(FramedPort):
    """A port without a line: the request gets `answer`, and then silence."""

    def __init__(self, answer: bytes) -> None:
        self.port = "memory"
        self.frame = b""
        self.answer = answer

    def ask(self, request: bytes, length: int) -> bytes:
        exception = len(self.answer) >= ANSWER_BYTES and self.answer[1] & 0x80
        self.frame = self.answer[: ANSWER_BYTES if exception else length]
        return self.frame

    def listen(self, seconds: float) -> bytes:
        return b""

    def quieten(self, rest: float = 0.0) -> None:
        """Nothing follows the answer."""


def _oracle(sent: bytes) -> list[int] | None:
    """The values of `sent` when it is the answer that was asked for; None otherwise."""
    frame = sent[: 5 + 2 * _COUNT]
    if len(frame) < 5 + 2 * _COUNT or frame[:3] != bytes((_UNIT, 4, 2 * _COUNT)) or not _intact(frame):
        return None
    return [frame[at] << 8 | frame[at + 1] for at in range(3, 3 + 2 * _COUNT, 2)]


def _intact(frame: bytes) -> bool:
    """The CRC by its definition, a bit at a time: another way than the gateway's table."""
    if len(frame) < 4:
        return False
    value = 0xFFFF
    for octet in frame:
        value ^= octet
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return value == 0  # the CRC of a frame with its own CRC


def _frame(unit: int, function: int, body: bytes) -> bytes:
    frame = bytes((unit, function)) + body
    return frame + crc(frame)


Spoiler = Callable[[bytes, random.Random], bytes]


def _flip(good: bytes, dice: random.Random) -> bytes:
    spoiled = bytearray(good)
    for _ in range(dice.randint(1, 5)):
        spoiled[dice.randrange(len(good))] ^= 1 << dice.randrange(8)
    return bytes(spoiled)


def _burst(good: bytes, dice: random.Random) -> bytes:
    at, length = dice.randrange(len(good)), dice.randint(1, 6)
    return good[:at] + dice.randbytes(len(good[at : at + length])) + good[at + length :]


def _cut(good: bytes, dice: random.Random) -> bytes:
    return good[: dice.randrange(len(good))]


def _lost(good: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(good))
    return good[:at] + good[at + dice.randint(1, 3) :]


def _noise_before(good: bytes, dice: random.Random) -> bytes:
    return dice.randbytes(dice.randint(1, 4)) + good


def _noise_after(good: bytes, dice: random.Random) -> bytes:
    return good + dice.randbytes(dice.randint(1, 30))


def _other_unit(good: bytes, dice: random.Random) -> bytes:
    return _frame(dice.choice([n for n in range(256) if n != _UNIT]), 4, good[2:-2])


def _other_function(good: bytes, dice: random.Random) -> bytes:
    return _frame(_UNIT, dice.choice(_OTHER_FUNCTIONS), good[2:-2])


def _other_length(good: bytes, dice: random.Random) -> bytes:
    count = dice.randint(0, 40)
    return _frame(_UNIT, 4, bytes((dice.choice((count, 2 * _COUNT)),)) + dice.randbytes(count))


def _exception(good: bytes, dice: random.Random) -> bytes:
    return _frame(_UNIT, 0x84, dice.randbytes(1))


def _noise(good: bytes, dice: random.Random) -> bytes:
    return dice.randbytes(dice.randint(0, 40))


def _untouched(good: bytes, dice: random.Random) -> bytes:
    return good


_SPOILERS: tuple[Spoiler, ...] = (
    _flip,
    _burst,
    _cut,
    _lost,
    _noise_before,
    _noise_after,
    _other_unit,
    _other_function,
    _other_length,
    _exception,
    _noise,
    _untouched,
)
