"""The boards' own keys for the gateway: one random key a device, in the file that `[commands]` reads.

A key is made here, kept here, and goes onto its board; it is never printed, logged or journalled.
"""

import secrets
import threading
from pathlib import Path

from gateway.commands import board_keys
from gateway.errors import ConfigurationError
from gateway.wholefile import write_whole
from provisioning.trouble import Trouble

_BYTES = 32


class KeyFile:
    """`device-keys.toml`, of mode 0600. From several threads."""

    def __init__(self, path: Path) -> None:
        """ConfigurationError where the file is there and no fit one."""
        self.path, self._lock = path, threading.Lock()
        self._keys = board_keys.load(path) if path.exists() else {}

    def key_of(self, device: str, new: bool) -> str:
        """The key of `device` in hex, safe on disk when this returns; `new` makes another one in any case."""
        with self._lock:
            if new or device not in self._keys:
                self._write(self._keys | {device: secrets.token_bytes(_BYTES)})
            return self._keys[device].hex()

    def _write(self, keys: dict[str, bytes]) -> None:
        lines = [f'"{device}" = "{key.hex()}"\n' for device, key in sorted(keys.items())]
        text = "# The boards' own keys (gewu provision commission). Nobody else may read this.\n[keys]\n" + "".join(
            lines
        )
        try:
            write_whole(self.path, text.encode(), 0o600)
        except OSError as error:
            raise Trouble("disk-full", f"the keys in {self.path} cannot be written ({error.strerror})") from error
        self._keys = keys


def open_keys(path: Path) -> KeyFile:
    """The key file, new or as it is. ConfigurationError where its folder is missing."""
    if not path.parent.is_dir():
        raise ConfigurationError(f"There is no folder {path.parent} for the keys of the boards.")
    return KeyFile(path)
