"""Sparkplug B as the specification wants it, read by another implementation's decoder."""

import json
import sys
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from pysparkplug import DataType, DBirth, DData, Metric, NBirth, NCmd
from pysparkplug._protobuf import Payload

from gateway.errors import ConfigurationError
from gateway.records import Correction, Gap
from gateway.tests.fake_clock import FakeClock
from gateway.tests.present_samples import NOW, Now, event, message, reading, settings
from gateway.uplink import sparkplug_payload
from gateway.uplink.format import Heard, Hold, Leave, Publication, ReplayAsked, Say
from gateway.uplink.link import Arrived
from gateway.uplink.present import Standing
from gateway.uplink.sparkplug import REBIRTH, SparkplugFormat


class Node:
    """The format under test on a clock and a gateway of the test's, connected."""

    def __init__(self, **more: Any) -> None:
        self.clock = FakeClock(NOW)
        self.now = Now()
        self.form = SparkplugFormat(settings("sparkplug", **more), self.clock, self.now, "1.0")
        self.connect()

    def connect(self) -> None:
        self.will = self.form.will()
        self.births = list(self.form.opening())

    def state(self, online: bool, timestamp: int) -> list[Heard]:
        payload = json.dumps({"online": online, "timestamp": timestamp}).encode()
        return list(self.form.hear(Arrived("spBv1.0/STATE/scada", payload, True)))


def kinds(publications: Iterable[Publication]) -> list[str]:
    """NBIRTH, DDATA b0101 and so on."""
    parts = [p.topic.split("/") for p in publications]
    return [" ".join([part[2], *part[4:]]) for part in parts]


def said(heard: Iterable[Heard]) -> list[Publication]:
    return [one.publication for one in heard if isinstance(one, Say)]


def raw(publication: Publication) -> Any:
    return Payload.FromString(publication.payload)


def properties(metric: Any) -> dict[str, Any]:
    found = {}
    for key, value in zip(metric.properties.keys, metric.properties.values, strict=True):
        found[key] = getattr(value, value.WhichOneof("value"))
    return found


def test_births_begin_a_session() -> None:
    """NBIRTH with seq 0, bdSeq and the rebirth switch, then a DBIRTH for the device that is there and for no other."""
    node = Node()
    assert kinds(node.births) == ["NBIRTH", "DBIRTH b0101"]
    assert [p.topic for p in node.births] == ["spBv1.0/s/NBIRTH/g", "spBv1.0/s/DBIRTH/g/b0101"]
    assert {(p.qos, p.retain) for p in node.births} == {(0, False)}
    birth = NBirth.decode(node.births[0].payload)
    named = {metric.name: metric for metric in birth.metrics}
    assert (birth.seq, birth.timestamp) == (0, NOW)
    assert (named["bdSeq"].value, named["bdSeq"].datatype, named["bdSeq"].alias) == (0, DataType.INT64, None)
    assert (named[REBIRTH].value, named[REBIRTH].alias) == (False, None)
    assert named["Properties/Version"].value == "1.0"


def test_a_device_is_born_with_types_units_and_the_present() -> None:
    """Types are the wire's own where nothing is lost, units and ranges are properties, what is unknown is null."""
    node = Node()
    birth = DBirth.decode(node.births[1].payload)
    assert birth.seq == 1
    named = {metric.name: metric for metric in birth.metrics}
    assert (named["voltage"].value, named["voltage"].datatype) == (231.2, DataType.DOUBLE)
    assert (named["closed"].value, named["closed"].datatype) == (True, DataType.BOOLEAN)
    assert (named["trip_count"].datatype, named["trip_count"].is_null) == (DataType.UINT16, True)
    assert (named["boot_count"].datatype, named["serial"].datatype) == (DataType.UINT16, DataType.STRING)
    assert (named["Events/trip.overcurrent"].value, named["voltage"].timestamp) == (False, NOW - 500)
    assert "nonce_high" not in named  # read on request only
    voltage = next(metric for metric in raw(node.births[1]).metrics if metric.name == "voltage")
    assert properties(voltage) == {"engUnit": "V", "engLow": 0.0, "engHigh": 500.0, "Quality": 192}
    aliases = [m.alias for p in node.births for m in NBirth.decode(p.payload).metrics if m.alias is not None]
    assert len(aliases) == len(set(aliases)) > 50


