"""Where backups are kept: a folder (a mounted one is off-site) or an HTTP(S) server that takes PUT, WebDAV among them.

A backup is there whole or not at all; one that did not get through is no backup, and says why.
"""

import http.client
import os
import shutil
import ssl
from base64 import b64encode
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import quote, urlsplit

from gateway.errors import ConfigurationError, GewuError, TryAgain
from gateway.wholefile import move_whole

_TIMEOUT_S = 60.0
_TAKEN = (200, 201, 204)


class Access(NamedTuple):
    """How to reach a server: all None for a folder, or for one that asks nothing."""

    username: str | None = None
    password_file: Path | None = None
    ca: Path | None = None


class Place(Protocol):
    """Keeps files by name."""

    def put(self, file: Path, name: str) -> str:
        """Keep a copy of `file` as `name`; returns where it is now. Raises TryAgain, GewuError."""
        ...

    def forget(self, name: str) -> None:
        """Remove `name`; nothing happens when it is gone. Raises TryAgain, GewuError."""
        ...


_ANYBODY = Access()


def place(to: str, access: Access = _ANYBODY) -> Place:
    """The place that `to` names: http://, https://, else a folder. Raises ConfigurationError."""
    parts = urlsplit(to)
    if parts.scheme in ("http", "https"):
        if not parts.hostname or "@" in parts.netloc:
            raise ConfigurationError(f'"{to}" names no server, or a user in it: use username and password_file.')
        return Server(to, access)
    if "://" in to:
        raise ConfigurationError(f'"{to}": backups go to a folder, or to a server as http:// or https://.')
    return Folder(Path(to))


class Folder:
    """A folder that must be there: one that is not is a disk that is not mounted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, file: Path, name: str) -> str:
        """See `Place`."""
        if not self._folder.is_dir():
            raise TryAgain(f"The folder {self._folder} for backups is not there: mount its disk, or make it.")
        path = self._folder / name
        new = path.with_name(name + ".new")
        try:
            with file.open("rb") as content, new.open("wb") as out:
                new.chmod(0o600)
                shutil.copyfileobj(content, out, 1 << 20)
                out.flush()
                os.fsync(out.fileno())
            move_whole(new, path)
        except OSError as error:
            new.unlink(missing_ok=True)
            raise TryAgain(
                f"{path} cannot be written ({error.strerror}): free some space, or check the disk."
            ) from error
        return str(path)

    def forget(self, name: str) -> None:
        """See `Place`."""
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise TryAgain(f"{self._folder / name} cannot be removed: {error.strerror}.") from error


class Server:
    """A collection on a web server: `PUT URL/NAME`, its size asked back with HEAD, `DELETE URL/NAME`."""

    def __init__(self, url: str, access: Access) -> None:
        self._url = urlsplit(url.rstrip("/"))
        self._access = access

    def put(self, file: Path, name: str) -> str:
        """See `Place`. Counts as kept when the server says so and names the right size, if it names one."""
        size = file.stat().st_size
        with file.open("rb") as content:
            status, why, _ = self._ask("PUT", name, content, {"Content-Length": str(size)})
        if status not in _TAKEN:
            raise self._refused(status, why)
        status, _, told = self._ask("HEAD", name)
        if status == 200 and told is not None and told != size:
            raise TryAgain(f"{self._where(name)} has {told} of {size} bytes there: the backup is tried again.")
        return self._where(name)

    def forget(self, name: str) -> None:
        """See `Place`."""
        status, why, _ = self._ask("DELETE", name)
        if status not in (*_TAKEN, 404):
            raise self._refused(status, why)

    def _where(self, name: str) -> str:
        return f"{self._url.geturl()}/{quote(name)}"

    def _refused(self, status: int, why: str) -> GewuError:
        sentence = f"{self._url.geturl()} refuses the backup ({status} {why})"
        if status in (401, 403):
            return GewuError(f"{sentence}: check username and password_file.")
        if status in (404, 405, 409):
            return GewuError(f"{sentence}: make that folder there, and let it take PUT.")
        return TryAgain(f"{sentence}: it is tried again.")

    def _ask(
        self, method: str, name: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str, int | None]:
        """Status, its words, and the length that the answer names. Raises TryAgain."""
        connection = self._connect()
        try:
            path = f"{self._url.path}/{quote(name)}"
            connection.request(method, path, body, (headers or {}) | self._credentials())  # type: ignore[arg-type]
            answer = connection.getresponse()
            answer.read()
            length = answer.getheader("Content-Length")
            return answer.status, answer.reason, int(length) if length and length.isdigit() else None
        except (OSError, http.client.HTTPException) as error:
            raise TryAgain(f"{self._url.geturl()} cannot be reached ({error}): check the network.") from error
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        try:
            context = ssl.create_default_context(cafile=str(self._access.ca) if self._access.ca else None)
        except OSError as error:
            raise TryAgain(f"The file {self._access.ca} of the backup server's CA cannot be used: {error}.") from error
        return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)

    def _credentials(self) -> dict[str, str]:
        if self._access.username is None:
            return {}
        password = ""
        if self._access.password_file is not None:
            try:
                password = self._access.password_file.read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise TryAgain(f"The file {self._access.password_file} cannot be read: {error}.") from error
        word = b64encode(f"{self._access.username}:{password}".encode()).decode("ascii")
        return {"Authorization": f"Basic {word}"}
