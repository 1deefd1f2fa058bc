"""Bytes on the wire at design load: counted at a TCP proxy before a real broker, TLS and MQTT headers included.

Both directions count, the confirmations too; TCP and IP headers are the network's and do not. The connection
is up before counting begins, for it happens once.
"""

import random
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from gateway.clock import SystemClock
from gateway.config.routes import Route
from gateway.errors import GewuError
from gateway.outbox import Outbox
from gateway.uplink import Uplink, UplinkSettings
from hil_tests.bench.authority import issue
from hil_tests.bench.row import Row
from hil_tests.bench.uplink_drain import Encoding
from hil_tests.bench.uplink_load import DEVICES, PERIOD_S, VALUES, Load
from hil_tests.brokers import Mosquitto
from hil_tests.faults.network import Proxy

_PATIENCE_S = 60.0


class Way(NamedTuple):
    """One uplink under measurement."""

    encoding: Encoding
    max_delay: float
    limit: float | None

    @property
    def name(self) -> str:
        return f"{self.encoding}-{self.max_delay:g}"


WAYS = (Way("compact", 2.0, 3.0), Way("compact", 10.0, 2.0), Way("json", 2.0, None), Way("json", 10.0, None))


def rows(seconds: float) -> list[Row]:
    """Feed one outbox with the design load for `seconds`, and count what each uplink costs."""
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="gewu-bench-")))
        ca, cert, key = issue(folder)
        broker = ending.enter_context(Mosquitto(extra=f"certfile {cert}\nkeyfile {key}\ncafile {ca}"))
        routes = [
            Route(name=way.name, acks=False, max_delay=way.max_delay, whole_blocks=way.encoding == "compact")
            for way in WAYS
        ]
        outbox = Outbox(folder / "data", SystemClock(), routes)
        ending.callback(outbox.close)
        outbox.start()
        proxies = [ending.enter_context(Proxy("127.0.0.1", broker.port)) for _ in WAYS]
        uplinks = [_uplink(way, proxy.port, ca, outbox) for way, proxy in zip(WAYS, proxies, strict=True)]
        for uplink in uplinks:
            ending.callback(uplink.stop)
            uplink.start()
        _await_connections(uplinks)
        before = [_bytes(proxy) for proxy in proxies]
        count = _feed(outbox, seconds)
        _await_delivery(outbox)
        spent = [_bytes(proxy) - start for proxy, start in zip(proxies, before, strict=True)]
    return [
        Row(
            case=f"design load, {way.encoding}, max_delay {way.max_delay:g} s, TLS", metric="bytes_per_value",
            value=round(total / (count * VALUES), 2), unit="B", limit=way.limit,
        )
        for way, total in zip(WAYS, spent, strict=True)
    ]  # fmt: skip


def _uplink(way: Way, port: int, ca: Path, outbox: Outbox) -> Uplink:
    chosen = UplinkSettings(
        name=way.name, site="qingxi", gateway="qingxi-01", url=f"mqtts://127.0.0.1:{port}", encoding=way.encoding, ca=ca
    )
    return Uplink.of(chosen, outbox, SystemClock(), dict)


def _bytes(proxy: Proxy) -> int:
    return proxy.passed["up"] + proxy.passed["down"]


def _feed(outbox: Outbox, seconds: float) -> int:
    """Readings as polls bring them: spread over the period, a little unevenly. Returns how many."""
    load, chance, pause = Load(), random.Random(1), threading.Event()
    began, count = time.monotonic(), 0
    while (due := count * PERIOD_S / DEVICES) < seconds:
        pause.wait(max(0.0, began + due + chance.random() * 0.05 - time.monotonic()))
        outbox.put_reading(load.reading(time.time_ns() // 10**6))
        count += 1
    return count


def _await_connections(uplinks: Sequence[Uplink]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not all(uplink.status().connected for uplink in uplinks):
        if time.monotonic() > deadline:
            raise GewuError(f"An uplink does not connect: {[uplink.status().trouble for uplink in uplinks]}")
        time.sleep(0.05)
    time.sleep(1.0)  # births, subscriptions and the first health message are the connection's, not the load's


def _await_delivery(outbox: Outbox) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while outbox.stats().queued:
        if time.monotonic() > deadline:
            raise GewuError("The uplinks do not deliver: nothing can be measured.")
        time.sleep(0.05)
