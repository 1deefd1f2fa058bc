"""The soaked gateway: the real poller, rules, outbox and uplink, one round of each after the other on one clock.

It wires what `gateway.agent` wires, without threads, so that the same seed lives the same days. It can be ended in
order, or be killed: then whatever was only in memory is gone.
"""

import random
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path

from gateway.bus.poller import BusPoller
from gateway.bus.transport import Line
from gateway.bus.wire import Wire
from gateway.config import Bus, Device
from gateway.errors import StoreError
from gateway.outbox import Outbox
from gateway.records import Note, OpenEvent, Reading
from gateway.uplink.delivery import Delivery
from gateway.uplink.formats import format_of
from gateway.uplink.present import NoDevices
from gateway.uplink.settings import UplinkSettings
from hil_tests.bench.store_load import Way
from hil_tests.soak.broker import MemoryBroker
from hil_tests.soak.disk import Disk
from hil_tests.soak.line import VirtualPort
from hil_tests.soak.meters import Meter, profile
from hil_tests.soak.world import World

BAUD = 115200
PATIENCE_S = 0.3
_LEAST_S = 0.001
_AGAIN_S = 5.0  # after which systemd starts a gateway again that could not begin
_WAY = Way(acks=True, whole_blocks=True)
_SETTINGS = UplinkSettings(
    name=_WAY.name, site="soak", gateway="soak", url="mqtt://soak", acks=True, encoding="compact"
)


class Told:
    """See `gateway.bus.sink.Sink`: the outbox, and what the bus has given to it."""

    def __init__(self, outbox: Outbox, lost: dict[str, bool]) -> None:
        self._outbox, self._lost = outbox, lost
        self.readings = 0
        self.note, self.keep_note, self.open_events = outbox.note, outbox.keep_note, outbox.open_events

    def put_reading(self, reading: Reading) -> None:
        self._outbox.put_reading(reading)
        self.readings += 1

    def accept_events(self, records: Sequence[OpenEvent], note: Note | None = None) -> None:
        self._outbox.accept_events(records, note)
        for record in records:
            if record.event.kind == "device.lost":
                self._lost[str(record.event.device)] = record.event.cleared is None


class Gateway:
    """`start`, then `round` again and again. `lost` says of each device whether it is told as lost."""

    def __init__(
        self, world: World, folder: Path, broker: MemoryBroker, meters: dict[int, Meter], period: float, seed: int
    ) -> None:
        self.disk = Disk(world)
        self.lost: dict[str, bool] = {}
        self.readings = self.polls = self.errors = self.starts = 0
        self._world, self._folder, self._broker, self._meters = world, folder, broker, meters
        self._period = period
        self._dice = random.Random(seed)
        self._bus = _bus(meters)
        self._start_at = 0.0
        self._running: _Running | None = None

    @property
    def outbox(self) -> Outbox | None:
        """The outbox of the gateway that runs."""
        return self._running.outbox if self._running else None

    def round(self, until: float, *, polling: bool = True) -> None:
        """One exchange or wait on the bus, and whatever of the rest is due; the time passes, to `until` at most.

        Without `polling` the bus rests, and what waits is delivered.
        """
        world = self._world
        if self._running is None:
            self._start(until)
            return
        world.horizon = min(until, self._running.due_at)
        self._running.round(polling)

    def stop(self) -> None:
        """End in order: what waits is committed."""
        if self._running is not None:
            self._count(self._running)
            self._running.outbox.close()
            self._running.delivery.close()
            self._running = None

    def kill(self) -> None:
        """End as by SIGKILL: nothing is said, committed or closed."""
        if self._running is not None:
            self._count(self._running)
            self._running = None
        if self._broker.link is not None:
            self._broker.link.close()
        self.disk.drop()

    def _count(self, running: "_Running") -> None:
        status = running.poller.status()
        self.readings += running.told.readings
        self.polls += status.polls
        self.errors += sum(status.errors.values())

    def _start(self, until: float) -> None:
        world = self._world
        if world.now < self._start_at:
            world.now = max(world.now, min(self._start_at, until))
            return
        try:
            self._running = _Running(self, world)
            self.starts += 1
        except StoreError:  # a gateway that cannot open its store ends, and is started again
            self.disk.drop()
            self._start_at = world.now + _AGAIN_S

    def make_outbox(self) -> Outbox:
        outbox = Outbox(self._folder, self._world, [_WAY], connect=self.disk.connect)
        self._broker.epoch = outbox.epoch
        return outbox

    def make_delivery(self, outbox: Outbox, wake: Callable[[], None]) -> Delivery:
        form = format_of(_SETTINGS, self._world, "soak", NoDevices(outbox))
        return Delivery(
            _SETTINGS, outbox, self._broker, self._world, form, health=dict, chance=self._dice.random, wake=wake
        )

    def make_poller(self, told: Told) -> BusPoller:
        def connect(_: Bus) -> Line:
            return Line("soak", "soak", Wire(BAUD), PATIENCE_S, open_port=lambda *_: self._port())

        return BusPoller(self._bus, self._world, told, connect=connect, periods={"normal": self._period})

    def _port(self) -> VirtualPort:
        return VirtualPort(self._world, Wire(BAUD), PATIENCE_S, self._meters, self._dice)


class _Running:
    """One life of the gateway's process."""

    def __init__(self, gateway: Gateway, world: World) -> None:
        self.outbox = gateway.make_outbox()
        self.told = Told(self.outbox, gateway.lost)
        self.delivery = gateway.make_delivery(self.outbox, self._wake)
        self.outbox.listen(self._wake)
        self.poller = gateway.make_poller(self.told)
        self._broker = gateway._broker
        self._commit_at = world.now + self.outbox.pause()
        self._deliver_at = world.now
        self._world = world

    @property
    def due_at(self) -> float:
        return min(self._commit_at, self._deliver_at)

    def round(self, polling: bool) -> None:
        world = self._world
        if polling:
            self.poller.step()
        else:
            world.now = max(world.now, world.horizon) + _LEAST_S
        self._broker.look()
        if world.now >= self._commit_at:
            world.aside = 0.0
            self.outbox.step()
            self._commit_at, world.aside = world.now + world.aside + self.outbox.pause(), None
        if world.now >= self._deliver_at:
            self._deliver_at = inf
            wait = self.delivery.step()
            self._deliver_at = min(self._deliver_at, world.now + wait)  # something may have woken it meanwhile

    def _wake(self) -> None:
        self._deliver_at = 0.0


def _bus(meters: dict[int, Meter]) -> Bus:
    kind = profile()
    devices = [
        Device(id=f"m{unit:03d}", profile=kind.name, address=unit, place="soak", critical=False).defined(kind)
        for unit in meters
    ]
    return Bus.model_validate({"name": "soak", "port": "/dev/soak", "baud": BAUD, "device": devices}, strict=False)
