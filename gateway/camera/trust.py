"""Whose models are run: Ed25519 signatures over a model's card, which names the model file's hash.

Changing a byte of the card breaks the signature, changing one of the model breaks the hash in the card.
"""

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from gateway.errors import ConfigurationError, GewuError

# The public half of the key that signed the models of this release, in hexadecimal digits.
MAKER = "3de79915ebbe5a1366948f4d4be6d757383c38f6cea5fd5fb18543f338ba7568"
# What is signed says what it is, so that a signature over something else is never taken for one over a model.
_CONTEXT = b"gewu-model-1\n"


class AlteredModel(GewuError):
    """A model, its card or its signature is not what its maker signed: it is not loaded."""


def sign(card: bytes, key: Ed25519PrivateKey) -> bytes:
    """The signature file's content for the card `card`."""
    return base64.b64encode(key.sign(_CONTEXT + card)) + b"\n"


def check(name: str, card: bytes, signature: bytes, keys: Iterable[str]) -> None:
    """Raises AlteredModel unless one of `keys` (hexadecimal) signed `card`."""
    try:
        raw = base64.b64decode(signature.strip(), validate=True)
    except ValueError:
        raise AlteredModel(f"The signature of the model {name} is no base64: install or sign it again.") from None
    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(raw, _CONTEXT + card)
        except InvalidSignature:
            continue
        return
    raise AlteredModel(
        f"The model {name} was altered or is signed by nobody this gateway trusts: it is not loaded. "
        "Install it again, or name its maker's key in vision.trusted."
    )


def sha256(content: bytes) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def check_hash(name: str, content: bytes, wanted: str) -> None:
    """Raises AlteredModel unless `content` has the SHA-256 `wanted`."""
    if sha256(content) != wanted:
        raise AlteredModel(f"The model file {name} is not the one that its card describes: it is not loaded.")


def private_key(pem: bytes) -> Ed25519PrivateKey:
    """The signing key in `pem`; ConfigurationError unless it is Ed25519 without a passphrase."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            "This is no private key in PEM without a passphrase; `openssl genpkey -algorithm ed25519` makes one."
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError("Models are signed with Ed25519; `openssl genpkey -algorithm ed25519` makes a key.")
    return key


def own_key(path: Path) -> Ed25519PrivateKey:
    """The key in `path` (mode 0600), made at first use: this gateway signs with it what it makes for itself."""
    if not path.is_file():
        key = Ed25519PrivateKey.generate()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return private_key(path.read_bytes())


def public_half(key: Ed25519PrivateKey) -> str:
    """What others write into vision.trusted: 64 hexadecimal digits."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
