"""Photos for the acceptance sheet: upright, of bounded size, and without what a camera writes beside the picture.

A phone notes where a photo was taken and which phone it was: nothing of that stays, for the picture is made anew from
its points alone. Files are only read.
"""

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from gateway.errors import ConfigurationError

MOST = 60
_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
_MOST_FILE = 40_000_000
_MOST_POINTS = 120_000_000
_SIDE = 1280  # points: 90 mm on paper at 360 a inch
_MOST_BYTES = 300_000
_QUALITIES = (82, 70, 55, 40)


@dataclass(frozen=True, slots=True)
class Photo:
    """One picture as the sheet has it, a JPEG. `caption` is the file's name without its ending."""

    caption: str
    data: bytes
    width: int
    height: int

    @property
    def sha256(self) -> str:
        """Of the picture on the sheet, not of the file it came from."""
        return hashlib.sha256(self.data).hexdigest()


def read_photos(named: Iterable[Path]) -> list[Photo]:
    """Photos in the order given, those of a folder by name. ConfigurationError names a file that is none."""
    paths: list[Path] = []
    for path in named:
        if path.is_dir():
            paths += sorted(one for one in path.iterdir() if one.suffix.lower() in _ENDINGS)
        else:
            paths.append(path)
    if len(paths) > MOST:
        raise ConfigurationError(f"{len(paths)} photos are too many for a sheet; {MOST} at most, choose the best.")
    return [_photo(path) for path in paths]


def _photo(path: Path) -> Photo:
    try:
        if path.stat().st_size > _MOST_FILE:
            raise ConfigurationError(f"{path} has more than {_MOST_FILE // 1_000_000} MB, which no photo has.")
        with Image.open(path) as picture:
            if picture.width * picture.height > _MOST_POINTS:
                raise ConfigurationError(f"{path} has more points than any phone takes: {picture.size}.")
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        why = getattr(error, "strerror", None) or "it is no picture, or a damaged one"
        raise ConfigurationError(f"The photo {path} cannot be used: {why}.") from error
    upright.thumbnail((_SIDE, _SIDE))
    plain = Image.new("RGB", upright.size)  # points and nothing else
    plain.paste(upright)
    return Photo(path.stem, _jpeg(plain), *plain.size)


def _jpeg(picture: Image.Image) -> bytes:
    data = b""
    for quality in _QUALITIES:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality, optimize=True)
        data = file.getvalue()
        if len(data) <= _MOST_BYTES:
            break
    return data
