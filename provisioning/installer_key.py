"""The installer's own Ed25519 key: what it signs (acceptance sheets, certificates of destruction) can be proved later.

Made on first use, in a file of mode 0600, and never printed or sent. A signature covers the hashes of whole files, and
lies beside them. That a key belongs to a person is not known here: its fingerprint is compared by people.
"""

import base64
import hashlib
import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.commands.canonical import canonical
from gateway.errors import ConfigurationError, GewuError
from gateway.wholefile import write_whole

_RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
_MOST_SIGNATURE = 65_536


def default_path() -> Path:
    """Where the key of this user lies, by the XDG base directories."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "gewu" / "installer-key.pem"


def open_key(path: Path) -> Ed25519PrivateKey:
    """The key in `path`, made where there is none. ConfigurationError: readable by others, no such key, no room."""
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _make(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigurationError(f"{path} holds a secret that others can read: chmod 600 {path}.")
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise ConfigurationError(f"The installer's key {path} cannot be used: {error.strerror}.") from error
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{path} is no private key in PEM without a passphrase.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{path} is no Ed25519 key; name another file, and one is made there.")
    return key


def _make(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_whole(path, pem, 0o600)


def fingerprint(public: bytes) -> str:
    """What people compare: the SHA-256 of the public key, its first 16 bytes in groups of four digits."""
    text = hashlib.sha256(public).hexdigest()[:32]
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def public_of(key: Ed25519PrivateKey) -> bytes:
    """The 32 bytes of its public half."""
    return key.public_key().public_bytes(*_RAW)


def sign(key: Ed25519PrivateKey, files: Sequence[Path], at: str, signature: Path) -> None:
    """Write to `signature` the hashes of `files`, which lie beside it, signed. Raises OSError."""
    statement: dict[str, Any] = {
        "v": 1,
        "at": at,
        "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        "public": base64.b64encode(public_of(key)).decode(),
    }
    signed = statement | {"signature": base64.b64encode(key.sign(canonical(statement))).decode()}
    write_whole(signature, json.dumps(signed, indent=2, sort_keys=True).encode() + b"\n")


def check(path: Path) -> dict[str, Any]:
    """What the signature beside `path` (or `path` itself) proves: `files`, `at`, `fingerprint`, `public`.

    GewuError names what is missing, altered or not signed: then nothing is proved.
    """
    signature = path if path.suffix == ".sig" else path.with_suffix(".sig")
    signed = _read(signature)
    try:
        made = base64.b64decode(signed.pop("signature"), validate=True)
        public = base64.b64decode(signed["public"], validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(made, canonical(signed))
        files = dict(signed["files"])
    except (InvalidSignature, ValueError, KeyError, TypeError) as error:
        raise GewuError(f"{signature} is no valid signature: it was altered, or it was never one.") from error
    if path != signature and path.name not in files:
        raise GewuError(f"{signature} does not sign {path.name}, but {', '.join(files)}; was it renamed?")
    for name, digest in files.items():
        if _digest(signature.with_name(name)) != digest:
            raise GewuError(f"{name} is not what was signed on {signed['at']}: it was altered afterwards.")
    return {"files": sorted(files), "at": signed["at"], "fingerprint": fingerprint(public), "public": public.hex()}


def _read(signature: Path) -> dict[str, Any]:
    try:
        if signature.stat().st_size > _MOST_SIGNATURE:
            raise GewuError(f"{signature} is no signature of gewu: it is too large.")
        signed = json.loads(signature.read_bytes())
    except OSError as error:
        raise GewuError(f"The signature {signature} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise GewuError(f"{signature} is no signature of gewu.") from error
    if not isinstance(signed, dict):
        raise GewuError(f"{signature} is no signature of gewu.")
    return signed


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise GewuError(f"{path}, which was signed, cannot be read: {error.strerror}.") from error
