"""One camera looked through once, now: for `gewu camera try` and patrols, with or without a running gateway."""

from pathlib import Path
from typing import Any

from PIL import Image

from gateway import control, shipped
from gateway.camera import drawing, loading
from gateway.camera.eye import Eye, masked
from gateway.camera.picture import open_file
from gateway.camera.source import open_source
from gateway.config import Camera, Config
from gateway.errors import GewuError, TryAgain

_ASK_S = 25.0


def look(config: Config, camera: Camera) -> tuple[dict[str, Any], Image.Image]:
    """What `camera` sees now, blurred and drawn. Raises TryAgain (no picture now), GewuError.

    A running gateway holds its cameras, so it is asked; else the camera is opened here.
    """
    data_dir = config.gateway.data_dir
    answer = control.ask(data_dir, "look", _ASK_S, camera=camera.id) if data_dir.is_dir() else None
    if answer is None:
        return _own_look(config, camera)
    path = Path(answer.pop("picture"))
    try:
        return answer, open_file(path)
    finally:
        path.unlink(missing_ok=True)


def _own_look(config: Config, camera: Camera) -> tuple[dict[str, Any], Image.Image]:
    site = config.gateway.data_dir / "site"
    models = loading.load(shipped.models(), site, [camera], config.vision.trusted)
    blur = models.blur(camera)
    if models.classifier is None or blur is None:
        raise GewuError("; ".join(models.altered.values()) or "The models cannot be loaded: install gewu-edge again.")
    source = open_source(camera)
    try:
        taken = source.look(lambda: False)
        if taken is None:
            raise TryAgain(f"The camera {camera.id} gave no picture.")
        image = masked(camera, taken())
    finally:
        source.close()
    sight = Eye(camera, models.classifier, models.finders_of(camera), source.live).see(image, 0.0)
    result = {**drawing.result(camera, sight, image.size, dict(source.counts)), "trouble": None}
    return result, drawing.drawn(camera, blur(image), sight)
