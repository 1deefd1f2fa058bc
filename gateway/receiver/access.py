"""Who may see what of a centre's records: by level and place, by kind, with or without what concerns persons. Pure.

It judges one record at a time and knows no store. What it cannot place is shown only to those who may see all.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from gateway import tomlfile
from gateway.errors import ConfigurationError
from gateway.records import Stream
from gateway.tomlfile import Section

Record = dict[str, Any]
PERSONAL_KINDS = ("alarm.sos", "alarm.inactivity", "alarm.vital")
"""Events about one person rather than about a place."""
PERSONAL_KEYS = frozenset(
    {"address", "birthday", "citizen", "contact", "email", "household", "id_number", "name", "person", "persons"}
    | {"phone", "picture", "pictures", "reporter", "resident", "residents", "voice", "wechat"}
)
"""Keys of a case, at any depth, whose content is left out for those without personal data."""


class Reader(Section):
    """`[[reader]]`: one office or person, and what it may see."""

    who: str = Field(min_length=1, description="the name that `--as` gives")
    places: list[str] = Field(
        min_length=1, description='the places it answers for, such as ["liuxi/qingxi"]; "" is all'
    )
    streams: list[Stream] = Field(["readings", "events", "cases"], description="what it may see of them")
    kinds: list[str] = Field([], description='kinds of events by their beginning, such as ["trip."]; none is all')
    personal: bool = Field(False, description="true when it may see what concerns persons")


class AccessFile(Section):
    """The whole file. `[places]` says where gateways ("site/gateway") and devices ("site/gateway/device") are."""

    reader: list[Reader] = Field(min_length=1, description="who may see what, as tables [[reader]]")
    places: dict[str, str] = Field(default_factory=dict, description="where gateways and devices are")


class Access:
    """The rules of one file."""

    def __init__(self, rules: AccessFile) -> None:
        self._readers = {reader.who: reader for reader in rules.reader}
        self._places = dict(rules.places)

    def reader(self, who: str) -> Reader:
        """Raises ConfigurationError for somebody whom nobody knows."""
        if who not in self._readers:
            raise ConfigurationError(f"--as {who}: the access file knows {', '.join(sorted(self._readers))}.")
        return self._readers[who]

    def learn(self, events: Iterable[Record]) -> None:
        """Where devices are, by the places that their own events carry; what the file says counts more."""
        for event in events:
            if event.get("device") and event.get("place"):
                self._places.setdefault(f"{event['gateway']}/{event['device']}", str(event["place"]))

    def place(self, record: Record) -> str | None:
        """Where it was made; None when nobody knows."""
        own = record.get("place") or _of(record.get("case"), "place")
        if own:
            return str(own)
        device = f"{record['gateway']}/{record['device']}" if record.get("device") else ""
        return self._places.get(device, self._places.get(str(record["gateway"])))

    def seen(self, reader: Reader, records: Iterable[Record]) -> Iterator[Record]:
        """What `reader` may see of `records`."""
        for record in records:
            if self.may(reader, record):
                yield record if reader.personal else impersonal(record)

    def may(self, reader: Reader, record: Record) -> bool:
        """Whether the record is of its streams, kinds and places."""
        if record["stream"] not in reader.streams:
            return False
        kind = str(record.get("kind", ""))
        if record["stream"] == "events" and reader.kinds and not kind.startswith(tuple(reader.kinds)):
            return False
        place = self.place(record)
        return any(within(place, top) for top in reader.places)


def within(place: str | None, top: str) -> bool:
    """Whether `place` is `top` or a part of it, level by level: "a/b1" is no part of "a/b". "" is everything."""
    if not top.strip("/"):
        return True
    levels, wanted = (place or "").strip("/").split("/"), top.strip("/").split("/")
    return place is not None and levels[: len(wanted)] == wanted


def impersonal(record: Record) -> Record:
    """The record without what concerns persons: values and evidence of such events, such keys of a case."""
    found = dict(record)
    if "evidence" in found:
        found["evidence"] = []
    if str(found.get("kind", "")).startswith(PERSONAL_KINDS):
        found["values"] = {}
    for part in ("case", "transition"):
        if part in found:
            found[part] = _without(found[part])
    return found


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: None if key in PERSONAL_KEYS else _without(inner) for key, inner in value.items()}
    return [_without(inner) for inner in value] if isinstance(value, list) else value


def _of(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def load(path: Path) -> Access:
    """The rules of the file `path`. Raises ConfigurationError with a sentence for each mistake."""
    rules, wrong = tomlfile.check(AccessFile, tomlfile.read(path, "access"))
    tomlfile.refuse(path, wrong)
    assert rules is not None  # refused otherwise
    twice = next((one.who for one in rules.reader if [r.who for r in rules.reader].count(one.who) > 1), None)
    if twice is not None:
        raise ConfigurationError(f'{path}: two tables [[reader]] are about "{twice}"; make them one.')
    return Access(rules)
