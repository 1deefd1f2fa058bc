"""Sparkplug B 3.0 as an edge node: births, deaths, sequence, rebirth and the primary host. No input or output.

The gateway is the edge node, its devices are the devices of the node. `group` is the site. The messages are QoS 0, as
the specification wants; so what was sent shortly before the link, or the primary host, went away is asked for again
and told as historical. Nothing that comes over Sparkplug moves a breaker: it carries no signature.
"""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import msgspec

from gateway.clock import Clock
from gateway.prepared import prepared
from gateway.records import Correction, Event, Gap, Message, Reading
from gateway.uplink.format import Heard, Hold, Leave, Publication, Say
from gateway.uplink.link import Arrived
from gateway.uplink.present import Glance, Now, Present, Standing
from gateway.uplink.settings import UplinkSettings
from gateway.uplink.sparkplug_metrics import DEATHS, Table, correction_text, event_properties, event_text, gap_text
from gateway.uplink.sparkplug_payload import BOOLEAN, DOUBLE, INT64, STRING, Metric, decode, encode, message_class
from gateway.uplink.sparkplug_repeats import Repeats

REBIRTH = "Node Control/Rebirth"
# What reaches the host later than this beyond max_delay is history, not the present.
LATE_S = 10.0
_LOOK_S = 5.0
_REBIRTH_EVERY_S = 1.0
_HEALTH = (
    ("Health/Disk Free", ("disk", "free"), INT64), ("Health/Memory", ("memory", "rss_mb"), DOUBLE),
    ("Health/Temperature", ("temperature",), DOUBLE), ("Health/Under Voltage", ("under_voltage",), BOOLEAN),
    ("Health/Clock", ("clock",), STRING), ("Health/Queued", ("queue", "queued"), INT64),
    ("Health/Dropped", ("queue", "dropped"), INT64),
)  # fmt: skip


@prepared
class HostState(msgspec.Struct, frozen=True):
    """What a primary host says of itself on spBv1.0/STATE/{host}, retained; `timestamp` in Unix milliseconds."""

    online: bool
    timestamp: int


