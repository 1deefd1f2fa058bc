"""The formats of other systems over a real broker: whole sessions, read by what those systems read with."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pysparkplug import DataType, Metric, NBirth, NCmd, NDeath
from pysparkplug._protobuf import Payload

from gateway.clock import SystemClock
from gateway.config.routes import Route
from gateway.outbox import Outbox
from gateway.records import Event, Reading, Value
from gateway.tests.killing import killed_and_drained
from gateway.tests.mqtt_listener import Listener, Message
from gateway.tests.present_samples import Now
from gateway.uplink import Uplink
from gateway.uplink.present import Standing
from gateway.uplink.settings import UplinkSettings
from gateway.uplink.sparkplug import REBIRTH
from hil_tests.brokers import Mosquitto

pytestmark = pytest.mark.integration
_PEERS = Path(sys.prefix) / "peers"


@pytest.fixture(scope="module")
def broker() -> Iterator[Mosquitto]:
    with Mosquitto() as broker:
        yield broker


class Gateway:
    """A real outbox and a real uplink in one format; the buses are the test's."""

    def __init__(self, folder: Path, broker: Mosquitto, form: str, name: str, devices: int = 2, **more: Any) -> None:
        self.clock = SystemClock()
        self.outbox = Outbox(folder, self.clock, [Route(name="u", acks=False, max_delay=0.0)])
        self.now = Now(self.outbox)
        del self.now.devices[devices:]
        at = self.at = self.clock.wall_ms()
        self.now.stands = {"b0101": Standing(True, at, {"voltage": 230.0}, {}), "b0102": Standing()}
        self.settings = UplinkSettings(
            name="u", site="s", gateway=name, url=broker.url, format=form, max_delay=0.0, **more
        )
        self.outbox.start()
        self.uplink = Uplink.of(self.settings, self.outbox, self.clock, dict, present=self.now)
        self.uplink.start()

    def put(self, **values: Value) -> Reading:
        self.at = max(self.at + 1, self.clock.wall_ms())  # no two of a device in one millisecond
        reading = Reading(device="b0101", at=self.at, mono=self.clock.mono_ms(), clock="trusted", values=values)
        self.outbox.put_reading(reading)
        self.outbox.flush()
        return reading

    def event(self, kind: str, cleared: bool = False) -> Event:
        at = self.clock.wall_ms()
        event = Event(
            id=f"{kind}", kind=kind, grade=2, device="b0101", place="street/grid", raised=at,
            cleared=at if cleared else None, mono=0, clock="trusted", values={},
        )  # fmt: skip
        self.outbox.accept_event(event, "k")
        return event

    def close(self) -> None:
        self.uplink.stop(10)
        self.outbox.close()


class Host:
    """A Sparkplug host: names by alias from the births, the sequence checked, values in order."""

    def __init__(self, heard: list[Message]) -> None:
        self.values: list[tuple[str, Any, bool]] = []
        self.sessions: list[int] = []
        self.deaths: list[int] = []
        self.dead_devices = 0
        names: dict[int, str] = {}
        seq = -1
        for message in heard:
            kind = message.topic.split("/")[2]
            payload = Payload.FromString(message.payload) if kind[1:] in ("BIRTH", "DATA", "DEATH") else None
            if payload is None:
                continue
            if kind == "NDEATH":
                self.deaths.append(NDeath.decode(message.payload).bd_seq_metric.value)  # type: ignore[arg-type]
                continue
            if kind == "NBIRTH":
                named = {metric.name: metric.value for metric in NBirth.decode(message.payload).metrics}
                self.sessions.append(named["bdSeq"])  # type: ignore[arg-type]
                names, seq = {}, -1
            seq = (seq + 1) % 256
            assert payload.seq == seq, message.topic
            self.dead_devices += kind == "DDEATH"
            for metric in payload.metrics:
                if kind.endswith("BIRTH"):
                    names[metric.alias] = metric.name
                elif kind == "DDATA":
                    value = getattr(metric, metric.WhichOneof("value"))
                    self.values.append((names[metric.alias], value, metric.is_historical))

    def of(self, name: str) -> list[Any]:
        return [value for known, value, _ in self.values if known == name]


