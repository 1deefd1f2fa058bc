"""`gewu bench camera` over a folder that the project draws itself, and its head against the training's own."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from gateway import shipped
from gateway.camera.classifier import Classifier
from gateway.errors import ConfigurationError
from hil_tests.bench import camera, camera_head, camera_quality, camera_streams
from hil_tests.cameras import scenes


def test_the_head_is_the_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same embeddings give the same weights as models/training/head.py."""
    monkeypatch.setattr(sys, "path", [str(shipped.models()), *sys.path])
    from training import head as training  # type: ignore[import-not-found]

    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (120, 16)).astype(np.float32)
    labels = np.arange(120) % 5
    sources = rng.integers(0, 3, 120)
    mine = camera_head.fit(x, labels, sources, normal=4, classes=5)
    other = training.fit(x[None], labels, sources, training.Recipe())
    np.testing.assert_allclose(mine.weight, other.weight, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(mine.bias, other.bias, rtol=1e-3, atol=1e-4)


def drawn(folder: Path) -> Path:
    """Two sources of streets, whole and broken, with a manifest; one picture is no picture."""
    rows = []
    for number in range(4):
        for name, image in (("normal", scenes.street()), ("flood", scenes.flooded_street())):
            file = f"{name}{number}.png"
            scenes.with_noise(image, number).save(folder / file)
            rows.append({"file": file, "cls": name, "source": f"s{number % 2}"})
    (folder / "broken.png").write_text("no picture")
    rows.append({"file": "broken.png", "cls": "normal", "source": "s1"})
    with (folder / "manifest.csv").open("w", newline="") as out:
        table = csv.DictWriter(out, ["file", "cls", "source"])
        table.writeheader()
        table.writerows(rows)
    return folder


@pytest.mark.integration
def test_figures_over_a_folder(tmp_path: Path) -> None:
    """Macro-F1 over the classes that are there, false alarms, unsure; as JSON and as a page; what is bad is named."""
    into = tmp_path / "out"
    report = camera.measure(camera.Plan(drawn(tmp_path), 10, 0.0, 0.0, into))
    found = {(row.case, row.metric): row for row in report.rows}
    assert found["shipped model", "macro_f1"].value > 0.8
    assert found["shipped model", "macro_f1"].limit == 0.87
    assert found["shipped model", "false_alarm"].value == 0
    assert found["pictures", "unusable"].value == 1
    assert {"time", "speed_ratio", "size"} <= {row.metric for row in report.rows}
    document = json.loads((into / "camera.json").read_text())
    assert document["quality"]["judged"][0]["by_source"][0][:3] == ["flood", "s0", 2]
    assert "broken.png" in (into / "camera.html").read_text()


def test_leaving_a_source_out() -> None:
    """Every picture is judged by a head that never saw its source; a source that carries a class is cut and named."""
    rng = np.random.default_rng(2)
    labels = Classifier(shipped.models()).card
    kept, rows = [], []
    for number in range(150):
        label = labels.labels[number % 5]
        source = "only" if label == "rubbish" else f"s{number % 3}"
        kept.append(camera_quality.Labelled(f"{number}.jpg", label, source))
        rows.append(rng.normal(0, 0.3, 20) + 9 * np.eye(20)[number % 5])
    judged = camera_quality._left_out(np.array(rows, np.float32), kept, labels)
    assert judged is not None
    assert judged.note.endswith("not unseen: only")
    assert sum(map(sum, judged.confusion)) == 150


def test_folders_named_after_classes_do_too(tmp_path: Path) -> None:
    """Without a manifest; a folder with nothing known in it is a wrong argument."""
    with pytest.raises(ConfigurationError, match=r"manifest\.csv"):
        camera_quality.read(tmp_path, ["flood"])
    (tmp_path / "flood").mkdir()
    scenes.street().save(tmp_path / "flood" / "a.png")
    assert [one.label for one in camera_quality.read(tmp_path, ["flood"])] == ["flood"]


def test_a_rendered_day_has_light_and_cars() -> None:
    """Noon is brighter than midnight; a car comes by and goes."""
    still = np.asarray(scenes.street(), np.float32)
    noon, night = (np.asarray(camera_streams.frame(still, n)).mean() for n in (60, 43200))
    assert noon > 1.5 * night
    car = np.asarray(camera_streams.frame(still, 4), float) - np.asarray(camera_streams.frame(still, 60), float)
    assert np.abs(car[330:390]).mean() > 3 * np.abs(car[:200]).mean()
