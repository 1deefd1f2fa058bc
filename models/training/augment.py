"""What cameras do to a scene: framing, light, weather, dirt on the lens, compression, burnt-in text.

Pure: a picture and a random generator in, a picture out. A crop of a scene without hazard is a scene
without hazard, so normal pictures are cropped hard (close-ups of asphalt, walls, cars become negatives);
pictures of a hazard are cropped gently, so that the hazard stays in.
"""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps

Rng = np.random.Generator
Pixels = NDArray[np.float32]

SMALLEST_HAZARD_CROP = 0.5  # of the area
SMALLEST_NORMAL_CROP = 0.15
ASKEW_CHANCE = 0.4
MOST_ASKEW = 40  # degrees


def view(image: Image.Image, side: int, normal: bool, rng: Rng) -> Image.Image:
    """One random view of a picture, `side` x `side` pixels, RGB."""
    if rng.random() < ASKEW_CHANCE:
        # Black corners occur in sources of rubbish, potholes and floods and must not become a sign of any.
        image = image.rotate(rng.uniform(-MOST_ASKEW, MOST_ASKEW), Image.Resampling.BILINEAR)
    image = crop(image, SMALLEST_NORMAL_CROP if normal else SMALLEST_HAZARD_CROP, rng)
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    image = image.resize((side, side), Image.Resampling.BILINEAR)
    if rng.random() < 0.25:
        small = int(side * rng.uniform(0.3, 0.8))
        image = image.resize((small, small), Image.Resampling.BILINEAR)
        image = image.resize((side, side), Image.Resampling.BILINEAR)
    if rng.random() < 0.8:
        image = _pixels(image, _colour, rng)
    for chance, change in ((0.15, _fog), (0.12, _night), (0.1, _rain), (0.06, _snow), (0.12, _dirt)):
        if rng.random() < chance:
            image = _pixels(image, change, rng)
    if rng.random() < 0.15:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2.0)))
    if rng.random() < 0.1:
        image = ImageOps.grayscale(image).convert("RGB")
    if rng.random() < 0.15:
        image = _burnt_in_text(image, rng)
    if rng.random() < 0.5:
        image = _compress(image, int(rng.integers(15, 80)))
    return image


def crop(image: Image.Image, smallest: float, rng: Rng) -> Image.Image:
    """A random part of at least `smallest` of the area."""
    area = rng.uniform(smallest, 1.0)
    stretch = float(np.exp(rng.uniform(-0.3, 0.3)))
    wide = min(1.0, np.sqrt(area) * stretch)
    high = min(1.0, np.sqrt(area) / stretch)
    left, top = rng.uniform(0, 1 - wide), rng.uniform(0, 1 - high)
    w, h = image.size
    box = (left * w, top * h, (left + wide) * w, (top + high) * h)
    return image.crop(tuple(round(edge) for edge in box))


def _pixels(image: Image.Image, change: Callable[[Pixels, Rng], Pixels], rng: Rng) -> Image.Image:
    """Applies a change of values in 0..1 to a picture."""
    values = np.asarray(image, np.float32) / 255
    return Image.fromarray((np.clip(change(values, rng), 0, 1) * 255).astype(np.uint8))


def _colour(x: Pixels, rng: Rng) -> Pixels:
    x = x ** np.float32(np.exp(rng.uniform(-0.4, 0.4)))
    x = (x - 0.5) * rng.uniform(0.7, 1.3) + 0.5 + rng.uniform(-0.1, 0.1)
    grey = x.mean(2, keepdims=True)
    x = grey + (x - grey) * rng.uniform(0.5, 1.5)
    return x * rng.uniform(0.85, 1.15, 3).astype(np.float32)


def _cloud(side: int, cells: int, rng: Rng) -> Pixels:
    """Smooth noise in 0..1, side x side x 1."""
    coarse = Image.fromarray((rng.random((cells, cells)) * 255).astype(np.uint8))
    fine = coarse.resize((side, side), Image.Resampling.BICUBIC)
    return (np.asarray(fine, np.float32) / 255)[:, :, None]


def _fog(x: Pixels, rng: Rng) -> Pixels:
    side = x.shape[0]
    far = np.linspace(1, rng.uniform(0.2, 1), side, dtype=np.float32)[:, None, None]
    thick = rng.uniform(0.2, 0.65) * far * (0.8 + 0.2 * _cloud(side, 4, rng))
    return x * (1 - thick) + rng.uniform(0.6, 0.9) * thick


def _night(x: Pixels, rng: Rng) -> Pixels:
    tint = np.array([rng.uniform(0.8, 1.2), 1.0, rng.uniform(0.7, 1.2)], np.float32)
    dark = x ** np.float32(rng.uniform(1.1, 1.6)) * rng.uniform(0.35, 0.8) * tint
    return dark + rng.normal(0, rng.uniform(0.01, 0.05), x.shape).astype(np.float32)


def _streaks(side: int, count: int, length: float, width: int, rng: Rng) -> Pixels:
    layer = Image.new("L", (side, side))
    draw = ImageDraw.Draw(layer)
    slant = rng.uniform(-0.3, 0.3)
    for _ in range(count):
        a, b = rng.uniform(0, side, 2)
        draw.line((a, b, a + slant * length, b + length), fill=int(rng.integers(90, 220)), width=width)
    soft = layer.filter(ImageFilter.GaussianBlur(0.6))
    return (np.asarray(soft, np.float32) / 255)[:, :, None]


def _rain(x: Pixels, rng: Rng) -> Pixels:
    side = x.shape[0]
    mask = _streaks(side, int(rng.integers(40, 250)), rng.uniform(6, 22), 1, rng)
    return (x * rng.uniform(0.7, 0.95)) * (1 - mask) + 0.85 * mask


def _snow(x: Pixels, rng: Rng) -> Pixels:
    mask = _streaks(x.shape[0], int(rng.integers(40, 200)), 1.5, int(rng.integers(1, 4)), rng)
    return x * (1 - mask) + mask


def _dirt(x: Pixels, rng: Rng) -> Pixels:
    mask = np.clip((_cloud(x.shape[0], int(rng.integers(4, 10)), rng) - 0.6) * 4, 0, 1)
    return x * (1 - mask * rng.uniform(0.3, 0.8)) + rng.uniform(0.1, 0.6) * mask * 0.4


def _burnt_in_text(image: Image.Image, rng: Rng) -> Image.Image:
    """A clock or a name in a corner, as recorders and news pictures carry them."""
    draw = ImageDraw.Draw(image)
    side = image.size[0]
    text = f"20{rng.integers(10, 27)}-{rng.integers(1, 13):02}-{rng.integers(1, 29):02} CAM {rng.integers(99)}"
    at = (rng.uniform(0, 0.5) * side, rng.choice([0.02, 0.92]) * side)
    draw.text(at, text, fill=(255, 255, 255) if rng.random() < 0.8 else (255, 220, 0))
    return image


def _compress(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")
