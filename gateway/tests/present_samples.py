"""A gateway as it is now, set by hand, and messages as the outbox composes them, for the tests of the formats."""

from gateway.profile import load
from gateway.records import Correction, Event, Gap, Mark, Message, Reading, Value
from gateway.uplink.present import KnownDevice, Standing
from gateway.uplink.settings import UplinkSettings
from gateway.uplink.store import Notes

NOW = 1_795_000_000_000


class Now:
    """See `gateway.uplink.present.Present`: one breaker that answers, one never asked. Notes go to `kept`."""

    def __init__(self, kept: Notes | None = None) -> None:
        self._kept = kept
        profile = load("gewu-breaker")
        self.devices = [KnownDevice("b0101", "street/grid", profile), KnownDevice("b0102", "street/grid", profile)]
        self.stands = {"b0101": Standing(True, NOW - 500, {"voltage": 231.2, "closed": True}, {}), "b0102": Standing()}
        self.events: list[Event] = []
        self.notes: dict[str, bytes] = {}

    def standing(self) -> dict[str, Standing]:
        return self.stands

    def open_events(self) -> list[Event]:
        return self.events

    def note(self, key: str) -> bytes | None:
        return self._kept.note(key) if self._kept else self.notes.get(key)

    def set_note(self, key: str, value: bytes) -> None:
        if self._kept:
            self._kept.set_note(key, value)
        self.notes[key] = value


def settings(form: str, **more: object) -> UplinkSettings:
    return UplinkSettings(name="u", site="s", gateway="g", url="mqtt://h", format=form, **more)  # type: ignore[arg-type]


def reading(device: str = "b0101", at: int = NOW, marks: dict[str, Mark] | None = None, **values: Value) -> Reading:
    return Reading(device=device, at=at, mono=0, clock="trusted", values=values, marks=marks or {})


def event(kind: str, cleared: int | None = None, device: str | None = "b0101", **values: Value) -> Event:
    return Event(
        id="e-1", kind=kind, grade=2, device=device, place="street/grid", raised=NOW, cleared=cleared, mono=0,
        clock="trusted", values=values,
    )  # fmt: skip


def message(*records: Reading | Event | Gap | Correction, seq: int = 1) -> Message:
    return Message(epoch="e", seq=seq, sent=NOW, boot="b", first=1, records=records)  # type: ignore[arg-type]
