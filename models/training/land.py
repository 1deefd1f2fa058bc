"""Land drawn whole: a settlement seen from above, dry or under water, and lakes and coasts that are no flood.

No source of pictures without hazard has land from the air or open water but one, and floods from the air come
from one as well, so a model learns the two sources and not the water. What stands here is crude and has no source
at all. Pure, like `render`: a random generator in, pixels out (values 0..1); judged on real pictures only.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from training.noise import Pixels, Rng, even, grid, noise, soft

MAP = 512  # pixels a side of the map that a view from above looks at
ROOFS = ((150, 60, 45), (120, 115, 110), (190, 185, 180), (70, 95, 140), (165, 110, 80), (95, 90, 90), (60, 130, 130))
SILT = (
    (0.66, 0.52, 0.36),
    (0.58, 0.48, 0.37),
    (0.52, 0.50, 0.42),
    (0.48, 0.50, 0.47),
    (0.70, 0.62, 0.48),
    (0.40, 0.38, 0.32),
)
SKIES = (  # zenith and horizon: day, overcast, dusk, night, morning
    ((0.35, 0.55, 0.85), (0.8, 0.88, 0.95)),
    ((0.6, 0.65, 0.7), (0.8, 0.82, 0.83)),
    ((0.35, 0.3, 0.5), (0.98, 0.6, 0.3)),
    ((0.03, 0.05, 0.12), (0.1, 0.13, 0.25)),
    ((0.2, 0.35, 0.65), (0.95, 0.75, 0.6)),
)


def from_above(rng: Rng, side: int, flooded: bool) -> Pixels:
    """A settlement and its fields from the air; where it is dry, at most a river in its bed."""
    ground = _ground(rng)
    high = noise(MAP, MAP, rng, (3, 6, 12, 24), 0.5)
    if flooded:
        wet = high < np.quantile(high, rng.uniform(0.35, 0.85))
        colour = np.array(SILT[rng.integers(len(SILT))], np.float32) * rng.uniform(0.75, 1.15)
    else:
        wet = _river(rng, high) if rng.random() < 0.4 else np.zeros_like(high, bool)
        colour = np.array([rng.uniform(0.1, 0.35), rng.uniform(0.25, 0.45), rng.uniform(0.3, 0.6)], np.float32)
    water = colour + (noise(MAP, MAP, rng, (4, 8, 64, 128), 0.8)[..., None] - 0.5) * rng.uniform(0.02, 0.12)
    share = soft(wet.astype(np.float32), 1.5)[..., None]
    drawn = _built(ground * (1 - share) + water * share, rng, wet if not flooded else None)
    return _seen(drawn, rng, side)


def lake(rng: Rng, side: int) -> Pixels:
    """Sky, ridges and a sheet of water that lies where it belongs, by day, at dusk or at night."""
    yy, _ = grid(side, side)
    top, low = (np.array(c, np.float32) for c in SKIES[rng.integers(len(SKIES))])
    shore = rng.uniform(0.35, 0.75) * side
    x = top + (low - top) * np.clip(yy / shore, 0, 1)[..., None]
    cloud = np.clip((noise(side, side, rng, (3, 6, 12, 24), 0.6, 0.6) - rng.uniform(0.45, 0.6)) * 4, 0, 1)[..., None]
    light = float(low.mean())
    x = x + cloud * (np.array([1, 0.97, 0.95]) * min(1.0, light * 1.2) - x) * rng.uniform(0, 0.9)
    for step in range(int(rng.integers(1, 5))):
        x = _ridge(x, shore * rng.uniform(0.4 + 0.12 * step, 0.98), shore, light, step, rng)
    if rng.random() < 0.4:
        x = _lamps(x, shore, rng)
    x = _sheet(x, int(shore), rng)
    if rng.random() < 0.5:
        edge = side * (rng.uniform(0.7, 0.97) + (noise(1, side, rng, (2, 5, 10, 40))[0] - 0.5) * rng.uniform(0.05, 0.4))
        bank = soft((yy > edge[None, :]).astype(np.float32), 1)[..., None]
        x = x * (1 - bank) + _rough(side, side, rng, light) * bank
    return np.clip(x, 0, 1).astype(np.float32)


def above(rng: Rng, side: int) -> Pixels:
    """A flood from the air."""
    return from_above(rng, side, flooded=True)


def land(rng: Rng, side: int) -> Pixels:
    """The same land without one."""
    return from_above(rng, side, flooded=False)


def _ground(rng: Rng) -> Pixels:
    """Fields, woods and bare earth."""
    a, b = _earth(rng), _earth(rng)
    mix = even(MAP, MAP, rng, (4, 8, 16))[..., None]
    x = a * mix + b * (1 - mix)
    fields = Image.fromarray((np.clip(x, 0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(fields)
    for _ in range(int(rng.integers(0, 30))):
        cx, cy, turn = rng.uniform(0, MAP), rng.uniform(0, MAP), rng.uniform(0, 3.2)
        draw.polygon(_quad(cx, cy, *rng.uniform(20, 110, 2), turn), fill=_bytes(_earth(rng)))
    grain = (noise(MAP, MAP, rng, (64, 128, 256), 0.9)[..., None] - 0.5) * 0.25
    return np.asarray(fields, np.float32) / 255 + grain


def _earth(rng: Rng) -> Pixels:
    if rng.random() < 0.7:
        return np.array([rng.uniform(0.15, 0.42), rng.uniform(0.28, 0.48), rng.uniform(0.1, 0.28)], np.float32)
    tone = rng.uniform(0.35, 0.65)
    return np.array([tone, tone * 0.88, tone * 0.72], np.float32)


def _river(rng: Rng, high: Pixels) -> NDArray[np.bool_]:
    """A band of even width along one level of the height."""
    level = np.quantile(high, rng.uniform(0.3, 0.7))
    return np.abs(high - level) < rng.uniform(0.004, 0.02)


def _built(x: Pixels, rng: Rng, keep_off: NDArray[np.bool_] | None) -> Pixels:
    """Streets, roofs and trees on the map; they stand out of a flood and keep off a river."""
    image = Image.fromarray((np.clip(x, 0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    turn, dense = rng.uniform(0, 3.2), noise(MAP, MAP, rng, (4, 8))
    if rng.random() < 0.6:
        for _ in range(int(rng.integers(1, 5))):
            cx, cy = rng.uniform(0, MAP, 2)
            along = turn + (1.571 if rng.random() < 0.5 else 0)
            tone = np.full(3, rng.uniform(0.4, 0.7))
            draw.polygon(_quad(cx, cy, 2 * MAP, rng.uniform(4, 14), along), fill=_bytes(tone))
    size, limit = rng.uniform(8, 34), rng.uniform(0.35, 0.6)
    for _ in range(int(rng.integers(15, 500))):
        cx, cy = rng.uniform(0, MAP, 2)
        if dense[int(cy), int(cx)] > limit and not (keep_off is not None and keep_off[int(cy), int(cx)]):
            _roof(draw, cx, cy, size * rng.uniform(0.6, 1.6), turn + rng.normal(0, 0.15), rng)
    woods = noise(MAP, MAP, rng, (4, 8, 16))
    for _ in range(int(rng.integers(60, 1500))):
        cx, cy = rng.uniform(0, MAP, 2)
        if woods[int(cy), int(cx)] > 0.5 and not (keep_off is not None and keep_off[int(cy), int(cx)]):
            r, tone = rng.uniform(2, 9), rng.uniform(0.4, 1.1)
            draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=(int(55 * tone), int(85 * tone), int(40 * tone)))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(0.7)), np.float32) / 255


def _roof(draw: ImageDraw.ImageDraw, cx: float, cy: float, size: float, turn: float, rng: Rng) -> None:
    """One roof with its shadow and a bright and a dark half."""
    long, colour = size * rng.uniform(1, 2.5), np.array(ROOFS[rng.integers(len(ROOFS))]) * rng.uniform(0.7, 1.25)
    draw.polygon(_quad(cx + size * 0.2, cy + size * 0.2, long, size, turn), fill=(30, 30, 28))
    draw.polygon(_quad(cx, cy, long, size, turn), fill=tuple(int(min(255, c)) for c in colour))
    aside = size / 4
    dark = tuple(int(min(255, c * 0.75)) for c in colour)
    draw.polygon(_quad(cx - np.sin(turn) * aside, cy + np.cos(turn) * aside, long, size / 2, turn), fill=dark)


def _quad(cx: float, cy: float, long: float, wide: float, turn: float) -> list[tuple[float, float]]:
    c, s = float(np.cos(turn)), float(np.sin(turn))
    corners = ((-long / 2, -wide / 2), (long / 2, -wide / 2), (long / 2, wide / 2), (-long / 2, wide / 2))
    return [(cx + a * c - b * s, cy + a * s + b * c) for a, b in corners]


def _bytes(colour: Pixels) -> tuple[int, ...]:
    return tuple(int(255 * float(np.clip(v, 0, 1))) for v in colour)


def _seen(drawn: Pixels, rng: Rng, side: int) -> Pixels:
    """The map from a helicopter: straight down, or tilted, with or without the horizon."""
    yy, xx = grid(side, side)
    horizon = side * rng.uniform(-3, -0.6) if rng.random() < 0.6 else side * rng.uniform(-0.5, 0.25)
    scale = rng.uniform(0.35, 1.0)
    depth = np.maximum(yy - horizon, 1) / (side - horizon)
    u = (xx / side - 0.5) * MAP * scale / depth + MAP / 2
    v = MAP - MAP * scale * (1 / np.maximum(depth, 0.03) - 1) * min(2.0, (side - horizon) / side) * 0.6
    x = drawn[v.astype(int) % MAP, u.astype(int) % MAP]
    sky = np.full(3, rng.uniform(0.6, 0.9), np.float32)
    haze = np.clip(1 - depth * rng.uniform(1.2, 4), 0, 1)[..., None] * rng.uniform(0.3, 0.9)
    x = np.where((yy > horizon)[..., None], x * (1 - haze) + sky * haze, sky)
    return np.clip(x, 0, 1).astype(np.float32)


def _ridge(x: Pixels, crest: float, shore: float, light: float, step: int, rng: Rng) -> Pixels:
    side = x.shape[0]
    yy, _ = grid(side, side)
    rough = noise(1, side, rng, (2, 4, 8, 16, 40), 0.5)[0] - 0.5
    edge = np.minimum(crest + rough * shore * rng.uniform(0.2, 1.2), shore - 1)
    body = soft((yy > edge[None, :]).astype(np.float32), 0.8)[..., None]
    far = max(0.0, 0.7 - 0.25 * step)
    colour = _rough(side, side, rng, light) * (1 - far) + np.array([0.5, 0.6, 0.7]) * light * far
    return x * (1 - body) + colour * body


def _rough(high: int, wide: int, rng: Rng, light: float) -> Pixels:
    """Grass, rock, wood or snow as a texture."""
    colour = _earth(rng) if rng.random() < 0.85 else np.full(3, 0.85, np.float32)
    grain = noise(high, wide, rng, (8, 16, 32, 64, 120), 0.8)[..., None]
    return (colour * (0.35 + 1.3 * grain) * (0.25 + 0.95 * light)).astype(np.float32)


def _lamps(x: Pixels, shore: float, rng: Rng) -> Pixels:
    """The lights of a town along the shore, or the sun above it."""
    side = x.shape[0]
    yy, xx = grid(side, side)
    glow = np.zeros((side, side), np.float32)
    sun = rng.random() < 0.4
    for _ in range(1 if sun else int(rng.integers(5, 60))):
        cx, cy = rng.uniform(0, side), shore - rng.uniform(1, 0.5 * shore if sun else 0.2 * shore)
        r = rng.uniform(4, 14) if sun else rng.uniform(0.7, 2.2)
        far = ((xx - cx) ** 2 + (yy - cy) ** 2) / r**2
        glow = np.maximum(glow, np.clip(1.5 - far, 0, 1) + np.exp(-far / rng.uniform(5, 40)) * 0.5)
    warm = np.array([1, rng.uniform(0.6, 0.95), rng.uniform(0.2, 0.8)], np.float32)
    return 1 - (1 - np.clip(x, 0, 1)) * (1 - np.clip(glow, 0, 1)[..., None] * warm)


def _sheet(x: Pixels, shore: int, rng: Rng) -> Pixels:
    """Clear water below the shore: what is above it upside down, and its own blue, green or grey."""
    side = x.shape[0]
    yy, xx = np.mgrid[0:side, 0:side]
    below = np.maximum(yy - shore, 0)
    near = below / max(1, side - shore)
    ripple = (noise(side, side, rng, (30, 60, 120), 0.8, 0.25) - 0.5) * rng.uniform(0, 18) * near
    rows = np.clip(shore - below * rng.uniform(0.6, 1.2) + ripple, 0, max(0, shore - 1)).astype(int)
    seen = x[rows, xx]
    own = np.array([rng.uniform(0.03, 0.3), rng.uniform(0.2, 0.5), rng.uniform(0.3, 0.65)], np.float32)
    own = own * x[:shore].mean() * 1.6
    share = np.clip(rng.uniform(0.2, 0.95) - near * rng.uniform(0, 0.7), 0, 1)[..., None]
    water = seen * share + own * (1 - share) + ripple[..., None] * 0.006
    return np.where((yy >= shore)[..., None], water, x)


KINDS = {"above": above, "land": land, "lake": lake}
