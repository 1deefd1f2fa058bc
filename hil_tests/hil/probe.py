"""The suite's own master on any port, which remembers every byte that passed: the bus trace of a failure.

What a frame means is `rig.master`'s business; here are the port (a path, socket://, rfc2217://) and the memory.
"""

import time
from collections import deque
from dataclasses import dataclass
from types import TracebackType

import serial

from gateway.bus.port import open_serial
from gateway.bus.trouble import PortTrouble
from gateway.bus.wire import Wire
from hil_tests.rig.master import Master

_KEPT = 200


@dataclass(frozen=True, slots=True)
class Passed:
    """Bytes on the line: monotonic seconds, whether they were ours."""

    at: float
    ours: bool
    data: bytes

    def line(self, since: float) -> str:
        """Such as "+0.0123 -> 01 04 00 00"."""
        return f"{self.at - since:+9.4f} s {'->' if self.ours else '<-'} {self.data.hex(' ')}"


class Probe(Master):
    """The end of `bus` at `port`. Opened by the first use, given back by `release`, so that a gateway may have it.

    `sent_at` is when the latest frame began to leave; `first_at` when the first byte after it came, 0 when none did.
    """

    quiet_s = 0.15  # adapters and serial servers hand answers over in pieces

    def __init__(self, port: str, wire: Wire, patience_s: float = 1.5) -> None:
        self.port, self.wire = port, wire
        self.passed: deque[Passed] = deque(maxlen=_KEPT)
        self.sent_at = self.first_at = 0.0
        self._line: serial.Serial | None = None
        self._patience = patience_s

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give the port back; the next use opens it again."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def put(self, data: bytes) -> None:
        """These very bytes, whatever they are."""
        self._read()
        self._write(data)

    def listen(self, seconds: float) -> bytes:
        """All that comes within `seconds`."""
        end, heard = time.monotonic() + seconds, b""
        while time.monotonic() < end:
            more = self._read()
            heard += more
            if not more:
                time.sleep(0.001)
        return heard

    def trace(self, since: float) -> list[str]:
        """What passed since then (monotonic), as lines."""
        kept = [one for one in self.passed if one.at >= since]
        return [one.line(kept[0].at) for one in kept]

    def _write(self, data: bytes) -> None:
        self.sent_at, self.first_at = time.monotonic(), 0.0
        self.passed.append(Passed(self.sent_at, True, data))
        try:
            self._opened().write(data)
        except (OSError, serial.SerialException) as error:
            raise self._gone(error) from error

    def _read(self) -> bytes:
        try:
            data = bytes(self._opened().read(4096))
        except (OSError, serial.SerialException) as error:
            raise self._gone(error) from error
        if data:
            now = time.monotonic()
            self.first_at = self.first_at or now
            last = self.passed[-1] if self.passed else None
            if last is not None and not last.ours and now - last.at < self.wire.silence + 0.05:
                self.passed[-1] = Passed(last.at, False, last.data + data)
            else:
                self.passed.append(Passed(now, False, data))
        return data

    def _opened(self) -> serial.Serial:
        if self._line is None:
            self._line = open_serial(self.port, self.wire)
            self._line.timeout = 0
        return self._line

    def _gone(self, error: Exception) -> PortTrouble:
        return PortTrouble(f"The port {self.port} is gone ({error}); plug it in again, or look at the serial server.")
