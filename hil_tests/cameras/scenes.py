"""Rendered street scenes, the same from the same seed: an ordinary one, and one whose road breaks. NumPy and Pillow.

They are drawn and not photographed, so they say nothing of how good the classifier is; they are chosen because the
shipped model really calls the one normal and the other road_damage (its test says so).
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Floats = NDArray[np.float64]

HEIGHT, WIDTH = 480, 640
_HORIZON = 260
# Where the road breaks: centre and half axes in pixels. Seed and place were searched for a clear verdict.
SEED = 68
HOLE = (330.0, 400.0, 300.0, 70.0)


def street(seed: int = SEED) -> Image.Image:
    """A row of houses and an asphalt road."""
    return _picture(_street(seed))


def broken_street(seed: int = SEED) -> Image.Image:
    """The same street with a hole in its road."""
    base = _street(seed)
    holed = _hole(base, *HOLE, seed * 7)
    base[_HORIZON + 1 :] = holed[_HORIZON + 1 :]
    return _picture(base)


def with_noise(image: Image.Image, number: int, level: float = 1.0) -> Image.Image:
    """The frame `number` of a sensor looking at `image`: a little noise, never twice the same."""
    pixels = np.asarray(image, np.float32)
    noise = np.random.default_rng(number).normal(0, level, (*pixels.shape[:2], 1))
    return Image.fromarray(np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8))


def with_face(image: Image.Image, left: int, top: int, side: int) -> Image.Image:
    """The picture with a drawn face of `side` pixels, as the detector takes for one (its test says so)."""
    result = image.copy()
    face = Image.new("RGB", (200, 240), (196, 152, 128))
    draw = ImageDraw.Draw(face)
    draw.rectangle((0, 0, 200, 48), fill=(40, 28, 22))
    for x in (62, 138):
        draw.ellipse((x - 24, 86, x + 24, 112), fill=(240, 236, 232))
        draw.ellipse((x - 11, 86, x + 11, 112), fill=(40, 26, 20))
        draw.line((x - 30, 72, x + 30, 70), fill=(48, 32, 26), width=8)
    draw.polygon([(100, 100), (84, 160), (116, 160)], fill=(172, 126, 104))
    draw.ellipse((64, 178, 136, 206), fill=(150, 70, 70))
    mask = Image.new("L", face.size, 0)
    ImageDraw.Draw(mask).ellipse((4, 4, 196, 236), fill=255)
    size = (side, round(side * 1.2))
    result.paste(face.resize(size, Image.Resampling.BILINEAR), (left, top), mask.resize(size))
    return result


def with_plate(image: Image.Image, left: int, top: int, width: int, text: str = "A7K93C2") -> Image.Image:
    """The picture with a blue number plate, 440 x 140 in shape (GA 36-2018)."""
    result = image.copy()
    plate = Image.new("RGB", (440, 140), (20, 60, 180))
    draw = ImageDraw.Draw(plate)
    draw.rectangle((6, 6, 433, 133), outline=(255, 255, 255), width=4)
    for number, letter in enumerate(text):
        draw.text((24 + 57 * number, 20), letter, font=ImageFont.load_default(size=86), fill=(255, 255, 255))
    result.paste(plate.resize((width, round(width * 140 / 440)), Image.Resampling.BILINEAR), (left, top))
    return result


def _picture(pixels: Floats) -> Image.Image:
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _clouds(seed: int, octaves: int = 7) -> Floats:
    """Noise with detail at every size, (HEIGHT, WIDTH), 0 to 1."""
    rng = np.random.default_rng(seed)
    total = np.zeros((HEIGHT, WIDTH))
    for octave in range(octaves):
        side = 2 ** (octave + 2)
        coarse = Image.fromarray(rng.random((side, side)).astype(np.float32))
        total += np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)) / 2 ** (octave * 0.8)
    total -= total.min()
    return np.asarray(total / total.max())


def _street(seed: int) -> Floats:
    image = Image.new("RGB", (WIDTH, HEIGHT), (170, 195, 220))
    draw = ImageDraw.Draw(image)
    for house in range(6):
        x, height = house * 110, 180 + int(60 * np.sin(house * 2 + seed))
        roof = 300 - height
        draw.rectangle((x, roof, x + 108, 260), fill=(150 + 10 * (house % 3), 140, 125))
        for row in range(4):
            for column in range(3):
                left, top = x + 12 + column * 32, roof + 15 + row * 30
                draw.rectangle((left, top, left + 18, top + 18), fill=(80, 95, 110))
    pixels = np.asarray(image).astype(float)
    grain = np.random.default_rng(seed).normal(0, 9, (HEIGHT, WIDTH))
    asphalt = 90 + 30 * _clouds(seed) + grain
    pixels[_HORIZON + 1 :] = np.stack([asphalt, asphalt * 0.99, asphalt * 0.97], -1)[_HORIZON + 1 :]
    return pixels


def _hole(pixels: Floats, x0: float, y0: float, rx: float, ry: float, seed: int) -> Floats:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    distance = np.hypot((x - x0) / rx, (y - y0) / ry) + 0.5 * (_clouds(seed, 6) - 0.5)
    inside = np.clip((1 - distance) * 6, 0, 1)[..., None]
    edge = np.exp(-(((distance - 1.0) / 0.06) ** 2))[..., None]
    rubble = (45 + 70 * _clouds(seed + 5)[..., None]) * np.array([1.05, 0.95, 0.82])
    rubble = rubble + np.random.default_rng(seed).normal(0, 14, (HEIGHT, WIDTH, 1))
    shade = np.clip(1.1 - 0.5 * ((y0 - y) / ry + 0.5), 0.35, 1.2)[..., None]
    broken = pixels * (1 - inside) + rubble * shade * inside
    return np.asarray(broken * (1 - 0.5 * edge) + 15 * edge)
