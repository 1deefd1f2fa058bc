"""A slave on a pty that answers each request as a test says: wrongly, late, twice or not at all."""

import os
import select
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.bus.wire import crc

Answer = Callable[[bytes], "bytes | list[tuple[float, bytes]]"]
"""From a request without its CRC to the answer on the wire, or to parts with the seconds before each."""


class ScriptedSlave:
    """`port` is what a master opens; `requests` are those heard so far, without CRC; `answer` may be changed."""

    def __init__(self, answer: Answer) -> None:
        self._master, self._slave = os.openpty()
        for end in (self._master, self._slave):
            tty.setraw(end)
        self.port = os.ttyname(self._slave)
        self.answer = answer
        self.requests: list[bytes] = []
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.write(self._stop_write, b"x")
        self._thread.join(5)
        for end in (self._master, self._slave, self._stop_read, self._stop_write):
            os.close(end)

    def _serve(self) -> None:
        heard = b""
        while True:
            ready, _, _ = select.select([self._master, self._stop_read], [], [], 0.01 if heard else None)
            if self._stop_read in ready:
                return
            if ready:
                heard += os.read(self._master, 4096)
            if not (len(heard) >= 4 and crc(heard[:-2]) == heard[-2:]):
                continue
            request, heard = heard[:-2], b""
            self.requests.append(request)
            parts = self.answer(request)
            for delay, part in [(0.0, parts)] if isinstance(parts, bytes) else parts:
                time.sleep(delay)
                os.write(self._master, part)


@contextmanager
def scripted(answer: Answer) -> Iterator[ScriptedSlave]:
    slave = ScriptedSlave(answer)
    try:
        yield slave
    finally:
        slave.close()


def framed(*octets: int) -> bytes:
    """A frame with its CRC."""
    return bytes(octets) + crc(bytes(octets))


def registers(unit: int, function: int, *words: int) -> bytes:
    """The answer that carries `words`."""
    data = b"".join(word.to_bytes(2, "big") for word in words)
    return framed(unit, function, len(data), *data)