class SparkplugFormat:
    """See `gateway.uplink.format.Format`. Raises ConfigurationError when the package protobuf is missing."""

    def __init__(self, settings: UplinkSettings, clock: Clock, present: Present, version: str) -> None:
        message_class("Payload")  # better now than at the first message
        self._settings = settings
        self._clock = clock
        self._present = present
        self._glance = Glance(present, clock)
        self._version = version
        self._late_ms = int((settings.max_delay + LATE_S) * 1000)
        self._aliases = count(1)
        self._node = self._node_table()
        self._known = {device.id: device for device in present.devices}
        self._tables: dict[str, Table] = {}
        self._born: set[str] = set()
        self._alive = False  # the node's birth is said, on this connection
        self._seq = 0
        self._bd_seq = 0
        self._host_at = -1
        self._hold_due = False
        self._repeats = Repeats()
        self._look_at = 0.0
        self._backfilled_at = -1e9
        self._rebirth_at = -1e9

    # --- a connection ---------------------------------------------------------------------------------

    def will(self) -> Publication:
        """The node's death; each connection has the next bdSeq, over restarts too. Raises StoreError."""
        key = f"sparkplug.{self._settings.name}.bdSeq"
        before = self._present.note(key)
        self._bd_seq = (int(before) + 1) % 256 if before is not None and before.isdigit() else 0
        self._present.set_note(key, b"%d" % self._bd_seq)
        self._alive = False
        return self._death()

    def topics(self) -> Sequence[str]:
        group, node, host = self._settings.site, self._settings.gateway, self._settings.primary_host
        state = [f"spBv1.0/STATE/{host}"] if host else []
        return [*state, f"spBv1.0/{group}/NCMD/{node}", f"spBv1.0/{group}/DCMD/{node}/#"]

    def opening(self) -> Sequence[Publication]:
        """The births, unless a primary host has to be there first."""
        self._repeats.begin()
        self._alive, self._hold_due = False, self._settings.primary_host is not None
        return [] if self._hold_due else list(self._births())

    def closing(self) -> Sequence[Publication]:
        """The node's death, said by itself: a connection that ends in order has no will."""
        if not self._alive:
            return []
        self._alive = False
        return [self._death()]

    def due(self) -> Sequence[Heard]:
        """Hold until the host is there; what may have been lost again; deaths of devices that backfill had revived."""
        if self._hold_due:
            self._hold_due = False
            return [Hold(True)]
        if not self._alive:
            return []
        now = self._clock.monotonic()
        self._repeats.alive(now)
        heard: list[Heard] = [*self._repeats.due(now)]
        if now >= self._look_at and now >= self._backfilled_at + _LOOK_S:
            self._look_at = now + _LOOK_S
            heard += [Say(publication) for publication in self._deaths_of(self._born, self._glance.now(fresh=True))]
        return heard

    def health(self, state: dict[str, Any]) -> Publication | None:
        """The measurements of the gateway itself that have a metric."""
        if not self._alive:
            return None
        at = self._clock.wall_ms()
        return self._data(None, [self._node.datum(name, _at(state, path), at) for name, path, _ in _HEALTH])

    # --- messages -------------------------------------------------------------------------------------

    def encode(self, message: Message, again: bool) -> Sequence[Publication]:
        """Births where they are missing, then one DDATA for each device of the message."""
        self._repeats.sent(message.epoch, message.seq, self._clock.monotonic())
        head = message.records[0]
        if isinstance(head, Event):
            return list(self._event(head, again))
        if isinstance(head, Gap):
            return [self._data(None, [self._node.datum("Gap", gap_text(head), head.end)])]
        if isinstance(head, Correction):
            return [self._data(None, [self._node.datum("Correction", correction_text(head), self._clock.wall_ms())])]
        by_device: dict[str, list[Reading]] = {}
        for reading in message.records:
            if isinstance(reading, Reading):
                by_device.setdefault(reading.device, []).append(reading)
        return [one for device, readings in by_device.items() for one in self._readings(device, readings, again)]

    def _readings(self, device: str, readings: list[Reading], again: bool) -> Iterator[Publication]:
        if device not in self._born:
            # A lost device's values come once more, marked stale: its death has said that already.
            readings = [
                one for one in readings if not one.values.keys() <= {n for n, m in one.marks.items() if m == "stale"}
            ]
        if not readings:
            return
        table = self._table(device)
        grown = [table.grow(reading.values) for reading in readings]
        if any(grown) or device not in self._born:
            yield self._birth(device, self._glance.now())
        late = [again or self._late(reading, reading.at) for reading in readings]
        metrics = [m for reading, old in zip(readings, late, strict=True) for m in table.data(reading, old)]
        yield self._data(device, metrics)
        if all(late):
            self._backfilled_at = self._clock.monotonic()  # its death, where it is due, waits for the last of them
        else:
            yield from self._deaths_of({device}, self._glance.now())

    def _event(self, event: Event, again: bool) -> Iterator[Publication]:
        at = event.raised if event.cleared is None else event.cleared
        old = again or self._late(event, at)
        if event.kind in DEATHS or event.device not in self._known:
            yield self._data(None, [self._node.datum("Event", event_text(event), at, old)])
            if event.device in self._known:
                now = self._glance.now(fresh=True)
                yield from self._deaths_of({event.device}, now)
                if event.device not in self._born and now.of(event.device).online:
                    yield self._birth(event.device, now)
            return
        name, table = f"Events/{event.kind}", self._table(event.device)
        if table.grow({name: True}) or event.device not in self._born:
            yield self._birth(event.device, self._glance.now())
        metric = table.datum(name, event.cleared is None, at, old, properties=event_properties(event))
        yield self._data(event.device, [metric])

    def _late(self, record: Reading | Event, at: int) -> bool:
        told_before = record.clock == "corrected" and self._clock.state() == "trusted"  # under another time
        return told_before or self._clock.wall_ms() - at > self._late_ms

    # --- what arrives ---------------------------------------------------------------------------------

    def hear(self, arrived: Arrived) -> Sequence[Heard]:
        """A host's state, or the wish for a rebirth. Everything else is refused: ValueError with the reason."""
        if arrived.topic.startswith("spBv1.0/STATE/"):
            return self._hear_host(arrived.payload)
        if arrived.retained:
            raise ValueError("it is retained, and a request must not be")
        if "/NCMD/" not in arrived.topic:
            raise ValueError("Sparkplug carries no signature, so it commands no device; use signed commands")
        asked = decode(arrived.payload)
        if (REBIRTH, True) not in asked:
            raise ValueError(f"the only command that this node knows is {REBIRTH}")
        now = self._clock.monotonic()
        if now < self._rebirth_at + _REBIRTH_EVERY_S:
            raise ValueError("it was born within the last second")
        self._rebirth_at = now
        return [Say(publication) for publication in self._births()] if self._alive else []

    def _hear_host(self, payload: bytes) -> Sequence[Heard]:
        try:
            state = msgspec.json.decode(payload, type=HostState)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"it is no state of a host: {error}") from error
        if state.timestamp < self._host_at:
            return []  # the will of a session that has an heir
        self._host_at = state.timestamp
        if state.online and not self._alive:
            return [*(Say(publication) for publication in self._births()), Hold(False)]
        if not state.online and self._alive:
            return [Leave(f"the primary host {self._settings.primary_host} is offline")]
        return []

    # --- inside ---------------------------------------------------------------------------------------

    def _node_table(self) -> Table:
        table = Table(lambda: next(self._aliases))
        texts = (("Event", STRING), ("Gap", STRING), ("Correction", STRING))
        for name, kind in (*texts, *((name, kind) for name, _, kind in _HEALTH)):
            table.add(name, kind)
        return table

    def _table(self, device: str) -> Table:
        if device not in self._tables:
            self._tables[device] = Table.of(self._known.get(device), lambda: next(self._aliases))
        return self._tables[device]

    def _births(self) -> Iterator[Publication]:
        """The node, then every device that is there. Begins the sequence anew."""
        now, present = self._clock.wall_ms(), self._glance.now(fresh=True)
        self._alive, self._seq = True, 0
        node = [
            Metric("bdSeq", None, INT64, self._bd_seq, now),
            Metric(REBIRTH, None, BOOLEAN, False, now),
            Metric("Properties/Version", None, STRING, self._version, now),
            Metric("Properties/Boot", None, STRING, self._clock.boot, now),
        ]
        yield self._publication("NBIRTH", None, [*node, *self._node.birth(now, Standing(), ())])
        self._born.clear()
        for device in self._present.devices:
            if present.of(device.id).online:
                yield self._birth(device.id, present)

    def _birth(self, device: str, now: Now) -> Publication:
        self._born.add(device)
        metrics = self._table(device).birth(self._clock.wall_ms(), now.of(device), now.raised.get(device, ()))
        return self._publication("DBIRTH", device, metrics)

    def _deaths_of(self, devices: set[str], now: Now) -> list[Publication]:
        """The deaths of those of `devices` that are born and not there."""
        gone = [one for one in sorted(devices & self._born) if now.of(one).online is False]
        self._born.difference_update(gone)
        return [self._publication("DDEATH", device, []) for device in gone]

    def _death(self) -> Publication:
        metric = Metric("bdSeq", None, INT64, self._bd_seq, self._clock.wall_ms())
        payload = encode(self._clock.wall_ms(), None, [metric])
        return Publication(self._topic("NDEATH", None), payload, qos=1)

    def _data(self, device: str | None, metrics: list[Metric]) -> Publication:
        return self._publication("NDATA" if device is None else "DDATA", device, metrics)

    def _publication(self, kind: str, device: str | None, metrics: list[Metric]) -> Publication:
        payload = encode(self._clock.wall_ms(), self._seq, metrics)
        self._seq = (self._seq + 1) % 256
        return Publication(self._topic(kind, device), payload, qos=0)

    def _topic(self, kind: str, device: str | None) -> str:
        tail = [] if device is None else [device]
        return "/".join(["spBv1.0", self._settings.site, kind, self._settings.gateway, *tail])


def _at(state: dict[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = state
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found
