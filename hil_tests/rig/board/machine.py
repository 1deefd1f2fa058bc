"""The `machine` module of a virtual board, in the place of the ESP32's own. Runs in MicroPython.

UARTs are terminals of the rig, the rest are lines on a control terminal: "P 18 1" is a pin that the board drives,
"I 34 1" a level and "A 39 1650000" microvolts at a pin, "C 68 2400" a write to an I2C address, "X 68 6601AB..." what
the device there would give to a reader, "O 4 5001..." the scratchpad of a DS18B20. The watchdog is kept by the rig.
It offers what the firmware uses of the ESP32 and nothing that the ESP32 refuses.
"""

import binascii
import errno
import io
import os
import select
import sys
import time

__file__ = "built in"  # no file of the board's image, whatever it was loaded from

# As the ESP32 port numbers them.
PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

_IN_USE = (6, 7, 8, 9, 10, 11)  # the flash chip hangs on these
_ABSENT = (20, 24, 28, 29, 30, 31)
_POLL = 3  # stream requests of MicroPython
_FILENO = 10

# Opened now: later the flash of the board is all that there is of the file system.
_control = open(os.getenv("GEWU_RIG_CONTROL"), "r+b")
_lines = {1: open(os.getenv("GEWU_RIG_UART1"), "r+b"), 2: open(os.getenv("GEWU_RIG_UART2"), "r+b")}
_levels = {}
_handlers = {}
_microvolts = {}
_answers = {}  # of I2C devices, by address
_scratchpads = {}  # of 1-Wire sensors, by pin
_rest = b""
_readable = select.poll()
_readable.register(_control, select.POLLIN)


def _tell(line):
    _control.write(line)


def _listen():
    # Levels that the rig has pushed; edges call their handlers here, between two bytecodes, as soft
    # interrupts do on the board.
    global _rest
    if not _readable.poll(0):
        return
    lines = (_rest + (_control.read(256) or b"")).split(b"\n")
    _rest = lines.pop()
    for line in lines:
        kind = line[:1]
        number, level = line[2:].split()
        number = int(number)
        if kind == b"A":
            _microvolts[number] = int(level)
            continue
        if kind != b"I":
            (_answers if kind == b"X" else _scratchpads)[number] = binascii.unhexlify(level[1:])
            continue
        level = int(level)
        before = _levels.get(number, level)
        _levels[number] = level
        if number in _handlers and before != level:
            handler, trigger, pin = _handlers[number]
            if trigger & (Pin.IRQ_RISING if level else Pin.IRQ_FALLING):
                handler(pin)


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, id, mode=-1, pull=-1, *, value=None):
        if not 0 <= id <= 39 or id in _ABSENT or id in _IN_USE:
            raise ValueError("invalid pin")
        self._id = id
        self._mode = -1
        if mode != -1 or pull != -1 or value is not None:
            self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None):
        if mode in (Pin.OUT, Pin.OPEN_DRAIN) and self._id >= 34:
            raise ValueError("pin can only be input")
        if mode != -1:
            self._mode = mode
        if pull == Pin.PULL_UP:
            _levels.setdefault(self._id, 1)
        if value is not None:
            self.value(value)

    def value(self, x=None):
        if x is None:
            _listen()
            return _levels.get(self._id, 0)
        self._drive(x)
        return None

    def _drive(self, x):
        x = 1 if x else 0
        if _levels.get(self._id) != x:
            _levels[self._id] = x
            _tell(b"P %d %d\n" % (self._id, x))

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def toggle(self):
        self.value(1 - _levels.get(self._id, 0))

    def irq(self, handler=None, trigger=IRQ_FALLING | IRQ_RISING):
        _handlers[self._id] = (handler, trigger, self)
        if handler is None:
            del _handlers[self._id]


