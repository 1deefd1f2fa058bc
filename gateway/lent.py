"""A line that a running gateway lends: technicians' commands on a port that it holds go through it.

The gateway's side answers the control request `line`; `LentLine` is the other side and is used like a `Line`.
Which gateway holds a port is seen from the process that has it open: the same process holds the lock of its data
folder. No file tells it, so nothing can be out of date.
"""

import os
import struct
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from gateway import control
from gateway.bus.port import data_folders, holding_processes
from gateway.bus.tap import Heard, Tap
from gateway.bus.transport import BROADCAST_TURNAROUND_S, Line
from gateway.bus.trouble import BusTrouble, PortTrouble
from gateway.bus.wire import wire_of
from gateway.errors import DeviceRefused, GewuError, TryAgain
from gateway.profile.model import Kind

T = TypeVar("T")
# A scan's question waits for the exchange under way and its own time-out, which is 10 s at most.
_ANSWER_S = 30.0
_CALLS = (
    "read",
    "read_file",
    "identity",
    "identity_object",
    "write_register",
    "write_registers",
    "write_coil",
    "write_coils",
)


class Lender(Protocol):
    """A bus as the gateway runs it."""

    name: str

    def ask(self, work: Callable[[Line], T]) -> Future[T]: ...


def answer(buses: Sequence[Lender], request: Mapping[str, Any]) -> dict[str, Any]:
    """The gateway's answer to `{"do": "line", "bus": NAME, "call": METHOD, "args": [...]}`.

    `{"result": ...}`, or what was wrong on the bus: `refused` with a Modbus exception code, `cause` with an
    address, `port`. Raises ValueError for what is no such request.
    """
    bus = next((bus for bus in buses if bus.name == request.get("bus")), None)
    call, args = request.get("call"), request.get("args")
    if bus is None or call not in _CALLS or not isinstance(args, list):
        raise ValueError("a request to a line needs the name of a bus, a known call and its arguments")
    try:
        result = bus.ask(lambda line: getattr(line, call)(*args)).result(_ANSWER_S)
    except DeviceRefused as refused:
        return {"refused": refused.code, "why": str(refused)}
    except BusTrouble as trouble:
        return {"cause": trouble.cause, "address": trouble.address, "why": str(trouble)}
    except PortTrouble as trouble:
        return {"port": str(trouble)}
    except (TypeError, struct.error, KeyError) as error:
        raise ValueError(f"the arguments of {call} are wrong: {error}") from error
    except TimeoutError as error:
        raise TryAgain(f"Bus {bus.name} did not come to it within {_ANSWER_S:g} s: try again.") from error
    return {"result": result}


def heard(buses: Sequence[Lender], request: Mapping[str, Any]) -> dict[str, Any]:
    """The gateway's answer to `{"do": "heard", "bus": NAME, "from": N}`: what its line said since number N.

    `{"next": N, "heard": [[ASKED_AT, REQUEST, ANSWERED_AT, ANSWER], ...]}`, frames as hexadecimal digits.
    """
    bus = next((bus for bus in buses if bus.name == request.get("bus")), None)
    number = request.get("from")
    tap = getattr(bus, "tap", None)
    if not isinstance(tap, Tap) or not isinstance(number, int):
        raise ValueError("there is no such line to listen to")
    following, fresh = tap.since(number)
    rows = [[one.asked_at, one.request.hex(), one.answered_at, one.answer.hex()] for one in fresh]
    return {"next": following, "heard": rows}


@dataclass(frozen=True)
class Holder:
    """A running gateway that serves a port: its data folder, and the bus as its status shows it."""

    data_dir: Path
    bus: dict[str, Any]

    def device(self, address: int) -> str | None:
        """The id of the device at `address`, when it is configured."""
        return next((str(device["id"]) for device in self.bus["devices"] if device["address"] == address), None)

    def heard(self, number: int) -> tuple[int, list[Heard]]:
        """What the line said since `number`, and the number to ask with next; see `Tap.since`."""
        said = control.ask(self.data_dir, "heard", bus=self.bus["name"], **{"from": number})
        if said is None:
            raise TryAgain(f"The gateway in {self.data_dir} has ended.")
        rows = [
            Heard(at, bytes.fromhex(asked), then, bytes.fromhex(answer)) for at, asked, then, answer in said["heard"]
        ]
        return int(said["next"]), rows

    def refreshed(self) -> "Holder":
        """The same bus now. Raises TryAgain when the gateway has ended."""
        found = serves(self.data_dir, str(self.bus["port"]))
        if found is None:
            raise TryAgain(f"The gateway in {self.data_dir} has ended or serves {self.bus['port']} no more.")
        return found


