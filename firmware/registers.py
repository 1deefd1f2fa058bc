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
_EXISTS = const(1)
_WRITABLE = const(2)
_GOES_ON = const(4)  # the second or a later register of a value


_ROW = const(5)  # bytes of a field in the table
_BITS = const(15)  # form of a field whose bits have names


class _Fields:
    """The fields of a role, each made when it is asked for: a list of them would take a sixth of the heap.

    A field is (name, kind, address, words, form, decimals); the form of bits is ((bit, name), ...).
    """

    def __init__(self, names: bytes, rows: bytes, bits) -> None:
        self._names = names
        self._rows = rows
        self._bits = bits

    def __len__(self) -> int:
        return len(self._rows) // _ROW

    def __getitem__(self, index: int):
        if index >= len(self):
            raise IndexError
        at = index * _ROW
        kind, high, low, words, form = self._rows[at : at + _ROW]
        address = high << 8 | low
        decimals = form >> 4
        form = form & 15
        start = 1
        for _ in range(index):
            start = self._names.find(b"\n", start) + 1
        name = self._names[start : self._names.find(b"\n", start)]
        return name, kind, address, words, self._bits_of(name) if form == _BITS else form, decimals

    def _bits_of(self, name: bytes) -> tuple:
        return tuple([(text[0] - 48, text[1:]) for text in self._bits[name].split(b"\n")])

    def address(self, name: bytes) -> int:
        """Of the field with this name, -1 where there is none; makes no field."""
        place = self._names.find(b"\n" + name + b"\n")
        if place < 0:
            return -1
        at = self._names[:place].count(b"\n") * _ROW
        return self._rows[at + 1] << 8 | self._rows[at + 2]

    def bit(self, register: bytes, name: bytes) -> int:
        """Number of the bit with this name in that register, -1 where there is none."""
        for text in self._bits.get(register, b"").split(b"\n"):
            if text[1:] == name:
                return text[0] - 48
        return -1


class Bank:
    """Raw values by kind and address; `limits` are those of holding registers of one word: (lowest, highest)."""

    def __init__(self, role) -> None:
        self.vendor, self.name, self.model, self._flags, names, rows, bits, self.limits = role
        self.fields = _Fields(names, rows, bits)
        self.cells = (
            bytearray(len(self._flags[COIL])),
            bytearray(len(self._flags[DISCRETE])),
            array("H", [0] * len(self._flags[HOLDING])),
            array("H", [0] * len(self._flags[INPUT])),
        )

    def at(self, name: bytes) -> int:
        """Address of the value called `name`, -1 where this role has none."""
        return self.fields.address(name)

    def exists(self, kind: int, address: int, count: int) -> bool:
        """Whether all of the range is there, its end too."""
        flags = self._flags[kind]
        if address + count > len(flags):
            return False
        for index in range(address, address + count):
            if not flags[index] & _EXISTS:
                return False
        return True

    def writable(self, kind: int, address: int, count: int) -> bool:
        """Whether the whole range may be written, and cuts no value in two."""
        flags = self._flags[kind]
        end = address + count
        if end > len(flags) or flags[address] & _GOES_ON or (end < len(flags) and flags[end] & _GOES_ON):
            return False
        for index in range(address, end):
            if not flags[index] & _WRITABLE:
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