def test_a_sparkplug_session(broker: Mosquitto, tmp_path: Path) -> None:
    """Birth, data, an event, a rebirth, a refused command, a broken connection with its will, and an orderly end."""
    with Listener(broker.port, "spBv1.0/s/+/one/#") as ear:
        gateway = Gateway(tmp_path, broker, "sparkplug", "one")
        try:
            gateway.put(voltage=231.5)
            gateway.event("trip.overcurrent")
            ear.until(lambda: len(Host(ear.heard).values) == 2, "values")
            assert Host(ear.heard).of("voltage") == [231.5]
            assert Host(ear.heard).of("Events/trip.overcurrent") == [True]
            for name in (REBIRTH, "closed"):
                asked = NCmd(0, (Metric(0, name, DataType.BOOLEAN, value=True),)).encode(include_dtypes=True)
                ear.publish("spBv1.0/s/NCMD/one", asked)
            ear.until(lambda: len(Host(ear.heard).sessions) == 2, "rebirth")
            ear.until(lambda: gateway.uplink.status().refused == 1, "the refusal")
            # A second client under the same id takes the connection away, as a broken link would.
            Listener(broker.port, "none", client_id=gateway.settings.client_id).close()
            ear.until(lambda: len(Host(ear.heard).sessions) == 3, "a new session")
            ear.until(lambda: len(Host(ear.heard).of("voltage")) == 2, "what may have been lost")
        finally:
            gateway.close()
        ear.until(lambda: len(Host(ear.heard).deaths) == 2, "the last word")
        host = Host(ear.heard)
        assert host.sessions == [0, 0, 1]
        assert host.deaths == [0, 1]
        assert host.values[-1][2], "what is told again is history"


