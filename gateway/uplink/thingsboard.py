"""ThingsBoard's gateway API over MQTT: devices connect and leave, telemetry with its own time, attributes. Pure.

One gateway device at ThingsBoard stands for this gateway; its access token is the uplink's user name. Every device
below it has its profile as device type. A remote call is answered with a refusal: it carries no signature.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from gateway.clock import Clock
from gateway.prepared import prepared
from gateway.records import Correction, Event, Gap, Mark, Message, Reading, Value, rfc3339
from gateway.rules.events import LOST, MISMATCH
from gateway.uplink.format import Heard, Publication, Say
from gateway.uplink.link import Arrived
from gateway.uplink.present import Glance, KnownDevice, Now, Present
from gateway.uplink.settings import UplinkSettings

_GATEWAY, _SELF = "v1/gateway/", "v1/devices/me/"
# ThingsBoard takes 65,536 bytes a message unless its netty.max_payload_size says otherwise.
MOST_BYTES = 60_000
_WHY = {
    "zh": "远程调用没有签名，不能操作断路器；请使用经签名的命令",
    "en": "a remote call carries no signature and moves no breaker; use a signed command",
}
_LEAVES = (LOST, MISMATCH)
_encode = msgspec.json.Encoder().encode

Entry = dict[str, Any]


@prepared
class _Call(msgspec.Struct, frozen=True):
    """A remote call to a device of the gateway; to the gateway itself only `method` and `params` come."""

    device: str
    data: dict[str, Any]


class ThingsBoardFormat:
    """See `gateway.uplink.format.Format`."""

    def __init__(self, settings: UplinkSettings, clock: Clock, present: Present, version: str) -> None:
        self._clock = clock
        self._present = present
        self._glance = Glance(present, clock)
        self._about = {"site": settings.site, "gateway": settings.gateway, "version": version, "boot": clock.boot}
        self._why = _WHY[settings.language]
        self._known = {device.id: device for device in present.devices}
        self._connected: dict[str, None] = {}

    # --- a connection ---------------------------------------------------------------------------------

    def will(self) -> Publication | None:
        """None: ThingsBoard watches the connection itself."""
        return None

    def topics(self) -> Sequence[str]:
        return [_GATEWAY + "rpc", _SELF + "rpc/request/+"]

    def opening(self) -> Sequence[Publication]:
        """The gateway's attributes, then every device that is there with what it is."""
        self._connected.clear()
        now = self._glance.now(fresh=True)
        there = [one for one in self._present.devices if now.of(one.id).online]
        said = [Publication(_SELF + "attributes", _encode(self._about))]
        return [*said, *(publication for device in there for publication in self._connect(device.id))]

    def closing(self) -> Sequence[Publication]:
        return [self._disconnect(device) for device in list(self._connected)]

    def due(self) -> Sequence[Heard]:
        return []

    def health(self, state: dict[str, Any]) -> Publication:
        """The gateway's own telemetry, the parts of a part joined by points: disk.free."""
        return self._own({"ts": self._clock.wall_ms(), "values": dict(_flat(state))})

    # --- messages -------------------------------------------------------------------------------------

    def encode(self, message: Message, again: bool) -> Sequence[Publication]:
        """Telemetry of all devices of the message together; the same time and key again changes nothing there."""
        head = message.records[0]
        if isinstance(head, Event):
            return self._event(head)
        if isinstance(head, Gap):
            return [self._own({"ts": head.end, "values": {"gap": _gap(head)}})]
        if isinstance(head, Correction):
            # What was sent under an untrusted time stays there; that it comes again is the outbox's doing (`repeats`).
            return [self._own({"ts": self._clock.wall_ms(), "values": {"correction": _correction(head)}})]
        readings = [record for record in message.records if isinstance(record, Reading)]
        devices = list(dict.fromkeys(reading.device for reading in readings))
        new = [one for device in devices if device not in self._connected for one in self._connect(device)]
        return [*new, *_telemetry(readings), *self._leaving(devices, self._glance.now())]

    def _event(self, event: Event) -> Sequence[Publication]:
        at = event.raised if event.cleared is None else event.cleared
        entry = {"ts": at, "values": {event.kind: event.cleared is None, "event": _told(event)}}
        if event.device is None:
            return [self._own(entry)]
        new = self._connect(event.device) if event.device not in self._connected else []
        told = Publication(_GATEWAY + "telemetry", _encode({event.device: [entry]}))
        now = self._glance.now(fresh=event.kind in _LEAVES)
        return [*new, told, *self._leaving([event.device], now)]

    def _leaving(self, devices: Iterable[str], now: Now) -> list[Publication]:
        """Telemetry makes a device active at ThingsBoard; of these, those that are not there leave again."""
        return [self._disconnect(device) for device in devices if now.of(device).online is False]

    # --- what arrives ---------------------------------------------------------------------------------

    def hear(self, arrived: Arrived) -> Sequence[Heard]:
        """A remote call is answered with its refusal. Raises ValueError for anything else."""
        if arrived.retained:
            raise ValueError("it is retained, and a request must not be")
        answer = {"result": "refused", "why": self._why}
        head, _, number = arrived.topic.rpartition("/")
        if head == _SELF + "rpc/request":
            topic, who = f"{_SELF}rpc/response/{number}", "this gateway"
            content: dict[str, Any] = {**answer}
        else:
            call = _call(arrived.payload)
            if "method" not in call.data:
                return []  # our own answer, from a broker that is not ThingsBoard's
            topic, who = _GATEWAY + "rpc", call.device
            content = {"device": call.device, "id": call.data.get("id"), "data": answer}
        return [Say(Publication(topic, _encode(content)), f"a remote call to {who}: it carries no signature")]

    # --- inside ---------------------------------------------------------------------------------------

    def _connect(self, device: str) -> list[Publication]:
        self._connected[device] = None
        known = self._known.get(device)
        kind = known.profile.name if known else "default"
        connect = Publication(_GATEWAY + "connect", _encode({"device": device, "type": kind}))
        if known is None:
            return [connect]
        return [connect, Publication(_GATEWAY + "attributes", _encode({device: _attributes(known)}))]

    def _disconnect(self, device: str) -> Publication:
        self._connected.pop(device, None)
        return Publication(_GATEWAY + "disconnect", _encode({"device": device}))

    def _own(self, entry: Entry) -> Publication:
        return Publication(_SELF + "telemetry", _encode(entry))


