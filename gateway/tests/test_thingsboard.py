"""ThingsBoard's gateway API: topics and JSON, and what ThingsBoard has no word for."""

import json
from typing import Any

import msgspec
import pytest

from gateway.records import Correction, Gap
from gateway.tests.fake_clock import FakeClock
from gateway.tests.present_samples import NOW, Now, event, message, reading, settings
from gateway.uplink.format import Publication, Say
from gateway.uplink.link import Arrived
from gateway.uplink.present import Standing
from gateway.uplink.thingsboard import MOST_BYTES, ThingsBoardFormat


class Bench:
    def __init__(self, language: str = "en") -> None:
        self.now = Now()
        self.form = ThingsBoardFormat(settings("thingsboard", language=language), FakeClock(NOW), self.now, "1.0")
        self.opening = plain(*self.form.opening())


def plain(*publications: Publication) -> list[tuple[str, Any]]:
    assert {(p.qos, p.retain) for p in publications} <= {(1, False)}
    return [(p.topic, json.loads(p.payload)) for p in publications]


def test_a_connection_begins_with_who_is_there() -> None:
    """The gateway's own attributes, then each device that answers with its profile as type; leaving, each leaves."""
    bench = Bench()
    assert bench.form.will() is None
    own, connect, attributes = bench.opening
    assert own == ("v1/devices/me/attributes", {"site": "s", "gateway": "g", "version": "1.0", "boot": "boot-1"})
    assert connect == ("v1/gateway/connect", {"device": "b0101", "type": "gewu-breaker"})
    assert attributes[0] == "v1/gateway/attributes"
    about = attributes[1]["b0101"]
    assert (about["place"], about["profile"], about["units"]["voltage"]) == ("street/grid", "gewu-breaker", "V")
    assert plain(*bench.form.closing()) == [("v1/gateway/disconnect", {"device": "b0101"})]


def test_telemetry_has_its_own_time_and_marks_their_own_keys() -> None:
    """All devices of a message in one publication; one that was not connected connects first, with its type."""
    bench = Bench()
    bench.now.stands["b0102"] = Standing(True)
    readings = (
        reading(voltage=230.1, closed=True, at=NOW - 5),
        reading("b0102", voltage=9.0, current=1.5, marks={"voltage": "bad"}),
        reading(voltage=230.2),
    )
    connect, _, telemetry = plain(*bench.form.encode(message(*readings), again=True))
    assert connect == ("v1/gateway/connect", {"device": "b0102", "type": "gewu-breaker"})
    assert telemetry == (
        "v1/gateway/telemetry",
        {
            "b0101": [
                {"ts": NOW - 5, "values": {"voltage": 230.1, "closed": True}},
                {"ts": NOW, "values": {"voltage": 230.2}},
            ],
            "b0102": [{"ts": NOW, "values": {"voltage.bad": 9.0, "current": 1.5}}],
        },
    )


def test_what_thingsboard_would_refuse_for_its_size_is_split() -> None:
    """It takes 64 KiB; nothing is lost in the parts, and a value too large for any stays whole."""
    bench = Bench()
    readings = [reading(at=NOW + n, note="x" * 500) for n in range(256)]
    parts = bench.form.encode(message(*readings), again=False)
    assert len(parts) == 4
    assert all(len(part.payload) <= MOST_BYTES for part in parts)
    told = [entry["ts"] for _, content in plain(*parts) for entry in content["b0101"]]
    assert told == [NOW + n for n in range(256)]


