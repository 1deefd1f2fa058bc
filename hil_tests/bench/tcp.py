"""Modbus TCP under measurement: 200 devices with 10 values each, read ten times a second, none of them missed.

The slaves are unit ids behind one server in a process of its own, which answers at once.
"""

import os
import selectors
import socket
import subprocess
import sys
from collections.abc import Iterator

from gateway.config import Bus, Device
from gateway.profile import Profile
from hil_tests.bench.measure import BusUnderMeasurement
from hil_tests.bench.row import Row

DEVICES, VALUES, PERIOD_S = 200, 10, 0.1
MOST_CPU = 0.5
_HEADER = 6  # transaction, protocol, length; then unit, function, start, quantity


def rows(seconds: float) -> Iterator[Row]:
    """Values a second, the share of them that was missed, the period as kept, and the processor time."""
    command = [sys.executable, "-m", "hil_tests.bench.tcp"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with BusUnderMeasurement(_bus(port), alarm_s=PERIOD_S) as measured:
            measured.await_contact()
            figures = measured.watch(seconds)
    finally:
        process.communicate()
    case = f"tcp {DEVICES} devices, {VALUES} values at {PERIOD_S * 1000:g} ms"
    missed = max(0.0, 1 - figures.values_per_s / (DEVICES * VALUES / PERIOD_S))
    yield Row(case=case, metric="values_per_s", value=round(figures.values_per_s, 1), unit="1/s")
    # Two decimals: where the stretch begins and ends inside a period is worth less than that
    yield Row(case=case, metric="missed", value=round(missed, 2), unit="", limit=0.0)
    yield Row(case=case, metric="sweep_s", value=round(figures.sweep_s, 4), unit="s")
    yield Row(case=case, metric="cpu", value=round(figures.cpu, 4), unit="core", limit=MOST_CPU)


def _bus(port: int) -> Bus:
    registers = [
        {"name": f"r{n}", "kind": "input", "address": n, "type": "u16", "poll": "alarm"} for n in range(VALUES)
    ]
    profile = Profile.model_validate({"profile": {"name": "ten"}, "register": registers})
    devices = [
        Device(id=f"d{n}", profile="ten", address=n, place="", critical=False).defined(profile)
        for n in range(1, DEVICES + 1)
    ]
    settings = {"name": "bench", "port": f"tcp://127.0.0.1:{port}", "device": devices}
    return Bus.model_validate(settings, strict=False)


def main() -> None:
    """The server's process: says its port, then answers reads until standard input ends."""
    server = socket.create_server(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        selector.register(server, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == 0:
                    return
                if key.fileobj is server:
                    selector.register(server.accept()[0], selectors.EVENT_READ)
                elif isinstance(key.fileobj, socket.socket):
                    _serve(key.fileobj, selector)


def _serve(connection: socket.socket, selector: selectors.BaseSelector) -> None:
    request = connection.recv(_HEADER + 6)
    if len(request) < _HEADER + 6:
        selector.unregister(connection)
        connection.close()
        return
    count = request[_HEADER + 5]
    data = os.urandom(2 * count)  # every value moves with every read
    body = request[_HEADER : _HEADER + 2] + bytes((2 * count,)) + data
    connection.sendall(request[:4] + len(body).to_bytes(2, "big") + body)


if __name__ == "__main__":
    main()
