"""How soon a record is at the broker's other side: alone, and while a backlog drains beside it.

The gateway is a child; a subscriber here sees when a reading or an event comes out of a real local broker.
"""

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.clock import SystemClock
from gateway.errors import GewuError
from gateway.outbox import Outbox
from gateway.records import from_rfc3339
from gateway.uplink import compact, native
from hil_tests.bench.row import Row
from hil_tests.bench.uplink_child import Job, Outcome
from hil_tests.bench.uplink_drain import Encoding, route
from hil_tests.bench.uplink_load import READINGS_A_DAY, fill
from hil_tests.brokers import Mosquitto

MAX_DELAY_S = 2.0
_ALONE_MS = 20.0 + MAX_DELAY_S * 1000
_EVENT_MS = 30.0
_LIVE_MS = 2000.0
_DELAY_BESIDE_S = 1.0  # what a live reading waits on purpose is part of its 2 s
_ALARM_MS = 200.0
_MEMORY_MB = 20.0
_ALARMS_A_S = 5.0
_MORE_S = 60.0
_MOST_LIVE_BYTES = 16_000  # packed: what is larger is a block of the backlog


class _FarEnd:
    """Subscribes to everything and notes, in milliseconds, how old each live reading and each event is."""

    def __init__(self, port: int) -> None:
        self.readings: list[float] = []
        self.events: list[float] = []
        self._packed: list[tuple[float, bytes]] = []
        self._ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe("gewu/#", 0)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _client, _data, message: self._take(message.topic, bytes(message.payload))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        if not self._ready.wait(_MORE_S):
            raise GewuError("The broker lets nobody subscribe: nothing can be measured.")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        for when, payload in self._packed:
            self._look_at(when, payload)

    def _take(self, topic: str, payload: bytes) -> None:
        now = time.time_ns() / 1e6
        if topic.endswith("/events"):
            event = native.parse("events", payload)
            self.events.append(now - from_rfc3339(event.raised))  # type: ignore[union-attr]  # by its topic
        elif topic.endswith("/readings") and b'"live' in payload:
            self._look_at(now, payload)
        elif payload.startswith(compact.MAGIC) and len(payload) <= _MOST_LIVE_BYTES:
            self._packed.append((now, payload))  # unpacking them meanwhile would take the drain's processor

    def _look_at(self, now: float, payload: bytes) -> None:
        live = [r for r in native.decode(payload)["readings"] if r["device"].startswith("live")]
        self.readings += [now - from_rfc3339(reading["at"]) for reading in live]


def rows(days: float, seconds: float) -> list[Row]:
    """Records alone for `seconds`, then beside a backlog of `days` of the design load, in JSON and compact."""
    alone = _run(0, seconds, "json", MAX_DELAY_S)
    found = [
        _row("design load, nothing queued", "reading_p99", _p99(alone[1].readings), _ALONE_MS),
        _row("design load, nothing queued", "event_p99", _p99(alone[1].events), _EVENT_MS),
    ]
    for encoding in ("json", "compact"):
        case = f"a backlog of {days:g} days, {encoding}"
        outcome, far = _run(int(days * READINGS_A_DAY), 2 * seconds, encoding, _DELAY_BESIDE_S)
        grown = outcome.most_mb - outcome.before_mb
        found.append(Row(case=case, metric="memory_growth", value=round(grown, 1), unit="MB", limit=_MEMORY_MB))
        found.append(_row(case, "live_p99", _p99(far.readings), _LIVE_MS))
        found.append(_row(case, "alarm_p99", _p99(far.events), _ALARM_MS))
        drained = outcome.drained_s
        if drained is not None:
            found.append(Row(case=case, metric="drained_after", value=round(drained, 1), unit="s"))
        else:
            found.append(Row(case=case, metric="left", value=outcome.queued, unit="readings"))
    return found


def _row(case: str, metric: str, value: float, limit: float) -> Row:
    return Row(case=case, metric=metric, value=round(value, 1), unit="ms", limit=limit)


def _run(backlog: int, seconds: float, encoding: Encoding, max_delay: float) -> tuple[Outcome, _FarEnd]:
    with Mosquitto() as broker, tempfile.TemporaryDirectory(prefix="gewu-bench-") as name:
        _prepare(Path(name), backlog, encoding)
        far = _FarEnd(broker.port)
        try:
            job = Job(name, broker.url, encoding, max_delay, seconds, _ALARMS_A_S)
            child = subprocess.run(
                [sys.executable, "-m", "hil_tests.bench.uplink_child"],
                input=msgspec.json.encode(job), capture_output=True, timeout=seconds + _MORE_S, check=False,
            )  # fmt: skip
            if child.returncode:
                raise GewuError(f"The gateway under measurement failed: {child.stderr.decode()[-500:]}")
            return msgspec.json.decode(child.stdout, type=Outcome), far
        finally:
            far.close()


def _prepare(folder: Path, backlog: int, encoding: Encoding) -> None:
    """An outbox as an outage leaves it: full, and packed by its own upkeep."""
    outbox = Outbox(folder, SystemClock(), [route(encoding)])
    try:
        fill(outbox, backlog, time.time_ns() // 10**6)
    finally:
        outbox.close()


def _p99(ages: list[float]) -> float:
    if not ages:
        raise GewuError("Nothing came out of the broker: nothing can be measured.")
    return sorted(ages)[min(len(ages) - 1, int(len(ages) * 0.99))]
