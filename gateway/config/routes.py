"""What the outbox needs to know of each `[[uplink]]` and `[[sink]]`: its way out, with its filter resolved. Pure."""

import msgspec

from gateway.config.model import Config
from gateway.config.sink_tables import Sink
from gateway.config.uplink_tables import Uplink
from gateway.filters import Filter, within

_TIMED = ("sparkplug", "thingsboard")
"""Formats whose records carry their own time, and that know no other way to correct it."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """See `gateway.outbox.lane.Route`."""

    name: str
    acks: bool
    max_delay: float
    filter: Filter | None = None
    whole_blocks: bool = False  # a backlog may leave as it lies: packed
    repeats: bool = False  # has no word for corrected times: what had wrong ones is sent again


def routes(config: Config) -> list[Route]:
    """The routes of all uplinks, then of all sinks, in the order of the file."""
    return [
        Route(
            name=uplink.name,
            acks=uplink.acks,
            max_delay=uplink.max_delay,
            filter=_filter(uplink, config),
            whole_blocks=uplink.format == "gewu" and uplink.encoding == "compact",
            repeats=uplink.format in _TIMED,
        )
        for uplink in config.uplink
    ] + [
        Route(name=sink.name, acks=False, max_delay=sink.max_delay, filter=_filter(sink, config))
        for sink in config.sink
    ]


def _filter(uplink: Uplink | Sink, config: Config) -> Filter | None:
    """A reading knows its device alone, so places become the devices that stand there."""
    chosen = uplink.filter
    if chosen is None:
        return None
    devices = tuple(chosen.devices)
    if chosen.places:
        devices = tuple(
            device.id
            for bus in config.bus
            for device in bus.device
            if (not devices or device.id in devices) and any(within(device.place, place) for place in chosen.places)
        ) or ("",)  # nobody stands there: no id is empty, so no reading passes
    return Filter(
        devices=devices,
        kinds=tuple(chosen.kinds),
        grades=tuple(chosen.grades),  # type: ignore[arg-type]  # 1 to 4, as its field says
        places=tuple(chosen.places),
        names=tuple(chosen.names),
    )
