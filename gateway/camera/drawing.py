"""A camera's picture with what was found drawn into it, for a person's eyes; blurred before it comes here."""

from typing import Any

from PIL import Image, ImageDraw

from gateway.camera.eye import Sight
from gateway.config.camera_tables import Camera

_INK = (255, 200, 0)


def drawn(camera: Camera, image: Image.Image, sight: Sight | None) -> Image.Image:
    """Zones, label and scores drawn into a copy of `image`."""
    result = image.copy()
    draw = ImageDraw.Draw(result)
    for zone in camera.zone:
        corners = [(x * image.width, y * image.height) for x, y in zone.polygon]
        draw.polygon(corners, outline=_INK, width=2)
        draw.text(corners[0], zone.name, fill=_INK)
    text = f"{camera.id}: {told(sight)}"
    draw.rectangle((0, 0, 12 + draw.textlength(text), 20), fill=(0, 0, 0))
    draw.text((6, 4), text, fill=_INK)
    return result


def told(sight: Sight | None) -> str:
    """One line about a look."""
    if sight is None:
        return "not looked yet"
    if sight.blind is not None:
        return f"blind ({sight.blind})"
    if sight.verdict is None:
        return "nothing moves"
    return f"{sight.verdict.label} {sight.verdict.score:.2f}"


def result(camera: Camera, sight: Sight | None, size: tuple[int, int], counts: dict[str, int]) -> dict[str, Any]:
    """What `gewu camera try --json` prints of a look."""
    verdict = sight.verdict if sight else None
    return {
        "camera": camera.id,
        "size": list(size),
        "blind": sight.blind if sight else None,
        "label": verdict.label if verdict else None,
        "score": verdict.score if verdict else None,
        "scores": verdict.scores if verdict else {},
        "motion": round(sight.motion, 4) if sight else None,
        "zones": {
            name: {"index": round(level.index, 3), "flow": round(level.flow, 3), "dwell": round(level.dwell, 1)}
            for name, level in (sight.levels if sight else {}).items()
        },
        "counts": counts,
    }
