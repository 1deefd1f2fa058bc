"""Patrols that the gateway makes by itself, at the times of day in `[[patrol]] at`; each leaves a report in a file.

One thread, which sleeps until a minute that is due. It looks through the cameras that are open anyway.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.clock import Clock
from gateway.config import Camera, Config, Patrol

_log = logging.getLogger(__name__)

FOLDER = "patrols"
_LOOK_EVERY_S = 5.0
Look = Callable[[str], dict[str, Any]]
"""What a camera sees now by its id, the picture's file under `picture`."""


class Rounds:
    """The patrols of `config`; reports go to `patrols` in its data folder, kept as long as stills are."""

    def __init__(self, config: Config, clock: Clock, look: Look, stop: threading.Event) -> None:
        self._config = config
        self._clock = clock
        self._look = look
        self._stop = stop
        self._made: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="patrols", daemon=True)

    def start(self) -> None:
        """Nothing is started when no patrol has a time."""
        if any(patrol.at for patrol in self._config.patrol):
            self._thread.start()

    def due(self, minute: str) -> list[Patrol]:
        """The patrols to make in `minute` (local, "2026-11-22 08:00"); each once."""
        found = [one for one in self._config.patrol if minute[-5:] in one.at and self._made.get(one.name) != minute]
        self._made.update({one.name: minute for one in found})
        return found

    def _run(self) -> None:
        while not self._clock.wait(self._stop, _LOOK_EVERY_S):
            minute = time.strftime("%Y-%m-%d %H:%M", time.localtime(self._clock.wall_ms() / 1000))
            for patrol in self.due(minute):
                try:
                    self.make(patrol, minute)
                except OSError as error:
                    _log.error("the report of patrol %s cannot be written: %s", patrol.name, error.strerror)

    def make(self, patrol: Patrol, at: str) -> Path:
        """Tour and report; the report's file. Older ones than stills may be are deleted."""
        # Only here: a gateway without patrols of its own needs no pictures in its process.
        from gateway.camera import onvif, patrol_report, tour

        stops = tour.tour(self._config, patrol.stops, self._one, self._pause, patrol.dwell, onvif.head_of)
        folder = self._config.gateway.data_dir / FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        file = folder / f"{patrol.name}-{at.replace(' ', '-').replace(':', '')}.html"
        file.write_text(patrol_report.page(patrol.name, at, stops), encoding="utf-8")
        now = self._clock.wall_ms() / 1000
        os.utime(file, (now, now))  # by our time: the machine may not know it
        findings = sum(stop.finding is not None for stop in stops)
        _log.info("patrol %s: %d of %d stops have findings, see %s", patrol.name, findings, len(stops), file)
        if self._clock.state() != "untrusted":
            self._forget(folder)
        return file

    def _one(self, camera: Camera) -> tuple[dict[str, Any], Any]:
        from gateway.camera.picture import open_file

        sight = self._look(camera.id)
        path = Path(sight.pop("picture"))
        try:
            return sight, open_file(path)
        finally:
            path.unlink(missing_ok=True)

    def _pause(self, seconds: float) -> None:
        self._clock.wait(self._stop, seconds)

    def _forget(self, folder: Path) -> None:
        before = self._clock.wall_ms() / 1000 - self._config.vision.keep
        for path in folder.glob("*.html"):
            if path.stat().st_mtime < before:
                path.unlink()
