"""An update from its first block to its trial: blocks into a log, signature and hashes, files into the idle folder.

It works in small slices, one a turn of the loop, and only while somebody asked for it, so protection never waits
for it. It trusts nothing but the signature: blocks may come from anyone. The running image is never touched.
It is imported when an update begins and not before.
"""

import json
import os
import struct
from array import array
from binascii import hexlify
from hashlib import sha256
from time import ticks_add, ticks_diff

import start
from micropython import const
from slots import Slots

_LOG = "update.log"
_BLOCK = const(240)
_RECORD = const(242)
_HEAD = const(36)  # of the log: size and SHA-256 of the bundle
_MOST_BLOCKS = const(477)
_QUEUE = const(4)
_SLICE = const(480)
_FLUSH_MS = const(500)
_MAGIC = b"GWB1"
_FILES = b'"files":['  # the last key of the manifest, which has no spaces
# The start of an RSASSA-PKCS1-v1_5 message for SHA-256 (RFC 8017, 9.2, note 1).
_PREFIX = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"

# States, as the register update_state shows them.
_OPENING = const(1)
_RECEIVING = const(2)
_CHECKING = const(3)
_READY = const(4)
_FAILED = const(5)
# Why it failed, as update_trouble shows it.
_DAMAGED = const(2)
_FORGED = const(3)
_OLDER = const(4)
_FLASH = const(5)

_ILLEGAL_ADDRESS = const(2)
_BUSY = const(6)


class Unfit(Exception):
    """The bundle may not run; the argument is the reason."""


