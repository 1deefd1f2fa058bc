"""Another Modbus implementation reads a virtual breaker register by register and agrees with the gateway."""

import json
from typing import Any

import pytest
from pymodbus.client import ModbusSerialClient

from gateway.profile import load
from gateway.profile.decode import decode
from gateway.profile.model import Register
from hil_tests.end_to_end.scene import gewu, wait_for
from hil_tests.rig.village import Village

pytestmark = pytest.mark.integration

# What counts on by itself between the two readings, and by how much it may have moved meanwhile.
COUNTS_ON = {
    "sequence", "measure_age", "uptime", "bus_frames", "bus_requests", "clock", "trip_age", "energy",
    "nonce_high", "nonce_low", "nonce_age",
}  # fmt: skip
VARIES = {"current": 0.1, "voltage": 0.02, "power": 0.1, "frequency": 0.01, "thermal": 0.2}


def read(client: ModbusSerialClient, address: int, register: Register) -> list[int]:
    """The raw words or bit of one register, as pymodbus has them."""
    calls = {
        "coil": client.read_coils,
        "discrete": client.read_discrete_inputs,
        "holding": client.read_holding_registers,
        "input": client.read_input_registers,
    }
    answer: Any = calls[register.kind](register.address, count=register.size, device_id=address)
    assert not answer.isError(), f"{register.name}: {answer}"
    if register.kind in ("coil", "discrete"):
        return [int(answer.bits[0])]
    return list(answer.registers)


@pytest.mark.parametrize(("profile", "address"), [("gewu-breaker", 1), ("gewu-sensor", 2)])
def test_every_register_agrees(village: Village, profile: str, address: int) -> None:
    """Each register of the profile exists, and pymodbus and `gewu bus read` say the same of it."""
    (bus,) = village.state()["buses"]
    arguments = ("--port", bus["port"], "--baud", str(bus["baud"]), "--address", str(address), "--profile", profile)
    village.inject("b1" if address == 1 else "s1", {"current": "7.5", "voltage": "231"})

    def steady() -> dict[str, Any] | None:
        values: dict[str, Any] = json.loads(gewu("bus", "read", *arguments, "--json"))["values"]
        return values if values["current"] == pytest.approx(7.5, rel=0.05) else None

    ours = wait_for("a measurement of what was injected", steady)
    client = ModbusSerialClient(bus["port"], baudrate=bus["baud"], timeout=1)
    assert client.connect()
    try:
        for register in load(profile).registers:
            if not register.readable:
                continue
            for name, value in decode(register, read(client, address, register))[0].items():
                if name in VARIES:
                    assert value == pytest.approx(ours[name], rel=VARIES[name], abs=1.0), name
                elif name not in COUNTS_ON:
                    assert value == ours[name], name
    finally:
        client.close()  # type: ignore[no-untyped-call]


def test_what_does_not_exist_is_refused(village: Village) -> None:
    """The register after the last of each kind is answered with exception 02."""
    (bus,) = village.state()["buses"]
    client = ModbusSerialClient(bus["port"], baudrate=bus["baud"], timeout=1)
    assert client.connect()
    try:
        for kind in ("input", "holding"):
            registers = [register for register in load("gewu-breaker").registers if register.kind == kind]
            end = max(register.end for register in registers)
            call = client.read_input_registers if kind == "input" else client.read_holding_registers
            answer: Any = call(end - 1, count=2, device_id=1)
            assert answer.isError()
            assert answer.exception_code == 2
    finally:
        client.close()  # type: ignore[no-untyped-call]
