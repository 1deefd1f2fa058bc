"""A technician beside a running gateway: commands go through it; boards report over USB; wrong speeds are found."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hil_tests.brokers import Mosquitto
from hil_tests.end_to_end.scene import Site, bus_toml, gewu, wait_for
from hil_tests.rig.site import read_site
from hil_tests.rig.village import Village

pytestmark = pytest.mark.integration


def words(output: str) -> Any:
    """The JSON document of a command whose stderr follows it."""
    document, _ = json.JSONDecoder().raw_decode(output)
    return document


def test_on_a_port_that_a_gateway_holds_commands_go_through_it(
    village: Village, mosquitto: Mosquitto, site: Site
) -> None:
    """Reading, scanning, writing, watching and listening work while it polls."""
    site.configure(bus_toml(village), mosquitto.url)
    site.start_gateway()
    site.wait_for_values("b1", "s1")
    port = village.state()["buses"][0]["port"]
    one = ("--port", port, "--address", "1", "--profile", "gewu-breaker")

    read = words(gewu("bus", "read", *one, "--json"))
    assert (read["device"], read["address"]) == ("b1", 1)
    assert read["values"]["rating"] == 16
    scanned = gewu("bus", "scan", "--port", port, "--last", "3", "--json")
    found = words(scanned)
    assert "Only the gateway's own 19200 baud and parity were tried" in scanned
    assert [(row["address"], row["profile"], row["trouble"]) for row in found] == [
        (1, "gewu-breaker", None),
        (2, "gewu-sensor", None),
    ]
    written = words(gewu("bus", "write", *one, "identify_seconds", "3", "--yes", "--json"))
    assert (written["device"], written["written"]) == ("b1", True)
    watched = words(gewu("bus", "watch", "--port", port, "--for", "1", "--json"))
    assert {device["id"] for device in watched["devices"]} == {"b1", "s1"}
    assert all(age < 120 for device in watched["devices"] for age in device["ages"].values())
    by_name = words(gewu("bus", "read", "--config", site.config, *("--port", "north"), *one[2:], "--json"))
    assert by_name["device"] == "b1"
    heard = words(gewu("bus", "sniff", "--port", port, "--for", "3", "--json"))
    assert {"1", "2"} <= set(heard["units"]) <= {"0", "1", "2"}  # 0: the time may be told meanwhile
    assert heard["garbled"] == 0
    assert {exchange["outcome"] for exchange in heard["exchanges"]} <= {"answered", "broadcast"}
    assert all((site.device(name) or {})["online"] for name in ("b1", "s1"))


def test_a_board_reports_over_usb(village: Village, mosquitto: Mosquitto, site: Site) -> None:
    """`protocol = "jsonl"`: the same values as over the bus, and a trip is an event at the receiver."""
    usb = {board["id"]: board["usb"] for board in village.state()["boards"]}["b1"]
    bus = (
        f'[[bus]]\nname = "usb"\nport = "{usb}"\nbaud = 115200\nprotocol = "jsonl"\n'
        '[[bus.device]]\nid = "b1"\nprofile = "gewu-breaker"\naddress = 1\nplace = "street/house 1"\n'
    )
    site.configure(bus, mosquitto.url)
    site.start_receiver(mosquitto.url)
    site.start_gateway()
    village.inject("b1", {"current": "7.5"})

    def steady() -> bool:
        values = (site.device("b1") or {}).get("values", {})
        return bool(values) and values["current"] == pytest.approx(7.5, rel=0.05)

    wait_for("a measurement of what was injected", steady)
    device = site.device("b1")
    assert device is not None
    assert (device["online"], device["values"]["closed"], device["marks"]) == (True, True, {})
    village.inject("b1", {"current": "400"})
    wait_for("the trip at the receiver", site.trips)
    (trip,) = [event for event in site.trips() if event["cleared"] is None][:1]
    assert (trip["device"], trip["place"]) == ("b1", "street/house 1")


@pytest.fixture
def mixed(tmp_path: Path) -> Iterator[Village]:
    """A bus at 9600 with a sensor on it that was set to 19200."""
    plan = tmp_path / "mixed.toml"
    plan.write_text(
        '[[bus]]\nname = "north"\nbaud = 9600\n'
        '[[bus.board]]\nid = "s1"\nprofile = "gewu-sensor"\naddress = 2\nbaud = 19200\n',
        encoding="utf-8",
    )
    with Village(read_site(plan), tmp_path) as village:
        yield village


def test_scan_finds_a_wrong_speed_by_trying(mixed: Village) -> None:
    """Nobody answers at the bus's speed: the other usual ones are tried, and the row says which one it is."""
    port = mixed.state()["buses"][0]["port"]
    (row,) = words(gewu("bus", "scan", "--port", port, "--first", "2", "--last", "2", "--timeout", "0.3", "--json"))
    assert (row["address"], row["profile"]) == (2, "gewu-sensor")
    assert row["trouble"].startswith("it answers at 19200 8")
    assert row["trouble"].endswith("and not at 9600 8N1")
