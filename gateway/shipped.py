"""Where the files that travel with the program lie: in a checkout, or inside the installed wheel."""

import sys
from pathlib import Path

from gateway.errors import ConfigurationError

_PACKAGE = Path(__file__).resolve().parent
PROFILES = _PACKAGE / "profiles"


def _folder(name: str) -> Path:
    for place in (_PACKAGE.parent / name, _PACKAGE / "_shipped" / name):
        if place.is_dir():
            return place
    raise ConfigurationError(f"The folder {name!r} is missing from this installation: install gewu-edge again.")


def firmware() -> Path:
    """The MicroPython sources of the boards."""
    return _folder("firmware")


def models() -> Path:
    """The classifier's model files: those that an update put into this environment, else those of the release."""
    updated = Path(sys.prefix) / "models"
    return updated if updated.is_symlink() else _folder("models")


def checkout() -> Path | None:
    """The root of the source checkout this runs from, or None when installed from a wheel."""
    root = _PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and (root / "gewu").is_file() else None
