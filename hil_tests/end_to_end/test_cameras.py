"""Cameras beside the bus: faults A9 and D6, one hazard as one event over restarts, altered models.

The camera process is the real one, its cameras are the project's own RTSP server and folders of rendered scenes.
"""

import hashlib
import os
import shutil
import signal
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from gateway import shipped
from gateway.agent import Agent
from gateway.bus.wire import Wire
from gateway.camera import watch as watching
from gateway.camera.blind import FROZEN_S, HOLD_LOOKS, HOLD_S
from gateway.camera.sitting import FIRST_RETRY_S
from gateway.camera.source import SILENT_S
from gateway.camera.stream import OPEN_S
from gateway.camera.watch import CameraWatch
from gateway.clock import SystemClock
from gateway.config import load
from hil_tests.bench.ideal import IdealSlave
from hil_tests.cameras import scenes
from hil_tests.cameras.rtsp import RtspCamera
from hil_tests.cameras.watched import Kept, camera, seen, show, watched
from hil_tests.end_to_end.scene import wait_for
from hil_tests.faults.clock import SteppedClock

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

# The real process with shorter limits: what is tested is what it does when they pass.
SOONER = """
from gateway.camera import blind, stream, worker
stream.SILENT_S, stream.OPEN_S, blind.HOLD_S = 3.0, 3.0, 1.0
worker.main()
"""
DAY_MS = 86_400_000
ABOUT = 'purpose = "test"\nowner = "test"\nsign = "none: rendered"\n'
PROFILE = """
[profile]
name = "ideal"
[[register]]
name = "value"
kind = "input"
address = 8
type = "u16"
poll = "alarm"
"""


def test_d6_black_and_stalled_cameras_are_told(tmp_path: Path) -> None:
    """With the reason and no stills, here with short limits (that the real ones keep within a minute: the next test);
    it clears when the camera sees again; no handle is left behind."""
    sink = Kept()
    street = scenes.street().resize((320, 240))
    black = Image.new("RGB", street.size)
    with (
        RtspCamera(lambda n: scenes.with_noise(street, n), fps=10, gop=2) as dark,
        RtspCamera(lambda n: scenes.with_noise(street, n), fps=10, gop=2) as stalls,
        watched(
            tmp_path,
            sink,
            camera("dark", dark.url),
            camera("stalls", stalls.url),
            command=[sys.executable, "-c", SOONER],
        ) as watch,
    ):
        wait_for("the first looks", lambda: seen(watch, "dark")() and seen(watch, "stalls")(), 60)
        pid = watch.status()["pid"]
        handles = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        dark.scene = lambda n: black
        stalls.stalled.set()
        wait_for("the dark one's event", lambda: sink.told("dark"), 120)
        wait_for("the stalled one's event", lambda: sink.told("stalls"), 120)
        reasons = {event.device: event.values["reason"] for event in sink.events}
        assert reasons["dark"] == "black"
        assert reasons["stalls"] in {"stalled", "unreachable"}
        assert not any(event.evidence for event in sink.events)
        dark.scene = lambda n: scenes.with_noise(street, n)
        wait_for("the end of the darkness", lambda: len(sink.told("dark")) == 2, 60)
        assert sink.told("dark") == [("camera.blind", False), ("camera.blind", True)]
        assert sink.told("stalls") == [("camera.blind", False)]
        assert watch.status()["pid"] == pid
        # The connection that is being tried anew may be open just now; none before it is.
        assert len(list(Path(f"/proc/{pid}/fd").iterdir())) <= handles + 3


def started(watch: CameraWatch, number: int) -> bool:
    return watch.starts >= number


def test_d6_the_minute_is_kept_by_the_limits_themselves() -> None:
    """Two silences with a retry between them are a blind camera: their limits together stay below 60 s, on any machine
    that is not busy for the rest of it; so does a bad picture at the slowest usual interval."""
    assert (SILENT_S + 2.0) + FIRST_RETRY_S + OPEN_S + SILENT_S < 60
    assert HOLD_S + HOLD_LOOKS * 10.0 < 60
    assert FROZEN_S + HOLD_S + HOLD_LOOKS * 2.0 < 60


