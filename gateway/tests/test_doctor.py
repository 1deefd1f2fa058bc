"""Each trouble has its finding, and a well gateway has none."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from gateway.cli.doctor import doctor
from gateway.doctor import examine
from gateway.errors import ConfigurationError

NOW = 1_800_000_000_000
MACHINE: dict[str, Any] = {
    "disk": {"free": 50, "total": 100},
    "clock": "trusted",
    "under_voltage": None,
    "temperature": 45.0,
}
STATUS: dict[str, Any] = {
    "gateway": {"notices": []},
    "buses": [
        {
            "name": "north",
            "trouble": None,
            "polls": 1000,
            "errors": {"crc": 1},
            "devices": [
                {"id": "b1", "address": 1, "online": True, "mismatched": False, "trouble": None},
                {"id": "b2", "address": 2, "online": True, "mismatched": False, "trouble": None},
            ],
        }
    ],
    "uplinks": [{"name": "county", "connected": True, "trouble": None}],
    "sinks": [{"name": "archive", "trouble": None, "set_aside": 0}],
    "store": {"queued": 3, "oldest": NOW - 1000, "dropped": 0},
}


def changed(path: str, value: Any, base: dict[str, Any] = STATUS) -> dict[str, Any]:
    """A copy of `base` with one place changed: "buses.0.trouble"."""
    result = copy.deepcopy(base)
    *way, last = path.split(".")
    spot: Any = result
    for step in way:
        spot = spot[int(step)] if step.isdigit() else spot[step]
    spot[int(last) if last.isdigit() else last] = value
    return result


def test_a_well_gateway_has_no_finding() -> None:
    """Nothing wrong, nothing said."""
    assert examine(STATUS, MACHINE, NOW) == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (None, "No gateway runs"),
        (changed("buses.0.trouble", "port /dev/x is missing"), "port /dev/x is missing"),
        (changed("buses.0.errors", {"crc": 100}), "100 of 1000 polls failed"),
        (changed("buses.0.devices.1.online", False), "Device b2"),
        (
            changed("uplinks.0", {"name": "county", "connected": False, "trouble": "refused"}),
            "Uplink county: refused",
        ),
        (changed("store.oldest", NOW - 3_600_000), "wait to be sent, the oldest for 60 minutes"),
        (changed("store.dropped", 7), "7 records were dropped"),
        (changed("gateway.notices", ["camera 'gate' waits"]), "camera 'gate' waits"),
    ],
)
def test_each_trouble_of_the_gateway(status: dict[str, Any] | None, words: str) -> None:
    """Each is one finding that says what, why and what to do."""
    (finding,) = examine(status, MACHINE, NOW)
    assert words in finding.what
    assert finding.why
    assert finding.do


def test_another_device_is_no_silence() -> None:
    """What answers as something else is named with what it says, also when it is alone on its bus."""
    other = {"id": "b2", "address": 2, "online": False, "mismatched": True, "trouble": 'it answers as "Acme"'}
    for devices in ([other], [STATUS["buses"][0]["devices"][0], other]):
        (finding,) = examine(changed("buses.0.devices", devices), MACHINE, NOW)
        assert "b2" in finding.what
        assert "something else" in finding.what
        assert "Acme" in finding.why


def test_a_wrong_configuration_is_a_finding_too(tmp_path: Path) -> None:
    """With --json there is a document also then, the same sentence is an error, and the exit status is 2."""
    app = typer.Typer()
    app.command()(doctor)
    result = CliRunner().invoke(app, ["--json", "--config", str(tmp_path / "gewu.toml")])
    document = json.loads(result.stdout)
    assert document["ok"] is False
    (finding,) = document["findings"]
    assert finding["what"].startswith("There is no configuration file")
    assert isinstance(result.exception, ConfigurationError)


def test_all_devices_silent_points_to_the_pair() -> None:
    """When nobody answers, one finding names the wiring and not each device."""
    status = changed("buses.0.devices.0.online", False, changed("buses.0.devices.1.online", False))
    (finding,) = examine(status, MACHINE, NOW)
    assert "A and B" in finding.why + finding.do


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("disk", {"free": 5, "total": 100}, "disk is nearly full"),
        ("clock", "untrusted", "clock has not been set"),
        ("under_voltage", True, "supply voltage"),
        ("temperature", 85.0, "85 °C"),
    ],
)
def test_each_trouble_of_the_machine(key: str, value: Any, words: str) -> None:
    """The machine's own troubles are findings too."""
    (finding,) = examine(STATUS, MACHINE | {key: value}, NOW)
    assert words in finding.what


def test_who_is_behind_is_named() -> None:
    """With several ways out, the one that is late is the one to look at; and whose time records carry, if not ours."""
    late = changed("store.oldest", NOW - 3_600_000)
    late["queues"] = {"county": {"queued": 3, "oldest": NOW - 3_600_000}, "tb": {"queued": 1, "oldest": NOW - 1000}}
    (finding,) = examine(late, MACHINE, NOW)
    assert "wait to be sent to county, the oldest" in finding.what
    learned = changed("gateway.clock_source", "devices")
    (finding,) = examine(learned, MACHINE | {"clock": "untrusted"}, NOW)
    assert "devices' clocks" in finding.why
