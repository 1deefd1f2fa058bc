"""The gateway, wired: buses and cameras into the outbox, the outbox into its uplinks, a door, and a pulse for systemd.

This is the map of the running system. Each part has a thread of its own; the main thread only watches
them, feeds the watchdog while all are alive, and ends them in order when asked to stop.
"""

import fcntl
import logging
import os
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from gateway import __version__, audited, camera_extra, health, lent, systemd
from gateway.bus.board import BoardListener
from gateway.bus.poller import BusPoller
from gateway.bus.timekeeping import clock_of
from gateway.clock import Clock
from gateway.config import Config, notices
from gateway.config.routes import routes
from gateway.control import ControlServer
from gateway.errors import ConfigurationError, GewuError, StoreError
from gateway.learned_clock import LearnedClock
from gateway.outbox import Outbox, database
from gateway.presence import Presence
from gateway.records import rfc3339
from gateway.store_events import StoreEvents
from gateway.update_events import UpdateEvents
from gateway.uplink import Inbox, Uplink
from gateway.uplink.present import Filtered

_log = logging.getLogger(__name__)
# A stop within 5 s: the buses end in one poll, the rest belongs to the last deliveries. Whoever is still busy
# then (connecting to somebody who does not answer takes 10 s) holds nothing that is not safe in the outbox.
_STOP_BUSES_S = 1.0
_STOP_DRAIN_S = 1.8
_STOP_UPLINKS_S = 2.6
_PULSE_S = 1.0

# What only some configurations ask for is imported when one does: together it is 10 MB of a small machine.
if TYPE_CHECKING:
    from gateway.backup.schedule import Schedule
    from gateway.camera.watch import CameraWatch
    from gateway.commands.desk import Desk
    from gateway.metrics import Exporter
    from gateway.sinks import Sink

    Joined = BusPoller | BoardListener | CameraWatch | Uplink | Sink | Desk
    Part = Joined | Outbox


