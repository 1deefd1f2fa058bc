"""The real camera process, watched by a test: its cameras, a sink that remembers, what a folder camera sees."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from gateway.camera.watch import CameraWatch
from gateway.clock import Clock, SystemClock
from gateway.config import Config
from gateway.errors import StoreError
from gateway.records import Event, OpenEvent


class Kept:
    """A sink that remembers; `refuses` makes it an outbox with a full disk."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.keys: dict[str, str] = {}
        self.refuses = False

    def accept_event(self, event: Event, key: str) -> None:
        if self.refuses:
            raise StoreError("full")
        self.events.append(event)
        self.keys[event.id] = key

    def open_events(self) -> list[OpenEvent]:
        over = {event.id for event in self.events if event.cleared is not None}
        return [OpenEvent(event=e, key=self.keys[e.id]) for e in self.events if e.id not in over]

    def told(self, camera: str) -> list[tuple[str, bool]]:
        return [(event.kind, event.cleared is not None) for event in self.events if event.device == camera]


def camera(name: str, source: str, **more: Any) -> dict[str, Any]:
    about = {"purpose": "test", "owner": "test", "sign": "none: rendered", "interval": 0.2}
    return {"id": name, "source": source, **about, **more}


@contextmanager
def watched(
    folder: Path, sink: Kept, *cameras: dict[str, Any], command: list[str] | None = None, clock: Clock | None = None
) -> Iterator[CameraWatch]:
    gateway = {"id": "a", "site": "s", "data_dir": str(folder)}
    config = Config.model_validate({"gateway": gateway, "camera": list(cameras)})
    watch = CameraWatch(config, clock or SystemClock(), sink, command)
    watch.start()
    try:
        yield watch
    finally:
        watch.request_stop()
        watch.join(10)
        assert not watch.alive()


def seen(watch: CameraWatch, name: str, looks: int = 3) -> Callable[[], bool]:
    """Whether this life of the process has looked through `name` so often."""
    return lambda: any(
        one["id"] == name and one["looks"] >= looks and watch.status()["pid"] for one in watch.status()["cameras"]
    )


def show(folder: Path, picture: Image.Image) -> None:
    """What the camera of `folder` sees from now on."""
    picture.save(folder / "scene.new", "JPEG", quality=95)
    (folder / "scene.new").replace(folder / "scene.jpg")
