"""The shipped models: signed, unaltered, and computing what the reference computes; the detector's adapter."""

import importlib.util
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image, ImageEnhance

from gateway import shipped
from gateway.camera import loading, plates, shipment, trust
from gateway.camera.blur import blurred, tiles
from gateway.camera.classifier import Card, Classifier, Input, judge
from gateway.camera.detector import Box, Detector, apart, from_anchors, postprocessed
from gateway.camera.still import encoded
from gateway.camera.trust import AlteredModel
from gateway.config import Camera
from gateway.errors import GewuError
from hil_tests.cameras import scenes

MODELS = shipped.models()
CAMERA = Camera.model_validate({"id": "c", "source": "dir:x", "purpose": "p", "owner": "o", "sign": "s"})


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(MODELS)


@pytest.fixture(scope="module")
def faces() -> Detector:
    return Detector(MODELS / "faces.json", [trust.MAKER])


def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", MODELS / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_agrees_with_the_reference_on_every_picture(classifier: Classifier) -> None:
    """Label and score, whatever size and mode; models/reference.py is written apart from this code."""
    other = reference().Classifier(MODELS)
    pictures = [
        scenes.street(),
        scenes.flooded_street(),
        scenes.street(9).resize((1280, 720)),
        Image.new("RGB", (3, 900)),
        scenes.with_noise(scenes.flooded_street(), 0, 9.0),
    ]
    for image in pictures:
        mine, wanted = classifier.classify(image), other.classify(image)
        assert mine.label == wanted["label"]
        assert mine.scores == pytest.approx(wanted["scores"])


def test_the_rendered_street_is_what_the_story_needs(classifier: Classifier) -> None:
    """The shipped model calls the street normal and the flooded one flood, with some noise as well."""
    for number in range(2):
        assert classifier.classify(scenes.with_noise(scenes.street(), number)).label == "normal"
        assert classifier.classify(scenes.with_noise(scenes.flooded_street(), number)).label == "flood"
    assert {classifier.classify(scenes.street(seed)).label for seed in range(100, 105)} == {"normal"}


def test_the_shipped_head_is_the_models_last_layer(classifier: Classifier) -> None:
    """Told from the model itself, so that a site's own can start there."""
    embedding, logits = classifier.look(scenes.street())
    np.testing.assert_allclose(classifier.shipped_head().logits(embedding), logits, rtol=1e-3, atol=1e-2)


def test_the_rule_is_the_cards() -> None:
    """The likeliest hazard where its score reaches `alarm`, not two together, else normal at its own, else unsure."""
    card = Card(["a", "b", "normal"], Input(8), 1.0, 0.8, 0.6)
    found = [judge(np.array(one), card) for one in ((3, 0, 0), (1, 3, 0), (1.1, 1, -1), (-1, -2, 0))]
    assert [one.label for one in found] == ["a", "b", "unsure", "normal"]
    assert [one.score for one in found] == pytest.approx(
        [one.scores[name] for one, name in zip(found, ("a", "b", "a", "normal"), strict=True)]
    )
    assert found[2].scores["a"] + found[2].scores["b"] > card.alarm


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("hazard.json", "hazard.sig", "hazard.tflite", "faces.json", "faces.sig", "faces.tflite"):
        shutil.copy(MODELS / name, folder)
    return folder


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", ["hazard.json", "hazard.sig", "hazard.tflite"])
def test_one_altered_bit_and_it_is_not_loaded(copied: Path, name: str) -> None:
    """In the card, the signature or the model."""
    flip(copied / name)
    with pytest.raises(AlteredModel):
        Classifier(copied)


def test_a_strangers_signature_is_none_until_he_is_trusted(copied: Path) -> None:
    """A new card for a changed model, well signed, but by whom?"""
    key = Ed25519PrivateKey.generate()
    card = json.loads((copied / "hazard.json").read_bytes())
    card["temperature"] = 1.0
    (copied / "hazard.json").write_text(json.dumps(card))
    (copied / "hazard.sig").write_bytes(trust.sign((copied / "hazard.json").read_bytes(), key))
    with pytest.raises(AlteredModel, match=r"vision\.trusted"):
        Classifier(copied)
    assert Classifier(copied, [trust.MAKER, trust.public_half(key)]).card.temperature == 1.0


@pytest.mark.parametrize("file", ["../hazard.tflite", "/etc/passwd"])
def test_a_card_names_nothing_outside_its_folder(copied: Path, file: str) -> None:
    """However well it is signed."""
    key = Ed25519PrivateKey.generate()
    text = json.dumps({"model": {"file": file, "sha256": "0" * 64}}).encode()
    (copied / "x.json").write_bytes(text)
    (copied / "x.sig").write_bytes(trust.sign(text, key))
    with pytest.raises(AlteredModel, match="outside"):
        shipment.read(copied / "x.json", [trust.public_half(key)])


def test_an_altered_face_model_means_no_stills(copied: Path) -> None:
    """Cameras go on; what cannot be blurred is not kept, unless a recorded purpose allows it."""
    flip(copied / "faces.tflite")
    models = loading.load(copied, copied / "site", [CAMERA], [])
    assert set(models.altered) == {"faces"}
    assert models.classifier is not None
    assert models.blur(CAMERA) is None
    open_eyed = CAMERA.model_copy(update={"blur": False, "unblurred_purpose": "court order 7 of 2026-05-01"})
    assert models.blur(open_eyed) is not None


