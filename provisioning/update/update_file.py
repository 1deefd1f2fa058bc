"""An update as one signed file: made, checked and unpacked. Nothing of it is used before all of it holds.

A tar: `manifest.json`, its signature (Ed25519 over "gewu-update-1" and the manifest), then the files that the manifest
lists with size and SHA-256. The serial number only ever rises, so that an old update is known as one.
"""

import base64
import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.errors import ConfigurationError, GewuError
from gateway.prepared import prepared

_CONTEXT = b"gewu-update-1\n"
_MANIFEST, _SIGNATURE = "manifest.json", "manifest.sig"
_MOST_HEAD = 4_000_000
_PIECE = 1 << 20


class UpdateRefused(GewuError):
    """The file is not what a maker that this gateway trusts signed: nothing was touched."""


class Packed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file: `name` begins with its part, such as `gateway/x.whl`."""

    name: str
    bytes: int
    sha256: str


class GatewayPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A gateway's environment: for which machine and Pythons, and the schema of the outbox that it writes."""

    version: str
    machine: str
    pythons: list[str]
    schema: int


@prepared
class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is signed. `serial` orders updates; parts that are absent are not updated."""

    serial: int
    made: str
    files: list[Packed]
    gateway: GatewayPart | None = None
    models: bool = False
    boards: bool = False

    def of(self, part: str) -> list[Packed]:
        """The files of a part."""
        return [file for file in self.files if file.name.startswith(f"{part}/")]


def pack(out: Path, manifest: Manifest, files: Mapping[str, Path], key: Ed25519PrivateKey) -> None:
    """Write the update `out`: `files` by their names in it; the manifest's list is made from them."""
    listed = [Packed(name, path.stat().st_size, _hash(path)) for name, path in sorted(files.items())]
    head = msgspec.json.encode(msgspec.structs.replace(manifest, files=listed))
    new = out.with_name(out.name + ".new")
    with tarfile.open(new, "w") as archive:
        for name, content in ((_MANIFEST, head), (_SIGNATURE, base64.b64encode(key.sign(_CONTEXT + head)) + b"\n")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for packed in listed:
            member = tarfile.TarInfo(packed.name)
            member.size = packed.bytes
            with files[packed.name].open("rb") as stream:
                archive.addfile(member, stream)
    new.replace(out)


def read(path: Path, keys: Iterable[str]) -> Manifest:
    """The manifest of the update `path`, signed by one of `keys` (hexadecimal). Raises UpdateRefused."""
    try:
        with tarfile.open(path, "r:") as archive:
            head = _head(archive, _MANIFEST)
            signature = _head(archive, _SIGNATURE)
    except FileNotFoundError:
        raise ConfigurationError(f"There is no update {path}.") from None
    except (OSError, tarfile.TarError) as error:
        raise UpdateRefused(f"{path} is no whole update: fetch or copy it again.") from error
    _verify(path, head, signature, keys)
    try:
        return msgspec.json.decode(head, type=Manifest)
    except msgspec.DecodeError as error:
        raise UpdateRefused(
            f"{path} is for a newer gewu than this one ({error}): update to one between first."
        ) from None


def unpack(path: Path, manifest: Manifest, into: Path) -> None:
    """Every file of the update into the folder `into`, each on disk and with its hash. Raises UpdateRefused, OSError.

    `into` appears when all of it is there; what an earlier call left half done is removed first.
    """
    work = into.with_name(into.name + ".new")
    _clear(work)
    work.mkdir(parents=True)
    try:
        _unpack(path, manifest, work)
    except tarfile.TarError as error:
        raise UpdateRefused(f"{path} is no whole update: fetch or copy it again.") from error
    _clear(into)
    work.rename(into)


def _unpack(path: Path, manifest: Manifest, work: Path) -> None:
    with tarfile.open(path, "r:") as archive:
        archive.next(), archive.next()  # manifest and signature, read before
        for packed in manifest.files:
            member = archive.next()
            stream = archive.extractfile(member) if member is not None and member.name == packed.name else None
            if stream is None or Path(packed.name).is_absolute() or ".." in Path(packed.name).parts:
                raise UpdateRefused(f"{path} does not hold {packed.name} where its maker put it: fetch it again.")
            place = work / packed.name
            place.parent.mkdir(parents=True, exist_ok=True)
            if _copied(stream, place) != (packed.bytes, packed.sha256):
                raise UpdateRefused(f"{packed.name} in {path} is not what its maker signed: fetch it again.")
        if archive.next() is not None:
            raise UpdateRefused(f"{path} holds more than its maker signed: fetch it again.")


def _head(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.next()
    stream = archive.extractfile(member) if member is not None and member.name == name else None
    if member is None or stream is None or member.size > _MOST_HEAD:
        raise tarfile.TarError(name)
    return stream.read()


def _verify(path: Path, head: bytes, signature: bytes, keys: Iterable[str]) -> None:
    try:
        raw = base64.b64decode(signature.strip(), validate=True)
    except ValueError:
        raw = b""
    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(raw, _CONTEXT + head)
        except InvalidSignature:
            continue
        return
    raise UpdateRefused(
        f"{path} was altered, or is signed by nobody whom this gateway trusts; nothing was touched. Fetch it again, "
        "or name its maker's key as gateway.makers in the site file."
    )


def _copied(stream: IO[bytes], place: Path) -> tuple[int, str]:
    """(bytes, SHA-256) of what was written and is on disk."""
    digest, size = hashlib.sha256(), 0
    with place.open("wb") as file:
        while piece := stream.read(_PIECE):
            digest.update(piece)
            size += len(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return size, digest.hexdigest()


def _clear(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
