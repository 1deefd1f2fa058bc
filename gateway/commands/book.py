"""What the commands remember over restarts: counters, results for seven days, what was under way, and the audit.

All of it lies in the outbox and is committed before a method returns. It decides nothing.
"""

import json
from typing import Any, Protocol

import msgspec

from gateway.commands.canonical import canonical
from gateway.prepared import prepared
from gateway.records import rfc3339

KEPT_MS = 7 * 24 * 3600 * 1000
"""Contract: idempotent for 7 days."""
_MOST_TIMES = 100


class Store(Protocol):
    """What the outbox offers; see there."""

    def note(self, key: str) -> bytes | None: ...
    def set_note(self, key: str, value: bytes | None) -> None: ...
    def put_command(self, id: str, body: bytes) -> None: ...
    def command(self, id: str) -> bytes | None: ...
    def forget_commands(self, before_ms: int) -> int: ...
    def append_audit(self, body: bytes) -> int: ...


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """`.../replies/{id}`, contract section 4. `at` is RFC 3339."""

    id: str
    result: str
    why: str = ""
    readback: dict[str, Any] = {}
    at: str


@prepared
class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a command; `reply` None while it waits for a confirmation on site."""

    digest: str
    reply: Reply | None


@prepared
class UnderWay(msgspec.Struct, frozen=True, kw_only=True):
    """The one command that a device is being told. `board` is the counter of its frame once that is made."""

    id: str
    digest: str
    issuer: str
    counter: int
    device: str
    action: str
    board: int | None = None


class Book:
    """Raises StoreError where the outbox does, and then nothing is remembered."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def counter(self, issuer: str) -> int:
        """The highest counter that this issuer has used, 0 for none."""
        return int(self._store.note(f"command.counter.{issuer}") or 0)

    def use_counter(self, issuer: str, counter: int) -> None:
        if counter > self.counter(issuer):
            self._store.set_note(f"command.counter.{issuer}", str(counter).encode())

    def forgetful_until(self) -> int:
        """Counters of commands issued before this, Unix ms, may be lost: the store was restored or salvaged then."""
        return int(self._store.note("epoch.began") or 0)

    def armed(self) -> bool:
        """Whether somebody on site has armed the gateway; until then every command is a dry run."""
        return self._store.note("command.armed") == b"yes"

    def arm(self, on: bool) -> None:
        self._store.set_note("command.armed", b"yes" if on else b"no")

    def operated(self, device: str) -> tuple[int, ...]:
        """When a device was operated last, Unix ms."""
        return tuple(json.loads(self._store.note(f"command.operated.{device}") or b"[]"))

    def note_operation(self, device: str, at: int, since: int) -> None:
        """Add one; times before `since` are forgotten."""
        times = [when for when in self.operated(device) if when >= since][-_MOST_TIMES:]
        self._store.set_note(f"command.operated.{device}", json.dumps([*times, at]).encode())

    def under_way(self, device: str) -> UnderWay | None:
        """What this device was being told when the gateway stopped, or is being told now."""
        raw = self._store.note(f"command.under_way.{device}")
        return msgspec.json.decode(raw, type=UnderWay) if raw else None

    def begin(self, command: UnderWay) -> None:
        self._store.set_note(f"command.under_way.{command.device}", msgspec.json.encode(command))

    def end(self, device: str) -> None:
        self._store.set_note(f"command.under_way.{device}", None)

    def result(self, id: str) -> Kept | None:
        """What became of a command of the last seven days."""
        raw = self._store.command(id)
        return None if raw is None else msgspec.json.decode(raw, type=Kept)

    def keep(self, id: str, kept: Kept) -> None:
        self._store.put_command(id, msgspec.json.encode(kept))

    def forget(self, now: int) -> None:
        """Let go of results older than seven days."""
        self._store.forget_commands(now - KEPT_MS)

    def audit(self, at: int, what: str, **facts: Any) -> None:
        """Append one row to the hash chain."""
        self._store.append_audit(canonical({"at": rfc3339(at), "what": what, **facts}))