class ADC:
    ATTN_0DB = 0
    ATTN_2_5DB = 1
    ATTN_6DB = 2
    ATTN_11DB = 3

    def __init__(self, id, *, sample_ns=0, atten=ATTN_0DB):
        number = id._id if isinstance(id, Pin) else id
        if not 32 <= number <= 39:
            raise ValueError("invalid pin")  # ADC1; the others share their converter with Wi-Fi
        self._id = number
        self._atten = atten

    def read_uv(self):
        # With 11 dB the converter shows 142 mV where there is less, and ends near 3.15 V.
        _listen()
        top = (950_000, 1_250_000, 1_750_000, 3_150_000)[self._atten]
        low = (75_000, 85_000, 95_000, 142_000)[self._atten]
        return max(low, min(_microvolts.get(self._id, 0), top))

    def read_u16(self):
        return min(self.read_uv() * 65535 // 3_150_000, 65535)


class I2C:
    def __init__(self, id, *, scl=None, sda=None, freq=400_000, timeout=50_000):
        if id not in (0, 1):
            raise ValueError("I2C(%d) does not exist" % id)

    def scan(self):
        _listen()
        return sorted(_answers)

    def writeto(self, addr, buf, stop=True):
        _listen()
        if addr not in _answers:
            raise OSError(errno.ENODEV)
        _answers[addr] = b""  # busy: it does not acknowledge a reader
        _tell(b"C %d %s\n" % (addr, binascii.hexlify(buf)))
        return len(buf)

    def readfrom_into(self, addr, buf, stop=True):
        _listen()
        data = _answers.get(addr, b"")
        if not data:
            raise OSError(errno.ENODEV)
        for index in range(len(buf)):
            buf[index] = data[index] if index < len(data) else 0xFF

    def readfrom(self, addr, nbytes, stop=True):
        data = bytearray(nbytes)
        self.readfrom_into(addr, data)
        return bytes(data)

    def deinit(self):
        pass


class UART(io.IOBase):
    def __init__(self, id, baudrate=115200, bits=8, parity=None, stop=1, **kwargs):
        if id not in _lines:
            raise ValueError("UART(%d) does not exist" % id)
        self._id = id
        self._file = _lines[id]
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLIN)
        self._sent = time.ticks_us()
        self._timeout = self._timeout_char = 0
        self.init(baudrate, bits, parity, stop, **kwargs)

    def init(self, baudrate=115200, bits=8, parity=None, stop=1, *, tx=None, rx=None, txbuf=256, rxbuf=256,
             timeout=0, timeout_char=0):  # fmt: skip
        if not 0 < rxbuf or not 0 <= txbuf:
            raise ValueError("invalid buffer size")
        self._timeout = timeout
        self._timeout_char = timeout_char
        self._character = (1 + bits + (parity is not None) + stop) * 1000000 / baudrate
        letter = "N" if parity is None else "O" if parity else "E"
        _tell(b"U %d %d %d %s %d\n" % (self._id, baudrate, bits, letter, stop))

    def any(self):
        # The documentation allows 1 for "at least one".
        return 1 if self._poll.poll(0) else 0

    def readinto(self, buf, nbytes=None):
        view = memoryview(buf) if nbytes is None else memoryview(buf)[:nbytes]
        count = 0
        wait = self._timeout
        while count < len(view) and self._poll.poll(wait):
            count += self._file.readinto(view[count:]) or 0
            wait = self._timeout_char
        return count or None

    def read(self, nbytes=-1):
        data = bytearray(256 if nbytes < 0 else nbytes)
        count = self.readinto(data)
        return bytes(memoryview(data)[:count]) if count else None

    def write(self, buf):
        now = time.ticks_us()
        if time.ticks_diff(self._sent, now) < 0:
            self._sent = now
        self._sent = time.ticks_add(self._sent, int(len(buf) * self._character))
        return self._file.write(buf)

    def txdone(self):
        return time.ticks_diff(self._sent, time.ticks_us()) <= 0

    def flush(self):
        left = time.ticks_diff(self._sent, time.ticks_us())
        if left > 0:
            time.sleep_us(left)

    def ioctl(self, request, argument):
        if request == _FILENO:
            return self._file.fileno()
        if request == _POLL:
            ready = select.POLLOUT | (select.POLLIN if self._poll.poll(0) else 0)
            return ready & argument
        return 0

    def deinit(self):
        pass


class WDT:
    def __init__(self, id=0, timeout=5000):
        if id != 0 or timeout <= 0:
            raise ValueError
        # One message for several feedings, but often enough that a starved board is seen in time.
        self._every = timeout // 8
        self._told = time.ticks_ms()
        _tell(b"W %d\n" % timeout)

    def feed(self):
        now = time.ticks_ms()
        if time.ticks_diff(now, self._told) >= self._every:
            self._told = now
            _tell(b"F\n")


def unique_id():
    text = os.getenv("GEWU_RIG_UNIQUE_ID")
    return bytes(int(text[i : i + 2], 16) for i in range(0, 12, 2))


def reset_cause():
    return int(os.getenv("GEWU_RIG_RESET_CAUSE"))


def freq(hz=None):
    return 160000000 if hz is None else None


def idle():
    time.sleep_ms(1)


def reset():
    _tell(b"R\n")
    while True:  # until the rig has cut the power
        time.sleep_ms(1000)


def soft_reset():
    sys.exit()
