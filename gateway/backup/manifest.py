"""What a backup says of itself: whose it is, from when, and each file with its hash. Pure."""

from typing import Literal

import msgspec

from gateway.prepared import prepared

FORMAT = 1
NAME = "manifest.json"
Sort = Literal["outbox", "configuration", "certificate", "model", "secret"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One file: its name inside the backup, its size in bytes and its SHA-256 in hex.

    `place` is the absolute path that it had, where the configuration names it by that; else None.
    """

    name: str
    sort: Sort
    bytes: int
    sha256: str
    place: str | None = None


@prepared
class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The first file of a backup. `made` is RFC 3339, `left_out` what was not taken along (secrets), as named."""

    format: int = FORMAT
    gateway: str
    site: str
    version: str
    made: str
    files: list[Entry]
    left_out: list[str] = []

    @property
    def secrets(self) -> bool:
        """Whether private keys and passwords are inside."""
        return any(entry.sort == "secret" for entry in self.files)


def encode(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode(content: bytes) -> Manifest:
    """Raises ValueError with a sentence's second half."""
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as error:
        raise ValueError(f"its list of files cannot be read: {error}") from error
    if manifest.format > FORMAT:
        raise ValueError(f"it was made by a newer gewu ({manifest.version}); restore it with that one")
    names = [entry.name for entry in manifest.files]
    if len(set(names)) != len(names) or not all(_inside(name) for name in names):
        raise ValueError("its list of files names something outside")
    return manifest


def _inside(name: str) -> bool:
    parts = name.split("/")
    return not name.startswith("/") and all(part not in ("", ".", "..") for part in parts)
