"""The pictures, as the data set's manifest lists them: what each shows and where it came from.

Reads the manifest and the pictures; never writes, never shuffles train into validation. Labels and their
order are stated here and nowhere else in the pipeline.
"""

import csv
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

DRAWN = "drawn "  # begins the source of a picture with a rendered hazard
SOURCES_WITHOUT_STREETS = (  # landscapes with lakes, and corridors: water drawn there is no flooded street
    "cair/Fire-Detection-Image-Dataset",
    "microsystemsLab-uci-org/BUG-FIRE-A-3D-Path-Planning-Algorithm-for-Firefighter-Navigation-in-Unknown-Multi-Floor-Buildings",
)
LABELS = ("fire_smoke", "rubbish", "flood", "road_damage", "normal")
NORMAL = LABELS.index("normal")
UNSURE = -1
# What is drawn, as which label, and for every how many scenes without hazard. The last five are drawn whole
# (`land`, `rooms`); they follow a scene only so that their number does and each is held out in some rotation.
KINDS = {
    "fire": (LABELS.index("fire_smoke"), 1),
    "flood": (LABELS.index("flood"), 1),
    "lights": (NORMAL, 1),
    "above": (LABELS.index("flood"), 2),
    "land": (NORMAL, 4),
    "lake": (NORMAL, 4),
    "room": (NORMAL, 4),
    "smoky": (LABELS.index("fire_smoke"), 8),
}


@dataclass(frozen=True)
class Picture:
    """One row of the manifest, or one of them with something drawn into it.

    `split` is train, val or extra; `label` is an index into LABELS; `drawn` is "", "fire", "flood" or "lights",
    and `scene` then the index of the picture that it was drawn into.
    """

    path: Path
    file: str
    split: str
    label: int
    source: str
    drawn: str = ""
    scene: int = -1


def with_drawn(pictures: list[Picture]) -> list[Picture]:
    """The pictures, and after them every scene without hazard with fire, with water, and with lights drawn in.

    Rendered hazards are a source of their own, so that levelling of sources holds for them; a scene with lights
    is still a scene of its source.
    """
    made = list(pictures)
    scenes = [(at, one) for at, one in enumerate(pictures) if one.label == NORMAL]
    for kind, (label, every) in KINDS.items():
        for at, scene in scenes[::every]:
            if kind == "flood" and scene.source in SOURCES_WITHOUT_STREETS:
                continue
            source = scene.source if kind == "lights" else DRAWN + kind
            made.append(replace(scene, label=label, source=source, drawn=kind, scene=at))
    return made


def read_manifest(folder: Path) -> list[Picture]:
    """Every picture of train and val (and of extra, kept apart by its split), in the manifest's order.

    Raises FileNotFoundError when a listed picture is missing and ValueError for an unknown class.
    """
    pictures = []
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            path = folder / row["file"]
            if not path.is_file():
                raise FileNotFoundError(f"{row['file']} is in the manifest but not in the data set")
            pictures.append(Picture(path, row["file"], row["split"], LABELS.index(row["cls"]), row["source"]))
    return pictures


def manifest_hash(folder: Path) -> str:
    """SHA-256 of manifest.csv, in hex: which data set a model was made from."""
    return hashlib.sha256((folder / "manifest.csv").read_bytes()).hexdigest()


def open_rgb(path: Path) -> Image.Image:
    """The decoded picture, RGB."""
    with Image.open(path) as image:
        return image.convert("RGB")
