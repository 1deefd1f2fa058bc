"""Collected once, used by many: one village, four uplinks in four formats and a file; each has the whole story."""

import csv
import json
from typing import Any

import pytest
from pysparkplug import DBirth
from pysparkplug._protobuf import Payload

from gateway.tests.mqtt_listener import Listener
from hil_tests.brokers import Mosquitto
from hil_tests.end_to_end.scene import Site, bus_toml, wait_for
from hil_tests.rig.village import Village

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
TRIPS = {"trip.instantaneous", "trip.overcurrent"}


def outlets(broker: Mosquitto) -> str:
    """Three uplinks beside the one of `Site.configure`, and a sink."""
    others = "".join(
        f'[[uplink]]\nname = "{form}"\nurl = "{broker.url}"\nformat = "{form}"\nmax_delay = 0.5\n'
        for form in ("sparkplug", "thingsboard", "homeassistant")
    )
    return f'max_delay = 0.5\n{others}[[sink]]\nname = "archive"\ntype = "csv"\nfolder = "archive"\nmax_delay = 0.5\n'


class Outlets:
    """What each of them has been told so far."""

    def __init__(self, ear: Listener, site: Site) -> None:
        self._ear = ear
        self._site = site

    def kinds(self) -> list[str]:
        """Sparkplug's message kinds of the sensor s1, in order."""
        return [m.topic.split("/")[2] for m in self._ear.heard if m.topic.startswith("spBv1.0") and "/s1" in m.topic]

    def trips(self) -> set[str]:
        """The formats that have told of a trip of b1."""
        return {form for form, told in self._told_trips().items() if told}

    def _told_trips(self) -> dict[str, Any]:
        heard = [(m.topic, m.payload) for m in self._ear.heard]
        births = [DBirth.decode(payload) for topic, payload in heard if topic == "spBv1.0/test/DBIRTH/gw/b1"]
        aliases = {
            m.alias for birth in births for m in birth.metrics if (m.name or "").removeprefix("Events/") in TRIPS
        }
        data = [Payload.FromString(payload) for topic, payload in heard if topic == "spBv1.0/test/DDATA/gw/b1"]
        board = [json.loads(payload) for topic, payload in heard if topic == "v1/gateway/telemetry"]
        states = [json.loads(p) for topic, p in heard if topic == "gewu/test/gw/homeassistant/b1/events"]
        return {
            "gewu": [p for topic, p in heard if topic == "gewu/test/gw/events" and json.loads(p)["kind"] in TRIPS],
            "sparkplug": [m for one in data for m in one.metrics if m.alias in aliases and m.boolean_value],
            "thingsboard": [e for one in board for e in one.get("b1", ()) if TRIPS & e["values"].keys()],
            "homeassistant": [state for state in states if any(state[kind] for kind in TRIPS)],
            "csv": [row for row in self._rows("events") if row["kind"] in TRIPS],
        }

    def _rows(self, stream: str) -> list[dict[str, str]]:
        files = sorted((self._site.folder / "archive").glob(f"{stream}-*.csv"))
        return [row for file in files for row in csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines())]

    def voltages(self) -> set[frozenset[float]]:
        """The voltages of b1 that each of those outlets has that keep the past; one set when they agree."""
        heard = [(m.topic, m.payload) for m in self._ear.heard]
        native = [json.loads(p) for topic, p in heard if topic == "gewu/test/gw/readings"]
        board = [json.loads(p) for topic, p in heard if topic == "v1/gateway/telemetry"]
        rows = self._rows("readings")
        return {
            frozenset(r["values"]["voltage"] for m in native for r in m["readings"] if _good(r)),
            frozenset(e["values"]["voltage"] for m in board for e in m.get("b1", ()) if "voltage" in e["values"]),
            frozenset(float(row["value"]) for row in rows if _of(row) == ("b1", "voltage", "")),
        }


def _good(reading: dict[str, Any]) -> bool:
    return reading["device"] == "b1" and "voltage" in reading["values"] and "voltage" not in reading["marks"]


def _of(row: dict[str, str]) -> tuple[str, str, str]:
    return row["device"], row["name"], row["mark"]


def test_every_outlet_has_the_whole_story(village: Village, mosquitto: Mosquitto, site: Site) -> None:
    """A trip, a device that is lost and back: in each format's own words; and the same readings everywhere."""
    site.configure(bus_toml(village), mosquitto.url, outlets(mosquitto))
    with Listener(mosquitto.port, "gewu/#", "spBv1.0/#", "v1/#", "homeassistant/#") as ear:
        gateway = site.start_gateway()
        site.wait_for_values("b1", "s1")
        told = Outlets(ear, site)
        village.inject("b1", {"current": "130"})
        everyone = {"gewu", "sparkplug", "thingsboard", "homeassistant", "csv"}
        wait_for("the trip everywhere", lambda: told.trips() == everyone)
        village.inject("s1", {"silent": "1"})
        wait_for("its death", lambda: told.kinds()[-1:] == ["DDEATH"])
        sensor = "gewu/test/gw/homeassistant/s1/availability"
        wait_for("unavailable", lambda: [m.payload for m in ear.heard if m.topic == sensor][-1] == b"offline")
        wait_for("gone", lambda: any(m.topic == "v1/gateway/disconnect" and b"s1" in m.payload for m in ear.heard))
        village.inject("s1", {"silent": "0"})
        wait_for("its birth", lambda: "DBIRTH" in told.kinds()[told.kinds().index("DDEATH") :])
        wait_for("available", lambda: [m.payload for m in ear.heard if m.topic == sensor][-1] == b"online")
        for board in ("b1", "s1"):
            village.inject(board, {"silent": "1"})  # the story ends, so that all can have the whole of it
        wait_for("the end", lambda: (site.device("b1") or {}).get("online") is False)
        wait_for("the same voltages everywhere", lambda: len(v := told.voltages()) == 1 and all(v))
        assert gateway.stop() < 5.0
        wait_for("the node's death", lambda: any(m.topic == "spBv1.0/test/NDEATH/gw" for m in ear.heard))
