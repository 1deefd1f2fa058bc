"""Patrols by the clock: each minute once, a report in a file, gone when stills go."""

import os
import threading
from pathlib import Path
from typing import Any

from gateway.camera.rounds import Rounds
from gateway.config import Config
from gateway.errors import TryAgain
from gateway.records import ClockState
from gateway.tests.fake_clock import FakeClock
from hil_tests.cameras import scenes


def config(folder: Path) -> Config:
    about = {"purpose": "p", "owner": "o", "sign": "s"}
    return Config.model_validate(
        {
            "gateway": {"id": "a", "site": "s", "data_dir": str(folder)},
            "camera": [{"id": name, "source": "dir:x", **about} for name in ("gate", "market")],
            "patrol": [{"name": "evening", "stops": ["gate", "market"], "at": ["08:00", "20:00"]}],
        }
    )


def test_each_minute_once(tmp_path: Path) -> None:
    """However often it is asked within the minute, and again the next day."""
    rounds = Rounds(config(tmp_path), FakeClock(), lambda _: {}, threading.Event())
    minutes = ["2026-11-22 07:59", "2026-11-22 08:00", "2026-11-22 08:00", "2026-11-22 20:00", "2026-11-23 08:00"]
    assert [len(rounds.due(minute)) for minute in minutes] == [0, 1, 0, 1, 1]


def test_a_report_and_nothing_left_behind(tmp_path: Path) -> None:
    """The picture that was asked for is taken away; an unreachable camera is a finding; old reports go."""
    picture = tmp_path / "look.jpg"

    def look(name: str) -> dict[str, Any]:
        if name == "market":
            raise TryAgain("The camera market gives no picture: away.")
        scenes.street().save(picture, "JPEG")
        return {"label": "normal", "score": 0.7, "blind": None, "trouble": None, "picture": str(picture)}

    clock = FakeClock()
    rounds = Rounds(config(tmp_path), clock, look, threading.Event())
    old = tmp_path / "patrols" / "evening-old.html"
    old.parent.mkdir()
    old.write_text("old")
    os.utime(old, (clock.wall_ms() / 1000 - 31 * 86400,) * 2)
    file = rounds.make(rounds.due("2026-11-22 08:00")[0], "2026-11-22 08:00")
    page = file.read_text(encoding="utf-8")
    assert file.name == "evening-2026-11-22-0800.html"
    assert "正常 normal 0.70" in page
    assert "无法访问 unreachable: The camera market" in page
    assert not picture.exists()
    assert not old.exists()


class Lost(FakeClock):
    """The time was learned; or nobody knows it."""

    worth: ClockState = "corrected"

    def state(self) -> ClockState:
        return self.worth


def test_reports_go_by_the_gateway_s_time(tmp_path: Path) -> None:
    """A machine in 1970 whose gateway has learned the time keeps the report it just wrote; without it none goes."""
    clock = Lost(wall_ms=4_000_000_000_000)  # the machine's own stamps are decades behind
    rounds = Rounds(config(tmp_path), clock, _away, threading.Event())
    file = rounds.make(rounds.due("2096-10-02 08:00")[0], "2096-10-02 08:00")
    assert file.is_file()
    clock.worth = "untrusted"
    clock.now += 31 * 86400
    rounds.make(rounds.due("2096-11-02 08:00")[0], "2096-11-02 08:00")
    assert file.is_file()
    clock.worth = "corrected"
    rounds.make(rounds.due("2096-11-02 20:00")[0], "2096-11-02 20:00")
    assert not file.exists()


def _away(name: str) -> dict[str, Any]:
    raise TryAgain(f"The camera {name} gives no picture: away.")
