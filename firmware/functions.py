"""What is answered to which Modbus request: functions 01 02 03 04 05 06 0F 10 14 15 17 and 2B/0E.

Exception 02 where any register of a range is missing, its end too. A request is checked whole before any of it is
done. Serving a frame allocates nothing. `registers` owns the values, `inbox` the file records and the holding
registers that reach them; when to answer is `modbus`'s business.
"""

from micropython import const
from registers import COIL, DISCRETE, HOLDING, INPUT

_ILLEGAL_FUNCTION = const(1)
_ILLEGAL_ADDRESS = const(2)
_ILLEGAL_VALUE = const(3)
LONGEST = const(256)  # a frame
_MOST_FILE_BYTES = const(0xF5)


class Functions:
    """One unit. The request lies in `framer`; each function builds its answer in `out`, without CRC.

    `written(kind, address, count)` is called after a write has been stored. `inbox` has `holds(address)` for the
    holding registers that are its own, and `read` and `write` for those (as file 0) and for file records: both
    give 0 or an exception code.
    """

    def __init__(self, framer, bank, inbox, unit: int, objects: dict, written) -> None:
        self.framer = framer
        self.bank = bank
        self.unit = unit
        self.out = bytearray(LONGEST)
        self._inbox = inbox
        self._objects = objects
        self.written = written

    def serve(self, function: int) -> int:
        """Do what the frame asks; the length of the answer in `out`."""
        self._inbox.broadcast = self._byte(0) == 0
        self.out[0] = self.unit
        self.out[1] = function
        body = self.framer.length - 4
        if function == 1:
            return self._read_bits(COIL, body)
        if function == 2:
            return self._read_bits(DISCRETE, body)
        if function == 3:
            return self._read_words(HOLDING, body)
        if function == 4:
            return self._read_words(INPUT, body)
        if function == 5:
            return self._write_bit(body)
        if function == 6:
            return self._write_word(body)
        if function == 15:
            return self._write_bits(body)
        if function == 16:
            return self._write_words(body)
        if function == 20:
            return self._read_files(body)
        if function == 21:
            return self._write_files(body)
        if function == 23:
            return self._write_and_read(body)
        if function == 0x2B and body and self._byte(2) == 0x0E:
            return self._identify(body)
        return self._refuse(_ILLEGAL_FUNCTION)

    def _refuse(self, code: int) -> int:
        self.out[1] |= 0x80
        self.out[2] = code
        return 3

    def _byte(self, offset: int) -> int:
        return self.framer.buffer[self.framer.frame + offset]

    def _word(self, offset: int) -> int:
        return self._byte(offset) << 8 | self._byte(offset + 1)

    def _read_bits(self, kind: int, body: int) -> int:
        if body != 4 or not 1 <= self._word(4) <= 2000:
            return self._refuse(_ILLEGAL_VALUE)
        address = self._word(2)
        count = self._word(4)
        if not self.bank.exists(kind, address, count):
            return self._refuse(_ILLEGAL_ADDRESS)
        size = (count + 7) // 8
        self.out[2] = size
        for index in range(size):
            self.out[3 + index] = 0
        cells = self.bank.cells[kind]
        for index in range(count):
            if cells[address + index]:
                self.out[3 + index // 8] |= 1 << (index & 7)
        return 3 + size

    def _read_words(self, kind: int, body: int) -> int:
        if body != 4 or not 1 <= self._word(4) <= 125:
            return self._refuse(_ILLEGAL_VALUE)
        return self._words(kind, self._word(2), self._word(4))

    def _words(self, kind: int, address: int, count: int) -> int:
        """The answer with `count` registers."""
        self.out[2] = 2 * count
        if kind == HOLDING and self._inbox.holds(address):
            code = self._inbox.read(0, address, count, self.out, 3)
            return self._refuse(code) if code else 3 + 2 * count
        if not self.bank.exists(kind, address, count):
            return self._refuse(_ILLEGAL_ADDRESS)
        cells = self.bank.cells[kind]
        for index in range(count):
            word = cells[address + index]
            self.out[3 + 2 * index] = word >> 8
            self.out[4 + 2 * index] = word & 0xFF
        return 3 + 2 * count

    def _echoed(self) -> int:
        """The answer to a write repeats address and value or quantity."""
        for offset in range(2, 6):
            self.out[offset] = self._byte(offset)
        return 6

    def _write_bit(self, body: int) -> int:
        value = self._word(4)
        if body != 4 or (value != 0xFF00 and value != 0):
            return self._refuse(_ILLEGAL_VALUE)
        address = self._word(2)
        if not self.bank.writable(COIL, address, 1):
            return self._refuse(_ILLEGAL_ADDRESS)
        self.bank.cells[COIL][address] = 1 if value else 0
        self.written(COIL, address, 1)
        return self._echoed()

    def _write_word(self, body: int) -> int:
        if body != 4:
            return self._refuse(_ILLEGAL_VALUE)
        address = self._word(2)
        if not self.bank.writable(HOLDING, address, 1):
            return self._refuse(_ILLEGAL_ADDRESS)
        if not self.bank.allows(address, self._word(4)):
            return self._refuse(_ILLEGAL_VALUE)
        self.bank.cells[HOLDING][address] = self._word(4)
        self.written(HOLDING, address, 1)
        return self._echoed()

    def _write_bits(self, body: int) -> int:
        count = self._word(4)
        if body < 6 or not 1 <= count <= 1968 or self._byte(6) != (count + 7) // 8 or body != 5 + self._byte(6):
            return self._refuse(_ILLEGAL_VALUE)
        address = self._word(2)
        if not self.bank.writable(COIL, address, count):
            return self._refuse(_ILLEGAL_ADDRESS)
        cells = self.bank.cells[COIL]
        for index in range(count):
            cells[address + index] = self._byte(7 + index // 8) >> (index & 7) & 1
        self.written(COIL, address, count)
        return self._echoed()

    def _write_words(self, body: int) -> int:
        count = self._word(4)
        if body < 7 or not 1 <= count <= 123 or self._byte(6) != 2 * count or body != 5 + self._byte(6):
            return self._refuse(_ILLEGAL_VALUE)
        code = self._cannot(self._word(2), count, 7) or self._store(self._word(2), count, 7)
        return self._refuse(code) if code else self._echoed()

    def _cannot(self, address: int, count: int, offset: int) -> int:
        """0 where these registers may take the words at `offset` of the frame, else the exception code."""
        if self._inbox.holds(address):
            return 0
        if not self.bank.writable(HOLDING, address, count):
            return _ILLEGAL_ADDRESS
        for index in range(count):
            if not self.bank.allows(address + index, self._word(offset + 2 * index)):
                return _ILLEGAL_VALUE
        return 0

    def _store(self, address: int, count: int, offset: int) -> int:
        if self._inbox.holds(address):
            return self._inbox.write(0, address, count, self.framer.buffer, self.framer.frame + offset)
        cells = self.bank.cells[HOLDING]
        for index in range(count):
            cells[address + index] = self._word(offset + 2 * index)
        self.written(HOLDING, address, count)
        return 0

    def _write_and_read(self, body: int) -> int:
        """17h: the write first; neither where one of both cannot be."""
        count = self._word(8)
        wanted = self._word(4)
        if (
            body < 11
            or not 1 <= wanted <= 125
            or not 1 <= count <= 121
            or self._byte(10) != 2 * count
            or body != 9 + 2 * count
        ):
            return self._refuse(_ILLEGAL_VALUE)
        if not self._inbox.holds(self._word(2)) and not self.bank.exists(HOLDING, self._word(2), wanted):
            return self._refuse(_ILLEGAL_ADDRESS)
        code = self._cannot(self._word(6), count, 11) or self._store(self._word(6), count, 11)
        return self._refuse(code) if code else self._words(HOLDING, self._word(2), wanted)

    def _read_files(self, body: int) -> int:
        """14h. Each part asks for a stretch of one file; all parts together fit one answer."""
        size = self._byte(2)
        if body < 8 or body != 1 + size or size % 7 or not 7 <= size <= _MOST_FILE_BYTES:
            return self._refuse(_ILLEGAL_VALUE)
        at = 3
        for part in range(3, 3 + size, 7):
            words = self._word(part + 5)
            if self._byte(part) != 6 or not self._word(part + 1) or self._word(part + 3) > 9999:
                return self._refuse(_ILLEGAL_ADDRESS)
            if not words or at + 2 + 2 * words > 3 + _MOST_FILE_BYTES:
                return self._refuse(_ILLEGAL_VALUE)
            self.out[at] = 1 + 2 * words
            self.out[at + 1] = 6
            code = self._inbox.read(self._word(part + 1), self._word(part + 3), words, self.out, at + 2)
            if code:
                return self._refuse(code)
            at += 2 + 2 * words
        self.out[2] = at - 3
        return at

    def _write_files(self, body: int) -> int:
        """15h. One part a frame: several could not be taken or refused as one."""
        size = self._byte(2)
        if body < 10 or body != 1 + size or not 9 <= size <= 0xFB or size != 7 + 2 * self._word(8):
            return self._refuse(_ILLEGAL_VALUE)
        if self._byte(3) != 6 or not self._word(4) or self._word(6) > 9999:
            return self._refuse(_ILLEGAL_ADDRESS)
        start = self.framer.frame
        code = self._inbox.write(self._word(4), self._word(6), self._word(8), self.framer.buffer, start + 10)
        if code:
            return self._refuse(code)
        for offset in range(2, 3 + size):
            self.out[offset] = self._byte(offset)
        return 3 + size

    def _identify(self, body: int) -> int:
        """Device identification. Codes 1 basic, 2 regular, 3 extended (each with what is below it), 4 one object."""
        if body != 3:
            return self._refuse(_ILLEGAL_VALUE)
        code = self._byte(3)
        wanted = self._byte(4)
        if not 1 <= code <= 4:
            return self._refuse(_ILLEGAL_VALUE)
        last = 0x02 if code == 1 else 0x7F if code == 2 else 0xFF
        if wanted > last or (code == 4 and wanted not in self._objects):
            if code == 4:
                return self._refuse(_ILLEGAL_ADDRESS)
            wanted = 0
        out = self.out
        out[2] = 0x0E
        out[3] = code
        out[4] = 0x83  # conformity: extended, stream and single objects
        out[5] = 0
        out[6] = 0
        out[7] = 0
        size = 8
        for number in range(wanted, wanted + 1 if code == 4 else last + 1):
            text = self._objects.get(number)
            if text is not None:
                out[7] += 1
                out[size] = number
                out[size + 1] = len(text)
                size += 2
                for index in range(len(text)):
                    out[size] = text[index]
                    size += 1
        return size
