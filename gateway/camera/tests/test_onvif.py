"""Presets over ONVIF, against a camera that checks the digest and keeps a clock of its own."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gateway.camera import onvif, patrol_report
from gateway.camera.onvif import Head
from gateway.camera.source import SourceTrouble
from gateway.camera.tour import Stop, tour
from gateway.config import Camera, Config
from hil_tests.cameras import scenes
from hil_tests.cameras.onvif import OnvifCamera

pytestmark = pytest.mark.integration

PASSWORD = "p<&>密码"


def camera(presets: tuple[str, ...] = ("gate", 'lane <1> & "2"'), **more: Any) -> OnvifCamera:
    return OnvifCamera({name: scenes.street() for name in presets}, PASSWORD, **more)


def head(of: OnvifCamera, password: str = PASSWORD) -> Head:
    return Head(of.onvif, "patrol", password, lambda: datetime.now(UTC))


def made(
    of: OnvifCamera | str, folder: Path, password: str = PASSWORD, pause: Callable[[float], None] = lambda _: None
) -> list[Stop]:
    """The stops of a patrol of this one camera, each look a normal one."""
    (folder / "password").write_text(f"{password}\n", encoding="utf-8")
    table = {
        "id": "dome",
        "source": "dir:x",
        "place": "Square",
        "onvif": of if isinstance(of, str) else of.onvif,
        "username": "patrol",
        "password_file": str(folder / "password"),
    }
    config = Config.model_validate(
        {
            "gateway": {"id": "a", "site": "s", "data_dir": str(folder)},
            "camera": [{**table, "purpose": "p", "owner": "o", "sign": "s"}],
        }
    )

    def look(_: Camera) -> tuple[dict[str, Any], Image.Image]:
        return {"label": "normal", "score": 0.7, "blind": None, "trouble": None}, scenes.street()

    return tour(config, ["dome"], look, pause, 1.0, onvif.head_of)


def test_each_preset_is_looked_at_and_the_camera_left_at_its_home(tmp_path: Path) -> None:
    """By name and in order, with a password that is no ASCII, a clock that is a day off, and an address of the
    camera's own network. Each look is made so long after the turn that it cannot be from before it."""
    pauses: list[float] = []
    with camera(ahead=timedelta(days=-1)) as dome:
        stops = made(dome, tmp_path, pause=pauses.append)
    assert pauses == [1.0 + 1.5 * 2.0] * 2
    assert dome.moves == ["gate", 'lane <1> & "2"', "home"]
    assert [(stop.preset, stop.finding) for stop in stops] == [("gate", None), ('lane <1> & "2"', None)]
    assert "预置位 preset: lane &lt;1&gt; &amp;" in patrol_report.page("evening", "now", stops)


def test_a_preset_that_is_refused_is_a_finding_and_the_others_are_looked_at(tmp_path: Path) -> None:
    """So is a camera that has no home, with the picture of where it stands."""
    with camera(("gate", "lane", "pond")) as dome:
        dome.refused, dome.has_home = "lane", False
        gate, lane, pond = made(dome, tmp_path)
    assert dome.moves == ["gate", "pond"]
    assert gate.finding is None
    assert "out of bounds" in str(lane.finding)
    assert lane.image is None
    assert "not left at its home" in str(pond.finding)
    assert pond.image is not None
    assert "云台 head: it was not left at its home" in patrol_report.page("evening", "now", [pond])


def test_a_head_that_cannot_be_used_is_a_finding_with_the_picture_all_the_same(tmp_path: Path) -> None:
    """A wrong password, no head, no presets, something else on that port, entities that unfold, an endless answer."""
    found = []
    with camera() as dome:
        found += made(dome, tmp_path, "wrong")
        dome.turns = False
        found += made(dome, tmp_path)
        dome.turns = True
        for raw in (b"<html>router</html", b'<!DOCTYPE r [<!ENTITY a "aa">]><r>&a;</r>', b"<r>" + b" " * 1_000_001):
            dome.raw = raw
            found += made(dome, tmp_path)
    with camera(presets=("one",)) as dome:
        dome._pictures.clear()
        found += made(dome, tmp_path)
    words = ["users of their own for ONVIF", "cannot be moved", *["does not speak ONVIF"] * 3, "has no presets"]
    assert len(found) == len(words)
    for stop, expected in zip(found, words, strict=True):
        assert expected in str(stop.finding)
        assert (stop.image is not None, stop.preset) == (True, "")


def test_a_mask_does_not_go_with_presets() -> None:
    """It would cover something else once the camera is turned; the sentence says what to use instead."""
    whole = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]
    about = {"id": "dome", "source": "dir:x", "purpose": "p", "owner": "o", "sign": "s", "mask": [whole]}
    Camera.model_validate(about)
    with pytest.raises(ValueError, match="own privacy masks, which turn with it"):
        Camera.model_validate({**about, "onvif": "http://10.0.0.2/onvif/device_service"})


def test_silence_and_a_closed_port_end_and_are_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that accepts and says nothing is given up after the limit."""
    monkeypatch.setattr(onvif, "SILENT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/onvif/device_service"
        (stop,) = made(url, tmp_path)
        assert "cannot be reached" in str(stop.finding)
    (stop,) = made(url, tmp_path)
    assert "cannot be reached" in str(stop.finding)


def test_without_a_password_none_is_sent_and_with_a_wrong_one_nothing_moves() -> None:
    """Presets of an open camera are read; one that wants a password says so."""
    with camera() as dome:
        dome._password = None
        assert next(one.name for one in Head(dome.onvif, None, None, lambda: datetime.now(UTC)).presets()) == "gate"
    with camera() as dome, pytest.raises(SourceTrouble, match="another user or password"):
        head(dome, "wrong")
