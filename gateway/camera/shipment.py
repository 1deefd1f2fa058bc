"""A model as it lies on disk: NAME.json (its card), the file that the card names, NAME.sig. Only reading, and distrust.

What comes out of `read` was signed by somebody trusted and is what its card says it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from gateway.camera import trust
from gateway.camera.trust import AlteredModel
from gateway.errors import GewuError
from gateway.prepared import prepared

CardT = TypeVar("CardT")
SUFFIX = ".sig"


@prepared
class ModelFile(msgspec.Struct, frozen=True):
    """The card's table `model`: the file beside the card, and its SHA-256 in hexadecimal digits."""

    file: str
    sha256: str


@dataclass(frozen=True)
class Shipment:
    """A card's bytes and the model that it describes."""

    name: str
    card: bytes
    content: bytes


def read(card: Path, keys: Iterable[str]) -> Shipment:
    """The model whose card is `card`. Raises AlteredModel, or GewuError when a file is missing."""
    text = _bytes(card)
    trust.check(card.stem, text, _bytes(card.with_suffix(SUFFIX)), keys)
    named = _named(card.stem, text)
    content = _bytes(card.parent / named.file)
    trust.check_hash(named.file, content, named.sha256)
    return Shipment(card.stem, text, content)


def as_card(shipment: Shipment, kind: type[CardT]) -> CardT:
    """The card as `kind`, which names the keys that count. Raises GewuError when one is missing or wrong."""
    try:
        return msgspec.json.decode(shipment.card, type=kind)
    except msgspec.DecodeError as error:
        raise GewuError(f"The card {shipment.name}.json does not fit this version: {error}.") from None


def _named(name: str, text: bytes) -> ModelFile:
    try:
        whole: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
        named = msgspec.convert(whole.get("model"), ModelFile)
    except msgspec.MsgspecError as error:
        raise AlteredModel(f"The card {name}.json names no model file: {error}.") from None
    if Path(named.file).name != named.file:
        raise AlteredModel(f"The card {name}.json names a model outside its own folder.")
    return named


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise GewuError(f"The model file {path} cannot be read ({error.strerror}): install it again.") from None
