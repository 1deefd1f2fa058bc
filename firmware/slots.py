"""Two slots of one small record: a cut of power while one is written leaves the other whole.

A slot is a file: one line of JSON that carries "seq", a newline, and the CRC-32 of that line (without the
newline) as 8 hexadecimal digits. The newest slot with a right CRC is the record. Saving writes the other slot;
it never touches the one that holds. What a record means is not its business.
"""

import binascii
import json


def encode(record: dict) -> bytes:
    """The bytes of a slot; `record` already carries its "seq"."""
    line = json.dumps(record).encode()
    return line + b"\n%08x" % (binascii.crc32(line) & 0xFFFFFFFF)


def decode(data: bytes):
    """The record in `data`, or None where the slot is torn, damaged or no object with a "seq"."""
    end = data.find(b"\n")
    if end < 0:
        return None
    line = data[:end]
    try:
        if int(data[end + 1 : end + 9], 16) != binascii.crc32(line) & 0xFFFFFFFF:
            return None
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict) or not isinstance(record.get("seq"), int):
        return None
    return record


class Slots:
    """The files NAME.a and NAME.b. `damaged` tells after `load` that a slot was there and could not be read."""

    def __init__(self, name: str) -> None:
        self._paths = (name + ".a", name + ".b")
        self.seq = 0
        self.holds = 1  # the slot with the newest record; the other is written next
        self.damaged = False

    def load(self):
        """The newest valid record, or None."""
        best = None
        for index in (0, 1):
            data = self._read(index)
            if data is None:
                continue
            record = decode(data)
            if record is None:
                self.damaged = True
            elif best is None or record["seq"] > self.seq:
                best = record
                self.seq = record["seq"]
                self.holds = index
        return best

    def _read(self, index: int):
        try:
            with open(self._paths[index], "rb") as slot:
                return slot.read()
        except OSError:
            return None  # never written

    def save(self, record: dict) -> None:
        """Writes `record` with the next "seq" to the slot that does not hold. Raises OSError when flash refuses."""
        record["seq"] = self.seq + 1
        other = 1 - self.holds
        with open(self._paths[other], "wb") as slot:
            slot.write(encode(record))
        # Only now: when the write failed, the next try writes the same slot again.
        self.seq += 1
        self.holds = other
