"""How fast a backlog leaves: the whole way from the outbox to a real broker's confirmation."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median
from typing import Literal, NamedTuple

from gateway import columns
from gateway.clock import SystemClock
from gateway.config.routes import Route
from gateway.errors import GewuError
from gateway.outbox import Outbox
from gateway.records import Message
from gateway.uplink import Uplink, UplinkSettings, native
from hil_tests.bench.row import Row
from hil_tests.bench.uplink_load import VALUES, fill, lengthen, past
from hil_tests.bench.uplink_raw import Bare, one_object_each
from hil_tests.bench.uplink_ready import Ready
from hil_tests.brokers import Mosquitto
from hil_tests.faults.network import Proxy

WINDOW = 16
NAME = "bench"
LEAST_SHARE = 0.8  # of bare paho's messages
LEAST_TIMES = 20.0  # the values of one object a device and poll
Encoding = Literal["json", "compact"]
_PATIENCE_S = 300.0
_RUNS = 3  # in turns with what stands beside them: the middle one counts
_SAMPLES = 100
_LEAST_MESSAGES = 1500  # of a rate: fewer are over before they can be timed
_FILLED = 40_960
_BLOCK = 4096
_PLAIN_READINGS = 4000


def route(encoding: Encoding, max_delay: float = 0.0) -> Route:
    """The way of the benchmark's uplink through the outbox."""
    return Route(name=NAME, acks=False, max_delay=max_delay, whole_blocks=encoding == "compact")


def settings(url: str, encoding: Encoding) -> UplinkSettings:
    """The benchmark's uplink, with the defaults of the product."""
    return UplinkSettings(name=NAME, site="bench", gateway="g1", url=url, encoding=encoding, window=WINDOW)


class Drained(NamedTuple):
    """What one drain took, in seconds and in processor time of this process."""

    messages: int
    seconds: float
    cpu: float


class _Run(NamedTuple):
    """One drain, and what stood beside it in the same moments: messages and values a second, seconds of processor."""

    rate: float
    values: float
    cpu: float
    raw: float
    raw_cpu: float
    plain: float
    ready: float


def rows(encoding: Encoding, readings: int, delay: float = 0.0) -> list[Row]:
    """Drain at least `readings` readings, beside both raw ways over the same line to the same broker.

    `delay` in seconds is that of the line, each way: with none the processor is the bound, with some the window.
    """
    with (
        Mosquitto() as broker,
        Proxy("127.0.0.1", broker.port) as proxy,
        tempfile.TemporaryDirectory(prefix="gewu-bench-") as folder,
    ):
        proxy.sickness.delay = delay
        port = proxy.port if delay else broker.port
        filled, samples = Path(folder) / "filled", Path(folder) / "samples"
        _filled(filled, encoding, readings).close()
        shutil.copytree(filled, samples)
        messages = _samples(samples, encoding)
        runs = [_run(filled, Path(folder) / "drained", encoding, messages, port, delay) for _ in range(_RUNS)]
    line = f"a line of {2000 * delay:g} ms there and back" if delay else "loopback"
    size = mean(len(native.encode(message, encoding == "compact")[1]) for message in messages) / 1000
    case = f"draining a backlog, {encoding}, {size:.1f} kB a message, {line}"
    middle = _Run(*map(median, zip(*runs, strict=True)))
    share = median(run.rate / run.raw for run in runs)
    times = median(run.values / run.plain for run in runs)
    found = [
        Row(case=case, metric="messages_per_s", value=round(middle.rate), unit="1/s", peer=round(middle.raw)),
        Row(case=case, metric="share_of_bare_paho", value=round(share, 2), unit="", limit=LEAST_SHARE),
        Row(case=case, metric="values_per_s", value=round(middle.values), unit="1/s", peer=round(middle.plain)),
        Row(case=case, metric="times_one_object_each", value=round(times, 1), unit="", limit=LEAST_TIMES),
    ]
    return found if delay else found + _why(case, runs, middle, messages)


