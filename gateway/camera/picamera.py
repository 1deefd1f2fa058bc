"""The Raspberry Pi's own camera through picamera2, which Raspberry Pi OS brings (apt install python3-picamera2)."""

import time
from collections import Counter
from functools import partial
from typing import Any

from PIL import Image

from gateway.camera.source import SourceTrouble, Stopped, Taken

_SIZE = (1280, 720)
_STEP_S = 0.2


class PiCamera:
    """Camera `number` of the board, "0" or "1"."""

    live = True

    def __init__(self, number: str, interval: float) -> None:
        try:
            from picamera2 import Picamera2
        except ImportError:
            raise SourceTrouble(
                "unreachable",
                "picamera: needs picamera2: type `sudo apt-get install python3-picamera2` and use a virtual "
                "environment with --system-site-packages.",
            ) from None
        self._interval = interval
        self._due = time.monotonic()
        self.counts: dict[str, int] = Counter()
        try:
            self._camera: Any = Picamera2(int(number))
            # libcamera's BGR888 is what NumPy calls RGB.
            self._camera.configure(self._camera.create_video_configuration({"size": _SIZE, "format": "BGR888"}))
            self._camera.start()
        except (RuntimeError, IndexError, ValueError) as error:
            raise SourceTrouble("unreachable", f"The board's camera {number} cannot be opened ({error}).") from None

    def look(self, stopped: Stopped) -> Taken | None:
        while time.monotonic() < self._due:
            if stopped():
                return None
            time.sleep(min(_STEP_S, max(0.0, self._due - time.monotonic())))
        self._due = time.monotonic() + self._interval
        return partial(Image.fromarray, self._camera.capture_array())

    def close(self) -> None:
        self._camera.stop()
        self._camera.close()
