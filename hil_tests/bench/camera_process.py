"""What the real camera process costs: CPU over a scene that stands still, the most memory with four streams of 720p,
also where all of them show a hazard at once and each keeps its stills.

The cameras are the project's own RTSP servers, which send frames encoded beforehand from this process; only the
camera process is weighed.
"""

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from PIL import Image

from gateway.camera.watch import CameraWatch
from gateway.clock import SystemClock
from gateway.config import Config
from gateway.errors import GewuError
from gateway.records import Event, OpenEvent
from hil_tests.bench.row import Row
from hil_tests.cameras import scenes
from hil_tests.cameras.rtsp import RtspCamera

# From the issue.
MOST_CORE, MOST_MB = 0.05, 180.0
_FPS, _GOP, _FRAMES = 15.0, 30, 60
_START_S = 60.0


class _Counted:
    """A sink that keeps nothing but the number of events with stills."""

    def __init__(self) -> None:
        self.heard = 0

    def accept_event(self, event: Event, key: str) -> None:
        self.heard += bool(event.evidence)

    def open_events(self) -> list[OpenEvent]:
        return []


def rows(seconds: float) -> list[Row]:
    """All figures, each watched for `seconds` once the cameras have been looked through."""
    core, _ = _watched(1, seconds, scenes.street())
    most = {
        "four 720p streams": _watched(4, seconds, scenes.street())[1],
        "the same, a hazard in each at once": _watched(4, seconds, scenes.flooded_street(), hazards=4)[1],
    }
    return [
        Row(
            case="static 720p scene, a look every 2 s",
            metric="cpu",
            value=round(core, 4),
            unit="cores",
            limit=MOST_CORE,
        ),
        *(
            Row(case=case, metric="rss_peak", value=round(value, 1), unit="MB", limit=MOST_MB)
            for case, value in most.items()
        ),
    ]


def _watched(count: int, seconds: float, scene: Image.Image, hazards: int = 0) -> tuple[float, float]:
    """Cores used once `hazards` events came, and the most resident memory ever in MB, with `count` cameras."""
    still = scene.resize((1280, 720))
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="gewu-bench-")))
        servers = [
            ending.enter_context(RtspCamera(lambda n: scenes.with_noise(still, n), _FPS, _GOP, _FRAMES))
            for _ in range(count)
        ]
        sink = _Counted()
        watch = CameraWatch(_config(folder, [server.url for server in servers]), SystemClock(), sink)
        ending.callback(_stop, watch)
        watch.start()
        pid = _ready(watch, count, lambda: sink.heard >= hazards)
        began, cpu = time.monotonic(), _cpu_s(pid)
        time.sleep(seconds)
        if watch.status()["pid"] != pid:
            raise GewuError("The camera process was restarted while it was weighed: try again.")
        return (_cpu_s(pid) - cpu) / (time.monotonic() - began), _most_mb(pid)


def _ready(watch: CameraWatch, count: int, told: Callable[[], bool]) -> int:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        status = watch.status()
        if len(status["cameras"]) == count and all(one["looks"] >= 5 for one in status["cameras"]) and told():
            return int(status["pid"])
        time.sleep(0.2)
    raise GewuError(f"The camera process did not look within {_START_S:.0f} s: {watch.trouble}.")


def _stop(watch: CameraWatch) -> None:
    watch.request_stop()
    watch.join(10)


def _cpu_s(pid: int) -> float:
    """User and system seconds of a process (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _most_mb(pid: int) -> float:
    """The most resident memory that a process ever had (proc(5), VmHWM in units of 1024 bytes)."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    (most,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(most) * 1024 / 1e6


def _config(folder: Path, urls: list[str]) -> Config:
    cameras = [
        {"id": f"c{n}", "source": url, "interval": 2.0, "purpose": "bench", "owner": "bench", "sign": "none: rendered"}
        for n, url in enumerate(urls, 1)
    ]
    return Config.model_validate(
        {"gateway": {"id": "bench", "site": "bench", "data_dir": str(folder)}, "camera": cameras}
    )
