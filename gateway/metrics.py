"""Prometheus metrics of a running gateway: every queue, drop, retry and age, from its status when it is asked.

A registry of its own, so that nothing of the process or of other libraries is told. It reads and changes nothing.
`docs/metrics.md` describes each; a test fails when one is missing there, or when a count of a status is not told.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.errors import ConfigurationError, GewuError
from gateway.records import from_rfc3339

_log = logging.getLogger(__name__)

Snapshot = dict[str, Any]
"""`status` and `health` as `gateway.agent.Agent` gives them, `commands` (counts or None), `now` (Unix ms)."""
Sample = tuple[tuple[str, ...], float | None]
Kind = Literal["counter", "gauge"]


class Told(NamedTuple):
    """One metric: its samples are values by its labels; None is left out."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Snapshot], Iterable[Sample]]


def _one(name: str, kind: Kind, help: str, value: Callable[[Snapshot], float | None]) -> Told:
    return Told(name, kind, help, (), lambda snapshot: [((), value(snapshot))])


def _each(part: str, prefix: str, label: str, fields: dict[str, tuple[Kind, str]]) -> Iterator[Told]:
    """A metric for each field of the statuses in `part`, labelled with their name."""
    for field, (kind, help) in fields.items():

        def samples(snapshot: Snapshot, field: str = field) -> Iterator[Sample]:
            for one in snapshot["status"][part]:
                yield (one["name"],), one[field]

        yield Told(f"{prefix}_{field}", kind, help, (label,), samples)


def _store(field: str, kind: Kind, help: str) -> Told:
    return _one(f"gewu_store_{field}", kind, help, lambda snapshot: snapshot["status"]["store"][field])


def _oldest(snapshot: Snapshot) -> float:
    return _age(snapshot["status"]["store"]["oldest"], snapshot["now"])


def _age(oldest: int | None, now: int) -> float:
    return 0.0 if oldest is None else max(0.0, (now - oldest) / 1000)


def _queues(snapshot: Snapshot) -> Iterator[Sample]:
    for name, waits in snapshot["status"]["queues"].items():
        yield (name,), waits["queued"]


def _queue_ages(snapshot: Snapshot) -> Iterator[Sample]:
    for name, waits in snapshot["status"]["queues"].items():
        yield (name,), _age(waits["oldest"], snapshot["now"])


def _bus_errors(snapshot: Snapshot) -> Iterator[Sample]:
    for bus in snapshot["status"]["buses"]:
        for cause, count in bus["errors"].items():
            yield (bus["name"], cause), count


def _devices(value: Callable[[dict[str, Any], int], float | None]) -> Callable[[Snapshot], Iterator[Sample]]:
    def samples(snapshot: Snapshot) -> Iterator[Sample]:
        for bus in snapshot["status"]["buses"]:
            for device in bus["devices"]:
                yield (bus["name"], device["id"]), value(device, snapshot["now"])

    return samples


def _online(device: dict[str, Any], _now: int) -> float | None:
    return None if device["online"] is None else float(device["online"])


def _unseen(device: dict[str, Any], now: int) -> float | None:
    return None if device["last_seen"] is None else max(0.0, (now - device["last_seen"]) / 1000)


def _certificates(snapshot: Snapshot) -> Iterator[Sample]:
    for uplink, days in (snapshot["health"].get("certificate_days") or {}).items():
        for key, left in days.items():
            yield (uplink, key), left


def _commands(snapshot: Snapshot) -> Iterator[Sample]:
    for result, count in (snapshot["commands"] or {}).items():
        yield (result,), count


def _clock(worth: str) -> Callable[[Snapshot], float | None]:
    return lambda s: float(s["health"]["clock"] == worth)


def _health(*path: str) -> Callable[[Snapshot], float | None]:
    def value(snapshot: Snapshot) -> float | None:
        found: Any = snapshot["health"]
        for key in path:
            found = None if found is None else found.get(key)
        return None if found is None else float(found)

    return value


def _inbox_age(snapshot: Snapshot) -> float | None:
    inbox = snapshot["health"]["inbox"]
    if inbox is None:
        return None
    return 0.0 if inbox["oldest"] is None else max(0.0, (snapshot["now"] - from_rfc3339(inbox["oldest"])) / 1000)


def _kept(count: str) -> Callable[[Snapshot], float | None]:
    return lambda snapshot: snapshot["health"]["store"][count]


def _store_well(snapshot: Snapshot) -> float:
    return float(snapshot["health"]["store"]["trouble"] is None)


