"""One line of JSON a second on USB: every readable value of the profile under its name, in its unit.

    {"v":1,"seq":7,"profile":"gewu-breaker","serial":"GW-000001","role":"breaker","address":1,"version":"0.1.0",
     "heap":93120,"values":{...},"marks":{"residual":"unfitted"},"crc":"0a1b2c3d"}

(in one line). `heap`: bytes in use, as counted when the line before was made. `marks`: "unfitted", "fault" (fitted,
and no plausible value) or "stale" (older than 2 s). `crc` is the CRC-32 of the bytes before `,"crc"`. `trouble`, before
`values`, is there when something is wrong. A line is made a few values at a time, and each leaves before the next are
made, only while the host takes them: it never holds up protection. A host that does not read costs whole lines, never
parts of one; the line that it stopped in for more than 2 s ends with the crc "cut", for its values are of different
times.
"""

from binascii import crc32
from time import ticks_diff

from micropython import const
from reading import FAULT, MARKED, SIGNED_FAULT, SIGNED_UNFITTED, UNFITTED
from registers import COIL, DISCRETE, INPUT
from version import VERSION

_SCHEMA = const(1)
_EVERY_MS = const(1000)
_FIELDS = const(4)  # values a step
_PIECE = const(64)  # bytes a write
_PIECES = const(2)  # writes a step
_PART = const(640)  # bytes of a part of the line: its head, or four registers of bits
_STALE_MS = const(2000)

_MEASURED = (b"current", b"voltage", b"power", b"frequency")

# How a field is written, as table.py has it; a tuple instead are the names of its bits.
_UNSIGNED = const(0)
_SIGNED = const(1)
_TEXT = const(2)
_DECIMALS = ("%s%d", "%s%d.%01d", "%s%d.%02d", "%s%d.%03d")


def decimal(raw: int, places: int) -> str:
    """raw / 10**places, exactly."""
    sign = "-" if raw < 0 else ""
    raw = abs(raw)
    if places == 0:
        return _DECIMALS[0] % (sign, raw)
    return _DECIMALS[places] % (sign, raw // 10**places, raw % 10**places)


def _render(bank, field) -> str:
    """One field of the table as JSON members."""
    name, kind, address, words, form, places = field
    cells = bank.cells[kind]
    title = name.decode()
    if kind == COIL or kind == DISCRETE:
        return '"%s":%s' % (title, "true" if cells[address] else "false")
    raw = 0
    for index in range(words if form != _TEXT else 0):
        raw = raw << 16 | cells[address + index]
    if form == _TEXT:
        text = bytes([cells[address + index // 2] >> (0 if index & 1 else 8) & 0xFF for index in range(2 * words)])
        return '"%s":"%s"' % (title, text.rstrip(b"\0").decode())
    if isinstance(form, tuple):
        members = ['"%s":%s' % (bit.decode(), "true" if raw >> number & 1 else "false") for number, bit in form]
        return ",".join(members)
    if form == _SIGNED and raw >> (16 * words - 1):
        raw -= 1 << 16 * words
    return '"%s":%s' % (title, decimal(raw, places))


class Report:
    """`out` takes bytes, `writable()` says whether it would without waiting, `collect()` cleans the heap and
    tells the bytes in use."""

    def __init__(self, out, writable, collect, bank, settings, now: int) -> None:
        self.out = out
        self.writable = writable
        self.collect = collect
        self.bank = bank
        self.trouble = self._standing = settings.trouble
        self._who = '"profile":"%s","serial":"%s","role":"%s","address":%d,"version":"%s"' % (
            bank.name.decode(),
            settings.serial.decode(),
            settings.role if settings.configured else "none",
            settings.address,
            VERSION.decode(),
        )
        self.seq = 0
        self._part = bytearray(_PART)
        self._crc = 0
        self._marks = ""
        self._heap = collect()
        self._age = bank.at(b"measure_age")
        self._view = memoryview(self._part)
        self._size = 0
        self._sent = 0
        self._field = -1  # next to be written; -1: no line is being made
        self._began = now

    def step(self, now: int) -> None:
        if self._size:
            self._send()
            return
        if self._field >= 0:
            self._fields(ticks_diff(now, self._began))
        elif ticks_diff(now, self._began) >= _EVERY_MS:
            self._began = now
            self._head()
        self._send()

    def _put(self, text: str) -> None:
        data = text.encode()
        # Into the view: a part that outgrew its room must raise, not move the room away.
        self._view[self._size : self._size + len(data)] = data
        self._size += len(data)

    def _mark(self, field) -> None:
        name, kind, address, _words, form, _places = field
        mark = ""
        if name in MARKED:
            raw = self.bank.cells[kind][address]
            if raw == (SIGNED_UNFITTED if form == _SIGNED else UNFITTED):
                mark = "unfitted"
            elif raw == (SIGNED_FAULT if form == _SIGNED else FAULT):
                mark = "fault"
        elif name in _MEASURED and self.bank.cells[INPUT][self._age] > _STALE_MS:
            mark = "stale"
        if mark:
            self._marks += '%s"%s":"%s"' % ("," if self._marks else "", name.decode(), mark)

    def _head(self) -> None:
        self.seq += 1
        self._field = self._crc = 0
        self._marks = ""
        self._put('{"v":%d,"seq":%d,%s' % (_SCHEMA, self.seq, self._who))
        if self.trouble:
            self._put(',"trouble":"%s"' % self.trouble.replace("\\", "/").replace('"', "'")[:80])
        self._put(',"heap":%d,"values":{' % self._heap)
        self._crc = crc32(self._view[: self._size], 0)

    def _fields(self, age: int) -> None:
        """The next values; after the last the marks and the checksum."""
        fields = self.bank.fields
        for _ in range(_FIELDS):
            if self._field < len(fields):
                field = fields[self._field]
                self._put(("," if self._field else "") + _render(self.bank, field))
                self._mark(field)
                self._field += 1
            else:
                self._put('},"marks":{%s}' % self._marks)
                self._crc = crc32(self._view[: self._size], self._crc)
                crc = "%08x" % (self._crc & 0xFFFFFFFF) if age < _EVERY_MS + _STALE_MS else "cut"
                self._put(',"crc":"%s"}\n' % crc)
                self._field = -1
                self._heap = self.collect()
                return
        self._crc = crc32(self._view[: self._size], self._crc)

    def _send(self) -> None:
        for _ in range(_PIECES):
            if not self._size or not self.writable():
                return
            end = min(self._sent + _PIECE, self._size)
            self.out.write(self._view[self._sent : end])
            self._sent = end
            if end == self._size:
                self._size = self._sent = 0
                if self._field < 0:
                    self.trouble = self._standing
