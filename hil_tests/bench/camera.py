"""`gewu bench camera`: the classifier over a labelled folder, its speed, and what the camera process costs."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec
import numpy as np
from PIL import Image

from gateway import shipped
from gateway.camera.classifier import Classifier
from gateway.camera.inference import RUNTIME, Network
from hil_tests.bench import camera_page, camera_process, camera_quality, camera_streams
from hil_tests.bench.row import Report, Row, machine
from hil_tests.cameras import scenes

# From the issue: the share of the bare speed, ms a picture on one core, bytes of the model file.
LEAST_RATIO, MOST_MS, MOST_BYTES = 0.95, 25.0, 6_000_000
_WARM_UP = 5


@dataclass(frozen=True)
class Plan:
    """`seconds` of each look at the process (0: not looked at); `hours` of rendered ordinary scenes (0: none);
    `into` gets camera.html and camera.json."""

    dataset: Path | None
    pictures: int
    seconds: float
    hours: float
    into: Path | None


def measure(plan: Plan) -> Report:
    """All figures that `plan` asks for."""
    rows: list[Row] = []
    quality: camera_quality.Quality | None = None
    if plan.dataset is not None:
        quality = camera_quality.measure(plan.dataset)
        rows += camera_quality.rows(quality)
    rows += speed(plan.pictures)
    if plan.hours:
        rows += camera_streams.rows(plan.hours)
    if plan.seconds:
        rows += camera_process.rows(plan.seconds)
    report = Report(name="camera", rows=rows, machine=f"{machine()}, {RUNTIME}")
    if plan.into is not None:
        _write(plan.into, report, quality)
    return report


def speed_report(pictures: int) -> Report:
    """The rows of `gewu camera bench`."""
    return Report(name="camera", rows=speed(pictures), machine=f"{machine()}, {RUNTIME}")


def speed(pictures: int) -> list[Row]:
    """From decoded frame to label, beside a bare resize and a bare interpreter in the same run, one thread."""
    classifier = Classifier(shipped.models())
    content = (shipped.models() / "hazard.tflite").read_bytes()
    bare = _Bare(content, classifier.card.input.side, len(classifier.card.labels))
    frame = scenes.street().resize((1280, 720))
    ours: list[float] = []
    plain: list[float] = []
    for number in range(pictures + _WARM_UP):  # in turns, so that a busy machine slows both
        for times, call in ((plain, bare), (ours, classifier.classify)):
            began = time.perf_counter()
            call(frame)
            if number >= _WARM_UP:
                times.append((time.perf_counter() - began) * 1000)
    label, least = median(ours), median(plain)
    case = "frame of 1280 x 720 to label"
    return [
        Row(case=case, metric="time", value=round(label, 2), unit="ms", limit=MOST_MS, peer=round(least, 2)),
        Row(
            case=case,
            metric="speed_ratio",
            value=round(median(p / o for p, o in zip(plain, ours, strict=True)), 3),
            unit="of bare",
            limit=LEAST_RATIO,
        ),
        Row(case="model", metric="size", value=float(len(content)), unit="bytes", limit=float(MOST_BYTES)),
    ]


class _Bare:
    """What nobody can do without: resize, bytes in, invoke, numbers out."""

    def __init__(self, content: bytes, side: int, classes: int) -> None:
        self._network = Network(content)
        self._side = side
        self._out = [int(out["index"]) for out in self._network.outputs if int(out["shape"][-1]) == classes]

    def __call__(self, frame: Image.Image) -> object:
        small = frame.resize((self._side, self._side), Image.Resampling.BILINEAR)
        tensor = (np.asarray(small, np.int16) - 128).astype(np.int8)[None]
        return self._network.run(tensor, self._out)


def _write(into: Path, report: Report, quality: camera_quality.Quality | None) -> None:
    into.mkdir(parents=True, exist_ok=True)
    details = msgspec.to_builtins(quality) if quality else None
    document = {**msgspec.to_builtins(report), "quality": details}
    (into / "camera.json").write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    (into / "camera.html").write_text(camera_page.page(report, quality), encoding="utf-8")
