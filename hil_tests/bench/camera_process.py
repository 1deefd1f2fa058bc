"""What the real camera process costs: CPU over a scene that stands still, memory with four streams of 720p.

The cameras are the project's own RTSP servers, which send frames encoded beforehand from this process; only the
camera process is weighed.
"""

import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

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


class _Deaf:
    """A sink that keeps nothing."""

    def accept_event(self, event: Event, key: str) -> None:
        pass

    def open_events(self) -> list[OpenEvent]:
        return []


def rows(seconds: float) -> list[Row]:
    """Both figures, each watched for `seconds` once the cameras have been looked through."""
    core, _ = _watched(1, seconds)
    _, rss = _watched(4, seconds)
    return [
        Row(
            case="static 720p scene, a look every 2 s",
            metric="cpu",
            value=round(core, 4),
            unit="cores",
            limit=MOST_CORE,
        ),
        Row(case="four 720p streams", metric="rss", value=round(rss, 1), unit="MB", limit=MOST_MB),
    ]


def _watched(count: int, seconds: float) -> tuple[float, float]:
    """Cores used, and the most resident memory in MB, with `count` cameras."""
    still = scenes.street().resize((1280, 720))
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="gewu-bench-")))
        servers = [
            ending.enter_context(RtspCamera(lambda n: scenes.with_noise(still, n), _FPS, _GOP, _FRAMES))
            for _ in range(count)
        ]
        watch = CameraWatch(_config(folder, [server.url for server in servers]), SystemClock(), _Deaf())
        ending.callback(_stop, watch)
        watch.start()
        pid = _ready(watch, count)
        began, cpu, most = time.monotonic(), _cpu_s(pid), 0.0
        while time.monotonic() - began < seconds:
            time.sleep(0.2)
            most = max(most, float(watch.status()["rss_mb"] or 0))
        if watch.status()["pid"] != pid:
            raise GewuError("The camera process was restarted while it was weighed: try again.")
        return (_cpu_s(pid) - cpu) / (time.monotonic() - began), most


def _ready(watch: CameraWatch, count: int) -> int:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        status = watch.status()
        if len(status["cameras"]) == count and all(one["looks"] >= 5 for one in status["cameras"]):
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


def _config(folder: Path, urls: list[str]) -> Config:
    cameras = [
        {"id": f"c{n}", "source": url, "interval": 2.0, "purpose": "bench", "owner": "bench", "sign": "none: rendered"}
        for n, url in enumerate(urls, 1)
    ]
    return Config.model_validate(
        {"gateway": {"id": "bench", "site": "bench", "data_dir": str(folder)}, "camera": cameras}
    )
