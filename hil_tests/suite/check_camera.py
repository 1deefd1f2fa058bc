"""Cameras on this machine: the shipped model sees, the camera process lives through its deaths, pictures are whole.

Scenes are rendered, so they say nothing of how good the classifier is: `gewu bench camera` measures that.
"""

import json
import os
import signal
from pathlib import Path

import pytest

from hil_tests.hil.verdict import expect

pytestmark = [
    pytest.mark.needs("workshop", "camera_extra"),
    pytest.mark.step(
        "install the camera extra again (pip install 'gewu-edge[camera]'); then `gewu camera bench`",
        "重新安装摄像头组件，再运行 gewu camera bench",
    ),
]


@pytest.mark.smoke
@pytest.mark.check("the classifier tells a broken road from a sound one", "分类器可区分路面破损")
def test_classifier(tmp_path: Path) -> None:
    """a rendered street normal, the same street under water flood"""
    from hil_tests.cameras import scenes
    from hil_tests.end_to_end.scene import gewu

    files = {"normal": scenes.street(), "flood": scenes.flooded_street()}
    for name, picture in files.items():
        picture.save(tmp_path / f"{name}.jpg", "JPEG", quality=95)
    output = gewu("camera", "classify", *(tmp_path / f"{name}.jpg" for name in files), "--json")
    rows, _ = json.JSONDecoder().raw_decode(output)
    expect([row["label"] for row in rows] == list(files), str(list(files)), [row["label"] for row in rows])


@pytest.mark.check("a hazard is one event, over a death of the camera process", "隐患为一个事件，进程死亡后不重复")
def test_process(tmp_path: Path) -> None:
    """raised, the process killed and back, still one; over when the street is whole again; its picture kept"""
    from hil_tests.cameras import scenes
    from hil_tests.cameras.watched import Kept, camera, seen, show, watched
    from hil_tests.end_to_end.scene import wait_for

    folder = tmp_path / "gate"
    folder.mkdir()
    show(folder, scenes.street())
    sink = Kept()
    with watched(tmp_path / "data", sink, camera("gate", f"dir:{folder}")) as watch:
        wait_for("the first looks", seen(watch, "gate", 5), 90)
        show(folder, scenes.flooded_street())
        wait_for("the hazard", lambda: sink.told("gate"), 90)
        os.kill(int(watch.status()["pid"]), signal.SIGKILL)
        wait_for("another start", lambda: watch.starts == 2, 90)
        wait_for("looks after it", seen(watch, "gate", 5), 90)
        expect(sink.told("gate") == [("camera.flood", False)], "one open event", sink.told("gate"))
        show(folder, scenes.street())
        wait_for("the end of the hazard", lambda: len(sink.told("gate")) == 2, 90)
    expect(sink.told("gate")[-1] == ("camera.flood", True), "the event cleared", sink.told("gate"))
    stills = [still.name for event in sink.events for still in event.evidence]
    missing = [name for name in stills if not (tmp_path / "data" / "evidence" / name).is_file()]
    expect(stills and not missing, "stills that are there", missing or "none")
