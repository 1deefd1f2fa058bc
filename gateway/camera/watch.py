"""The gateway's side of its camera process: starts it, hears it, restarts it, and hands its events to the outbox.

One thread, which waits on a pipe and on nothing else. A camera process that is killed, out of memory, hung or full of
errors costs the gateway a restart of that process; the bus and the alarms never notice.
"""

import contextlib
import logging
import os
import queue
import select
import subprocess
import sys
import threading
import time
import uuid
from collections import deque
from pathlib import Path
from typing import Any, Protocol

import msgspec

from gateway import shipped
from gateway.camera.evidence import EvidenceStore
from gateway.camera.rounds import Rounds
from gateway.camera.task import WORDS, Answered, Asked, Beat, CameraStatus, Command, Happened, Task
from gateway.camera.told_clock import told
from gateway.clock import Clock
from gateway.config import Config
from gateway.errors import GewuError, StoreError, TryAgain
from gateway.records import Event, OpenEvent

_log = logging.getLogger(__name__)

SILENT_S = 15.0
START_S = 60.0  # loading everything on a Raspberry Pi that is busy starting
MOST_RSS = 400_000_000  # bytes; docs/cameras.md says what it takes
_FIRST_RETRY_S, _LAST_RETRY_S = 1.0, 60.0
_STEADY_S = 120.0
_MOST_WAITING = 1000
_WORTH_TELLING_MS = 100
# Together well below the second that the gateway gives its sources to end.
_LISTEN_S, _END_S = 0.2, 0.6


class Sink(Protocol):
    """Where events go; the outbox is one."""

    def accept_event(self, event: Event, key: str) -> None:
        """Take an event; returns once it is committed. Raises StoreError: then it is handed in again."""
        ...

    def open_events(self) -> list[OpenEvent]:
        """The events that were raised and have not cleared, as committed."""
        ...


