"""Hazards rendered into scenes without one: flames and smoke, water over a street, and lights that are no fire.

Real pictures of fire and flood come from few sources, and a model learns the sources. A hazard that is drawn
into hundreds of other scenes has only itself in common. Pure: a picture and a random generator in, pixels out
(values 0..1). Nothing here is a measurement; what it is worth is judged on real pictures of held-out sources.
"""

import numpy as np
from PIL import Image

from training.noise import Pixels, Rng, even, grid, noise, soft

MURKY = (  # mean colours of flood water in daylight and dusk: brown, olive, grey, loam, dark grey, blue grey, pale
    (0.55, 0.45, 0.33),
    (0.45, 0.42, 0.36),
    (0.50, 0.52, 0.52),
    (0.62, 0.50, 0.35),
    (0.35, 0.36, 0.36),
    (0.30, 0.35, 0.40),
    (0.60, 0.62, 0.62),
    (0.70, 0.60, 0.45),
)
LAMPS = ((1, 1, 0.95), (1, 0.85, 0.5), (1, 0.6, 0.2), (1, 0.1, 0.08), (0.9, 0.95, 1), (0.3, 1, 0.4))


def fire(image: Image.Image, rng: Rng) -> Pixels:
    """Smoke, or flames, or both, in a scene."""
    x = _values(image)
    kind = rng.random()
    if kind < 0.2:
        return _vapour(x, rng)
    if kind < 0.3:
        return _blaze(x, rng)
    if kind < 0.55:
        return _smoke(x, rng)
    if kind < 0.75:
        once = _flames(x, rng)
        return _flames(once, rng) if rng.random() < 0.4 else once
    return _flames(_smoke(x, rng), rng)


def flood(image: Image.Image, rng: Rng) -> Pixels:
    """Standing or flowing water over the lower part of a scene."""
    x = _values(image)
    return _mirror(x, rng) if rng.random() < 0.45 else _waves(x, rng)


def lights(image: Image.Image, rng: Rng) -> Pixels:
    """Warm or cold light, dusk and lamps: what a camera at night shows where nothing burns."""
    x = _values(image)
    high, wide = x.shape[:2]
    yy, xx = grid(high, wide)
    if rng.random() < 0.6:
        x = x * (1 + (_tint(rng) - 1) * _where(yy / high, rng))
    if rng.random() < 0.5:
        x = x * rng.uniform(0.25, 0.8)
    for _ in range(int(rng.integers(0, 6))):
        cx, cy = rng.uniform(0, wide), rng.uniform(0, 0.85 * high)
        radius = np.exp(rng.uniform(np.log(2), np.log(0.12 * wide)))
        far = ((xx - cx) / (radius * rng.uniform(0.7, 2.5))) ** 2 + ((yy - cy) / (radius * rng.uniform(0.7, 1.3))) ** 2
        shine = np.clip(1.4 - far, 0, 1) + np.exp(-far / rng.uniform(4, 25)) * rng.uniform(0.2, 0.6)
        x = _screen(np.clip(x, 0, 1), np.clip(shine, 0, 1)[..., None] * np.array(LAMPS[rng.integers(len(LAMPS))]))
    return np.clip(x, 0, 1).astype(np.float32)


def picture(values: Pixels) -> Image.Image:
    """Values in 0..1 as a picture."""
    return Image.fromarray((np.clip(values, 0, 1) * 255).astype(np.uint8))


def _tint(rng: Rng) -> Pixels:
    if rng.random() < 0.8:
        return np.array([rng.uniform(1.05, 1.5), rng.uniform(0.8, 1.05), rng.uniform(0.4, 0.85)], np.float32)
    return np.array([rng.uniform(0.7, 1), rng.uniform(0.8, 1), rng.uniform(1.1, 1.5)], np.float32)


def _where(height: Pixels, rng: Rng) -> Pixels | float:
    """All of the scene, or a band of the sky."""
    if rng.random() < 0.5:
        return float(rng.uniform(0.5, 1))
    return np.clip(1 - np.abs(height - rng.uniform(0, 0.6)) * 1.6, 0, 1)[..., None]


