"""A breaker's mailbox behind a bus, in memory: the protocol of docs/firmware.md, "Authority", with faults on demand."""

import hmac
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from hashlib import sha256
from typing import Any, TypeVar

from gateway.bus.trouble import no_use
from gateway.bus.wire import Wire
from gateway.config import Device
from gateway.profile import Register, load
from gateway.records import Value

T = TypeVar("T")
KEY = bytes(range(32))
BREAKER = load("gewu-breaker")


class FakeBreaker:
    """The far end of a Line. `lose`: what happens to the next writes, "frame" (it never arrives) or "answer"."""

    def __init__(self, serial: str = "GW-1") -> None:
        self.serial = serial
        self.wire = Wire(9600, "N", 1)
        self.values: dict[str, Any] = dict.fromkeys(BREAKER.by_value, 0)
        self.values |= {"closed": True, "contact": True, "nonce_high": 1, "nonce_low": 2, "serial": serial}
        self.lose: list[str] = []
        self.silent = False
        self.stuck = False
        self.refuses: int | None = None
        self.frames = 0
        self.moves: list[str] = []

    def read(self, unit: int, kind: str, address: int, count: int) -> list[int]:
        self._there("a read")
        words = [0] * count
        for register in BREAKER.registers:
            if register.kind == kind and address <= register.address and register.end <= address + count:
                start = register.address - address
                words[start : start + register.size] = self._raw(register)
        return words

    def _raw(self, register: Register) -> list[int]:
        if register.type == "bits":
            return [sum(1 << bit for bit, name in register.bits if self.values[name])]
        value = self.values[register.name]
        if register.kind in ("coil", "discrete"):
            return [int(value)]
        size = 2 * register.size
        number = value.encode().ljust(size, b"\0") if isinstance(value, str) else _raw(register, value, size)
        return list(struct.unpack(f">{register.size}H", number))

    def write_registers(self, unit: int, address: int, values: Sequence[int]) -> None:
        fault = self.lose.pop(0) if self.lose else ""
        if fault != "frame":
            assert BREAKER.mailbox is not None
            if address == BREAKER.mailbox.command_register:
                self._judge(struct.pack(f">{len(values)}H", *values))
        if fault:
            raise no_use("no-answer", "north", unit, "a write")

    def write_register(self, unit: int, address: int, value: int) -> None:
        self._there("a write")
        register = next(r for r in BREAKER.registers if r.kind == "holding" and r.address == address)
        self.values[register.name] = value

    def write_coil(self, unit: int, address: int, on: bool) -> None:
        self._there("a write")
        register = next(r for r in BREAKER.registers if r.kind == "coil" and r.address == address)
        self.values[register.name] = on

    def _there(self, what: str) -> None:
        if self.silent:
            raise no_use("no-answer", "north", 1, what)

    def _judge(self, data: bytes) -> None:
        self.frames += 1
        self.values["commands_judged"] += 1
        length = 18 + data[1]
        head, mac = data[:length], data[length : length + 32]
        code, counter = data[0], struct.unpack(">I", data[6:10])[0]
        right = hmac.digest(KEY, b"gewu-command-1" + self.serial.encode().ljust(16, b"\0") + head, sha256)
        if mac != right:
            self.values["command_result"] = 5
        elif counter <= self.values["command_counter"]:
            self.values["command_result"] = 6
        else:
            self.values["command_counter"] = counter
            self.values["command_result"] = self.refuses or 1
            if self.refuses is None:
                self._move(code)

    def _move(self, code: int) -> None:
        self.moves.append({1: "open", 2: "close", 3: "set"}[code])
        if code in (1, 2) and not self.stuck:
            self.values["closed"] = self.values["contact"] = code == 2


def _raw(register: Register, value: float, size: int) -> bytes:
    return round((value - register.offset) / register.scale).to_bytes(size, "big", signed=value < 0)


class FakeBus:
    """Runs every question at once on the breaker; its status is what the breaker says."""

    name = "north"

    def __init__(self, breaker: FakeBreaker, device: str = "b1") -> None:
        self.breaker = breaker
        self._device = device

    def ask(self, work: Callable[[Any], T]) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(work(self.breaker))
        except Exception as error:
            future.set_exception(error)
        return future

    def latest(self) -> dict[str, Value]:
        return {name: value for name, value in self.breaker.values.items() if name in BREAKER.by_value}


def breaker_device(name: str = "b1", critical: bool = False) -> Device:
    """A configured Gewu breaker at address 1."""
    table = {"id": name, "profile": "gewu-breaker", "address": 1, "critical": critical, "place": "street/grid"}
    return Device.model_validate(table).defined(BREAKER)
