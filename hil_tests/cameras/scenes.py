"""Rendered street scenes, the same from the same seed: an ordinary one, and one under water. NumPy and Pillow.

They are drawn and not photographed, so they say nothing of how good the classifier is. The shipped model calls
all the streets of seeds 0 to 99 normal; under water 72 flood and 28 unsure, the chosen one flood (its test says so).
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Floats = NDArray[np.float64]

HEIGHT, WIDTH = 480, 640
_HORIZON = 260
_ROAD = 275  # the first row below the pavement
_WALLS = ((186, 170, 150), (160, 120, 100), (200, 198, 190), (150, 155, 165), (178, 140, 110))
SEED = 4  # of a street that gets a clear verdict dry and flooded
_SHORE = 262  # the first row under water
_MURK = (120, 104, 80)


def street(seed: int = SEED) -> Image.Image:
    """A row of houses, trees, a pavement and an asphalt road with its middle line."""
    return _picture(_street(seed))


def flooded_street(seed: int = SEED) -> Image.Image:
    """The same street with brown water from wall to wall: what stands above it upside down, murkier near by."""
    street = _street(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    waves = _clouds(seed, 7) - 0.5
    below = np.maximum(y - _SHORE, 0)
    near = below / (HEIGHT - _SHORE)
    ripple = waves * 30 * near
    rows = np.clip(_SHORE - below * 0.9 + ripple, 0, HEIGHT - 1).astype(int)
    seen = street[rows, np.clip(x + ripple.astype(int), 0, WIDTH - 1)]
    share = (0.65 * (1 - near) + 0.1)[..., None]
    water = seen * share + np.array(_MURK) * (1 - share) + waves[..., None] * 40
    return _picture(np.where((y > _SHORE)[..., None], water, street))


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
    rng = np.random.default_rng(seed + 1000)
    image = Image.new("RGB", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(image)
    for y in range(_HORIZON):
        down = y / _HORIZON
        draw.line((0, y, WIDTH, y), fill=(int(110 + 90 * down), int(160 + 55 * down), int(215 + 20 * down)))
    _houses(draw, rng)
    _trees(draw, rng)
    pixels = np.asarray(image).astype(float)
    grain = np.random.default_rng(seed).normal(0, 9, (HEIGHT, WIDTH))
    asphalt = 90 + 30 * (_clouds(seed) - 0.5) + grain
    pixels[_HORIZON + 1 :] = np.stack([asphalt, asphalt * 0.99, asphalt * 0.97], -1)[_HORIZON + 1 :]
    image = _picture(pixels)
    _marks(ImageDraw.Draw(image))
    pixels = np.asarray(image).astype(float)
    worn = np.random.default_rng(seed).normal(0, 4.5, (HEIGHT - _ROAD, WIDTH, 1))
    pixels[_ROAD:] += worn
    return pixels


def _houses(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    x = 0
    while x < WIDTH:
        wide, high = int(rng.integers(70, 140)), int(rng.integers(110, 240))
        roof = _HORIZON - high
        draw.rectangle((x, roof, x + wide - 3, _HORIZON), fill=_WALLS[rng.choice(len(_WALLS))])
        for row in range(high // 34):
            for column in range(wide // 30):
                left, top = x + 8 + column * 30, roof + 12 + row * 32
                draw.rectangle((left, top, left + 16, top + 20), fill=(70, 85, 100))
                draw.rectangle((left, top, left + 16, top + 6), fill=(110, 130, 150))
        x += wide


def _trees(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(2, 5))):
        middle = int(rng.integers(20, WIDTH - 20))
        draw.rectangle((middle - 4, 190, middle + 4, _HORIZON + 8), fill=(85, 65, 45))
        for _ in range(40):
            x, y = middle + rng.normal(0, 22), 165 + rng.normal(0, 26)
            r, light = rng.uniform(6, 15), rng.uniform(0.6, 1.1)
            draw.ellipse((x - r, y - r, x + r, y + r), fill=(int(60 * light), int(105 * light), int(50 * light)))


def _marks(draw: ImageDraw.ImageDraw) -> None:
    """The pavement and the dashes of the middle line, in perspective."""
    draw.rectangle((0, _HORIZON + 1, WIDTH, _ROAD - 1), fill=(165, 160, 150))
    draw.line((0, _ROAD - 1, WIDTH, _ROAD - 1), fill=(110, 108, 104), width=2)
    for begin, end in ((0.05, 0.14), (0.22, 0.36), (0.5, 0.75), (0.92, 1.0)):
        above, below = (_ROAD + 1 + at * (HEIGHT - _HORIZON) for at in (begin, end))
        far, near = 3 + 14 * begin, 3 + 14 * end
        middle = WIDTH / 2
        corners = [(middle - far, above), (middle + far, above), (middle + near, below), (middle - near, below)]
        draw.polygon(corners, fill=(215, 212, 205))