def holder_of(port: str) -> Holder | None:
    """The gateway that has `port` open, as far as this user may see; None when none has."""
    if "://" in port:
        return None
    for process in holding_processes(port):
        for data_dir in data_folders(process):
            found = serves(data_dir, port)
            if found is not None:
                return found
    return None


def serves(data_dir: Path, port: str) -> Holder | None:
    """The gateway running on `data_dir`, when one of its buses is on `port` (or has that name)."""
    status = control.ask(data_dir, "status") if data_dir.is_dir() else None
    for bus in status["buses"] if status else []:
        if port == bus["name"] or _same(port, bus["port"]):
            return Holder(data_dir, bus)
    return None


def _same(one: str, other: str) -> bool:
    return one == other or ("://" not in one and os.path.realpath(one) == os.path.realpath(other))


class LentLine(Line):
    """A `Line` whose every exchange is made by the gateway that holds the port."""

    def __init__(self, holder: Holder) -> None:
        self.name = str(holder.bus["name"])
        self.wire = wire_of(str(holder.bus["port"]), int(holder.bus["baud"]), "N", 1)
        self.busy_s = 0.0
        self._data_dir = holder.data_dir

    def close(self) -> None:
        """The port stays with the gateway."""

    def be_patient(self, seconds: float) -> None:
        """How long it waits is the gateway's own affair."""

    def read(self, unit: int, kind: Kind, address: int, count: int) -> list[int]:
        words: list[int] = self._call("read", unit, kind, address, count)
        return words

    def read_file(self, unit: int, file: int, record: int, count: int) -> list[int]:
        words: list[int] = self._call("read_file", unit, file, record, count)
        return words

    def identity(self, unit: int) -> dict[int, str]:
        return {int(number): str(text) for number, text in self._call("identity", unit).items()}

    def identity_object(self, unit: int, number: int) -> str:
        return str(self._call("identity_object", unit, number))

    def write_register(self, unit: int, address: int, value: int) -> None:
        self._call("write_register", unit, address, value)

    def write_registers(self, unit: int, address: int, values: Sequence[int]) -> None:
        self._call("write_registers", unit, address, list(values))

    def write_coil(self, unit: int, address: int, on: bool) -> None:
        self._call("write_coil", unit, address, on)

    def write_coils(self, unit: int, address: int, values: Sequence[bool]) -> None:
        self._call("write_coils", unit, address, list(values))

    def write_file(self, unit: int, file: int, record: int, values: Sequence[int]) -> None:
        self._call("write_file", unit, file, record, list(values))

    def broadcast_registers(
        self, address: int, values: Sequence[int], turnaround: float = BROADCAST_TURNAROUND_S
    ) -> None:
        raise GewuError("Broadcasts are the gateway's own.")

    def listen(self, seconds: float) -> bytes:
        raise GewuError("Listening needs the line itself; stop the gateway that holds it, or use `gewu bus sniff`.")

    def call(self, body: bytes, length: int) -> bytes:
        raise GewuError("Calling all boards at once needs the line itself; stop the gateway that holds it.")

    def _call(self, call: str, *args: Any) -> Any:
        said = control.ask(self._data_dir, "line", _ANSWER_S + 5, bus=self.name, call=call, args=list(args))
        if said is None:
            raise PortTrouble(f"The gateway in {self._data_dir} has ended; try again.")
        if "refused" in said:
            raise DeviceRefused(said["why"], said["refused"])
        if "cause" in said:
            raise BusTrouble(said["why"], said["cause"], said["address"])
        if "port" in said:
            raise PortTrouble(said["port"])
        return said["result"]
