"""The boards' own keys: a file of secrets that must be readable by the gateway's user alone."""

import stat
from pathlib import Path

from gateway import tomlfile
from gateway.bus.command import KEY_BYTES
from gateway.errors import ConfigurationError


def load(path: Path) -> dict[str, bytes]:
    """The key of each device by its id. Raises ConfigurationError; no sentence of it holds a key."""
    raw = tomlfile.read(path, "device keys'")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigurationError(f"{path} holds secrets that others can read: chmod 600 {path}.")
    if not isinstance(raw.get("keys"), dict) or raw.keys() - {"keys"}:
        raise ConfigurationError(f'{path} needs one table [keys] with lines such as b0101 = "64 hexadecimal digits".')
    return {device: _key(path, device, text) for device, text in raw["keys"].items()}


def _key(path: Path, device: str, text: object) -> bytes:
    try:
        key = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"{path}: the key of {device} is not {2 * KEY_BYTES} hexadecimal digits.")
    return key
