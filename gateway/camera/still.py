"""A picture as a still for an event or a report: bounded in size, and saying nothing of its camera. Pure."""

from io import BytesIO

from PIL import Image

MOST_SIDE = 1280
MOST_BYTES = 250_000
_QUALITIES = (82, 70, 55, 40, 25)


def encoded(image: Image.Image) -> bytes:
    """A JPEG of at most MOST_SIDE pixels a side and MOST_BYTES, without any metadata."""
    small = image
    if max(image.size) > MOST_SIDE:
        small = image.copy()
        small.thumbnail((MOST_SIDE, MOST_SIDE), Image.Resampling.BILINEAR)
    for quality in _QUALITIES:
        out = BytesIO()
        small.save(out, "JPEG", quality=quality)
        if out.tell() <= MOST_BYTES:
            break
    return out.getvalue()


def opened(still: bytes) -> Image.Image:
    """What `encoded` made, as a picture again."""
    image = Image.open(BytesIO(still))
    image.load()
    return image