def _telemetry(readings: Sequence[Reading]) -> list[Publication]:
    by_device: dict[str, list[Entry]] = {}
    for reading in readings:
        entry = {"ts": reading.at, "values": _values(reading.values, reading.marks)}
        by_device.setdefault(reading.device, []).append(entry)
    payload = _encode(by_device)
    if len(payload) <= MOST_BYTES or len(readings) == 1:
        return [Publication(_GATEWAY + "telemetry", payload)]
    half = len(readings) // 2
    return [*_telemetry(readings[:half]), *_telemetry(readings[half:])]


def _values(values: Mapping[str, Value], marks: Mapping[str, Mark]) -> dict[str, Value]:
    """ThingsBoard knows no quality, so a marked value has a key of its own: voltage.bad never passes for voltage."""
    return {f"{name}.{marks[name]}" if name in marks else name: value for name, value in values.items()}


def _attributes(device: KnownDevice) -> dict[str, Any]:
    head = device.profile.head
    units = {name: register.unit for name, register in device.values().items() if register.unit}
    return {"place": device.place, "profile": head.name, "vendor": head.vendor, "model": head.model, "units": units}


def _told(event: Event) -> dict[str, Any]:
    whole = {"id": event.id, "kind": event.kind, "grade": event.grade, "place": event.place}
    times = {"raised": rfc3339(event.raised), "cleared": None if event.cleared is None else rfc3339(event.cleared)}
    return {**whole, **times, "values": event.values}


def _gap(gap: Gap) -> dict[str, Any]:
    times = {"from": rfc3339(gap.start), "to": rfc3339(gap.end)}
    return {"stream": gap.stream, "first": gap.first, "last": gap.last, **times, "reason": gap.reason}


def _correction(told: Correction) -> dict[str, Any]:
    times = {"from": rfc3339(told.start), "to": rfc3339(told.end)}
    return {"boot": told.boot, "offset_ms": told.offset_ms, **times}


def _flat(state: Mapping[str, Any], head: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in state.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{head}{key}.")
        elif value is not None:
            yield head + key, value


def _call(payload: bytes) -> _Call:
    try:
        return msgspec.json.decode(payload, type=_Call)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"it is no remote call: {error}") from error
