"""Home Assistant's discovery, checked against the keys, classes and units that its documentation lists."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.filters import Filter
from gateway.names import called, catalogue
from gateway.profile import load, shipped
from gateway.records import Correction
from gateway.tests.fake_broker import FakeBroker
from gateway.tests.fake_clock import FakeClock
from gateway.tests.outbox_samples import Route, opened
from gateway.tests.present_samples import NOW, Now, event, message, reading, settings
from gateway.uplink.delivery import Delivery
from gateway.uplink.format import Publication, Say
from gateway.uplink.homeassistant import HomeAssistantFormat
from gateway.uplink.homeassistant_entities import entity_id, object_id
from gateway.uplink.link import Arrived
from gateway.uplink.present import Filtered, KnownDevice, Standing

# home-assistant.io/integrations/mqtt, sensor.mqtt and binary_sensor.mqtt: those that a read-only entity may have.
TOP = {"device", "origin", "components", "availability", "availability_mode", "qos", "state_topic", "encoding"}
DEVICE = {
    "identifiers", "connections", "manufacturer", "model", "model_id", "name", "hw_version", "serial_number",
    "sw_version", "via_device", "suggested_area", "configuration_url",
}  # fmt: skip
COMPONENT = {
    "platform", "name", "unique_id", "default_entity_id", "state_topic", "value_template", "device_class",
    "entity_category", "availability",
}  # fmt: skip
SENSOR = COMPONENT | {"state_class", "unit_of_measurement"}
BINARY = COMPONENT | {"payload_on", "payload_off"}
# home-assistant.io/integrations/sensor: device class and the units that it takes (those that we use).
UNITS: dict[str, set[str | None]] = {
    "voltage": {"V"}, "current": {"A"}, "power": {"W"}, "apparent_power": {"VA"}, "reactive_power": {"var"},
    "energy": {"kWh"}, "frequency": {"Hz"}, "temperature": {"°C"}, "duration": {"s", "ms"},
    "carbon_dioxide": {"ppm"}, "volatile_organic_compounds_parts": {"ppb"}, "illuminance": {"lx"},
    "sound_pressure": {"dB"}, "volume_flow_rate": {"m³/h"}, "speed": {"m/s"}, "ph": {None}, "humidity": {"%"},
    "moisture": {"%"}, "power_factor": {None, "%"}, "data_size": {"B"},
}  # fmt: skip
BINARY_CLASSES = {"smoke", "gas", "moisture", "door", "motion", "occupancy", "safety", "problem", "connectivity"}


class Bench:
    def __init__(self, now: Now | None = None, chosen: Filter | None = None, language: str = "en") -> None:
        self.now = now or Now()
        self.clock = FakeClock(NOW)
        present = Filtered(self.now, chosen) if chosen else self.now
        self.form = HomeAssistantFormat(settings("homeassistant", language=language), self.clock, present, "1.0")
        self.will = self.form.will()
        self.opening = list(self.form.opening())

    def retained(self) -> dict[str, Any]:
        """What a broker would keep of the opening."""
        return {p.topic: parsed(p) for p in self.opening}

    def discovered(self, device: str = "b0101") -> dict[str, Any]:
        found = self.retained()[f"homeassistant/device/s-g-{device}/config"]
        assert isinstance(found, dict)
        return found


def parsed(publication: Publication) -> Any:
    assert (publication.qos, publication.retain) == (1, True)
    try:
        return json.loads(publication.payload)
    except json.JSONDecodeError:
        return publication.payload.decode()


def everything() -> Now:
    """A gateway with one device of every shipped profile."""
    now = Now()
    now.devices = [KnownDevice(f"d{n}", "street/区 一", load(name)) for n, name in enumerate(shipped())]
    now.stands = {}
    return now


def test_discovery_says_only_what_is_documented() -> None:
    """For every shipped profile: known keys, classes with their own units, ids that are unique and well formed."""
    messages = [p for p in Bench(everything()).opening if p.topic.endswith("/config")]
    assert len(messages) == len(shipped()) + 1
    ids: list[str] = []
    for publication in messages:
        content = parsed(publication)
        assert set(content) <= TOP
        assert set(content["device"]) <= DEVICE
        assert content["origin"]["name"]
        for component in content["components"].values():
            ids += [component["unique_id"], component["default_entity_id"]]
            if component["platform"] == "sensor":
                assert set(component) <= SENSOR
                kind = component.get("device_class")
                assert kind is None or component.get("unit_of_measurement") in UNITS[kind]
                assert component.get("state_class") in (None, "measurement", "total_increasing")
            else:
                assert set(component) <= BINARY
                assert component.get("device_class") in {None, *BINARY_CLASSES}
    assert len(ids) == len(set(ids))


def test_a_breaker_is_read_only() -> None:
    """Nothing that could be switched, pressed or set, anywhere in any message; nothing is listened to but a birth."""
    bench = Bench(everything())
    text = "".join(p.payload.decode() for p in bench.opening)
    assert "command_topic" not in text
    platforms = {
        component["platform"]
        for p in bench.opening
        if p.topic.endswith("/config")
        for component in parsed(p)["components"].values()
    }
    assert platforms == {"sensor", "binary_sensor"}
    assert bench.form.topics() == ["homeassistant/status"]


def test_a_device_is_grouped_named_and_placed() -> None:
    """Below its gateway, in its area, with the profile's unit; in both languages, with the same entity ids."""
    english, chinese = Bench().discovered(), Bench(language="zh").discovered()
    assert english["device"] == {
        "identifiers": ["s-g-b0101"], "name": "b0101", "manufacturer": "Gewu", "model": "1P+N 63 A",
        "suggested_area": "grid", "via_device": "s-g",
    }  # fmt: skip
    voltage = english["components"]["voltage"]
    assert voltage == {
        "platform": "sensor", "name": "Voltage", "device_class": "voltage", "unit_of_measurement": "V",
        "state_class": "measurement", "unique_id": "s-g-b0101_voltage", "default_entity_id": "sensor.b0101_voltage",
        "value_template": "{{ value_json['voltage'] }}", "state_topic": "gewu/s/g/homeassistant/b0101/state",
    }  # fmt: skip
    assert chinese["components"]["voltage"] == voltage | {"name": "电压"}
    assert english["components"]["energy"]["state_class"] == "total_increasing"
    assert chinese["components"]["event.trip.overcurrent"]["name"] == "脱扣：过电流"


