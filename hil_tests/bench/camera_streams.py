"""False events over hours of ordinary rendered scenes: every rule of a camera, fed as fast as it goes.

Light goes through a day, clouds pass, a car drives by, the sensor makes noise. It is drawn, so it says what the
rules do with a quiet street, not what the classifier does with the world.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gateway import shipped
from gateway.camera.classifier import Classifier
from gateway.camera.eye import Eye
from gateway.config.camera_tables import Camera
from hil_tests.bench.row import Row
from hil_tests.cameras import scenes

INTERVAL_S = 2.0
# From the issue: at most one false event a camera in 24 h.
MOST_A_DAY = 1.0
_DAY_S = 86400.0
_CAR_EVERY_S, _CAR_S = 150.0, 8.0


def rows(hours: float) -> list[Row]:
    """False events a camera and day, over `hours` from noon on."""
    camera = Camera.model_validate(
        {
            "id": "bench",
            "source": "dir:rendered",
            "purpose": "bench",
            "owner": "bench",
            "sign": "none: rendered",
            "zone": [{"name": "road", "polygon": [[0, 0.55], [1, 0.55], [1, 1], [0, 1]], "watch": "blocked"}],
        }
    )
    eye = Eye(camera, Classifier(shipped.models()), live=True)
    still = np.asarray(scenes.street(), np.float32)
    raised: list[str] = []
    looks = round(hours * 3600 / INTERVAL_S)
    for number in range(looks):
        sight = eye.see(frame(still, number), number * INTERVAL_S)
        raised += [change.kind for change in sight.changes if change.do == "raise"]
    day = len(raised) * 24 / hours
    case = f"{hours:g} h of a rendered street" + (f" ({', '.join(sorted(set(raised)))})" if raised else "")
    return [
        Row(case=case, metric="false_events", value=round(day, 2), unit="a camera and day", limit=MOST_A_DAY),
        Row(case=case, metric="looks", value=float(looks), unit="looks"),
    ]


def frame(still: NDArray[np.float32], number: int) -> Image.Image:
    """The look `number` at the scene `still`: daylight from noon on, street light at night, clouds, cars, noise."""
    at = number * INTERVAL_S
    sun = math.cos(2 * math.pi * at / _DAY_S)
    light = max(0.25, 0.6 + 0.4 * sun) * (1 + 0.06 * math.sin(at / 97) + 0.03 * math.sin(at / 13))
    rng = np.random.default_rng(number)
    noise = rng.integers(-3, 4, (*still.shape[:2], 1), dtype=np.int8)
    pixels = still * light + noise
    passed = at % _CAR_EVERY_S
    if passed < _CAR_S:
        left = int((passed / _CAR_S) * (scenes.WIDTH + 120)) - 120
        pixels[330:390, max(0, left) : max(0, left + 120)] = (60 * light, 70 * light, 120 * light)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
