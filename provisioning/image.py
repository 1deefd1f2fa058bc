"""The MicroPython image that goes onto a board: read from a file, held against pinned hashes, its header understood.

Nothing is downloaded, and an image that no list names is not used: whoever may change the image decides what boards
do. Lists are what `sha256sum` writes: FILE.sha256 or SHA256SUMS beside the image, or one that the installer names.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from provisioning.trouble import Trouble

_MOST_BYTES = 16 * 1024 * 1024
# ESP image header, "Firmware Image Format" in esptool's documentation: magic, segments, SPI mode, size (high nibble),
# entry (4), extended header from byte 8 on with the chip's number in bytes 12 and 13.
_MAGIC, _HEADER_BYTES, _CHIP_AT = 0xE9, 24, 12
CHIP_NAMES = {0: "ESP32", 2: "ESP32-S2", 5: "ESP32-C3", 9: "ESP32-S3", 12: "ESP32-C2", 13: "ESP32-C6", 16: "ESP32-H2"}
# Where the ROM of the chip looks for its bootloader, with which an image begins.
_OFFSETS = {0: 0x1000, 2: 0x1000}


@dataclass(frozen=True, slots=True)
class Image:
    """A pinned image. `offset` and `flash_bytes` in bytes: where it begins, how large a flash it needs."""

    path: Path
    size: int
    sha256: str
    chip_id: int
    offset: int
    flash_bytes: int

    @property
    def chip(self) -> str:
        """The chip that it is for."""
        return CHIP_NAMES.get(self.chip_id, f"chip {self.chip_id}")


def read_image(path: Path, hashes: Path | None = None) -> Image:
    """The image in `path`, checked. Raises Trouble: image-missing, -unfit, -unpinned, -altered."""
    data = _bytes(path, "image-missing")
    digest = hashlib.sha256(data).hexdigest()
    _hold_against(path, digest, hashes)
    if len(data) < _HEADER_BYTES or data[0] != _MAGIC:
        raise Trouble("image-unfit", f"{path.name} does not begin as an image of an Espressif chip does")
    chip_id = int.from_bytes(data[_CHIP_AT : _CHIP_AT + 2], "little")
    offset = _OFFSETS.get(chip_id, 0)
    built_for = 1024 * 1024 << (data[3] >> 4)
    return Image(path, len(data), digest, chip_id, offset, max(built_for, offset + len(data)))


def _bytes(path: Path, code: str) -> bytes:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise Trouble("image-unfit", f"{path.name} has more than 16 MB")
        return path.read_bytes()
    except OSError as error:
        raise Trouble(code, f"{path} cannot be read ({error.strerror})") from error


def _hold_against(path: Path, digest: str, hashes: Path | None) -> None:
    """Trouble unless a list has this digest for this file."""
    beside = (path.with_name(path.name + ".sha256"), path.with_name("SHA256SUMS"))
    lists = [hashes] if hashes is not None else [one for one in beside if one.is_file()]
    named = [pinned for one in lists for pinned, name in _pins(one) if name in (path.name, "")]
    if digest in named:
        return
    if named:
        raise Trouble("image-altered", f"{path.name} has the SHA-256 {digest}, which is not the pinned one")
    raise Trouble("image-unpinned", f"no list of hashes names {path.name}")


def _pins(path: Path) -> list[tuple[str, str]]:
    """(digest, file name, or nothing where a line has a digest alone) of a list."""
    text = _bytes(path, "image-unpinned").decode("utf-8-sig", "replace")
    found = re.findall(r"^\s*([0-9a-fA-F]{64})(?:[ \t]+\*?([^\r\n]+?))?\s*$", text, re.MULTILINE)
    return [(digest.lower(), Path(name).name if name else "") for digest, name in found]