def test_every_name_of_every_shipped_profile_is_in_the_catalogue() -> None:
    """In both languages; a name that nobody knew is shown as it is."""
    for profile in map(load, shipped()):
        device = KnownDevice("d", "", profile)
        assert set(device.values()) <= set(catalogue()["values"]), profile.name
        assert set(device.events()) <= set(catalogue()["events"]), profile.name
    assert all(chinese and english for part in catalogue().values() for chinese, english in part.values())
    assert called("values", "some_novelty", "zh") == "some novelty"


def test_states_are_the_present() -> None:
    """At once on connecting, from what the gateway knows; then from readings; a marked value is unknown."""
    bench = Bench()
    state = bench.retained()["gewu/s/g/homeassistant/b0101/state"]
    assert (state["voltage"], state["closed"], state["current"]) == (231.2, True, None)
    assert set(state) == set(bench.now.devices[0].values())
    sent = bench.form.encode(message(reading(voltage=1.0), reading(voltage=2.0, current=3.0, at=NOW + 1)), again=False)
    assert [p.topic for p in sent] == ["gewu/s/g/homeassistant/b0101/state"]
    assert {name: parsed(sent[0])[name] for name in ("voltage", "current", "closed")} == {
        "voltage": 2.0, "current": 3.0, "closed": True,
    }  # fmt: skip
    (sent_bad,) = bench.form.encode(message(reading(voltage=9.9, marks={"voltage": "bad"}, at=NOW + 2)), again=False)
    assert parsed(sent_bad)["voltage"] is None


def test_the_past_is_not_told() -> None:
    """A backlog would be taken for now: it counts as delivered without a word."""
    bench = Bench()
    assert bench.form.encode(message(reading(voltage=1.0, at=NOW - 5000)), again=True) == []
    assert bench.form.encode(message(reading("stranger", voltage=1.0)), again=False) == []


def test_corrected_times_are_not_told() -> None:
    """Whatever arrives gets the time of its arrival there: there is no wrong time to be corrected."""
    bench = Bench()
    told = Correction(boot="b", offset_ms=5000, start=NOW, end=NOW + 1)
    assert bench.form.encode(message(told), again=False) == []


def test_availability_is_the_gateways_and_the_devices() -> None:
    """Both have to be online; the gateway's is its last will; a device that comes or goes is told within seconds."""
    bench = Bench()
    assert (bench.will.topic, bench.will.payload, bench.will.retain) == (
        "gewu/s/g/homeassistant/status", b"offline", True,
    )  # fmt: skip
    assert bench.opening[-1] == bench.will._replace(payload=b"online")
    assert list(bench.form.closing()) == [bench.will]
    found = bench.discovered()
    assert [one["topic"] for one in found["availability"]] == [
        "gewu/s/g/homeassistant/status", "gewu/s/g/homeassistant/b0101/availability",
    ]  # fmt: skip
    assert found["availability_mode"] == "all"
    kept = bench.retained()
    assert kept["gewu/s/g/homeassistant/b0101/availability"] == "online"
    assert kept["gewu/s/g/homeassistant/b0102/availability"] == "offline"  # never asked yet
    bench.now.stands = {"b0101": Standing(False), "b0102": Standing(True)}
    told = [one.publication for one in bench.form.due() if isinstance(one, Say)]
    assert {p.topic.split("/")[4]: p.payload for p in told} == {"b0101": b"offline", "b0102": b"online"}
    assert bench.form.due() == []


