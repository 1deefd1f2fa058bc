"""`gewu bus write`, `watch`, `sniff` and what `scan` suspects, as a technician types them, on ptys."""

import io
import json
import os
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from gateway.cli import bus, bus_watch
from gateway.errors import ConfigurationError, GewuError
from gateway.profile import load
from gateway.tests.pymodbus_slave import Slave, device, serving, serving_tcp
from gateway.tests.scripted_slave import framed, registers, scripted
from gateway.tests.test_sniffer import TALK

pytestmark = pytest.mark.integration
app = typer.Typer()
app.add_typer(bus.app, name="bus")


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["bus", *arguments])


@pytest.fixture
def breaker() -> Iterator[Slave]:
    """A breaker at address 1, whose holding registers and coils can be written."""
    with serving([device(1, {1: 1, 10: 6500, 11: 2301}, {0: 16, 8: 0})], "Gewu", "gewu-breaker") as slave:
        yield slave


def at(slave: Slave, *more: str) -> list[str]:
    """Its place. The slave is a thread beside the command: on a busy machine it takes longer than a device may."""
    line = ["--port", slave.port, "--baud", "115200", "--timeout", "2"]
    return [*line, "--address", "1", "--profile", "gewu-breaker", *more]


def test_write_asks_and_reads_back(breaker: Slave) -> None:
    """Without a terminal nothing is written unless --yes says so; then the new value is read back."""
    refused = run("write", *at(breaker), "identify_seconds", "5").exception
    assert isinstance(refused, GewuError)
    assert "nobody can be asked here; --yes writes 5 s into identify_seconds of address 1, which holds 0" in str(
        refused
    )
    done = json.loads(run("write", *at(breaker), "identify_seconds", "5", "--yes", "--json").stdout)
    assert (done["before"], done["after"], done["written"], done["raw"]) == (0, 5, True, [5])
    assert run("write", *at(breaker), "identify_seconds", "6", "--yes").stdout.startswith("Wrote 6 s into identify")


def test_a_coil_moves_only_when_told_twice(breaker: Slave) -> None:
    """The default for coils is to say what would be done."""
    says = run("write", *at(breaker), "identify", "on", "--yes").stdout
    assert "Nothing was written; --no-dry-run writes." in says
    told = json.loads(run("write", *at(breaker), "identify", "on", "--yes", "--no-dry-run", "--json").stdout)
    assert (told["written"], told["value"], told["raw"]) == (True, True, [1])
    held = json.loads(run("write", *at(breaker), "identify_seconds", "9", "--dry-run", "--json").stdout)
    assert (held["written"], held["after"]) == (False, 0)


def test_a_write_that_did_not_take_is_a_failure() -> None:
    """The device says yes and holds what it held: status 1 and a sentence."""

    def answer(request: bytes) -> bytes:
        return framed(*request) if request[1] == 6 else registers(1, request[1], 100)

    with scripted(answer) as slave:
        arguments = ("--port", slave.port, "--baud", "115200", "--address", "1", "--profile", "peacefair-pzem-016")
        failed = run("write", *arguments, "power_limit", "2000", "--yes").exception
    assert isinstance(failed, GewuError)
    assert "power_limit still holds 100" in str(failed)


def test_modbus_tcp_is_a_port_like_any_other() -> None:
    """Reading, writing and scanning over tcp://; there is no line to listen on."""
    with serving_tcp([device(1, {1: 1, 11: 2301}, {0: 16})], "Gewu", "gewu-breaker") as port:
        one = ("--port", port, "--address", "1", "--profile", "gewu-breaker")
        values = json.loads(run("read", *one, "--json").stdout)["values"]
        rows = json.loads(run("scan", "--port", port, "--last", "1", "--timeout", "2", "--json").stdout)
        written = json.loads(run("write", *one, "identify_seconds", "4", "--yes", "--json").stdout)
    assert (values["voltage"], values["closed"]) == (230.1, True)
    assert [(row["address"], row["profile"], row["trouble"]) for row in rows] == [(1, "gewu-breaker", None)]
    assert written["after"] == 4
    refused = run("sniff", "--port", "tcp://127.0.0.1:502").exception
    assert isinstance(refused, GewuError)