def test_data_goes_by_alias_in_one_message_a_device() -> None:
    """Each value has its own time; names and types are those of the birth; a mark is a quality, and its end is told."""
    node = Node()
    birth = DBirth.decode(node.births[1].payload)
    first = reading(voltage=230.1, boot_count=7, at=NOW - 100)
    second = reading(voltage=9.9, at=NOW, marks={"voltage": "bad"})
    (data,) = node.form.encode(message(first, second), again=False)
    assert (data.topic, data.qos) == ("spBv1.0/s/DDATA/g/b0101", 0)
    found = DData.decode(data.payload, birth=birth)
    assert [(m.name, m.value, m.timestamp) for m in found.metrics] == [
        ("voltage", 230.1, NOW - 100), ("boot_count", 7, NOW - 100), ("voltage", 9.9, NOW),
    ]  # fmt: skip
    assert found.seq == 2
    assert [properties(metric) for metric in raw(data).metrics] == [{}, {}, {"Quality": 0}]
    assert not any(metric.HasField("name") or metric.is_historical for metric in raw(data).metrics)
    (data,) = node.form.encode(message(reading(voltage=230.0)), again=False)
    assert [properties(metric) for metric in raw(data).metrics] == [{"Quality": 192}]


def test_what_does_not_fit_is_null_and_bad() -> None:
    """Not a number in a number's place is told as such, and a negative one keeps its sign."""
    node = Node()
    birth = DBirth.decode(node.births[1].payload)
    (data,) = node.form.encode(message(reading(voltage="NaN", marks={"voltage": "bad"}, power=-12.5)), again=False)
    found = DData.decode(data.payload, birth=birth)
    assert [(m.is_null, m.value) for m in found.metrics] == [(True, None), (False, -12.5)]
    for value in (-1, -(2**31), 2**31 - 1):
        metric = sparkplug_payload.Metric("n", None, sparkplug_payload.INT32, value, NOW)
        assert NBirth.decode(sparkplug_payload.encode(NOW, 0, [metric])).metrics[0].value == value


def test_seq_runs_to_255_and_begins_anew() -> None:
    """One number a message of the node, births and devices alike; a death of the node has none."""
    node = Node()
    sent = [p for n in range(300) for p in node.form.encode(message(reading(voltage=n)), again=False)]
    assert [raw(p).seq for p in [*node.births, *sent]] == [n % 256 for n in range(302)]
    assert not raw(node.will).HasField("seq")


def test_backfill_is_historical() -> None:
    """What is sent again, or is older than max_delay explains, must not pass for the present."""
    node = Node()
    old = reading(voltage=1.0, at=NOW - 13_000)
    young = reading(voltage=2.0, at=NOW - 11_000)
    (data,) = node.form.encode(message(old, young), again=False)
    assert [metric.is_historical for metric in raw(data).metrics] == [True, False]
    (data,) = node.form.encode(message(young), again=True)
    assert [metric.is_historical for metric in raw(data).metrics] == [True]


def test_what_comes_again_with_its_true_time_is_historical() -> None:
    """Once the clock is set: the correction as JSON of the node, then the records, which must not pass for now."""
    node = Node()
    told = Correction(boot="b", offset_ms=5000, start=NOW, end=NOW + 1)
    (data,) = node.form.encode(message(told), again=False)
    assert kinds([data]) == ["NDATA"]
    assert json.loads(raw(data).metrics[0].string_value)["offset_ms"] == 5000
    again = msgspec.structs.replace(reading(at=NOW - 3000, voltage=230.0), clock="corrected")
    dark = msgspec.structs.replace(event("trip.overcurrent"), clock="corrected")
    for record, at in ((again, NOW - 3000), (dark, NOW)):
        (data,) = node.form.encode(message(record), again=False)
        assert [(metric.timestamp, metric.is_historical) for metric in raw(data).metrics] == [(at, True)]


def test_bd_seq_is_that_of_the_will_and_survives_restarts() -> None:
    """Each connection has the next number, 255 is followed by 0, and the birth says the will's."""
    node = Node()
    node.now.notes["sparkplug.u.bdSeq"] = b"254"
    seen = []
    for _ in range(3):
        node.connect()
        birth = {m.name: m.value for m in NBirth.decode(node.births[0].payload).metrics}
        seen.append((raw(node.will).metrics[0].long_value, birth["bdSeq"]))
    assert seen == [(255, 255), (0, 0), (1, 1)]
    assert (node.will.topic, node.will.qos, node.will.retain) == ("spBv1.0/s/NDEATH/g", 1, False)
    (last,) = node.form.closing()
    assert (last.topic, raw(last).metrics[0].long_value) == (node.will.topic, 1)
    assert node.form.closing() == []


