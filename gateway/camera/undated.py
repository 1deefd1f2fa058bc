"""Stills that were kept while the time was not known: when they may go is settled once it is. A small file beside them.

Such a still's name ends its time by a wrong clock, in 1970 perhaps. Within the boot that kept it the difference tells
the right end; of an earlier boot nobody knows it any more, so its time begins anew: rather too long than too short.
"""

import json
import os
import threading
from pathlib import Path
from typing import Any

from gateway.clock import Clock
from gateway.errors import StoreError

FILE = "undated.json"


class Undated:
    """The list in `folder`; `keep` in milliseconds. One process writes it, others may read."""

    def __init__(self, folder: Path, clock: Clock, keep: int) -> None:
        self._file = folder / FILE
        self._clock = clock
        self._keep = keep
        self._lock = threading.Lock()

    def add(self, name: str, ahead: int) -> None:
        """The still `name` is about to be kept; the clock, which nobody believes, is `ahead` ms of the monotonic one.

        Raises OSError, StoreError.
        """
        with self._lock:
            self._write({**self.listed(), name: {"boot": self._clock.boot, "ahead": ahead}})

    def listed(self) -> dict[str, dict[str, Any]]:
        """By still: `until` (Unix milliseconds), or `boot` and `ahead` while that is not settled. Raises StoreError."""
        try:
            found: dict[str, dict[str, Any]] = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise StoreError(
                f"{self._file} cannot be read ({error}): no still is deleted. It lists stills from before the time was "
                "known; once it is deleted, each goes at the time in its name."
            ) from error
        return found

    def lapsed(self) -> set[str]:
        """Those of this boot whose time is over by the monotonic clock, which runs on without the time."""
        ends = {
            name: stamped(name) - int(about["ahead"])
            for name, about in self.listed().items()
            if about.get("boot") == self._clock.boot
        }
        return {name for name, end in ends.items() if end <= self._clock.mono_ms()}

    def settle(self, names: set[str]) -> None:
        """The time is known: when each still may go; `names` are those that are there. Raises OSError, StoreError."""
        with self._lock:
            before = self.listed()
            there = {name: about for name, about in before.items() if name in names or "until" not in about}
            after = {name: self._settled(name, about) for name, about in there.items()}
            if after != before:
                self._write(after)

    def _settled(self, name: str, about: dict[str, Any]) -> dict[str, Any]:
        if "until" in about:
            return about
        if about["boot"] == self._clock.boot:
            ahead = self._clock.wall_ms() - self._clock.mono_ms()
            return {"until": stamped(name) + ahead - int(about["ahead"])}
        return {"until": self._clock.wall_ms() + self._keep}

    def _write(self, listed: dict[str, dict[str, Any]]) -> None:
        new = self._file.with_suffix(".new")
        try:
            with new.open("w", encoding="utf-8") as out:
                json.dump(listed, out)
                out.flush()
                os.fsync(out.fileno())
            new.replace(self._file)
        except OSError:
            new.unlink(missing_ok=True)
            raise


def stamped(name: str) -> int:
    """The end of its time in a still's name, Unix milliseconds by the clock of that moment."""
    return int(name.split("-", 1)[0])
