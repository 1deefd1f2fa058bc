"""Rooms and corridors drawn whole: lit, furnished and in order, and the same ones full of smoke.

Rooms without hazard come from two sources and rooms full of smoke from one, so a model that has seen only the smoke
takes a bright or a dim room for it. What stands here is crude and has no source. Pure, like `land`: a random
generator in, pixels out (values 0..1); judged on real pictures only.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from training import render
from training.noise import Pixels, Rng, even, grid, noise, soft

Point = tuple[float, float, float]  # right, up, away from the camera; half the room's width is 1
Colour = tuple[float, float, float]

NEAR = 0.25  # nothing is drawn nearer to the camera than this
WALLS: tuple[Colour, ...] = (
    (0.9, 0.9, 0.88),
    (0.85, 0.8, 0.7),
    (0.7, 0.7, 0.7),
    (0.9, 0.85, 0.6),
    (0.6, 0.7, 0.75),
    (0.65, 0.2, 0.15),
    (0.8, 0.55, 0.3),
    (0.6, 0.7, 0.55),
)
FLOORS: tuple[Colour, ...] = (
    (0.55, 0.4, 0.25),
    (0.4, 0.4, 0.42),
    (0.75, 0.72, 0.68),
    (0.35, 0.25, 0.2),
    (0.45, 0.5, 0.4),
)


@dataclass
class _View:
    """A camera in a room that is `deep` deep and `high` high; the eye is `eye` above the floor."""

    draw: ImageDraw.ImageDraw
    side: int
    high: float
    deep: float
    eye: float
    zoom: float
    aside: float
    light: float

    def at(self, point: Point) -> tuple[float, float]:
        """Where a point of the room is in the picture."""
        x, y, z = point
        scale = self.zoom * self.side / max(z, NEAR)
        return self.side * (0.5 + self.aside) + x * scale, self.side * 0.5 - (y - self.eye) * scale

    def face(self, colour: Colour, *points: Point) -> None:
        """One flat face, the darker the farther."""
        far = sum(p[2] for p in points) / len(points)
        shade = self.light * (1.05 - 0.35 * far / self.deep)
        self.draw.polygon([self.at(p) for p in points], fill=tuple(int(255 * min(1.0, c * shade)) for c in colour))

    def box(self, colour: Colour, low: Point, size: Point) -> None:
        """A box on the floor: its sides, its front and its top."""
        (x, y, z), (w, h, d) = low, size
        for wall in (x, x + w):
            self.face(_times(colour, 0.6), (wall, y, z), (wall, y + h, z), (wall, y + h, z + d), (wall, y, z + d))
        top = ((x, y + h, z), (x + w, y + h, z), (x + w, y + h, z + d), (x, y + h, z + d))
        self.face(_times(colour, 1.15), *top)
        self.face(_times(colour, 0.8), (x, y, z), (x + w, y, z), (x + w, y + h, z), (x, y + h, z))


def room(rng: Rng, side: int) -> Pixels:
    """An office, a bedroom, a hall or a corridor, by day or by lamplight."""
    image = Image.new("RGB", (side, side))
    corridor = rng.random() < 0.3
    deep = rng.uniform(5, 12) if corridor else rng.uniform(2, 5)
    high = rng.uniform(1.6, 2.6) if corridor else rng.uniform(0.9, 1.8)
    eye = high * rng.uniform(0.4, 0.9)
    view = _View(
        ImageDraw.Draw(image), side, high, deep, eye, rng.uniform(0.4, 1.0), rng.normal(0, 0.15), rng.uniform(0.6, 1.05)
    )
    _shell(view, rng)
    for _ in range(int(rng.integers(0, 6))):
        _on_a_wall(view, rng)
    things = int(rng.integers(0, 3)) if corridor else int(rng.integers(2, 14))
    for z in sorted(rng.uniform(0.6, deep - 0.3, things), reverse=True):
        _thing(view, float(z), rng)
    x = np.asarray(image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2))), np.float32) / 255
    x = x * (0.8 + 0.4 * even(side, side, rng, (2, 4))[..., None])
    x = x + (noise(side, side, rng, (40, 80, 140), 0.9)[..., None] - 0.5) * rng.uniform(0, 0.12)
    return _lit(x, view, rng)


def smoky(rng: Rng, side: int) -> Pixels:
    """A room with smoke, or a fire, in it."""
    return render.fire(render.picture(room(rng, side)), rng)


def _times(colour: Colour, factor: float) -> Colour:
    r, g, b = (min(1.0, factor * c) for c in colour)
    return r, g, b


def _near(colour: Colour, rng: Rng) -> Colour:
    r, g, b = np.clip(np.array(colour) * rng.uniform(0.8, 1.15) + rng.normal(0, 0.04, 3), 0, 1)
    return float(r), float(g), float(b)


def _any(rng: Rng) -> Colour:
    tone, hue = rng.uniform(0.1, 0.9), rng.uniform(-0.3, 0.3, 3) * (rng.random() < 0.6)
    r, g, b = np.clip(tone + hue, 0, 1)
    return float(r), float(g), float(b)


def _shell(view: _View, rng: Rng) -> None:
    """Floor, ceiling with its lamps, and three walls."""
    h, d, n = view.high, view.deep, NEAR
    wall = _near(WALLS[rng.integers(len(WALLS))], rng)
    other = wall if rng.random() < 0.7 else _near(WALLS[rng.integers(len(WALLS))], rng)
    view.face(_near(FLOORS[rng.integers(len(FLOORS))], rng), (-1, 0, n), (1, 0, n), (1, 0, d), (-1, 0, d))
    view.face(_near((0.9, 0.9, 0.9), rng), (-1, h, n), (1, h, n), (1, h, d), (-1, h, d))
    for x, colour in ((-1.0, wall), (1.0, other)):
        view.face(colour, (x, 0, n), (x, h, n), (x, h, d), (x, 0, d))
    view.face(_near(wall, rng), (-1, 0, d), (1, 0, d), (1, h, d), (-1, h, d))
    wide, long, step = rng.uniform(0.1, 0.35), rng.uniform(0.1, 0.6), rng.uniform(0.6, 1.6)
    rows = ((0.0,), (-0.45, 0.45), ())[rng.integers(3)]
    for z in np.arange(n + 0.3, d - long, step):
        for x in rows:
            panel = ((x - wide, h, z), (x + wide, h, z), (x + wide, h, z + long), (x - wide, h, z + long))
            view.face((1.6, 1.6, 1.55), *((float(a), float(b), float(c)) for a, b, c in panel))


def _on_a_wall(view: _View, rng: Rng) -> None:
    """A door, a window, a picture or a board, on the left, the right or the far wall."""
    low, tall = ((0.0, 0.75), (0.35, 0.4), (0.5, 0.2))[rng.integers(3)]
    low, tall = low * view.high, tall * view.high
    colour = (1.5, 1.5, 1.5) if low and rng.random() < 0.5 else _any(rng)
    if rng.random() < 0.4:
        x, wide = rng.uniform(-0.95, 0.4), rng.uniform(0.2, 0.6)
        z = view.deep
        view.face(colour, (x, low, z), (x + wide, low, z), (x + wide, low + tall, z), (x, low + tall, z))
        return
    x = -1.0 if rng.random() < 0.5 else 1.0
    z = rng.uniform(NEAR, view.deep - 0.6)
    long = rng.uniform(0.3, 1.0)
    view.face(colour, (x, low, z), (x, low, z + long), (x, low + tall, z + long), (x, low + tall, z))


def _thing(view: _View, z: float, rng: Rng) -> None:
    """A table, a bed, a cupboard, a chair: boxes on the floor."""
    wide, tall, long = rng.uniform(0.15, 0.7), rng.uniform(0.1, 0.6) * view.high, rng.uniform(0.15, 0.8)
    x = rng.uniform(-1, 1 - wide)
    colour = _any(rng)
    if rng.random() < 0.4:  # a table: a top on legs
        for leg in (x, x + wide - 0.04):
            view.box(colour, (leg, 0, z), (0.04, 0.35 * view.high, 0.04))
        view.box(colour, (x, 0.35 * view.high, z), (wide, 0.04, long))
        tall = 0.35 * view.high
    else:
        view.box(colour, (x, 0, z), (wide, tall, long))
    if rng.random() < 0.4:  # something on it
        view.box(_any(rng), (x + wide * 0.2, tall, z + long * 0.2), (wide * 0.3, rng.uniform(0.05, 0.2), 0.1))


def _lit(x: Pixels, view: _View, rng: Rng) -> Pixels:
    """Lamps and signs that shine, warm or cold light, and the exposure of a cheap camera."""
    side = x.shape[0]
    yy, xx = grid(side, side)
    for _ in range(int(rng.integers(0, 4))):
        sign = rng.random() < 0.3
        cx, cy = view.at((rng.uniform(-0.9, 0.9), view.high * rng.uniform(0.3, 1.0), rng.uniform(0.8, view.deep)))
        r = rng.uniform(2, 5) if sign else rng.uniform(2, 0.08 * side)
        far = ((xx - cx) / (r * rng.uniform(1, 2.5))) ** 2 + ((yy - cy) / r) ** 2
        shine = np.clip(1.4 - far, 0, 1) + np.exp(-far / rng.uniform(4, 30)) * rng.uniform(0.1, 0.5)
        colour = np.array(render.LAMPS[rng.integers(3, 6) if sign else rng.integers(0, 3)])
        x = 1 - (1 - np.clip(x, 0, 1)) * (1 - np.clip(shine, 0, 1)[..., None] * colour)
    if rng.random() < 0.5:
        x = x * np.array([rng.uniform(1.0, 1.4), rng.uniform(0.85, 1.05), rng.uniform(0.45, 0.95)], np.float32)
    glow = soft(np.clip(x.mean(2), 0, 1), side * 0.08)[..., None]
    x = x * rng.uniform(0.45, 1.15) + glow * rng.uniform(0, 0.25)
    return np.clip(x, 0, 1).astype(np.float32)


KINDS = {"room": room, "smoky": smoky}