def test_nothing_is_told_while_the_primary_host_is_away(broker: Mosquitto, tmp_path: Path) -> None:
    """Before it is there, and after it went, everything waits in the outbox; with it, everything comes."""
    with Listener(broker.port, "spBv1.0/s/+/two/#") as ear, Listener(broker.port, "none") as host:

        def state(online: bool) -> None:
            content = json.dumps({"online": online, "timestamp": time.time_ns() // 1_000_000})
            host.publish("spBv1.0/STATE/scada", content, retain=True)

        gateway = Gateway(tmp_path, broker, "sparkplug", "two", primary_host="scada")
        try:
            gateway.put(voltage=1.0)
            ear.until(lambda: gateway.uplink.status().connected, "the connection")
            state(online=True)
            ear.until(lambda: Host(ear.heard).of("voltage") == [1.0], "the first value")
            assert ear.heard[0].topic.split("/")[2] == "NBIRTH"
            state(online=False)
            ear.until(lambda: Host(ear.heard).deaths, "the death")
            before = len(ear.heard)
            gateway.put(voltage=2.0)
            ear.until(lambda: gateway.uplink.status().connected, "the next connection")
            assert len(ear.heard) == before
            state(online=True)
            ear.until(lambda: set(Host(ear.heard).of("voltage")) == {1.0, 2.0}, "both values")
        finally:
            gateway.close()
            host.publish("spBv1.0/STATE/scada", b"", retain=True)


def test_kills_cost_sparkplug_nothing(broker: Mosquitto, tmp_path: Path) -> None:
    """Eight SIGKILLs of a gateway that nobody confirms anything to: the host has every accepted value."""
    with Listener(broker.port, "spBv1.0/s/+/mortal/#") as ear:
        accepted = killed_and_drained(tmp_path, broker.url)
        ear.until(lambda: len(set(Host(ear.heard).of("number"))) >= accepted, "every value")
        host = Host(ear.heard)
        assert set(host.of("number")) == set(range(accepted))
        assert len(host.sessions) == len(set(host.sessions)), "each has a bdSeq of its own"


_PEER = """
import json, sys
from tb_gateway_mqtt import TBGatewayMqttClient
port, told = int(sys.argv[1]), json.loads(sys.argv[2])
client = TBGatewayMqttClient("127.0.0.1", port, "token", client_id="peer")
client.rate_limits_received = True
client.connect()
for device, kind, attributes, telemetry in told:
    client.gw_connect_device(device, kind).get()
    client.gw_send_attributes(device, attributes).get()
    client.gw_send_telemetry(device, telemetry).get()
    client.gw_disconnect_device(device).get()
client.gw_send_rpc_reply("b0101", 7, {"result": "refused"}).get()
client.send_attributes({"site": "s"}).get()
client.send_telemetry({"ts": 1, "values": {"a": 1}}).get()
client.disconnect()
"""


def test_what_thingsboards_own_client_says_is_what_we_say(broker: Mosquitto, tmp_path: Path) -> None:
    """For the same device and readings its gateway client publishes the same topics with the same JSON."""

    def told(heard: list[Message]) -> list[tuple[str, Any]]:
        return [(m.topic, json.loads(m.payload)) for m in heard if m.topic.startswith("v1/gateway/")]

    with Listener(broker.port, "v1/#") as ear:
        gateway = Gateway(tmp_path, broker, "thingsboard", "three")
        try:
            ear.until(lambda: len(told(ear.heard)) == 2, "the device connects")
            readings = [gateway.put(voltage=230.0 + n, closed=True, serial="清溪") for n in range(3)]
            ear.until(lambda: sum(len(c["b0101"]) for t, c in told(ear.heard) if "telemetry" in t) == 3, "telemetry")
            ear.publish("v1/gateway/rpc", '{"device":"b0101","data":{"id":7,"method":"open","params":{}}}')
            ear.until(lambda: gateway.uplink.status().refused == 1, "the refusal")
        finally:
            gateway.close()
        ear.until(lambda: ear.heard[-1].topic == "v1/gateway/disconnect", "the end")
        ours = told(ear.heard)
        entries = [entry for t, c in ours if "telemetry" in t for entry in c["b0101"]]
        assert [entry["ts"] for entry in entries] == [reading.at for reading in readings]
        attributes = dict(ours)["v1/gateway/attributes"]["b0101"]
        ear.heard.clear()
        said = json.dumps([["b0101", "gewu-breaker", attributes, entries]])
        command = [sys.executable, "-c", _PEER, str(broker.port), said]
        subprocess.run(command, env=os.environ | {"PYTHONPATH": str(_PEERS)}, check=True, timeout=90)
        ear.until(lambda: any(m.topic == "v1/devices/me/telemetry" for m in ear.heard), "the peer's last word")
        theirs = dict(told(ear.heard))
    whole = {topic: content for topic, content in ours if topic != "v1/gateway/rpc"}
    whole["v1/gateway/telemetry"] = {"b0101": entries}
    answer = next(content for topic, content in ours if topic == "v1/gateway/rpc" and "method" not in content["data"])
    assert {topic: theirs[topic] for topic in whole} == whole
    assert theirs["v1/gateway/rpc"] == answer | {"data": {"result": "refused"}}


def test_home_assistant_finds_the_devices_and_loses_those_that_left(broker: Mosquitto, tmp_path: Path) -> None:
    """All is retained: whoever comes later has discovery, state and availability; after a change the rest is gone."""

    def kept() -> dict[str, bytes]:
        with Listener(broker.port, "homeassistant/#", "gewu/s/four/#", "end") as ear:
            ear.publish("end", b"")
            ear.until(lambda: any(m.topic == "end" for m in ear.heard), "all that is retained")
            return {m.topic: m.payload for m in ear.heard if m.retained}

    config, base = "homeassistant/device/s-four-b010{}/config", "gewu/s/four/homeassistant"
    with Listener(broker.port, f"{base}/status", f"{base}/b0101/state") as ear:

        def statuses() -> list[bytes]:
            return [m.payload for m in ear.heard if m.topic == f"{base}/status"]

        gateway = Gateway(tmp_path, broker, "homeassistant", "four")
        try:
            ear.until(lambda: statuses() == [b"online"], "online")
            gateway.put(voltage=232.5)
            ear.until(lambda: b"232.5" in ear.heard[-1].payload, "the state")
            found = kept()
            assert {config.format(1), config.format(2), "homeassistant/device/s-four/config"} <= found.keys()
            assert json.loads(found[f"{base}/b0101/state"])["voltage"] == 232.5
            assert (found[f"{base}/status"], found[f"{base}/b0101/availability"]) == (b"online", b"online")
        finally:
            gateway.close()
        assert kept()[f"{base}/status"] == b"offline"
        after = Gateway(tmp_path, broker, "homeassistant", "four", devices=1)
        try:
            ear.until(lambda: statuses() == [b"online", b"offline", b"online"], "online again")
            left = kept()
        finally:
            after.close()
        assert not [topic for topic in left if "b0102" in topic]
        assert config.format(1) in left
