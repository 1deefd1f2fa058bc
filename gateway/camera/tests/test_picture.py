"""Picture files of every kind: those that are used, and those that are named and passed over."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from gateway.camera.picture import MOST_PIXELS, BadPicture, decode, open_file


def stored(kind: str, size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    out = BytesIO()
    image = Image.new("RGB", size, (10, 200, 30))
    image.putpixel((0, 0), (255, 0, 0))
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_three_kinds_are_read(kind: str) -> None:
    """As upright RGB of their own size."""
    image = decode(stored(kind), "x")
    assert (image.mode, image.size) == ("RGB", (64, 48))


def test_a_picture_is_turned_as_its_exif_says() -> None:
    """Orientation 6 is a camera held upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(stored("JPEG", exif=exif), "x").size == (48, 64)


def test_any_mode_becomes_rgb() -> None:
    """Grey, palette, transparent, CMYK and sixteen bits."""
    for mode, kind in (("L", "PNG"), ("P", "PNG"), ("RGBA", "PNG"), ("CMYK", "JPEG"), ("I;16", "PNG"), ("1", "PNG")):
        out = BytesIO()
        Image.new(mode, (9, 7)).save(out, kind)
        assert decode(out.getvalue(), mode).mode == "RGB"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"I am a text", "no JPEG, PNG or WebP"),
        (b"", "no JPEG, PNG or WebP"),
        (stored("JPEG", (300, 300))[:2000], "damaged or cut off"),
        (stored("PNG", (300, 300))[:200], "damaged or cut off"),
        (stored("GIF"), "no JPEG, PNG or WebP"),
    ],
)
def test_what_is_wrong_is_a_sentence(content: bytes, word: str) -> None:
    """It names the file."""
    with pytest.raises(BadPicture, match=f"yard.jpg.*{word}"):
        decode(content, "yard.jpg")


def test_a_huge_jpeg_is_decoded_small() -> None:
    """20,000 pixels wide, more than would be decoded whole: an eighth of it is enough."""
    image = decode(stored("JPEG", (20_000, 900), quality=20), "wide.jpg")
    assert image.size[0] * image.size[1] <= MOST_PIXELS
    assert image.size[0] / image.size[1] == pytest.approx(20_000 / 900, rel=0.01)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("JPEG", {"progressive": True, "quality": 20})])
def test_what_can_only_be_decoded_whole_is_refused_when_huge(kind: str, options: dict[str, object]) -> None:
    """Before any pixel takes memory."""
    with pytest.raises(BadPicture, match="20000 x 900 pixels"):
        decode(stored(kind, (20_000, 900), **options), "wide")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing, or a folder."""
    for path in (tmp_path / "none.jpg", tmp_path):
        with pytest.raises(BadPicture, match="cannot be read"):
            open_file(path)
