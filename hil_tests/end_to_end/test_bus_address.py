"""`gewu bus address` and the duplicates of `gewu bus scan`: real boards without settings, all at address 247."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.bus.discovery import discover
from gateway.bus.transport import Line
from gateway.bus.wire import wire_of
from hil_tests.rig.site import parse_site
from hil_tests.rig.village import Village

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
HEAD = "id,place,circuit,profile,rating,curve,address,serial\n"
RAW = ("r1", "r2", "r3", "r4")
DOUBLED = ("d1", "d2")  # both at address 5
TWINS = ("installed-twice-1", "installed-twice-2")  # a serial number is their first 16 characters


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    """Boards without settings, two on one address, and two with one serial number."""
    boards: list[dict[str, Any]] = [{"id": name, "settings": False} for name in RAW]
    boards += [{"id": name, "address": 5} for name in DOUBLED]
    boards += [{"id": name, "address": 6 + n} for n, name in enumerate(TWINS)]
    site = parse_site({"bus": [{"name": "n", "baud": 9600, "board": boards}]}, "test")
    with Village(site, tmp_path_factory.mktemp("rig")) as village:
        yield village


def gewu(village: Village, *words: str) -> Any:
    """(exit status, the JSON document, stderr)."""
    port = village.state()["buses"][0]["port"]
    line = [sys.executable, "-m", "gateway", "bus", *words, "--port", port, "--json"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=200, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def test_boards_with_one_address_get_their_own_by_serial_number(village: Village, tmp_path: Path) -> None:
    """Listed first; then by the plan, but for what would double an address; proven by the boards, and once more."""
    status, rows, said = gewu(village, "address")
    assert status == 1  # the twins
    assert "安全第一" in said
    raw = [row["serial"] for row in rows if row["address"] == 247]
    assert len(raw) == len(RAW)
    assert sorted(row["serial"] for row in rows if row["address"] == 5) == ["d1", "d2"]
    assert {row["trouble"].split(":")[0] for row in rows if row["address"] in (6, 7)} == {"serial-twice"}

    plan = tmp_path / "plan.csv"
    lines = [f"b{n},p,c{n},gewu-breaker,16,C,{20 + n},{serial}" for n, serial in enumerate(raw[:3])]
    lines += ["t,p,ct,gewu-breaker,16,C,30,installed-twice-", "x,p,cx,gewu-breaker,16,C,31,SN-NONE"]
    plan.write_text(HEAD + "\n".join([*lines, f"y,p,cy,gewu-breaker,16,C,5,{raw[3]}"]) + "\n", encoding="ascii")
    status, rows, said = gewu(village, "address", "--plan", str(plan))
    by_id = {row["id"]: row for row in rows if row["id"]}
    assert status == 1
    assert [(by_id[f"b{n}"]["state"], by_id[f"b{n}"]["trouble"]) for n in range(3)] == [("addressed", None)] * 3
    assert [by_id[name]["trouble"].split(":")[0] for name in "txy"] == ["serial-twice", "not-on-bus", "address-taken"]
    noted = [json.loads(line) for line in plan.with_suffix(".journal.jsonl").read_text("utf-8").splitlines()]
    assert {(line["serial"], line["address"]) for line in noted} == {
        (serial, 20 + n) for n, serial in enumerate(raw[:3])
    }

    # A restart keeps it; one board by hand; the same plan changes nothing.
    village.inject("r1", {"kill": "1"})
    status, rows, said = gewu(village, "address", "--serial", raw[3], "--to", "40")
    assert [row["state"] for row in rows if row["serial"] == raw[3]] == ["addressed"], rows
    status, rows, said = gewu(village, "address")
    assert {row["serial"]: row["address"] for row in rows if row["serial"] in raw} == dict(
        zip(raw, (20, 21, 22, 40), strict=True)
    )


def test_a_scan_names_who_shares_an_address(village: Village) -> None:
    """By serial number, with what to do."""
    status, rows, _said = gewu(village, "scan", "--first", "5", "--last", "5", "--timeout", "0.3")
    assert status == 0
    assert rows[0]["trouble"].startswith("2 boards answer at address 5: d1, d2; take one off the bus"), rows


def test_a_search_with_the_number_of_the_one_before_finds_everybody_again(village: Village) -> None:
    """Its round is one of 256: it comes again, and a board must not take it for the round in which it was heard."""
    port = village.state()["buses"][0]["port"]
    line = Line("n", port, wire_of(port, 9600, "N", 1), patience=0.1)
    try:
        first, again = (discover(line, dice=random.Random(7)) for _ in range(2))
    finally:
        line.close()
    assert len(first) == len(RAW) + len(DOUBLED) + len(TWINS)
    assert again == first


@pytest.mark.parametrize(("port", "code"), [("/dev/gewu-none", "no-port"), ("tcp://127.0.0.1:1", "no line")])
def test_a_port_that_cannot_be_used_is_named(port: str, code: str) -> None:
    """A code and the next step, no traceback."""
    line = [sys.executable, "-m", "gateway", "bus", "address", "--port", port]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (1, 2)
    assert code in done.stderr
    assert "Traceback" not in done.stderr
