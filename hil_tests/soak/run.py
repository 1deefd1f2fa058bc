"""One soak from its beginning to its ledger: the gateway in its world, a fault every 30 s, an eye on memory and files.

It decides when what happens; what is right is the judge's business, and what is measured `hil_tests.bench.soak`'s.
"""

import logging
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression

from gateway.outbox.stats import Stats
from hil_tests.soak.broker import MemoryBroker
from hil_tests.soak.faults import EVERY_S, Fault, Trouble
from hil_tests.soak.gateway import Gateway
from hil_tests.soak.judge import Bench, Findings
from hil_tests.soak.meters import Meter
from hil_tests.soak.world import World

DEVICES, PERIOD_S = 100, 10.0
"""The design load: so many devices with ten noisy values each, so often. `load` multiplies it."""
MOST_DEVICES = 247
_HOUR_S = 3600.0
_CALM_S = 60.0  # before the first fault: everybody was read once
_SETTLE_S = 2 * _HOUR_S  # at most, after the last one, until everything has arrived
# A device that was silent for so long is told as lost: three failures and retries after 0.2, 1.5 and 3 s, also when
# many are silent at once.
_SURELY_LOST_S = 60.0
# Readings are committed in groups at most a second apart, and after a refusal tried again every second.
_COMMITTED_S = 2.0


@dataclass
class Soaked:
    """What a soak showed. `memory_mb`, `files` and `file_mb` once an hour; `unnoticed` silences that no event told;
    `may_be_uncommitted` readings that the promise allows to be gone with a process: those of its last second, and
    those that waited for a disk that refused.
    """

    findings: Findings
    stats: Stats
    readings: int
    starts: int
    kills: int
    polls: int
    errors: int
    connects: int
    unnoticed: int
    silences: int
    struck: Counter[str]
    may_be_uncommitted: float
    memory_mb: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    file_mb: list[float] = field(default_factory=list)

    def slope(self, figures: list[float] | list[int]) -> float:
        """Growth an hour after the first one, by least squares; there must be three hours at least."""
        later = [float(figure) for figure in figures[1:]]
        return linear_regression(range(len(later)), later).slope


class Soak:
    """`run` lives `hours` of simulated time in `folder`."""

    def __init__(self, folder: Path, hours: float, load: float, seed: int, say: Callable[[str], None]) -> None:
        devices = max(1, min(MOST_DEVICES, round(DEVICES * load)))
        self._world = World()
        self._folder, self._hours, self._say = folder, hours, say
        self._meters = {unit: Meter(unit) for unit in range(1, devices + 1)}
        self._period = devices / (DEVICES / PERIOD_S * load)
        self._seed = seed
        self._silences: list[tuple[float, int]] = []  # when a device must have been told as lost
        self._checked = self._unnoticed = self._kills = 0
        self._unsure_until = self._sick_since = self._sick_until = 0.0
        self._may_be_uncommitted = 0.0
        self._memory: list[float] = []
        self._files: list[int] = []
        self._file_mb: list[float] = []

    def run(self) -> Soaked:
        """Raises GewuError when the judge fails."""
        log = logging.getLogger("gateway")
        before = log.level
        log.setLevel(logging.CRITICAL + 1)  # every fault is one that the gateway complains of
        try:
            with Bench() as bench:
                return self._live(bench)
        finally:
            log.setLevel(before)

    def _live(self, bench: Bench) -> Soaked:
        world = self._world
        broker = MemoryBroker(world, bench.tell)
        gateway = self._gateway = Gateway(world, self._folder, broker, self._meters, self._period, self._seed)
        trouble = Trouble(world, self._meters, self._seed, {"kill": self._kill, "restart": self._restart})
        end = world.now + self._hours * _HOUR_S
        strike_at, look_at = world.now + _CALM_S, world.now
        while world.now < end:
            gateway.round(min(strike_at, look_at, end))
            if world.now >= strike_at:
                self._struck(*trouble.strike())
                strike_at += EVERY_S
            if world.now >= look_at:
                self._measure()
                look_at += _HOUR_S
            self._check_silences()
        trouble.heal()
        self._settle(gateway)
        assert gateway.outbox is not None  # it has just delivered everything
        stats = gateway.outbox.stats()
        gateway.stop()
        facts = {
            "trip.overcurrent": {f"m{unit:03d}": meter.trips for unit, meter in self._meters.items()},
            "device.restarted": {f"m{unit:03d}": meter.boots - 1 for unit, meter in self._meters.items()},
        }
        return Soaked(
            bench.verdict(facts), stats, gateway.readings, gateway.starts, self._kills, gateway.polls, gateway.errors,
            broker.connects, self._unnoticed, self._checked, trouble.struck, self._may_be_uncommitted, self._memory,
            self._files, self._file_mb,
        )  # fmt: skip

    def _kill(self) -> None:
        self._kills += 1
        self._allow(_COMMITTED_S)
        self._gateway.kill()

    def _restart(self) -> None:
        self._allow(0.0)
        self._gateway.stop()

    def _allow(self, seconds: float) -> None:
        """A process ends: so many seconds of readings may go with it, and what a sick disk has not taken."""
        now = self._world.now
        sick = now - self._sick_since if now <= self._sick_until + _COMMITTED_S else 0.0
        self._may_be_uncommitted += (seconds + sick) * len(self._meters) / self._period

    def _settle(self, gateway: Gateway) -> None:
        """Every device is read again, and then the queue runs empty."""
        world = self._world
        until = world.now + _CALM_S * 5
        while world.now < until or gateway.outbox is None:
            gateway.round(world.now + 1.0)
        gateway.outbox.commit()
        limit = world.now + _SETTLE_S
        while gateway.outbox.stats().queued and world.now < limit:
            gateway.round(world.now + 1.0, polling=False)

    def _struck(self, fault: Fault, unit: int, seconds: float) -> None:
        now = self._world.now
        if fault.name.startswith("disk"):
            self._sick_since = self._sick_since if now <= self._sick_until + _COMMITTED_S else now
            self._sick_until = max(self._sick_until, now + seconds)
        if fault.name == "silent" and seconds > _SURELY_LOST_S:
            self._silences.append((now + _SURELY_LOST_S, unit))
        if fault.name.startswith("disk") or fault.name in ("kill", "restart"):
            self._unsure_until = max(self._unsure_until, now + seconds + _SURELY_LOST_S)

    def _check_silences(self) -> None:
        """What was lost while no store took events, or by a gateway that has just begun, is told later."""
        while self._silences and self._silences[0][0] <= self._world.now:
            _, unit = self._silences.pop(0)
            if self._world.now > self._unsure_until:
                self._checked += 1
                self._unnoticed += not self._gateway.lost.get(f"m{unit:03d}", False)

    def _measure(self) -> None:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        self._memory.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
        self._files.append(len(os.listdir("/proc/self/fd")))  # noqa: PTH208  its own folder counts as well
        self._file_mb.append(sum(file.stat().st_size for file in self._folder.glob("outbox.db*")) / 1e6)
        self._say(f"hour {len(self._memory) - 1} of {self._hours:g}: {self._memory[-1]:.1f} MB")
