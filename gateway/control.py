"""The door of a running gateway: a Unix socket in its data folder that answers one JSON line with one.

Commands that touch a running gateway's bus or store come in here, so that two programs never drive one
bus or one database. It carries no secrets and listens on no network; the folder's mode is its lock.
"""

import json
import logging
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gateway.errors import GewuError, TryAgain

SOCKET_NAME = "control.sock"
# sun_path holds 108 bytes on Linux; longer paths are reached through the folder's descriptor.
_LONGEST_PATH = 100
_log = logging.getLogger(__name__)

Handler = Callable[[dict[str, Any]], Any]


def _address(data_dir: Path, folder: int) -> str:
    direct = str(data_dir / SOCKET_NAME)
    if len(direct.encode()) <= _LONGEST_PATH:
        return direct
    return f"/proc/self/fd/{folder}/{SOCKET_NAME}"


class _Connection(socketserver.StreamRequestHandler):
    timeout = 5

    def handle(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        try:
            request = json.loads(self.rfile.readline(65536))
            if not isinstance(request, dict):
                raise ValueError("a request is one JSON object on one line")
            handler = server.handlers.get(str(request.get("do")))
            if handler is None:
                raise ValueError(f"this gateway does not know the request {request.get('do')!r}")
            answer = {"ok": True, "result": handler(request)}
        except (GewuError, ValueError) as error:
            answer = {"ok": False, "error": str(error)}
        except OSError:
            return  # the caller went away
        except Exception as error:
            _log.exception("a control request failed")
            answer = {"ok": False, "error": f"the gateway failed on this request: {error}"}
        try:
            self.wfile.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
        except OSError:
            pass  # the caller went away: nobody is left to tell


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: str, handlers: Mapping[str, Handler]) -> None:
        self.handlers = handlers
        super().__init__(address, _Connection)


class ControlServer:
    """Serves `handlers` by their name in the request's `do`, until `stop`."""

    def __init__(self, data_dir: Path, handlers: Mapping[str, Handler], notices_end_s: float = 0.2) -> None:
        self._path = data_dir / SOCKET_NAME
        self._folder = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
        # The caller holds the data folder's lock, so a socket file found here is a dead gateway's.
        self._path.unlink(missing_ok=True)
        self._server = _Server(_address(data_dir, self._folder), handlers)
        self._path.chmod(0o660)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(notices_end_s,), name="control", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)
        os.close(self._folder)


def ask(data_dir: Path, do: str, timeout: float = 5.0, **details: Any) -> Any | None:
    """What the gateway running on `data_dir` answers to `do`; None when none runs there.

    Raises TryAgain when one runs but does not answer in `timeout` seconds, GewuError when it refuses.
    """
    if not (data_dir / SOCKET_NAME).exists():
        return None
    folder = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(timeout)
            try:
                line.connect(_address(data_dir, folder))
            except (ConnectionRefusedError, FileNotFoundError):
                return None
            line.sendall(json.dumps({"do": do, **details}).encode() + b"\n")
            with line.makefile("rb") as answers:
                answer = json.loads(answers.readline())
    except PermissionError as error:
        raise GewuError(
            f"You may not talk to the gateway in {data_dir}: run this as its user, or with sudo."
        ) from error
    except (OSError, ValueError) as error:
        raise TryAgain(
            f"The gateway in {data_dir} did not answer within {timeout:g} s: look at its log, or try again."
        ) from error
    finally:
        os.close(folder)
    if not answer["ok"]:
        raise GewuError(str(answer["error"]))
    return answer["result"]