def test_a_lost_device_dies_and_is_born_again() -> None:
    """device.lost is the DDEATH, at once; its values marked stale say nothing more; back, it has a new birth."""
    node = Node()
    node.now.stands["b0101"] = Standing(False, NOW, {"voltage": 230.0}, {"voltage": "stale"})
    lost = list(node.form.encode(message(event("device.lost")), again=False))
    assert kinds(lost) == ["NDATA", "DDEATH b0101"]
    assert json.loads(raw(lost[0]).metrics[0].string_value)["kind"] == "device.lost"
    assert node.form.encode(message(reading(voltage=230.0, marks={"voltage": "stale"})), again=False) == []
    node.now.stands["b0101"] = Standing(True, NOW, {"voltage": 231.0}, {})
    back = list(node.form.encode(message(event("device.lost", cleared=NOW)), again=False))
    assert kinds(back) == ["NDATA", "DBIRTH b0101"]


def test_the_past_of_a_lost_device_is_told_in_a_short_life() -> None:
    """Backfill needs a birth before it, and the death comes again when no more of it does."""
    node = Node()
    node.now.stands["b0101"] = Standing(False, NOW, {}, {})
    node.connect()
    assert kinds(node.births) == ["NBIRTH"]
    sent = [p for n in (1, 2) for p in node.form.encode(message(reading(voltage=n)), again=True)]
    assert kinds(sent) == ["DBIRTH b0101", "DDATA b0101", "DDATA b0101"]
    assert said(node.form.due()) == []
    node.clock.now += 6
    assert kinds(said(node.form.due())) == ["DDEATH b0101"]
    late = node.form.encode(message(reading(voltage=3)), again=False)  # was on its way when the device was lost
    assert kinds(late) == ["DBIRTH b0101", "DDATA b0101", "DDEATH b0101"]


def test_a_device_is_born_with_its_first_reading() -> None:
    """One that was never asked has no birth; its first values come with it."""
    node = Node()
    sent = node.form.encode(message(reading("b0102", voltage=1.0)), again=False)
    assert kinds(sent) == ["DBIRTH b0102", "DDATA b0102"]


def test_a_name_that_nobody_knew_needs_another_birth() -> None:
    """A value or an event that the profile does not have gets a metric, born before it is used."""
    node = Node()
    sent = list(node.form.encode(message(reading(novelty=1.5)), again=False))
    assert kinds(sent) == ["DBIRTH b0101", "DDATA b0101"]
    birth = DBirth.decode(sent[0].payload)
    assert [(m.name, m.value) for m in DData.decode(sent[1].payload, birth=birth).metrics] == [("novelty", 1.5)]
    sent = list(node.form.encode(message(event("alarm.new")), again=False))
    assert kinds(sent) == ["DBIRTH b0101", "DDATA b0101"]


def test_events_are_metrics() -> None:
    """True while it lasts, with grade, id and values as properties; one without a device is the node's, whole."""
    node = Node()
    birth = DBirth.decode(node.births[1].payload)
    for cleared, value in ((None, True), (NOW + 5, False)):
        (data,) = node.form.encode(message(event("trip.overcurrent", cleared, trip_current=80.5)), again=False)
        (metric,) = DData.decode(data.payload, birth=birth).metrics
        assert (metric.name, metric.value, metric.timestamp) == ("Events/trip.overcurrent", value, cleared or NOW)
        assert properties(raw(data).metrics[0]) == {"grade": 2, "id": "e-1", "trip_current": 80.5}
    node.now.events = [event("trip.overcurrent")]
    node.connect()
    named = {m.name: m.value for m in DBirth.decode(node.births[1].payload).metrics}
    assert named["Events/trip.overcurrent"] is True
    (data,) = node.form.encode(message(event("gateway.disk", device=None)), again=False)
    assert kinds([data]) == ["NDATA"]
    gap = Gap(stream="readings", first=1, last=9, start=NOW, end=NOW, reason="full")
    (data,) = node.form.encode(message(gap), again=False)
    assert json.loads(raw(data).metrics[0].string_value)["last"] == 9


