"""Bytes from one socket to another and back, for as many connections as come. It knows nothing of what they say.

As a process (`python -m hil_tests.faults.relay HOST GATE`) it listens at a free port of HOST, says which, and leads
each connection to the Unix socket GATE: the way out of a network namespace.
"""

import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

_BLOCK = 65536


def serve(listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
    """Until `listener` is shut down."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        try:
            server = connect()
        except OSError:
            client.close()
            continue
        threading.Thread(target=_both, args=(client, server), daemon=True).start()


def _both(client: socket.socket, server: socket.socket) -> None:
    """One connection until it ends."""
    with client, server:
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join()


def _pump(source: socket.socket, to: socket.socket) -> None:
    """One direction; its end ends the other one too."""
    with suppress(OSError):
        while data := source.recv(_BLOCK):
            to.sendall(data)
    for end in (source, to):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def main() -> None:
    """The process in the namespace; it ends when its standard input does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    host, gate = sys.argv[1:]
    listener = socket.create_server((host, 0))
    print(listener.getsockname()[1], flush=True)

    def connect() -> socket.socket:
        out = socket.socket(socket.AF_UNIX)
        out.connect(gate)
        return out

    serve(listener, connect)


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass  # nobody writes there
    os._exit(0)


if __name__ == "__main__":
    main()
