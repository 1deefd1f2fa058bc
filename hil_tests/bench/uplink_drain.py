"""How fast a backlog leaves: the whole way from the outbox to a real broker's confirmation."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Literal, NamedTuple

from gateway.clock import SystemClock
from gateway.config.routes import Route
from gateway.errors import GewuError
from gateway.outbox import Outbox
from gateway.uplink import Uplink, UplinkSettings, native
from hil_tests.bench.row import Row
from hil_tests.bench.uplink_load import VALUES, fill, past
from hil_tests.bench.uplink_raw import Bare, one_object_each
from hil_tests.brokers import Mosquitto
from hil_tests.faults.network import Proxy

WINDOW = 16
NAME = "bench"
LEAST_SHARE = 0.8  # of bare paho's messages
LEAST_TIMES = 20.0  # the values of one object a device and poll
Encoding = Literal["json", "compact"]
_PATIENCE_S = 300.0
_SAMPLES = 100
_PLAIN_READINGS = 4000


def route(encoding: Encoding, max_delay: float = 0.0) -> Route:
    """The way of the benchmark's uplink through the outbox."""
    return Route(name=NAME, acks=False, max_delay=max_delay, whole_blocks=encoding == "compact")


def settings(url: str, encoding: Encoding) -> UplinkSettings:
    """The benchmark's uplink, with the defaults of the product."""
    return UplinkSettings(name=NAME, site="bench", gateway="g1", url=url, encoding=encoding, window=WINDOW)


class Drained(NamedTuple):
    """What one drain took, and some of the payloads that it sent."""

    messages: int
    seconds: float
    payloads: list[bytes]


def rows(encoding: Encoding, readings: int, delay: float = 0.0) -> list[Row]:
    """Drain `readings` readings, beside both raw ways over the same line to the same broker.

    `delay` in seconds is that of the line, each way: with none the processor is the bound, with some the window.
    """
    with (
        Mosquitto() as broker,
        Proxy("127.0.0.1", broker.port) as proxy,
        tempfile.TemporaryDirectory(prefix="gewu-bench-") as folder,
    ):
        proxy.sickness.delay = delay
        port = proxy.port if delay else broker.port
        outbox = Outbox(Path(folder), SystemClock(), [route(encoding)])
        try:
            fill(outbox, readings, time.time_ns() // 10**6)
            plain = [_one_object_each(port, 1000 if delay else _PLAIN_READINGS)]
            drained = _drain(outbox, settings(f"mqtt://127.0.0.1:{port}", encoding))
            topic = native.topic("bench", "g1", "readings")
            with Bare(port, WINDOW) as bare:
                raw = mean(bare.rate(topic, drained.payloads * (1 if delay else 5)) for _ in range(3))
            plain.append(_one_object_each(port, 1000 if delay else _PLAIN_READINGS))
        finally:
            outbox.close()
    rate = drained.messages / drained.seconds
    values = readings * VALUES / drained.seconds
    times = values / mean(plain)
    size = mean(map(len, drained.payloads)) / 1000
    line = f"a line of {2000 * delay:g} ms there and back" if delay else "loopback"
    case = f"draining a backlog, {encoding}, {size:.1f} kB a message, {line}"
    return [
        Row(case=case, metric="messages_per_s", value=round(rate), unit="1/s", peer=round(raw)),
        Row(case=case, metric="share_of_bare_paho", value=round(rate / raw, 2), unit="", limit=LEAST_SHARE),
        Row(case=case, metric="values_per_s", value=round(values), unit="1/s", peer=round(mean(plain))),
        Row(case=case, metric="times_one_object_each", value=round(times, 1), unit="", limit=LEAST_TIMES),
    ]


def _drain(outbox: Outbox, chosen: UplinkSettings) -> Drained:
    uplink = Uplink.of(chosen, outbox, SystemClock(), dict)
    try:
        uplink.start()
        _until(lambda: uplink.status().connected)
        began = time.monotonic()
        _until(lambda: outbox.due_in(NAME) is None and not outbox.undelivered(NAME))
        seconds = time.monotonic() - began
        return Drained(uplink.status().confirmed, seconds, _sample(outbox, chosen))
    finally:
        uplink.stop(5.0)


def _sample(outbox: Outbox, chosen: UplinkSettings) -> list[bytes]:
    """The payloads of some of the messages, which the outbox keeps for a replay."""
    messages = [outbox.message(NAME, seq) for seq in range(1, _SAMPLES + 1)]
    return [native.encode(message, chosen.encoding == "compact")[1] for message in messages if message is not None]


def _one_object_each(port: int, count: int) -> float:
    """Values a second of one object a device and poll."""
    with Bare(port, WINDOW) as bare:
        readings = list(past(count, time.time_ns() // 10**6))
        return bare.rate("v1/gateway/telemetry", one_object_each(readings)) * VALUES


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not done():
        if time.monotonic() > deadline:
            raise GewuError("The backlog does not drain: nothing can be measured.")
        time.sleep(0.005)
