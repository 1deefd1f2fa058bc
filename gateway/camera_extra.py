"""What looking through cameras needs beyond the plain gateway, and the sentence that says so. It imports none of it."""

import importlib.util

from gateway.errors import ConfigurationError

_NEEDED = {"numpy": "numpy", "PIL": "pillow", "av": "av"}
_RUNTIMES = ("ai_edge_litert", "tflite_runtime")


def missing() -> list[str]:
    """The packages that are not installed, by their names on PyPI."""
    found = [package for module, package in _NEEDED.items() if importlib.util.find_spec(module) is None]
    if all(importlib.util.find_spec(module) is None for module in _RUNTIMES):
        found.append("ai-edge-litert")
    return found


def sentence() -> str | None:
    """What to install, or None when all is there."""
    lacking = missing()
    if not lacking:
        return None
    return f"Cameras need {', '.join(lacking)}, not installed here: type `pip install 'gewu-edge[camera]'`."


def require() -> None:
    """Raises ConfigurationError when something is missing."""
    lacking = sentence()
    if lacking:
        raise ConfigurationError(lacking)