class Update:
    """`begin` or `from_file`, `take` blocks, `install`; `step` once a turn. `version` is that of what runs.

    `image` is the folder that must stay: the one in use, also when safe mode runs in its place.
    """

    def __init__(self, signer: str, version: bytes, image: str, now: int) -> None:
        self.state = _OPENING
        self.trouble = 0
        self.blocks = 0
        self.left = 0
        self._signer = signer
        self._version = version
        self.folder = "b" if image == "a" else "a"
        self._where = array("H")  # the place of each block in the log, FFFF missing
        self._log = None
        self._queue = bytearray(_QUEUE * _RECORD)
        self._queued = 0
        self._count = 0
        self._dirty_at = now
        self._dirty = False
        self._work = None
        self._file = None
        self._size = 0
        self._digest = b""

    # --- Receiving --------------------------------------------------------------------------------

    def begin(self, size: int, digest: bytes) -> bool:
        """Take a bundle of `size` bytes with this SHA-256; goes on where an earlier try for the same one ended."""
        if not 0 < size <= _MOST_BLOCKS * _BLOCK:
            return False
        self._size, self._digest = size, digest
        self.blocks = self.left = (size + _BLOCK - 1) // _BLOCK
        self._where = array("H", [0xFFFF] * self.blocks)
        self._work = self._open()
        return True

    def _open(self):
        head = struct.pack(">I", self._size) + self._digest
        try:
            with open(_LOG, "rb") as log:
                same = log.read(_HEAD) == head
        except OSError:
            same = False
        if same:
            whole = (os.stat(_LOG)[6] - _HEAD) // _RECORD
            if os.stat(_LOG)[6] != _HEAD + whole * _RECORD:
                same = False  # cut in the middle of a record
            else:
                yield from self._recall(whole)
        if not same:
            with open(_LOG, "wb") as log:
                log.write(head)
        self._log = open(_LOG, "ab")
        self.state = _RECEIVING

    def _recall(self, whole: int):
        index = bytearray(2)
        with open(_LOG, "rb") as log:
            for place in range(whole):
                log.seek(_HEAD + place * _RECORD)
                log.readinto(index)
                self._have(index[0] << 8 | index[1], place)
                if place % 8 == 7:
                    yield
        self._count = whole

    def _have(self, block: int, place: int) -> None:
        if block < self.blocks and self._where[block] == 0xFFFF:
            self._where[block] = place
            self.left -= 1

    def take(self, block: int, data, at: int) -> int:
        """One block from the bus, for the queue; allocates nothing. 0 or an exception code."""
        if self.state != _RECEIVING or block >= self.blocks:
            return _ILLEGAL_ADDRESS
        if self._where[block] != 0xFFFF:
            return 0  # twice is as good as once
        if self._queued == _QUEUE:
            return _BUSY
        to = self._queued * _RECORD
        self._queue[to] = block >> 8
        self._queue[to + 1] = block & 0xFF
        for index in range(_BLOCK):
            self._queue[to + 2 + index] = data[at + index]
        self._queued += 1
        return 0

    def missing(self, record: int, words: int, out, at: int) -> int:
        """The bitmap of missing blocks: bit 15 of record 0 is block 0."""
        if record + words > (_MOST_BLOCKS + 15) // 16:
            return _ILLEGAL_ADDRESS
        for index in range(2 * words):
            bits = 0
            for block in range(16 * record + 8 * index, 16 * record + 8 * index + 8):
                bits = bits << 1 | (block < self.blocks and self._where[block] == 0xFFFF)
            out[at + index] = bits
        return 0

    def _store(self, now: int) -> None:
        if self._queued:
            for number in range(self._queued):
                record = memoryview(self._queue)[number * _RECORD : (number + 1) * _RECORD]
                self._log.write(record)
                self._have(record[0] << 8 | record[1], self._count)
                self._count += 1
            self._queued = 0
            self._dirty = True
            self._dirty_at = now
        elif self._dirty and ticks_diff(now, ticks_add(self._dirty_at, _FLUSH_MS)) >= 0:
            self._log.flush()
            self._dirty = False

    # --- Checking and installing ------------------------------------------------------------------

    def install(self) -> bool:
        """Check the bundle and write its files; False where blocks are missing."""
        if self.state != _RECEIVING or self.left or self._queued:
            return False
        self._log.close()
        self._log = None
        self.state = _CHECKING
        self._work = self._check(_LOG)
        return True

    def from_file(self, name: str) -> None:
        """A whole bundle that somebody copied onto the flash over USB."""
        self._size = os.stat(name)[6]
        self.state = _CHECKING
        self._work = self._check(name)

    def step(self, now: int) -> None:
        """One slice."""
        try:
            if self._work:
                next(self._work)
            elif self.state == _RECEIVING:
                self._store(now)
        except StopIteration:
            self._work = None
        except Unfit as unfit:
            self._fail(unfit.args[0])
        except (OSError, MemoryError):
            self._fail(_FLASH)

    def _fail(self, trouble: int) -> None:
        self.close()
        self.state = _FAILED
        self.trouble = trouble

    def close(self) -> None:
        """Let go of the files; what was received stays for another try."""
        for file in (self._log, self._file):
            if file:
                file.close()
        self._log = self._file = self._work = None

    def _read(self, start_at: int, size: int) -> bytes:
        """Bytes of the bundle, wherever they lie in the log."""
        if self._where:
            data = b""
            while size:
                block, within = divmod(start_at, _BLOCK)
                self._file.seek(_HEAD + self._where[block] * _RECORD + 2 + within)
                piece = self._file.read(min(size, _BLOCK - within))
                if not piece:
                    raise Unfit(_DAMAGED)
                data += piece
                start_at += len(piece)
                size -= len(piece)
            return data
        self._file.seek(start_at)
        return self._file.read(size)

    def _check(self, name: str):
        self._file = open(name, "rb")
        head = self._read(0, 8) if self._size > 8 else b""
        if head[:4] != _MAGIC:
            raise Unfit(_DAMAGED)
        length, signed = struct.unpack(">HH", head[4:])
        if 8 + length + signed > self._size:
            raise Unfit(_DAMAGED)
        found = sha256()
        for offset in range(0, length, _SLICE):
            found.update(self._read(8 + offset, min(_SLICE, length - offset)))
            yield
        yield from self._verify(found.digest(), self._read(8 + length, signed))
        try:
            head = self._read(8, min(_SLICE, length))
            files = head.find(_FILES)
            if files < 0:
                raise Unfit(_DAMAGED)
            if self._too_old(json.loads(head[:files] + _FILES + b"]}")["version"]):
                raise Unfit(_OLDER)
            yield from self._write(8 + files + len(_FILES), 8 + length, 8 + length + signed)
        except (ValueError, KeyError, TypeError):
            raise Unfit(_DAMAGED)  # noqa: B904  MicroPython chains nothing
        self._file.close()
        self._file = None
        slots = Slots(start.NAME)
        record = slots.load() or {}
        record.update({"trial": self.folder, "tried": False, "pending": False})
        slots.save(record)
        os.remove(name)
        self.state = _READY

    def _verify(self, digest: bytes, signature: bytes):
        """RSASSA-PKCS1-v1_5 with e = 65537: sixteen squarings, one a slice, and a multiplication."""
        modulus = int(self._signer, 16) if self._signer else 0
        size = len(self._signer) // 2
        if not modulus or len(signature) != size:
            raise Unfit(_FORGED)
        base = int.from_bytes(signature, "big")
        if base >= modulus:
            raise Unfit(_FORGED)
        power = base
        for _ in range(16):
            power = power * power % modulus
            yield
        power = power * base % modulus
        wanted = b"\0\1" + b"\xff" * (size - 54) + b"\0" + _PREFIX + digest
        if power.to_bytes(size, "big") != wanted:
            raise Unfit(_FORGED)

    def _too_old(self, version: str) -> bool:
        record = Slots(start.NAME).load() or {}
        floor = numbers(record.get("floor") or "0.0.0")
        return numbers(version) < max(floor, numbers(self._version.decode()))

    def _rows(self, begin: int, end: int):
        """Name, size and hash of each file. In pieces: a heap in use has no stretch as long as the whole list."""
        rest = b""
        for offset in range(begin, end, _SLICE):
            rest += self._read(offset, min(_SLICE, end - offset))
            while (close := rest.find(b"]")) > 0:
                yield json.loads(rest[rest.find(b"[") : close + 1])
                rest = rest[close + 1 :]
        if rest != b"]}":
            raise Unfit(_DAMAGED)

    def _write(self, begin: int, end: int, at: int):
        whole = at
        for name, size, _digest in self._rows(begin, end):
            if not _harmless(name):
                raise Unfit(_DAMAGED)
            whole += size
            yield
        if whole != self._size:
            raise Unfit(_DAMAGED)
        if self.folder not in os.listdir():
            os.mkdir(self.folder)
        for old in os.listdir(self.folder):
            os.remove(self.folder + "/" + old)
            yield
        for name, size, digest in self._rows(begin, end):
            found = sha256()
            with open(self.folder + "/" + name, "wb") as file:
                for offset in range(0, size, _SLICE):
                    piece = self._read(at + offset, min(_SLICE, size - offset))
                    found.update(piece)
                    file.write(piece)
                    yield
            if hexlify(found.digest()).decode() != digest:
                raise Unfit(_DAMAGED)
            at += size


def numbers(version: str):
    """1.2.3 as a tuple to compare; ValueError for what is none."""
    parts = tuple(int(part) for part in version.split("."))
    if len(parts) != 3:
        raise ValueError(version)
    return parts


def _harmless(name: str) -> bool:
    """A module's file and nothing else: no path, no main.py, no settings.

    Read as bytes: a letter taken out of a str becomes a name that MicroPython keeps for good (see `assembly`).
    """
    stem = name[:-4].encode()
    return name.endswith(".mpy") and stem != b"start" and all(code in _LETTERS for code in stem)


_LETTERS = b"abcdefghijklmnopqrstuvwxyz0123456789_"