def test_a9_the_bus_and_a_hazard_live_through_the_camera_processs_deaths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed, hung and grown too large, it is restarted each time: the bus goes on polling without an error, and the
    hazard that was open stays one event with its stills, faces blurred, each with its hash."""
    monkeypatch.setattr(watching, "SILENT_S", 6.0)
    monkeypatch.setattr(watching, "_LAST_RETRY_S", 0.5)
    gate = tmp_path / "gate"
    gate.mkdir()
    show(gate, scenes.street())
    with IdealSlave(Wire(115200), 1) as slave:
        (tmp_path / "ideal.toml").write_text(PROFILE)
        (tmp_path / "gewu.toml").write_text(
            '[gateway]\nid = "a"\nsite = "s"\ndata_dir = "data"\n'
            f'[[bus]]\nport = "{slave.port}"\nbaud = 115200\n'
            '[[bus.device]]\nid = "b1"\nprofile = "ideal"\naddress = 1\n'
            f'[[camera]]\nid = "gate"\nsource = "dir:gate"\nplace = "here"\ninterval = 0.2\n{ABOUT}'
        )
        agent, stop = Agent(load(tmp_path / "gewu.toml"), SystemClock()), threading.Event()
        thread = threading.Thread(target=agent.run, args=(stop,))
        thread.start()
        try:
            watch = agent.cameras[0]
            wait_for("the first looks", seen(watch, "gate", 5), 60)
            show(gate, scenes.with_face(scenes.flooded_street(), 20, 60, 50))
            wait_for("the hazard", lambda: agent.outbox.open_events(), 60)
            (first,) = agent.outbox.open_events()
            for number, harm in enumerate((kill, hang, grow), 2):
                polls = agent.buses[0].status().polls
                harm(int(watch.status()["pid"]), monkeypatch)
                wait_for("another start", partial(started, watch, number), 60)
                monkeypatch.setattr(watching, "MOST_RSS", 400_000_000)
                wait_for("looks after it", seen(watch, "gate", 5), 60)
                bus = agent.buses[0].status()
                assert bus.polls > polls
                assert sum(bus.errors.values()) == 0
                assert [one.event.id for one in agent.outbox.open_events()] == [first.event.id]
            show(gate, scenes.street())
            wait_for("the end of the hazard", lambda: not agent.outbox.open_events(), 60)
        finally:
            stop.set()
            thread.join(30)
    event = first.event
    assert (event.kind, event.grade, event.device, event.place) == ("camera.flood", 3, "gate", "here")
    assert [still.name.rsplit("-", 1)[1] for still in event.evidence] == ["before.jpg", "at.jpg"]
    for still in event.evidence:
        content = (tmp_path / "data" / "evidence" / still.name).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (still.sha256, still.bytes)


def test_the_cameras_know_the_time_that_the_gateway_knows(tmp_path: Path) -> None:
    """Raised 400 days ago by a clock that nobody believes, cleared at the true time; then the stills' ends are true."""
    gate, sink, clock = tmp_path / "gate", Kept(), SteppedClock()
    gate.mkdir()
    show(gate, scenes.flooded_street())
    clock.offset_ms, clock.believed = -400 * DAY_MS, "untrusted"
    with watched(tmp_path / "data", sink, camera("gate", f"dir:{gate}"), clock=clock) as watch:
        wait_for("the hazard", lambda: sink.events, 60)
        (raised,) = sink.events
        clock.offset_ms, clock.believed = 0, "corrected"
        show(gate, scenes.street())
        wait_for("its end", lambda: len(sink.events) == 2, 60)
        assert watch.starts == 1
    now, cleared = clock.wall_ms(), sink.events[1]
    assert (raised.clock, cleared.clock, cleared.raised) == ("untrusted", "corrected", raised.raised)
    assert abs(now - 400 * DAY_MS - raised.raised) < 120_000
    assert cleared.cleared is not None
    assert abs(now - cleared.cleared) < 60_000
    assert {still.name for still in raised.evidence} < {still.name for still in cleared.evidence}
    assert all(abs(now + 30 * DAY_MS - still.kept_until) < 120_000 for still in cleared.evidence)


def kill(pid: int, _: pytest.MonkeyPatch) -> None:
    os.kill(pid, signal.SIGKILL)


def hang(pid: int, _: pytest.MonkeyPatch) -> None:
    os.kill(pid, signal.SIGSTOP)


def grow(_: int, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(watching, "MOST_RSS", 1)


def test_an_altered_model_is_an_event_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raised once, over a restart too; events wait while the outbox refuses, and the process does not grow."""
    models = tmp_path / "models"
    shutil.copytree(shipped.models(), models, ignore=shutil.ignore_patterns("training", "*.py", "*.md"))
    (models / "hazard.tflite").write_bytes(b"altered")
    monkeypatch.setattr("gateway.shipped.models", lambda: models)
    monkeypatch.setattr(watching, "_LAST_RETRY_S", 0.2)
    folder = tmp_path / "pictures"
    folder.mkdir()
    show(folder, scenes.flooded_street())
    sink = Kept()
    sink.refuses = True
    with watched(tmp_path / "data", sink, camera("gate", f"dir:{folder}")) as watch:
        wait_for("an event that waits", lambda: watch.status()["waiting"], 60)
        wait_for("looks", seen(watch, "gate"), 60)
        sink.refuses = False
        wait_for("the event", lambda: sink.events, 30)
        os.kill(int(watch.status()["pid"]), signal.SIGKILL)
        wait_for("the second start", lambda: watch.starts == 2, 30)
        wait_for("looks after it", seen(watch, "gate"), 60)
    (event,) = sink.events
    assert (event.kind, event.device, event.values["model"]) == ("security.model", None, "hazard")
