"""Both inference runtimes give the same labels on the same pictures, each in an environment of its own.

`./gewu test` puts tflite-runtime and the NumPy that it was built for into .venv/tflite. It has wheels up to Python 3.11
and none for later ones; there its place is taken by what it consists of: TensorFlow Lite's own kernels, which
ai-edge-litert brings beside its faster ones, under the name and the import that the gateway falls back to.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageEnhance, ImageFilter

from gateway import shipped
from hil_tests.cameras import scenes

pytestmark = pytest.mark.integration

FALLBACK = Path(sys.prefix) / "tflite"
ITS_LAST_PYTHON = (3, 11)
HIDES_THE_FIRST = """
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name == "ai_edge_litert":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hide())
"""
STANDS_IN = """
import functools
from ai_edge_litert import interpreter
own = interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
sys.modules["tflite_runtime.interpreter"] = own_kernels = type(sys)("tflite_runtime.interpreter")
sys.modules["tflite_runtime"] = type(sys)("tflite_runtime")
own_kernels.Interpreter = functools.partial(interpreter.Interpreter, experimental_op_resolver_type=own)
for name in [one for one in sys.modules if one.split(".")[0] == "ai_edge_litert"]:
    del sys.modules[name]
"""
CLASSIFIES = """
import json, sys
import numpy
from gateway import shipped
from gateway.camera import inference, trust
from gateway.camera.classifier import Classifier
from gateway.camera.picture import open_file
from pathlib import Path
classifier = Classifier(shipped.models(), [trust.MAKER])
said = [classifier.classify(open_file(Path(name))) for name in sys.argv[1:]]
print(json.dumps({
    "runtime": inference.RUNTIME, "numpy": numpy.__version__, "rows": [[one.label, one.scores] for one in said]
}))
"""
# Own choice: kernels round differently, by up to 0.07 of a score here; a label must be the same where no limit is near.
ROUNDING = 0.09


def pictures(folder: Path) -> list[str]:
    """Rendered scenes by day, at night, out of focus, small, with a face and a plate."""
    made: list[Image.Image] = []
    for seed in (scenes.SEED, 3):
        for scene in (scenes.street(seed), scenes.flooded_street(seed)):
            made += [scene, ImageEnhance.Brightness(scene).enhance(0.35), scene.filter(ImageFilter.GaussianBlur(4))]
            made += [scene.resize((200, 150)), scenes.with_plate(scenes.with_face(scene, 40, 60, 80), 300, 300, 120)]
    files = [folder / f"{number}.png" for number in range(len(made))]
    for file, image in zip(files, made, strict=True):
        image.save(file)
    return [str(file) for file in files]


def classified(files: list[str], *paths: Path) -> Any:
    """What a gateway says that has these folders before its own packages."""
    known = os.pathsep.join(map(str, paths))
    command = [sys.executable, "-c", CLASSIFIES, *files]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": known}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def clear(scores: dict[str, float], alarm: float, calm: float) -> bool:
    """Whether no rounding can change the label: no score is near its limit, and the likeliest hazard is far ahead."""
    hazards = sorted((score for label, score in scores.items() if label != "normal"), reverse=True)
    near = abs(hazards[0] - alarm) < ROUNDING or abs(scores["normal"] - calm) < ROUNDING
    return not near and hazards[0] - hazards[1] > 2 * ROUNDING


def test_both_runtimes_give_the_same_labels(tmp_path: Path) -> None:
    """Scores within rounding for every picture; the same label wherever no limit lies within it."""
    files = pictures(tmp_path)
    hides = tmp_path / "environment"
    hides.mkdir()
    if sys.version_info[:2] <= ITS_LAST_PYTHON:
        (hides / "sitecustomize.py").write_text(HIDES_THE_FIRST)
        assert FALLBACK.is_dir(), "tflite-runtime is not there: ./gewu test installs requirements-tflite.lock"
        theirs = classified(files, hides, FALLBACK)
        assert theirs["numpy"].startswith("1.")
    else:
        (hides / "sitecustomize.py").write_text("import sys\n" + STANDS_IN + HIDES_THE_FIRST)
        theirs = classified(files, hides)
    ours = classified(files)
    assert (ours["runtime"], theirs["runtime"]) == ("ai-edge-litert", "tflite-runtime")
    card = json.loads((shipped.models() / "hazard.json").read_text(encoding="utf-8"))
    alike = 0
    for (label, scores), (other, others) in zip(ours["rows"], theirs["rows"], strict=True):
        assert max(abs(scores[name] - others[name]) for name in scores) < ROUNDING
        if clear(scores, card["alarm"], card["calm"]):
            alike += 1
            assert label == other
    assert alike >= 4
