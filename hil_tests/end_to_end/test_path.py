"""The whole path against real mosquitto: what happens on a breaker arrives, once, whatever happens in between."""

import json
from pathlib import Path

import pytest

from gateway.records import from_rfc3339
from hil_tests.brokers import Mosquitto
from hil_tests.end_to_end.scene import Site, bus_toml, gewu, wait_for
from hil_tests.rig.village import Village

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def running(site: Site, village: Village, broker: Mosquitto) -> None:
    """A gateway that has read both devices, with a receiver."""
    site.configure(bus_toml(village), broker.url)
    site.start_receiver(broker.url)
    site.start_gateway()
    site.wait_for_values("b1", "s1")


def test_a_trip_arrives_within_two_seconds(village: Village, mosquitto: Mosquitto, site: Site) -> None:
    """An overloaded breaker opens by itself and its event is at the receiver; closed again, it is cleared."""
    running(site, village, mosquitto)
    village.inject("b1", {"current": "130"})
    (event,) = wait_for("the trip event", site.trips)
    tripped_ms = village.state()["trips"][-1]["at_ms"]
    assert event["got"] - tripped_ms < 2000
    assert abs(from_rfc3339(event["raised"]) - tripped_ms) < 500
    assert (event["device"], event["place"], event["grade"]) == ("b1", "street/house 1", 2)
    wait_for("an open breaker without current", lambda: (site.device("b1") or {})["values"]["current"] == 0)
    village.inject("b1", {"load": "5", "handle": "1"})
    wait_for("its clearing", lambda: len(site.trips()) == 2)
    raised, cleared = site.trips()
    assert raised["id"] == cleared["id"]
    assert cleared["cleared"] is not None


def test_nothing_is_lost_over_kills_of_everybody(village: Village, mosquitto: Mosquitto, site: Site) -> None:
    """Broker and gateway are killed with SIGKILL in turn; the receiver ends with every number accounted for."""
    running(site, village, mosquitto)
    gateway = site.programs[-1]
    for _ in range(3):
        site.wait_for_more("accepted")
        mosquitto.kill()
        village.inject("b1", {"load": "9"})
        site.wait_for_more("queued")
        gateway.kill()
        mosquitto.start()
        gateway.restart()
        site.wait_for_values("b1")
    assert gateway.stop() < 5.0
    stats = json.loads(gewu("outbox", "stats", "--config", site.config, "--json"))
    assert stats["accepted"] == stats["delivered"] + stats["queued"] + stats["dropped"]
    assert stats["dropped"] == 0
    gateway.restart()  # what could not leave in the last seconds leaves with the next start
    wait_for("all at the receiver", lambda: site.report()["delivered"] >= stats["accepted"])
    wait_for("no hole", lambda: site.report()["lost"] == 0)


def test_a_trip_while_the_gateway_is_dead_is_one_event(village: Village, mosquitto: Mosquitto, site: Site) -> None:
    """The breaker keeps its trip until a gateway asks, and a second restart does not tell it again."""
    running(site, village, mosquitto)
    gateway = site.programs[-1]
    gateway.kill()
    village.inject("b1", {"current": "130"})
    wait_for("the trip", lambda: not next(b for b in village.state()["boards"] if b["id"] == "b1")["closed"])
    tripped_ms = village.state()["trips"][-1]["at_ms"]
    gateway.restart()
    (event,) = wait_for("the trip event", site.trips)
    assert abs(from_rfc3339(event["raised"]) - tripped_ms) < 1000
    gateway.stop()
    gateway.restart()
    site.wait_for_values("b1")
    assert len(site.trips()) == 1
    village.inject("b1", {"load": "5", "handle": "1"})
    wait_for("its clearing", lambda: len(site.trips()) == 2)


def test_a_device_lost_and_back(village: Village, mosquitto: Mosquitto, site: Site) -> None:
    """A silent board is one event with one log line, cleared when it is back; the others are read on."""
    running(site, village, mosquitto)
    village.inject("s1", {"silent": "1"})
    try:
        wait_for("the loss", lambda: site.events("device.lost"))
        assert wait_for("b1 is read on", lambda: (site.device("b1") or {}).get("online"))
    finally:
        village.inject("s1", {"silent": "0"})
    wait_for("the return", lambda: len(site.events("device.lost")) == 2)
    lost, back = site.events("device.lost")
    assert (lost["device"], lost["id"], back["cleared"] is not None) == ("s1", back["id"], True)
    assert site.programs[-1].words().count("s1") <= 4


def test_one_bad_bus_does_not_disturb_the_others(
    village: Village, mosquitto: Mosquitto, site: Site, tmp_path: Path
) -> None:
    """A bus whose port is missing is named by doctor and in the log; the other is served."""
    missing = tmp_path / "no-such-port"
    bad = (
        f'[[bus]]\nname = "south"\nport = "{missing}"\n[[bus.device]]\nid = "x"\nprofile = "gewu-sensor"\naddress = 1\n'
    )
    site.configure(bad + bus_toml(village), mosquitto.url)
    site.start_gateway()
    site.wait_for_values("b1")
    words = gewu("doctor", "--config", site.config, status=1)
    assert "south" in words
    assert str(missing) in words
    assert "north" not in words


def test_two_gateways_do_not_share_a_data_folder(village: Village, mosquitto: Mosquitto, site: Site) -> None:
    """The second one ends with status 2 and one sentence; the first goes on."""
    site.configure(bus_toml(village), mosquitto.url)
    site.start_gateway()
    site.wait_for_values("b1")
    assert "Another gateway already runs" in gewu("run", "--config", site.config, status=2)
    assert site.device("b1") is not None
