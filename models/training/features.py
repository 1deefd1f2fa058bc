"""Views of pictures and what the frozen early part of the backbone makes of them, kept on disk.

View 0 is the plain picture as the gateway sees it, view 1 its mirror image, the others are random views of
`augment`. What `render` draws is drawn anew for each view. The random numbers of a view come from the seed, the
file's name and the view alone, so a feature never depends on order or on what else is computed. Nothing here is
trained.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from training import augment, land, noise, render, rooms
from training.backbone import Backbone
from training.data import NORMAL, Picture, open_rgb

BATCH = 32
DRAWN_WHOLE = land.KINDS | rooms.KINDS
SMALLEST_SCENE = 0.35  # of the area of a scene that something is drawn into


def pixels_of(image: Image.Image, side: int) -> NDArray[np.uint8]:
    """The whole frame squeezed to a square, as the gateway does it: (side, side, 3), RGB."""
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR), np.uint8)


def view_of(picture: Picture, number: int, side: int, seed: int) -> NDArray[np.uint8]:
    """View `number` of a picture: (side, side, 3), RGB."""
    name = hashlib.sha256(f"{seed}/{picture.file}/{picture.drawn}{number}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(name[:8], "big"))
    image = open_rgb(picture.path)
    if picture.drawn in DRAWN_WHOLE:
        image = render.picture(DRAWN_WHOLE[picture.drawn](rng, side))
    elif picture.drawn:
        scene = augment.crop(image, SMALLEST_SCENE, rng) if number > 1 else image
        scene = scene.resize((side, side), Image.Resampling.BILINEAR)
        image = render.picture(getattr(render, picture.drawn)(scene, rng))
    if number == 0:
        return pixels_of(image, side)
    if number == 1:
        return pixels_of(ImageOps.mirror(image), side)
    return np.asarray(augment.view(image, side, picture.label == NORMAL, rng), np.uint8)


def normalise(batch: NDArray[np.uint8]) -> torch.Tensor:
    """(N, S, S, 3) bytes to (N, 3, S, S) as the backbone wants them: (value - 127) / 128."""
    scaled = (torch.tensor(batch).permute(0, 3, 1, 2).float() - 127) / 128
    return scaled.contiguous(memory_format=torch.channels_last)


class Early:
    """Outputs of the backbone's first `stop` blocks for every view of every picture, read as needed."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._views = [np.load(file, mmap_mode="r") for file in files]

    @property
    def views(self) -> int:
        """How many views there are."""
        return len(self._views)

    def batch(self, view: int, rows: NDArray[np.int64]) -> torch.Tensor:
        """(N, channels, H, W) of one view of the pictures at `rows`."""
        return torch.from_numpy(self._views[view][rows]).float().permute(0, 3, 1, 2)


def file_of(stop: int, pictures: Sequence[Picture], number: int, sister: str, side: int, seed: int) -> str:
    """The cache's name for one view: anything that changes its content changes the name."""
    key = hashlib.sha256(f"{sister} {stop} {side} {seed}".encode())
    key.update("\n".join(f"{p.file} {p.drawn}" for p in pictures).encode())
    for module in (augment, render, land, rooms, noise):
        key.update(Path(module.__file__).read_bytes())
    return f"{key.hexdigest()[:16]}-{number}.npy"


def compute(
    net: Backbone, stop: int, pictures: Sequence[Picture], number: int, side: int, seed: int, file: Path
) -> None:
    """Writes one view of every picture to `file`, 16-bit, unless it is there."""
    if file.exists():
        return
    net = net.to(memory_format=torch.channels_last)
    rows = []
    for at in range(0, len(pictures), BATCH):
        batch = np.stack([view_of(p, number, side, seed) for p in pictures[at : at + BATCH]])
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            rows.append(net.early(normalise(batch), stop).half().permute(0, 2, 3, 1).numpy())
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".part")
    with unfinished.open("wb") as out:
        np.save(out, np.concatenate(rows))
    unfinished.rename(file)
    print(f"view {number + 1} computed", flush=True)
