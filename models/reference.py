"""The classifier in its plainest form: hazard.json and hazard.tflite, NumPy, Pillow and ai-edge-litert.

`python models/reference.py FILE...` prints one JSON line a picture. It is the yardstick that the camera code
of the gateway is checked against, and knows nothing of the training. It trusts its files: it checks the
model's hash but no signature, and picture errors are Pillow's.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

HERE = Path(__file__).parent


class Classifier:
    """One loaded model; raises ValueError when the model is not the one that hazard.json describes."""

    def __init__(self, folder: Path = HERE) -> None:
        self.card: dict[str, Any] = json.loads((folder / "hazard.json").read_text(encoding="utf-8"))
        content = (folder / self.card["model"]["file"]).read_bytes()
        if hashlib.sha256(content).hexdigest() != self.card["model"]["sha256"]:
            raise ValueError("the model file is not the one that hazard.json describes")
        self._interpreter = Interpreter(model_content=content, num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        outputs = self._interpreter.get_output_details()
        self._logits = next(o["index"] for o in outputs if o["shape"][-1] == len(self.card["labels"]))
        self._embedding = next(o["index"] for o in outputs if o["shape"][-1] != len(self.card["labels"]))

    def preprocess(self, image: Image.Image) -> np.ndarray[Any, np.dtype[np.int8]]:
        """Upright, RGB, the whole frame squeezed to a square, pixel - 128: (1, S, S, 3) int8."""
        side = self.card["input"]["side"]
        upright = ImageOps.exif_transpose(image).convert("RGB")
        squeezed = np.asarray(upright.resize((side, side), Image.Resampling.BILINEAR), np.uint8)
        return (squeezed.astype(np.int16) - 128).astype(np.int8)[None]

    def logits(self, image: Image.Image) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Raw outputs, one a label."""
        self._interpreter.set_tensor(self._input, self.preprocess(image))
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._logits)[0])

    def embedding(self, image: Image.Image) -> np.ndarray[Any, np.dtype[np.float32]]:
        """What the head sees: (1280,)."""
        self.logits(image)
        return np.asarray(self._interpreter.get_tensor(self._embedding)[0])

    def classify(self, image: Image.Image) -> dict[str, Any]:
        """`label`, `score` (that of the label; the highest where unsure) and `scores` by label, 0..1."""
        z = self.logits(image).astype(np.float64) / self.card["temperature"]
        e = np.exp(z - z.max())
        scores = dict(zip(self.card["labels"], (e / e.sum()).tolist(), strict=True))
        hazard = max((name for name in scores if name != "normal"), key=scores.__getitem__)
        if scores[hazard] >= self.card["alarm"]:
            label = hazard
        elif scores["normal"] >= self.card["calm"]:
            label = "normal"
        else:
            label = "unsure"
        score = max(scores.values()) if label == "unsure" else scores[label]
        return {"label": label, "score": score, "scores": scores}


def main() -> None:
    """Classifies the files named on the command line."""
    classifier = Classifier()
    for file in sys.argv[1:]:
        with Image.open(file) as image:
            print(json.dumps({"file": file, **classifier.classify(image)}))


if __name__ == "__main__":
    main()
