"""The camera process: a thread a camera, one classifier, events out. `python -m gateway.camera.worker` by the gateway.

It shares nothing with the gateway but two pipes, runs below its priority and is the first that the kernel ends when
memory is short. It ends when its input does, so a killed gateway leaves no camera process behind.
"""

import contextlib
import dataclasses
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import IO

import msgspec

from gateway import own_events
from gateway.camera import drawing, loading
from gateway.camera.evidence import EvidenceStore
from gateway.camera.eye import Eye, Open
from gateway.camera.sitting import Sitting, Standing, Tools
from gateway.camera.source import open_source
from gateway.camera.task import COMMANDS, Answered, Asked, Beat, CameraStatus, Happened, Task, Told, Word
from gateway.camera.told_clock import ToldClock
from gateway.config.camera_tables import Camera, Vision
from gateway.errors import StoreError
from gateway.records import Event, Value

_log = logging.getLogger(__name__)

ALTERED = "security.model"
_ALTERED_GRADE = 2
BEAT_S = 1.0
END_S = 0.3
# Every wait for a camera has a limit of 10 s or so; a thread that says nothing for this long hangs in a driver.
HUNG_S = 120.0
_EXPIRE_S = 3600.0


class Worker:
    """All cameras of `task`; words go to `out`."""

    def __init__(self, task: Task, out: IO[bytes], clock: ToldClock) -> None:
        self._out = out
        self._clock = clock
        self._lock = threading.Lock()
        self._stop = threading.Event()
        vision = Vision.model_validate(task.vision)
        cameras = [Camera.model_validate(one) for one in task.cameras]
        data_dir = Path(task.data_dir)
        self._store = EvidenceStore(data_dir, vision.keep, vision.max_bytes, clock)
        self._models = loading.load(Path(task.models), data_dir / "site", cameras, vision.trusted)
        self._open = task.open
        self.sittings = {camera.id: self._sitting(camera) for camera in cameras}
        self._threads = [
            threading.Thread(target=sitting.run, name=f"camera {name}", daemon=True)
            for name, sitting in self.sittings.items()
        ]

    def run(self, commands: IO[bytes]) -> None:
        """Until `commands` ends."""
        self._tell_altered()
        for thread in self._threads:
            thread.start()
        threading.Thread(target=self._beats, name="beats", daemon=True).start()
        for line in commands:
            command = COMMANDS.decode(line)
            if isinstance(command, Told):
                self._clock.tell(command)
            else:
                self._answer(command)
        self._stop.set()
        deadline = time.monotonic() + END_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def say(self, word: Word) -> None:
        """One line to the gateway."""
        line = msgspec.json.encode(word) + b"\n"
        with self._lock:
            try:
                self._out.write(line)
                self._out.flush()
            except OSError:
                self._stop.set()  # the gateway is gone; the end of our input follows

    def _report(self, event: Event, key: str) -> None:
        self.say(Happened(event=event, key=key))

    def _sitting(self, camera: Camera) -> Sitting:
        models = self._models
        tools = Tools(open_source, self._report, self._clock, self._store, models.blur(camera), self._stop.is_set)

        def make_eye(live: bool, open_: list[Open]) -> Eye:
            return Eye(camera, models.classifier, models.finders_of(camera), live, open_)

        known = {
            (one.event.kind, one.key): Standing(one.event, None) for one in self._open if one.event.device == camera.id
        }
        return Sitting(camera, make_eye, tools, known)

    def _tell_altered(self) -> None:
        """Raise an event for each model that was refused; clear those of models that are whole again."""
        known = {one.key: one.event for one in self._open if one.event.kind == ALTERED}
        for name, why in self._models.altered.items():
            if name not in known:
                about: dict[str, Value] = {"model": name, "why": why}
                self._report(own_events.begun(self._clock, ALTERED, _ALTERED_GRADE, about), name)
        for name, event in known.items():
            if name not in self._models.altered:
                self._report(own_events.ended(event, self._clock), name)

    def _beats(self) -> None:
        expire_at = 0.0
        while not self._stop.wait(BEAT_S):
            now = time.monotonic()
            self.say(Beat(cameras=[_status(sitting) for sitting in self.sittings.values()]))
            hung = [
                name
                for name, sitting in self.sittings.items()
                if now - sitting.moved > HUNG_S + sitting.camera.interval
            ]
            if hung:
                _log.critical("camera %s hangs; the camera process starts anew", ", ".join(hung))
                os._exit(3)
            if now >= expire_at:
                expire_at = now + _EXPIRE_S
                self._expire()

    def _expire(self) -> None:
        try:
            self._store.expire()
        except (StoreError, OSError) as error:
            _log.error("%s", error)

    def _answer(self, asked: Asked) -> None:
        sitting = self.sittings.get(asked.camera)
        if sitting is None or sitting.latest is None:
            trouble = sitting.trouble if sitting else "no such camera"
            self.say(Answered(number=asked.number, trouble=trouble or "it has not looked yet: try again in a moment"))
            return
        still, sight = sitting.latest, sitting.sight
        if sight is not None:  # where nothing moves, the last verdict still stands
            sight = dataclasses.replace(sight, verdict=sitting.verdict)
        blur = self._models.blur(sitting.camera)
        if blur is None:
            self.say(Answered(number=asked.number, trouble="what blurs faces could not be loaded: see the events"))
            return
        drawing.drawn(sitting.camera, blur(still), sight).save(asked.into, "JPEG", quality=85)
        result = drawing.result(sitting.camera, sight, sitting.size, sitting.counts)
        self.say(Answered(number=asked.number, result={**result, "trouble": sitting.trouble}))


def _status(sitting: Sitting) -> CameraStatus:
    sight, verdict = sitting.sight, sitting.verdict
    return CameraStatus(
        id=sitting.camera.id,
        looks=sitting.looks,
        label=verdict.label if verdict else None,
        blind=sight.blind if sight else None,
        trouble=sitting.trouble,
        open=[kind for kind, _ in list(sitting.open_)],
        counts=dict(sitting.counts),
    )


def _lowly() -> None:
    """Below the gateway in every respect."""
    os.nice(3)
    with contextlib.suppress(OSError):  # not Linux
        Path("/proc/self/oom_score_adj").write_text("800", encoding="ascii")


def main() -> None:
    """The process: its task is the first line of its input."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the gateway, which then ends us
    _lowly()
    commands = sys.stdin.buffer
    task = msgspec.json.decode(commands.readline(), type=Task)
    # Whatever a library prints goes to the log, never between our words.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    Worker(task, out, ToldClock(task.time)).run(commands)
    os._exit(0)  # a thread inside a driver must not hold up the end


if __name__ == "__main__":
    main()
