"""Every count is told to Prometheus and every metric is documented; what is not known is not told."""

import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gateway.bus.status import BusStatus
from gateway.errors import ConfigurationError, StoreError
from gateway.metrics import TOLD, Exporter, registry
from gateway.outbox import Outbox
from gateway.outbox.stats import Stats
from gateway.sinks.status import SinkStatus
from gateway.tests.fake_clock import FakeClock
from gateway.uplink.status import UplinkStatus

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
# What is told in another shape, or is no number of its own.
OTHERWISE = {"gewu_store_oldest": "gewu_store_oldest_seconds"}
COUNTS = (
    "commits", "commit_failures", "blocks_packed", "readings_thinned", "readings_dropped", "reserve_released",
    "bytes_shed",
)  # fmt: skip
STATUS: dict[str, Any] = {
    "gateway": {"uptime_s": 5.0},
    "store": {"accepted": 9, "delivered": 4, "queued": 5, "dropped": 0, "oldest": 1_000, "bytes": 4096, "inbox": 2},
    "queues": {"county": {"queued": 5, "oldest": 1_000}, "tb": {"queued": 0, "oldest": None}},
    "uplinks": [
        {"name": "county", "connected": True, "fallback": False, "month_bytes": 0, "in_flight": 1, "unconfirmed": 2,
         "sent": 7, "confirmed": 6, "sent_again": 1, "reconnects": 0, "refused": 0}
    ],
    "sinks": [],
    "buses": [
        {"name": "north", "open": True, "baud": 9600, "polls": 10, "errors": {"crc": 2}, "utilisation": 0.5,
         "devices": [{"id": "b1", "online": None, "last_seen": None}, {"id": "b2", "online": True, "last_seen": 0}]}
    ],
}  # fmt: skip
HEALTH: dict[str, Any] = {
    "disk": {"free": 1, "total": 2}, "flash_written": 3, "temperature": None, "under_voltage": None, "clock": "trusted",
    "memory": {"rss_mb": 50.0, "available_mb": None}, "certificate_days": {"county": {"ca": -1.5}},
    "inbox": {"waiting": 2, "bytes": 9, "oldest": "1970-01-01T00:00:01.000Z", "expired": 0},
    "store": {"trouble": None} | dict.fromkeys(COUNTS, 7),
}  # fmt: skip


def whole() -> dict[str, Any]:
    return {"status": STATUS, "health": HEALTH, "commands": {"done": 1, "strangers": 2}, "now": 3_000}


def sick() -> dict[str, Any]:
    raise StoreError("The disk is gone.")


def scrape(read: Callable[[], dict[str, Any]] = whole) -> dict[tuple[str, frozenset[str]], float]:
    """What Prometheus reads, by name and label values."""
    return parsed(generate_latest(registry(read)).decode())


def parsed(text: str) -> dict[tuple[str, frozenset[str]], float]:
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.values())): s.value for family in families for s in family.samples}


def test_what_prometheus_reads() -> None:
    """Values by labels; a machine without a sensor has no such metric, a device that was never asked no age."""
    found = scrape()
    assert found[("gewu_store_queued", frozenset())] == 5
    assert found[("gewu_store_oldest_seconds", frozenset())] == 2
    assert found[("gewu_uplink_sent_total", frozenset({"county"}))] == 7
    assert found[("gewu_bus_errors_total", frozenset({"north", "crc"}))] == 2
    assert found[("gewu_device_unseen_seconds", frozenset({"north", "b2"}))] == 3
    assert found[("gewu_certificate_days", frozenset({"county", "ca"}))] == -1.5
    assert found[("gewu_commands_total", frozenset({"strangers"}))] == 2
    assert ("gewu_device_online", frozenset({"north", "b1"})) not in found
    assert not {name for name, _ in found} & {"gewu_temperature_celsius", "gewu_under_voltage"}
    assert all(name.startswith("gewu_") for name, _ in found)


def test_a_store_that_cannot_be_read_is_told_as_such() -> None:
    """One metric says that nothing else is known; nobody gets a traceback."""
    assert scrape(sick) == {("gewu_state_known", frozenset()): 0}
    assert scrape()[("gewu_state_known", frozenset())] == 1


@pytest.mark.parametrize(
    ("prefix", "status"),
    [("gewu_store", Stats), ("gewu_uplink", UplinkStatus), ("gewu_sink", SinkStatus), ("gewu_bus", BusStatus)],
)
def test_every_count_is_told(prefix: str, status: type[msgspec.Struct]) -> None:
    """A number that a status has and no metric tells fails here."""
    told = {one.name for one in TOLD}
    for field in msgspec.structs.fields(status):
        if {int, float, bool} & {field.type, *get_args(field.type)} and "dict" not in str(field.type):
            name = f"{prefix}_{field.name}"
            assert OTHERWISE.get(name, name) in told, name


def test_every_count_of_the_outbox_is_told(tmp_path: Path) -> None:
    """What it counts beside its records: a new count fails here until it has a metric."""
    outbox = Outbox(tmp_path, FakeClock(), ())
    outbox.close()
    assert set(outbox.counts) == set(COUNTS)
    assert {f"gewu_store_{count}" for count in COUNTS} <= {one.name for one in TOLD}
    assert scrape()[("gewu_store_commits_total", frozenset())] == 7


def test_each_queue_is_told() -> None:
    """Which uplink or sink is behind, by how many records and since when."""
    told = scrape()
    ways = [frozenset({name}) for name in ("county", "tb")]
    assert [told[("gewu_queue", way)] for way in ways] == [5, 0]
    assert [told[("gewu_queue_oldest_seconds", way)] for way in ways] == [2.0, 0.0]


def test_every_metric_has_its_line() -> None:
    """docs/metrics.md names each with its kind and labels, and no other."""
    rows = re.findall(r"^\| `(gewu_\w+)` \| (counter|gauge) \| ([^|]*) \|", PAGE.read_text(encoding="utf-8"), re.M)
    written = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    assert written == {one.name + ("_total" if one.kind == "counter" else ""): (one.kind, one.labels) for one in TOLD}


@pytest.mark.integration
def test_it_answers_on_its_address_and_says_when_it_cannot_have_it() -> None:
    """The same over HTTP; somebody else who has the port is a sentence."""
    first = Exporter("127.0.0.1:0", whole)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{first.port}/metrics", timeout=10) as answer:
            assert parsed(answer.read().decode()) == scrape()
        with pytest.raises(ConfigurationError, match="cannot be used"):
            Exporter(f"127.0.0.1:{first.port}", whole)
    finally:
        first.stop()
