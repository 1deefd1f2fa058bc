"""Where pictures come from: what every source gives, what can go wrong with one, and which adapter serves which URL.

A source keeps at most the frame in hand: nothing is queued, so that a slow machine looks less often and never grows.
"""

from collections.abc import Callable
from typing import Protocol

from PIL import Image

from gateway.config.camera_tables import Camera
from gateway.errors import TryAgain

Stopped = Callable[[], bool]
# Own choice: a camera that gives nothing for so long is reconnected; camera.blind follows within the minute of D6.
SILENT_S = 10.0


class SourceTrouble(TryAgain):
    """No picture now. `reason` is one word for the event's values; the message says what to do."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


Taken = Callable[[], Image.Image]
"""A look as the camera gave it, in little memory; called, it is the picture, upright, RGB, or raises SourceTrouble."""


class Source(Protocol):
    """An opened camera. `live` is False where the same picture twice means nothing. `counts`: oddities survived."""

    live: bool
    counts: dict[str, int]

    def look(self, stopped: Stopped) -> Taken | None:
        """The next look once it is due; None when `stopped`. Raises SourceTrouble."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...


def taken(image: Image.Image) -> Taken:
    """A look that came as a picture."""
    return lambda: image


def open_source(camera: Camera) -> Source:
    """The source of `camera`. Raises SourceTrouble when it cannot be opened now."""
    # Imported here: each adapter needs packages that other sources do without.
    scheme, _, rest = camera.source.partition(":")
    if scheme == "dir":
        from gateway.camera.stills import Folder

        return Folder(rest, camera.interval)
    if scheme == "picamera":
        from gateway.camera.picamera import PiCamera

        return PiCamera(rest, camera.interval)
    password = password_of(camera)
    if scheme in ("http", "https"):
        from gateway.camera.stills import Snapshot

        if Snapshot.serves(camera.source, camera.username, password):
            return Snapshot(camera.source, camera.interval, camera.username, password)
    from gateway.camera.stream import Stream

    return Stream(camera.source, camera.interval, camera.username, password)


def password_of(camera: Camera) -> str | None:
    """The password in the camera's own file; None where it has none. Raises SourceTrouble."""
    if camera.password_file is None:
        return None
    try:
        return camera.password_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SourceTrouble(
            "password", f"The camera {camera.id}'s password file {camera.password_file}: {error.strerror}."
        ) from None
