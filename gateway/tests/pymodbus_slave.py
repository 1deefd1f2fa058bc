"""A Modbus slave on a pty or on TCP, made of another implementation (pymodbus), for the tests to disagree with.

Registers hold what a test puts there; one thread runs the server. Not for use outside tests.
"""

import asyncio
import os
import select
import socket
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pymodbus.pdu.device import ModbusDeviceIdentification
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

REGISTERS = 200


@dataclass
class Slave:
    """The port a master opens, and the far end of the pty."""

    port: str
    far: str


def device(unit: int, inputs: dict[int, int] | None = None, holding: dict[int, int] | None = None) -> SimDevice:
    """A device with 200 input and holding registers and 64 coils and discretes (bit 0 of each is on)."""

    def block(values: dict[int, int] | None) -> list[SimData]:
        words = [(values or {}).get(address, 0) for address in range(REGISTERS)]
        return [SimData(0, values=words, datatype=DataType.REGISTERS)]

    bits = [SimData(0, values=[True] + [False] * 63, datatype=DataType.BITS)]
    return SimDevice(unit, simdata=(list(bits), list(bits), block(holding), block(inputs)))


@contextmanager
def pty_pair() -> Iterator[Slave]:
    """Two ptys joined: what is written to `port` is read from `far`, and the other way round."""
    near_master, near = os.openpty()
    far_master, far = os.openpty()
    for end in (near, far, near_master, far_master):
        tty.setraw(end)
    stop_read, stop_write = os.pipe()
    pump = threading.Thread(target=_pump, args=(near_master, far_master, stop_read), daemon=True)
    pump.start()
    try:
        yield Slave(os.ttyname(near), os.ttyname(far))
    finally:
        os.write(stop_write, b"x")
        pump.join(5)
        for end in (near, far, near_master, far_master, stop_read, stop_write):
            os.close(end)


@contextmanager
def serving(devices: list[SimDevice], vendor: str = "", product: str = "", baud: int = 115200) -> Iterator[Slave]:
    """A pymodbus RTU server with `devices` on a pty pair."""
    identity = _identity(vendor, product)
    with (
        pty_pair() as pair,
        _running(lambda: ModbusSerialServer(devices, port=pair.far, baudrate=baud, identity=identity)),
    ):
        yield pair


@contextmanager
def serving_tcp(devices: list[SimDevice], vendor: str = "", product: str = "") -> Iterator[str]:
    """A pymodbus TCP server with `devices` on the loopback; its tcp:// address."""
    identity = _identity(vendor, product)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with _running(lambda: ModbusTcpServer(devices, address=("127.0.0.1", port), identity=identity)):
        yield f"tcp://127.0.0.1:{port}"


def _identity(vendor: str, product: str) -> ModbusDeviceIdentification:
    names = {"VendorName": vendor, "ProductCode": product}
    return ModbusDeviceIdentification(info_name=names)  # type: ignore[no-untyped-call]


@contextmanager
def _running(make: Callable[[], ModbusSerialServer | ModbusTcpServer]) -> Iterator[None]:
    """A server in a thread of its own."""
    started = threading.Event()
    stop: list[Callable[[], None]] = []

    async def main() -> None:
        server = make()
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def end() -> None:
            loop.call_soon_threadsafe(done.set)

        stop.append(end)
        await server.serve_forever(background=True)
        started.set()
        await done.wait()
        await server.shutdown()  # type: ignore[no-untyped-call]

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert started.wait(10), "the pymodbus server did not start"
    try:
        yield
    finally:
        stop[0]()
        thread.join(10)


def _pump(one: int, other: int, stop: int) -> None:
    while True:
        ready, _, _ = select.select([one, other, stop], [], [])
        if stop in ready:
            return
        for end in ready:
            os.write(other if end == one else one, os.read(end, 4096))
