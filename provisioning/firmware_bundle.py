"""A signed update: the .mpy files of a build, their manifest and its RSA signature in one file. Pure.

Boards judge it by its signature alone (docs/firmware.md, "Update"), so whoever has the private key decides what runs
on them: it stays with the maker. The same files and key give the same bytes.
"""

import ast
import hashlib
import json
import struct
from collections.abc import Iterator

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.errors import ConfigurationError

BLOCK_BYTES = 240
KEY_BITS = (2048, 3072)
_MAGIC = b"GWB1"
_EXPONENT = 65537
_MOST_BYTES = 477 * BLOCK_BYTES
# start.py lies beside main.py in the root of the flash and is never updated.
_STAYS = ("start.mpy",)


def private_key(pem: bytes) -> rsa.RSAPrivateKey:
    """The signing key in `pem`; ConfigurationError unless it is RSA of 2048 or 3072 bits without a passphrase."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            "This is no private key in PEM without a passphrase; `openssl genrsa -out key.pem 3072` makes one."
        ) from error
    if (
        not isinstance(key, rsa.RSAPrivateKey)
        or key.key_size not in KEY_BITS
        or key.public_key().public_numbers().e != _EXPONENT
    ):
        raise ConfigurationError("Updates are signed with RSA of 2048 or 3072 bits and the exponent 65537.")
    return key


def signer(key: rsa.RSAPrivateKey) -> str:
    """What a board keeps of it as `signer`: the modulus in hexadecimal digits."""
    return f"{key.public_key().public_numbers().n:0{key.key_size // 4}x}"


def version(source: str) -> str:
    """The release that firmware/version.py names."""
    for node in ast.parse(source).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, bytes)
        ):
            return node.value.value.decode()
    raise ConfigurationError("firmware/version.py names no release.")


def release(data: bytes) -> str:
    """The release that a bundle's manifest names; ConfigurationError when it is no bundle."""
    try:
        size, _signature = struct.unpack_from(">HH", data, len(_MAGIC))
        manifest = json.loads(data[len(_MAGIC) + 4 :][:size])
        return str(manifest["version"]) if data.startswith(_MAGIC) else _no_bundle()
    except (struct.error, ValueError, KeyError, TypeError):
        return _no_bundle()


def _no_bundle() -> str:
    raise ConfigurationError("This is no bundle of gewu firmware build --key.")


def bundle(files: dict[str, bytes], release: str, key: rsa.RSAPrivateKey) -> bytes:
    """The update: magic, sizes of manifest and signature, both of them, then the files one after the other.

    The manifest is JSON without spaces and its key "files" is the last: a board reads it in pieces. `files` by name;
    what is no .mpy (main.py) and what stays (start) is left out. `release` is x.y.z.
    ConfigurationError: more than a board takes (114480 bytes).
    """
    chosen = {name: files[name] for name in sorted(files) if name.endswith(".mpy") and name not in _STAYS}
    rows = [[name, len(data), hashlib.sha256(data).hexdigest()] for name, data in chosen.items()]
    manifest = json.dumps({"v": 1, "version": release, "files": rows}, separators=(",", ":")).encode("ascii")
    signature = key.sign(manifest, padding.PKCS1v15(), hashes.SHA256())
    head = _MAGIC + struct.pack(">HH", len(manifest), len(signature))
    whole = head + manifest + signature + b"".join(chosen.values())
    if len(whole) > _MOST_BYTES:
        raise ConfigurationError(f"The update has {len(whole)} bytes; a board takes {_MOST_BYTES}.")
    return whole


def begin_argument(data: bytes) -> bytes:
    """What the command BEGIN carries for this bundle: its size and SHA-256."""
    return struct.pack(">I", len(data)) + hashlib.sha256(data).digest()


def blocks(data: bytes) -> Iterator[bytes]:
    """The bundle in blocks of 240 bytes, the last one filled up with zeros."""
    for at in range(0, len(data), BLOCK_BYTES):
        yield data[at : at + BLOCK_BYTES].ljust(BLOCK_BYTES, b"\0")


def missing(bitmap: bytes, count: int) -> list[int]:
    """The numbers of the blocks, out of `count`, that a board's bitmap calls missing."""
    return [block for block in range(count) if bitmap[block // 8] >> (7 - block % 8) & 1]
