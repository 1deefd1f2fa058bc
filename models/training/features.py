"""Views of pictures and what the frozen early part of the backbone makes of them, kept on disk.

View 0 is the plain picture as the gateway sees it, view 1 its mirror image, the others are random views of
`augment`. The random numbers of a view come from the seed, the file's name and the view alone, so a feature
never depends on order or on what else is computed. Nothing here is trained.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from training import augment
from training.backbone import Backbone
from training.data import NORMAL, Picture, open_rgb

BATCH = 32


def pixels_of(image: Image.Image, side: int) -> NDArray[np.uint8]:
    """The whole frame squeezed to a square, as the gateway does it: (side, side, 3), RGB."""
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR), np.uint8)


def view_of(picture: Picture, number: int, side: int, seed: int) -> NDArray[np.uint8]:
    """View `number` of a picture: (side, side, 3), RGB."""
    image = open_rgb(picture.path)
    if number == 0:
        return pixels_of(image, side)
    if number == 1:
        return pixels_of(ImageOps.mirror(image), side)
    name = hashlib.sha256(f"{seed}/{picture.file}/{number}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(name[:8], "big"))
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


def early(
    net: Backbone, stop: int, pictures: Sequence[Picture], views: int, side: int, seed: int, cache: Path
) -> Early:
    """Computes what `cache` lacks, 16-bit, and hands out the rest from there."""
    cache.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(f"{len(net.blocks)} {stop} {side} {seed}".encode())
    key.update("\n".join(p.file for p in pictures).encode())
    key.update(Path(augment.__file__).read_bytes())
    net = net.to(memory_format=torch.channels_last)
    files = []
    for number in range(views):
        file = cache / f"{key.hexdigest()[:16]}-{number}.npy"
        if not file.exists():
            rows = []
            for at in range(0, len(pictures), BATCH):
                batch = np.stack([view_of(p, number, side, seed) for p in pictures[at : at + BATCH]])
                with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                    rows.append(net.early(normalise(batch), stop).half().permute(0, 2, 3, 1).numpy())
            np.save(file, np.concatenate(rows))
            print(f"view {number + 1} of {views} computed", flush=True)
        files.append(file)
    return Early(files)
