"""The gateway's half in a process of its own, so that its memory can be told from the benchmark's.

Reads one job on standard input, delivers a backlog and what is live to the broker, and prints one JSON line.
"""

import sys
import threading
import time
from pathlib import Path

import msgspec

from gateway import health
from gateway.clock import SystemClock
from gateway.outbox import Outbox
from gateway.prepared import prepared
from gateway.uplink import Uplink
from hil_tests.bench.uplink_drain import NAME, Encoding, route, settings
from hil_tests.bench.uplink_load import DEVICES, PERIOD_S, Load, alarm


@prepared
class Job(msgspec.Struct, frozen=True):
    """`seconds`: how long live readings and `alarms` a second are taken in while the uplink delivers."""

    folder: str
    url: str
    encoding: Encoding
    max_delay: float
    seconds: float
    alarms: float


@prepared
class Outcome(msgspec.Struct, frozen=True):
    """Megabytes of memory before the uplink began and at most; seconds until the backlog was gone, if it was."""

    before_mb: float
    most_mb: float
    drained_s: float | None
    queued: int


def work(job: Job) -> Outcome:
    """Deliver, and take in live records all the while."""
    clock = SystemClock()
    outbox = Outbox(Path(job.folder), clock, [route(job.encoding, job.max_delay)])
    uplink = Uplink.of(settings(job.url, job.encoding), outbox, clock, dict)
    before = most = health.rss_mb()
    drained: float | None = None
    outbox.start()
    began = time.monotonic()
    uplink.start()
    try:
        load, pause, readings, alarms = Load(2, "live"), threading.Event(), 0, 0
        while (now := time.monotonic() - began) < job.seconds:
            if now * DEVICES / PERIOD_S >= readings:
                outbox.put_reading(load.reading(time.time_ns() // 10**6))
                readings += 1
            if now * job.alarms >= alarms + 1:
                outbox.accept_event(alarm(alarms, time.time_ns() // 10**6), str(alarms))
                alarms += 1
            if readings % 10 == 0:
                most = max(most, health.rss_mb())
            if drained is None and now > 1.0 and readings % 10 == 5 and outbox.due_in(NAME) != 0.0:
                drained = now
            pause.wait(0.005)
        return Outcome(before, most, drained, outbox.stats().queued)
    finally:
        uplink.stop(5.0)
        outbox.close()


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(work(msgspec.json.decode(sys.stdin.buffer.read(), type=Job))) + b"\n")
