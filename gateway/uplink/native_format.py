"""The native format as an uplink drives it: contract section 4's topics around `native`'s payloads. Pure."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from gateway.clock import Clock
from gateway.records import Message, from_rfc3339
from gateway.uplink import native
from gateway.uplink.format import Acknowledged, Handed, Heard, Publication, ReplayAsked
from gateway.uplink.link import Arrived
from gateway.uplink.settings import UplinkSettings


class NativeFormat:
    """See `Format`. Numbered messages keep their bytes for good, so `again` changes nothing."""

    def __init__(self, settings: UplinkSettings, clock: Clock, version: str) -> None:
        self._prefix = native.topic(settings.site, settings.gateway, "")
        self._clock = clock
        self._version = version
        self._small = settings.encoding == "compact"

    def will(self) -> Publication:
        return self._status("offline")

    def topics(self) -> Sequence[str]:
        return [self._prefix + kind for kind in ("acks", "replay", "inbox", "commands/+")]

    def opening(self) -> Sequence[Publication]:
        return [self._status("online")]

    def closing(self) -> Sequence[Publication]:
        return [self._status("offline")]

    def encode(self, message: Message, again: bool) -> Sequence[Publication]:
        kind, payload = native.encode(message, self._small)
        return [Publication(self._prefix + kind, payload)]

    def health(self, state: dict[str, Any]) -> Publication:
        return Publication(self._prefix + "health", native.encode_health(self._clock.wall_ms(), state))

    def hear(self, arrived: Arrived) -> Sequence[Heard]:
        if arrived.retained:
            raise ValueError("it is retained, and a request must not be")
        kind, _, name = arrived.topic.removeprefix(self._prefix).partition("/")
        match kind:
            case "acks":
                ack = native.parse_ack(arrived.payload)
                return [Acknowledged(ack.epoch, ack.seq, _time(ack))]
            case "replay":
                asked = native.parse_replay(arrived.payload)
                return [ReplayAsked(asked.epoch, asked.first, asked.last)]
            case "inbox" | "commands":
                most = native.MOST_BYTES_DOWN[kind]
                if len(arrived.payload) > most:
                    raise ValueError(f"it has more than the {most} bytes that such a message may have")
                return [Handed(kind, name, arrived.payload)]
        raise ValueError("nothing is expected there")

    def due(self) -> Sequence[Heard]:
        return []

    def _status(self, state: Literal["online", "offline"]) -> Publication:
        payload = native.encode_status(state, self._clock.wall_ms(), self._version, self._clock.boot)
        return Publication(self._prefix + "status", payload, retain=True)


def _time(ack: native.Ack) -> int | None:
    return None if isinstance(ack.at, msgspec.UnsetType) else from_rfc3339(ack.at)
