"""The Unix socket of a running rig: one JSON line in, one out. Both ends, and how a rig is found.

A request is {"do": "inject"|"fault"|"state", ...}; an answer {"ok": ...} or {"error": SENTENCE, "status": N}.
"""

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.errors import ConfigurationError, GewuError
from hil_tests.rig.loop import Loop

_SOCKET = "control.sock"
_ANSWER_S = 10.0


def make_rig_folder() -> Path:
    """A fresh folder for one rig, where `find_rig` looks."""
    root = _root()
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="rig-", dir=root))


def find_rig(folder: Path | None) -> Path:
    """The rig in `folder`, or the only one that runs; ConfigurationError where there is none, or are several."""
    if folder is not None:
        if _alive(folder):
            return folder
        raise ConfigurationError(f"No rig runs in {folder}: start one with `gewu rig up SITE.toml`.")
    running = []
    for candidate in sorted(_root().glob("rig-*")):
        if _alive(candidate):
            running.append(candidate)
        elif (candidate / _SOCKET).exists():
            shutil.rmtree(candidate, ignore_errors=True)  # of a rig that was killed
    if not running:
        raise ConfigurationError("No rig runs: start one with `gewu rig up SITE.toml`.")
    if len(running) > 1:
        names = ", ".join(str(path) for path in running)
        raise ConfigurationError(f"{len(running)} rigs run: say which with --rig DIR, one of {names}.")
    return running[0]


def ask(folder: Path, request: dict[str, Any]) -> Any:
    """The answer of the rig in `folder`; its errors as the rig raised them."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_S)
        try:
            connection.connect(str(folder / _SOCKET))
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(connection.makefile("rb").readline())
        except (OSError, ValueError) as error:
            raise GewuError(f"The rig in {folder} does not answer ({error}): stop it and start it again.") from error
    if "error" in answer:
        raise (ConfigurationError if answer["status"] == 2 else GewuError)(answer["error"])
    return answer["ok"]


class ControlServer:
    """Answers in the loop's thread with `handle`, whose GewuErrors travel back as sentences."""

    def __init__(self, loop: Loop, folder: Path, handle: Callable[[dict[str, Any]], Any]) -> None:
        self._loop, self._handle, self._path = loop, handle, folder / _SOCKET
        self._clients: dict[socket.socket, bytes] = {}
        self._path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        try:
            self._listener.bind(str(self._path))
        except OSError as error:
            self._listener.close()
            raise ConfigurationError(f"Cannot open {self._path}: {error}; choose a shorter folder.") from error
        self._listener.listen()
        self._listener.setblocking(False)
        loop.watch(self._listener.fileno(), self._accept)

    def close(self) -> None:
        """Take the socket away."""
        for client in list(self._clients):
            self._drop(client)
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        client = self._listener.accept()[0]
        client.setblocking(False)
        self._clients[client] = b""
        self._loop.watch(client.fileno(), lambda: self._read(client))

    def _read(self, client: socket.socket) -> None:
        try:
            data = client.recv(65536)
        except OSError:
            data = b""
        self._clients[client] += data
        if b"\n" in self._clients[client]:
            try:
                client.sendall(json.dumps(self._answer(self._clients[client])).encode() + b"\n")
            except OSError:
                pass  # it did not wait for the answer
            data = b""
        if not data:
            self._drop(client)

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError("not an object")
            return {"ok": self._handle(request)}
        except GewuError as error:
            return {"error": str(error), "status": error.exit_status}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return {"error": f"This is no request to a rig: {error}.", "status": 2}

    def _drop(self, client: socket.socket) -> None:
        del self._clients[client]
        self._loop.unwatch(client.fileno())
        client.close()


def _root() -> Path:
    base = os.environ.get("XDG_RUNTIME_DIR")
    return Path(base) / "gewu-rig" if base else Path(tempfile.gettempdir()) / f"gewu-rig-{os.getuid()}"


def _alive(folder: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(folder / _SOCKET))
        except OSError:
            return False
    return True
