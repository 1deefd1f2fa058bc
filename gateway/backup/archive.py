"""A backup's file: a tar with gzip, its manifest first, every file with its hash. It knows no gateway."""

import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gateway.backup import manifest
from gateway.backup.contents import Item
from gateway.backup.manifest import Entry, Manifest
from gateway.errors import GewuError

ENDING = ".tar.gz"
_BLOCK = 1 << 20
_LEVEL = 1  # a Raspberry Pi compresses the outbox, packed already, at the speed of its card


def write(file: Path, items: Sequence[Item], head: Manifest) -> str:
    """Write `items` behind `head`, whose `files` are filled in, and return the SHA-256 of the whole. Raises OSError."""
    entries = [
        Entry(name=i.name, sort=i.sort, bytes=i.file.stat().st_size, sha256=hash_of(i.file), place=i.place)
        for i in items
    ]
    listed = manifest.encode(msgspec.structs.replace(head, files=entries))
    with file.open("wb") as out:
        # 0600: it may hold secrets, and what it holds is nobody else's business either.
        os.fchmod(out.fileno(), 0o600)
        with tarfile.open(fileobj=out, mode="w:gz", compresslevel=_LEVEL) as tar:
            info = tarfile.TarInfo(manifest.NAME)
            info.size = len(listed)
            tar.addfile(info, io.BytesIO(listed))
            for item in items:
                _add(tar, item)
        out.flush()
        os.fsync(out.fileno())
    return hash_of(file)


def _add(tar: tarfile.TarFile, item: Item) -> None:
    info = tarfile.TarInfo(item.name)
    info.size = item.file.stat().st_size
    info.mode = 0o600 if item.sort == "secret" else 0o644
    with item.file.open("rb") as content:
        tar.addfile(info, content)


@contextmanager
def opened(file: Path) -> Iterator[tuple[Manifest, tarfile.TarFile]]:
    """The manifest of the backup `file` and the tar behind it. Raises GewuError when it is none, or is damaged."""
    try:
        with tarfile.open(file, mode="r:gz") as tar:
            first = tar.next()
            content = tar.extractfile(first) if first and first.name == manifest.NAME else None
            if content is None:
                raise ValueError("it does not begin with a list of its files")
            yield manifest.decode(content.read()), tar
    except (tarfile.TarError, ValueError, EOFError, zlib.error) as error:
        raise GewuError(f"{file} is no whole backup of gewu: {error}. Take another copy of it.") from error


def unpack(file: Path, folder: Path) -> Manifest:
    """Write every listed file below the new `folder` and check its hash. Raises GewuError, OSError."""
    with opened(file) as (head, tar):
        listed = {entry.name: entry for entry in head.files}
        while (member := tar.next()) is not None:
            entry = listed.pop(member.name, None)
            content = tar.extractfile(member) if entry and member.isreg() else None
            if entry is None or content is None:
                raise ValueError(f"{member.name} is not in its list of files")
            path = folder / entry.name
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(
                os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, member.mode & 0o700 | 0o400), "wb"
            ) as out:
                while block := content.read(_BLOCK):
                    out.write(block)
                out.flush()
                os.fsync(out.fileno())
            if hash_of(path) != entry.sha256:
                raise ValueError(f"{entry.name} is not what it was when the backup was made")
        if listed:
            raise ValueError(f"{next(iter(listed))} is missing from it")
    return head


def hash_of(file: Path) -> str:
    """The SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while block := content.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
