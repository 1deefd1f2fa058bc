"""What became of an update, as an event for people: one that was left again. It updates nothing itself.

The record lies beside the environment that this program runs from, written by whoever switched it.
"""

import json
import sys
from pathlib import Path
from typing import Any

from gateway import own_events
from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.store_events import Store

KIND = "gateway.update"
_GRADE = 3
_RECORD = "record.jsonl"


class UpdateEvents:
    """Raises an event for the update that was left last, once over restarts; a later one that stays clears it."""

    def __init__(self, store: Store, clock: Clock, record: Path | None = None) -> None:
        """`record` of the environments; None where this program runs from none of them."""
        self._store, self._clock = store, clock
        self._record = record or Path(sys.prefix).parent / _RECORD
        self._looked = False

    def look(self) -> None:
        """Tell what is new, at the first look that can be committed."""
        if self._looked:
            return
        try:
            self._tell(_last(self._record))
            self._looked = True
        except StoreError:
            pass  # the outbox says it in its own log

    def _tell(self, line: dict[str, Any] | None) -> None:
        returned = line is not None and line.get("what") == "returned"
        key = f"{line.get('at')} {line.get('version')}" if line is not None and returned else None
        told = False
        for found in self._store.open_events():
            if found.event.kind != KIND:
                continue
            told = told or found.key == key
            if found.key != key:
                self._store.accept_event(own_events.ended(found.event, self._clock), found.key)
        if line is not None and key is not None and not told:
            about = {"version": str(line.get("version")), "why": str(line.get("why"))}
            self._store.accept_event(own_events.begun(self._clock, KIND, _GRADE, dict(about)), key)


def _last(record: Path) -> dict[str, Any] | None:
    """The newest whole line that says what became of an environment."""
    try:
        texts = record.read_bytes().split(b"\n")
    except OSError:
        return None
    for text in reversed(texts):
        try:
            line = json.loads(text)
        except ValueError:
            continue  # torn by a cut, or empty
        if isinstance(line, dict) and line.get("what") in ("returned", "kept"):
            return line
    return None
