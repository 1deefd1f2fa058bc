"""The boards' own keys: a file of secrets that must be readable by the gateway's user alone.

`[keys]` has the key of each device. `[revoked]` has fingerprints of keys that must never be used again: of boards that
were retired or replaced. A key that comes back all the same, as from an old backup, is refused.
"""

import stat
from hashlib import sha256
from pathlib import Path

from gateway import tomlfile
from gateway.bus.command import KEY_BYTES
from gateway.errors import ConfigurationError

_TABLES = {"keys", "revoked"}


def load(path: Path) -> dict[str, bytes]:
    """The key of each device by its id. Raises ConfigurationError; no sentence of it holds a key."""
    return load_all(path)[0]


def load_all(path: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """(the keys by device, what was revoked: fingerprint to a word about whose and when). Raises ConfigurationError."""
    raw = tomlfile.read(path, "device keys'")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigurationError(f"{path} holds secrets that others can read: chmod 600 {path}.")
    revoked = raw.get("revoked", {})
    if not isinstance(raw.get("keys"), dict) or not isinstance(revoked, dict) or raw.keys() - _TABLES:
        raise ConfigurationError(f'{path} needs one table [keys] with lines such as b0101 = "64 hexadecimal digits".')
    keys = {device: _key(path, device, text) for device, text in raw["keys"].items()}
    for device, key in keys.items():
        if fingerprint(key) in revoked:
            raise ConfigurationError(
                f"{path}: the key of {device} was revoked ({revoked[fingerprint(key)]}); provision the board anew."
            )
    return keys, {str(mark): str(what) for mark, what in revoked.items()}


def fingerprint(key: bytes) -> str:
    """What a key is known by once it is gone: it tells nothing of the key."""
    return sha256(b"gewu-device-key-1" + key).hexdigest()


def _key(path: Path, device: str, text: object) -> bytes:
    try:
        key = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"{path}: the key of {device} is not {2 * KEY_BYTES} hexadecimal digits.")
    return key
