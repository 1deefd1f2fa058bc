"""The demo's camera: rendered stills that arrive in a folder a second apart, and what became of its event's stills.

The scene is drawn; what it is called is the shipped model's own doing. Without the camera extra there is no lens, and
the demo says what to install.
"""

import hashlib
import threading
from pathlib import Path
from typing import Any

from gateway import camera_extra

CAMERA = "gate"
PLACE = "Qingxi/Heping/grid 3/gate"
KIND = "camera.flood"
_EVERY_S = 1.0
_KEEP = 4


class Lens:
    """A camera that uploads: `broken` says which scene. It works in a thread of its own and ends with `close`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broken = threading.Event()
        self.missing = camera_extra.sentence()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lens", daemon=True)

    def start(self) -> None:
        """Begin to upload; nothing is drawn before that, so that the demo starts as fast without a camera."""
        if self.missing is None and not self._thread.is_alive():
            self.folder.mkdir(exist_ok=True)
            self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def table(self) -> str:
        """The camera's table in gewu.toml; nothing without the extra."""
        if self.missing is not None:
            return ""
        self.folder.mkdir(exist_ok=True)
        return (
            f'[[camera]]\nid = "{CAMERA}"\nsource = "dir:{self.folder}"\nplace = "{PLACE}"\ninterval = {_EVERY_S}\n'
            'purpose = "demonstration: rendered scenes"\nowner = "gewu demo"\nsign = "none: no real place is seen"\n\n'
        )

    def _run(self) -> None:
        from hil_tests.cameras import scenes

        # A drawn person and a drawn plate, so that there is something to blur.
        dressed = [
            scenes.with_plate(scenes.with_face(scene, 20, 60, 50), 520, 300, 70)
            for scene in (scenes.street(), scenes.flooded_street())
        ]
        written: list[Path] = []
        number = 0
        while not self._stop.wait(_EVERY_S if number else 0.0):
            number += 1
            path = self.folder / f"{number:06d}.jpg"
            frame = scenes.with_noise(dressed[self.broken.is_set()], number)
            frame.save(path.with_suffix(".new"), "JPEG", quality=90)
            path.with_suffix(".new").replace(path)
            written.append(path)
            if len(written) > _KEEP:
                written.pop(0).unlink(missing_ok=True)


def outcome(missing: str | None, events: list[dict[str, Any]], evidence: Path) -> dict[str, Any]:
    """The report's part about the camera: its event as it arrived, and whether each still is the one it names."""
    mine = [event for event in events if event["device"] == CAMERA and event["kind"] == KIND]
    stills = {still["name"]: still for event in mine for still in event["evidence"]}
    return {
        "missing": missing,
        "event": KIND if mine else None,
        "evidence": sorted(stills),
        "verified": bool(stills) and all(_is(evidence / name, still["sha256"]) for name, still in stills.items()),
    }


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256
