"""`gewu bus read`, `gewu check`, `gewu profile` and `gewu schema` as a technician types them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import serial
import typer
from typer.testing import CliRunner

from gateway.cli import bus, check, profile, schema
from gateway.errors import ConfigurationError, GewuError
from gateway.records import from_rfc3339
from gateway.tests.pymodbus_slave import device, serving
from gateway.tests.scripted_slave import framed, scripted

app = typer.Typer()
app.command()(check.check)
app.command()(schema.schema)
app.add_typer(bus.app, name="bus")
app.add_typer(profile.app, name="profile")


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments)


def read_arguments(port: str, *more: str) -> tuple[str, ...]:
    return ("bus", "read", "--port", port, "--baud", "115200", "--address", "1", "--profile", "gewu-breaker", *more)


@pytest.mark.integration
def test_read_prints_the_documented_json() -> None:
    """Every readable value is there, those that are never polled too; nothing else is on stdout."""
    inputs = {1: 1, 10: 6500, 11: 9000}
    with serving([device(1, inputs, {0: 16})], "Gewu", "gewu-breaker") as slave:
        result = run(*read_arguments(slave.port, "--json"))
        shown = run(*read_arguments(slave.port))
    document = json.loads(result.stdout)
    assert set(document) == {"device", "address", "at", "values", "marks"}
    assert (document["device"], document["address"]) == (None, 1)
    assert from_rfc3339(document["at"]) > 0
    assert {"current": 6.5, "closed": True, "rating": 16, "identify_seconds": 0}.items() <= document["values"].items()
    assert document["marks"] == {"voltage": "bad"}
    assert "6.5" in shown.stdout
    assert "bad" in shown.stdout


@pytest.mark.integration
def test_read_says_what_is_wrong() -> None:
    """Silence, another device and a missing port are sentences with exit status 1."""
    with scripted(lambda _: b"") as slave:
        silent = run(*read_arguments(slave.port, "--timeout", "0.05")).exception
    assert isinstance(silent, GewuError)
    assert "address, the bus's baud and parity, and whether A and B are swapped" in str(silent)
    with serving([device(1)], "Gewu", "gewu-sensor") as served:
        other = run(*read_arguments(served.port)).exception
    assert isinstance(other, GewuError)
    assert 'answers as "Gewu / gewu-sensor", which is no "gewu-breaker"' in str(other)
    missing = run(*read_arguments("/dev/ttyNONE")).exception
    assert isinstance(missing, GewuError)
    assert "/dev/ttyNONE does not exist" in str(missing)
    assert {error.exit_status for error in (silent, other, missing)} == {1}


@pytest.mark.integration
def test_a_port_that_a_gateway_holds_names_it(tmp_path: Path) -> None:
    """Of all that have the port open the gateway is named, by its data folder and process."""
    (tmp_path / "control.sock").touch()
    with (
        scripted(lambda _: b"") as slave,
        (tmp_path / "lock").open("w"),
        serial.Serial(slave.port, 115200, exclusive=True),
    ):
        held = run(*read_arguments(slave.port)).exception
    assert isinstance(held, GewuError)
    assert f"is in use by the gateway that runs on {tmp_path} (process {os.getpid()}); stop" in str(held)


@pytest.mark.integration
def test_scan_finds_who_is_there() -> None:
    """A known device, an unknown one, one without identification and one that babbles; nobody elsewhere."""

    def answer(request: bytes) -> bytes:
        unit = request[0]
        if unit == 2:
            return framed(2, 0x2B, 0x0E, 1, 1, 0, 0, 2, 0, 4, *b"Gewu", 1, 11, *b"gewu-sensor")
        if unit == 3:
            return framed(3, 0x2B, 0x0E, 1, 1, 0, 0, 1, 0, 4, *b"Acme")
        return framed(4, 0xAB, 1) if unit == 4 else framed(9, 0xAB, 1) if unit == 5 else b""

    with scripted(answer) as slave:
        options = ("bus", "scan", "-p", slave.port, "-b", "115200", "--timeout", "0.05", "--last", "6")
        document = json.loads(run(*options, "--json").stdout)
        shown = run(*options).stdout
        silent = run(*options, "--first", "6").exception
    assert [(row["address"], row["profile"], row["identity"]) for row in document] == [
        (2, "gewu-sensor", {"object0": "Gewu", "object1": "gewu-sensor"}),
        (3, None, {"object0": "Acme"}),
        (4, None, {}),
        (5, None, {}),
    ]
    assert [row["trouble"] is None for row in document] == [True, False, False, False]
    assert "another unit answered" in document[3]["trouble"]
    assert "gewu-sensor" in shown
    assert isinstance(silent, GewuError)


def test_wrong_arguments_end_with_status_2() -> None:
    """An impossible baud and an unknown profile are refused before the port is touched."""
    wrong = run(*read_arguments("/dev/ttyNONE", "--parity", "X")).exception
    assert isinstance(wrong, ConfigurationError)
    assert '--parity is "X"' in str(wrong)
    unknown = run("bus", "read", "-p", "/dev/ttyNONE", "-a", "1", "--profile", "nothing").exception
    assert isinstance(unknown, ConfigurationError)
    assert run("bus", "read", "-p", "/dev/ttyNONE", "-a", "300", "--profile", "gewu-breaker").exit_code == 2


def test_check_names_each_mistake(tmp_path: Path) -> None:
    """Exit status 2 and a line each; with --json a document; 0 and a summary when all is well."""
    path = tmp_path / "gewu.toml"
    path.write_text('[gateway]\nid = "A"\nsite = "s"\nsiet = "x"\n')
    result = run("check", "--config", str(path))
    assert result.exit_code == 2
    assert result.stderr.count(f"gewu: {path}: gateway.") == 2
    document = json.loads(run("check", "-c", str(path), "--json").stdout)
    assert document["ok"] is False
    assert len(document["errors"]) == 2
    path.write_text('[gateway]\nid = "a"\nsite = "s"\n')
    well = run("check", "-c", str(path))
    assert (well.exit_code, "is fine" in well.stdout) == (0, True)
    assert json.loads(run("check", "-c", str(path), "--json").stdout) == {"ok": True, "errors": [], "notices": []}


def test_profiles_can_be_listed_shown_and_checked(tmp_path: Path) -> None:
    """The shipped ones are fine; a wrong file is named with status 2."""
    names = [row["name"] for row in json.loads(run("profile", "list", "--json").stdout)]
    assert {"gewu-breaker", "gewu-sensor"} <= set(names)
    shown = json.loads(run("profile", "show", "gewu-breaker", "--json").stdout)
    assert {"profile", "register", "event"} == set(shown)
    assert "trip.overcurrent" in run("profile", "show", "gewu-breaker").stdout
    assert run("profile", "check").exit_code == 0
    wrong = tmp_path / "p.toml"
    wrong.write_text('[profile]\nname = "p"\n[[register]]\nname = "a"\n')
    result = run("profile", "check", "gewu-sensor", str(wrong), "--json")
    assert result.exit_code == 2
    assert [row["ok"] for row in json.loads(result.stdout)] == [True, False]


@pytest.mark.parametrize("subject", ["config", "profile", "message", "site"])
def test_schemas_are_json(subject: str) -> None:
    """Each prints one JSON Schema."""
    document = json.loads(run("schema", subject).stdout)
    assert "properties" in document or "$defs" in document


def test_the_schema_of_rules_is_honest() -> None:
    """What is not there yet is said, with status 1."""
    error = run("schema", "rules").exception
    assert isinstance(error, GewuError)
    assert "not in this version yet" in str(error)
