"""Cameras that give single pictures: a URL that is asked for one, and a folder that pictures lie in or arrive in."""

import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from gateway.camera import picture
from gateway.camera.picture import BadPicture
from gateway.camera.source import SILENT_S, SourceTrouble, Stopped, Taken, taken

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_STEP_S = 0.2


def _pause(until: float, stopped: Stopped) -> bool:
    """Wait for `until` (monotonic seconds); False when stopped before."""
    while not stopped():
        left = until - time.monotonic()
        if left <= 0:
            return True
        time.sleep(min(left, _STEP_S))
    return False


class Folder:
    """Pictures in `folder` by name, round and round, one a look. Once new ones arrive (a camera that uploads), the
    newest of them is the look, and older ones are not shown again."""

    live = False

    def __init__(self, folder: str, interval: float) -> None:
        self._folder = Path(folder)
        self._interval = interval
        self._due = time.monotonic()
        self._known: set[Path] | None = None
        self._arriving = False
        self._last: Path | None = None
        self.counts: dict[str, int] = Counter()

    def look(self, stopped: Stopped) -> Taken | None:
        silent_at = time.monotonic() + SILENT_S + self._interval
        while _pause(self._due, stopped):
            self._due = time.monotonic() + self._interval
            path = self._next()
            if path is not None:
                try:
                    return taken(picture.open_file(path))
                except BadPicture:
                    self.counts["bad pictures"] += 1
            if time.monotonic() > silent_at:
                raise SourceTrouble("stalled", f"No usable picture in {self._folder}: does its camera still upload?")
        return None

    def close(self) -> None:
        pass

    def _next(self) -> Path | None:
        try:
            now = sorted(path for path in self._folder.iterdir() if path.suffix.lower() in _SUFFIXES)
        except OSError as error:
            raise SourceTrouble("unreachable", f"The folder {self._folder}: {error.strerror}.") from None
        known, self._known = self._known, set(now)
        fresh = [path for path in now if known is not None and path not in known]
        if fresh:
            self._arriving = True
            self._last = max(fresh, key=lambda path: (path.stat().st_mtime_ns, path.name))
            return self._last
        if self._arriving or not now:
            return None
        later = [path for path in now if self._last is not None and path > self._last]
        self._last = later[0] if later else now[0]
        return self._last


class Snapshot:
    """A URL that answers with one picture."""

    live = True

    def __init__(self, url: str, interval: float, username: str | None, password: str | None) -> None:
        self._url = url
        self._interval = interval
        self._due = time.monotonic()
        self._opener = _opener(url, username, password)
        self.counts: dict[str, int] = Counter()

    @staticmethod
    def serves(url: str, username: str | None, password: str | None) -> bool:
        """Whether `url` answers with a picture and not with a video. Raises SourceTrouble."""
        with _asked(_opener(url, username, password), url) as answer:
            kind: str = answer.headers.get_content_type()
            return kind.startswith("image/")

    def look(self, stopped: Stopped) -> Taken | None:
        if not _pause(self._due, stopped):
            return None
        self._due = time.monotonic() + self._interval
        with _asked(self._opener, self._url) as answer:
            try:
                content = answer.read(picture.MOST_BYTES + 1)
            except OSError as error:
                raise SourceTrouble("stalled", f"{self._url} stopped in the middle of a picture ({error}).") from None
        try:
            return taken(picture.decode(content, self._url))
        except BadPicture as error:
            self.counts["bad pictures"] += 1
            raise SourceTrouble("no picture", str(error)) from None

    def close(self) -> None:
        self._opener.close()


def _opener(url: str, username: str | None, password: str | None) -> urllib.request.OpenerDirector:
    if username is None or password is None:
        return urllib.request.build_opener()
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, url, username, password)
    return urllib.request.build_opener(
        urllib.request.HTTPBasicAuthHandler(passwords), urllib.request.HTTPDigestAuthHandler(passwords)
    )


def _asked(opener: urllib.request.OpenerDirector, url: str) -> Any:
    try:
        return opener.open(url, timeout=SILENT_S)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (401, 403):
            raise SourceTrouble(
                "password", f"{url} wants another user or password: see username and password_file."
            ) from None
        raise SourceTrouble("unreachable", f"{url} answers {error.code} {error.reason}.") from None
    except (OSError, ValueError) as error:
        raise SourceTrouble("unreachable", f"{url} cannot be reached ({error}).") from None