def test_events_are_telemetry_and_a_lost_device_leaves() -> None:
    """A key of the kind for rules, the whole event as JSON; the gateway's own events and gaps are its own telemetry."""
    bench = Bench()
    ((topic, content),) = plain(*bench.form.encode(message(event("trip.overcurrent", trip_current=80.0)), False))
    (entry,) = content["b0101"]
    assert (topic, entry["ts"], entry["values"]["trip.overcurrent"]) == ("v1/gateway/telemetry", NOW, True)
    assert entry["values"]["event"]["values"] == {"trip_current": 80.0}
    ((_, content),) = plain(*bench.form.encode(message(event("trip.overcurrent", NOW + 9)), False))
    assert content["b0101"][0]["ts"] == NOW + 9
    assert content["b0101"][0]["values"]["trip.overcurrent"] is False
    bench.now.stands["b0101"] = Standing(False)
    told = plain(*bench.form.encode(message(event("device.lost")), False))
    assert [topic for topic, _ in told] == ["v1/gateway/telemetry", "v1/gateway/disconnect"]
    bench.now.stands["b0101"] = Standing(True)
    told = plain(*bench.form.encode(message(event("device.lost", NOW)), False))
    assert [topic.rsplit("/", 1)[1] for topic, _ in told] == ["connect", "attributes", "telemetry"]
    gap = Gap(stream="readings", first=1, last=9, start=NOW, end=NOW, reason="full")
    for record in (event("gateway.disk", device=None), gap):
        assert plain(*bench.form.encode(message(record), False))[0][0] == "v1/devices/me/telemetry"


def test_a_correction_is_told_and_its_records_come_again() -> None:
    """The API changes no time, so the gateway's telemetry names the span, and readings with true times follow."""
    told = Correction(boot="b", offset_ms=5000, start=NOW, end=NOW + 1)
    ((topic, content),) = plain(*Bench().form.encode(message(told), False))
    assert (topic, content["values"]["correction"]["offset_ms"]) == ("v1/devices/me/telemetry", 5000)
    bench = Bench()
    again = msgspec.structs.replace(reading(at=NOW - 60_000, voltage=230.0), clock="corrected")
    *_, (_, content) = plain(*bench.form.encode(message(again), False))
    assert content["b0101"][0]["ts"] == NOW - 60_000


def test_late_readings_do_not_bring_a_lost_device_back() -> None:
    """ThingsBoard takes telemetry for a sign of life; the device leaves again behind it."""
    bench = Bench()
    bench.now.stands["b0101"] = Standing(False)
    told = plain(*bench.form.encode(message(reading(voltage=1.0)), True))
    assert [topic.rsplit("/", 1)[1] for topic, _ in told] == ["telemetry", "disconnect"]


def test_health_is_flat() -> None:
    """ThingsBoard's keys have no depth; what is not measured is left out."""
    told = Bench().form.health({"disk": {"free": 5, "total": 9}, "temperature": None, "clock": "trusted"})
    ((topic, content),) = plain(told)
    assert (topic, content["values"]) == (
        "v1/devices/me/telemetry", {"disk.free": 5, "disk.total": 9, "clock": "trusted"},
    )  # fmt: skip


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_remote_call_is_answered_with_a_refusal(language: str) -> None:
    """To a device and to the gateway alike; it is counted, and the reason is in the language of the place."""
    bench = Bench(language)
    call = {"device": "b0101", "data": {"id": 7, "method": "open", "params": {}}}
    (said,) = bench.form.hear(Arrived("v1/gateway/rpc", json.dumps(call).encode(), False))
    assert isinstance(said, Say)
    assert "b0101" in said.refused
    ((topic, content),) = plain(said.publication)
    assert (topic, content["device"], content["id"]) == ("v1/gateway/rpc", "b0101", 7)
    assert content["data"]["result"] == "refused"
    assert content["data"]["why"].isascii() == (language == "en")
    own = bench.form.hear(Arrived("v1/devices/me/rpc/request/3", b'{"method":"reboot"}', False))
    assert [one.publication.topic for one in own if isinstance(one, Say)] == ["v1/devices/me/rpc/response/3"]
    assert bench.form.hear(Arrived(topic, said.publication.payload, False)) == []


def test_what_is_no_call_is_refused() -> None:
    """With its reason, and nothing is answered."""
    for payload, retained in ((b"nonsense", False), (b"[]", False), (b'{"device":"d","data":{}}', True)):
        with pytest.raises(ValueError):
            Bench().form.hear(Arrived("v1/gateway/rpc", payload, retained))
