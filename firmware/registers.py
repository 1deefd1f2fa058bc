"""The register bank of one role: which registers exist, their raw words, which may be written.

It is made from `table`, which is generated from the device profiles; no address stands here. Values of two
registers are stored by one call between two frames, so a reader never sees half of one. Words are 16 bits, so
nothing here outgrows a small integer.
"""

from array import array

from micropython import const

COIL = const(0)
DISCRETE = const(1)
HOLDING = const(2)
INPUT = const(3)

# Flags of one address, as table.py has them.
EXISTS = const(1)
WRITABLE = const(2)
GOES_ON = const(4)  # the second or a later register of a value


class Bank:
    """Raw values by kind and address; `fields` are the rows of the table."""

    def __init__(self, role) -> None:
        self.vendor, self.name, self.model, self.flags, self.fields = role
        self.cells = (
            bytearray(len(self.flags[COIL])),
            bytearray(len(self.flags[DISCRETE])),
            array("H", [0] * len(self.flags[HOLDING])),
            array("H", [0] * len(self.flags[INPUT])),
        )
        self.limits = {}  # holding registers of one word whose raw value is bounded
        for _name, kind, address, words, _form, _decimals, low, high in self.fields:
            if kind == HOLDING and words == 1 and high >= 0:
                self.limits[address] = (low, high)

    def at(self, name: bytes) -> int:
        """Address of the value called `name`, -1 where this role has none."""
        for field in self.fields:
            if field[0] == name:
                return field[2]
        return -1

    def exists(self, kind: int, address: int, count: int) -> bool:
        """Whether all of the range is there, its end too."""
        flags = self.flags[kind]
        if address + count > len(flags):
            return False
        for index in range(address, address + count):
            if not flags[index] & EXISTS:
                return False
        return True

    def writable(self, kind: int, address: int, count: int) -> bool:
        """Whether the whole range may be written, and cuts no value in two."""
        flags = self.flags[kind]
        end = address + count
        if end > len(flags) or flags[address] & GOES_ON or (end < len(flags) and flags[end] & GOES_ON):
            return False
        for index in range(address, end):
            if not flags[index] & WRITABLE:
                return False
        return True

    def allows(self, address: int, word: int) -> bool:
        """Whether a holding register takes this raw value."""
        limit = self.limits.get(address)
        return limit is None or limit[0] <= word <= limit[1]

    def put(self, kind: int, address: int, word: int) -> None:
        """One word, cut to 0..65535. A role without the value (address -1) lets it go."""
        if address >= 0:
            self.cells[kind][address] = max(0, min(word, 0xFFFF))

    def put_bit(self, kind: int, address: int, on: bool) -> None:
        if address >= 0:
            self.cells[kind][address] = 1 if on else 0

    def put_long(self, kind: int, address: int, value: int) -> None:
        """Two words, high first; negative values in two's complement."""
        if address >= 0:
            self.cells[kind][address] = value >> 16 & 0xFFFF
            self.cells[kind][address + 1] = value & 0xFFFF

    def long(self, kind: int, address: int) -> int:
        """The value of two words."""
        return self.cells[kind][address] << 16 | self.cells[kind][address + 1]

    def add_long(self, kind: int, address: int, more: int) -> None:
        """Adds 0..65535 to a value of two words, which stays at its maximum once there."""
        if address < 0:
            return
        cells = self.cells[kind]
        low = cells[address + 1] + more
        if low > 0xFFFF:
            if cells[address] == 0xFFFF:
                low = 0xFFFF
            else:
                cells[address] += 1
        cells[address + 1] = low & 0xFFFF

    def put_text(self, kind: int, address: int, text: bytes, words: int) -> None:
        """Two characters a word, the first in the high byte, filled with zeros."""
        for index in range(words):
            high = text[2 * index] if 2 * index < len(text) else 0
            low = text[2 * index + 1] if 2 * index + 1 < len(text) else 0
            self.cells[kind][address + index] = high << 8 | low
