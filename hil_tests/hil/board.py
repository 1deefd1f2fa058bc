"""One device under test by the names of its profile: values, writes, commands, journal. It judges nothing."""

import time
from collections.abc import Callable
from typing import TypeVar

from gateway.bus.command import Code, frame
from gateway.bus.journal import Entry, decode
from gateway.bus.transport import READ_FUNCTION
from gateway.errors import ConfigurationError, GewuError
from gateway.profile import Profile
from gateway.profile.decode import decode as decode_register
from gateway.profile.decode import encode
from gateway.profile.model import BIT_KINDS, Register
from gateway.records import Value
from hil_tests.rig.master import Master

Answer = TypeVar("Answer")
DONE = 1
_PATIENCE_S = 60.0
_MOST_RECORDS = 96
_IDENTIFY = (0x2B, 0x0E)


class Board:
    """`unit` on the master's bus. Methods raise GewuError when no usable answer comes."""

    def __init__(self, master: Master, unit: int, profile: Profile, serial: str = "", key: bytes | None = None) -> None:
        self.master, self.unit, self.profile, self.serial, self.key = master, unit, profile, serial, key

    def value(self, name: str) -> Value | None:
        """A value by its name; None where the device says that it has none."""
        register = self.profile.by_value[name]
        values, _marks = decode_register(register, self.raw(register))
        return values.get(name)

    def number(self, name: str) -> float:
        """A value that must be a number (a switch is 0 or 1)."""
        value = self.value(name)
        if value is None or isinstance(value, str):
            raise GewuError(f"Unit {self.unit} has no number {name}: it says {value!r}.")
        return float(value)

    def raw(self, register: Register) -> list[int]:
        """The words of a register, or its one bit."""
        function = READ_FUNCTION[register.kind]
        if register.kind not in BIT_KINDS:
            return self.master.registers(self.unit, register.address, register.size, function)
        answer = self.master.demand(bytes((self.unit, function)) + register.address.to_bytes(2, "big") + b"\0\1")
        if answer[1] & 0x80:
            raise GewuError(f"Unit {self.unit} refused {register.name}: exception {answer[2]}.")
        return [answer[3] & 1]

    def write(self, name: str, value: Value) -> bytes:
        """Write one value (06, 05 or 10h as it fits); the answer without its CRC."""
        register = self.profile.by_value[name]
        words = encode(register, value)
        if register.kind == "coil":
            octets = b"\xff\0" if words[0] else b"\0\0"
            return self.master.demand(bytes((self.unit, 5)) + register.address.to_bytes(2, "big") + octets)
        return self.master.write(self.unit, register.address, b"".join(word.to_bytes(2, "big") for word in words))

    def identity(self) -> dict[int, str]:
        """The objects of its regular identification (2B/0E, one stream); empty where it knows none."""
        found: dict[int, str] = {}
        start = 0
        for _ in range(8):
            answer = self.master.ask(bytes((self.unit, *_IDENTIFY, 2, start)))
            if len(answer) < 8 or answer[1] & 0x80:
                return found
            at = 8
            for _ in range(answer[7]):
                number, length = answer[at], answer[at + 1]
                found[number] = answer[at + 2 : at + 2 + length].decode("utf-8", "replace")
                at += 2 + length
            if not answer[5]:
                return found
            start = answer[6]
        return found

    def release(self) -> str:
        """Its firmware's version by its identification; empty while it is away."""
        answer = self.master.ask(bytes((self.unit, *_IDENTIFY, 4, 2)))
        return answer[10:].decode("ascii", "replace") if len(answer) > 10 and not answer[1] & 0x80 else ""

    def until(self, reached: Callable[[], Answer | None], what: str, seconds: float = _PATIENCE_S) -> Answer:
        """The first true answer of `reached`; GewuError names what was not reached. Silence meanwhile is no error."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if answer := reached():
                    return answer
            except GewuError:
                pass  # a board that restarts is silent for a while
            if time.monotonic() > deadline:
                raise GewuError(f"Unit {self.unit} never {what} within {seconds:g} s.")
            time.sleep(0.01)

    # --- Commands with authority --------------------------------------------------------------------

    def nonce(self) -> bytes:
        """The nonce of now."""
        words = self.master.registers(self.unit, self.profile.by_value["nonce_high"].address, 4)
        return b"".join(word.to_bytes(2, "big") for word in words)

    def next_counter(self) -> int:
        return int(self.number("command_counter")) + 1

    def signed(self, code: Code, argument: bytes = b"", counter: int | None = None) -> bytes:
        """A command frame with this board's key."""
        if self.key is None:
            raise ConfigurationError(f"The bench file names no `key_file` of unit {self.unit}.")
        chosen = self.next_counter() if counter is None else counter
        return frame(self.key, self.serial, code, chosen, self.nonce(), argument)

    def post(self, data: bytes) -> int:
        """Write a command frame; its `command_result`."""
        box = self.profile.mailbox
        if box is None:
            raise ConfigurationError(f"The profile {self.profile.name} has no mailbox.")
        judged = self.number("commands_judged")
        self.master.write(self.unit, box.command_register, data + bytes(len(data) % 2))
        self.until(lambda: self.number("commands_judged") != judged, "judged a command")
        return int(self.number("command_result"))

    def command(self, code: Code, argument: bytes = b"") -> int:
        """A right command; its result."""
        return self.post(self.signed(code, argument))

    # --- Journal ------------------------------------------------------------------------------------

    def journal(self, newest: int = 600) -> list[Entry]:
        """Its latest entries, the oldest first; GewuError where one is damaged."""
        book = self.profile.journal
        if book is None:
            raise ConfigurationError(f"The profile {self.profile.name} has no journal.")
        first, after = int(self.number(book.first)), int(self.number(book.next))
        entries: list[Entry] = []
        at = max(first, after - newest)
        while at < after:
            place = at % book.entries
            count = min(_MOST_RECORDS // book.words, after - at, book.entries - place)
            octets = self.master.records(self.unit, book.file, place * book.words, count * book.words)
            size = 2 * book.words
            for number in range(count):
                entry = decode(octets[number * size : (number + 1) * size])
                if entry is None or entry.number != at + number:
                    raise GewuError(f"Unit {self.unit}: entry {at + number} of its journal is damaged.")
                entries.append(entry)
            at += count
        return entries