def _smoke(x: Pixels, rng: Rng) -> Pixels:
    """White vapour to black smoke, a cloud or a rising column, with haze around."""
    high, wide = x.shape[:2]
    dark = rng.random() < 0.4
    cx, cy = rng.uniform(0, wide), rng.uniform(0.1, 0.9) * high
    radius = rng.uniform(0.2, 0.75) * wide
    rx, ry = radius * rng.uniform(0.6, 1.3), radius * rng.uniform(0.6, 1.3)
    mask = _cloud(even(high, wide, rng), cx, cy, rx, ry, rng.uniform(0.4, 1.0))
    if rng.random() < 0.35:
        for step in range(1, 5):
            at = cx + step * rng.uniform(-0.06, 0.1) * wide, cy - step * 0.18 * high
            grown = 1 + 0.15 * step
            more = _cloud(noise(high, wide, rng), *at, radius * 0.6 * grown, radius * 0.5 * grown, 0.9)
            mask = np.maximum(mask, more)
    base = rng.uniform(0.03, 0.3) if dark else rng.uniform(0.45, 0.95)
    tone = base + (even(high, wide, rng, (6, 12, 24, 48)) - 0.5) * rng.uniform(0.15, 0.4)
    colour = tone[..., None] * (1 + rng.normal(0, 0.03, 3))
    mask = soft(mask * rng.uniform(0.75, 1.0), rng.uniform(1, 4))[..., None]
    haze = rng.uniform(0, 0.35)
    hazy = x * (1 - haze) + np.clip(base, 0.2, 0.9) * haze
    return np.clip(hazy * (1 - mask) + colour * mask, 0, 1).astype(np.float32)


def _flames(x: Pixels, rng: Rng) -> Pixels:
    """One fire: a body of flame, its glow on the scene, and the exposure that a bright fire forces."""
    high, wide = x.shape[:2]
    broad = float(np.exp(rng.uniform(np.log(0.1), np.log(0.7)))) * wide
    tall = broad * rng.uniform(0.7, 1.8)
    cx, base = rng.uniform(0.1, 0.9) * wide, rng.uniform(0.45, 1.0) * high
    yy, xx = grid(high, wide)
    tongue = even(high, wide, rng, (4, 8, 16, 32), 0.6, 2.0)
    sway = (noise(high, wide, rng, (4, 8)) - 0.5) * broad * 0.6
    up = (base - yy) / tall
    aside = np.abs(xx + sway - cx) / (broad / 2)
    body = np.clip(1 - aside**2 - np.clip(up, 0, 9) * 0.9, -1, 1) * (up > -0.05)
    heat = np.clip(body * 1.3 + (tongue - 0.55) * 1.6, 0, 1) * np.clip((up + 0.05) * 12, 0, 1)
    heat = soft(heat, broad * 0.012 + 0.5)
    green = np.clip(heat * rng.uniform(1.6, 2.3) - 0.35, 0, 1)
    blue = np.clip(heat * rng.uniform(1.6, 2.6) - rng.uniform(1.0, 1.5), 0, 1)
    flame = np.stack([np.clip(heat * 2.6, 0, 1), green, blue], -1)
    glow = np.clip(soft(heat, broad * 0.3 + 4) * rng.uniform(0.3, 1.0), 0, 1)[..., None] * np.array([1, 0.55, 0.2])
    lit = _screen(x * rng.uniform(0.35, 1.0), glow * 0.8)
    return np.clip(_screen(lit, flame), 0, 1).astype(np.float32)


def _vapour(x: Pixels, rng: Rng) -> Pixels:
    """Smoke so thick that it fills a room or the whole frame."""
    high, wide = x.shape[:2]
    thick = rng.uniform(0.8, 1.0) - rng.uniform(0, 0.4) * even(high, wide, rng, (2, 3, 6))
    tone = rng.uniform(0.3, 0.97) + (noise(high, wide, rng, (2, 4, 8, 24)) - 0.5) * rng.uniform(0.05, 0.3)
    colour = tone[..., None] * (1 + rng.normal(0, 0.06, 3))
    return np.clip(x * (1 - thick[..., None]) + colour * thick[..., None], 0, 1).astype(np.float32)


def _blaze(x: Pixels, rng: Rng) -> Pixels:
    """A fire that lights the night: all else dark and red, its core too bright for the camera."""
    tint = np.array([1, rng.uniform(0.35, 0.75), rng.uniform(0.1, 0.6)], np.float32)
    lit = x * tint * rng.uniform(0.4, 1.0)
    for _ in range(int(rng.integers(1, 4))):
        lit = _flames(lit, rng)
    glare = soft(np.clip(lit[..., 1] * 3 - 1, 0, 1), rng.uniform(6, 50))[..., None]
    return np.clip(_screen(lit, glare * tint * rng.uniform(0.7, 3)), 0, 1).astype(np.float32)


