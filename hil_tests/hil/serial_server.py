"""A serial server in raw mode: a port of this machine behind a TCP port, one client at a time.

What a village puts between a cabinet and a laptop. It moves bytes and never looks at them.
"""

import contextlib
import os
import select
import socket
import threading
import tty
from collections.abc import Callable

_CHUNK = 4096


class SerialServer:
    """`with SerialServer(path) as server:` serves `path` at `server.url`, one client after the other."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="gewu-serial-server", daemon=True)

    def __enter__(self) -> "SerialServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._wake_write, b"x")
        self._thread.join()
        self._listener.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _serve(self) -> None:
        while True:
            readable = _readable(self._listener.fileno(), self._wake_read)
            if self._wake_read in readable:
                return
            client = self._listener.accept()[0]
            with client, contextlib.suppress(OSError):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                line = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
                try:
                    tty.setraw(line)
                    if self._carry(client, line):
                        return
                finally:
                    os.close(line)

    def _carry(self, client: socket.socket, line: int) -> bool:
        """Until the client leaves; whether the server is to end."""
        while True:
            readable = _readable(client.fileno(), line, self._wake_read)
            if self._wake_read in readable:
                return True
            if client.fileno() in readable and not _moved(client.recv, lambda data: os.write(line, data)):
                return False
            if line in readable:
                _moved(lambda count: os.read(line, count), client.sendall)


def _readable(*files: int) -> list[int]:
    return select.select(files, [], [])[0]


def _moved(take: Callable[[int], bytes], give: Callable[[bytes], object]) -> bool:
    data = take(_CHUNK)
    if data:
        give(data)
    return bool(data)