KNOWN = "gewu_state_known"
TOLD: tuple[Told, ...] = (
    _one(KNOWN, "gauge", "1; 0 while the store cannot be read, and then nothing else is told", lambda _: 1.0),
    _one("gewu_up_seconds", "gauge", "since the gateway started", lambda s: s["status"]["gateway"]["uptime_s"]),
    _store("accepted", "counter", "records committed, all streams"),
    _store("delivered", "counter", "records that every uplink and sink has delivered"),
    _store("queued", "gauge", "records that wait for at least one of them"),
    _store("dropped", "counter", "records dropped for want of room; each is announced as a gap"),
    _store("bytes", "gauge", "what the outbox takes on disk"),
    _store("inbox", "gauge", "messages from above that nobody has consumed"),
    _one("gewu_store_oldest_seconds", "gauge", "age of the oldest record that waits; 0 when none does", _oldest),
    Told("gewu_queue", "gauge", "records that wait for it", ("to",), _queues),
    Told("gewu_queue_oldest_seconds", "gauge", "age of the oldest of them; 0 when none waits", ("to",), _queue_ages),
    _one("gewu_store_well", "gauge", "1; 0 while the disk refuses", _store_well),
    _one("gewu_store_commits", "counter", "group commits", _kept("commits")),
    _one("gewu_store_commit_failures", "counter", "commits that failed and were tried again", _kept("commit_failures")),
    _one("gewu_store_blocks_packed", "counter", "blocks of readings packed", _kept("blocks_packed")),
    _one("gewu_store_readings_thinned", "counter", "readings thinned for want of room", _kept("readings_thinned")),
    _one("gewu_store_readings_dropped", "counter", "readings dropped for want of room", _kept("readings_dropped")),
    _one("gewu_store_bytes_shed", "counter", "bytes of stills deleted early on a full disk", _kept("bytes_shed")),
    _one("gewu_store_reserve_released", "counter", "times that a full disk took it", _kept("reserve_released")),
    _one("gewu_inbox_bytes", "gauge", "bytes of messages from above that wait", _health("inbox", "bytes")),
    _one("gewu_inbox_oldest_seconds", "gauge", "since the oldest of them came; 0 when none waits", _inbox_age),
    _one("gewu_inbox_expired", "counter", "messages from above that went for their age", _health("inbox", "expired")),
    *_each(
        "uplinks",
        "gewu_uplink",
        "uplink",
        {
            "connected": ("gauge", "1 while there is a connection"),
            "fallback": ("gauge", "1 while the second way carries"),
            "month_bytes": ("gauge", "bytes of this calendar month; 0 without a monthly budget"),
            "in_flight": ("gauge", "publications without their confirmation"),
            "unconfirmed": ("gauge", "messages that are sent and not delivered"),
            "sent": ("counter", "publications, repetitions included"),
            "confirmed": ("counter", "publications that were confirmed"),
            "sent_again": ("counter", "messages queued for another sending"),
            "reconnects": ("counter", "connections after the first"),
            "refused": ("counter", "messages from above that were refused"),
        },
    ),
    *_each(
        "sinks",
        "gewu_sink",
        "sink",
        {
            "waiting": ("gauge", "messages that wait"),
            "written": ("counter", "messages delivered"),
            "retries": ("counter", "tries after the first"),
            "set_aside": ("counter", "messages that the other side will never take"),
            "refused": ("counter", "gap records among what it refused"),
        },
    ),
    *_each(
        "buses",
        "gewu_bus",
        "bus",
        {
            "open": ("gauge", "1 while the port is open"),
            "baud": ("gauge", "bit/s"),
            "polls": ("counter", "requests"),
            "utilisation": ("gauge", "share of the time that the bus was busy, 0 to 1"),
        },
    ),
    Told("gewu_bus_errors", "counter", "requests without a usable answer, by cause", ("bus", "cause"), _bus_errors),
    Told("gewu_device_online", "gauge", "1 while it answers", ("bus", "device"), _devices(_online)),
    Told("gewu_device_unseen_seconds", "gauge", "since it last answered", ("bus", "device"), _devices(_unseen)),
    Told("gewu_certificate_days", "gauge", "days left, negative when over", ("uplink", "file"), _certificates),
    Told("gewu_commands", "counter", "by result; strangers: nobody known signed it", ("result",), _commands),
    _one("gewu_disk_free_bytes", "gauge", "free where the data is", _health("disk", "free")),
    _one("gewu_disk_size_bytes", "gauge", "size of that disk", _health("disk", "total")),
    _one("gewu_flash_written_bytes", "counter", "written to disk by this process", _health("flash_written")),
    _one("gewu_memory_resident_megabytes", "gauge", "memory of this process", _health("memory", "rss_mb")),
    _one("gewu_memory_available_megabytes", "gauge", "memory left on the machine", _health("memory", "available_mb")),
    _one("gewu_temperature_celsius", "gauge", "the hottest sensor of the processor", _health("temperature")),
    _one("gewu_under_voltage", "gauge", "1 when the supply has sagged since power came", _health("under_voltage")),
    _one("gewu_clock_trusted", "gauge", "1 while the clock is set", _clock("trusted")),
    _one("gewu_clock_learned", "gauge", "1 while the time is that of the devices or of the level above",
         _clock("corrected")),
)  # fmt: skip


class _Status(Collector):
    def __init__(self, read: Callable[[], Snapshot]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        try:
            snapshot = self._read()
        except GewuError as error:
            _log.warning("Prometheus is told nothing but %s: %s", KNOWN, error)
            yield GaugeMetricFamily(KNOWN, TOLD[0].help, value=0)
            return
        for told in TOLD:
            family = CounterMetricFamily if told.kind == "counter" else GaugeMetricFamily
            metric = family(told.name, told.help, labels=told.labels)
            for labels, value in told.samples(snapshot):
                if value is not None:
                    metric.add_metric(labels, float(value))
            yield metric

    def describe(self) -> Iterable[Metric]:
        return []  # registering must not ask a gateway that is not wired yet


def registry(read: Callable[[], Snapshot]) -> CollectorRegistry:
    """A registry that tells what `read` gives at that moment."""
    found = CollectorRegistry()
    found.register(_Status(read))
    return found


class Exporter:
    """Answers Prometheus on `listen` ("address:port"). Raises ConfigurationError when that cannot be had."""

    def __init__(self, listen: str, read: Callable[[], Snapshot]) -> None:
        address, _, port = listen.rpartition(":")
        try:
            served: tuple[WSGIServer, Any] = start_http_server(
                int(port), addr=address.strip("[]"), registry=registry(read)
            )
        except OSError as error:
            raise ConfigurationError(f"metrics.listen is {listen}, which cannot be used: {error.strerror}.") from error
        self._server, self._thread = served
        self.port: int = self._server.server_port

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2.0)
