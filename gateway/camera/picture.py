"""Picture files of any kind and size into upright RGB pictures, in bounded memory; what is wrong becomes a sentence.

A large baseline JPEG is decoded at a fraction of its size, which is all that a classifier or a still needs. Other
large pictures are refused: their decoders would need memory for every pixel.
"""

from io import BytesIO
from pathlib import Path

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from gateway.errors import GewuError

# 16 megapixels in RGB are 48 MB; nothing that a community's camera makes is larger.
MOST_PIXELS = 16_000_000
MOST_BYTES = 64_000_000
FORMATS = ("JPEG", "PNG", "WEBP")
# Pillow's own limit would refuse a large JPEG before it can be asked for a small copy; the one here is stricter.
Image.MAX_IMAGE_PIXELS = None


class BadPicture(GewuError):
    """This picture cannot be used; the next one may be fine."""


def open_file(path: Path) -> Image.Image:
    """The picture in `path`, upright, RGB. Raises BadPicture with a sentence that names the file."""
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise BadPicture(f"{path} has {size / 1e6:.0f} MB; a picture here has at most {MOST_BYTES / 1e6:.0f} MB.")
        content = path.read_bytes()
    except OSError as error:
        raise BadPicture(f"{path} cannot be read: {error.strerror}.") from None
    return decode(content, str(path))


def decode(content: bytes, name: str) -> Image.Image:
    """The picture in `content`, upright, RGB, called `name` in sentences. Raises BadPicture."""
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            _shrink(image, name)
            image.load()
            return ImageOps.exif_transpose(image).convert("RGB")
    except UnidentifiedImageError:
        raise BadPicture(f"{name} is no JPEG, PNG or WebP picture.") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise BadPicture(f"{name} is damaged or cut off ({error}).") from None


def _shrink(image: ImageFile.ImageFile, name: str) -> None:
    """Ask a JPEG's decoder for a copy of at most MOST_PIXELS; refuse what cannot be had so small."""
    width, height = image.size
    if width * height <= MOST_PIXELS:
        return
    if image.format == "JPEG" and not image.info.get("progressive"):
        share = (MOST_PIXELS / (width * height)) ** 0.5
        image.draft("RGB", (max(1, int(width * share)) // 2, max(1, int(height * share)) // 2))
    if image.size[0] * image.size[1] > MOST_PIXELS:
        raise BadPicture(
            f"{name} has {width} x {height} pixels, more than the {MOST_PIXELS // 1_000_000} million that are decoded "
            "here; make it smaller."
        )