def test_health_is_what_the_node_measures() -> None:
    """Known measurements by alias; what is not measured is null."""
    node = Node()
    said = node.form.health({"disk": {"free": 5}, "clock": "trusted", "queue": {"queued": 3}})
    assert said is not None
    names = {m.alias: m.name for m in NBirth.decode(node.births[0].payload).metrics if m.alias is not None}
    found = {names[m.alias]: None if m.is_null else getattr(m, m.WhichOneof("value")) for m in raw(said).metrics}
    assert (found["Health/Disk Free"], found["Health/Clock"], found["Health/Temperature"]) == (5, "trusted", None)


def command(name: str, value: bool) -> bytes:
    return NCmd(NOW, (Metric(NOW, name, DataType.BOOLEAN, value=value),)).encode(include_dtypes=True)


def test_a_rebirth_is_all_births_with_the_same_bd_seq() -> None:
    """Asked for by the host, the sequence begins anew; a flood of such requests is refused."""
    node = Node()
    list(node.form.encode(message(reading(voltage=1.0)), again=False))
    asked = Arrived("spBv1.0/s/NCMD/g", command(REBIRTH, True), False)
    births = said(node.form.hear(asked))
    assert kinds(births) == ["NBIRTH", "DBIRTH b0101"]
    assert [raw(p).seq for p in births] == [0, 1]
    with pytest.raises(ValueError, match="within the last second"):
        node.form.hear(asked)


@pytest.mark.parametrize(
    ("arrived", "why"),
    [
        (Arrived("spBv1.0/s/DCMD/g/b0101", command("closed", False), False), "no signature"),
        (Arrived("spBv1.0/s/NCMD/g", command("closed", False), False), "only command"),
        (Arrived("spBv1.0/s/NCMD/g", command(REBIRTH, True), True), "retained"),
        (Arrived("spBv1.0/s/NCMD/g", b"\xff\xff", False), "no Sparkplug payload"),
        (Arrived("spBv1.0/STATE/scada", b"ONLINE", True), "no state of a host"),
    ],
)
def test_what_is_refused(arrived: Arrived, why: str) -> None:
    """Nothing that comes over Sparkplug moves a breaker; each refusal has its reason."""
    with pytest.raises(ValueError, match=why):
        Node().form.hear(arrived)


def test_a_primary_host_is_waited_for() -> None:
    """Nothing is born and all is held until the host is online; when it goes, the session ends and the next is held."""
    node = Node(primary_host="scada")
    assert node.form.topics()[0] == "spBv1.0/STATE/scada"
    assert (node.births, node.form.due(), node.form.due()) == ([], [Hold(True)], [])
    assert node.form.health({}) is None
    assert node.state(False, 10) == []
    heard = node.state(True, 20)
    assert kinds(said(heard)) == ["NBIRTH", "DBIRTH b0101"]
    assert heard[-1] == Hold(False)
    assert node.state(True, 30) == []
    assert node.state(False, 20) == []  # the will of the session before
    assert [type(one) for one in node.state(False, 30)] == [Leave]
    assert kinds(node.form.closing()) == ["NDEATH"]
    node.connect()
    assert (node.births, node.form.due()) == ([], [Hold(True)])


def test_what_may_have_been_lost_is_asked_for_again() -> None:
    """QoS 0 confirms nothing: after a lost link, what was sent in the 90 s before goes again, and only that."""
    node = Node()
    assert node.form.due() == []
    for seq in range(1, 1001):
        list(node.form.encode(message(reading(voltage=seq), seq=seq), again=False))
        node.clock.now += 0.2
        assert not [one for one in node.form.due() if isinstance(one, ReplayAsked)]
    node.clock.now += 500
    node.connect()
    asked: list[int] = []
    while parts := [one for one in node.form.due() if isinstance(one, ReplayAsked)]:
        for part in parts:
            asked += range(part.first, part.last + 1)
            for seq in range(part.first, part.last + 1):
                list(node.form.encode(message(reading(voltage=seq), seq=seq), again=True))
    assert asked == list(range(551, 1001))


def test_after_a_start_the_messages_before_it_go_again() -> None:
    """A power cut may have come between the network and the host; nobody is left who knows what left when."""
    node = Node()
    list(node.form.encode(message(reading(voltage=1.0), seq=100), again=False))
    assert node.form.due() == [ReplayAsked("e", 36, 99)]
    assert node.form.due() == []


def test_without_protobuf_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named, and no traceback."""
    sparkplug_payload.message_class.cache_clear()
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    with pytest.raises(ConfigurationError, match=r"pip install gewu-edge\[sparkplug\]"):
        Node()
    sparkplug_payload.message_class.cache_clear()
