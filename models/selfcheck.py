"""Checks that a trained model must pass before it is written out; run by train.py, its results go in the card.

Each check raises AssertionError with a sentence. It judges a finished folder (hazard.json and the model
beside it) with the independent reference classifier, never with the code that made it.
"""

import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from reference import Classifier
from training.calibrate import Rule, decide, scores
from training.data import LABELS, UNSURE, Picture, open_rgb
from training.export import Runner
from training.features import pixels_of

MOST_BYTES = 6_000_000  # issue: at most 6 MB
MOST_MS = 25.0  # issue: at most 25 ms a picture on one core
LEAST_AGREEMENT = 0.95  # share of equal labels, int8 against float32
LEAST_COSINE = 0.98


def no_leak(training: Sequence[Picture], judged: Sequence[Picture], with_extra: bool) -> None:
    """No picture of `extra` is learned from unasked, and no file counts twice."""
    if not with_extra:
        assert all(p.split != "extra" for p in training), "pictures of extra are in the training set"
    files = [p.file for p in judged]
    assert len(files) == len(set(files)), "a picture is listed twice"


def check(folder: Path, float_tflite: bytes, pictures: Sequence[Picture], rule: Rule) -> dict[str, float]:
    """Labels, input, size, speed, int8 against float32 and against the reference; `pictures` is a sample."""
    classifier = Classifier(folder)
    card = classifier.card
    assert tuple(card["labels"]) == LABELS, "labels are out of order"
    content = (folder / card["model"]["file"]).read_bytes()
    assert len(content) <= MOST_BYTES, f"the model has {len(content)} bytes"
    small, exact = Runner(content), Runner(float_tflite)
    scale, zero = small.input_quantisation
    assert zero == -1, f"input is not pixel - 128: zero point {zero}"
    assert math.isclose(scale, 1 / 128, rel_tol=1e-5), f"input is not pixel - 128: scale {scale}"
    side, names = card["input"]["side"], (*LABELS, "unsure")
    same_label, same_reference, cosines, times = 0, 0, [], []
    for picture in pictures:
        image = open_rgb(picture.path)
        pixels = pixels_of(image, side)
        started = time.perf_counter()
        embedding, logits = small(pixels)
        times.append(time.perf_counter() - started)
        full, full_logits = exact(pixels)
        cosines.append(float(embedding @ full / np.linalg.norm(embedding) / np.linalg.norm(full)))
        found = decide(scores(logits[None], rule.temperature), rule)[0]
        wanted = decide(scores(full_logits[None], rule.temperature), rule)[0]
        same_label += int(found == wanted)
        label = names[len(LABELS) if found == UNSURE else found]
        same_reference += int(classifier.classify(image)["label"] == label)
    assert same_reference == len(pictures), "the reference classifier gives other labels"
    agreement, cosine = same_label / len(pictures), float(np.mean(cosines))
    assert agreement >= LEAST_AGREEMENT, f"int8 and float32 agree on {agreement:.3f} of the labels only"
    assert cosine >= LEAST_COSINE, f"int8 and float32 embeddings have a cosine of {cosine:.4f} only"
    milliseconds = float(np.median(times) * 1000)
    assert milliseconds <= MOST_MS, f"{milliseconds:.1f} ms a picture"
    _odd_pictures(classifier)
    return {
        "pictures": len(pictures),
        "int8_float_agreement": round(agreement, 4),
        "int8_float_cosine": round(cosine, 4),
        "milliseconds": round(milliseconds, 2),
        "bytes": len(content),
    }


def _odd_pictures(classifier: Classifier) -> None:
    """Any mode and shape gives scores that sum to 1."""
    for image in (Image.new("L", (3, 900)), Image.new("RGBA", (1, 1)), Image.new("P", (640, 360))):
        total = sum(classifier.classify(image)["scores"].values())
        assert abs(total - 1) < 1e-6, "scores do not sum to 1"