def _mirror(x: Pixels, rng: Rng) -> Pixels:
    """Still water: the scene upside down in it, murky towards the camera."""
    high, wide = x.shape[:2]
    shore = int(rng.uniform(0.3, 0.7) * high)
    deep = high - shore
    ragged = (noise(1, wide, rng, (3, 6, 12))[0] - 0.5) * rng.uniform(0, 0.2) * high
    edge = np.clip((shore + ragged).astype(int), 1, high - 2)[None, :]
    yy, xx = np.mgrid[0:high, 0:wide]
    below = (yy - edge).astype(np.float32)
    near = np.clip(below / (deep + 1), 0, 1)
    ripple = (noise(high, wide, rng, (20, 40, 80), 0.7, 0.35) - 0.5) * near * rng.uniform(4, 26)
    rows = np.clip(edge - below * rng.uniform(0.6, 1.3) + ripple, 0, high - 1).astype(int)
    seen = x[rows, np.clip(xx + ripple * 0.4, 0, wide - 1).astype(int)]
    share = np.clip((1 - near) * rng.uniform(0.3, 0.8) + rng.uniform(0.05, 0.35), 0, 0.9)[..., None]
    grain = noise(high, wide, rng, (16, 32, 64), 0.8, 0.4)
    grain = (grain - grain.mean()) * rng.uniform(0.1, 0.6) * np.clip(near + 0.2, 0, 1) * 0.7
    water = seen * share + _murk(rng) * (1 - share) + grain[..., None]
    return _under(x, water, (below > 0).astype(np.float32))


def _waves(x: Pixels, rng: Rng) -> Pixels:
    """Moving water: ripples fine far away and coarse near the camera, sometimes with a dry patch in front."""
    high, wide = x.shape[:2]
    shore = rng.uniform(0.25, 0.75) * high
    yy, xx = grid(high, wide)
    ragged = (noise(1, wide, rng, (3, 6, 12))[0][None, :] - 0.5) * rng.uniform(0, 0.3) * high
    edge = shore + rng.normal(0, 0.12) * (xx - wide / 2) + ragged
    below = np.maximum(yy - edge, 0)
    near = np.clip(below / max(high - shore, 20.0), 0, 1.2)
    surface = noise(256, 256, rng, (8, 16, 32, 64), 0.75, 0.3)
    view = rng.uniform(0.08, 0.4)
    v = (255 * view / (near + view)).astype(int) % 256
    u = ((xx / wide - 0.5) * 255 * view * 2.5 / (near + view) + 128).astype(int) % 256
    ripple = surface[v, u]
    ripple = (ripple - ripple.mean()) / (ripple.std() + 1e-6)
    rows = edge - below * rng.uniform(0.6, 1.4) + ripple * near * rng.uniform(2, 10)
    columns = np.clip(xx + ripple * near * 3, 0, wide - 1).astype(int)
    seen = x[np.clip(rows, 0, high - 1).astype(int), columns]
    share = np.clip(1 - near, 0, 1) ** rng.uniform(0.5, 2) * rng.uniform(0.1, 0.7) + rng.uniform(0.0, 0.3)
    share = np.clip(share, 0, 0.9)[..., None]
    sky = x[: max(2, int(0.15 * high))].mean((0, 1))
    glint = ripple[..., None] * (0.02 + rng.uniform(0.0, 0.08)) * (0.4 + 0.6 * sky)
    mask = (yy > edge).astype(np.float32)
    if rng.random() < 0.25:
        dry = (yy / high > rng.uniform(0.75, 0.9)) & (noise(high, wide, rng, (3, 6, 12)) > 0.5)
        mask = mask * ~dry
    return _under(x, seen * share + _murk(rng) * (1 - share) + glint, mask)


def _murk(rng: Rng) -> Pixels:
    return np.array(MURKY[rng.integers(len(MURKY))], np.float32) * np.float32(rng.uniform(0.6, 1.25))


def _under(x: Pixels, water: Pixels, mask: Pixels) -> Pixels:
    edge = soft(mask, 1.2)[..., None]
    return np.clip(x * (1 - edge) + water * edge, 0, 1).astype(np.float32)


def _values(image: Image.Image) -> Pixels:
    return np.asarray(image, np.float32) / 255


def _screen(below: Pixels, above: Pixels) -> Pixels:
    """Light added to light."""
    return 1 - (1 - below) * (1 - np.clip(above, 0, 1))


def _cloud(n: Pixels, cx: float, cy: float, rx: float, ry: float, rough: float) -> Pixels:
    """A ragged ellipse, 0..1, its edge eaten by the noise `n`."""
    yy, xx = grid(*n.shape)
    far = np.sqrt(((xx - cx) / rx) ** 2 + ((yy - cy) / ry) ** 2)
    return np.clip((1.0 - far + rough * (n - 0.5) * 2) * 2.5, 0, 1)