class Agent:
    """One running gateway. Raises ConfigurationError when its data folder is in use or cannot be used."""

    def __init__(self, config: Config, clock: Clock, connect: database.Connect = database.connect) -> None:
        """`connect` opens the outbox's database."""
        self._config = config
        self._clock = clock = LearnedClock(clock, devices=_clocks(config))
        self._started = clock.monotonic()
        data_dir = config.gateway.data_dir
        self._lock = _lock_folder(data_dir)
        self.outbox = Outbox(data_dir, clock, routes(config), config.store, connect)
        clock.believe_from(self.outbox.latest_known())
        self._counted: dict[str, Any] = msgspec.to_builtins(self.outbox.stats())
        self._queues: dict[str, Any] = {}
        self._audited = audited.head(self.outbox)
        self._store_events = StoreEvents(self.outbox, clock)
        self._update_events = UpdateEvents(self.outbox, clock)
        self.inbox = Inbox(self.outbox, clock)
        present = Presence(config.bus, lambda: [bus.status() for bus in self.buses], self.outbox)
        views = [Filtered(present, route.filter) if route.filter else present for route in routes(config)]
        self.uplinks = [
            Uplink(uplink, config.gateway, self.outbox, clock, self.health, view)
            for uplink, view in zip(config.uplink, views, strict=False)  # the sinks' routes follow
        ]
        self.sinks = self._make_sinks()
        for uplink in self.uplinks:
            uplink.hand("inbox", self.inbox.letterbox(uplink.name))
            uplink.hear_time(clock.uplink_says)
        self.buses: list[BusPoller | BoardListener] = [
            BoardListener(bus, clock, self.outbox)
            if bus.protocol == "jsonl"
            else BusPoller(bus, clock, self.outbox, heard_time=clock.device_says)
            for bus in config.bus
        ]
        self.cameras = self._make_cameras()
        self.backup = self._make_schedule()
        self.desk = self._make_desk()
        self._exporter: Exporter | None = None
        self._control = ControlServer(
            data_dir,
            {
                "status": lambda _: self.status(),
                "stats": lambda _: msgspec.to_builtins(self.outbox.stats()),
                "health": lambda _: self.health(),
                "export": lambda _: self._export(),
                "snapshot": lambda _: self._snapshot(),
                "commands": self._order,
                "audit": lambda request: audited.verified(self.outbox, request),
                "line": lambda request: lent.answer(self.buses, request),
                "heard": lambda request: lent.heard(self.buses, request),
                "look": self._look,
            },
        )

    def _make_sinks(self) -> "list[Sink]":
        if not self._config.sink:
            return []
        from gateway.sinks import sink_of

        return [sink_of(sink, self._config.gateway, self.outbox, self._clock) for sink in self._config.sink]

    def _make_cameras(self) -> "list[CameraWatch]":
        # Without the extra a notice says what to install; everything else runs.
        if not self._config.camera or camera_extra.sentence() is not None:
            return []
        from gateway.camera.watch import CameraWatch

        watch = CameraWatch(self._config, self._clock, self.outbox)
        self.outbox.shed_first(watch.give_way)
        return [watch]

    def _make_schedule(self) -> "Schedule | None":
        if self._config.backup is None:
            return None
        from gateway.backup.scheduled import schedule_of

        return schedule_of(self._config, self.outbox.snapshot, self._clock)

    def _make_desk(self) -> "Desk | None":
        if self._config.commands is None:
            return None
        from gateway.orders import desk_of

        return desk_of(self._config, self.buses, self.uplinks, self.outbox, self._clock)

    def run(self, stop: threading.Event, anew: Callable[[], bool] = lambda: False) -> None:
        """Serve until `stop` is set, or `anew` (asked every second) wants another gateway in this one's place.

        Then end in order: buses, outbox, uplinks.
        """
        for sentence in notices(self._config):
            _log.warning("%s", sentence)
        if self.outbox.repaired:
            _log.error("%s", self.outbox.repaired)
        if self._config.metrics.listen is not None:
            from gateway.metrics import Exporter

            self._exporter = Exporter(self._config.metrics.listen, self._measured)
        self._control.start()
        self._store_events.look()
        self._update_events.look()
        self.outbox.start()
        for uplink in self.uplinks:
            uplink.start()
        for sink in self.sinks:
            sink.start()
        for source in (*self.buses, *self.cameras):
            source.start()
        if self.desk is not None:
            self.desk.start()
        if self.backup is not None:
            self.backup.start()
        systemd.notify("READY=1", f"STATUS=gateway {self._config.gateway.id} serves {len(self.buses)} buses")
        _log.info("gateway %s runs, version %s", self._config.gateway.id, __version__)
        try:
            self._watch(stop, anew)
        finally:
            self._end()

    def _watch(self, stop: threading.Event, anew: Callable[[], bool]) -> None:
        interval = min(systemd.watchdog_seconds() or _PULSE_S, _PULSE_S)
        while not self._clock.wait(stop, interval):
            if anew():
                return  # no STOPPING=1: for whoever manages it, the service goes on
            dead = [name for name, part in self._parts().items() if not part.alive()]
            if dead:
                # Not feeding the watchdog is what makes systemd restart us; without systemd, end and say so.
                _log.critical("a part of the gateway has died or hangs: %s", ", ".join(dead))
                raise SystemExit(1)
            systemd.notify("WATCHDOG=1")
            self._store_events.look()
            self._update_events.look()
        systemd.notify("STOPPING=1")

    def _parts(self) -> "dict[str, Part]":
        parts: dict[str, Part] = {"outbox": self.outbox}
        parts.update({f"bus {bus.name}": bus for bus in self.buses})
        parts.update({part.name: part for part in self.cameras})
        parts.update({f"uplink {uplink.name}": uplink for uplink in self.uplinks})
        parts.update({f"sink {sink.name}": sink for sink in self.sinks})
        if self.desk is not None:
            parts["commands"] = self.desk
        return parts

    def _end(self) -> None:
        for early in (self.backup, self.desk):
            if early is not None:
                early.request_stop()
        sources: list[BusPoller | BoardListener | CameraWatch | Desk] = [*self.buses, *self.cameras]
        for source in sources:
            source.request_stop()
        self._join([*sources, *([self.desk] if self.desk is not None else [])], _STOP_BUSES_S)
        self._flush()
        ways: list[Uplink | Sink] = [*self.uplinks, *self.sinks]
        for way in ways:
            way.request_stop(drain=_STOP_DRAIN_S)
        self._join(ways, _STOP_UPLINKS_S)
        self._control.stop()
        if self._exporter is not None:
            self._exporter.stop()
        self.outbox.close()
        self._lock.close()
        _log.info("gateway %s stopped", self._config.gateway.id)

    def _join(self, parts: "Sequence[Joined]", seconds: float) -> None:
        deadline = self._clock.monotonic() + seconds
        for part in parts:
            part.join(max(0.0, deadline - self._clock.monotonic()))
            if part.alive():
                _log.warning("%s is busy and is left behind", part.name)

    def _flush(self) -> None:
        try:
            self.outbox.flush()
        except StoreError as error:
            _log.error("%s", error)  # closing tries once more and says how much stays behind

    def status(self) -> dict[str, Any]:
        """What `gewu doctor` and the live table show: plain JSON values."""
        return {
            "gateway": {
                "id": self._config.gateway.id,
                "site": self._config.gateway.site,
                "version": __version__,
                "pid": os.getpid(),
                "uptime_s": round(self._clock.monotonic() - self._started, 1),
                "rss_mb": health.rss_mb(),
                "clock_source": self._clock.source(),
                "notices": notices(self._config),
            },
            "buses": [msgspec.to_builtins(bus.status()) for bus in self.buses],
            "cameras": [part.status() for part in self.cameras],
            "backup": self.backup.status() if self.backup is not None else None,
            "store": self._counts(),
            "queues": self._queues,
            "outbox": {"trouble": self.outbox.trouble, "repaired": self.outbox.repaired},
            "uplinks": [msgspec.to_builtins(uplink.status()) for uplink in self.uplinks],
            "sinks": [msgspec.to_builtins(sink.status()) for sink in self.sinks],
            "commands": self.desk.counts if self.desk is not None else None,
        }

    def _look(self, request: dict[str, Any]) -> dict[str, Any]:
        """What a camera sees now; its picture is a file that whoever asked takes away."""
        if not self.cameras:
            raise GewuError(camera_extra.sentence() or "No camera is configured on this gateway.")
        return self.cameras[0].look(str(request.get("camera")))

    def _export(self) -> dict[str, Any]:
        """Every kept record into a file that whoever asked takes away."""
        file = self._config.gateway.data_dir / f"export-{uuid.uuid4()}.jsonl"
        return {"file": str(file), "records": self.outbox.export(file)}

    def _order(self, request: dict[str, Any]) -> dict[str, Any]:
        """What `gewu commands` asks of the desk."""
        from gateway.orders import answer

        return answer(self.desk, request)

    def _snapshot(self) -> dict[str, Any]:
        """The outbox as it is now, where `gewu backup` has made room for it and takes it away."""
        from gateway.backup.making import OUTBOX, WORK

        self.outbox.snapshot(self._config.gateway.data_dir / WORK / OUTBOX)
        return {"written": True}

    def _measured(self) -> dict[str, Any]:
        """What Prometheus is told; see `gateway.metrics.Snapshot`."""
        commands = self.desk.counts if self.desk is not None else None
        return {"status": self.status(), "health": self.health(), "commands": commands, "now": self._clock.wall_ms()}

    def health(self) -> dict[str, Any]:
        """The health message of contract section 4, once a minute."""
        links = [uplink.status() for uplink in self.uplinks]
        return health.measure(self._config.gateway.data_dir, self._clock) | {
            "clock_source": self._clock.source(),
            "queue": _told(self._counts()),
            "queues": {name: _told(waits) for name, waits in self._queues.items()},
            "inbox": self._came_down(),
            "store": {"trouble": self.outbox.trouble, "repaired": self.outbox.repaired, **self.outbox.counts},
            "links": [
                {"name": link.name, "connected": link.connected, "trouble": link.trouble, "fallback": link.fallback}
                for link in links
            ],
            "certificate_days": {uplink.name: uplink.certificate_days() for uplink in self.uplinks},
            "buses": [{"name": bus.name, "trouble": bus.status().trouble} for bus in self.buses],
            "audit": self._audited,
        }

    def _came_down(self) -> dict[str, Any] | None:
        """What waits in the inbox; None while the store cannot be read."""
        try:
            return self.inbox.status()
        except StoreError as error:
            _log.debug("the inbox cannot be looked at: %s", error)
            return None

    def _counts(self) -> dict[str, Any]:
        """The outbox's counts; those of before while its disk refuses: its trouble stands beside, and must be told."""
        try:
            self._counted = msgspec.to_builtins(self.outbox.stats())
            self._queues = msgspec.to_builtins(self.outbox.queues())
            self._audited = audited.head(self.outbox)
        except StoreError as error:
            _log.debug("the counts are those of before: %s", error)
        return self._counted


def _told(counts: dict[str, Any]) -> dict[str, Any]:
    """The counts as others read them: times are RFC 3339 there."""
    return counts | {"oldest": None if counts["oldest"] is None else rfc3339(counts["oldest"])}


def _clocks(config: Config) -> int:
    """How many configured devices have a clock that the gateway sets, and could ask."""
    return sum(clock_of(device.definition) is not None for bus in config.bus for device in bus.device)


def _lock_folder(data_dir: Path) -> IO[str]:
    """Make the data folder and hold it for this process alone; a killed gateway's lock ends with it."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / "lock").open("w", encoding="ascii")
    except OSError as error:
        raise ConfigurationError(
            f"The folder {data_dir} (gateway.data_dir) cannot be used: {error.strerror}; "
            "choose another or give this user the right to write there."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise ConfigurationError(
            f"Another gateway already runs on {data_dir}: stop it first, or give this one its own gateway.data_dir."
        ) from error
    return lock
