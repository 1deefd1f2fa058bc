"""The virtual village: a site's buses and boards, brought up, changed and taken down as one.

This is the map of the rig: each bus is a `Hub`, each board a `Device`, all in one loop in one thread.
"""

import random
import resource
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import wait
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from gateway.errors import ConfigurationError, GewuError
from hil_tests.rig.bootloader import Bootloaders
from hil_tests.rig.circuit import SETTLED, parse_injection
from hil_tests.rig.control import ControlServer
from hil_tests.rig.device import Device
from hil_tests.rig.flash import fill, resettle, wiring_of
from hil_tests.rig.gateways import Gateways
from hil_tests.rig.hub import Hub
from hil_tests.rig.interpreter import micropython
from hil_tests.rig.links import Links
from hil_tests.rig.loop import Loop
from hil_tests.rig.roll_call import RollCall
from hil_tests.rig.site import Board, Bus, Site

Result = TypeVar("Result")
Load = Callable[[Path, Board, Bus], None]
# A thread that computes keeps the loop from its work for at most this long; characters are that short.
_SWITCH_S = 0.0005
_FILES_A_BOARD = 12  # five terminals with two ends, a process, a port


class Village:
    """`with Village(site, folder) as village:` or start() and stop(). `folder` gets flashes, links and control."""

    def __init__(self, site: Site, folder: Path, seed: int = 1, load: Load = fill) -> None:
        """`seed` makes noise and collisions repeatable; `load` puts the firmware onto a flash."""
        self._load = load
        self.site, self.folder = site, folder
        self._seed = seed
        self._loop: Loop | None = None
        self._thread = threading.Thread(target=self._run, name="gewu-rig", daemon=True)
        self._failure: BaseException | None = None
        self._hubs: dict[str, Hub] = {}
        self._devices: dict[str, Device] = {}
        self._bootloaders: Bootloaders | None = None
        self._control: ControlServer | None = None
        self._links: Links | None = None
        self._gateways: Gateways | None = None
        self._trips: list[dict[str, Any]] = []
        self._switch_s = sys.getswitchinterval()

    def __enter__(self) -> "Village":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, deadline_s: float | None = None) -> None:
        """Up, once every board answered; GewuError names the one that did not within `deadline_s`."""
        interpreter = micropython()
        boards = [(bus, board) for bus in self.site.bus for board in bus.board]
        _allow_files(len(boards) * _FILES_A_BOARD + 256)
        for bus, board in boards:
            self._load(self._flash(board.id), board, bus)
        for name in ("bus", "usb"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._loop = Loop()
        sys.setswitchinterval(_SWITCH_S)
        self._thread.start()
        try:
            self._links = Links(self.site.link)
            self._do(lambda: self._bring_up(interpreter))
            self._await_boards(deadline_s if deadline_s is not None else 20.0 + 1.5 * len(boards))
            self._gateways = Gateways(self.site.gateway)
            self._do(self._open_control)
        except OSError as error:
            self.stop()
            raise GewuError(f"The village cannot come up in {self.folder}: {error}.") from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Down: every child has ended when this returns. Flashes stay in the folder."""
        if self._loop is None:
            return
        if self._gateways is not None:
            self._gateways.close()  # before their buses go
        self._loop.stop()
        self._thread.join()
        self._take_down()
        if self._links is not None:
            self._links.close()
        self._loop.close()
        self._loop = None
        sys.setswitchinterval(self._switch_s)

    def wait(self) -> None:
        """Stay while the village is up; GewuError when it failed."""
        self._thread.join()
        if self._failure is not None:
            raise GewuError(f"The rig has failed: {self._failure!r}; start it again.") from self._failure

    def state(self) -> dict[str, Any]:
        """Contract section 7, with `rig` (the folder), `trips` and the counters of each bus beside it."""
        return self._do(self._state)

    def inject(self, board: str, pairs: dict[str, str]) -> None:
        """Change what `board` measures, or the faults of the bus of that name.

        ConfigurationError, nothing changed, names what is wrong.
        """
        self._do(lambda: self._inject(board, pairs))

    def fault(self, bus: str, pairs: dict[str, str]) -> None:
        """Set faults of `bus` (see `hub`); ConfigurationError, nothing changed, names what is wrong."""
        self._do(lambda: self._fault(bus, pairs))

    # --- In the caller's thread -------------------------------------------------------------------

    def _do(self, action: Callable[[], Result]) -> Result:
        if self._failure is not None:
            raise GewuError(f"The rig has failed: {self._failure!r}; start it again.") from self._failure
        if self._loop is None:
            raise GewuError("This village is not up: start it first.")
        future = self._loop.call(action)
        while not wait([future], timeout=0.5).done:
            if self._failure is not None:
                return self._do(action)  # which says so
        return future.result()

    def _await_boards(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while late := self._do(lambda: [name for name, device in self._devices.items() if not device.ready]):
            if time.monotonic() > deadline:
                raise GewuError(
                    f"Board {late[0]} did not answer within {seconds:.0f} s of its start: "
                    f"look at its firmware in {self._flash(late[0])}."
                )
            time.sleep(0.02)

    def _flash(self, board: str) -> Path:
        return self.folder / "boards" / board

    # --- In the loop's thread ---------------------------------------------------------------------

    def _run(self) -> None:
        assert self._loop is not None
        try:
            self._loop.run()
        except BaseException as error:  # kept, and told to the next who asks
            self._failure = error

    def _bring_up(self, interpreter: Path) -> None:
        assert self._loop is not None
        loop = self._loop
        for number, bus in enumerate(self.site.bus):
            dice = random.Random(f"{self._seed}/{number}/{bus.name}")
            hub = self._hubs[bus.name] = Hub(loop, bus, self.folder / "bus" / bus.name, dice)
            for board in bus.board:
                device = Device(loop, board, bus, wiring_of(board), self._flash(board.id), interpreter, self._note_trip)
                self._devices[board.id] = device
                hub.join(device.port)
                link = self.folder / "usb" / board.id
                link.unlink(missing_ok=True)
                link.symlink_to(device.usb)
                device.start()
                RollCall(loop, device)
        self._bootloaders = Bootloaders(loop, len(self._devices))

    def _open_control(self) -> None:
        assert self._loop is not None
        self._control = ControlServer(self._loop, self.folder, self._handle)

    def _take_down(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._bootloaders is not None:
            self._bootloaders.close()
        for hub in self._hubs.values():
            hub.close()
        for name, device in self._devices.items():
            device.close()
            (self.folder / "usb" / name).unlink(missing_ok=True)

    def _handle(self, request: dict[str, Any]) -> Any:
        match request["do"]:
            case "inject":
                return self._inject(request["board"], request["values"])
            case "fault":
                self._fault(request["bus"], request["values"])
            case "state":
                return self._state()
            case "world":
                return self._world(request["board"])
            case "late":
                return {"late_s": self._late(int(request["since_ms"]))}
            case other:
                raise ConfigurationError(f"A rig cannot {other!r}.")
        return {}

    def _inject(self, board: str, pairs: dict[str, str]) -> dict[str, int]:
        """Answers when it was done, in Unix ms, as `trips` counts. A bus, link or gateway means its faults."""
        beside = (self._hubs, self._links or (), self._gateways or ())
        if board not in self._devices and any(board in others for others in beside):
            self._fault(board, pairs)
            return {"at_ms": time.time_ns() // 1_000_000}
        device = self._device(board)
        values = parse_injection(pairs)
        if settled := {key: round(values[key]) for key in SETTLED if key in values}:
            resettle(self._flash(board), settled)
            values["kill"] = 1.0
        at_ms = time.time_ns() // 1_000_000
        device.inject(values)
        return {"at_ms": at_ms}

    def _world(self, board: str) -> dict[str, float]:
        """What really is at a board now: the truth that its meter is held against."""
        circuit = self._device(board).circuit
        assert self._loop is not None
        mains = circuit.mains(self._loop.now())
        return {
            "current": mains.current,
            "voltage": mains.voltage,
            "power": mains.current * mains.voltage * mains.power_factor,
            "frequency": mains.frequency,
            "residual": circuit.leaks(),
            "temperature": circuit.temperature,
        }

    def _late(self, since_ms: int) -> float:
        assert self._loop is not None
        return self._loop.latest(self._loop.now() - (time.time_ns() / 1e6 - since_ms) / 1000)

    def _device(self, board: str) -> Device:
        device = self._devices.get(board)
        if device is None:
            raise ConfigurationError(f"No board {board!r} in this rig: known are {', '.join(self._devices)}.")
        return device

    def _fault(self, bus: str, pairs: dict[str, str]) -> None:
        if self._links is not None and bus in self._links:
            self._links.inject(bus, pairs)
            return
        if self._gateways is not None and bus in self._gateways:
            self._gateways.inject(bus, pairs)
            return
        hub = self._hubs.get(bus)
        if hub is None:
            raise ConfigurationError(f"No bus {bus!r} in this rig: known are {', '.join(self._hubs)}.")
        hub.set_faults(pairs)

    def _note_trip(self, board: str, at_ms: int) -> None:
        self._trips.append({"board": board, "at_ms": at_ms})

    def _state(self) -> dict[str, Any]:
        assert self._bootloaders is not None
        ports = iter(self._bootloaders.ports)
        return {
            "buses": [
                {
                    "name": bus.name,
                    "port": str(self._hubs[bus.name].link),
                    "baud": bus.baud,
                    "parity": bus.parity,
                    "stopbits": bus.stopbits,
                    "bytes": self._hubs[bus.name].counters.bytes,
                    "busy_s": round(self._hubs[bus.name].counters.busy_s, 4),
                    "collisions": self._hubs[bus.name].counters.collisions,
                }
                for bus in self.site.bus
            ],
            "boards": [
                {
                    "id": board.id,
                    "bus": bus.name,
                    "address": board.address,
                    "profile": board.profile,
                    "usb": str(self.folder / "usb" / board.id),
                    "bootloader": f"socket://127.0.0.1:{next(ports)}",
                    "pid": self._devices[board.id].pid,
                    "closed": self._devices[board.id].circuit.closed,
                }
                for bus in self.site.bus
                for board in bus.board
            ],
            "trips": list(self._trips),
            "links": self._links.state() if self._links is not None else [],
            "gateways": self._gateways.state() if self._gateways is not None else [],
            "rig": str(self.folder),
        }


def _allow_files(count: int) -> None:
    """Raise the limit of open files as far as this user may: some systems begin with 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
