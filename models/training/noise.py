"""Smooth random patterns that everything drawn is made of. Pure: sizes and a random generator in, values out."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Rng = np.random.Generator
Pixels = NDArray[np.float32]

CELLS = (3, 6, 12, 24, 48)  # of the octaves of noise


def grid(high: int, wide: int) -> tuple[Pixels, Pixels]:
    """Row and column of every pixel."""
    yy, xx = np.mgrid[0:high, 0:wide].astype(np.float32)
    return yy, xx


def soft(mask: Pixels, radius: float) -> Pixels:
    """A mask of 0..1 with its edges blurred by `radius` pixels."""
    grey = Image.fromarray((np.clip(mask, 0, 1) * 255).astype(np.uint8))
    return np.asarray(grey.filter(ImageFilter.GaussianBlur(float(radius))), np.float32) / 255


def noise(
    high: int, wide: int, rng: Rng, cells: tuple[int, ...] = CELLS, fade: float = 0.55, stretch: float = 1.0
) -> Pixels:
    """Octaves of smooth noise in 0..1; `stretch` above 1 makes the pattern narrow, below 1 broad."""
    out, weight, total = np.zeros((high, wide), np.float32), 1.0, 0.0
    for count in cells:
        coarse = Image.fromarray((rng.random((max(2, count), max(2, int(count * stretch)))) * 255).astype(np.uint8))
        out += weight * np.asarray(coarse.resize((wide, high), Image.Resampling.BICUBIC), np.float32) / 255
        total += weight
        weight *= fade
    return out / total


def even(
    high: int, wide: int, rng: Rng, cells: tuple[int, ...] = CELLS, fade: float = 0.55, stretch: float = 1.0
) -> Pixels:
    """Noise that reaches from 0 to 1."""
    n = noise(high, wide, rng, cells, fade, stretch)
    return (n - n.min()) / (np.ptp(n) + 1e-6)
