"""`gewu provision verify`: real boards on their bus against a plan, alone and through a running gateway; test trips."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ConfigurationError
from hil_tests.brokers import Mosquitto
from hil_tests.end_to_end.scene import Site, gewu
from hil_tests.rig.flash import fill, settings_of
from hil_tests.rig.site import Board, Bus, parse_site
from hil_tests.rig.village import Village
from provisioning.settings import digest, slot_bytes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
KEY = bytes(range(32)).hex()
HEAD = "id,place,circuit,profile,rating,curve,address,serial,residual,critical\n"
ROWS = (
    "b1,溪/1,照明,gewu-breaker,16,C,1,,,\n"
    "b2,溪/2,插座,gewu-breaker,20,B,2,SN-OTHER,,\n"
    "b3,溪/3,氧气机,gewu-breaker,16,C,3,,,yes\n"
    "b4,溪/4,gone,gewu-breaker,16,C,4,,,\n"
    "s1,溪/5,,gewu-sensor,16,,5,,,\n"
    "t1,溪/7,泵,gewu-breaker,16,C,7,,,\n"
)
SITE: dict[str, Any] = {
    "bus": [
        {
            "name": "north",
            "baud": 115200,
            "board": [
                {"id": "b1", "address": 1, "current": 6.0},
                {"id": "b2", "address": 2, "current": 6.0},
                {"id": "b3", "address": 3, "current": 6.0},
                {"id": "s1", "profile": "gewu-sensor", "address": 5},
                {"id": "x9", "address": 6},
                {"id": "t1", "address": 7, "current": 6.0},
            ],
        }
    ]
}
given: dict[str, dict[str, Any]] = {}


def load(folder: Path, board: Board, bus: Bus) -> None:
    fill(folder, board, bus)
    given[board.id] = settings_of(board, bus) | {"key": KEY}
    (folder / "settings.a").write_bytes(slot_bytes(given[board.id], 1))


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with Village(parse_site(SITE, "test"), tmp_path_factory.mktemp("rig"), load=load) as up:
        yield up


@pytest.fixture
def plan(village: Village, tmp_path: Path) -> Path:
    """The plan, what commissioning would have noted of its boards, and their keys."""
    path = tmp_path / "plan.csv"
    path.write_text(HEAD + ROWS, encoding="utf-8")
    with path.with_suffix(".journal.jsonl").open("w", encoding="utf-8") as journal:
        for name in ("b1", "b2", "b3", "s1", "t1"):
            noted = {"do": "commission", "id": name, "uid": name, "serial": name}
            changed = given[name] | ({"baud": 9600} if name == "b3" else {})
            for line in ({"state": "addressed", "settings": f"{digest(changed):08x}"}, {"state": "commissioned"}):
                journal.write(json.dumps(noted | line) + "\n")
    keys = path.with_name("device-keys.toml")
    keys.write_text("[keys]\n" + "".join(f'{name} = "{KEY}"\n' for name in ("t1", "b3")), encoding="utf-8")
    keys.chmod(0o600)
    return path


def verify(village: Village, plan: Path, *more: str, status: int = 1) -> tuple[dict[str | None, dict[str, Any]], str]:
    """(rows by id, everything that was said)."""
    (bus,) = village.state()["buses"]
    line = ("provision", "verify", "--plan", plan, "--bus", bus["port"], "--baud", "115200", "--json")
    said = gewu(*line, "--last", "7", "--search-timeout", "0.3", *more, status=status)
    rows, _ = json.JSONDecoder().raw_decode(said)
    return {row["id"]: row for row in rows}, said


def test_plan_and_reality_are_told_apart(village: Village, plan: Path) -> None:
    """Rating, curve, serial, changed settings, an absent one and a stranger: each is named, and nothing is opened."""
    rows, _said = verify(village, plan)
    assert list(rows) == ["b1", "b2", "b3", "b4", "s1", "t1", None]
    assert rows["b1"] == {"id": "b1", "address": 1, "ok": True, "differences": []}
    assert rows["s1"]["ok"]
    assert [text.partition(":")[0] for text in rows["b2"]["differences"]] == ["rating", "curve"]
    assert rows["b2"]["differences"][0] == "rating: 16 A, the plan says 20 A"
    (changed,) = rows["b3"]["differences"]
    assert changed.startswith("settings: their digest is ")
    (gone,) = rows["b4"]["differences"]
    assert gone.startswith("absent: ")
    (stranger,) = rows[None]["differences"]
    assert (rows[None]["address"], rows[None]["ok"]) == (6, False)
    assert stranger.startswith("unknown device: Gewu / gewu-breaker")
    noted = [json.loads(line) for line in plan.with_suffix(".journal.jsonl").read_text(encoding="utf-8").splitlines()]
    (figures,) = [line for line in noted if line["do"] == "verify" and line["id"] == "b1"]
    assert figures["values"]["voltage"] == pytest.approx(230, rel=0.05)
    assert (figures["release"], figures["values"]["image"]) == ("0.1.0", 0)


def test_a_trip_opens_the_breaker_and_says_how_it_is_closed(village: Village, plan: Path) -> None:
    """Nobody asked, nobody named, a critical load with one person: refused, and every contact stays closed."""
    for more, why in (
        (("--trip", "t1"), "--by NAME"),
        (("--trip", "t1", "--by", "Li"), "nobody can be asked here"),
        (("--trip", "all", "--by", "Li", "--yes"), "second person"),
        (("--trip", "all", "--by", "Li", "--second", "Li", "--yes"), "second person"),
        (("--trip", "s1", "--by", "Li", "--yes"), "gewu-sensor"),
    ):
        (bus,) = village.state()["buses"]
        line = ("provision", "verify", "--plan", plan, "--bus", bus["port"], "--baud", "115200")
        status = 1 if "asked" in why else ConfigurationError.exit_status
        assert why in gewu(*line, *more, status=status)
    assert all(board["closed"] for board in village.state()["boards"])

    rows, said = verify(village, plan, "--trip", "t1,b3", "--by", "Li", "--second", "Wang", "--yes")
    assert "安全第一" in said
    assert "须由人员在现场用手柄合闸" in said
    tripped = rows["t1"]["trip"]
    assert (tripped["ok"], tripped["why"]) == (True, "")
    assert tripped["before_a"] == pytest.approx(6, rel=0.1)
    assert tripped["after_a"] == 0
    assert rows["b3"]["trip"]["why"].startswith("not opened: it is not as planned")
    closed = {board["id"]: board["closed"] for board in village.state()["boards"]}
    assert (closed["t1"], closed["b3"]) == (False, True)
    last = plan.with_suffix(".journal.jsonl").read_text(encoding="utf-8")
    assert '"do":"trip","id":"t1","address":7,"by":"Li","second":"Wang","ok":true' in last
    assert KEY not in last + said


def test_through_a_running_gateway(village: Village, plan: Path, mosquitto: Mosquitto, site: Site) -> None:
    """The gateway keeps its port and goes on polling."""
    (bus,) = village.state()["buses"]
    site.configure(
        f'[[bus]]\nname = "north"\nport = "{bus["port"]}"\nbaud = 115200\ntimeout = 0.1\n'
        '[[bus.device]]\nid = "s1"\nprofile = "gewu-sensor"\naddress = 5\n',
        mosquitto.url,
    )
    site.start_gateway()
    site.wait_for_values("s1")
    rows, said = verify(village, plan)
    assert "is held by the gateway in" in said
    assert (rows["s1"]["ok"], rows["b2"]["ok"], rows[None]["address"]) == (True, False, 6)
    assert (site.device("s1") or {})["online"]
