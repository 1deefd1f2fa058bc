"""The smallest whole gateway: a real outbox and a real uplink, ended with SIGKILL at a named point when told to.

It notes on disk, after the fact, what it was promised: an event's id once `accept_event` has returned, the
readings' numbers once `flush` has. It runs in a process of its own, made by `nursery`.
"""

import os
import random
import signal
import time
from pathlib import Path

import msgspec

from gateway import points
from gateway.clock import SystemClock
from gateway.outbox import Outbox
from gateway.outbox.route import Keeping
from gateway.records import Reading, Value
from gateway.uplink import Uplink, UplinkSettings
from hil_tests.faults.samples import Route, event, reading

SITE = "faults"
ACCEPTED = "accepted"
_PER_LIFE = 100_000
_LONGEST_LIFE_S = 10.0
_LEAST_BYTES = 1_000_000
_DRAIN_S = 120.0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One life of one gateway. `point` and `nth`: where it is killed; None: it lives until all is delivered."""

    folder: str
    gateway: str
    url: str
    life: int
    seed: int
    acks: bool = False
    point: str | None = None
    nth: int = 1
    keepalive: int = 20
    readings: int = 60
    squeezed: bool = False  # noise that does not pack, into a store that may take 1 MB


def live(job: Job) -> None:
    """Accept by the job's seed and deliver; returns when everything is delivered, or is killed on the way."""
    if job.point is not None:
        points.watch(_Killer(job.point, job.nth).pass_by)
    route = Route(acks=job.acks, max_delay=0.02)
    folder = Path(job.folder)
    keep = Keeping(replay_window=0.0, max_bytes=_LEAST_BYTES if job.squeezed else Keeping.max_bytes)
    outbox = Outbox(folder, SystemClock(), [route], keep)
    outbox.start()
    settings = UplinkSettings(
        name=route.name, site=SITE, gateway=job.gateway, url=job.url, acks=job.acks, ack_timeout=1.0, window=8,
        reserved=2, keepalive=job.keepalive,
    )  # fmt: skip
    uplink = Uplink.of(settings, outbox, SystemClock(), dict)
    uplink.start()
    _accept(outbox, job)
    while job.squeezed and outbox.tend():
        pass  # packing and making room, which the outbox would do now and then
    deadline = time.monotonic() + (_DRAIN_S if job.point is None else _LONGEST_LIFE_S)
    while time.monotonic() < deadline and (outbox.stats().queued or job.point is not None):
        time.sleep(0.01)
    uplink.stop()
    outbox.close()


def _accept(outbox: Outbox, job: Job) -> None:
    """`job.readings` readings in groups, events between them; each promise is noted once it was given."""
    dice = random.Random(job.seed)
    handed = 0
    folder = Path(job.folder)
    with (folder.parent / f"{folder.name}.{ACCEPTED}").open("a", encoding="ascii", buffering=1) as noted:
        while handed < job.readings:
            group = range(handed, min(handed + dice.randint(1, 25), job.readings))
            for number in group:
                outbox.put_reading(_reading(job.life * _PER_LIFE + number, dice if job.squeezed else None))
            handed = group.stop
            if job.squeezed:
                outbox.tend()
            if dice.random() < 0.5:
                name = f"{job.gateway}-{job.life}-{handed}"
                outbox.accept_event(event(name), name)
                noted.write(f"e {name}\n")
            outbox.flush()
            noted.writelines(f"r {job.life * _PER_LIFE + number}\n" for number in group)
            time.sleep(dice.random() * 0.004)


def _reading(number: int, noise: random.Random | None) -> Reading:
    if noise is None:
        return reading(number)
    values: dict[str, Value] = {"number": number}
    values |= {f"v{index}": noise.random() for index in range(8)}
    return msgspec.structs.replace(reading(number), values=values, marks={})


def accepted(folder: Path) -> tuple[set[int], set[str]]:
    """The readings' numbers and the events' ids that the lives in `folder` were promised."""
    file = folder.parent / f"{folder.name}.{ACCEPTED}"
    words = [line.split() for line in file.read_text(encoding="ascii").splitlines()] if file.exists() else []
    return (
        {int(word[1]) for word in words if word[0] == "r"},
        {word[1] for word in words if word[0] == "e"},
    )


class _Killer:
    """Ends this process without a word when `point` is passed for the `nth` time, in whatever thread."""

    def __init__(self, point: str, nth: int) -> None:
        self._point = point
        self._left = nth

    def pass_by(self, name: str) -> None:
        if name == self._point:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