def test_events_are_on_while_they_last() -> None:
    """A fresh one is seen even if it has cleared by now; the repeat of an old one does not raise it again."""
    bench = Bench()
    raised, cleared = message(event("trip.overcurrent")), message(event("trip.overcurrent", NOW))
    states = [
        parsed(bench.form.encode(one, again)[0])["trip.overcurrent"]
        for one, again in ((raised, False), (cleared, False), (raised, True))
    ]
    assert states == [True, False, False]
    bench.now.events = [event("trip.overcurrent")]
    assert parsed(bench.form.encode(raised, True)[0])["trip.overcurrent"] is True
    assert bench.form.encode(message(event("gateway.disk", device=None)), again=False) == []


def test_a_device_that_left_the_configuration_is_removed() -> None:
    """Its retained messages are emptied, at each connection from then on; a component that is gone is named as gone."""
    now = Now()
    Bench(now)
    now.devices = now.devices[:1]
    first = Bench(now)
    gone = [p.topic for p in first.opening if p.payload == b""]
    assert gone == [
        "homeassistant/device/s-g-b0102/config",
        *(f"gewu/s/g/homeassistant/b0102/{what}" for what in ("state", "events", "availability")),
    ]
    assert [p.topic for p in Bench(now).opening if p.payload == b""] == gone
    now.devices = [now.devices[0]._replace(filter=Filter(names=("voltage",)))]
    assert Bench(now).discovered()["components"]["current"] == {"platform": "sensor"}


def test_what_a_filter_keeps_is_not_told_here_either() -> None:
    """Neither devices nor values nor events that the uplink's filter holds back are discovered or stated."""
    bench = Bench(chosen=Filter(devices=("b0101",), names=("voltage",), grades=(1,)))
    assert not any("b0102" in p.topic for p in bench.opening)
    assert bench.retained()["gewu/s/g/homeassistant/b0101/state"] == {"voltage": 231.2}
    assert set(bench.discovered()["components"]) == {"voltage", "event.trip.failed", "event.trip.withheld"}


def test_a_started_home_assistant_is_told_again() -> None:
    """Its birth brings discovery and states once more, not oftener than every 10 s; anything else is refused."""
    bench = Bench()
    birth = Arrived("homeassistant/status", b"online", False)
    again = [one.publication for one in bench.form.hear(birth) if isinstance(one, Say)]
    assert again == bench.opening[:-1]
    assert bench.form.hear(birth) == []
    assert bench.form.hear(birth._replace(payload=b"offline")) == []
    with pytest.raises(ValueError, match="moves no breaker"):
        bench.form.hear(Arrived("homeassistant/status", b"open b0101", False))


def test_ids_hold_whatever_a_device_is_called() -> None:
    """Letters of any script become ids that discovery takes, and different names stay different."""
    assert object_id("b0101-x_1") == "b0101-x_1"
    one, other = object_id("清溪.1"), object_id("清溪.2")
    assert one != other
    assert one.replace("-", "").replace("_", "").isalnum()
    assert one.isascii()
    assert entity_id("sensor", "B-01.x", "voltage") == "sensor.b_01_x_voltage"


def test_a_long_opening_keeps_the_brokers_window(tmp_path: Path) -> None:
    """Hundreds of discoveries wait for confirmations as MQTT 5 wants it; readings wait for the last of them."""
    clock, broker, now = FakeClock(NOW), FakeBroker(window=5), everything()
    outbox = opened(tmp_path, clock, Route(name="u", max_delay=0))
    outbox.put_reading(reading("d0", voltage=1.0))
    outbox.flush()
    form = HomeAssistantFormat(settings("homeassistant"), clock, now, "1.0")
    delivery = Delivery(
        settings("homeassistant"), outbox, broker, clock, form, health=dict, chance=lambda: 0.5, wake=lambda: None
    )
    broker.confirms = False
    for _ in range(200):
        delivery.step()
        if broker.link.unconfirmed:
            broker.link.confirm(len(broker.published) - broker.link.unconfirmed + 1)
    assert broker.most_unconfirmed == 5
    expected = [p.topic for p in form.opening()]
    assert [topic for topic, _, _ in broker.published][: len(expected)] == expected
    assert outbox.stats().queued == 0