def test_the_table_shows_a_line_for_each_value() -> None:
    """Age, mark, deadband, when it was sent, at_least."""
    watched = {
        "id": "b1", "profile": "gewu-breaker", "trouble": None, "values": {"voltage": 230.1, "closed": True},
        "marks": {"voltage": "stale"}, "ages": {"voltage": 7.5, "closed": 0.1}, "sent": {"voltage": 12.0},
    }  # fmt: skip
    console = Console(record=True, width=160, file=io.StringIO())
    bus_seen = {"port": "/dev/a", "polls": 9, "errors": {"crc": 2}, "devices": [watched]}
    console.print(bus_watch.table_of(bus_seen, {"gewu-breaker": load("gewu-breaker")}))
    text = console.export_text()
    assert "/dev/a  9 polls, 2 failed" in text
    (row,) = [line.split() for line in text.splitlines() if "voltage" in line]
    assert row == ["b1", "voltage", "230.1", "V", "7.5", "stale", "0.5", "12", "300"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("voltage", "230"), "voltage can only be read; gewu-breaker lets be written: "),
        (("valtage", "230"), 'has no register "valtage"; it lets be written: '),
        (("identify_seconds", "soon"), 'identify_seconds takes a number, not "soon".'),
        (("identify", "maybe"), 'identify takes on or off, not "maybe".'),
        (("identify_seconds", "70000"), "identify_seconds"),
    ],
)
def test_a_wrong_write_is_refused_before_the_port_is_touched(words: tuple[str, str], sentence: str) -> None:
    """Status 2 and a sentence."""
    arguments = ("--port", "/dev/ttyNONE", "--address", "1", "--profile", "gewu-breaker", *words, "--yes")
    wrong = run("write", *arguments).exception
    assert isinstance(wrong, ConfigurationError)
    assert sentence in str(wrong)


def test_watch_shows_age_mark_and_rules(breaker: Slave) -> None:
    """Plain lines where there is no terminal; one document with --json; both end by themselves."""
    lines = run("watch", *at(breaker), "--for", "2").stdout
    assert "watched  voltage = 230.1 V  (deadband 0.5, at least every 300 s)" in lines
    assert lines.count(" voltage = ") == 1
    document = json.loads(run("watch", *at(breaker), "--for", "2", "--json").stdout)
    (watched,) = document["devices"]
    assert watched["values"]["voltage"] == 230.1
    assert 0 <= watched["ages"]["voltage"] < 10
    assert 0 <= watched["sent"]["voltage"] <= 10
    missing = run("watch", "--port", breaker.port).exception
    assert isinstance(missing, ConfigurationError)


@contextmanager
def talking() -> Iterator[str]:
    """A pty on which frames pass until the end."""
    master, slave = os.openpty()
    for end in (master, slave):
        tty.setraw(end)
    ended = threading.Event()

    def talk() -> None:
        while not ended.is_set():
            for frame in [*TALK, b"\x55\x55\x55"]:
                os.write(master, frame)
                time.sleep(0.06)

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    yield os.ttyname(slave)
    ended.set()
    thread.join(10)
    for end in (master, slave):
        os.close(end)


def test_sniff_decodes_and_sends_nothing() -> None:
    """Requests with their replies, garbled bursts counted; the bytes that it sends would be heard."""
    with talking() as port:
        document = json.loads(run("sniff", "--port", port, "--baud", "115200", "--for", "3", "--json").stdout)
        lines = run("sniff", "--port", port, "--baud", "115200", "--for", "2").stdout
    seen = {(one["unit"], one["outcome"]) for one in document["exchanges"]}
    assert {(1, "answered"), (4, "refused"), (6, "silent"), (0, "broadcast")} <= seen
    assert document["frames"] > 20
    assert document["garbled"] >= 1
    assert "unit 1 read inputs 10 to 11: 11 22" in lines


def test_scan_suspects_a_doubled_address() -> None:
    """Answers that are garbled again and again, or that change, are two devices; a third-party one is found too."""
    turn = iter(range(1000))

    def answer(request: bytes) -> bytes:
        unit, function = request[0], request[1]
        if unit == 1:
            return framed(1, 0xAB, 1)[:4] + b"\xff"
        if unit == 2:
            return framed(2, 0x2B, 0x0E, 1, 1, 0, 0, 1, 0, 1, *(b"A" if next(turn) % 2 else b"B"))
        return (
            registers(3, 3, 7) if unit == 3 and function == 3 else b""
        )  # it knows no other function, and says nothing

    with scripted(answer) as slave:
        options = ("--port", slave.port, "--baud", "115200", "--timeout", "0.05", "--last", "4")
        rows = json.loads(run("scan", *options, "--json").stdout)
    troubles = {row["address"]: row["trouble"] for row in rows}
    assert list(troubles) == [1, 2, 3]
    assert "4 of 4 answers from address 1 are garbled: two devices with this address" in troubles[1]
    assert "two devices answer at address 2" in troubles[2]
    assert troubles[3] == "it answers, but gives no identification"
