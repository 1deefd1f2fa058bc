"""The Modbus RTU slave: what is answered to which request. Functions 01 02 03 04 05 06 0F 10 and 2B/0E.

It waits t3.5 before it answers, is silent on broadcasts, takes its own echo for what it is, and answers 02
where any register of a range is missing. A request is checked whole before any of it is done. Serving a frame
allocates nothing. `framer` finds the frames, `registers` owns the values.
"""

from time import ticks_add, ticks_diff

from crc16 import crc16
from framer import COUNTER, REQUEST, Framer
from micropython import const
from registers import COIL, DISCRETE, HOLDING, INPUT

ILLEGAL_FUNCTION = const(1)
ILLEGAL_ADDRESS = const(2)
ILLEGAL_VALUE = const(3)

# Half a frame that does not go on for so long never will. Longer than any gap that a busy host leaves inside a
# frame, shorter than a master waits for its answer.
_SILENCE_US = const(40_000)
_CHUNK = const(128)


class Slave:
    """One unit on one bus. `written(kind, address, count)` is called after a write has been stored."""

    def __init__(self, uart, direction, bank, unit: int, char_us: int, objects: dict, written, now_us: int) -> None:
        self.uart = uart
        self.direction = direction
        self.bank = bank
        self.unit = unit
        self.framer = Framer(unit)
        self.frames = 0  # good ones, whoever they were for; wraps at COUNTER
        self.foreign = 0  # replies from our address that are not ours: another board has it too
        self.sending = False
        self.answer = 0  # bytes of an answer that waits for t3.5
        self._char_us = char_us
        # t3.5 is fixed above 19200 baud (Modbus over serial line 2.5.1.1).
        self._pause_us = max(char_us * 7 // 2, 1750)
        self._silence_us = max(_SILENCE_US, 4 * char_us)
        self._objects = objects
        self._written = written
        longest = 5 + 2 * max(len(bank.cells[HOLDING]), len(bank.cells[INPUT]))
        identity = 10
        for text in objects.values():
            identity += 2 + len(text)
        self.out = bytearray(max(longest, identity, 16))
        whole = memoryview(self.out)
        self._views = [whole[:size] for size in range(len(self.out) + 1)]
        self._chunk = bytearray(_CHUNK)
        self._heard_at = now_us
        self._quiet = True
        self._sent = 0  # length of our latest answer, while its echo may still come
        self._echo = -1  # whether the transceiver hears itself: -1 not known yet, 0 no, 1 yes

    def wait_ms(self, now_us: int, most: int) -> int:
        """How long the loop may sleep before the next step."""
        if self.answer:
            return max(0, min(most, (ticks_diff(self._heard_at, now_us) + self._pause_us) // 1000))
        return min(most, 1) if self.sending else most

    def step(self, now_us: int) -> None:
        if self.sending:
            self._release(now_us)
        got = self.uart.readinto(self._chunk)
        if got:
            while got:
                self.framer.put(self._chunk, got)
                self.answer = 0  # somebody talks: our answer would come too late
                self._read()
                got = self.uart.readinto(self._chunk)
            self._heard_at = now_us
            self._quiet = False
        elif self.answer:
            if ticks_diff(now_us, self._heard_at) >= self._pause_us:
                self._send(now_us)
        elif not self._quiet and ticks_diff(now_us, self._heard_at) >= self._silence_us:
            self._silence()

    def _read(self) -> None:
        kind = self.framer.next()
        while kind:
            self._count()
            if kind == REQUEST:
                self._request()
            else:
                self._reply()
            kind = self.framer.next()

    def _silence(self) -> None:
        self._quiet = True
        if self.framer.give_up() == REQUEST:
            self._count()
            self._request()
        elif self._sent:
            self._echo = 0
            self._sent = 0
            self.framer.due_unit = -1

    def _count(self) -> None:
        self.frames = (self.frames + 1) & COUNTER

    def _request(self) -> None:
        if self._sent and self._echo < 0:
            self._echo = 0
        self._sent = 0
        unit = self.framer.buffer[self.framer.frame]
        if unit == 0:
            function = self.framer.buffer[self.framer.frame + 1]
            if function == 5 or function == 6 or function == 15 or function == 16:
                self._serve(function)
        elif unit == self.unit and self.framer.last():
            # A request that is followed by more is an old one: its master has given up.
            function = self.framer.buffer[self.framer.frame + 1]
            size = self._serve(function)
            crc = crc16(self.out, 0, size)
            self.out[size] = crc & 0xFF
            self.out[size + 1] = crc >> 8
            self.answer = size + 2

    def _reply(self) -> None:
        """A reply of a neighbour, our own echo, or a write to us that has the shape of a reply."""
        if self.framer.buffer[self.framer.frame] != self.unit:
            return
        function = self.framer.buffer[self.framer.frame + 1]
        single_write = function == 5 or function == 6  # request and reply look the same
        if self._sent and self._is_ours():
            if not single_write:
                self._echo = 1
            self._sent = 0
        elif single_write:
            self.framer.expect_reply()
            self._request()
        else:
            self.foreign += 1
            self._sent = 0

    def _is_ours(self) -> bool:
        if self.framer.length != self._sent:
            return False
        for index in range(self._sent):
            if self.framer.buffer[self.framer.frame + index] != self.out[index]:
                return False
        return True

    def _send(self, now_us: int) -> None:
        self.direction.value(1)
        self.uart.write(self._views[self.answer])
        self._sent = self.answer
        self.answer = 0
        self.sending = True
        self._quiet = False
        # Silence counts from the last bit of ours.
        self._heard_at = ticks_add(now_us, self._sent * self._char_us)
        if self._echo == 0:
            self.framer.due_unit = -1  # what looks like our answer to 05 or 06 is the master asking again

    def _release(self, now_us: int) -> None:
        if self.uart.txdone():
            self.direction.value(0)
            self.sending = False

    # --- The functions. Each builds its answer in `out` and gives its length without CRC. ---

    def _serve(self, function: int) -> int:
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
        if function == 0x2B and body and self._byte(2) == 0x0E:
            return self._identify(body)
        return self._refuse(ILLEGAL_FUNCTION)

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
            return self._refuse(ILLEGAL_VALUE)
        address = self._word(2)
        count = self._word(4)
        if not self.bank.exists(kind, address, count):
            return self._refuse(ILLEGAL_ADDRESS)
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
            return self._refuse(ILLEGAL_VALUE)
        address = self._word(2)
        count = self._word(4)
        if not self.bank.exists(kind, address, count):
            return self._refuse(ILLEGAL_ADDRESS)
        cells = self.bank.cells[kind]
        self.out[2] = 2 * count
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
            return self._refuse(ILLEGAL_VALUE)
        address = self._word(2)
        if not self.bank.writable(COIL, address, 1):
            return self._refuse(ILLEGAL_ADDRESS)
        self.bank.cells[COIL][address] = 1 if value else 0
        self._written(COIL, address, 1)
        return self._echoed()

    def _write_word(self, body: int) -> int:
        if body != 4:
            return self._refuse(ILLEGAL_VALUE)
        address = self._word(2)
        if not self.bank.writable(HOLDING, address, 1):
            return self._refuse(ILLEGAL_ADDRESS)
        if not self.bank.allows(address, self._word(4)):
            return self._refuse(ILLEGAL_VALUE)
        self.bank.cells[HOLDING][address] = self._word(4)
        self._written(HOLDING, address, 1)
        return self._echoed()

    def _write_bits(self, body: int) -> int:
        count = self._word(4)
        if body < 6 or not 1 <= count <= 1968 or self._byte(6) != (count + 7) // 8 or body != 5 + self._byte(6):
            return self._refuse(ILLEGAL_VALUE)
        address = self._word(2)
        if not self.bank.writable(COIL, address, count):
            return self._refuse(ILLEGAL_ADDRESS)
        cells = self.bank.cells[COIL]
        for index in range(count):
            cells[address + index] = self._byte(7 + index // 8) >> (index & 7) & 1
        self._written(COIL, address, count)
        return self._echoed()

    def _write_words(self, body: int) -> int:
        count = self._word(4)
        if body < 7 or not 1 <= count <= 123 or self._byte(6) != 2 * count or body != 5 + self._byte(6):
            return self._refuse(ILLEGAL_VALUE)
        address = self._word(2)
        if not self.bank.writable(HOLDING, address, count):
            return self._refuse(ILLEGAL_ADDRESS)
        for index in range(count):
            if not self.bank.allows(address + index, self._word(7 + 2 * index)):
                return self._refuse(ILLEGAL_VALUE)
        cells = self.bank.cells[HOLDING]
        for index in range(count):
            cells[address + index] = self._word(7 + 2 * index)
        self._written(HOLDING, address, count)
        return self._echoed()

    def _identify(self, body: int) -> int:
        """Device identification. Codes 1 basic, 2 regular, 3 extended (each with what is below it), 4 one object."""
        if body != 3:
            return self._refuse(ILLEGAL_VALUE)
        code = self._byte(3)
        wanted = self._byte(4)
        if not 1 <= code <= 4:
            return self._refuse(ILLEGAL_VALUE)
        last = 0x02 if code == 1 else 0x7F if code == 2 else 0xFF
        if wanted > last or (code == 4 and wanted not in self._objects):
            if code == 4:
                return self._refuse(ILLEGAL_ADDRESS)
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
