"""What goes to one gateway as a folder: each file with place, mode, owner and hash, and the script that installs it.

The folder survives a FAT card, which keeps neither modes nor owners: they stand in its list. A folder that is there
already gets only what changed, and loses what no longer belongs to it.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import ConfigurationError
from gateway.wholefile import write_whole

SCRIPT, LIST, SUMS = "install.sh", "files", "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class Placed:
    """A file of the gateway: absolute `path`, `content`, `mode`, `owner` as chown writes it."""

    path: str
    content: bytes
    mode: int = 0o644
    owner: str = "root:root"

    @property
    def secret(self) -> bool:
        """Whether nobody but its owner may read it."""
        return not self.mode & 0o077


def folder_files(placed: Iterable[Placed], extra: dict[str, bytes]) -> dict[str, bytes]:
    """The files of the parcel by their names in it; `extra` are the script and its settings."""
    ordered = sorted(placed, key=lambda file: file.path)
    files = {f"root{file.path}": file.content for file in ordered} | extra
    files[LIST] = "".join(f"{file.mode:o}\t{file.owner}\t{file.path}\n" for file in ordered).encode()
    sums = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items())]
    files[SUMS] = "".join(sums).encode()
    return files


def write(folder: Path, files: dict[str, bytes], packages: Iterable[Path]) -> list[str]:
    """Make `folder` the parcel; a line for each file that changed. ConfigurationError where it is somebody else's."""
    if folder.exists() and any(folder.iterdir()) and not (folder / SUMS).is_file():
        raise ConfigurationError(f"{folder} holds something else: name a new or empty folder with --out.")
    changes = []
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in files.items():
        place = folder / name
        if not place.is_file() or place.read_bytes() != content:
            if name not in (LIST, SUMS):  # they follow the others
                changes.append(f"{'changed' if place.exists() else 'new'} {name}")
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(place, content, 0o600)
    wanted = {f"packages/{package.name}": package for package in packages}
    for name, package in wanted.items():
        changes += _copy(folder / name, name, package)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in files and name not in wanted:
            path.unlink()
            changes.append(f"removed {name}")
    return changes


def _copy(place: Path, name: str, package: Path) -> list[str]:
    if place.is_file() and place.stat().st_size == package.stat().st_size and _hash(place) == _hash(package):
        return []
    place.parent.mkdir(mode=0o700, exist_ok=True)
    new = place.with_name(place.name + ".new")
    shutil.copyfile(package, new)
    descriptor = os.open(new, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.replace(place)
    return [f"new {name}"]


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
