"""The demo's camera: its part of the report is proved from the stills themselves."""

import hashlib
from pathlib import Path

import pytest

from gateway import camera_extra
from hil_tests.demo.lens import CAMERA, KIND, Lens, outcome


def test_a_still_counts_only_when_it_is_the_one_named(tmp_path: Path) -> None:
    """Altered or missing ones do not verify; events of others are not the camera's."""
    (tmp_path / "a.jpg").write_bytes(b"still")
    still = {"name": "a.jpg", "sha256": hashlib.sha256(b"still").hexdigest()}
    event = {"device": CAMERA, "kind": KIND, "evidence": [still]}
    assert outcome(None, [event, event], tmp_path) == {
        "missing": None,
        "event": KIND,
        "evidence": ["a.jpg"],
        "verified": True,
    }
    assert not outcome(None, [{**event, "evidence": [{**still, "sha256": "0"}]}], tmp_path)["verified"]
    assert outcome(None, [{**event, "device": "b1"}], tmp_path)["event"] is None


def test_without_the_extra_there_is_no_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration names none, nothing is drawn, and the reason is at hand."""
    monkeypatch.setattr(camera_extra, "missing", lambda: ["av"])
    lens = Lens(tmp_path / "gate")
    lens.start()
    lens.close()
    assert lens.table() == ""
    assert lens.missing is not None
    assert "gewu-edge[camera]" in lens.missing
    assert not (tmp_path / "gate").exists()