class CameraWatch:
    """The camera process of `config`, as a part of the gateway: start, alive, request_stop, join, status."""

    name = "cameras"

    def __init__(self, config: Config, clock: Clock, sink: Sink, command: list[str] | None = None) -> None:
        self._config = config
        self._clock = clock
        self._sink = sink
        self._command = command or [sys.executable, "-m", "gateway.camera.worker"]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cameras", daemon=True)
        vision = config.vision
        self._told = told(clock)
        self._evidence = EvidenceStore(config.gateway.data_dir, vision.keep, vision.max_bytes, clock)
        self._rounds = Rounds(config, clock, self.look, self._stop)
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting: deque[Happened] = deque()
        self._heard_at = 0.0
        self._cameras: list[CameraStatus] = []
        self._answers: dict[int, queue.Queue[Answered]] = {}
        self._asked = 0
        self._lock = threading.Lock()
        self.starts = 0
        self.trouble: str | None = None

    def start(self) -> None:
        """Begin; patrols that have a time begin too."""
        self._thread.start()
        self._rounds.start()

    def alive(self) -> bool:
        return self._thread.is_alive()

    def request_stop(self) -> None:
        self._stop.set()

    def join(self, timeout: float | None = None) -> None:
        if self._thread.is_alive():
            self._thread.join(timeout)

    def status(self) -> dict[str, Any]:
        """Plain JSON values: the process, its starts, and each camera as of its last beat."""
        process = self._process
        return {
            "pid": process.pid if process else None,
            "starts": self.starts,
            "trouble": self.trouble,
            "waiting": len(self._waiting),
            "rss_mb": round(_rss(process.pid) / 1e6, 1) if process else None,
            "cameras": msgspec.to_builtins(self._cameras),
        }

    def give_way(self, wanted: int) -> int:
        """Delete about `wanted` bytes of stills, for the disk is full; how many it was. From any thread."""
        return self._evidence.give_way(wanted)

    def look(self, camera: str, seconds: float = 20.0) -> dict[str, Any]:
        """What `camera` sees now, its picture in the file `picture`. Raises GewuError, TryAgain."""
        if camera not in {one.id for one in self._config.camera}:
            raise GewuError(f'There is no camera "{camera}" in the configuration of this gateway.')
        process = self._process
        if process is None or process.stdin is None:
            raise TryAgain(f"The camera process is not up: {self.trouble or 'it starts'}.")
        into = self._config.gateway.data_dir / f"look-{uuid.uuid4()}.jpg"
        with self._lock:
            self._asked += 1
            number = self._asked
            answers = self._answers[number] = queue.Queue(1)
            try:
                _write(process, Asked(number=number, camera=camera, into=str(into)))
            except OSError:
                raise TryAgain("The camera process just ended and starts anew: try again.") from None
        try:
            answer = answers.get(timeout=seconds)
        except queue.Empty:
            raise TryAgain(f"The camera process did not answer within {seconds:g} s: try again.") from None
        finally:
            del self._answers[number]
        if answer.result is None:
            raise TryAgain(f"The camera {camera} gives no picture: {answer.trouble}.")
        return {**answer.result, "picture": str(into)}

    def _run(self) -> None:
        pause = _FIRST_RETRY_S
        while not self._stop.is_set():
            began = time.monotonic()
            self._serve()
            if self._stop.is_set():
                return
            pause = _FIRST_RETRY_S if time.monotonic() - began > _STEADY_S else min(2 * pause, _LAST_RETRY_S)
            _log.error("the camera process ended (%s); it starts anew in %.0f s", self.trouble, pause)
            self._deliver_until(time.monotonic() + pause)

    def _deliver_until(self, moment: float) -> None:
        while not self._stop.is_set() and (left := moment - time.monotonic()) > 0:
            self._deliver()
            self._stop.wait(min(left, 0.5))

    def _serve(self) -> None:
        """One life of the process."""
        try:
            task = msgspec.json.encode(self._task())
            process = self._spawn()
        except (OSError, StoreError) as error:
            self.trouble = str(error)
            return
        assert process.stdin is not None
        assert process.stdout is not None
        self.starts += 1
        self._cameras = []  # what the last life saw says nothing of this one
        self._process = process
        self._heard_at = time.monotonic() + START_S - SILENT_S
        os.set_blocking(process.stdout.fileno(), False)
        try:
            with contextlib.suppress(OSError):
                process.stdin.write(task + b"\n")
                process.stdin.flush()
            self._listen(process)
        finally:
            self._process = None
            self._end(process)

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        fd, rest = process.stdout.fileno(), b""
        while not self._stop.is_set():
            self._deliver()
            self._tell_time(process)
            if len(self._waiting) < _MOST_WAITING:  # else the pipe fills, and the process waits with it
                part = _read(fd, _LISTEN_S)
                if part == b"":
                    self.trouble = f"it ended with status {process.wait(5)}"
                    return
                *lines, rest = (rest + (part or b"")).split(b"\n")
                for line in lines:
                    self._hear(line)
            trouble = self._unwell(process.pid)
            if trouble:
                self.trouble = trouble
                return

    def _tell_time(self, process: subprocess.Popen[bytes]) -> None:
        now = told(self._clock)
        if now.clock != self._told.clock or abs(now.zero - self._told.zero) > _WORTH_TELLING_MS:
            self._told = now
            with self._lock, contextlib.suppress(OSError):  # it just ended; the next one's task has the time
                _write(process, now)

    def _unwell(self, pid: int) -> str | None:
        if len(self._waiting) < _MOST_WAITING and time.monotonic() - self._heard_at > SILENT_S:
            return f"it said nothing for {SILENT_S:g} s"
        if (size := _rss(pid)) > MOST_RSS:
            return f"it took {size / 1e6:.0f} MB of memory, more than {MOST_RSS / 1e6:.0f}"
        return None

    def _hear(self, line: bytes) -> None:
        try:
            word = WORDS.decode(line)
        except msgspec.MsgspecError:
            _log.error("the camera process said something strange: %r", line[:80])
            return
        self._heard_at = time.monotonic()
        if isinstance(word, Happened):
            self._waiting.append(word)
            self._deliver()
        elif isinstance(word, Beat):
            self._cameras, self.trouble = word.cameras, None
        elif (answers := self._answers.get(word.number)) is not None:
            answers.put_nowait(word)

    def _deliver(self) -> None:
        """Events in their order; what the outbox does not take now is handed in again."""
        while self._waiting:
            try:
                self._sink.accept_event(self._waiting[0].event, self._waiting[0].key)
            except StoreError:
                return  # the outbox itself says what is wrong
            self._waiting.popleft()

    def _task(self) -> Task:
        ours = {camera.id for camera in self._config.camera}
        open_ = {one.event.id: one for one in self._sink.open_events()}
        for one in self._waiting:  # heard, and not in the outbox yet
            open_[one.event.id] = OpenEvent(event=one.event, key=one.key)
        known = [
            one
            for one in open_.values()
            if one.event.cleared is None and (one.event.device in ours or one.event.kind == "security.model")
        ]
        self._told = told(self._clock)
        return Task(
            time=self._told,
            data_dir=str(self._config.gateway.data_dir),
            models=str(shipped.models()),
            cameras=[camera.model_dump(mode="json") for camera in self._config.camera],
            vision=self._config.vision.model_dump(mode="json"),
            open=known,
        )

    def _spawn(self) -> subprocess.Popen[bytes]:
        # Pools of OpenBLAS and an arena a thread would cost memory for nothing; frames go back when they are done.
        environment = {
            **os.environ,
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "MALLOC_ARENA_MAX": "1",
            "MALLOC_MMAP_THRESHOLD_": "131072",
        }
        return subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True
        )

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(_END_S if self.trouble is None else 0.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _write(process: subprocess.Popen[bytes], command: Command) -> None:
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(command) + b"\n")
    process.stdin.flush()


def _read(fd: int, seconds: float) -> bytes | None:
    """What is there within `seconds`; b"" at the end, None when nothing came."""
    ready, _, _ = select.select([fd], [], [], seconds)
    return os.read(fd, 65536) if ready else None


def _rss(pid: int) -> int:
    """Resident bytes; 0 when the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