def _why(case: str, runs: list[_Run], middle: _Run, messages: list[Message]) -> list[Row]:
    """Processor time bounds a drain over loopback: whose it is tells what could be spared."""
    ready = median(run.ready / run.raw for run in runs)
    unpacking = round(_unpacking(messages) * 1e6)
    cpu, raw_cpu = round(middle.cpu * 1e6), round(middle.raw_cpu * 1e6)
    return [
        Row(case=case, metric="cpu_us_per_message", value=cpu, unit="us", peer=raw_cpu),
        Row(case=case, metric="unpacking_us_per_message", value=unpacking, unit="us"),
        Row(case=case, metric="share_with_messages_ready", value=round(ready, 2), unit=""),
    ]


def _run(filled: Path, folder: Path, encoding: Encoding, samples: list[Message], port: int, delay: float) -> _Run:
    chosen = settings(f"mqtt://127.0.0.1:{port}", encoding)
    shutil.copytree(filled, folder)
    outbox = Outbox(folder, SystemClock(), [route(encoding)])
    try:
        values = outbox.stats().queued * VALUES
        drained = _drain(outbox, chosen)
    finally:
        outbox.close()
        shutil.rmtree(folder)
    payloads = [native.encode(message, encoding == "compact")[1] for message in samples]
    repeated = payloads * (1 if delay else 1 + _LEAST_MESSAGES // len(payloads))
    with Bare(port, WINDOW) as bare:
        cpu = time.process_time()
        raw = bare.rate(native.topic("bench", "g1", "readings"), repeated)
        cpu = (time.process_time() - cpu) / len(repeated)
    return _Run(
        rate=drained.messages / drained.seconds,
        values=values / drained.seconds,
        cpu=drained.cpu / drained.messages,
        raw=raw,
        raw_cpu=cpu,
        plain=_one_object_each(port, 500 if delay else _PLAIN_READINGS),
        ready=0.0 if delay else _ready(samples, chosen),
    )


def _filled(folder: Path, encoding: Encoding, readings: int) -> Outbox:
    """An outbox with a backlog, packed; beyond some ten blocks it repeats itself."""
    outbox = Outbox(folder, SystemClock(), [route(encoding)])
    fill(outbox, min(readings, _FILLED), time.time_ns() // 10**6)
    if readings <= _FILLED:
        return outbox
    while outbox.tend():
        pass
    outbox.close()
    lengthen(folder, readings)
    return Outbox(folder, SystemClock(), [route(encoding)])


def _drain(store: Outbox | Ready, chosen: UplinkSettings) -> Drained:
    uplink = Uplink.of(chosen, store, SystemClock(), dict)
    try:
        uplink.start()
        _until(lambda: uplink.status().connected)
        began, cpu = time.monotonic(), time.process_time()
        _until(lambda: store.due_in(NAME) is None and not store.undelivered(NAME))
        return Drained(uplink.status().confirmed, time.monotonic() - began, time.process_time() - cpu)
    finally:
        uplink.stop(5.0)


def _ready(samples: list[Message], chosen: UplinkSettings) -> float:
    """Messages a second of the same uplink when they need not be fetched, numbered or unpacked."""
    drained = _drain(Ready(samples, _LEAST_MESSAGES), chosen)
    return drained.messages / drained.seconds


def _samples(folder: Path, encoding: Encoding) -> list[Message]:
    """Some of the messages that leave from the outbox in `folder`."""
    outbox = Outbox(folder, SystemClock(), [route(encoding)])
    try:
        return outbox.next_messages(NAME, _SAMPLES, _SAMPLES)
    finally:
        outbox.close()


def _unpacking(samples: list[Message]) -> float:
    """Seconds of processor time that it takes to make text of the readings of a message; 0 where none is made."""
    if any(isinstance(message.records, columns.Packed) for message in samples):
        return 0.0
    block = columns.pack(list(past(_BLOCK, time.time_ns() // 10**6)))
    spent = []
    for _ in range(5):
        began = time.thread_time()
        apart = columns.opened(block)
        assert isinstance(apart, columns.Unpacked)
        apart.lines()
        spent.append(time.thread_time() - began)
    return median(spent) / _BLOCK * mean(len(message.records) for message in samples)


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
