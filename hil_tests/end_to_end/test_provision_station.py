"""`gewu provision commission --station`: virtual boards plugged in, pulled out in the middle, and plugged in again."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hil_tests.end_to_end.scene import GEWU, wait_for
from hil_tests.rig.site import parse_site
from hil_tests.rig.village import Village

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
HEAD = "id,place,circuit,profile,rating,curve,address\n"


@pytest.fixture
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    boards: list[dict[str, Any]] = [{"id": name, "fresh": True} for name in ("one", "two")]
    site = parse_site({"bus": [{"name": "n", "baud": 115200, "board": boards}]}, "test")
    with Village(site, tmp_path_factory.mktemp("rig")) as up:
        yield up


def test_plug_in_wait_pull_out_next(village: Village, tmp_path: Path) -> None:
    """One that stays until its green line, one that is pulled out while it is loaded and comes again: both are well."""
    plan, bench, log = tmp_path / "plan.csv", tmp_path / "by-id", tmp_path / "log"
    plan.write_text(HEAD + "".join(f"b{n},p,c{n},gewu-breaker,16,C,{n}\n" for n in (1, 2)), encoding="utf-8")
    (tmp_path / "boards.toml").write_text("[breaker]\nbaud = 115200\n", encoding="ascii")
    bench.mkdir()

    def plug(name: str) -> None:
        (bench / name).symlink_to(os.readlink(village.folder / "usb" / name))  # noqa: PTH115

    def said(*words: str) -> bool:
        text = log.read_text(encoding="utf-8")
        return any(all(word in line for word in words) for line in text.splitlines())

    command = [
        *GEWU, "provision", "commission", "--station", "--plan", str(plan), "--ports", f"{bench}/*", "--json",
        "--settings", str(tmp_path / "boards.toml"),
    ]  # fmt: skip
    with log.open("wb") as errors:
        station = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
    try:
        wait_for("the station", lambda: said("plug in, wait for the green line"))
        plug("one")
        wait_for("the first green line", lambda: said("OK 合格", "one", "b1", "可以拔下"), 60)
        plug("two")
        (bench / "one").unlink()
        wait_for("the second board at work", lambda: said("two: verified"), 60)
        (bench / "two").unlink()
        village.inject("two", {"kill": "1"})  # its power was the USB's
        wait_for("the red line", lambda: said("NOT OK 不合格", "two", "plug"), 60)
        plug("two")
        wait_for("the second green line", lambda: said("OK 合格", "two", "b2", "可以拔下"), 60)
        station.send_signal(signal.SIGINT)
        rows = json.loads(station.communicate(timeout=60)[0])
    finally:
        if station.poll() is None:
            station.kill()
            station.communicate()
    text = log.read_text(encoding="utf-8")
    assert "Traceback" not in text
    assert station.returncode == 0, text
    assert [(row["id"], row["state"], row["trouble"]) for row in rows] == [
        ("b1", "commissioned", None),
        ("b2", "commissioned", None),
    ]
    assert "2 boards commissioned, 0 not." in text
