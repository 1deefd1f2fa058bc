"""The pictures, as the data set's manifest lists them: what each shows and where it came from.

Reads the manifest and the pictures; never writes, never shuffles train into validation. Labels and their
order are stated here and nowhere else in the pipeline.
"""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

LABELS = ("fire_smoke", "rubbish", "flood", "road_damage", "normal")
NORMAL = LABELS.index("normal")
UNSURE = -1


@dataclass(frozen=True)
class Picture:
    """One row of the manifest. `split` is train, val or extra; `label` is an index into LABELS."""

    path: Path
    file: str
    split: str
    label: int
    source: str


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
