"""hazard.json: everything a gateway must know to use the model, and where the model came from.

Writes the model and the file beside it; decides nothing.
"""

import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from training.backbone import EMBEDDING
from training.calibrate import Rule
from training.data import LABELS, manifest_hash

MODEL = "hazard.tflite"
CARD = "hazard.json"
PACKAGES = ("torch", "litert-torch", "ai-edge-litert", "ai-edge-quantizer", "numpy", "pillow")
RULE = (
    "p = softmax(logits / temperature). h = the label other than normal with the highest p. "
    "If p[h] >= alarm: h. Else if p[normal] >= calm: normal. Else: unsure. "
    "score is the p of the label given, or the highest p where unsure."
)
RESIZE = (
    "EXIF rotation, RGB, then the whole frame to side x side, bilinear with antialiasing "
    "(Pillow's Image.resize with BILINEAR), aspect ratio not kept"
)


def write(
    out: Path, model: bytes, side: int, sister: str, rule: Rule, figures: dict[str, Any], dataset: Path, extra: bool
) -> None:
    """Writes the model and its description into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    (out / MODEL).write_bytes(model)
    learned = ["train", "val", "extra"] if extra else ["train", "val"]
    outputs = {"embedding": [1, EMBEDDING], "logits": [1, len(LABELS)], "dtype": "float32"}
    _save(
        out,
        {
            "name": "gewu-hazard",
            "labels": list(LABELS),
            "unsure": "unsure",
            "model": {
                "file": MODEL,
                "sha256": hashlib.sha256(model).hexdigest(),
                "bytes": len(model),
                "backbone": f"EfficientNet-{sister.capitalize()}, last blocks tuned",
                "outputs": outputs,
            },
            "input": {
                "side": side,
                "channels": "RGB",
                "layout": "NHWC",
                "dtype": "int8",
                "value": "pixel - 128",
                "scale": 1 / 128,
                "zero_point": -1,
                "mean": 127,
                "std": 128,
                "resize": RESIZE,
            },
            "temperature": rule.temperature,
            "alarm": rule.alarm,
            "calm": rule.calm,
            "rule": RULE,
            "figures": figures,
            "dataset": {"manifest_sha256": manifest_hash(dataset), "learned_from": learned},
            "made_with": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        },
    )


def add(out: Path, key: str, value: Any) -> None:
    """Adds one entry to the description in the folder `out`."""
    known = json.loads((out / CARD).read_text(encoding="utf-8"))
    _save(out, {**known, key: value})


def _save(out: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    (out / CARD).write_text(text, encoding="utf-8")
