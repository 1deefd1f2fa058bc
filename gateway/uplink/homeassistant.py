"""Home Assistant over MQTT: its discovery, each device's state now, and whether it is there. Pure.

Discovery, states and availability are retained, so a restarted Home Assistant has everything at once. It keeps no
time of its own for what arrives, so only the present is told: a record of the past counts as delivered unsaid.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from gateway.clock import Clock
from gateway.records import Event, Mark, Message, Reading, Value
from gateway.uplink.format import Heard, Publication, Say
from gateway.uplink.homeassistant_discovery import GATEWAY, PREFIX, Discovery
from gateway.uplink.link import Arrived
from gateway.uplink.present import Glance, Now, Present
from gateway.uplink.settings import UplinkSettings

BIRTH = f"{PREFIX}/status"
# An event that is told later than this after it was raised is no longer the present.
LATE_S = 60.0
_LOOK_S = 5.0
_AGAIN_EVERY_S = 10.0
_encode = msgspec.json.Encoder().encode


class HomeAssistantFormat:
    """See `gateway.uplink.format.Format`."""

    def __init__(self, settings: UplinkSettings, clock: Clock, present: Present, version: str) -> None:
        self._note = f"homeassistant.{settings.name}.discovered"
        self._clock = clock
        self._present = present
        self._glance = Glance(present, clock)
        self._discovery = Discovery(settings, version)
        self._known = {device.id: device for device in present.devices}
        self._states: dict[str, dict[str, Value | None]] = {}
        self._newest: dict[str, int] = {}
        self._online: dict[str, bool] = {}
        self._former: dict[str, dict[str, str]] = {}
        self._look_at = 0.0
        self._again_at = -1e9

    # --- a connection ---------------------------------------------------------------------------------

    def will(self) -> Publication:
        """The status offline. What was ever discovered is noted first, so that it can be removed. Raises StoreError."""
        noted = self._present.note(self._note)
        before = msgspec.json.decode(noted, type=dict[str, dict[str, str]]) if noted else {}
        self._former = {**before}
        for device in self._known.values():
            parts = {name: part["platform"] for name, part in self._discovery.components(device).items()}
            self._former[device.id] = before.get(device.id, {}) | parts
        # What is gone stays noted: its removal is said at each connection, for nobody confirms it for good.
        if self._former != before:
            self._present.set_note(self._note, _encode(self._former))
        return self._status("offline")

    def topics(self) -> Sequence[str]:
        return [BIRTH]

    def opening(self) -> Sequence[Publication]:
        """Devices that left the configuration are removed; the others discovered, with their state; then online."""
        gone = [one for one in self._former if one not in self._known]
        removals = [said for device in gone for said in self._discovery.removal(device)]
        return [*removals, *self._everything(), self._status("online")]

    def closing(self) -> Sequence[Publication]:
        return [self._status("offline")]

    def due(self) -> Sequence[Heard]:
        """Devices that came or went since the last look."""
        now = self._clock.monotonic()
        if now < self._look_at:
            return []
        self._look_at = now + _LOOK_S
        there = self._glance.now(fresh=True)
        changed = [one for one in self._known if self._online.get(one) != (there.of(one).online is True)]
        return [Say(self._availability(device, there)) for device in changed]

    def health(self, state: dict[str, Any]) -> Publication:
        """The gateway's own measurements."""
        found = {name: _at(state, path) for name, path, _ in GATEWAY}
        return Publication(self._discovery.health, _encode(found), retain=True)

    # --- messages -------------------------------------------------------------------------------------

    def encode(self, message: Message, again: bool) -> Sequence[Publication]:
        """One state a device that the message has news of."""
        head = message.records[0]
        if isinstance(head, Event):
            return self._event(head, again)
        told = [record for record in message.records if isinstance(record, Reading) and self._take(record)]
        return [self._state(device) for device in dict.fromkeys(reading.device for reading in told)]

    def _take(self, reading: Reading) -> bool:
        """Whether it is news: of a known device, and not older than what was said."""
        state = self._states.get(reading.device)
        if state is None or reading.at < self._newest[reading.device]:
            return False
        self._newest[reading.device] = reading.at
        news = _unmarked(reading.values, reading.marks)
        state.update({name: value for name, value in news.items() if name in state})
        return True

    def _event(self, event: Event, again: bool) -> Sequence[Publication]:
        if event.device not in self._known:
            return []
        fresh = not again and self._clock.wall_ms() - event.raised <= LATE_S * 1000
        raised = [event.kind] if fresh and event.cleared is None else []
        now = self._glance.now(fresh=True)
        return [self._events(event.device, now, raised), self._availability(event.device, now)]

    # --- what arrives ---------------------------------------------------------------------------------

    def hear(self, arrived: Arrived) -> Sequence[Heard]:
        """Home Assistant has started: it is told everything again. Raises ValueError for anything else."""
        if arrived.topic != BIRTH or arrived.payload not in (b"online", b"offline"):
            raise ValueError("nothing but the status of Home Assistant is expected; it moves no breaker")
        now = self._clock.monotonic()
        if arrived.payload == b"offline" or arrived.retained or now < self._again_at + _AGAIN_EVERY_S:
            return []
        self._again_at = now
        return [Say(publication) for publication in self._everything()]

    # --- inside ---------------------------------------------------------------------------------------

    def _everything(self) -> list[Publication]:
        now = self._glance.now(fresh=True)
        said = [self._discovery.gateway()]
        for device in self._known.values():
            stands = now.of(device.id)
            values = _unmarked(stands.values, stands.marks)
            self._states[device.id] = {name: values.get(name) for name in device.values()}
            self._newest[device.id] = stands.at or 0
            said.append(self._discovery.device(device, self._former.get(device.id, {})))
            said += [self._state(device.id), self._events(device.id, now), self._availability(device.id, now)]
        return said

    def _state(self, device: str) -> Publication:
        return Publication(self._discovery.topic(device, "state"), _encode(self._states[device]), retain=True)

    def _events(self, device: str, now: Now, raised: Iterable[str] = ()) -> Publication:
        lasting = {*now.raised.get(device, ()), *raised}
        found = {kind: kind in lasting for kind in self._known[device].events()}
        return Publication(self._discovery.topic(device, "events"), _encode(found), retain=True)

    def _availability(self, device: str, now: Now) -> Publication:
        self._online[device] = now.of(device).online is True
        payload = b"online" if self._online[device] else b"offline"
        return Publication(self._discovery.topic(device, "availability"), payload, retain=True)

    def _status(self, state: str) -> Publication:
        return Publication(self._discovery.status, state.encode(), retain=True)


def _unmarked(values: Mapping[str, Value], marks: Mapping[str, Mark]) -> dict[str, Value | None]:
    """A value that is stale or bad is unknown in Home Assistant, which has no quality."""
    return {name: None if name in marks else value for name, value in values.items()}


def _at(state: Mapping[str, Any], path: Iterable[str]) -> Any:
    found: Any = state
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found