def test_a_missing_model_is_a_sentence(tmp_path: Path) -> None:
    """It names the file and what to do."""
    with pytest.raises(GewuError, match=r"hazard\.json cannot be read .*install it again"):
        Classifier(tmp_path)


def test_faces_are_found_where_they_are(faces: Detector) -> None:
    """The box of the drawn face lies on it."""
    image = scenes.with_face(scenes.street(), 200, 100, 90)
    best = faces.find(image)[0]
    assert best.label == "face"
    assert 200 <= (best.left + best.right) / 2 * image.width <= 290
    assert 100 <= (best.top + best.bottom) / 2 * image.height <= 210


def test_faces_and_plates_are_gone_from_a_still(faces: Detector) -> None:
    """Nobody is found in the blurred still, what was written cannot be told, and the rest is as it was."""
    plain = scenes.street()
    dressed = scenes.with_plate(scenes.with_face(plain, 60, 60, 70), 400, 300, 110)
    still, counts = blurred(dressed, faces.find)
    assert counts["faces"] >= 1
    assert counts["plates"] >= 1
    assert not faces.find(still.crop((20, 20, 180, 180)))
    plate = (400, 300, 510, 335)
    assert strokes(still.crop(plate)) < 0.3 * strokes(dressed.crop(plate))
    sky = (300, 0, 380, 40)
    assert still.crop(sky).tobytes() == dressed.crop(sky).tobytes()


def test_a_plate_at_night_is_found_too() -> None:
    """A camera's dark picture has a third of the contrast of a plate by day. The road itself has none; rows of windows
    are taken for some, and blurred."""
    for light in (1.0, 0.35):
        dark = ImageEnhance.Brightness(scenes.with_plate(scenes.street(), 400, 300, 110)).enhance(light)
        found = plates.find(np.asarray(dark.convert("L"), np.float32))
        assert any(box[0] < 455 < box[2] and box[1] < 317 < box[3] for box in found), light
        plain = ImageEnhance.Brightness(scenes.street()).enhance(light)
        assert not [box for box in plates.find(np.asarray(plain.convert("L"), np.float32)) if box[1] > 280]


def test_plates_are_found_in_bands_as_in_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Band by band, which takes little memory, every window is looked at once, whatever the size of the picture."""
    most = 0
    for size, at in (((1280, 720), 590), ((641, 479), 300), ((300, 77), 30), ((64, 15), 0)):
        image = scenes.with_plate(scenes.street().resize(size), 0, at, 110)
        grey = np.asarray(image.convert("L"), np.uint8)
        found = plates.find(grey)
        with monkeypatch.context() as whole:
            whole.setattr(plates, "BAND", 6000)
            assert found == plates.find(grey), size
        most = max(most, len(found))
    assert most > 3


def test_stills_are_blurred_one_at_a_time(faces: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    """A storm floods all cameras at once: what one takes in memory must not be taken by each at the same time."""
    busy, most, models = 0, 0, loading.Models(faces=faces)

    def find(_: Image.Image) -> list[Box]:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        time.sleep(0.01)
        busy -= 1
        return []

    monkeypatch.setattr(faces, "find", find)
    blur = models.blur(CAMERA)
    assert blur is not None
    with ThreadPoolExecutor(4) as pool:
        stills = list(pool.map(blur, [encoded(scenes.street())] * 4))
    assert ([still.size for still in stills], most) == ([scenes.street().size] * 4, 1)


def strokes(image: Image.Image) -> float:
    """Mean change along rows: what makes letters."""
    return float(np.abs(np.diff(np.asarray(image.convert("L"), float), axis=1)).mean())


@pytest.mark.parametrize("size", [(1280, 720), (481, 300), (1920, 1080)])
def test_tiles_cover_a_large_picture(size: tuple[int, int]) -> None:
    """Every pixel lies in one; a small picture has none."""
    seen = np.zeros(size[::-1], bool)
    for left, top, right, bottom in tiles(*size):
        seen[top:bottom, left:right] = True
    assert seen.all()
    assert not list(tiles(320, 240))


def test_a_postprocessed_model_gives_its_boxes() -> None:
    """TFLite_Detection_PostProcess: top, left, bottom, right, as many as it counts."""
    raw = {
        "boxes": np.array([[[0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]]]),
        "classes": np.array([[2.0, 0.0]]),
        "scores": np.array([[0.9, 0.8]]),
        "count": np.array([1.0]),
    }
    boxes, scores, classes = postprocessed(raw)
    assert boxes.tolist() == [[0.2, 0.1, 0.4, 0.3]]
    assert (scores.tolist(), classes.tolist()) == ([0.9], [2.0])


def test_anchors_and_overlaps() -> None:
    """A box is counted from its anchor's middle; those that share most of their area are one."""
    wide, logits = np.zeros((1, 4, 6)), np.full((1, 4, 1), -9.0)
    wide[0, 3, :4] = (0, 0, 4, 4)
    logits[0, 3] = 3.0
    boxes, scores, _ = from_anchors([wide, logits], 8, 4)
    assert boxes[3].tolist() == [0.5, 0.5, 1.0, 1.0]
    assert scores[3] == pytest.approx(0.9526, abs=1e-4)
    same = np.array([[0, 0, 1, 1], [0, 0, 0.9, 1], [0, 0, 0.2, 0.2]])
    assert apart(same, np.array([0.5, 0.9, 0.7]), np.zeros(3), 0.3) == [1, 2]
    assert apart(same, np.array([0.5, 0.9, 0.7]), np.array([0, 1, 0]), 0.3) == [1, 2, 0]
