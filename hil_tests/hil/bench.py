"""A bench, opened: ports, boards, instruments and hands as the tests use them. What each is, the bench file says."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from gateway.bus.wire import Wire
from gateway.errors import ConfigurationError
from gateway.profile.load import load as load_profile
from hil_tests.curve.limits import CONVENTIONAL_S
from hil_tests.hil.bench_file import BenchFile, Bus, Device
from hil_tests.hil.board import Board
from hil_tests.hil.hands import Hands, Person, RigHands
from hil_tests.hil.hurried import HurriedInjector
from hil_tests.hil.probe import Probe
from hil_tests.hil.reference import ReferenceMeter, open_reference
from hil_tests.injectors.choice import open_injector
from hil_tests.injectors.injector import Injector, TripTime


class Bench:
    """The buses in `lane` of `file` (all when empty). Nothing is opened before it is used; `close` gives all back."""

    def __init__(self, file: BenchFile, lane: tuple[str, ...] = ()) -> None:
        self.file = file
        self.buses: list[Bus] = [bus for bus in file.bus if not lane or bus.name in lane]
        self._probes: dict[str, Probe] = {}
        self._injector: Injector | None = None

    @property
    def devices(self) -> list[Device]:
        return [device for bus in self.buses for device in bus.device]

    @property
    def rig(self) -> Path | None:
        return Path(self.file.rig) if self.file.rig else None

    def bus_of(self, device: Device) -> Bus:
        return next(bus for bus in self.buses if device in bus.device)

    def probe(self, bus: Bus) -> Probe:
        """The master on that bus; one for all tests."""
        if bus.name not in self._probes:
            self._probes[bus.name] = Probe(bus.port, Wire(bus.baud, bus.parity, bus.stopbits))
        return self._probes[bus.name]

    @property
    def probes(self) -> Mapping[str, Probe]:
        """Those that were used, by bus."""
        return self._probes

    def board(self, device: Device) -> Board:
        """The device with its profile and key."""
        return Board(
            self.probe(self.bus_of(device)),
            device.address,
            load_profile(device.profile),
            device.serial,
            key_of(device),
        )

    @property
    def injector(self) -> Injector:
        """What injects in real time."""
        if self._injector is None:
            assert self.file.injector is not None  # the test said that it needs one
            self._injector = open_injector(self.file.injector, self.rig, self.person)
        return self._injector

    @property
    def hurried(self) -> bool:
        """Whether long delays are asked in virtual time."""
        return self.file.bench.kind == "virtual"

    @cached_property
    def long_delays(self) -> Injector:
        """For delays of minutes and hours: the injector itself, or on a virtual bench the firmware in hurried time."""
        return HurriedInjector(self.devices) if self.hurried else self.injector

    def soaked_trip(self, device: Device, soak: float, amps: float, timeout_s: float) -> TripTime | None:
        """After the conventional time at `soak` times In the current rises to `amps` A; None: it tripped before."""
        if isinstance(self.long_delays, HurriedInjector):
            return self.long_delays.soaked(device.id, soak, amps, timeout_s)
        hours = CONVENTIONAL_S * (1 if device.rating <= 63 else 2)
        first = self.injector.trip_time(device.id, quantity="amps", value=soak * device.rating, timeout_s=hours)
        if first.seconds is not None:
            return None
        return self.injector.trip_time(device.id, quantity="amps", value=amps, timeout_s=timeout_s)

    @cached_property
    def person(self) -> Person:
        return Person(self.file.people.technician or "the technician")

    @cached_property
    def hands(self) -> Hands:
        return RigHands(self.rig) if self.rig is not None else self.person

    @cached_property
    def reference(self) -> ReferenceMeter:
        assert self.file.reference_meter is not None  # the test said that it needs one
        return open_reference(self.file.reference_meter, self.rig, self.person)

    def close(self) -> None:
        """Injectors rest, ports are free."""
        try:
            if self._injector is not None:
                self._injector.close()
        finally:
            for probe in self._probes.values():
                probe.release()


def key_of(device: Device) -> bytes | None:
    """The key in its key file; ConfigurationError when that is none."""
    if not device.key_file:
        return None
    try:
        key = bytes.fromhex(Path(device.key_file).read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"The key_file of {device.id}, {device.key_file}, is no key: {error}.") from error
    if len(key) != 32:
        raise ConfigurationError(f"The key of {device.id} has {len(key)} bytes; it must have 32 (64 digits).")
    return key
