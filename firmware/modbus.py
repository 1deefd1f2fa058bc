"""The Modbus RTU slave on its line: when it listens, when it answers, when it keeps silent.

It waits t3.5 before it answers, is silent on broadcasts and takes its own echo for what it is. It allocates
nothing. `framer` finds the frames, `functions` knows what is answered to which request.
"""

from time import ticks_add, ticks_diff

from crc16 import crc16
from framer import COUNTER, REQUEST, Framer
from functions import LONGEST, Functions
from micropython import const

# Half a frame that does not go on for so long never will. Longer than any gap that a busy host leaves inside a
# frame, shorter than a master waits for its answer.
_SILENCE_US = const(40_000)
_CHUNK = const(128)
_CALL = const(0x41)  # "who is there?", of a function number that the standard leaves to its users
_CALLED = const(256)  # beside the identification's objects: what is said when all are called
_PIECE = const(32)  # an answer leaves in pieces of this size, so that no view of it is ever made anew


class Slave(Functions):
    """One unit on one bus; what is handed in for the answers is said in `functions`."""

    def __init__(
        self, uart, direction, bank, unit: int, char_us: int, objects: dict, written, inbox, now_us: int
    ) -> None:
        super().__init__(Framer(unit), bank, inbox, unit, objects, written)
        self.uart = uart
        self._card = objects[_CALLED]
        self._round = -1  # of calling, in which the caller has heard us
        self._direction = direction
        # All of these wrap at COUNTER.
        self.frames = 0  # good ones, whoever they were for
        self.requests = 0  # for this unit or for all
        self.refused = 0  # exceptions that we gave
        self.foreign = 0  # replies from our address that are not ours: another board has it too
        self._sending = False
        self.answer = 0  # bytes of an answer that waits for t3.5
        self._char_us = char_us
        # t3.5 is fixed above 19200 baud (Modbus over serial line 2.5.1.1).
        self._pause_us = max(char_us * 7 // 2, 1750)
        self._silence_us = max(_SILENCE_US, 4 * char_us)
        whole = memoryview(self.out)
        self._pieces = [whole[at : at + _PIECE] for at in range(0, LONGEST, _PIECE)]
        self._tail = bytearray(_PIECE // 2)
        tail = memoryview(self._tail)
        self._tails = (tail, tail[:8], tail[:4], tail[:2], tail[:1])
        self._chunk = bytearray(_CHUNK)
        self.heard_at = now_us
        self._quiet = True
        self._sent = 0  # length of our latest answer, while its echo may still come
        self._echo = -1  # whether the transceiver hears itself: -1 not known yet, 0 no, 1 yes

    def wait_ms(self, now_us: int, most: int) -> int:
        """How long the loop may sleep before the next step."""
        if self.answer:
            return max(0, min(most, (ticks_diff(self.heard_at, now_us) + self._pause_us) // 1000))
        return min(most, 1) if self._sending else most

    def step(self, now_us: int) -> None:
        if self._sending:
            self._release(now_us)
        got = self.uart.readinto(self._chunk)
        if got:
            while got:
                self.framer.put(self._chunk, got)
                self.answer = 0  # somebody talks: our answer would come too late
                self._read()
                got = self.uart.readinto(self._chunk)
            self.heard_at = now_us
            self._quiet = False
        elif self.answer:
            if ticks_diff(now_us, self.heard_at) >= self._pause_us:
                self.send(now_us)
        elif not self._quiet and ticks_diff(now_us, self.heard_at) >= self._silence_us:
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
        size = 0
        if unit == 0:
            self.requests = (self.requests + 1) & COUNTER
            function = self.framer.buffer[self.framer.frame + 1]
            if function == 5 or function == 6 or function == 15 or function == 16 or function == 21:
                self.serve(function)
            elif function == _CALL and self.framer.last():
                size = self._called()
        elif unit == self.unit and self.framer.last():
            # A request that is followed by more is an old one: its master has given up.
            self.requests = (self.requests + 1) & COUNTER
            function = self.framer.buffer[self.framer.frame + 1]
            size = self.serve(function)
            if self.out[1] & 0x80:
                self.refused = (self.refused + 1) & COUNTER
        if size:
            crc = crc16(self.out, 0, size)
            self.out[size] = crc & 0xFF
            self.out[size + 1] = crc >> 8
            self.answer = size + 2

    def _called(self) -> int:
        """All are asked who they are: number of the round, address or 0 for any, how many of the lowest bits of the
        chip's number must be those of the next 6 bytes, and who was heard and keeps silent for the rest of the round.
        """
        card = self._card
        known = True
        bits = self._byte(4)
        ours = not self._byte(3) or self._byte(3) == self.unit
        for index in range(5, -1, -1):
            if self._byte(11 + index) != card[4 + index]:
                known = False
            if (self._byte(5 + index) ^ card[4 + index]) & ((1 << max(0, min(bits, 8))) - 1):
                ours = False
            bits -= 8
        if known:
            self._round = self._byte(2)
        elif self._round != self._byte(2):
            self._round = -1  # or a later round of that number would not hear us
        if not ours or self._round == self._byte(2):
            return 0
        for index in range(len(card)):
            self.out[index] = card[index]
        self.out[2] = self.unit
        return len(card)

    def _reply(self) -> None:
        """A reply of a neighbour, our own echo, or a write to us that has the shape of a reply."""
        if self.framer.buffer[self.framer.frame] != self.unit:
            return
        function = self.framer.buffer[self.framer.frame + 1]
        alike = function == 5 or function == 6 or function == 21  # request and reply look the same
        if self._sent and self._is_ours():
            if not alike:
                self._echo = 1
            self._sent = 0
        elif alike or function == 20:  # 14h: not the same, but of the same length
            self.framer.expect_reply()
            self._request()
        else:
            self.foreign = (self.foreign + 1) & COUNTER
            self._sent = 0

    def _is_ours(self) -> bool:
        if self.framer.length != self._sent:
            return False
        for index in range(self._sent):
            if self.framer.buffer[self.framer.frame + index] != self.out[index]:
                return False
        return True

    def send(self, now_us: int) -> None:
        self._direction.value(1)
        self._write(self.answer)
        self._sent = self.answer
        self.answer = 0
        self._sending = True
        self._quiet = False
        # Silence counts from the last bit of ours.
        self.heard_at = ticks_add(now_us, self._sent * self._char_us)
        if not self.out[0]:
            self._sent = 0  # an answer to all: its echo says nothing
        if self._echo == 0:
            self.framer.due_unit = -1  # what looks like our answer to 05, 06 or 15 is the master asking again

    def _write(self, size: int) -> None:
        whole = size // _PIECE
        for index in range(whole):
            self.uart.write(self._pieces[index])
        at = whole * _PIECE
        for view in self._tails:
            if size - at >= len(view):
                for index in range(len(view)):
                    self._tail[index] = self.out[at + index]
                self.uart.write(view)
                at += len(view)

    def _release(self, now_us: int) -> None:
        if self.uart.txdone():
            self._direction.value(0)
            self._sending = False
