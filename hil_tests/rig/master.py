"""A bare Modbus master on a terminal: any frame out, the answer back. For tests and measurements of boards.

It knows how long an answer is by its CRC and by silence, and asks again where a board is busy. It judges no values.
"""

import os
import time
import tty
from pathlib import Path
from types import TracebackType

from gateway.bus.wire import crc, intact
from gateway.errors import GewuError

BUSY = 6
_QUIET_S = 0.03  # a board's answer has no longer gap, however busy the machine
_STEP_S = 0.0005


class Master:
    """The end of the pair at `path`. `with Master(path) as master:`"""

    quiet_s = _QUIET_S

    def __init__(self, path: str | Path, patience_s: float = 1.0) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._file)
        self._patience = patience_s

    def __enter__(self) -> "Master":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def send(self, body: bytes) -> None:
        """A frame without waiting for an answer: a broadcast."""
        self._read()
        self._write(body + crc(body))

    def ask(self, body: bytes) -> bytes:
        """The answer to `body` without its CRC; empty when none came or what came was broken."""
        self.send(body)
        answer = self.hear(body)
        return answer[:-2] if len(answer) >= 5 and intact(answer) else b""

    def hear(self, body: bytes) -> bytes:
        """What comes now, with its CRC: until it is a whole answer to `body`, or it is quiet again."""
        deadline = time.monotonic() + self._patience
        answer, heard_at = b"", deadline
        while time.monotonic() < min(deadline, heard_at + self.quiet_s):
            more = self._read()
            if more:
                answer, heard_at = answer + more, time.monotonic()
                deadline = max(deadline, heard_at + self.quiet_s)
                if len(answer) >= 5 and intact(answer) and self._whole(body, answer):
                    break
            else:
                time.sleep(_STEP_S)
        return answer

    def demand(self, body: bytes, seconds: float = 10.0) -> bytes:
        """The answer to `body`, asked again while the board is silent or busy; GewuError after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.ask(body)
            if answer and not (answer[1] & 0x80 and answer[2] == BUSY):
                return answer
            if time.monotonic() > deadline:
                raise GewuError(f"Unit {body[0]} gave no answer to {body[:8].hex()} within {seconds} s.")

    def registers(self, unit: int, address: int, count: int, function: int = 4) -> list[int]:
        """Words of `count` registers."""
        asked = bytes((unit, function)) + address.to_bytes(2, "big") + count.to_bytes(2, "big")
        answer = self.demand(asked)
        if answer[1] & 0x80:
            raise GewuError(f"Unit {unit} refused registers {address} to {address + count - 1}: exception {answer[2]}.")
        return [int.from_bytes(answer[at : at + 2], "big") for at in range(3, 3 + 2 * count, 2)]

    def write(self, unit: int, address: int, data: bytes) -> bytes:
        """Function 10h with the bytes of whole registers; the answer."""
        head = bytes((unit, 16)) + address.to_bytes(2, "big") + (len(data) // 2).to_bytes(2, "big")
        body = head + bytes((len(data),)) + data
        if unit == 0:
            self.send(body)
            return b""
        return self.demand(body)

    def records(self, unit: int, file: int, record: int, count: int) -> bytes:
        """Function 14h: `count` records as bytes."""
        place = file.to_bytes(2, "big") + record.to_bytes(2, "big") + count.to_bytes(2, "big")
        return self.demand(bytes((unit, 20, 7, 6)) + place)[5:]

    @staticmethod
    def _whole(body: bytes, answer: bytes) -> bool:
        """Whether an answer is as long as it says, so that a CRC that fits by chance in the middle ends nothing."""
        if answer[1] & 0x80:
            return len(answer) == 5
        if answer[1] in (1, 2, 3, 4, 20, 21, 23):
            return len(answer) == 5 + answer[2]
        return answer[1] not in (5, 6, 15, 16) or len(answer) == 8

    def _write(self, data: bytes) -> None:
        os.write(self._file, data)

    def _read(self) -> bytes:
        try:
            return os.read(self._file, 4096)
        except BlockingIOError:
            return b""
