"""The boards' own keys for the gateway: one random key a device, in the file that `[commands]` reads.

A key is made here, kept here, and goes onto its board; it is never printed, logged or journalled. One that is replaced
or retired leaves its fingerprint among the revoked, so that it never comes back unnoticed.
"""

import secrets
import threading
from pathlib import Path

from gateway.clock import Clock
from gateway.commands import board_keys
from gateway.errors import ConfigurationError
from gateway.records import rfc3339
from gateway.wholefile import write_whole
from provisioning.trouble import Trouble

_BYTES = 32


class KeyFile:
    """`device-keys.toml`, of mode 0600. From several threads."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """ConfigurationError where the file is there and no fit one."""
        self.path, self._clock, self._lock = path, clock, threading.Lock()
        self._keys, self._revoked = board_keys.load_all(path) if path.exists() else ({}, {})

    def key_of(self, device: str, new: bool) -> str:
        """The key of `device` in hex, safe on disk when this returns; `new` makes another one in any case."""
        with self._lock:
            if new or device not in self._keys:
                gone = self._gone(device)
                self._write(self._keys | {device: secrets.token_bytes(_BYTES)}, self._revoked | gone)
            return self._keys[device].hex()

    def held(self, device: str) -> bytes | None:
        """The key of `device`, None where it has none."""
        return self._keys.get(device)

    def revoke(self, device: str) -> str | None:
        """Take the key of `device` out and list it as revoked; its fingerprint, None where it had none."""
        with self._lock:
            gone = self._gone(device)
            if gone:
                self._write({name: key for name, key in self._keys.items() if name != device}, self._revoked | gone)
            return next(iter(gone), None)

    def _gone(self, device: str) -> dict[str, str]:
        key = self._keys.get(device)
        return {} if key is None else {board_keys.fingerprint(key): f"{device} {rfc3339(self._clock.wall_ms())}"}

    def _write(self, keys: dict[str, bytes], revoked: dict[str, str]) -> None:
        lines = [f'"{device}" = "{key.hex()}"\n' for device, key in sorted(keys.items())]
        if revoked:
            lines += ["\n# Fingerprints of keys that must never be used again.\n[revoked]\n"]
            lines += [f'"{mark}" = "{what}"\n' for mark, what in sorted(revoked.items(), key=lambda row: row[1])]
        text = "# The boards' own keys (gewu provision commission). Nobody else may read this.\n[keys]\n" + "".join(
            lines
        )
        try:
            write_whole(self.path, text.encode(), 0o600)
        except OSError as error:
            raise Trouble("disk-full", f"the keys in {self.path} cannot be written ({error.strerror})") from error
        self._keys, self._revoked = keys, revoked


def open_keys(path: Path, clock: Clock) -> KeyFile:
    """The key file, new or as it is. ConfigurationError where its folder is missing."""
    if not path.parent.is_dir():
        raise ConfigurationError(f"There is no folder {path.parent} for the keys of the boards.")
    return KeyFile(path, clock)
