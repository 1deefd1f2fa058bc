"""Modbus TCP behind the same face as a serial port: RTU frames go in and come out, MBAP headers travel.

It owns one connection. Every request has a transaction id of its own, so a late answer is never taken for this
one. It never interprets registers and never connects again: the owner opens a new one.

Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b, 3.1.3 (MBAP header: transaction, protocol 0, length,
unit) and 4.2.2 (no checksum: the transport has one).
"""

import socket
import struct
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from gateway.bus.trouble import PortTrouble
from gateway.bus.wire import Wire, crc

SCHEME = "tcp://"
_CONNECT_S = 3.0
_HEADER = struct.Struct(">HHHB")
# The length field counts the unit id and a PDU of at most 253 bytes.
_LONGEST = 254
_CHUNK = 4096


class TcpPort:
    """A connection with frames in mind. `patience` is how long an answer may take, in seconds."""

    def __init__(self, path: str, wire: Wire, patience: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.port = path
        self.timeout = patience
        self.frame = b""
        self.sent, self.sent_at = b"", 0.0
        self._now = monotonic
        self._transaction = 0
        self._answer = b""
        self._heard = bytearray()
        self._deadline = 0.0
        where = urlsplit(path)
        try:
            self._socket = socket.create_connection((where.hostname or "", where.port or 0), _CONNECT_S)
        except OSError as error:
            raise PortTrouble(
                f"The device {path} cannot be reached ({error}); check its power, its network, host and port."
            ) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        self._socket.close()

    def ask(self, request: bytes, length: int) -> bytes:
        """Send `request` and return its answer, of which at most `length` bytes."""
        self._send(request)
        self._answer = self._receive()
        return self._more(length)

    def tell(self, request: bytes, turnaround: float) -> None:
        """Send `request`, to which nobody answers."""
        self._send(request)

    def read_on(self, count: int) -> bytes:
        """`count` more bytes of the answer that is being read."""
        return self._more(count)

    def listen(self, seconds: float) -> bytes:
        """Nothing: whoever is not asked cannot be heard."""
        return b""

    def quieten(self, rest: float = 0.0) -> None:
        """Nothing to do: answers to earlier requests are known by their transaction."""

    def _send(self, frame: bytes) -> None:
        """Send an RTU frame: its checksum stays here."""
        self.frame = self._answer = b""
        self.sent, self.sent_at = frame, self._now()
        self._transaction = (self._transaction + 1) % 65536
        header = _HEADER.pack(self._transaction, 0, len(frame) - 2, frame[0])
        self._socket.settimeout(_CONNECT_S)
        self._socket.sendall(header + frame[1:-2])
        self._deadline = self._now() + self.timeout

    def _more(self, count: int) -> bytes:
        start = len(self.frame)
        more = self._answer[start : start + count]
        self.frame += more
        return more

    def _receive(self) -> bytes:
        """The answer, with the checksum that it would have on a serial line; empty when none came in time."""
        while True:
            message = self._message()
            if message is None:
                return b""
            transaction, body = message
            if transaction == self._transaction:
                return body + crc(body)

    def _message(self) -> tuple[int, bytes] | None:
        """The next whole message: its transaction, and unit with PDU. None when time is up."""
        while True:
            if len(self._heard) >= _HEADER.size:
                transaction, protocol, length, _ = _HEADER.unpack_from(self._heard)
                if protocol != 0 or not 2 <= length <= _LONGEST:
                    raise ConnectionError("it does not speak Modbus TCP")
                if len(self._heard) >= 6 + length:
                    body = bytes(self._heard[6 : 6 + length])
                    del self._heard[: 6 + length]
                    return transaction, body
            left = self._deadline - self._now()
            if left <= 0:
                return None
            self._socket.settimeout(left)
            try:
                chunk = self._socket.recv(_CHUNK)
            except TimeoutError:
                return None
            if not chunk:
                raise ConnectionError("it closed the connection")
            self._heard += chunk
